"""The backend hf: against transformers itself."""

import json
import math
import os
import shutil
import subprocess
import sys
from collections import Counter

import models
import pytest
import torch
from transformers import AutoModelForCausalLM

from w2s_data import backends
from w2s_data.backends import attention
from w2s_data.backends.checkpoint import checkpoint
from w2s_data.backends.engine import Engine
from w2s_data.backends.gumbel import choose, gumbel, scramble
from w2s_data.errors import W2SError
from w2s_data.store import Request

WORDS = ["Hello", "größer als 😀", "x", "a longer prompt " * 6, "Question: 1 + 1 =\nAnswer:"]


def ask(backend, *requests):
    return [samples for _, samples in sorted(backend(requests), key=lambda pair: pair[0])]


def wanted(prompt, n=3, **more):
    return Request(prompt, n=n, **{"temperature": 1.0, "max_tokens": 24, "seed": 1} | more)


def texts(answers):
    return [[sample["text"] for sample in samples] for samples in answers]


SHOTS = "Question: 1 + 2 =\nAnswer: 3\n\nQuestion: 2 + 2 =\nAnswer: 4\n\n"
MIXED = [
    *(wanted(word, n=1 + i, logprobs=True) for i, word in enumerate(WORDS)),
    *(wanted(word, n=2, top_p=0.7, temperature=0.6, stop=("e", "\n")) for word in WORDS),
    *(Request(SHOTS + word, max_tokens=40) for word in WORDS),
    *(wanted(word, n=4, temperature=1.7, max_tokens=60, seed=9) for word in WORDS),
]


def test_a_sample_does_not_depend_on_its_batch(tiny):
    together = ask(backends.load(f"hf:{tiny}"), *MIXED)
    for size in (1, 7):
        assert texts(ask(backends.load(f"hf:{tiny}", batch_size=size), *MIXED)) == texts(together)
    backwards = ask(backends.load(f"hf:{tiny}", batch_size=20), *reversed(MIXED))
    assert texts(backwards[::-1]) == texts(together)


def test_stragglers_are_put_together(tiny):
    """Batches of 64 leave their last eight samples to a batch of stragglers."""
    requests = [
        wanted(f"{word} {i}", n=2, max_tokens=60 if i % 5 == 0 else 4)
        for i, word in enumerate(WORDS * 15)
    ]
    together = ask(backends.load(f"hf:{tiny}", batch_size=64), *requests)
    alone = ask(backends.load(f"hf:{tiny}", batch_size=5), *requests)
    assert texts(together) == texts(alone)


def test_close_calls_are_decided_alone(tiny, monkeypatch):
    """Were every choice a close call, the outcome would still be the same."""
    before = ask(backends.load(f"hf:{tiny}"), *MIXED[:10])
    monkeypatch.setattr("w2s_data.backends.batch.ROUNDING", 0.5)
    assert texts(ask(backends.load(f"hf:{tiny}"), *MIXED[:10])) == texts(before)


def test_greedy_and_logprobs_are_those_of_transformers(tiny):
    model = AutoModelForCausalLM.from_pretrained(tiny)
    words = models.tokenizer()
    requests = [Request(word, max_tokens=20, logprobs=True) for word in WORDS]
    for word, (sample,) in zip(WORDS, ask(backends.load(f"hf:{tiny}"), *requests)):
        ids = words(word, return_tensors="pt")["input_ids"]
        out = model.generate(ids, max_new_tokens=20, do_sample=False)
        assert sample["tokens"] == out.shape[1] - ids.shape[1]
        assert sample["text"] == words.decode(out[0, ids.shape[1] :], skip_special_tokens=True)
        logits = model(out).logits[0, ids.shape[1] - 1 : -1].log_softmax(-1)
        reference = logits.gather(-1, out[0, ids.shape[1] :, None])[:, 0].tolist()
        assert [value for _, value in sample["logprobs"]] == pytest.approx(reference, abs=2e-5)


