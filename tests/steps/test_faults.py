"""What is wrong with a reply."""

import pytest

from w2s_data.rows import Sample
from w2s_data.steps.faults import fault

QUESTION = "How many legs have three cats and two hens together?"


@pytest.mark.parametrize(
    ("text", "finish", "declares", "expected"),
    [
        ("12 + 4 = 16. The answer is: 16", "stop", True, ""),
        ("", "stop", False, "empty"),
        (" \n\t", "length", False, "empty"),
        ("12 + 4 =", "length", False, "cut off"),
        ("The answer is: 16", "length", True, ""),
        ("x" * 1_000_000, "stop", False, "too long"),
        ("Question: " + QUESTION.replace(" ", "\n"), "stop", True, "repeats the question"),
        ("Ответ: двенадцать плюс четыре", "stop", False, "other language"),
        ("答案是十六", "stop", False, "other language"),
        ("Let α = 12 and β = 4, then α + β = 16.", "stop", True, ""),
        ("16", "stop", True, ""),
    ],
)
def test_fault(text, finish, declares, expected):
    sample = Sample(index=0, text=text, finish=finish, tokens=1)
    assert fault(sample, QUESTION, declares=declares) == expected


def test_a_reply_in_the_questions_own_script_is_no_other_language():
    sample = Sample(index=0, text="Ответ: шестнадцать", finish="stop", tokens=1)
    assert fault(sample, "Сколько ног у трёх кошек и двух кур?") == ""


def test_a_short_question_may_stand_in_its_reply():
    sample = Sample(index=0, text="What is 1+1? It is 2.", finish="stop", tokens=1)
    assert fault(sample, "What is 1+1?") == ""
