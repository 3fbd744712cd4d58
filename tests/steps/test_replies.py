"""Replies read strictly: what is malformed is a reason, never an empty row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s_data.rows import Sample
from w2s_data.steps import replies
from w2s_data.steps.replies import Paraphrase, Subtask

REPLY = """Subtask 1 (steps 1-2): Ann has $3$ bags of $4$ pears and eats $2$. How many are left?
Solution 1: $3 \\times 4 = 12$. $12 - 2 = 10$. The answer is: 10
Subtask 2 (step 3): Half of $10$ pears are sold. How many?
Solution 2: $10 \\div 2 = 5$. The answer is: 5"""
QUESTION = (
    "Ann has $3$ bags of $4$ pears, eats $2$ and sells half of the rest. How many does she sell?"
)
SOLUTION = r"$3 \times 4 = 12$. $12 - 2 = 10$. $10 \div 2 = 5$. The answer is: 5"


def sample(text, finish="stop"):
    return Sample(index=0, text=text, finish=finish, tokens=1)


def test_subtasks_are_read():
    found = replies.subtasks(sample("Here they are.\n" + REPLY), 2, 3)
    assert [(part.first, part.last) for part in found] == [(1, 2), (3, 3)]
    assert found[1].question == "Half of $10$ pears are sold. How many?"
    assert found[1].solution == r"$10 \div 2 = 5$. The answer is: 5"
    assert not any(replies.unsound(part, QUESTION, SOLUTION, "math") for part in found)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("", "missing heading"),
        ("I cannot do that.", "missing heading"),
        (REPLY.replace("Solution 2:", ""), "missing heading"),
        (REPLY.replace("Solution 1", "Solution 2"), "missing heading"),
        (REPLY + "\nSubtask 3 (step 3): x\nSolution 3: The answer is: 1", "wrong count"),
        (REPLY[: REPLY.index("Subtask 2")], "wrong count"),
        (REPLY[: REPLY.index("$10 \\div")], "empty section"),
        (REPLY.replace(" (step 3)", ""), "no step range"),
        (REPLY.replace("step 3", "step 4"), "impossible step range"),
        (REPLY.replace("steps 1-2", "steps 2-1"), "impossible step range"),
        (REPLY.replace("step 3", "step 2"), "impossible step range"),
        (REPLY.replace("steps 1-2", "steps 1-3"), "impossible step range"),
        (REPLY + "x" * 20_000, "truncated"),
    ],
)
def test_a_malformed_decomposition_is_a_reason(reply, reason):
    assert replies.subtasks(sample(reply), 2, 3) == reason


def test_a_reply_that_was_cut_off_is_truncated():
    assert replies.subtasks(sample(REPLY, "length"), 2, 3) == "truncated"


@pytest.mark.parametrize(
    ("question", "solution", "reason"),
    [
        ("Half of $10$ pears?", "It is $5$.", "subtask without an answer"),
        ("Half of subtask 1's pears?", "The answer is: 5", "subtask refers to another"),
        ("Take the previous result.", "The answer is: 5", "subtask refers to another"),
        ("Half of $14$ pears?", "The answer is: 7", "subtask has a condition of its own"),
        (QUESTION, "The answer is: 5", "subtask is a near copy of the task"),
        (QUESTION.replace("Ann", "Anna"), "The answer is: 5", "subtask is a near copy of the task"),
    ],
)
def test_an_unsound_subtask_is_a_reason(question, solution, reason):
    assert replies.unsound(Subtask(question, solution, 1, 2), QUESTION, SOLUTION, "math") == reason


ASKED = Paraphrase(
    "Ann has $3$ bags of $4$ pears. How many pears?",
    r"First, $3 \times 4 = 12$. The answer is: 12",
    r"First, $3 \times 4 = 13$. The answer is: 13",
)
RESTATED = """Problem: There are $4$ pears in each of Ann's $3$ bags. How many in all?
Correct solution: Compute $3 \\times 4 = 12$. The answer is: 12
Incorrect solution: Compute $3 \\times 4 = 13$. The answer is: 13"""


def test_a_paraphrase_is_read():
    found = replies.paraphrase(sample(RESTATED), ASKED, "math")
    assert found.question == "There are $4$ pears in each of Ann's $3$ bags. How many in all?"
    assert found.wrong.startswith("Compute")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("Problem:", "Question:", "missing heading"),
        ("Incorrect solution:", "", "missing heading"),
        ("Correct solution:", "Problem:", "wrong count"),
        (" Compute $3 \\times 4 = 12$. The answer is: 12", "", "empty section"),
        ("$3$ bags", "three bags", "numbers changed"),
        ("$3$ bags", "$33$ bags", "numbers changed"),
        (r"3 \times 4 = 12", r"4 + 3 = 12", "symbols changed"),
        ("13$. The answer is: 13", "13$. So it is 13", "answer changed"),
        ("There are $4$ pears in each of Ann's $3$ bags. How many in all?", ASKED.question, None),
        ("Compute", "First,", "words are the same"),
    ],
)
def test_a_paraphrase_that_changes_too_much_or_too_little_is_a_reason(old, new, reason):
    said = RESTATED.replace(old, new)
    found = replies.paraphrase(sample(said), ASKED, "math")
    assert found == (reason or "words are the same")


def test_a_cut_off_paraphrase_is_truncated():
    assert replies.paraphrase(sample(RESTATED, "length"), ASKED, "math") == "truncated"


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ("$x + 9 = 67$", "$9 + x = 67$", True),
        ("$x + 9$", "$y + 9$", False),
        (r"$\frac{1}{2}$", r"\(\frac{1}{2}\)", True),
        ("costs $5 and then $6", "for $5, later $6", True),
        ("3 + 4", "3 * 4", False),
    ],
)
def test_symbols(before, after, same):
    assert (replies.symbols(before) == replies.symbols(after)) == same


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" yes", True),
        ("No.", False),
        ("Right: yes", True),
        ("yes, because", "unreadable verdict"),
        ("", "unreadable verdict"),
    ],
)
def test_a_verdict(text, expected):
    assert replies.verdict(sample(text)) == expected
    assert replies.verdict(sample(text, "length")) == "unreadable verdict"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("2", 2), ("First wrong step: 3.", 3), ("none", 4), ("5", "unreadable step"), ("0", None)],
)
def test_the_first_wrong_step(text, expected):
    assert replies.first_wrong(sample(text), 3) == (expected or "unreadable step")


@pytest.mark.parametrize(
    ("text", "finish", "reason"),
    [
        ("So $12$. The answer is: 12", "stop", ""),
        ("So $12$. The answer is: 12", "length", "truncated"),
        ("So $12$. The answer is: 13", "stop", "answer changed"),
        ("So $12$.", "stop", "answer changed"),
    ],
)
def test_a_rewritten_solution(text, finish, reason):
    assert replies.rewritten(sample(text, finish), "12", "math") == reason


@given(st.text(alphabet="Subtask olin(ep)12:-$=\n", max_size=300))
def test_any_reply_is_read_or_refused(text):
    found = replies.subtasks(sample(text), 2, 5)
    assert isinstance(found, str) or len(found) == 2
    assert isinstance(replies.paraphrase(sample(text), ASKED, "math"), str)
