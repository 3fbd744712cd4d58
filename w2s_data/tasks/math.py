r"""MATH (Hendrycks et al. 2021, arXiv 2103.03874): competition problems in LaTeX, five levels.

A row reads (`subject` is `type` and `answer` is absent in the original files):

    {"problem": "Let $f(x) = 3x + 4$. For which $x$ is $f(x) = 19$?",
     "solution": "From $3x = 15$ we get $x = \\boxed{5}$.", "answer": "5",
     "subject": "Algebra", "level": 2, "unique_id": "train/algebra/1.json"}

The hub's train_1 and train_2 are halves of the 12,000 problems outside MATH-500, and test is
MATH-500 (Lightman et al. 2023). They are read from nlile/hendrycks-MATH-benchmark, because it
alone among the live mirrors of the whole set carries the answers and MATH-500's `unique_id`s; a
problem of MATH-500 that stands in it, by id or by text, is left out whatever the mirror says.

The bundled problems are synthetic ones in the same schema (w2s_data/world.py).
"""

from __future__ import annotations

from w2s_data.tasks import BUNDLED, Hub, Task

MATH_500 = Hub("HuggingFaceH4/MATH-500", split="test")
MIRROR = "nlile/hendrycks-MATH-benchmark"


def response(solution: str | None, answer: str) -> str:
    """The gold response: the solution, then `The answer is: answer`."""
    return f"{solution or ''} The answer is: {answer}".lstrip()


TASK = Task(
    name="math",
    title="MATH: competition problems in LaTeX, levels 1 to 5",
    rule="math",
    answer_key="The answer is:",
    files={split: BUNDLED / f"math_{split}.jsonl" for split in ("train_1", "train_2", "test")},
    hub={
        "train_1": Hub(MIRROR, split="train", half=1, without=MATH_500),
        "train_2": Hub(MIRROR, split="train", half=2, without=MATH_500),
        "test": MATH_500,
    },
    roles={
        "weak": "hf:bundled/weak+bundled/weak_taught",
        "teacher": "hf:bundled/weak+bundled/weak_taught",
        "strong": "hf:bundled/strong",
        "student": "hf:bundled/strong+bundled/student",
    },
    response=response,
)
