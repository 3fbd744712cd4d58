"""Recorded generations from files, and from the store by name."""

import csv
import json

import pytest

from w2s_data import backends
from w2s_data.errors import W2SError
from w2s_data.io import write_rows
from w2s_data.store import Request, Store


def ask(backend, *requests):
    return [samples for _, samples in sorted(backend(requests), key=lambda pair: pair[0])]


def wanted(prompt, n=1, start=0):
    return Request(prompt, n=n, start=start, temperature=1.0)


def as_jsonl(path, rows):
    write_rows(path, rows)


def as_json(path, rows):
    path.write_text(json.dumps(rows), "utf-8")


def as_csv(path, rows):
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def as_parquet(path, rows):
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)


@pytest.mark.parametrize("write", [as_jsonl, as_json, as_csv, as_parquet])
def test_reads_every_kind_of_file(tmp_path, write):
    rows = [{"prompt": f"größe {i % 2}", "response": f"r{i}\n,"} for i in range(6)]
    path = tmp_path / f"r.{write.__name__.removeprefix('as_')}"
    write(path, rows)
    backend = backends.load(f"replay:{path}")
    (samples,) = ask(backend, wanted("größe 1", 2, start=1))
    assert [(s["index"], s["text"]) for s in samples] == [(1, "r3\n,"), (2, "r5\n,")]


def test_maps_fields_and_sample_numbers(tmp_path):
    path = tmp_path / "r.jsonl"
    rows = [{"q": "p", "a": f"r{i}", "k": str(i)} for i in (2, 0, 1)]
    write_rows(path, rows)
    fields = {"prompt_field": "q", "response_field": "a", "sample_field": "k"}
    backend = backends.load(f"replay:{path}", **fields)
    assert [s["text"] for s in ask(backend, wanted("p", 3))[0]] == ["r0", "r1", "r2"]
    assert backend.fingerprint.startswith("replay:")
    assert backend.fingerprint != backends.load(f"replay:{path}").fingerprint


def test_chat_messages(tmp_path):
    path = tmp_path / "r.jsonl"
    messages = [{"role": "user", "content": "hi"}]
    write_rows(path, [{"prompt": messages, "response": "hello"}])
    (samples,) = ask(backends.load(f"replay:{path}"), wanted(tuple(messages)))
    assert samples[0]["text"] == "hello"


def test_fingerprint_is_the_content(tmp_path):
    for name in ("a.jsonl", "b.jsonl"):
        write_rows(tmp_path / name, [{"prompt": "p", "response": "r"}])
    write_rows(tmp_path / "c.jsonl", [{"prompt": "p", "response": "s"}])
    one, two, three = (
        backends.load(f"replay:{tmp_path / name}.jsonl").fingerprint for name in "abc"
    )
    assert one == two != three


def test_parameters_do_not_matter(tmp_path):
    path = tmp_path / "r.jsonl"
    write_rows(path, [{"prompt": "p", "response": "r"}])
    backend = backends.load(f"replay:{path}")
    requests = [
        Request("p"),
        Request("p", temperature=0.7, top_p=0.9, max_tokens=5, stop=("x",), seed=3, logprobs=True),
    ]
    stored = {backend.stored(request) for request in requests}
    assert len(stored) == 1


def test_what_is_recorded_comes_before_the_complaint(tmp_path):
    path = tmp_path / "r.jsonl"
    write_rows(path, [{"prompt": p, "response": "r"} for p in ("a", "b")])
    answers = backends.load(f"replay:{path}")([wanted("a"), wanted("x"), wanted("b"), wanted("y")])
    assert [next(answers)[0], next(answers)[0]] == [0, 2]
    said = 'lacks recorded responses for 2 prompts .the first: 0 of 1 for "x".'
    with pytest.raises(W2SError, match=said):
        next(answers)


def test_a_name_is_answered_by_the_store(tmp_path):
    backend = backends.load("replay:gair")
    assert backend.fingerprint == "replay:gair"
    request = backend.stored(Request("p", temperature=0.3))
    sample = {"index": 0, "text": "r", "finish": "stop", "tokens": 0}
    with Store(tmp_path / "store.sqlite") as store:
        store.add(request, backend.fingerprint, [sample])
        assert store.samples(backend.stored(Request("p")), "replay:gair")[0]["text"] == "r"
    with pytest.raises(W2SError, match=r"lacks recorded responses for 1 prompts.*w2s-data import"):
        ask(backend, wanted("q"))


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"prompt": "p"}], "r.jsonl:1: no field 'response'; it has: prompt"),
        ([{"prompt": "p", "response": None}], "r.jsonl:1: response must be text, was: None"),
        ([{"prompt": 3, "response": "r"}], "prompt must be text or chat messages, was: 3"),
        ([{"prompt": "p", "response": "r", "sample": -1}], "sample must be an integer >= 0"),
        ([{"prompt": "p", "response": "r", "sample": 1}] * 2, "r.jsonl:2: sample 1 of this prompt"),
    ],
)
def test_bad_rows_are_named(tmp_path, rows, said):
    write_rows(tmp_path / "r.jsonl", rows)
    with pytest.raises(W2SError) as error:
        ask(backends.load(f"replay:{tmp_path / 'r.jsonl'}"), wanted("p"))
    assert said in str(error.value)


def test_a_file_that_is_not_there():
    with pytest.raises(W2SError, match="no such file"):
        backends.load("replay:nowhere/r.jsonl")
