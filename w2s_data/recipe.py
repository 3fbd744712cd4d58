"""Training recipes: the YAML files that `llamafactory-cli train` runs as they are.

Sources of the values. "lf": LLaMA-Factory's own examples (examples/train_lora, examples/train_full:
rank 8 on all linear layers, learning rate 1e-4 for LoRA SFT, 1e-5 for full SFT, 5e-6 for
preferences, 3 epochs, cosine with a warm-up of 0.1, beta 0.1). "alice": that paper's training
script (full SFT, learning rate 1e-5, 3 epochs, 16 accumulated steps, weight decay 0.01, 100 steps
of warm-up). Weak-to-Strong Reasoning (arXiv 2407.13647) trains all linear layers with LoRA on
plain prompts; it publishes no rates with its code, so LLaMA-Factory's are used. Guiding Through
Complexity (arXiv 2410.20533): 2 epochs, 2e-5 (`paper="complexity"`). "bundled": tuned on the
bundled pair.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from w2s_data import io
from w2s_data.errors import W2SError, missing_extra, out_of_range, unknown

Recipe = dict[str, Any]

STAGES = ("sft", "dpo", "orpo", "simpo", "kto")
FINETUNING = ("lora", "full")


@dataclass(frozen=True)
class Model:
    """A model that recipes are written for.

    `bos` is the token its tokenizer puts before a plain prompt, "" for none; `source` names the
    values' origin (this file's head).
    """

    path: str
    bos: str
    source: str = "lf"


MODELS = {
    "weak": Model("w2s_data/bundled/models/weak", "", "bundled"),
    "middle": Model("w2s_data/bundled/models/middle", "", "bundled"),
    "strong": Model("w2s_data/bundled/models/strong", "", "bundled"),
    "qwen2.5-1.5b": Model("Qwen/Qwen2.5-1.5B", "", "alice"),
    "qwen2.5-3b": Model("Qwen/Qwen2.5-3B", "", "alice"),
    "qwen2.5-7b": Model("Qwen/Qwen2.5-7B", "", "alice"),
    "llama-3.2-1b": Model("meta-llama/Llama-3.2-1B", "<|begin_of_text|>", "alice"),
    "llama-3.2-3b": Model("meta-llama/Llama-3.2-3B", "<|begin_of_text|>", "alice"),
    "llama-3.1-8b": Model("meta-llama/Llama-3.1-8B", "<|begin_of_text|>", "alice"),
    "llama-2-7b": Model("meta-llama/Llama-2-7b-hf", "<s>"),
    "llama-2-70b": Model("meta-llama/Llama-2-70b-hf", "<s>"),
    "gemma-2b": Model("google/gemma-2b", "<bos>"),
    "mistral-7b": Model("mistralai/Mistral-7B-v0.1", "<s>"),
}

_LOSS = {"dpo": "sigmoid", "orpo": "orpo", "simpo": "simpo"}
_SCHEDULE = {
    "per_device_train_batch_size": 1,
    "gradient_accumulation_steps": 8,
    "num_train_epochs": 3.0,
    "lr_scheduler_type": "cosine",
    "warmup_ratio": 0.1,
    "seed": 42,
}
_GPU = {
    "bf16": True,
    "cutoff_len": 2048,
    "preprocessing_num_workers": 16,
    "dataloader_num_workers": 4,
    "logging_steps": 10,
    "save_strategy": "epoch",
    "ddp_timeout": 180000000,
}
_CPU = {
    "use_cpu": True,
    "bf16": False,
    "cutoff_len": 512,
    "preprocessing_num_workers": 1,
    "dataloader_num_workers": 0,
    "logging_steps": 5,
    "save_strategy": "no",
    "per_device_train_batch_size": 8,
    "gradient_accumulation_steps": 2,
    "num_train_epochs": 2.0,
}
_RATES = {
    "lf": {"full": 1e-5, "lora": 1e-4, "preference": 5e-6},
    "bundled": {"full": 5e-4, "lora": 2e-3, "preference": 1e-4},
}
_ALICE = {
    "learning_rate": 1e-5,
    "gradient_accumulation_steps": 16,
    "weight_decay": 0.01,
    "warmup_ratio": None,
    "warmup_steps": 100,
}
# DeepSpeed ZeRO stage 3 as in LLaMA-Factory's examples/deepspeed, for models larger than one GPU.
_ZERO3 = {
    "train_batch_size": "auto",
    "train_micro_batch_size_per_gpu": "auto",
    "gradient_accumulation_steps": "auto",
    "gradient_clipping": "auto",
    "zero_allow_untested_optimizer": True,
    "bf16": {"enabled": "auto"},
    "zero_optimization": {
        "stage": 3,
        "overlap_comm": False,
        "contiguous_gradients": True,
        "reduce_bucket_size": "auto",
        "stage3_prefetch_bucket_size": "auto",
        "stage3_param_persistence_threshold": "auto",
        "stage3_gather_16bit_weights_on_model_save": True,
    },
}
# arXiv 2410.20533, the training values of its repository.
COMPLEXITY = {
    "num_train_epochs": 2.0,
    "learning_rate": 2e-5,
    "cutoff_len": 2048,
    "per_device_train_batch_size": 2,
    "gradient_accumulation_steps": 8,
}

_SECTIONS = {
    "model": ("model_name_or_path", "adapter_name_or_path", "ref_model", "ref_model_adapters"),
    "method": (
        "stage",
        "do_train",
        "finetuning_type",
        "lora_rank",
        "lora_target",
        "pref_loss",
        "pref_beta",
        "simpo_gamma",
    ),
    "dataset": (
        "dataset",
        "dataset_dir",
        "eval_dataset",
        "template",
        "default_system",
        "cutoff_len",
        "overwrite_cache",
        "preprocessing_num_workers",
        "dataloader_num_workers",
    ),
    "output": (
        "output_dir",
        "overwrite_output_dir",
        "logging_steps",
        "save_strategy",
        "save_only_model",
        "plot_loss",
        "report_to",
    ),
    "train": (),
}


def recipe(
    stage: str,
    *,
    model: str,
    dataset: str,
    output_dir: str,
    dataset_dir: str = "data",
    adapter: str | None = None,
    template: str = "fewshot",
    finetuning: str = "lora",
    cpu: bool | None = None,
    paper: str = "",
    **overrides: Any,
) -> Recipe:
    """What `llamafactory-cli train` needs to train `model` on `dataset`.

    stage: sft, dpo, orpo, simpo or kto. model: a name in MODELS, a folder or a hub id.
    adapter: the LoRA adapter to go on from (commas part several); dpo and kto then measure against
    model + adapter, where LLaMA-Factory alone would take the model without it.
    template: `fewshot` trains on the prompt exactly as it is sampled (see `bos`), and ends the
    response with a blank line and the end of sequence; the name of a chat template otherwise.
    finetuning: lora or full. cpu: train on the CPU in float32 (default: only the bundled pair).
    paper: "complexity" for that paper's values in full SFT, where the model has none of its own.
    overrides: LLaMA-Factory's own keys; None takes a key out.
    """
    if stage not in STAGES:
        raise unknown("training stage", stage, STAGES)
    if finetuning not in FINETUNING:
        raise out_of_range("finetuning", "lora or full", finetuning)
    if adapter and finetuning == "full":
        raise W2SError("an adapter can only be trained on with finetuning lora; merge it first")
    known = _known(model)
    bundled = known is not None and known.source == "bundled"
    path = known.path if known and model in MODELS else model
    values: Recipe = {"model_name_or_path": path, "dataset": dataset, "dataset_dir": dataset_dir}
    values |= {"template": template, "output_dir": output_dir, "do_train": True}
    values |= {"overwrite_cache": True, "overwrite_output_dir": True, "save_only_model": True}
    values |= {"plot_loss": True, "report_to": "none"}
    values |= _method(stage, finetuning) | _SCHEDULE
    values |= _CPU if (bundled if cpu is None else cpu) else _GPU
    values |= _rates(stage, finetuning, "bundled" if bundled else paper or _source(known))
    if adapter:
        values |= _go_on(stage, path, adapter)
    if template == "fewshot" and (first := bos(model)):
        values["default_system"] = first
    values |= overrides
    if values.get("val_size") and values.get("eval_dataset"):
        raise W2SError("val_size and eval_dataset exclude each other in LLaMA-Factory")
    return _ordered({key: value for key, value in values.items() if value is not None})


def evaluating(dataset: str) -> Recipe:
    """The overrides that evaluate on `dataset` after each epoch."""
    return {"eval_dataset": dataset, "eval_strategy": "epoch", "per_device_eval_batch_size": 8}


def bos(model: str) -> str:
    """The token that `tokenizer(prompt)` puts first, "" for none.

    LLaMA-Factory's `fewshot` adds no such token, while backends tokenize the plain prompt as the
    tokenizer does. A recipe closes the gap with `default_system`: `fewshot` writes the system text
    straight before the prompt, and this text is the one token. Read from the tokenizer for a
    folder, from MODELS for a known hub id, "" for any other.
    """
    if model not in MODELS and Path(model).is_dir():
        return _tokenizer_bos(model)
    known = _known(model)
    return known.bos if known else ""


def write(path: str | Path, recipe: Recipe, header: str = "") -> None:
    """Write `recipe` as YAML in LLaMA-Factory's sections, `header` above it as a comment."""
    with io.atomic(path) as file:
        file.write(text(recipe, header))


