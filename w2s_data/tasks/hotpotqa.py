"""HotpotQA (Yang et al. 2018, arXiv 1809.09600): questions that need two facts, asked without text.

A row of hotpotqa/hotpot_qa, configuration distractor, reads (context and supporting facts, which
it also has, are not used):

    {"id": "5a7a06935542990198eaf050",
     "question": "Which of the two rivers that meet at Koblenz is the longer one?",
     "answer": "the Rhine", "type": "comparison", "level": "medium"}
"""

from __future__ import annotations

from w2s_data.tasks import Hub, Task, openqa

HOTPOT = "hotpotqa/hotpot_qa"

TASK = Task(
    name="hotpotqa",
    title="HotpotQA: questions that need two facts, from memory",
    rule="hotpotqa",
    answer_key=openqa.ANSWER_KEY,
    stop=openqa.STOP,
    read_gold=openqa.read_gold,
    hub={
        "train_1": Hub(HOTPOT, config="distractor", split="train", half=1),
        "train_2": Hub(HOTPOT, config="distractor", split="train", half=2),
        "test": Hub(HOTPOT, config="distractor", split="validation"),
    },
    response=openqa.response,
)
