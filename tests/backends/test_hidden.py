"""Hidden states on disk: the right ones, resumed byte by byte, never mixed up."""

import json

import numpy as np
import pytest

from w2s_data import backends
from w2s_data.backends.engine import Engine
from w2s_data.backends.hidden import hidden_states
from w2s_data.errors import W2SError

PROMPTS = [f"prompt {'x' * (i % 7)} number {i}" for i in range(23)]


def states(spec, path, prompts=PROMPTS, size=4, **how):
    return hidden_states(backends.load(spec, batch_size=2 * size), prompts, path, **how)


@pytest.mark.parametrize(("layer", "expected"), [(None, 1), (0, 0), (2, 2)])
def test_they_are_the_models_own(tiny, tmp_path, layer, expected):
    """Of the last token of each prompt alone; of two layers the first is the middle."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, words = AutoModelForCausalLM.from_pretrained(tiny), AutoTokenizer.from_pretrained(tiny)
    found = states(f"hf:{tiny}", tmp_path / "a.npy", layer=layer, dtype="float32")
    assert found.shape == (23, 64)
    for prompt, row in zip(PROMPTS, found):
        ids = torch.tensor([words(prompt)["input_ids"]])
        with torch.inference_mode():
            own = model(ids, output_hidden_states=True).hidden_states[expected][0, -1]
        assert row == pytest.approx(own.numpy(), abs=1e-4)


def test_a_second_reading_computes_nothing(tiny, tmp_path, monkeypatch):
    first = np.array(states(f"hf:{tiny}", tmp_path))
    monkeypatch.setattr(Engine, "hidden", None)
    assert (states(f"hf:{tiny}", tmp_path) == first).all()
    assert first.dtype == np.float16
    assert len(list(tmp_path.glob("*.npy"))) == 1


@pytest.mark.parametrize("whole", [0, 1, 3, 5])
def test_interrupted_and_resumed_is_byte_identical(tiny, tmp_path, monkeypatch, whole):
    """Whatever the batch size asked for the second time: the file goes on with its own."""
    states(f"hf:{tiny}", tmp_path / "whole.npy")
    own, calls = Engine.hidden, []

    def breaks(self, *given):
        calls.append(given)
        if len(calls) > whole:
            raise KeyboardInterrupt
        return own(self, *given)

    monkeypatch.setattr(Engine, "hidden", breaks)
    with pytest.raises(KeyboardInterrupt):
        states(f"hf:{tiny}", tmp_path / "torn.npy")
    monkeypatch.setattr(Engine, "hidden", own)
    states(f"hf:{tiny}", tmp_path / "torn.npy", size=4 if whole == 0 else 9)
    for suffix in (".npy", ".json"):
        torn, entire = ((tmp_path / name).with_suffix(suffix) for name in ("torn", "whole"))
        assert torn.read_bytes() == entire.read_bytes()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"layer": 2}, "layer: None, asked for 2"),
        ({"prompts": PROMPTS[:-1]}, "prompts: 23, asked for 22"),
        ({"prompts": PROMPTS[::-1]}, "prompts_sha256"),
        ({"dtype": "float32"}, "dtype: float16, asked for float32"),
    ],
)
def test_other_states_are_refused(tiny, tmp_path, change, said):
    states(f"hf:{tiny}", tmp_path / "a.npy")
    before = (tmp_path / "a.npy").read_bytes()
    with pytest.raises(W2SError, match=f"holds other hidden states .{said}"):
        states(f"hf:{tiny}", tmp_path / "a.npy", **change)
    assert (tmp_path / "a.npy").read_bytes() == before


def test_another_model_is_refused(tiny, tiny_adapter, tmp_path):
    states(f"hf:{tiny}", tmp_path / "a.npy")
    with pytest.raises(W2SError, match=r"holds other hidden states .model: local:"):
        states(f"hf:{tiny}+{tiny_adapter}", tmp_path / "a.npy")


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"layer": 3}, r"layer must be in \[0, 2\], was: 3"),
        ({"dtype": "int8"}, "dtype must be float16 or float32"),
        ({"prompts": []}, "there is no prompt to read"),
        ({"prompts": ["x" * 300]}, "too many for"),
    ],
)
def test_mistakes_are_one_sentence(tiny, tmp_path, how, said):
    with pytest.raises(W2SError, match=said):
        states(f"hf:{tiny}", tmp_path / "a.npy", **how)
    assert not (tmp_path / "a.npy").exists()


def test_only_models_in_this_process_have_them(tmp_path):
    with pytest.raises(W2SError, match="name it hf:MODEL"):
        hidden_states(backends.load("replay:them"), PROMPTS, tmp_path)


def test_a_torn_header_is_named(tiny, tmp_path):
    states(f"hf:{tiny}", tmp_path / "a.npy")
    (tmp_path / "a.json").write_text(json.dumps({"model": "x"}), "utf-8")
    with pytest.raises(W2SError, match=r"a.json: not a header of hidden states"):
        states(f"hf:{tiny}", tmp_path / "a.npy")
