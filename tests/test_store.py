import multiprocessing
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s_data.errors import W2SError
from w2s_data.rows import Sample
from w2s_data.store import Request, Store, key_of


def sample(index: int, text: str = "x") -> Sample:
    return Sample(index=index, text=text, finish="stop", tokens=1)


@given(st.sets(st.integers(0, 19)), st.integers(0, 10), st.integers(1, 15))
def test_missing_and_stored_make_up_the_request(stored, start, n):
    request = Request("q", n=n, start=start, temperature=1.0)
    with Store(":memory:") as store:
        store.add(Request("q", n=20, temperature=1.0), "m", [sample(i) for i in stored])
        absent = [i for r in store.missing(request, "m") for i in range(r.start, r.start + r.n)]
        present = [s["index"] for s in store.samples(request, "m")]
    assert sorted(absent + present) == list(range(start, start + n))
    assert set(present) <= stored
    assert not set(absent) & stored


def test_raising_n_asks_for_the_rest_only():
    with Store(":memory:") as store:
        store.add(Request("q", n=10, temperature=1.0), "m", [sample(i) for i in range(10)])
        assert store.missing(Request("q", n=20, temperature=1.0), "m") == [
            Request("q", n=10, start=10, temperature=1.0)
        ]


def test_the_key_holds_what_determines_a_sample_and_nothing_else():
    base = Request("q", temperature=1.0)
    same = Request("q", temperature=1.0, n=7, start=3)
    others = [
        Request("p", temperature=1.0),
        Request(({"role": "user", "content": "q"},), temperature=1.0),
        Request("q", temperature=0.5),
        Request("q", temperature=1.0, top_p=0.9),
        Request("q", temperature=1.0, max_tokens=1),
        Request("q", temperature=1.0, stop=("x",)),
        Request("q", temperature=1.0, seed=1),
    ]
    assert key_of(base, "m") == key_of(same, "m")
    assert len({key_of(r, "m") for r in [base, *others]} | {key_of(base, "n")}) == 9
    assert key_of(Request("q", seed=1), "m") == key_of(Request("q", seed=2), "m")


@given(st.text(st.characters(codec=None)), st.floats(-1e9, 0))
def test_samples_come_back_as_they_went_in(text, logprob):
    kept = sample(0, text) | {"logprob": logprob, "logprobs": [["a", -0.5]]}
    with Store(":memory:") as store:
        store.add(Request(text), "m", [kept])
        (back,) = store.samples(Request(text), "m")
    clean = "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text)
    assert back == kept | {"text": clean}


def test_what_is_stored_stays():
    with Store(":memory:") as store:
        store.add(Request("q"), "m", [sample(0, "first")])
        store.add(Request("q"), "m", [sample(0, "second")])
        assert store.samples(Request("q"), "m")[0]["text"] == "first"
        assert store.count() == 1


def _fill(path, worker):
    with Store(path) as store:
        for i in range(50):
            store.add(Request(f"{worker}/{i}"), "m", [sample(0)])


def test_processes_share_a_store(tmp_path):
    path = tmp_path / "store.sqlite"
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_fill, args=(path, w)) for w in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    with Store(path) as store:
        assert store.count() == 200


def test_a_file_that_is_no_store(tmp_path):
    path = tmp_path / "store.sqlite"
    path.write_text("not a database " * 100)
    with pytest.raises(W2SError, match="response store cannot be opened"):
        Store(path)


def test_a_store_that_cannot_be_written(tmp_path):
    path = tmp_path / "store.sqlite"
    with Store(path) as store:
        store._db.execute("PRAGMA query_only = ON")
        with pytest.raises(W2SError, match="run again"):
            store.add(Request("q"), "m", [sample(0)])
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT count(*) FROM response").fetchone() == (0,)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, "n must be >= 1, was: 0"),
        ({"n": 2}, "n must be 1 at temperature 0"),
        ({"temperature": -1}, "temperature must be >= 0, was: -1"),
        ({"top_p": 0}, "top_p must be in (0, 1], was: 0"),
        ({"max_tokens": 0}, "max_tokens must be >= 1, was: 0"),
    ],
)
def test_ranges(arguments, message):
    with pytest.raises(W2SError) as error:
        Request("q", **arguments)
    assert message in str(error.value)


def test_memo_computes_once():
    calls = []
    with Store(":memory:") as store:
        for _ in range(2):
            assert store.memo("hash", lambda: calls.append(1) or "value") == "value"
    assert calls == [1]
