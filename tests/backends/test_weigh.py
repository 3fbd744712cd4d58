"""The weight of verbalised choices: log-probabilities of continuations, without sampling."""

import json
import math

import pytest

from w2s_data import backends
from w2s_data.backends.reply import heard
from w2s_data.errors import W2SError
from w2s_data.exchange import export_responses, import_responses
from w2s_data.io import write_rows
from w2s_data.steps.sample import Sampler
from w2s_data.store import Request, Store, key_of, weigh
from w2s_data.tasks import get

YES_NO = (" yes", " no")
PROMPTS = ["Is it?", "a much longer prompt about something else, is it?", "größer 😀?", "Is it?"]


def ask(spec, requests, **options):
    found = backends.load(spec, **options)(iter(requests))
    return [samples for _, samples in sorted(found, key=lambda pair: pair[0])]


def logprobs(samples):
    return [sample["logprob"] for sample in samples]


def test_hf_gives_what_torch_computes(tiny):
    """Each continuation alone, token by token, against batches of any size."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, words = AutoModelForCausalLM.from_pretrained(tiny), AutoTokenizer.from_pretrained(tiny)

    def alone(prompt, choice):
        before, after = words(prompt)["input_ids"], words(choice)["input_ids"]
        with torch.inference_mode():
            values = model(torch.tensor([before + after])).logits[0].log_softmax(-1)
        return sum(values[len(before) + i - 1, token].item() for i, token in enumerate(after))

    expected = [[alone(prompt, choice) for choice in YES_NO] for prompt in PROMPTS]
    for size in (1, 3, 64):
        found = ask(f"hf:{tiny}", [weigh(p, YES_NO) for p in PROMPTS], batch_size=size)
        for samples, values in zip(found, expected):
            assert logprobs(samples) == pytest.approx(values, abs=1e-4)


def test_generation_and_weighing_mix_in_one_stream(tiny):
    requests = [weigh("a", YES_NO), Request("b", max_tokens=3), weigh("c", YES_NO)]
    first, second, third = ask(f"hf:{tiny}", requests)
    assert len(first) == len(third) == 2
    assert second[0]["text"] == ask(f"hf:{tiny}", requests[1:2])[0][0]["text"]


def test_choices_that_do_not_fit_are_refused(tiny):
    with pytest.raises(W2SError, match="too many for"):
        ask(f"hf:{tiny}", [weigh("x" * 252, (" a rather long choice", " no"))])


def test_the_key_holds_prompt_and_choices_only():
    request = weigh("p", YES_NO)
    cold = Request("p", n=2, choices=YES_NO, temperature=0.7, seed=3, max_tokens=1, stop=("x",))
    assert key_of(request, "m") == key_of(cold, "m")
    others = [weigh("p", (" no", " yes")), weigh("q", YES_NO), Request("p")]
    assert len({key_of(one, "m") for one in [request, *others]}) == 4


@pytest.mark.parametrize("change", [{"choices": ("a", "")}, {"n": 3}, {"start": 1}])
def test_choices_are_checked(change):
    with pytest.raises(W2SError, match="must be"):
        Request(**{"prompt": "p", "n": 2, "choices": YES_NO} | change)


@pytest.mark.parametrize("chat", [False, True])
def test_a_server_that_repeats_no_prompt_lists_its_likeliest_tokens(server, chat, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    (found,) = ask(f"openai:no-echo@{server}", [weigh("p", (" yes", " no"))], chat=chat)
    assert logprobs(found) == pytest.approx([-0.5, -1.5])


@pytest.mark.parametrize(
    ("choices", "top", "expected"),
    [
        (("yes", "no"), {"yes": -1.0, " yes": -1.0, "n": -2.0}, [-1.0 + math.log(2), -2.0]),
        (("yes", "no"), {" yes": -0.1, "maybe": -3.0}, [-0.1, -3.0]),
        (("yes", "no"), {" ": -0.1, "maybe": -3.0}, None),
        (("right", "rightly"), {"right": -0.1}, None),
        (("yes", "no"), {}, None),
    ],
)
def test_the_likeliest_tokens_tell_the_choices(choices, top, expected):
    if expected is None:
        with pytest.raises(W2SError, match="do not tell"):
            heard(choices, top)
    else:
        assert heard(choices, top) == pytest.approx(expected)


def test_replay_reads_recorded_weights(tmp_path):
    rows = [{"prompt": "p", "response": c, "logprob": v} for c, v in (("no", -2), ("yes", -0.25))]
    write_rows(tmp_path / "r.jsonl", [*rows, {"prompt": "q", "response": "yes"}])
    spec = f"replay:{tmp_path / 'r.jsonl'}"
    assert logprobs(ask(spec, [weigh("p", YES_NO)])[0]) == [-0.25, -2.0]
    with pytest.raises(W2SError, match="lacks recorded responses"):
        ask(spec, [weigh("q", YES_NO)])


def sampler(store, spec):
    return Sampler("weak", spec, get("math"), store)


def test_weights_are_stored_exported_and_imported(tiny, tmp_path):
    """A second round asks nothing; an exported file answers under a name of its own."""
    rows = [{"id": str(i), "prompt": prompt} for i, prompt in enumerate(PROMPTS)]
    with Store(tmp_path / "s.sqlite") as store:
        first = list(sampler(store, f"hf:{tiny}").weigh(rows, "p", lambda row: YES_NO))
        again = sampler(store, f"hf:{tiny}")
        assert list(again.weigh(rows, "p", lambda row: YES_NO)) == first
        assert (again.rounds[0].asked, again.rounds[0].stored) == (8, 8)
        export_responses(store, tmp_path / "out.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text("utf-8").splitlines()]
    assert {tuple(line["parameters"]["choices"]) for line in lines} == {YES_NO}
    with Store(tmp_path / "t.sqlite") as store:
        import_responses(tmp_path / "out.jsonl", store=store, model="replay:them")
        replayed = sampler(store, "replay:them")
        values = [logprobs(row["p"]) for row in replayed.weigh(rows, "p", lambda row: YES_NO)]
    assert values == [logprobs(row["p"]) for row in first]
