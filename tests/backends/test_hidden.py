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
        ({"layer": 2}, "layer: 1, asked for 2"),
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


def test_the_middle_layer_has_one_name(tiny, tmp_path, monkeypatch):
    first = np.array(states(f"hf:{tiny}", tmp_path))
    monkeypatch.setattr(Engine, "hidden", None)
    assert (states(f"hf:{tiny}", tmp_path, layer=1) == first).all()


def test_states_of_another_precision_are_refused(tiny, tmp_path):
    states(f"hf:{tiny}", tmp_path / "a.npy")
    rough = backends.load(f"hf:{tiny}", dtype="bfloat16")
    with pytest.raises(W2SError, match="computed: float32, asked for bfloat16"):
        hidden_states(rough, PROMPTS, tmp_path / "a.npy")
    assert backends.load(f"hf:{tiny}", dtype="float32").fingerprint == rough.fingerprint
    exact = backends.load(f"hf:{tiny}", dtype="float32")
    assert len(hidden_states(exact, PROMPTS, tmp_path / "a.npy")) == len(PROMPTS)


def truncated(path):
    path.write_bytes(path.read_bytes()[:-100])


def foreign(path):
    np.save(path, np.array([{"a": 1}] * 23, dtype=object))


def of_other_shape(path):
    np.save(path, np.zeros((22, 64), dtype=np.float16))


def archive(path):
    with path.open("wb") as file:
        np.savez(file, a=np.zeros(3))


@pytest.mark.parametrize("damage", [truncated, foreign, of_other_shape, archive])
def test_damaged_states_are_one_sentence(tiny, tmp_path, damage):
    states(f"hf:{tiny}", tmp_path / "a.npy")
    damage(tmp_path / "a.npy")
    with pytest.raises(W2SError, match=r"a.npy: damaged, or not .*a.json tells of; remove both"):
        states(f"hf:{tiny}", tmp_path / "a.npy")


def test_states_torn_under_an_unfinished_header_are_one_sentence(tiny, tmp_path):
    states(f"hf:{tiny}", tmp_path / "a.npy")
    header = json.loads((tmp_path / "a.json").read_text("utf-8"))
    (tmp_path / "a.json").write_text(json.dumps(header | {"done": 8}), "utf-8")
    truncated(tmp_path / "a.npy")
    with pytest.raises(W2SError, match=r"a.npy: damaged"):
        states(f"hf:{tiny}", tmp_path / "a.npy")


def test_a_state_too_large_is_told_with_its_way_out(tiny, tmp_path, monkeypatch):
    own = Engine.hidden
    monkeypatch.setattr(Engine, "hidden", lambda *given: own(*given) * np.float32(1e7))
    with pytest.raises(W2SError, match="beyond float16: store them with dtype=float32"):
        states(f"hf:{tiny}", tmp_path)
    assert np.isfinite(states(f"hf:{tiny}", tmp_path, dtype="float32")).all()


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


@pytest.mark.parametrize("layer", [-1, 3])
def test_a_layer_is_checked_before_the_model_is_loaded(tiny, tmp_path, monkeypatch, layer):
    monkeypatch.setattr(Engine, "__init__", None)
    with pytest.raises(W2SError, match=r"layer must be in \[0, 2\]"):
        states(f"hf:{tiny}", tmp_path, layer=layer)


def test_a_config_that_is_nowhere_is_one_sentence(tmp_path, monkeypatch):
    import huggingface_hub

    def absent(*asked, **how):
        raise OSError("no net")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", absent)
    with pytest.raises(W2SError, match=r"no/such: its config.json cannot be read .OSError"):
        states("hf:no/such", tmp_path)


def test_only_models_in_this_process_have_them(tmp_path):
    with pytest.raises(W2SError, match="name it hf:MODEL"):
        hidden_states(backends.load("replay:them"), PROMPTS, tmp_path)


def test_a_torn_header_is_named(tiny, tmp_path):
    states(f"hf:{tiny}", tmp_path / "a.npy")
    (tmp_path / "a.json").write_text(json.dumps({"model": "x"}), "utf-8")
    with pytest.raises(W2SError, match=r"a.json: not a header of hidden states"):
        states(f"hf:{tiny}", tmp_path / "a.npy")
