"""Every MATH-500 answer against itself in more than ten spellings: print each disagreement.

python tests/bench/answers_spellings.py [FILE.jsonl with an "answer" field]
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections import Counter
from pathlib import Path

from w2s_data.answers import equal

SHARED = Path(os.environ.get("W2S_SHARED", Path(__file__).resolve().parents[2].parent / "shared"))
UNICODE = {
    "\\pi": "π",
    "\\infty": "∞",
    "\\cup": "∪",
    "\\le ": "≤ ",
    "\\theta": "θ",
    "\\cdot": "·",
    "^\\circ": "°",
    "^2": "²",
    "-": "−",
}


def spellings(answer: str) -> dict[str, str]:
    """The answer in other spellings of the same thing, by the name of what was changed."""
    found = {
        "dollars": f"${answer}$",
        "display": f"\\[ {answer} \\]",
        "parentheses": f"\\( {answer} \\)",
        "boxed": f"\\boxed{{{answer}}}",
        "boxed in dollars": f"$\\boxed{{{answer}}}$",
        "final dot": f"{answer}.",
        "braces": f"{{{answer}}}",
        "blanks": f"  {answer} ",
        "end mark": f"{answer}</s>",
        "displaystyle": f"\\displaystyle {answer}",
        "dfrac": answer.replace("\\frac", "\\dfrac"),
        "tfrac": answer.replace("\\frac", "\\tfrac"),
        "thin spaces": re.sub(r"([+=])", r"\\,\1\\,", answer),
        "wide operators": re.sub(r"(?<=[\w})])\s*([-+=])\s*", r" \1 ", answer),
        "no blanks": re.sub(r"(?<![a-zA-Z]) +| +(?![a-zA-Z])", "", answer),
        "sized brackets": _sized(answer),
        "unsized brackets": answer.replace("\\left", "").replace("\\right", ""),
        "unicode": _unicode(answer),
        "mathrm for text": answer.replace("\\text{", "\\mathrm{"),
        "textbf for text": answer.replace("\\text{", "\\textbf{"),
        "plain fraction": re.sub(r"^(-?)\\frac\{(\d+)\}\{(\d+)\}$", r"\1\2/\3", answer),
        "decimal zeros": f"{answer}.0" if re.fullmatch(r"-?\d+", answer) else answer,
        "thousands": f"{int(answer):,}" if re.fullmatch(r"-?\d{4,15}", answer) else answer,
        "tex thousands": _tex_thousands(answer),
    }
    return {name: text for name, text in found.items() if text != answer}


def _sized(answer: str) -> str:
    if "\\left" in answer or re.search(r"[\[(][^()\[\]]*$|^[^()\[\]]*[\])]", answer):
        return answer
    return re.sub(r"([(\[])", r"\\left\1", re.sub(r"([)\]])", r"\\right\1", answer))


def _unicode(answer: str) -> str:
    for latex, sign in UNICODE.items():
        answer = answer.replace(latex, sign)
    return re.sub(r"\\sqrt\{(\d+)\}", r"√\1", answer)


def _tex_thousands(answer: str) -> str:
    return f"{int(answer):,}".replace(",", "{,}") if re.fullmatch(r"\d{4,15}", answer) else answer


def main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else SHARED / "golden/gair/math_test.jsonl"
    answers = [json.loads(line)["answer"] for line in path.read_text().splitlines()]
    kinds: Counter[str] = Counter()
    for answer in answers:
        for name, text in {"itself": answer, **spellings(answer)}.items():
            verdict = equal(answer, text)
            kinds[verdict.kind] += 1
            if verdict.kind != "equal":
                print(f"{verdict.kind} ({verdict.reason}), {name}: {answer!r} {text!r}")
    print(f"{len(answers)} answers, {sum(kinds.values())} spellings: {dict(kinds)}")


if __name__ == "__main__":
    main()
