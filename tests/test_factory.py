import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from w2s_data import factory, io
from w2s_data.errors import W2SError

# Text as models write it: any Unicode but lone surrogates, and not blank.
SAID = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60) | st.sampled_from(
    ["\"'\\", "a\nb\r\n\tc", "{{content}} {idx}", "${x}", "<image> 1", "é — 日本 🙂", "1", "null"]
)
TEXT = SAID.filter(str.strip)
CHAT = st.builds(
    lambda system, turns, last: (
        [{"role": "system", "content": system}] * bool(system)
        + [
            {"role": role, "content": said}
            for pair in turns
            for role, said in zip(("user", "assistant"), pair)
        ]
        + [{"role": "user", "content": last}]
    ),
    st.none() | TEXT,
    st.lists(st.tuples(TEXT, TEXT), max_size=2),
    TEXT,
)


def ending(stage):
    if factory.shape(stage) == "text":
        return st.fixed_dictionaries({"text": TEXT})
    if factory.shape(stage) == "response":
        return st.fixed_dictionaries({"response": TEXT})
    pair = st.fixed_dictionaries({"chosen": TEXT, "rejected": TEXT})
    pair = pair.filter(lambda row: row["chosen"].strip() != row["rejected"].strip())
    if factory.shape(stage) == "pair":
        return pair
    return pair | st.fixed_dictionaries({"response": TEXT, "kto_tag": st.booleans()})


def rows(stage, format):
    prompts = TEXT | CHAT.filter(lambda chat: format == "sharegpt" or turns(chat) == 1)
    row = st.builds(lambda prompt, ending: {"prompt": prompt} | ending, prompts, ending(stage))
    return st.lists(row, min_size=1, max_size=5).map(
        lambda rows: [{"id": f"q-{i}", "task": "math"} | row for i, row in enumerate(rows)]
    )


def turns(chat):
    return sum(message["role"] != "system" for message in chat)


CASES = [
    (stage, format)
    for stage in factory.SHAPES
    for format in factory.FORMATS
    if (stage, format) != ("pt", "sharegpt")
]


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    """Rows through LLaMA-Factory's own loader: what its converter makes of them, in order."""
    pytest.importorskip("llamafactory", reason="needs the extra `train`")
    datasets = pytest.importorskip("datasets")
    from llamafactory.data.loader import _load_single_dataset
    from llamafactory.data.parser import get_dataset_list
    from llamafactory.hparams import DataArguments, ModelArguments

    datasets.disable_progress_bars()
    number = iter(range(10**6))

    def load(rows, stage, format):
        folder = tmp_path_factory.mktemp("data") / str(next(number))
        exported = [r for row in rows for r in factory.records(row, stage, format)]
        io.write_rows(folder / "set.jsonl", exported)
        factory.register(folder, "set", factory.entry(stage, format, "set.jsonl"))
        data = DataArguments(dataset="set", dataset_dir=str(folder), overwrite_cache=True)
        model = ModelArguments(model_name_or_path="none", cache_dir=str(folder / "cache"))
        (attr,) = get_dataset_list(["set"], str(folder))
        training = SimpleNamespace(local_process_index=0, dataloader_num_workers=0)
        return attr, list(_load_single_dataset(attr, model, data, training))

    return load


def expected(row, stage):
    """What LLaMA-Factory should have understood of `row`: (prompt, responses, system) triples."""
    if factory.shape(stage) == "text":
        return [([("user", row["text"])], [], "")]
    prompt = row["prompt"]
    messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
    system = messages[0]["content"] if messages[0]["role"] == "system" else ""
    said = [(m["role"], m["content"]) for m in messages if m["role"] != "system"]
    if factory.shape(stage) == "response":
        return [(said, [row["response"]], system)]
    if factory.shape(stage) == "pair":
        return [(said, [row["chosen"], row["rejected"]], system)]
    tagged = (
        [(row["response"], row["kto_tag"])]
        if "response" in row
        else [(row["chosen"], True), (row["rejected"], False)]
    )
    return [(said, [text, ""] if good else ["", text], system) for text, good in tagged]


