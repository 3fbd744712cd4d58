"""A prompt leads back to its question, whatever stands around it."""

from hypothesis import given
from hypothesis import strategies as st

from w2s_data import tasks
from w2s_data.prompts import render
from w2s_data.tasks.match import Matcher

QA = tasks.get("math")
texts = st.text("ab Question:\nAnswer", min_size=1).filter(str.strip)


def rows(questions):
    return [{"id": f"{i}", "question": text} for i, text in enumerate(questions)]


@given(
    st.lists(texts, min_size=1, max_size=4, unique_by=lambda text: tuple(text.split())),
    st.lists(st.tuples(texts, st.text()), max_size=2),
)
def test_every_prompt_is_found(questions, shown):
    matcher = Matcher(QA, rows(questions), "here")
    for row in rows(questions):
        assert matcher.find({"question": row["question"]}, "there") == row["id"]
        prompt = render("qa", question=row["question"], demonstrations=shown)
        found = matcher.find({"prompt": prompt}, "there")
        # A question that holds the template's own words may be read as the shorter one inside it.
        if not any("Question:" in text for text in [*questions, *(q + a for q, a in shown)]):
            assert found == row["id"]
        assert found is not None


def test_nothing_is_found():
    matcher = Matcher(QA, rows(["a"]), "here")
    for row in (
        {},
        {"id": "7"},
        {"prompt": "a"},
        {"prompt": None},
        {"prompt": []},
        {"question": 1},
    ):
        assert matcher.find(row, "there") is None