def test_logprobs_of_samples_are_the_models_own(tiny):
    """Under temperature 1 and top_p 1, whatever was sampled with."""
    request = wanted("Hello", n=4, temperature=0.5, top_p=0.8, logprobs=True, max_tokens=1)
    (samples,) = ask(backends.load(f"hf:{tiny}"), request)
    model = AutoModelForCausalLM.from_pretrained(tiny)
    ids = models.tokenizer()("Hello", return_tensors="pt")["input_ids"]
    reference = model(ids).logits[0, -1].log_softmax(-1)
    assert all(
        (reference - sample["logprob"]).abs().min() < 1e-5 and sample["logprob"] < 0
        for sample in samples
    )


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.7, 1.0), (1.0, 0.6), (1.4, 0.9)])
def test_the_distribution_is_right(temperature, top_p):
    """20,000 draws of one step against the exact probabilities, by chi-squared."""
    draws, width = 20_000, 50
    generator = torch.Generator().manual_seed(3)
    logits = 1.5 * torch.randn(1, width, generator=generator)
    key = torch.randint(-(2**31), 2**31, (draws, 2), generator=generator).to(torch.int32)
    tokens = scramble(torch.arange(width, dtype=torch.int32))
    noise = gumbel(key, torch.full((draws,), 7), tokens)
    full = torch.full((draws,), 1.0)
    chosen, _ = choose(
        logits.expand(draws, -1), noise, temperature * full, top_p * full, rounding=0.0
    )
    share = (logits[0] / temperature).softmax(-1).sort(descending=True)
    kept = share.values.cumsum(0) - share.values < top_p
    exact = dict(zip(share.indices[kept].tolist(), share.values[kept].tolist()))
    total = sum(exact.values())
    seen = Counter(chosen.tolist())
    assert set(seen) <= set(exact)
    expected = {token: draws * p / total for token, p in exact.items()}
    squared = sum((seen[token] - e) ** 2 / e for token, e in expected.items())
    freedom = len(exact) - 1
    assert squared < freedom + 4 * math.sqrt(2 * freedom)


def test_noise_of_steps_and_samples_is_independent():
    tokens = scramble(torch.arange(4000, dtype=torch.int32))
    key = torch.tensor([[1, 2], [1, 3], [2, 2], [1, 2]], dtype=torch.int32)
    noise = gumbel(key, torch.tensor([0, 0, 0, 1]), tokens)
    correlation = torch.corrcoef(noise) - torch.eye(4)
    assert correlation.abs().max() < 0.06
    assert abs(noise.mean() - 0.5772) < 0.03
    assert abs(noise.var() - math.pi**2 / 6) < 0.08


def test_ten_and_ten_more_are_twenty(tiny):
    backend = backends.load(f"hf:{tiny}")
    (twenty,) = ask(backend, wanted("Hello", n=20))
    first, more = ask(backend, wanted("Hello", n=10), wanted("Hello", n=10, start=10))
    assert first + more == twenty
    assert len({sample["text"] for sample in twenty}) == 20


def test_a_longer_limit_goes_on_with_the_same_text(tiny):
    backend = backends.load(f"hf:{tiny}")
    (short,), (long,) = texts(ask(backend, wanted("x", 1, max_tokens=9), wanted("x", 1)))
    assert long.startswith(short.rstrip("\ufffd"))


@pytest.mark.parametrize("length", [1, 2, 5, 9])
def test_stop_strings_anywhere(tiny, length):
    """Strings of several tokens, and bytes of several to a character."""
    backend = backends.load(f"hf:{tiny}")
    (samples,) = ask(backend, wanted("größer", n=30, max_tokens=60, temperature=2.0))
    tried = 0
    for sample in samples:
        text = sample["text"]
        for i in range(len(text) - length):
            stop = text[i : i + length]
            if "\ufffd" in stop or (length == 1 and stop.isascii()):
                continue
            request = wanted("größer", 1, max_tokens=60, temperature=2.0, start=sample["index"])
            (cut,) = ask(backend, Request(**vars(request) | {"stop": ("never so", stop)}))[0]
            assert cut["text"] == text[: text.index(stop)]
            assert cut["finish"] == "stop"
            assert cut["tokens"] <= sample["tokens"]
            tried += 1
            break
    assert tried or length == 9


