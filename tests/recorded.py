"""Recorded weights of yes and no: what `replay:FOLDER/weak.jsonl` and `student.jsonl` answer."""

import math

from w2s_data import tasks
from w2s_data.inputs import Questions
from w2s_data.io import write_rows


def recorded(folder, asked, told):
    """The rows `asked` as questions of boolq, with the p(yes) of (weak, student) that `told` gives
    by id."""
    write_rows(folder / "questions.jsonl", asked)
    file = str(folder / "questions.jsonl")
    questions = Questions(tasks.get("boolq"), "train_2", "file", file)
    prompts = {row["id"]: row["prompt"] for row in questions.rows()}
    for place, name in enumerate(("weak", "student")):
        weighed = [
            {"prompt": prompts[i], "response": choice, "logprob": math.log(p)}
            for i, both in told.items()
            for choice, p in (("yes", both[place]), ("no", 1 - both[place]))
        ]
        write_rows(folder / f"{name}.jsonl", weighed)
    return questions