def text(recipe: Recipe, header: str = "") -> str:
    """`recipe` as YAML."""
    lines = [f"# {line}".rstrip() for line in header.splitlines()]
    for section in _SECTIONS:
        pairs = {key: value for key, value in recipe.items() if _section(key) == section}
        if pairs:
            lines += [""] * bool(lines) + [f"### {section}", _yaml(pairs)]
    return "\n".join(lines) + "\n"


def generate(folder: str | Path = "factory_configs") -> list[Path]:
    """Write every recipe of MODELS into folder/<model>/<recipe>.yaml; returns the paths."""
    paths = [Path(folder) / "deepspeed_zero3.json"]
    io.write_json(paths[0], _ZERO3)
    for name in MODELS:
        for kind in ("sft_full", "sft_lora", "dpo", "orpo", "simpo", "kto"):
            paths.append(Path(folder) / name / f"{kind}.yaml")
            write(paths[-1], *_named_recipe(name, kind))
    return paths


def _named_recipe(name: str, kind: str) -> tuple[Recipe, str]:
    stage, _, finetuning = kind.partition("_")
    dataset = f"math_reasoning_{stage}"
    adapter = None if stage == "sft" else f"saves/{name}/sft_lora"
    values = recipe(
        stage,
        model=name,
        dataset=dataset,
        adapter=adapter,
        finetuning=finetuning or "lora",
        output_dir=f"saves/{name}/{kind}",
    )
    lines = [
        f"{stage.upper()} of {values['model_name_or_path']}, written by w2s_data; run it with",
        f"llamafactory-cli train factory_configs/{name}/{kind}.yaml dataset=NAME",
        "in the folder that holds data/; NAME is the set that `w2s-data build` wrote.",
    ]
    if adapter:
        lines.append("It goes on from the adapter that sft_lora.yaml leaves.")
    if name == "llama-2-70b" or (finetuning == "full" and name.endswith(("7b", "8b"))):
        lines.append(
            "Needs several GPUs and the package deepspeed: set FORCE_TORCHRUN=1 and add "
            "deepspeed=factory_configs/deepspeed_zero3.json"
        )
    return values, "\n".join(lines)


