"""Paper 1's small rules, by table."""

import pytest

from w2s_data import tasks
from w2s_data.methods.reasoning import _demonstrations
from w2s_data.rows import Sample
from w2s_data.steps.tidy import tidy

GSM8K, MATH = tasks.get("gsm8k"), tasks.get("math")


@pytest.mark.parametrize(
    ("task", "compat", "text", "expected"),
    [
        (GSM8K, "", " 1+1 = 2.\n#### 2.\n", "1+1 = 2.\n#### 2"),
        (GSM8K, "", "#### 2\n\nQuestion two", "#### 2"),
        (GSM8K, "w2s-reasoning", "#### 2\n\nmore.", "#### 2\n\nmore"),
        (GSM8K, "", "no answer at all.", "no answer at all"),
        (MATH, "", "a\n\nb. The answer is: 3.\n\nNext", "a\n\nb. The answer is: 3"),
        (MATH, "", "The answer is: 3\nThe answer is: 4", "The answer is: 3"),
        (MATH, "", "So. The answer is:\n\n5.\nNext", "So. The answer is:\n\n5"),
        (MATH, "", "The answer is: $$\n3\n$$.\nNext", "The answer is: $$\n3\n$$"),
        (MATH, "", "The answer is:\n\\[\n3\n\\]\nNext", "The answer is:\n\\[\n3\n\\]"),
        (MATH, "", "The answer is: \\(\n3\n\\)\nNext", "The answer is: \\(\n3\n\\)"),
        (MATH, "", "**The answer is:**\n\n7\nNext", "**The answer is:**\n\n7"),
        (MATH, "", "The answer is: \\frac{1}{\n2}\nNext", "The answer is: \\frac{1}{\n2}"),
        (MATH, "", "The answer is:\n\nQuestion: 3 + 4?\nAnswer: 7", "The answer is:"),
        (MATH, "", "", ""),
    ],
)
def test_a_response_ends_where_it_declares_its_answer(task, compat, text, expected):
    assert tidy(text, task, compat) == expected


def row(i, text="Two. The answer is: 2", finish="stop"):
    sample = Sample(index=0, text=text, finish=finish, tokens=5)
    return {"id": str(i), "question": f"Q{i}", "weak": [sample]}


def test_demonstrations_are_drawn_by_id_whatever_the_order():
    rows = [row(i) for i in range(30)]
    drawn = _demonstrations(rows, MATH, 4, (), 1)
    assert drawn == _demonstrations(rows[::-1], MATH, 4, (), 1)
    assert len(drawn) == 5
    assert drawn != _demonstrations(rows, MATH, 4, (), 2)


def test_unfinished_and_answerless_responses_are_not_drawn():
    rows = [row(0), row(1, finish="length"), row(2, text="I do not know"), row(3)]
    assert {shown[0] for shown in _demonstrations(rows, MATH, 4, (), 1)} == {"0", "3"}


def test_demonstrations_by_hand_come_first_and_a_spare_is_drawn():
    rows = [row(i) for i in range(30)]
    drawn = _demonstrations(rows, MATH, 2, ("7", "3"), 1)
    assert [shown[0] for shown in drawn[:2]] == ["7", "3"]
    assert drawn[2][0] not in ("7", "3")
