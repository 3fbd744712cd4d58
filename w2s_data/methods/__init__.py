"""The methods: one module a paper, its stages plain generator functions over rows.

A stage takes rows and keyword-only parameters and yields each row ended: kept with its endings
(`rows.keep`) or dropped with a reason (`rows.drop`). A parameter named after a role (`ROLES`) is
handed that role's model as a `steps.sample.Sampler`; with the default None it is handed None when
the user names no model. One named `gold` is handed the ground truth, and no other stage ever sees
it; one named `notes` is handed a dict, and what the stage puts there stands in the summary and the
manifest. Every other parameter has a default and can be set by the user: its annotation gives type
and range.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

from pydantic import Field, TypeAdapter, ValidationError

from w2s_data.errors import W2SError, unknown
from w2s_data.rows import Row

METHODS = {
    "reasoning": "w2s_data.methods.reasoning",
    "alice": "w2s_data.methods.alice",
    "complexity": "w2s_data.methods.complexity",
    "eleuther": "w2s_data.methods.eleuther",
    "baselines": "w2s_data.methods.baselines",
    "reliability": "w2s_data.methods.reliability",
}
ROLES = (
    "weak",
    "weaker",
    "strong",
    "student",
    "teacher",
    "summarizer",
    "paraphraser",
    "decomposer",
    "judge",
)
# Roles that are given instructions; the others answer questions, a base model by its prompt alone.
INSTRUCTED = ("summarizer", "paraphraser", "decomposer", "judge")
DOORS = ("gold", "notes")

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Temperature = Annotated[float, Field(ge=0)]


class Stage(NamedTuple):
    """A stage: its function, what LLaMA-Factory trains on it (`factory.STAGES`) and which role's
    model, and the split it reads by default; `weights` says which of its columns is a row's weight
    (`steps.weights`), "" for none. A stage of SFT starts from the base model, or with `goes_on`
    from its adapter, too. `recipe` names the paper whose training values are used. The role
    `untrained` is by default played by the task's strong base model."""

    run: Callable[..., Iterator[Row]]
    trains: str
    split: str = "train_2"
    trained: str = "student"
    weights: str = ""
    goes_on: bool = False
    recipe: str = ""
    untrained: str = ""


def get(method: str, stage: str) -> Stage:
    """The stage by name; unknown names list the known ones."""
    stages = load(method).STAGES
    if stage not in stages:
        raise unknown(f"stage of {method}", stage, stages)
    return stages[stage]


def load(method: str) -> Any:
    """The method's module."""
    if method not in METHODS:
        raise unknown("method", method, METHODS)
    return importlib.import_module(METHODS[method])


def roles(stage: Stage) -> list[str]:
    """The roles whose models the stage may ask."""
    return [name for name in inspect.signature(stage.run).parameters if name in ROLES]


def needs(stage: Stage, role: str) -> bool:
    """False where the stage does without the role's model."""
    return inspect.signature(stage.run).parameters[role].default is inspect.Parameter.empty


def takes(stage: Stage, door: str) -> bool:
    """Whether the stage asks for `gold` or `notes`."""
    return door in inspect.signature(stage.run).parameters


def sees_gold(stage: Stage) -> bool:
    return takes(stage, "gold")


def parameters(stage: Stage) -> dict[str, inspect.Parameter]:
    """The parameters a user can set."""
    signature = inspect.signature(stage.run)
    return {
        name: parameter
        for name, parameter in signature.parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
        and parameter.default is not parameter.empty
        and name not in (*ROLES, *DOORS)
    }


def settings(stage: Stage, given: Mapping[str, Any]) -> dict[str, Any]:
    """Every parameter of the stage with its value: the default, or `given` checked against it."""
    known = parameters(stage)
    hints = get_type_hints(stage.run, include_extras=True)
    values = {name: parameter.default for name, parameter in known.items()}
    for name, value in given.items():
        if name not in known:
            raise unknown("parameter", name, known)
        values[name] = _checked(name, value, hints[name])
    return values


def _checked(name: str, value: Any, hint: Any) -> Any:
    if isinstance(value, str) and getattr(hint, "__origin__", None) is tuple:
        value = [part for part in value.split(",") if part]
    try:
        return TypeAdapter(hint).validate_python(value)
    except ValidationError as error:
        rule = error.errors()[0]["msg"].removeprefix("Input should be ")
        raise W2SError(f"{name} must be {rule}, was: {value!r}") from None


def describe(method: str) -> str:
    """The method's head, its stages, their roles and parameters, as text for a terminal."""
    module = load(method)
    same: dict[Any, list[str]] = {}
    for name, stage in module.STAGES.items():
        same.setdefault(stage.run, []).append(name)
    stages = (_stage(names, module.STAGES[names[0]]) for names in same.values())
    return "\n\n".join([inspect.getdoc(module) or "", *stages])


def _stage(names: list[str], stage: Stage) -> str:
    hints = get_type_hints(stage.run, include_extras=True)
    lines = [f"--stage {'|'.join(names)}", ""]
    lines += [f"  {line}".rstrip() for line in (inspect.getdoc(stage.run) or "").splitlines()]
    lines += ["", *(_role(stage, role) for role in roles(stage))]
    for key, parameter in parameters(stage).items():
        default = parameter.default
        default = ",".join(default) if isinstance(default, tuple) else default
        lines.append(f"  --set {f'{key}={default}':24} {_kind(hints[key])}")
    return "\n".join(lines)


def _role(stage: Stage, role: str) -> str:
    return f"  --role {role}=MODEL" + ("" if needs(stage, role) else "  (may be left out)")


def _kind(hint: Any) -> str:
    """`float >= 0, <= 1`, or the values there are."""
    if get_origin(hint) is Literal:
        return " | ".join(value or "(none)" for value in get_args(hint))
    if get_origin(hint) is tuple:
        return "comma-separated"
    base, *bounds = get_args(hint) or (hint,)
    limits = (limit for bound in bounds for limit in bound.metadata)
    return f"{base.__name__} {', '.join(_limit(limit) for limit in limits)}".rstrip()


def _limit(limit: Any) -> str:
    """`>= 0` of annotated_types.Ge(ge=0)."""
    sign = type(limit).__name__.lower()
    return f"{dict(ge='>=', gt='>', le='<=', lt='<')[sign]} {getattr(limit, sign)}"
