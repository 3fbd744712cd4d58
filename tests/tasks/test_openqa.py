"""Open answers: the hub's layouts, aliases, and the three measures."""

import csv
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s_data import tasks
from w2s_data.errors import W2SError
from w2s_data.score import score
from w2s_data.tasks import judge, openqa

TRIVIA, HOTPOT, ARC = tasks.get("triviaqa"), tasks.get("hotpotqa"), tasks.get("arc_challenge")


def jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def trivia(n):
    """A row in trivia_qa's rc.nocontext layout."""
    empty = {"filename": [], "title": [], "wiki_context": [], "doc_source": []}
    answer = {
        "aliases": [f"City {n}", f"SECRET Town {n}"],
        "normalized_aliases": [f"city {n}", f"secret town {n}"],
        "matched_wiki_entity_name": "",
        "normalized_matched_wiki_entity_name": "",
        "normalized_value": f"secret city {n}",
        "type": "WikipediaEntity",
        "value": f"SECRET City {n}",
    }
    return {
        "question": f"Which city is number {n}?",
        "question_id": f"tc_{n}",
        "question_source": "http://www.example.org/",
        "entity_pages": empty,
        "search_results": {"description": [], "filename": [], "rank": [], "title": [], "url": []},
        "answer": answer,
    }


def hotpot(n):
    """A row in hotpot_qa's layout."""
    return {
        "id": f"5a{n}",
        "question": f"Is river {n} longer than river {n + 1}?",
        "answer": "SECRET yes",
        "type": "comparison",
        "level": "hard",
        "supporting_facts": {"title": ["SECRET"], "sent_id": [0]},
        "context": {"title": ["SECRET"], "sentences": [["SECRET"]]},
    }


def arc(n):
    choices = {"text": [f"{n}", f"{n + 1}", "none"], "label": ["A", "B", "C"]}
    return {"id": f"M_{n}", "question": f"{n}?", "choices": choices, "answerKey": "B"}


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Nine train and two test rows of each data set, in the hub's layout."""
    import datasets

    layouts = {
        "mandarjoshi/trivia_qa": ("rc.nocontext", "validation", trivia),
        "hotpotqa/hotpot_qa": ("distractor", "validation", hotpot),
        "allenai/ai2_arc": ("ARC-Challenge", "test", arc),
    }
    for path, (config, test, make) in layouts.items():
        folder = tmp_path / "hub" / path
        folder.mkdir(parents=True)
        splits = {"train": range(9), test: range(20, 22)}
        files = [{"split": name, "path": f"{name}.jsonl"} for name in splits]
        configs = json.dumps([{"config_name": config, "data_files": files}])
        (folder / "README.md").write_text(f"---\nconfigs: {configs}\n---\n")
        for name, numbers in splits.items():
            jsonl(folder / f"{name}.jsonl", map(make, numbers))
    monkeypatch.setenv("W2S_HUB", str(tmp_path / "hub"))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.mark.parametrize("task", [TRIVIA, HOTPOT, ARC], ids=lambda task: task.name)
def test_hub(task, hub):
    one, two, test = (list(tasks.questions(task, s, source="hub")) for s in tasks.SPLITS)
    assert (len(one), len(two), len(test)) == (4, 5, 2)
    assert len({row["id"] for row in one + two + test}) == 11
    for row in one + two + test:
        assert row.keys() <= {"id", "task", "question", "meta", "choices"}
        assert "SECRET" not in json.dumps(row)
    gold = tasks.gold(task, "train_2", source="hub")
    assert gold.keys() == {row["id"] for row in two}


def test_hub_gold(hub):
    assert tasks.gold(TRIVIA, "test", source="hub")["tc_20"] == {
        "answer": "SECRET City 20",
        "solution": None,
        "response": "The answer is: SECRET City 20",
        "aliases": ["City 20", "SECRET Town 20"],
    }
    assert tasks.gold(HOTPOT, "test", source="hub")["5a20"]["answer"] == "SECRET yes"
    assert next(tasks.questions(HOTPOT, "test", source="hub"))["meta"] == {
        "level": "hard",
        "subject": "comparison",
    }
    assert tasks.gold(ARC, "test", source="hub")["M_20"]["answer"] == "B"


