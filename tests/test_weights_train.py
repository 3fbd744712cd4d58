"""Compiled copies train as weights do: single steps of `llamafactory-cli` against torch.

The set is compiled so that copies are K*w exactly, and one step takes it whole. Its loss and
gradient norm must be those of the weighted loss, computed here from its definition:
SFT, the weighted mean over tokens; DPO and ORPO, the weighted mean over pairs.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from w2s_data import factory, io, recipe
from w2s_data.rows import keep
from w2s_data.steps.weights import compile_rows

torch = pytest.importorskip("torch", reason="needs the extra hf")
pytest.importorskip("llamafactory", reason="needs the extra train")

pytestmark = pytest.mark.train

CLI = Path(sys.executable).parent / "llamafactory-cli"
BUNDLED = Path(__file__).parent.parent / recipe.MODELS["strong"].path
BETA = 0.1
WEIGHTS = (1.0, 0.25, 0.5, 0.0)
BUDGET = 7
SAID = [
    ("What is $7 + 5$?", "First, $7 + 5 = 12$. The answer is: 12", "Then $7 + 5 = 13$."),
    ("What is $9 - 4$?", "$9 - 4 = 5$. So we get $\\boxed{5}$. The answer is: 5", "It is 6."),
    ("Add $2$ and $3$.", "The answer is: 5", "We have $2 + 3 = 6$. The answer is: 6"),
    ("Halve $8$.", "The answer is: 4", "The answer is: 16"),
]


def rows():
    for number, (question, chosen, rejected) in enumerate(SAID):
        row = {"id": str(number), "prompt": f"Question: {question}\nAnswer:"}
        ending = {"response": chosen, "chosen": chosen, "rejected": rejected}
        yield keep(row, ending | {"reliability": WEIGHTS[number]})


def load(folder):
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder with a float32 model, another as the reference, and the compiled sets."""
    from transformers import AutoTokenizer

    folder = tmp_path_factory.mktemp("weights")
    model, tokenizer = load(BUNDLED), AutoTokenizer.from_pretrained(BUNDLED)
    for name in ("model", "reference"):
        model.save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for parameter in model.parameters():
                noise = torch.randn(parameter.shape, generator=generator)
                parameter.add_(0.05 * parameter.std() * noise)
    kept = {"sft": {"response"}, "dpo": {"chosen", "rejected"}}
    for stage, names in kept.items():
        notes = {}
        compiled = compile_rows(rows(), "column:reliability", budget=BUDGET, notes=notes)
        exported = [
            record
            for row in compiled
            for e in row.get("endings", ())
            for record in factory.records(
                {k: row[k] for k in ("id", "prompt")} | {k: e[k] for k in names | {"weight"}},
                stage,
                extras=["weight"],
            )
        ]
        assert len(exported) == notes["budget"] == BUDGET
        assert notes["largest_deviation"] == 0
        io.write_rows(folder / f"{stage}.jsonl", exported)
        factory.register(folder, stage, factory.entry(stage, "alpaca", f"{stage}.jsonl"))
    return folder


def one_step(folder, stage, **changes):
    """(loss, gradient norm) of a single step over the whole set."""
    values = recipe.recipe(
        stage,
        model=str(folder / "model"),
        dataset="sft" if stage == "sft" else "dpo",
        dataset_dir=str(folder),
        output_dir=str(folder / "saves" / stage),
        finetuning="full",
        cpu=True,
        max_steps=1,
        logging_steps=1,
        gradient_accumulation_steps=1,
        per_device_train_batch_size=BUDGET,
        plot_loss=False,
        **changes,
    )
    recipe.write(folder / f"{stage}.yaml", values)
    done = subprocess.run(
        [CLI, "train", folder / f"{stage}.yaml"],
        env=os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    state = json.loads((folder / "saves" / stage / "trainer_state.json").read_text())
    (step,) = (entry for entry in state["log_history"] if "grad_norm" in entry)
    return step["loss"], step["grad_norm"]


def log_probabilities(model, tokenizer, question, response):
    """Of the response's tokens, its blank line and its end, as `fewshot` teaches them."""
    asked = tokenizer(f"Question: {question}\nAnswer:", add_special_tokens=False)["input_ids"]
    told = tokenizer(f"{response}\n\n", add_special_tokens=False)["input_ids"]
    told = [*told, tokenizer.eos_token_id]
    logits = model(torch.tensor([asked + told])).logits[0, len(asked) - 1 : -1]
    return logits.log_softmax(-1).gather(1, torch.tensor(told)[:, None])[:, 0]


def sft_loss(model, reference, tokenizer, weights):
    said = [log_probabilities(model, tokenizer, q, chosen) for q, chosen, _ in SAID]
    total = sum(w * one.sum() for w, one in zip(weights, said))
    return -total / sum(w * len(one) for w, one in zip(weights, said))


def dpo_loss(model, reference, tokenizer, weights):
    losses = []
    for question, chosen, rejected in SAID:
        margin = 0
        for sign, response in ((1, chosen), (-1, rejected)):
            own = log_probabilities(model, tokenizer, question, response).sum()
            with torch.no_grad():
                other = log_probabilities(reference, tokenizer, question, response).sum()
            margin += sign * (own - other)
        losses.append(-torch.nn.functional.logsigmoid(BETA * margin))
    return sum(w * one for w, one in zip(weights, losses)) / sum(weights)


def orpo_loss(model, reference, tokenizer, weights):
    losses = []
    for question, chosen, rejected in SAID:
        means = [
            log_probabilities(model, tokenizer, question, response).mean()
            for response in (chosen, rejected)
        ]
        odds = [mean - torch.log1p(-mean.exp()) for mean in means]
        preference = -torch.nn.functional.logsigmoid(odds[0] - odds[1])
        losses.append(-means[0] + BETA * preference)
    return sum(w * one for w, one in zip(weights, losses)) / sum(weights)


LOSSES = {"sft": sft_loss, "dpo": dpo_loss, "orpo": orpo_loss}


@pytest.mark.parametrize("stage", LOSSES)
def test_copies_train_as_the_weighted_loss(world, stage):
    from transformers import AutoTokenizer

    changes = {"ref_model": str(world / "reference")} if stage == "dpo" else {}
    trained = one_step(world, stage, **changes)
    model, reference = load(world / "model"), load(world / "reference")
    tokenizer = AutoTokenizer.from_pretrained(world / "model")
    loss = LOSSES[stage](model, reference, tokenizer, WEIGHTS)
    loss.backward()
    norm = torch.linalg.vector_norm(
        torch.stack([p.grad.norm() for p in model.parameters() if p.grad is not None])
    )
    print(f"{stage}: trained {trained}, weighted ({loss.item()}, {norm.item()})")
    assert trained[0] == pytest.approx(loss.item(), rel=1e-4)
    assert trained[1] == pytest.approx(norm.item(), rel=1e-4)
    with torch.no_grad():
        unweighted = LOSSES[stage](model, reference, tokenizer, (1, 1, 1, 1)).item()
    assert abs(unweighted - loss.item()) > 1e-3
