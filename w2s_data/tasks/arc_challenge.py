"""ARC-Challenge (Clark et al. 2018, arXiv 1803.05457): grade-school science with 3 to 5 options.

A row of allenai/ai2_arc, configuration ARC-Challenge, reads (some rows are labelled 1, 2, ...):

    {"id": "Mercury_1",
     "question": "A cup of soup cools faster in a wide bowl than in a narrow cup. Why?",
     "choices": {"text": ["The bowl is heavier.", "The bowl holds more soup.",
                          "More of the soup touches the air.", "The soup gets thicker."],
                 "label": ["A", "B", "C", "D"]},
     "answerKey": "C"}
"""

from __future__ import annotations

from w2s_data.tasks import Hub, Task, choice

ARC = "allenai/ai2_arc"

TASK = Task(
    name="arc_challenge",
    title="ARC-Challenge: grade-school science, 3 to 5 options",
    rule="arc_challenge",
    answer_key=choice.ANSWER_KEY,
    prompt="choice",
    stop=choice.STOP,
    aliases={"answer": ("answerKey",)},
    shape=choice.shape,
    read_gold=choice.read_gold,
    hub={
        "train_1": Hub(ARC, config="ARC-Challenge", split="train", half=1),
        "train_2": Hub(ARC, config="ARC-Challenge", split="train", half=2),
        "test": Hub(ARC, config="ARC-Challenge", split="test"),
    },
    response=choice.response,
)
