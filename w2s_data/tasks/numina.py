r"""NuminaMath-CoT (Li et al. 2024): 860,000 problems from school to olympiad with solutions.

A row of AI-MO/NuminaMath-CoT reads:

    {"source": "orca_math", "problem": "Ada has 3 boxes of 12 eggs. How many eggs is that?",
     "solution": "Each box has 12 eggs, so there are $3 \times 12 = \boxed{36}$ eggs.",
     "messages": [{"role": "user", "content": "Ada has ..."}, ...]}

The source says how hard a problem is (orca_math and cn_k12 are easy, olympiads and aops_forum are
not) and is its subject here. Problems whose solution boxes no answer, the proofs, are left out.
"""

from __future__ import annotations

from w2s_data.rows import Row
from w2s_data.tasks import Hub, Task
from w2s_data.tasks.math import response

NUMINA = "AI-MO/NuminaMath-CoT"


def form(record: Row) -> Row | None:
    """The record with the answer of its solution's last box; None without one."""
    from w2s_data.answers import extract

    found = extract("boxed", str(record.get("solution") or ""))
    if not found or not found.answer or not record.get("problem"):
        return None
    names = {"question": "problem", "subject": "source", "solution": "solution"}
    return {name: record.get(key) for name, key in names.items()} | {"answer": found.answer}


TASK = Task(
    name="numina",
    title="NuminaMath-CoT: problems from school to olympiad, by source",
    rule="math",
    answer_key="The answer is:",
    max_tokens=1024,
    aliases={"subject": ("source",)},
    form=form,
    hub={
        "train_1": Hub(NUMINA, split="train", half=1),
        "train_2": Hub(NUMINA, split="train", half=2),
        "test": Hub(NUMINA, split="test"),
    },
    response=response,
)
