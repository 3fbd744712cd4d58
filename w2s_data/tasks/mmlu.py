"""MMLU (Hendrycks et al. 2021, arXiv 2009.03300): exam questions of 57 subjects, four options.

A row of cais/mmlu, configuration all, reads (`answer` is the position, from 0):

    {"question": "Which gas do plants take in to grow?", "subject": "high_school_biology",
     "choices": ["Oxygen", "Nitrogen", "Carbon dioxide", "Helium"], "answer": 2}

The weak model learns from auxiliary_train, and teaches on validation, as the published file names
of arXiv 2406.19032 have it.
"""

from __future__ import annotations

from w2s_data.tasks import Hub, Task, choice

MMLU = "cais/mmlu"

TASK = Task(
    name="mmlu",
    title="MMLU: exam questions of 57 subjects, 4 options",
    rule="mmlu",
    answer_key=choice.ANSWER_KEY,
    prompt="choice",
    stop=choice.STOP,
    shape=choice.shape,
    read_gold=choice.read_gold,
    hub={
        "train_1": Hub(MMLU, config="all", split="auxiliary_train"),
        "train_2": Hub(MMLU, config="all", split="validation"),
        "test": Hub(MMLU, config="all", split="test"),
    },
    response=choice.response,
)
