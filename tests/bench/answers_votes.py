"""Votes over up to a million responses: time, memory and growth, against math-verify's loop.

python tests/bench/answers_votes.py [QUESTIONS ...]
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from random import Random

from w2s_data.answers import extract, vote

SAMPLES = 10
BODY = "First we add the parts and then we divide by the number of shares that are left over. "


def responses(question: int) -> list[str]:
    """Ten responses to a question: mostly right, spelled in several ways, one in 25 cut off."""
    random = Random(question)
    right = random.randrange(1, 100_000)
    found = []
    for _ in range(SAMPLES):
        value = right if random.random() < 0.6 else right + random.randrange(1, 9)
        spelled = random.choice(
            (
                f"{value}",
                f"{value:,}",
                f"\\${value}",
                f"{value}.0",
                f"\\frac{{{2 * value}}}{{2}}",
                f"{value}\\text{{ cm}}",
            )
        )
        found.append(BODY * 3 + ("" if random.random() < 0.04 else f"The answer is: {spelled}"))
    return found


def voted(questions: int) -> Iterator[float]:
    for question in range(questions):
        found = [extract("math", response) for response in responses(question)]
        yield vote([f.answer if f else None for f in found]).confidence


def main() -> None:
    for questions in [int(text) for text in sys.argv[1:]] or [1_000, 10_000, 100_000]:
        began = time.process_time()
        for question in range(questions):
            responses(question)
        making = time.process_time() - began
        began = time.process_time()
        mean = sum(voted(questions)) / questions
        spent = time.process_time() - began - making
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{questions * SAMPLES:>9,} responses: {spent:7.1f} s, "
            f"{1e6 * spent / questions / SAMPLES:.1f} us each, mean confidence {mean:.3f}, "
            f"{memory:.0f} MB at most"
        )
    _against_math_verify(50)


def _against_math_verify(questions: int) -> None:
    try:
        from math_verify import parse, verify
    except ImportError:
        print("math-verify is not installed")
        return
    began = time.process_time()
    for question in range(questions):
        clusters: list[list[object]] = []
        for response in responses(question):
            parsed = parse(response)
            home = next((c for c in clusters if parsed and verify(c[0], parsed)), None)
            if home is not None:
                home.append(parsed)
            elif parsed:
                clusters.append([parsed])
    spent = time.process_time() - began
    each = spent / questions / SAMPLES
    print(f"math-verify, greedy clusters: {1e6 * each:,.0f} us each, {1e6 * each:,.0f} s a million")


if __name__ == "__main__":
    main()
