"""NuminaMath-CoT and OlympicArena, read from small local copies of their hub's schema."""

import json

import pytest

from w2s_data import tasks
from w2s_data.errors import W2SError

NUMINA = [
    ("orca_math", "What is $1 + 1$?", r"It is $\boxed{2}$."),
    ("olympiads", "What is $2 + 2$?", r"First $\boxed{3}$, no: $\boxed{4}$."),
    ("olympiads", "Prove that $n < n + 1$.", "Clear."),
    ("aops_forum", "What is half of $1$?", r"\boxed{\frac{1}{2}}"),
    ("cn_k12", "What is $2 + 2$?", r"$\boxed{4}$"),
]
ARENA = [
    {"id": "Math_1", "answer": ["14"]},
    {"id": "Math_2", "answer": ["14"], "modality": "multi-modal"},
    {"id": "Math_3", "answer": ["14"], "language": "ZH"},
    {"id": "Math_4", "answer": ["1", "2"]},
    {"id": "Math_5", "answer": ["print(1)"], "answer_type": "CODE"},
    {"id": "Math_6", "answer": ["[0, 1]"], "answer_type": "IN"},
]


@pytest.fixture
def hub(tmp_path, monkeypatch):
    import datasets

    def dataset(path, config, **splits):
        folder = tmp_path / "hub" / path
        folder.mkdir(parents=True)
        files = [{"split": name, "path": f"{name}.jsonl"} for name in splits]
        configs = json.dumps([{"config_name": config, "data_files": files}])
        (folder / "README.md").write_text(f"---\nconfigs: {configs}\n---\n")
        for name, rows in splits.items():
            (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    problems = [
        {
            "source": source,
            "problem": problem,
            "solution": solution,
            "messages": [{"role": "assistant", "content": solution}],
        }
        for source, problem, solution in NUMINA
    ]
    plain = {"answer_type": "NV", "subject": "Math", "language": "EN", "modality": "text-only"}
    arena = [
        plain | {"problem": f"Problem {i}", "solution": f"SECRET {i}", "unit": None} | row
        for i, row in enumerate(ARENA)
    ]
    hidden = [row | {"answer": [], "solution": None} for row in arena[:1]]
    dataset("AI-MO/NuminaMath-CoT", "default", train=problems, test=problems[:1])
    dataset("GAIR/OlympicArena", "Math", val=arena, test=hidden)
    monkeypatch.setenv("W2S_HUB", str(tmp_path / "hub"))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def test_numina_has_sources_and_no_proofs(hub):
    task = tasks.get("numina")
    halves = [list(tasks.questions(task, s, source="hub")) for s in ("train_1", "train_2")]
    rows = [row for half in halves for row in half]
    assert sorted(row["question"] for row in rows) == sorted(
        problem for _, problem, _ in NUMINA if "Prove" not in problem
    )
    assert {row["meta"]["subject"] for row in rows} == {
        "orca_math",
        "olympiads",
        "aops_forum",
        "cn_k12",
    }
    assert len({row["id"] for row in rows}) == 4
    assert "boxed" not in json.dumps(rows)
    found = tasks.gold(task, "train_1", source="hub") | tasks.gold(task, "train_2", source="hub")
    by_question = {row["question"]: found[row["id"]] for row in rows}
    assert by_question["What is half of $1$?"]["answer"] == r"\frac{1}{2}"
    assert by_question["What is $2 + 2$?"]["answer"] == "4"
    assert by_question["What is $1 + 1$?"]["response"] == (r"It is $\boxed{2}$. The answer is: 2")


def test_olympic_arena_has_english_text_problems_with_one_answer(hub):
    task = tasks.get("olympic_arena")
    rows = list(tasks.questions(task, "test", source="hub"))
    assert [row["id"] for row in rows] == ["Math_1", "Math_6"]
    assert {row["meta"]["subject"] for row in rows} == {"Math"}
    assert "SECRET" not in json.dumps(rows)
    gold = tasks.gold(task, "test", source="hub")
    assert gold["Math_6"]["answer"] == "[0, 1]"
    assert gold["Math_1"]["response"] == "SECRET 0 The answer is: 14"


def test_the_hubs_test_split_of_olympic_arena_has_questions_without_gold(hub):
    task = tasks.get("olympic_arena")
    assert [row["id"] for row in tasks.questions(task, "train_2", source="hub")] == ["Math_1"]
    with pytest.raises(W2SError, match="row 1: no answer"):
        tasks.gold(task, "train_2", source="hub")


def test_numina_is_read_from_a_file_too(tmp_path):
    path = tmp_path / "numina.jsonl"
    source, problem, solution = NUMINA[0]
    path.write_text(json.dumps({"source": source, "problem": problem, "solution": solution}))
    (row,) = tasks.questions(tasks.get("numina"), "train_1", file=path)
    assert row["meta"] == {"subject": "orca_math"}
    assert tasks.gold(tasks.get("numina"), "train_1", file=path)[row["id"]]["answer"] == "2"


def test_a_dotted_field_names_a_field_of_a_field(tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_text(json.dumps({"id": "a", "original": {"task": "What is $1 + 1$?"}}))
    (row,) = tasks.questions(
        tasks.get("math"), "train_2", file=path, fields={"question": "original.task"}
    )
    assert row["question"] == "What is $1 + 1$?"
    with pytest.raises(W2SError, match=r"no field .original\.text. for question"):
        list(
            tasks.questions(
                tasks.get("math"), "train_2", file=path, fields={"question": "original.text"}
            )
        )
