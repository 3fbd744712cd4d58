"""Ten thousand hostile answers: no hang, no crash, no process left, and what memory they take.

python tests/bench/answers_hostile.py [COUNT]
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from random import Random

from w2s_data.answers import canonical, equal, extract
from w2s_data.answers.prove import close

Maker = Callable[[Random], str]

KINDS: dict[str, Maker] = {
    "long number": lambda r: str(r.randrange(1, 9)) * r.randrange(4_000, 10_001),
    "long text": lambda r: r.choice("ax1(\\{$ ") * 100_000,
    "long formula": lambda r: "+".join(f"x^{{{r.randrange(99)}}}" for _ in range(2_000)),
    "tower": lambda r: "^{".join("9" * 1 for _ in range(r.randrange(3, 40))) + "}" * 40,
    "closed tower": lambda r: "9^{9^{9^{" + str(r.randrange(2, 99)) + "}}}",
    "factorial": lambda r: f"(10^{{{r.randrange(2, 30)}}})!",
    "factorials": lambda r: "!".join(str(r.randrange(2, 10**5)) for _ in range(20)) + "!",
    "nested braces": lambda r: "{" * 1_000 + str(r.randrange(9)) + "}" * 1_000,
    "nested fractions": lambda r: "\\frac{1}{" * 600 + "2" + "}" * 600,
    "nested roots": lambda r: "\\sqrt{2+" * 30 + str(r.randrange(9)) + "}" * 30,
    "open brackets": lambda r: r.choice("([{|") * 5_000,
    "control characters": lambda r: "".join(chr(r.randrange(32)) for _ in range(500)) + "5",
    "lone surrogates": lambda r: "\ud800\udfff" * 200 + str(r.randrange(9)),
    "relations": lambda r: r.choice("=<>,:;") * 15_000,
    "radicals": lambda r: "+".join(f"\\sqrt{{{r.randrange(2, 10**6)}}}" for _ in range(200)),
    "big powers": lambda r: "*".join(f"{r.randrange(3, 99)}^{{2000}}" for _ in range(500)),
    "code": lambda r: f"__import__('os').system('exit {r.randrange(9)}')",
    "hard integral": lambda r: f"\\int_0^1 \\frac{{\\sin(x^{r.randrange(3, 9)})}}{{x^x+1}} dx",
    "hard limit": lambda r: (
        f"\\lim_{{x\\to 0}} \\frac{{\\tan(\\sin x)^{r.randrange(3, 9)}}}{{x^9}}"
    ),
    "dense sum": lambda r: "\\sum_{k=1}^{1000} \\frac{1}{k^{" + str(r.randrange(9, 99)) + "}}",
    "open lines": lambda r: "{" + f"\n{r.randrange(9)}" * 40_000,
    "open sentences": lambda r: "{" + "So it is. " * 8_000,
    "many hard members": lambda r: ", ".join(
        f"\\int_0^{k} \\sin(x^{r.randrange(3, 9)}) dx" for k in range(1, 60)
    ),
    "many opaque members": lambda r: ", ".join(
        f"f({k})^{{{r.randrange(3, 99)}}}+g(2^{k})" for k in range(1, 60)
    ),
    "noise": lambda r: "".join(r.choice("\\frac{}()[]^_123xy+-*/=<>|!%$,. ") for _ in range(300)),
}


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    random, slowest, kinds = Random(0), {}, Counter[str]()
    names = sorted(KINDS)
    began = time.monotonic()
    answers = [names[k % len(names)] for k in range(count)]
    previous = "1"
    for name in answers:
        answer = KINDS[name](random)
        start = time.monotonic()
        canonical(answer)
        extract("math", f"The answer is: {answer}")
        kinds[equal(answer, random.choice(("1", "x", previous))).kind] += 1
        spent = time.monotonic() - start
        slowest[name] = max(slowest.get(name, 0.0), spent)
        previous = answer
    print(f"{count} hostile answers in {time.monotonic() - began:.0f} s: {dict(kinds)}")
    for name, spent in sorted(slowest.items(), key=lambda item: -item[1])[:8]:
        print(f"  slowest {name:20} {spent:.2f} s")
    print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB at most here")
    close()
    print(f"{resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:.0f} MB in a worker")
    left = subprocess.run(["ps", "-eo", "ppid,args"], capture_output=True, text=True).stdout
    ours = [line for line in left.splitlines() if line.split()[0] in ("1", str(os.getpid()))]
    print(f"{sum('w2s_data.answers._' in line for line in ours)} workers left")


if __name__ == "__main__":
    main()
