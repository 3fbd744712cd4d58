import json
import os
import resource
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s_data.errors import W2SError, unknown
from w2s_data.io import Spool, atomic, dump, read_rows, write_json, write_rows
from w2s_data.rows import digest, question_id, rng

texts = st.text(st.characters(codec=None), max_size=40)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
rows = st.lists(st.dictionaries(texts, values, max_size=4), max_size=6)


@given(rows)
def test_jsonl_round_trip(tmp_path_factory, given_rows):
    path = tmp_path_factory.mktemp("io") / "rows.jsonl"
    assert write_rows(path, given_rows) == len(given_rows)
    assert [row for _, row in read_rows(path)] == given_rows


@given(rows)
def test_spool_gives_the_rows_back_any_number_of_times(given_rows):
    spool = Spool(given_rows)
    first, second = iter(spool), iter(spool)
    assert [row for pair in zip(first, second) for row in pair] == [
        row for row in given_rows for _ in range(2)
    ]
    assert list(spool) == given_rows
    assert len(spool) == len(given_rows)


FORMATS = {
    "rows.jsonl": b'\xef\xbb\xbf{"a": "x"}\n\n{"a": "y"}',
    "rows.json": b'[{"a": "x"}, {"a": "y"}]',
    "rows.csv": b"\xef\xbb\xbfa\nx\ny\n",
}


@pytest.mark.parametrize(("name", "content"), FORMATS.items())
def test_formats(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    assert [row for _, row in read_rows(path)] == [{"a": "x"}, {"a": "y"}]


def test_parquet(tmp_path):
    import pyarrow
    import pyarrow.parquet

    path = tmp_path / "rows.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"a": ["x", "y"]}), path)
    assert list(read_rows(path)) == [(1, {"a": "x"}), (2, {"a": "y"})]


BROKEN = {
    "gone": ("gone.jsonl", None, "gone.jsonl: no such file"),
    "kind": ("a.txt", b"", "cannot read '.txt' files"),
    "torn": ("a.jsonl", b'{"a": 1}\n{"a":', "a.jsonl:2: not valid JSON (the last line is torn"),
    "middle": ("a.jsonl", b'{"a"\n{"a": 1}\n', "a.jsonl:1: not valid JSON:"),
    "latin-1": ("a.jsonl", b'{"a": "caf\xe9"}\n', "a.jsonl: not UTF-8"),
    "list": ("a.jsonl", b"[1]\n", "a.jsonl:1: expected an object, found list"),
    "object": ("a.json", b"{}", "a.json: expected a list of objects, found dict; save the rows"),
    "key": ("a.json", b'{"Data": []}', "found dict with Data; save the rows alone, as a list"),
    "json": ("a.json", b"[{]", "a.json: not valid JSON"),
    "csv": ("a.csv", b"a,b\n1\n", "a.csv:2: not as many fields"),
    "csv latin-1": ("a.csv", b"a\ncaf\xe9\n", "a.csv: not UTF-8"),
    "parquet": ("a.parquet", b"PAR2", "a.parquet: not a parquet file"),
}


@pytest.mark.parametrize(("name", "content", "message"), BROKEN.values(), ids=BROKEN)
def test_broken_files_are_one_sentence(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(W2SError) as error:
        list(read_rows(tmp_path / name))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_an_interrupted_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, [1])

    def interrupted():
        with atomic(path) as file:
            file.write("half")
            raise KeyError

    with pytest.raises(KeyError):
        interrupted()
    assert json.loads(path.read_text()) == [1]
    assert os.listdir(tmp_path) == ["a.json"]


def test_a_file_where_a_folder_is_needed(tmp_path):
    (tmp_path / "data").write_text("")
    with pytest.raises(W2SError, match=r"cannot be written: .*; choose another output folder"):
        write_rows(tmp_path / "data" / "a.jsonl", [])


def test_a_full_disk_is_one_sentence_and_keeps_the_old_file(tmp_path):
    write_rows(tmp_path / "a.jsonl", [{"old": 1}])
    code = (
        "import resource, signal, sys\n"
        "from w2s_data.errors import W2SError\n"
        "from w2s_data.io import write_rows\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try:\n"
        "    write_rows(sys.argv[1], ({'a': 'x' * 100} for _ in range(1000)))\n"
        "except W2SError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.jsonl")], capture_output=True, text=True
    )
    assert "cannot be written" in done.stdout, done.stderr
    assert os.listdir(tmp_path) == ["a.jsonl"]
    assert [row for _, row in read_rows(tmp_path / "a.jsonl")] == [{"old": 1}]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 4096


@given(st.lists(texts, max_size=4), st.lists(texts, max_size=4))
def test_digest_tells_parts_apart(a, b):
    assert (digest(*a) == digest(*b)) == (a == b)


def test_random_numbers_belong_to_the_row():
    assert rng(1, "a").random() == rng(1, "a").random()
    assert len({rng(s, i, p).random() for s in (1, 2) for i in "ab" for p in "xy"}) == 8


def test_ids_are_stable():
    assert question_id("math", "1+1?") == "math-" + digest("math", "1+1?")[:16]
    assert question_id("math", "1+1?") != question_id("gsm8k", "1+1?")


@given(texts, st.lists(st.text("abc", min_size=1), min_size=1, unique=True))
def test_unknown_names_list_all_known(name, known):
    message = str(unknown("task", name, known))
    assert all(other in message for other in known)


def test_dump_is_one_line_of_utf8():
    assert dump({"a": "é\n"}) == '{"a": "é\\n"}'
    assert dump({"a": "\ud800"}) == '{"a": "\\ud800"}'
