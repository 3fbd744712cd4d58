"""A training recipe: which sets it reads as what, and what an earlier run left in its way."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from w2s_data.check.findings import Findings
from w2s_data.errors import W2SError, unknown
from w2s_data.factory import SHAPES

STRATEGIES = ("save_strategy", "eval_strategy", "evaluation_strategy", "logging_strategy")
NO_INTERLEAVE_ONCE = (4, 0, 0)


@dataclass(frozen=True)
class Plan:
    """What a recipe trains on: `stage` as in `factory.SHAPES`, the sets, all of its values."""

    path: str
    stage: str
    folder: Path
    train: list[str]
    evaluate: list[str]
    values: dict[str, Any]

    @property
    def val_size(self) -> float:
        return _number(self.values.get("val_size"))


def read_recipe(path: str | Path) -> Plan:
    """The recipe at `path`. Raises W2SError when it is none."""
    import yaml

    try:
        values = yaml.safe_load(Path(path).read_text("utf-8"))
    except OSError as error:
        raise W2SError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise W2SError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise W2SError(f"{path}: expected LLaMA-Factory's keys and values, one a line")
    stage = str(values.get("stage", "sft"))
    if stage == "dpo" and values.get("pref_loss") in ("orpo", "simpo"):
        stage = values["pref_loss"]
    if stage not in SHAPES:
        raise unknown("training stage", stage, SHAPES)
    if values.get("cutoff_len") is not None:
        values["cutoff_len"] = int(_number(values["cutoff_len"])) or None
    return Plan(
        str(path),
        stage,
        Path(str(values.get("dataset_dir", "data"))),
        _names(values.get("dataset")),
        _names(values.get("eval_dataset")),
        values,
    )


def _names(given: Any) -> list[str]:
    """`a, b` as LLaMA-Factory splits it."""
    if given is None:
        return []
    return [str(name).strip() for name in (given if isinstance(given, list) else _split(given))]


def _split(given: Any) -> list[str]:
    return str(given).split(",")


def _number(value: Any) -> float:
    try:
        return float(value or 0)
    except (TypeError, ValueError):
        return 0.0


def check_recipe(plan: Plan, found: Findings) -> None:
    """The rules W001 to W008, and W306."""
    values, name = plan.values, Path(plan.path).name

    def add(code: str, message: str = "") -> None:
        found.add(code, name, message, file=plan.path)

    if not values.get("do_train") and not values.get("do_predict") and not values.get("do_eval"):
        add("W008")
    output = values.get("output_dir")
    fresh = values.get("overwrite_output_dir") or values.get("resume_from_checkpoint")
    if output and not fresh and values.get("do_train") and _filled(output):
        add("W001", f"{output} is not empty, and overwrite_output_dir is not true")
    tokens = values.get("tokenized_path")
    if tokens and _filled(tokens):
        add("W002", f"{tokens} holds tokens, and the sets are not read at all")
    for key in STRATEGIES:
        if values.get(key) is False:
            add("W003", f"{key} is false: YAML reads an unquoted `no` so")
    _check_evaluation(plan, add)
    _check_mixing(plan, add)
    for given in (plan.train, plan.evaluate):
        for twice in sorted({each for each in given if given.count(each) > 1}):
            add("W306", f"{twice} is named more than once, and is read once")


def _filled(folder: Any) -> bool:
    path = Path(str(folder))
    return path.is_dir() and any(path.iterdir())


def _check_evaluation(plan: Plan, add: Any) -> None:
    if plan.val_size and plan.evaluate:
        add("W005")
    strategy = plan.values.get("eval_strategy") or "no"
    if strategy != "no" and not plan.val_size and not plan.evaluate:
        add("W006", f"eval_strategy is {strategy}, without val_size or eval_dataset")


def _check_mixing(plan: Plan, add: Any) -> None:
    mix = plan.values.get("mix_strategy", "concat")
    numbers = [int(part) for part in re.findall(r"\d+", version("datasets"))[:3]]
    if mix == "interleave_once" and tuple(numbers) <= NO_INTERLEAVE_ONCE:
        add("W004", f"datasets {version('datasets')} does not know interleave_once")
    given = plan.values.get("interleave_probs")
    if given is None:
        return
    shares = [_number(part) for part in _split(given)]
    if mix == "concat":
        add("W007", "interleave_probs are given, but mix_strategy is concat")
    elif len(shares) != len(plan.train):
        add("W007", f"{len(shares)} interleave_probs are given for {len(plan.train)} sets")
    elif abs(sum(shares) - 1) > 1e-3:
        add("W007", f"interleave_probs sum to {sum(shares):g}, not 1")