@pytest.mark.parametrize(
    ("answer", "names"),
    [
        ("Rhine", ("Rhine",)),
        ('{"value": "Rhine", "aliases": ["Rhein"]}', ("Rhine", "Rhein")),
        ('["Rhine", "Rhein"]', ("Rhine", "Rhein")),
        ("{Rhine", ("{Rhine",)),
        ("['a' and", ("['a' and",)),
    ],
)
def test_answers_of_a_csv(answer, names, tmp_path):
    """A csv holds lists and objects as JSON."""
    path = tmp_path / "trivia.csv"
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, ["id", "question", "answer"])
        writer.writeheader()
        writer.writerow({"id": "1", "question": "Which river?", "answer": answer})
    assert judge.names(tasks.gold(TRIVIA, "test", file=str(path))["1"]) == names


@pytest.mark.parametrize("answer", [{"value": "Rhine"}, ["the 'R'", "Rhine"], ["it's", "Rhine"]])
def test_answers_written_by_python_are_refused(answer, tmp_path):
    path = tmp_path / "trivia.csv"
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([["question", "answer"], ["Which river?", str(answer)]])
    with pytest.raises(W2SError, match=r"trivia.csv:2: .*Python value written as text; save"):
        tasks.gold(TRIVIA, "test", file=str(path))


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("The  Beatles!", "beatles"),
        ("U.S.A.", "usa"),
        ("Spider-Man", "spider man"),
        ("Beyoncé’s", "beyonces"),
        ("a", "a"),
        ("The The", "the the"),
        ("C++", "c++"),
        ("?", "?"),
    ],
)
def test_normalise(text, plain):
    assert openqa.normalise(text) == plain


@pytest.mark.parametrize(
    ("answer", "names", "exact", "contained", "f1"),
    [
        ("the rhine.", ["Rhine"], True, True, 1.0),
        ("Berlin, Germany", ["Spandau", "Berlin"], False, True, 2 / 3),
        ("I know it", ["no"], False, False, 0.0),
        ("no, it is", ["no"], False, True, 0.0),
        ("George Washington", ["Washington Irving"], False, False, 0.5),
        ("red red wine", ["red wine"], False, True, 0.8),
        ("", ["Berlin"], False, False, 0.0),
    ],
)
def test_measures(answer, names, exact, contained, f1):
    assert openqa.exact(answer, names) is exact
    assert openqa.contained(answer, names) is contained
    assert openqa.f1(answer, names) == pytest.approx(f1)


words = st.lists(st.sampled_from(["yes", "red", "wine", "x", "Y."]), max_size=4).map(" ".join)


@given(words, st.lists(words.filter(bool), min_size=1, max_size=3))
def test_laws(answer, names):
    if openqa.exact(answer, names):
        assert openqa.contained(answer, names)
        assert openqa.f1(answer, names) == 1
    assert openqa.f1(answer, [*names, answer or "x"]) >= openqa.f1(answer, names)
    assert openqa.normalise(openqa.normalise(answer)) == openqa.normalise(answer)


def test_score_shows_every_measure(tmp_path):
    rows = [{"id": str(n), "question": f"{n}?", "answer": ["Berlin", "Spandau"]} for n in range(4)]
    said = ["Well.\nThe answer is: Spandau", "The answer is: Berlin, Germany", "Paris", " "]
    responses = [{"id": str(n), "response": text} for n, text in enumerate(said)]
    file, path = jsonl(tmp_path / "q.jsonl", rows), jsonl(tmp_path / "r.jsonl", responses)
    found = score(path, task=TRIVIA, file=file)
    assert (found.correct, found.unparsed, found.accuracy) == (2, 1, 0.5)
    assert found.accuracy_parsed == pytest.approx(2 / 3)
    f1 = pytest.approx((1 + 2 / 3) / 4)
    assert found.measures == {"exact": 0.25, "contained": 0.5, "f1": f1}


def test_score_of_choices(tmp_path):
    file = jsonl(tmp_path / "q.jsonl", map(arc, range(4)))
    said = ["My choice is B.", "My choice is 2", "My choice is B. none", "My choice is C."]
    responses = [{"id": f"M_{n}", "response": text} for n, text in enumerate(said)]
    found = score(jsonl(tmp_path / "r.jsonl", responses), task=ARC, file=file)
    assert (found.correct, found.unparsed) == (2, 1)
    assert found.measures == {"by letter": 0.5, "by text": 0.25, "by both": 0.5}
