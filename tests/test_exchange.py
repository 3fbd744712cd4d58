"""Generations come in and go out of the store unchanged."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from w2s_data import backends, tasks
from w2s_data.backends.replay import recorded
from w2s_data.errors import W2SError
from w2s_data.exchange import export_responses, import_responses
from w2s_data.rows import Sample
from w2s_data.store import Request, Store

GSM8K = tasks.get("gsm8k")
SHARED = Path(os.environ.get("W2S_SHARED", Path(__file__).resolve().parents[1].parent / "shared"))

texts = st.text(st.characters(exclude_categories=["Cs"]))
prompts = texts.filter(bool) | st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]), "content": texts}),
    min_size=1,
    max_size=3,
).map(tuple)
requests = st.builds(
    Request,
    prompt=prompts,
    temperature=st.sampled_from([0.0, 0.7, 1.0]),
    top_p=st.sampled_from([0.95, 1.0]),
    max_tokens=st.integers(1, 9),
    stop=st.lists(st.text("ab", min_size=1), max_size=2).map(tuple),
    seed=st.integers(0, 3),
)
generations = st.lists(st.tuples(requests, st.sampled_from("ab"), st.lists(texts, max_size=4)))


def jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "store.sqlite") as opened:
        yield opened


@given(generations)
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=60)
def test_round_trip(tmp_path_factory, made):
    folder = tmp_path_factory.mktemp("round")
    with Store(folder / "a.sqlite") as store, Store(folder / "b.sqlite") as other:
        for request, model, responses in made:
            samples = [
                Sample(index=i, text=t, finish="stop", tokens=len(t))
                for i, t in enumerate(responses)
            ]
            store.add(request, model, samples)
        written = export_responses(store, folder / "out.jsonl")
        done = import_responses(folder / "out.jsonl", store=other)
        assert list(other.rows()) == list(store.rows())
        assert written.responses == done.responses == done.added == store.count()
        again = import_responses(folder / "out.jsonl", store=other)
        assert (again.added, again.already) == (0, done.added)
        assert other.count() == store.count()
        export_responses(other, folder / "again.jsonl")
        assert (folder / "again.jsonl").read_bytes() == (folder / "out.jsonl").read_bytes()


def test_text_that_looks_like_a_chat(store, tmp_path):
    messages = ({"content": "2?", "role": "user"},)
    text = Request(messages).prompt_text()
    store.add(Request(text), "m", [Sample(index=0, text="a", finish="stop", tokens=1)])
    store.add(Request(messages), "m", [Sample(index=0, text="b", finish="stop", tokens=1)])
    export_responses(store, tmp_path / "out.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert {row["response"]: row["prompt"] for row in rows} == {"a": text, "b": list(messages)}


def test_log_probabilities_and_ends_survive(store, tmp_path):
    sample = Sample(index=3, text="a", finish="length", tokens=7, logprob=-1.5)
    store.add(Request("p", temperature=1.0), "m", [sample])
    export_responses(store, tmp_path / "out.jsonl")
    with Store(tmp_path / "b.sqlite") as other:
        import_responses(tmp_path / "out.jsonl", store=other)
        assert other.samples(Request("p", temperature=1.0, start=3), "m") == [sample]


def test_export_of_one_model(store, tmp_path):
    for model in ("weak", "strong"):
        store.add(Request("p"), model, [Sample(index=0, text=model, finish="stop", tokens=1)])
    written = export_responses(store, tmp_path / "out.jsonl", model="weak")
    assert (written.responses, written.prompts, written.models) == (1, 1, {"weak": 1})
    with pytest.raises(W2SError, match="unknown model 'weaker': did you mean 'weak'"):
        export_responses(store, tmp_path / "none.jsonl", model="weaker")
    assert not (tmp_path / "none.jsonl").exists()
    with pytest.raises(W2SError, match="choose a name that ends in"):
        export_responses(store, tmp_path / "out.csv")


def test_samples_are_numbered_in_order(store, tmp_path):
    rows = [
        {"question": "a?", "output": "1"},
        {"question": "b?", "output": ["2", "3"]},
        {"question": "a?", "output": "4"},
    ]
    path = jsonl(tmp_path / "g.jsonl", rows)
    done = import_responses(path, store=store, task=GSM8K, model="replay:weak")
    assert (done.rows, done.prompts, done.responses, done.added) == (3, 2, 4, 4)
    for name, expected in {"a": ["1", "4"], "b": ["2", "3"]}.items():
        request = recorded(f"Question: {name}?\nAnswer:", n=2)
        assert [s["text"] for s in store.samples(request, "replay:weak")] == expected


def test_one_file_for_each_seed(store, tmp_path):
    for seed in range(3):
        path = jsonl(tmp_path / f"{seed}.jsonl", [{"prompt": "p", "response": f"{seed}"}])
        import_responses(path, store=store, model="replay:s", start=seed)
    assert [s["text"] for s in store.samples(recorded("p", n=3), "replay:s")] == ["0", "1", "2"]


def test_parameters(store, tmp_path):
    """Given here, else in the row, else the task's; 1 and 1.0 are one temperature."""
    rows = [
        {"prompt": "p", "response": "a"},
        {"prompt": "q", "response": "b", "parameters": {"temperature": 1, "max_tokens": 9}},
    ]
    path = jsonl(tmp_path / "g.jsonl", rows)
    import_responses(path, store=store, task=GSM8K, model="m", seed=5, top_p=1)
    ours = {"stop": GSM8K.stop, "seed": 5}
    assert store.samples(Request("p", max_tokens=512, **ours), "m")
    assert store.samples(Request("q", temperature=1.0, max_tokens=9, **ours), "m")


