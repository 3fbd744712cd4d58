"""What a response declares, by rule."""

from __future__ import annotations

import pytest

from w2s_data.answers import PUBLISHED, RULES, extract
from w2s_data.errors import W2SError

DECLARED = [
    ("gsm8k", "6*12=72\n#### 72", "72", "####"),
    ("gsm8k", "#### 72\nSo the answer holds.", "72", "####"),
    ("gsm8k", "so $50 + $150 = $200\n#### $200.", "$200", "####"),
    ("gsm8k", "#### 1,234.50", "1,234.50", "####"),
    ("gsm8k", "#### 5\n\nQuestion: another?\nAnswer: 6\n#### 6", "5", "####"),
    ("gsm8k", "#### 5</s>junk", "5", "####"),
    ("gsm8k", "so\n#### 5" + "!" * 300, "5", "####"),
    ("gsm8k", "The answer is 12.", "12", "The answer is"),
    ("gsm8k", "#### 6:25", "6:25", "####"),
    ("math", r"so The answer is: $\frac{1}{2}$.", r"$\frac{1}{2}$", "The answer is"),
    ("math", r"\boxed{1} then The answer is: 2", "2", "The answer is"),
    ("math", "The answer is: 3. I hope so.", "3", "The answer is"),
    ("math", "The answer is: 1\nno: The answer is: 2", "2", "The answer is"),
    (
        "math",
        "The answer is: \\begin{pmatrix} 1 \\\\\n2 \\end{pmatrix}",
        "\\begin{pmatrix} 1 \\\\\n2 \\end{pmatrix}",
        "The answer is",
    ),
    ("math", "So:\nThe answer is:\n\n42\nDone.", "42", "The answer is"),
    ("math", "The answer is: $$\n\\frac{1}{2}\n$$", "$$\n\\frac{1}{2}\n$$", "The answer is"),
    ("math", "**The final answer is:**\n\n$7$", "$7$", "The answer is"),
    ("math", "**The answer is** 7", "7", "The answer is"),
    ("math", "The answer is **42**.", "42", "The answer is"),
    ("math", "The answer is **$x = 4$** because of it.", "$x = 4$", "The answer is"),
    ("math", "**The answer is: 42.** I hope.", "42", "The answer is"),
    ("math", "The answer is: 2**3.", "2**3", "The answer is"),
    ("math", "The answer is: 10**-3", "10**-3", "The answer is"),
    ("math", "The answer is: $x=3$ **or** $x=-3$.", "$x=3$ **or** $x=-3$", "The answer is"),
    ("math", "The answer is:\n\nLet me verify.\n\\boxed{5}", "5", "\\boxed"),
    ("math", "The answer is:\n```\n42\n```", "42", "The answer is"),
    (
        "openqa",
        "The answer is: The **Beatles** of Liverpool",
        "The **Beatles** of Liverpool",
        "The answer is",
    ),
    ("gsm8k", "#### **42**", "42", "####"),
    ("gsm8k", "#### ** 42 **", "42", "####"),
    ("openqa", "The answer is **St. Louis**, of course.", "St. Louis", "The answer is"),
    ("math", r"first \boxed{1}, last \boxed{\frac{1}{\sqrt{2}}}", r"\frac{1}{\sqrt{2}}", "\\boxed"),
    ("math", r"\boxed{\boxed{7}}", r"\boxed{7}", "\\boxed"),
    ("math", r"\boxed 5", "5", "\\boxed"),
    ("math", r"\boxed{\{1,2\}}", r"\{1,2\}", "\\boxed"),
    ("choice", "Plants need light. My choice is B.", "B", "My choice is"),
    ("choice", "My choice is (C)", "C", "My choice is"),
    ("choice", "The answer is (B) because", "B", "The answer is"),
    ("choice", r"\boxed{\text{D}}", "D", "\\boxed"),
    ("choice", "Answer: A", "A", "Answer:"),
    ("choice", "B", "B", "option letter"),
    ("arc_challenge", "My choice is A. My choice is D.", "D", "My choice is"),
    ("mmlu", "(C) because it is", "C", "option letter"),
    ("yesno", "Yes, it is.", "yes", "first line"),
    ("yesno", "Reasons.\nThe answer is: no", "no", "The answer is"),
    ("ethics", "This is not acceptable.", "unacceptable", "first line"),
    ("ethics", "My choice is wrong", "wrong", "My choice is"),
    ("openqa", "The answer is: Paris.", "Paris", "The answer is"),
    ("openqa", "The answer is: St. Louis. It lies there.", "St. Louis", "The answer is"),
    ("openqa", "The answer is J. R. R. Tolkien.", "J. R. R. Tolkien", "The answer is"),
    ("openqa", "He left Bonn.\nThe answer is:\n1770", "1770", "The answer is"),
    ("openqa", "It is known.\n**Answer:**\nParis", "Paris", "Answer:"),
    ("yesno", "Reasons.\nThe answer is:\nno", "no", "The answer is"),
    ("openqa", "Paris\nis the capital", "Paris", "first line"),
    ("first_line", "  Marie Curie \nmore", "Marie Curie", "first line"),
]


