"""A compiled set of soft labels trains as soft cross-entropy does.

One step of `llamafactory-cli` takes a whole set as a build writes it. Labels are quarters, and a
set has four rows a question, so the copies are the weights exactly and loss and gradient must be
those of soft cross-entropy, computed here by torch from its definition. For any other labels the
copies' expectation is the weight.
"""

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from w2s_data import recipe, tasks
from w2s_data.build import build
from w2s_data.inputs import Models, Questions
from w2s_data.io import write_rows
from w2s_data.steps.weights import copies

torch = pytest.importorskip("torch", reason="needs the extra hf")
pytest.importorskip("llamafactory", reason="needs the extra train")

CLI = Path(sys.executable).parent / "llamafactory-cli"
WEAK = Path(__file__).parents[2] / recipe.MODELS["weak"].path
LABELS = {"0": 0.25, "1": 0.5, "2": 0.75, "3": 1.0}


def asked():
    return Questions(tasks.get("math_right"), "test", limit=len(LABELS))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A set built of recorded weights, and a float32 model to train on it."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    monkeypatch.chdir(tmp_path)
    recorded = []
    for row, p in zip(asked().rows(), LABELS.values()):
        for word, share in (("yes", p), ("no", 1 - p)):
            value = math.log(share) if share else -700.0
            recorded.append({"prompt": row["prompt"], "response": word, "logprob": value})
    write_rows("weights.jsonl", recorded)
    AutoModelForCausalLM.from_pretrained(WEAK, dtype=torch.float32).save_pretrained("model")
    AutoTokenizer.from_pretrained(WEAK).save_pretrained("model")
    models = Models({"weak": "replay:weights.jsonl", "strong": "hf:model"})
    summary = build(asked(), models, method="eleuther", stage="xent", name="soft", copies=16)
    assert summary.rows == 16
    assert summary.notes["weights"]["largest_deviation"] < 1e-6
    return tmp_path


def one_step():
    """(loss, gradient norm) of a single step over the whole set: of gradient descent at rate 1, so
    that what a weight loses is its gradient."""
    values = recipe.recipe(
        "sft",
        model="model",
        dataset="soft",
        output_dir="saves",
        finetuning="full",
        cpu=True,
        max_steps=1,
        logging_steps=1,
        gradient_accumulation_steps=1,
        per_device_train_batch_size=16,
        plot_loss=False,
    )
    values |= {"optim": "sgd", "learning_rate": 1.0, "max_grad_norm": 1e9}
    values |= {"lr_scheduler_type": "constant", "warmup_ratio": 0.0}
    recipe.write("step.yaml", values)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [CLI, "train", "step.yaml"], env=environment, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    state = json.loads(Path("saves/trainer_state.json").read_text("utf-8"))
    (step,) = (entry for entry in state["log_history"] if "grad_norm" in entry)
    return step["loss"], step["grad_norm"]


def soft_cross_entropy(model, tokenizer):
    """The mean over questions and tokens: at the choice against the soft label, then the blank
    line and the end of the sequence after each choice, weighted by it."""
    yes, no = (tokenizer(word, add_special_tokens=False)["input_ids"] for word in (" yes", " no"))
    tail = [*tokenizer("\n\n", add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
    assert len(yes) == len(no) == 1
    losses = []
    for row, p in zip(asked().rows(), LABELS.values()):
        before = tokenizer(row["prompt"], add_special_tokens=False)["input_ids"]
        ends = [
            model(torch.tensor([before + word + tail])).logits[0, len(before) - 1 : -1]
            for word in (yes, no)
        ]
        target = torch.zeros(ends[0].shape[1])
        target[yes[0]], target[no[0]] = p, 1 - p
        loss = torch.nn.functional.cross_entropy(ends[0][:1], target[None])
        for weight, logits in zip((p, 1 - p), ends):
            rest = torch.nn.functional.cross_entropy(logits[1:], torch.tensor(tail))
            loss = loss + weight * len(tail) * rest
        losses.append(loss / (1 + len(tail)))
    return torch.stack(losses).mean()


@pytest.mark.train
def test_a_step_is_one_of_soft_cross_entropy(folder):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    trained = one_step()
    model = AutoModelForCausalLM.from_pretrained("model", dtype=torch.float32)
    loss = soft_cross_entropy(model, AutoTokenizer.from_pretrained("model"))
    loss.backward()
    norm = torch.nn.utils.get_total_norm([p.grad for p in model.parameters()])
    print(f"llamafactory-cli: {trained}; torch: {loss.item(), norm.item()}")
    assert trained == pytest.approx((loss.item(), norm.item()), rel=1e-4)
    after = dict(
        AutoModelForCausalLM.from_pretrained("saves", dtype=torch.float32).named_parameters()
    )
    off = [p.detach() - after[name].detach() - p.grad for name, p in model.named_parameters()]
    assert torch.nn.utils.get_total_norm(off) < 1e-4 * norm


def test_any_label_is_met_in_expectation():
    """Over many offsets, the copies of each choice come to K times its probability."""
    random, draws = Random(0), 600
    labels = [random.random() for _ in range(20)]
    rows = [(f"{i} {c}", w) for i, p in enumerate(labels) for c, w in ((0, p), (1, 1 - p))]
    sums = [0] * len(rows)
    for seed in range(draws):
        sums = [a + b for a, b in zip(sums, copies(rows, budget=40, seed=seed))]
    for (_, weight), total in zip(rows, sums):
        expected = 2 * weight
        spread = (expected % 1) * (1 - expected % 1)
        assert abs(total / draws - expected) <= 4.5 * math.sqrt(spread / draws) + 1e-9
