"""HellaSwag (Zellers et al. 2019, arXiv 1905.07830): which of four endings continues a text.

A row of Rowan/hellaswag reads (`label` is the position, from 0, as a text; "" in its test split,
which is why the test here is its validation split):

    {"ind": 4, "activity_label": "Baking bread", "ctx": "A baker kneads dough on a table. She",
     "endings": ["puts the dough into a bowl to rise.", "drives the table to the harbour.",
                 "sings the dough a song in Latin.", "paints the oven with the flour."],
     "label": "0"}
"""

from __future__ import annotations

from w2s_data.tasks import Hub, Task, choice

HELLASWAG = "Rowan/hellaswag"

TASK = Task(
    name="hellaswag",
    title="HellaSwag: which of 4 endings continues a text",
    rule="hellaswag",
    answer_key=choice.ANSWER_KEY,
    prompt="choice",
    stop=choice.STOP,
    aliases={
        "question": ("ctx",),
        "choices": ("endings",),
        "answer": ("label",),
        "subject": ("activity_label",),
    },
    shape=choice.shape,
    read_gold=choice.read_gold,
    hub={
        "train_1": Hub(HELLASWAG, split="train", half=1),
        "train_2": Hub(HELLASWAG, split="train", half=2),
        "test": Hub(HELLASWAG, split="validation"),
    },
    response=choice.response,
)
