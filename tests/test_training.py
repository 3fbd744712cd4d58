"""Real `llamafactory-cli train` runs, on the CPU, of what factory and recipe write.

On the bundled strong model where the checkout has it, otherwise on a tiny untrained Llama.
"""

import json
import math
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from w2s_data import factory, io, recipe

pytestmark = pytest.mark.train

CLI = Path(sys.executable).parent / "llamafactory-cli"
BUNDLED = Path(__file__).parent.parent / recipe.MODELS["strong"].path
# Many short steps on few rows: what counts is that each run trains.
SHORT = {
    "cutoff_len": 256,
    "logging_steps": 1,
    "gradient_accumulation_steps": 1,
    "plot_loss": False,
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    pytest.importorskip("llamafactory", reason="needs the extra `train`")
    if (BUNDLED / "config.json").exists():
        return str(BUNDLED)
    return tiny_llama(tmp_path_factory.mktemp("model"))


def tiny_llama(folder):
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: n for n, token in enumerate(["</s>", *alphabet])}
    raw = Tokenizer(models.BPE(vocabulary, []))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="</s>").save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=512,
        bos_token_id=None,
        eos_token_id=0,
        tie_word_embeddings=True,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data folder as `build` leaves it: sets `sft`, `dpo`, `kto` of 64 questions."""
    folder = tmp_path_factory.mktemp("data")
    rows = [sum_of(*random.Random(i).sample(range(2, 10), 2), i) for i in range(64)]
    for stage, format in (("sft", "sharegpt"), ("dpo", "alpaca"), ("kto", "alpaca")):
        kept = rows if stage == "sft" else [{k: r[k] for k in r if k != "response"} for r in rows]
        exported = [record for row in kept for record in factory.records(row, stage, format)]
        io.write_rows(folder / f"{stage}.jsonl", exported)
        factory.register(folder, stage, factory.entry(stage, format, f"{stage}.jsonl"))
    return folder


def sum_of(a, b, number):
    right, wrong = (
        f"{a} + {b} = {c}\nThe answer is: $\\boxed{{{c}}}$" for c in (a + b, abs(a - b) + 20)
    )
    return {
        "id": f"sum-{number}",
        "task": "math",
        "prompt": f"Question: What is ${a} + {b}$?\nAnswer:",
        "response": right,
        "chosen": right,
        "rejected": wrong,
    }


@pytest.fixture(scope="module")
def train(model, data, tmp_path_factory):
    """Write a recipe, run it, and return (output folder, losses); each run costs once."""
    saves = tmp_path_factory.mktemp("saves")

    def train(name, stage, dataset, **changes):
        output = saves / name
        values = recipe.recipe(
            stage,
            model=model,
            dataset=dataset,
            dataset_dir=str(data),
            output_dir=str(output),
            cpu=True,
            **{**SHORT, **changes},
        )
        recipe.write(saves / f"{name}.yaml", values, f"{name}, by a test")
        environment = os.environ | {
            "OMP_NUM_THREADS": "1",
            "CUDA_VISIBLE_DEVICES": "",
            "HF_HUB_OFFLINE": "1",
            "HF_HOME": str(saves / "cache"),
        }
        done = subprocess.run(
            [CLI, "train", saves / f"{name}.yaml"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
        state = json.loads((output / "trainer_state.json").read_text())
        return output, [step["loss"] for step in state["log_history"] if "loss" in step]

    return train


@pytest.fixture(scope="module")
def sft_lora(train):
    return train("sft_lora", "sft", "sft", learning_rate=5e-3, num_train_epochs=3)


def falls(losses):
    quarter = max(1, len(losses) // 4)
    return sum(losses[-quarter:]) < 0.98 * sum(losses[:quarter])


FULL = {"finetuning": "full", "learning_rate": 5e-3}


def test_full_sft_learns_the_answer_and_its_end(train):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    output, losses = train("sft_full", "sft", "sft", num_train_epochs=12, **FULL)
    assert falls(losses)
    assert (output / "model.safetensors").exists()
    tokenizer = AutoTokenizer.from_pretrained(output)
    model = AutoModelForCausalLM.from_pretrained(output)
    prompt = tokenizer(sum_of(2, 3, 0)["prompt"], return_tensors="pt")
    out = model.generate(**prompt, max_new_tokens=120, do_sample=False)[0]
    learned = out[prompt["input_ids"].shape[1] :].tolist()
    assert learned[-1] == tokenizer.eos_token_id
    said = tokenizer.decode(learned[:-1])
    assert "The answer is: $\\boxed{" in said
    assert said.endswith("}$\n\n")
    _, again = train("sft_full", "sft", "sft", max_steps=2, **FULL)
    assert len(again) == 2, "a second run into the same folder must train, from the start"
    assert again[0] == pytest.approx(losses[0], rel=1e-4)


def test_lora_sft_writes_an_adapter(sft_lora):
    output, losses = sft_lora
    assert falls(losses)
    assert (output / "adapter_model.safetensors").exists()
    assert (output / "adapter_config.json").exists()


@pytest.mark.parametrize(
    ("stage", "dataset", "changes"),
    [
        ("dpo", "dpo", {"learning_rate": 2e-3}),
        ("orpo", "dpo", {"learning_rate": 1e-2}),
        ("simpo", "dpo", {"learning_rate": 2e-3}),
        ("kto", "kto", {"learning_rate": 2e-3}),
    ],
)
def test_preferences_go_on_from_the_adapter(train, sft_lora, stage, dataset, changes):
    output, losses = train(
        stage, stage, dataset, adapter=str(sft_lora[0]), num_train_epochs=2, **changes
    )
    assert falls(losses)
    assert (output / "adapter_model.safetensors").exists()
    if stage == "dpo":  # at the first step the model is the reference, adapter and all
        assert losses[0] == pytest.approx(math.log(2), abs=2e-3)