@pytest.mark.parametrize(("stage", "format"), CASES)
def test_llamafactory_understands_every_row(load, stage, format):
    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
    @given(rows(stage, format))
    def check(rows):
        attr, converted = load(rows, stage, format)
        assert attr.ranking is (factory.shape(stage) == "pair")
        understood = [
            (
                [(m["role"], m["content"]) for m in row["_prompt"]],
                [m["content"] for m in row["_response"]],
                row["_system"],
            )
            for row in converted
        ]
        assert understood == [triple for row in rows for triple in expected(row, stage)]
        assert all(len(prompt) % 2 for prompt, _, _ in understood)

    check()


def test_records_keep_id_and_extras():
    row = {"id": "q-1", "prompt": "p", "response": "r", "weight": 0.25, "task": "math"}
    (record,) = factory.records(row, "sft", extras=["weight"])
    assert record == {
        "id": "q-1",
        "instruction": "p",
        "input": "",
        "system": "",
        "output": "r",
        "weight": 0.25,
    }


def test_kto_of_a_pair_is_two_rows_with_real_bools():
    row = {"id": "q-1", "prompt": "p", "chosen": "good", "rejected": "bad"}
    assert [(r["id"], r["output"], r["kto_tag"]) for r in factory.records(row, "kto")] == [
        ("q-1", "good", True),
        ("q-1", "bad", False),
    ]


GOOD = {"id": "q-1", "prompt": "p", "response": "r", "chosen": "a", "rejected": "b", "text": "t"}


@pytest.mark.parametrize(
    ("stage", "change", "says"),
    [
        ("sft", {"response": ""}, "its response is empty"),
        ("sft", {"response": " \n"}, "its response is empty"),
        ("sft", {"response": None}, "its response must be a text, was: None"),
        ("sft", {"response": 12}, "its response must be a text, was: 12"),
        ("sft", {"response": "\ud800"}, "its response is not valid Unicode"),
        ("sft", {"prompt": ""}, "its prompt is empty"),
        ("sft", {"prompt": []}, "must alternate user and assistant"),
        ("sft", {"prompt": [{"role": "user"}]}, "its user message must be a text, was: None"),
        ("sft", {"prompt": ["hello"]}, "each message of its prompt must be {role, content}"),
        ("sft", {"prompt": [{"role": "assistant", "content": "x"}]}, "must alternate"),
        ("sft", {"prompt": [{"role": "user", "content": "x"}] * 3}, "must alternate"),
        ("dpo", {"chosen": ""}, "its chosen is empty"),
        ("dpo", {"rejected": None}, "its rejected must be a text, was: None"),
        ("dpo", {"rejected": "a"}, "chosen and rejected are the same"),
        ("orpo", {"rejected": "a\n"}, "chosen and rejected are the same"),
        ("kto", {}, "its kto_tag must be true or false, was: None"),
        ("kto", {"kto_tag": 1}, "its kto_tag must be true or false, was: 1"),
        ("kto", {"kto_tag": True, "response": ""}, "its response is empty"),
        ("pt", {"text": ""}, "its text is empty"),
        ("sft", {"id": None}, "its id must be a text"),
    ],
)
def test_a_row_the_trainer_would_drop_or_misread_is_an_error(stage, change, says):
    row = GOOD | change
    with pytest.raises(
        W2SError, match=f"row {row['id']!r} cannot be exported for {stage}"
    ) as error:
        factory.records(row, stage)
    assert says in str(error.value)
    assert says in factory.problem(row, stage)