def _known(model: str) -> Model | None:
    if model in MODELS:
        return MODELS[model]
    same = (m for m in MODELS.values() if model.rstrip("/").endswith(m.path))
    return next(same, None)


def _method(stage: str, finetuning: str) -> Recipe:
    values: Recipe = {"stage": "dpo" if stage in _LOSS else stage, "finetuning_type": finetuning}
    if finetuning == "lora":
        values |= {"lora_rank": 8, "lora_target": "all"}
    if stage in _LOSS:
        values |= {"pref_loss": _LOSS[stage]}
    if stage != "sft":
        values |= {"pref_beta": 0.1}
    if stage == "simpo":
        values |= {"pref_beta": 2.0, "simpo_gamma": 1.0}
    return values


def _source(known: Model | None) -> str:
    return known.source if known else "lf"


def _rates(stage: str, finetuning: str, source: str) -> Recipe:
    if source == "alice" and (stage, finetuning) == ("sft", "full"):
        return dict(_ALICE)
    if source == "complexity" and (stage, finetuning) == ("sft", "full"):
        return dict(COMPLEXITY)
    rates = _RATES["bundled" if source == "bundled" else "lf"]
    return {"learning_rate": rates[finetuning if stage == "sft" else "preference"]}


def _go_on(stage: str, path: str, adapter: str) -> Recipe:
    values = {"adapter_name_or_path": adapter}
    if stage in ("dpo", "kto"):
        values |= {"ref_model": path, "ref_model_adapters": adapter}
    return values


def _tokenizer_bos(folder: str) -> str:
    try:
        from transformers import AutoTokenizer
    except ImportError:
        raise missing_extra("transformers", "hf") from None
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise W2SError(f"{folder}: holds no tokenizer that can be loaded: {reason}") from None
    first = tokenizer("x")["input_ids"][:1]
    return tokenizer.bos_token if first == [tokenizer.bos_token_id] else ""


def _section(key: str) -> str:
    return next((name for name, keys in _SECTIONS.items() if key in keys), "train")


def _ordered(values: Recipe) -> Recipe:
    places = [key for keys in _SECTIONS.values() for key in keys]
    return dict(sorted(values.items(), key=lambda kv: _place(kv[0], places)))


def _place(key: str, places: list[str]) -> int:
    return places.index(key) if key in places else len(places)


def _yaml(pairs: Recipe) -> str:
    import yaml

    return yaml.safe_dump(pairs, sort_keys=False, allow_unicode=True, width=10**6).rstrip("\n")