def test_the_end_token_ends(tiny):
    backend = backends.load(f"hf:{tiny}")
    (samples,) = ask(backend, wanted("x", n=40, max_tokens=200, temperature=3.0, logprobs=True))
    ended = [sample for sample in samples if sample["finish"] == "stop"]
    assert ended
    for sample in ended:
        assert "<|end|>" not in sample["text"]
        assert sample["logprobs"][-1][0] == "<|end|>"


def test_an_adapter_changes_answers_and_fingerprint(tiny, tiny_adapter):
    plain, lora = backends.load(f"hf:{tiny}"), backends.load(f"hf:{tiny}+{tiny_adapter}")
    assert plain.fingerprint != lora.fingerprint
    assert lora.fingerprint.startswith(plain.fingerprint)
    request = Request("Hello", max_tokens=20, logprobs=True)
    assert ask(plain, request) != ask(lora, request)

    from peft import PeftModel

    model = AutoModelForCausalLM.from_pretrained(tiny)
    model = PeftModel.from_pretrained(model, tiny_adapter)
    ids = models.tokenizer()("Hello", return_tensors="pt")["input_ids"]
    out = model.generate(input_ids=ids, max_new_tokens=20, do_sample=False)
    expected = models.tokenizer().decode(out[0, ids.shape[1] :], skip_special_tokens=True)
    assert ask(lora, request)[0][0]["text"] == expected


def test_an_adapter_s_fingerprint_does_not_hang_on_the_order_of_its_modules(
    tiny, tiny_adapter, tmp_path
):
    """peft writes sets: trained twice alike, their order differs."""
    copy = shutil.copytree(tiny_adapter, tmp_path / "again")
    path = copy / "adapter_config.json"
    config = json.loads(path.read_text("utf-8"))
    assert len(config["target_modules"]) > 2
    before = backends.load(f"hf:{tiny}+{tiny_adapter}").fingerprint
    for modules, same in [(config["target_modules"][::-1], True), (["q_proj"], False)]:
        path.write_text(json.dumps(config | {"target_modules": modules}), "utf-8")
        assert (backends.load(f"hf:{tiny}+{copy}").fingerprint == before) is same


def test_fingerprint_follows_content_not_place(tiny, tmp_path):
    copy = shutil.copytree(tiny, tmp_path / "elsewhere")
    fingerprint = backends.load(f"hf:{tiny}").fingerprint
    assert backends.load(f"hf:{copy}").fingerprint == fingerprint
    (copy / "optimizer.pt").write_bytes(b"no matter")
    (copy / "training_args.bin").write_bytes(b"no matter")
    assert backends.load(f"hf:{copy}").fingerprint == fingerprint
    seen = {fingerprint}
    for name in ("model.safetensors", "config.json", "tokenizer.json", "generation_config.json"):
        path = copy / name
        path.write_bytes(path.read_bytes() + b" ")
        seen.add(backends.load(f"hf:{copy}").fingerprint)
    (copy / "chat_template.jinja").write_text("other")
    seen.add(backends.load(f"hf:{copy}").fingerprint)
    assert len(seen) == 6


def test_hub_fingerprint_names_the_revision():
    assert backends.load("hf:org/model@v1").fingerprint == "hf:org/model@v1"
    assert backends.load("hf:org/model").fingerprint == "hf:org/model@main"


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("{tmp}/none", "there is no model folder"),
        ("{tmp}/empty", "has no config.json"),
        ("{tmp}/weightless", "has no weights"),
        ("{lora}", "holds an adapter, not a model: name it after its model:"),
        ("{tiny}+{tmp}/empty", "has no adapter_config.json"),
        ("a/b/c/d", "there is no model folder a/b/c/d"),
    ],
)
def test_folders_that_hold_no_model(tiny, tiny_adapter, tmp_path, target, said):
    (tmp_path / "empty").mkdir()
    (tmp_path / "weightless").mkdir()
    (tmp_path / "weightless/config.json").write_text("{}")
    with pytest.raises(W2SError, match=said):
        backends.load("hf:" + target.format(tmp=tmp_path, lora=tiny_adapter, tiny=tiny))


