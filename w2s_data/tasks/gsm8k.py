r"""GSM8K (Cobbe et al. 2021, arXiv 2110.14168): grade-school word problems with integer answers.

A row of openai/gsm8k reads (the numbers in << >> are the data set's calculator notes):

    {"question": "Ada packs 3 boxes of 12 eggs and drops 5. How many eggs are whole?",
     "answer": "She packs 3 * 12 = <<3*12=36>>36.\n36 - 5 = <<36-5=31>>31 stay whole.\n#### 31"}
"""

from __future__ import annotations

import re

from w2s_data.tasks import Hub, Task

CALCULATOR_NOTE = re.compile(r"<<[^<>]*>>")


def response(solution: str | None, answer: str) -> str:
    """The gold response: the solution without calculator notes, ending in `#### answer`."""
    text, _, _ = CALCULATOR_NOTE.sub("", solution or "").partition("####")
    return f"{text.strip()}\n#### {answer}".lstrip()


TASK = Task(
    name="gsm8k",
    title="GSM8K: grade-school word problems",
    rule="gsm8k",
    answer_key="####",
    hub={
        "train_1": Hub("openai/gsm8k", config="main", split="train", half=1),
        "train_2": Hub("openai/gsm8k", config="main", split="train", half=2),
        "test": Hub("openai/gsm8k", config="main", split="test"),
    },
    response=response,
)
