"""Memory and time of Alice's four rounds over more and more questions, the models scripted.

    python tests/bench/alice_rounds.py [QUESTIONS... ]     by default 100 1000

100 samples a question; half of the questions split the teacher. Each size is a process of its own,
whose peak memory and processor time are printed: what grows is the store, not the memory.
"""

import json
import resource
import subprocess
import sys
import tempfile
import types
from pathlib import Path

SAMPLES = 100


def answer(number, wrong=0):
    return f"It holds {number} and {number}: {2 * number + wrong}.\n#### {2 * number + wrong}"


def run(questions, folder):
    from w2s_data import backends, tasks
    from w2s_data.build import build
    from w2s_data.inputs import Models, Questions
    from w2s_data.rows import Sample

    class Model(backends.Backend):
        chat = True

        def __init__(self, name):
            self.name = self.fingerprint = name

        def __call__(self, requests):
            for position, request in enumerate(requests):
                number = int(request.prompt_text().rpartition("box ")[2].split("?")[0])
                yield position, [self.sample(number, request.start + i) for i in range(request.n)]

        def sample(self, number, i):
            wrong = self.name == "teacher" and number % 2 and i % 3 == 0
            return Sample(index=i, text=answer(number, wrong), finish="stop", tokens=9)

    models = types.ModuleType("bench_models")
    models.load = lambda name, chat=False: Model(name)
    sys.modules["bench_models"] = models
    backends.BACKENDS["bench"] = "bench_models"
    file = folder / "questions.jsonl"
    rows = (
        {"question": f"How many are in box {n}?", "answer": str(2 * n)} for n in range(questions)
    )
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    summary = build(
        Questions(tasks.get("gsm8k"), file=str(file)),
        Models({"teacher": "bench:teacher", "student": "bench:student"}, options={"chat": True}),
        method="alice",
        stage="sft",
        settings={"n": SAMPLES},
        template="qwen",
        out=folder / "data",
        configs=folder / "configs",
        store=folder / "store.sqlite",
    )
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = used.ru_utime + used.ru_stime
    print(f"| {questions:,} | {summary.kept:,} | {used.ru_maxrss / 1024:.1f} | {cpu:.1f} |")


def main(sizes):
    print("| questions | kept | peak memory, MB | processor, s |\n|---|---|---|---|", flush=True)
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, __file__, "--one", str(size), folder]
            subprocess.run(command, check=True, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        run(int(sys.argv[2]), Path(sys.argv[3]))
    else:
        main([int(size) for size in sys.argv[1:]] or [100, 1000])
