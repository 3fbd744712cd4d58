"""Sets read back: the way back of `factory.records`, and sets from elsewhere."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_factory import rows

from w2s_data import factory, sets
from w2s_data.errors import W2SError
from w2s_data.io import write_rows

STAGES = ("sft", "dpo", "kto")


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data(), st.sampled_from(STAGES), st.sampled_from(factory.FORMATS))
def test_what_the_factory_writes_is_read_back(tmp_path_factory, data, stage, format):
    folder = tmp_path_factory.mktemp("set")
    drawn = data.draw(rows(stage, format))
    written = [r for row in drawn for r in factory.records(row, stage, format, ["task"])]
    write_rows(folder / "set.jsonl", written)
    factory.register(folder, "set", factory.entry(stage, format, "set.jsonl"))
    found = [row for _, row in sets.find(folder, "set").rows()]
    assert [row["id"] for row in found] == [row["id"] for row in written]
    assert {row["task"] for row in found} == {"math"}
    endings = {row["id"]: row for row in drawn}
    for row in found:
        was = endings[row["id"]]
        if stage == "kto" and "chosen" in was:
            assert row["response"] == was["chosen" if row["kto_tag"] else "rejected"]
        else:
            ending = was.keys() & {"response", "chosen", "rejected", "kto_tag"}
            assert {key: row[key] for key in ending} == {key: was[key] for key in ending}
        assert _asked(row["prompt"]) == _asked(was["prompt"])


def _asked(prompt):
    """What the user says last."""
    return prompt if isinstance(prompt, str) else prompt[-1]["content"]


FOREIGN = {
    "defaults": (
        {},
        {"instruction": "Add.", "input": "1 + 1", "output": "2"},
        {"prompt": "Add.\n1 + 1", "response": "2"},
    ),
    "pairs in one column": (
        {"ranking": True, "columns": {"prompt": "q", "response": "a"}},
        {"id": 7, "q": "1 + 1?", "a": ["2", "3"]},
        {"id": "7", "prompt": "1 + 1?", "chosen": "2", "rejected": "3"},
    ),
    "a column that is not there": (
        {"columns": {"prompt": "q", "response": "gone"}},
        {"q": "1 + 1?", "a": "2"},
        {"prompt": "1 + 1?", "response": "", "a": "2"},
    ),
    "tags of their own": (
        {
            "formatting": "sharegpt",
            "columns": {"messages": "chat"},
            "tags": {"role_tag": "role", "content_tag": "text", "user_tag": "u"}
            | {"assistant_tag": "a"},
        },
        {"chat": [{"role": "u", "text": "1 + 1?"}, {"role": "a", "text": "2"}]},
        {"prompt": [{"role": "user", "content": "1 + 1?"}], "response": "2"},
    ),
}


@pytest.mark.parametrize(("entry", "record", "expected"), FOREIGN.values(), ids=FOREIGN)
def test_sets_from_elsewhere(tmp_path, entry, record, expected):
    write_rows(tmp_path / "rows.jsonl", [record])
    info = {"set": {"file_name": "rows.jsonl"} | entry}
    (tmp_path / "dataset_info.json").write_text(json.dumps(info))
    found = sets.find(tmp_path, "set")
    assert [row for _, row in found.rows()] == [{"id": None} | expected]
    assert found.manifest() is None
    assert list(found.dropped()) == []


def test_a_folder_of_files_is_read_in_order(tmp_path):
    for name in ("b", "a"):
        write_rows(tmp_path / "parts" / f"{name}.jsonl", [{"instruction": name, "output": "x"}])
    (tmp_path / "dataset_info.json").write_text('{"set": {"file_name": "parts"}}')
    assert [row["prompt"] for _, row in sets.find(tmp_path, "set").rows()] == ["a", "b"]


@pytest.mark.parametrize(
    ("info", "message"),
    [
        (None, "no such file; name LLaMA-Factory's dataset folder"),
        ("[]", "expected an object, found list"),
        ("{", "cannot be read"),
        ('{"sett": {"file_name": "x"}}', "unknown set 'set': did you mean 'sett'?"),
        ('{"set": {"hf_hub_url": "a/b"}}', "'set' names no file; download the set"),
    ],
)
def test_mistakes(tmp_path, info, message):
    if info is not None:
        (tmp_path / "dataset_info.json").write_text(info)
    with pytest.raises(W2SError) as error:
        sets.find(tmp_path, "set")
    assert message in str(error.value)