@pytest.mark.parametrize(("rule", "text", "answer", "where"), DECLARED)
def test_declared(rule: str, text: str, answer: str, where: str) -> None:
    found = extract(rule, text)
    assert found is not None
    assert (found.answer, found.where) == (answer, where)
    assert found.answer.lower() in text[found.start : found.end].lower() or rule == "ethics"


NOTHING = [
    ("gsm8k", ""),
    ("gsm8k", "She sold 48/2 = 24 clips in May and"),
    ("gsm8k", "so 12 apples\n####"),
    ("gsm8k", "so\n#### 3 +"),
    ("math", r"so \boxed{\frac{1}{2"),
    ("math", r"\boxed{1} and \boxed{2"),
    ("math", r"The answer is: \frac{1}{"),
    ("math", "The answer is: "),
    ("math", "The answer is: $$"),
    ("math", "The answer is:\n- 7\n- 8"),
    ("math", "The answer is:\n\nQuestion: What is 3 + 4?\nAnswer: 7"),
    ("openqa", "Beethoven composed Fidelio.\nThe answer is:"),
    ("openqa", "He was born in Bonn.\nThe answer is:\n\nQuestion: Who was Bach?\nAnswer: 7"),
    ("math", "The answer is: 5\n" * 60),
    ("math", "We have x = 3, so"),
    ("choice", "I think that a cat is a mammal"),
    ("choice", "My choice is"),
    ("choice", "(A) first\n(B) second"),
    ("yesno", "Perhaps."),
    ("openqa", "   "),
]


@pytest.mark.parametrize(("rule", "text"), NOTHING)
def test_cut_off_or_looping_responses_declare_nothing(rule: str, text: str) -> None:
    assert extract(rule, text) is None


def test_the_place_is_the_answers_own() -> None:
    text = "well\n#### 72 .\nend"
    found = extract("gsm8k", text)
    assert found is not None
    assert text[found.start : found.end] == found.answer == "72"


def test_an_unknown_rule_lists_the_known_ones_nearest_first() -> None:
    with pytest.raises(W2SError, match="did you mean 'gsm8k'") as error:
        extract("gsm8", "")
    assert all(rule in str(error.value) for rule in RULES)


# Without a bound on the lines of an answer these take minutes.
OPEN_LINES = "The answer is: " + "".join(f"{{{i}\n" for i in range(80_000))
OPEN_SENTENCES = "The answer is: {" + "".join(f"{i}. Also" for i in range(80_000))


@pytest.mark.timeout(30)
@pytest.mark.parametrize("rule", sorted(RULES))
@pytest.mark.parametrize(
    "text",
    ["\\boxed{" * 5000, OPEN_LINES, OPEN_SENTENCES, "#" * 50_000, "{" * 50_000, "\x00\ud800" * 99],
)
def test_hostile_responses_do_no_harm(rule: str, text: str) -> None:
    found = extract(rule, text)
    assert found is None or len(found.answer) <= len(text)


def test_compat_declares_the_empty_string_where_nothing_is_declared() -> None:
    found = extract("gsm8k", "no answer here", compat=PUBLISHED)
    assert found is not None
    assert found.answer == ""