def test_broken_weights_are_one_sentence(tiny, tmp_path):
    copy = shutil.copytree(tiny, tmp_path / "copy")
    (copy / "model.safetensors").write_bytes(b"\0" * 100)
    with pytest.raises(W2SError, match="cannot be loaded"):
        ask(backends.load(f"hf:{copy}"), wanted("x"))


def test_absent_weights_are_not_made_up(tiny, tmp_path):
    from safetensors.torch import load_file, save_file

    copy = shutil.copytree(tiny, tmp_path / "copy")
    states = load_file(copy / "model.safetensors")
    del states["model.layers.1.mlp.up_proj.weight"]
    save_file(states, copy / "model.safetensors", {"format": "pt"})
    with pytest.raises(W2SError, match="lacks 1 of the weights"):
        ask(backends.load(f"hf:{copy}"), wanted("x"))


def test_a_hub_out_of_reach_is_one_sentence():
    """In a process of its own: the offline switch is read when the library is imported."""
    code = (
        "from w2s_data import backends, errors, store\n"
        "try: list(backends.load('hf:org/model')([store.Request('x')]))\n"
        "except errors.W2SError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.stdout.startswith("org/model is not a folder here, and the hub cannot be reached")
    assert done.stderr == ""


def test_no_chat_template_is_one_sentence(tmp_path):
    folder = models.llama(tmp_path / "plain", chat=False)
    with pytest.raises(W2SError, match="has no chat template"):
        ask(backends.load(f"hf:{folder}"), wanted(({"role": "user", "content": "hi"},)))


def test_chat_wraps_text(tiny):
    chat, plain = backends.load(f"hf:{tiny}", chat=True), backends.load(f"hf:{tiny}")
    message = ({"role": "user", "content": "hi"},)
    assert chat.stored(Request("hi")) == Request(message)
    assert ask(chat, wanted("hi")) == ask(plain, wanted(message))
    rendered = "<user>hi\n<assistant>"
    greedy = ask(plain, Request(message, max_tokens=9), Request(rendered, max_tokens=9))
    assert texts(greedy)[0] == texts(greedy)[1]


def test_a_full_context_ends_by_length(tiny):
    (samples,) = ask(backends.load(f"hf:{tiny}"), Request("x" * 250, max_tokens=50))
    assert samples[0]["tokens"] <= 6
    assert samples[0]["finish"] == "length" or samples[0]["tokens"] < 6


def test_a_prompt_too_long_says_by_how_much(tiny):
    answers = backends.load(f"hf:{tiny}", batch_size=1)([Request("x"), Request("y" * 300)])
    assert next(answers)[0] == 0
    with pytest.raises(W2SError, match=r"prompt 2 .* has 300 tokens, 45 too many .* 256"):
        next(answers)


@pytest.mark.parametrize(
    ("options", "said"),
    [({"bath_size": 1}, "did you mean 'batch_size'"), ({"batch_size": -1}, "must be >= 0")],
)
def test_options_are_checked(tiny, options, said):
    with pytest.raises(W2SError, match=said):
        backends.load(f"hf:{tiny}", **options)


@pytest.mark.parametrize("kind", [*sorted(attention.PLAIN), "gpt2", "gemma2", "sliding"])
def test_architectures(kind, tmp_path):
    """Log-probabilities against a plain forward pass: several samples of a prompt, and prompts
    that begin alike."""
    folder = models.architecture(kind, tmp_path / kind)
    engine = Engine(checkpoint(folder), device="cpu", dtype="float32", trust_remote_code=False)
    assert engine.shares == (kind in attention.PLAIN)
    shots = "Some worked examples come before each question. "
    drafts = []
    for prompts in (WORDS, [shots + word for word in WORDS]):
        requests = [wanted(word, n=3, max_tokens=20, logprobs=True) for word in prompts]
        some = [draft for i, request in enumerate(requests) for draft in engine.drafts(i, request)]
        assert engine.generate(some) == []
        drafts += some
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    for draft in drafts:
        ids = torch.tensor(draft.prompt + draft.tokens)
        logits = model(ids[None]).logits[0, len(draft.prompt) - 1 : -1].log_softmax(-1)
        reference = logits.gather(-1, ids[len(draft.prompt) :, None])[:, 0].tolist()
        assert draft.logprobs == pytest.approx(reference, abs=1e-4)