def test_alpaca_refuses_a_conversation_and_names_the_way_out():
    chat = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
    ]
    with pytest.raises(W2SError, match="export it as sharegpt"):
        factory.records(GOOD | {"prompt": chat}, "sft")
    assert factory.records(GOOD | {"prompt": chat}, "sft", "sharegpt")


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: factory.records(GOOD, "dop"), "did you mean 'dpo'"),
        (lambda: factory.records(GOOD, "sft", "sharegtp"), "did you mean 'sharegpt'"),
        (lambda: factory.entry("sft", "openai", "f"), "unknown format 'openai'"),
        (lambda: factory.entry("pt", "sharegpt", "f"), "pt has only the alpaca format"),
        (lambda: factory.records(GOOD, "sft", extras=["weight"]), "has no 'weight' to export"),
    ],
)
def test_unknown_names_are_one_sentence(call, says):
    with pytest.raises(W2SError, match=says):
        call()


@pytest.mark.parametrize("name", ["", "a,b", "a/b", "a\\b", "..", ".a", " a", "a\n", "a\x00b"])
def test_names_that_cannot_be_a_dataset(tmp_path, name):
    with pytest.raises(W2SError, match="dataset name"):
        factory.register(tmp_path, name, {})
    assert not (tmp_path / factory.INFO).exists()


def test_register_leaves_other_entries_in_place_and_in_order(tmp_path):
    path = tmp_path / factory.INFO
    others = {
        "z": {"hf_hub_url": "é/日本", "x": 1.5},
        "set": {"file_name": "old"},
        "a": {"n": None},
    }
    path.write_text(json.dumps(others, ensure_ascii=False), "utf-8")
    factory.register(tmp_path, "set", {"file_name": "new"})
    factory.register(tmp_path, "last", {"file_name": "last"})
    assert list(json.loads(path.read_text("ascii")).items()) == [
        ("z", others["z"]),
        ("set", {"file_name": "new"}),
        ("a", others["a"]),
        ("last", {"file_name": "last"}),
    ]


def test_registering_again_writes_nothing(tmp_path):
    factory.register(tmp_path, "set", {"file_name": "f"})
    before = (tmp_path / factory.INFO).stat()
    factory.register(tmp_path, "set", {"file_name": "f"})
    after = (tmp_path / factory.INFO).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


@pytest.mark.parametrize("content", [b'{"a": ', b"[]", b"", b'\xef\xbb\xbf{"a": {}}', b"\xff{}"])
def test_a_broken_info_file_is_an_error_and_stays(tmp_path, content):
    path = tmp_path / factory.INFO
    path.write_bytes(content)
    with pytest.raises(W2SError, match="repair it or move it away"):
        factory.register(tmp_path, "set", {})
    assert path.read_bytes() == content


def _register_many(folder, worker):
    for i in range(10):
        factory.register(folder, f"set-{worker}-{i}", {"file_name": f"{worker}-{i}.jsonl"})


def test_eight_processes_at_once_lose_nothing(tmp_path):
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_register_many, args=(tmp_path, n)) for n in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 8
    info = json.loads((tmp_path / factory.INFO).read_text())
    assert info == {
        f"set-{n}-{i}": {"file_name": f"{n}-{i}.jsonl"} for n in range(8) for i in range(10)
    }


def test_killed_in_the_middle_the_file_is_whole(tmp_path):
    path = tmp_path / factory.INFO
    factory.register(tmp_path, "first", {"file_name": "first"})
    endless = (
        "import sys; from w2s_data import factory\n"
        "for i in range(10**9): factory.register(sys.argv[1], f's{i % 300}', {'file_name': i})"
    )
    for moment in range(10):
        process = subprocess.Popen([sys.executable, "-c", endless, str(tmp_path)])
        written = path.stat().st_mtime_ns
        while path.stat().st_mtime_ns == written:
            time.sleep(0.001)
        time.sleep(0.003 * moment)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert json.loads(path.read_text())["first"] == {"file_name": "first"}
    factory.register(tmp_path, "last", {"file_name": "last"})
    assert json.loads(path.read_text())["last"] == {"file_name": "last"}
    assert sorted(p.name for p in tmp_path.iterdir()) == [f".{factory.INFO}.lock", factory.INFO]
