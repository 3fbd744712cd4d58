"""Prompts are the published strings, and what stands in a slot is never a template."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s_data import prompts
from w2s_data.errors import W2SError
from w2s_data.prompts import render

SHARED = Path(os.environ.get("W2S_SHARED", Path(__file__).resolve().parents[1].parent / "shared"))


def test_zero_shot():
    assert render("qa", question="How many?") == "Question: How many?\nAnswer:"


def test_few_shot():
    shown = [("1 + 1?", "One more.\n#### 2"), ("2 + 2?", "#### 4")]
    assert render("qa", question="3 + 3?", demonstrations=shown) == (
        "Question: 1 + 1?\nAnswer: One more.\n#### 2\n\n"
        "Question: 2 + 2?\nAnswer: #### 4\n\n"
        "Question: 3 + 3?\nAnswer:"
    )


@given(st.text(), st.lists(st.tuples(st.text(), st.text()), max_size=3))
def test_slots_come_out_to_the_letter(question, shown):
    blocks = "".join(f"Question: {q}\nAnswer: {a}\n\n" for q, a in shown)
    expected = f"{blocks}Question: {question}\nAnswer:"
    assert render("qa", question=question, demonstrations=shown) == expected


@pytest.mark.parametrize(
    "text",
    [
        "{{ 7 * 7 }}",
        "{% for x in range(9) %}x{% endfor %}",
        "{# gone #}",
        "{{ ''.__class__.__mro__ }}",
        "<b>&amp;</b>",
        "ends with a line break\n",
        "\r\nkept\r\n",
        "",
    ],
)
def test_a_value_is_never_a_template(text):
    assert render("qa", question=text) == f"Question: {text}\nAnswer:"


@pytest.mark.parametrize(
    ("name", "slots", "message"),
    [
        ("qb", {"question": "?"}, "unknown prompt 'qb': did you mean 'qa'? Known: qa"),
        ("qa", {"quesion": "?"}, "unknown slot of prompt 'qa' 'quesion': did you mean 'question'?"),
        ("qa", {}, "'question' is undefined; slots without a value: demonstrations, question"),
        ("../qa", {"question": "?"}, "unknown prompt '../qa'"),
        ("/nowhere/mine.jinja", {}, "/nowhere/mine.jinja: cannot be read"),
    ],
)
def test_errors(name, slots, message):
    with pytest.raises(W2SError) as error:
        render(name, **slots)
    assert message in str(error.value)


def test_a_users_template(tmp_path):
    path = tmp_path / "mine.jinja"
    path.write_text("Q: {{ question }}\nA:\n")
    assert render(str(path), question="2?") == "Q: 2?\nA:"
    assert prompts.slots(str(path)) == {"question"}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{{ question", "line 1"),
        ("{{ question.__class__.__mro__ }}", "unsafe"),
        ("{{ question.nope }}", "nope"),
    ],
)
def test_a_malformed_template(tmp_path, source, message):
    path = tmp_path / "mine.jinja"
    path.write_text(source)
    with pytest.raises(W2SError, match=message):
        render(str(path), question="2?")


def test_names():
    assert "qa" in prompts.names()


@pytest.mark.golden
@pytest.mark.skipif(not SHARED.is_dir(), reason="the published data is not here")
def test_published_prompts():
    with open(SHARED / "golden/gair/gsm8k_llama2_7b_results.jsonl", encoding="utf-8") as file:
        published = [json.loads(line)["prompt"] for line in file]
    asked = (p.removeprefix("Question: ").removesuffix("\nAnswer:") for p in published)
    assert [render("qa", question=question) for question in asked] == published
    assert len(published) == 7000
