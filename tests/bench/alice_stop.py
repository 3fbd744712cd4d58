"""What the sequential stop saves, and what it changes, against a fixed number of samples.

    python tests/bench/alice_stop.py [QUESTIONS [SAMPLES [RISK]]]

The bundled taught weak model answers train_2. A question's outcome is whether its samples fall into
no cluster, one or several, and the answer of the largest.
"""

import sys
import tempfile
from collections import Counter
from functools import partial

from w2s_data import tasks
from w2s_data.answers import equal
from w2s_data.inputs import Models, Questions
from w2s_data.methods.alice.samples import Cut, clustered_row, sampled
from w2s_data.store import Store


def outcomes(questions, teacher, sizes, risk):
    cut, count, found = Cut(teacher.task, "densest", 0.9, None), Counter(), {}
    ask = partial(teacher, into="samples", temperature=0.9, top_p=0.95)
    for row in sampled(questions.rows(), ask, cut, sizes, risk, 42):
        row = clustered_row(row, cut, count)
        found[row["id"]] = (min(2, row["clusters"]), row.get("teacher_answer") or "")
    return found, count["asked"]


def same(one, other):
    return one[0] == other[0] and (one[1] == other[1] or equal(one[1], other[1]).kind == "equal")


def main(questions=150, n=100, risk=0.05):
    asked = Questions(tasks.get("math"), limit=int(questions))
    with tempfile.TemporaryDirectory() as folder, Store(f"{folder}/s.sqlite") as store:
        teacher = Models().sampler("teacher", asked.task, store, seed=42)
        fixed, every = outcomes(asked, teacher, [int(n)], float(risk))
        sizes = [*range(20, int(n), 20), int(n)]
        stopped, some = outcomes(asked, teacher, sizes, float(risk))
    changed = [row_id for row_id in fixed if not same(fixed[row_id], stopped[row_id])]
    several = sum(fixed[row_id][0] != stopped[row_id][0] for row_id in changed)
    print(f"{len(fixed)} questions, n = {n}, risk {risk}: {some:,} of {every:,} samples, "
          f"{1 - some / every:.1%} saved; outcome changed for {len(changed) / len(fixed):.1%} "
          f"({several} one or several, {len(changed) - several} the largest cluster)")  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