def test_another_text_for_a_stored_sample(store, tmp_path):
    import_responses(
        jsonl(tmp_path / "a.jsonl", [{"prompt": "p", "response": "1"}]),
        store=store,
        model="replay:m",
    )
    with pytest.raises(W2SError, match=r"b\.jsonl:1: the store holds another text as sample 0"):
        import_responses(
            jsonl(tmp_path / "b.jsonl", [{"prompt": "p", "response": "2"}]),
            store=store,
            model="replay:m",
        )
    twice = [{"prompt": "q", "response": text, "sample": 0} for text in "12"]
    with pytest.raises(W2SError, match=r"c\.jsonl:2: the store holds another text as sample 0"):
        import_responses(jsonl(tmp_path / "c.jsonl", twice), store=store, model="replay:m")


@pytest.mark.parametrize(
    ("row", "options", "message"),
    [
        ({"response": "a"}, {}, "neither a prompt nor a question"),
        ({"prompt": "p"}, {}, "no response (looked for response, "),
        ({"prompt": "p", "said": "a"}, {}, "fields there: prompt, said"),
        ({"prompt": "p", "response": None}, {}, "must be a string or a list of them, was: None"),
        ({"prompt": "p", "response": []}, {}, "must be a string or a list of them, was: []"),
        ({"prompt": "p", "response": ["a", 1]}, {}, "must be a string or a list of them"),
        ({"prompt": "", "response": "a"}, {}, "the prompt must be a non-empty string"),
        ({"prompt": [{"role": "user"}], "response": "a"}, {}, "the prompt must be"),
        ({"question": "a?", "response": "a"}, {}, "needs --task"),
        ({"question": " ", "response": "a"}, {"task": GSM8K}, "the question must be"),
        ({"prompt": "p", "response": "a", "sample": -1}, {}, "sample must be an integer >= 0"),
        ({"prompt": "p", "response": "a", "tokens": "many"}, {}, "must be numbers"),
        ({"prompt": "p", "response": "a"}, {"model": None}, "whose responses are these?"),
        ({"prompt": "p", "response": "a"}, {"fields": {"prompt": "x"}}, "no field 'x' for prompt"),
        ({"prompt": "p", "response": "a", "parameters": 1}, {}, "parameters must be an object"),
        (
            {"prompt": "p", "response": "a", "parameters": {"top_k": 1}},
            {},
            "unknown parameter 'top_k'",
        ),
        ({"prompt": "p", "response": "a"}, {"temperature": -1.0}, "temperature must be >= 0"),
    ],
)
def test_bad_rows(store, tmp_path, row, options, message):
    path = jsonl(tmp_path / "g.jsonl", [{"prompt": "fine", "response": "fine"}, row])
    if "fields" in options or options.get("model", "m") is None or "temperature" in options:
        path = jsonl(tmp_path / "g.jsonl", [row])
    with pytest.raises(W2SError) as error:
        import_responses(path, store=store, **({"model": "m"} | options))
    assert message in str(error.value)
    assert f"{path}:{len(path.read_text().splitlines())}" in str(error.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fields": {"respnse": "x"}}, "unknown field 'respnse': did you mean 'response'"),
        ({"temprature": 1.0}, "unknown parameter 'temprature': did you mean 'temperature'"),
        ({"temperature": "hot"}, "temperature must be of type float, was: 'hot'"),
        ({"stop": 5}, "stop must be a list of strings, was: 5"),
    ],
)
def test_bad_calls(store, tmp_path, options, message):
    path = jsonl(tmp_path / "g.jsonl", [{"prompt": "p", "response": "a"}])
    with pytest.raises(W2SError) as error:
        import_responses(path, store=store, model="m", **options)
    assert message in str(error.value)


def test_torn_file(store, tmp_path):
    path = tmp_path / "g.jsonl"
    path.write_text('{"prompt": "p", "response": "a"}\n{"prompt": "q", "resp')
    with pytest.raises(W2SError, match=r"g\.jsonl:2: not valid JSON \(the last line is torn"):
        import_responses(path, store=store, model="m")


def test_replay_reads_an_export(store, tmp_path):
    path = jsonl(tmp_path / "g.jsonl", [{"prompt": "p", "response": [f"{i}" for i in range(4)]}])
    import_responses(path, store=store, model="replay:m")
    export_responses(store, tmp_path / "out.jsonl")
    backend = backends.load(f"replay:{tmp_path / 'out.jsonl'}")
    ((_, samples),) = _flat(backend([Request("p", n=4, temperature=1.0)]))
    assert [sample["text"] for sample in samples] == ["0", "1", "2", "3"]
    backend.close()


def _flat(found):
    for item in found:
        yield from item if isinstance(item, list) else [item]


@pytest.mark.golden
@pytest.mark.skipif(not SHARED.is_dir(), reason="the published data is not here")
def test_published_generations(store, tmp_path):
    path = SHARED / "golden/gair/gsm8k_llama2_7b_results.jsonl"
    done = import_responses(path, store=store, task=GSM8K, model="replay:llama2-7b")
    assert (done.rows, done.responses, done.added) == (7000, 7000, 7000)
    assert done.prompts == 6850
    assert import_responses(path, store=store, model="replay:llama2-7b").added == 0
    written = export_responses(store, tmp_path / "out.jsonl", model="replay:llama2-7b")
    assert (written.responses, written.prompts) == (7000, 6850)
