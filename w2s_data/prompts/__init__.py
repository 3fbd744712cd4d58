"""Prompts: `render("qa", question=...)` fills the template file `qa.jinja` beside this file.

What a model or a data set wrote is only ever the value of a slot, never part of a template.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from w2s_data.errors import W2SError, unknown

FOLDER = Path(__file__).parent


def render(name: str, /, **values: Any) -> str:
    """The prompt `name` with its slots filled: no blank or line break is added at its end.

    `name` is that of a template beside this file, or the path of another file `*.jinja`.
    `qa` (arXiv 2407.13647) takes `question` and, for few-shot prompts, `demonstrations`: pairs
    (question, response). Raises W2SError for a template, or a slot, that is unknown or left out.
    """
    from jinja2 import TemplateError, UndefinedError

    template, known = _template(name)
    for slot in values.keys() - known:
        raise unknown(f"slot of prompt {name!r}", slot, known)
    try:
        return template.render(values)
    except UndefinedError as error:
        missing = ", ".join(sorted(known - values.keys()))
        raise W2SError(f"prompt {name!r}: {error}; slots without a value: {missing}") from None
    except TemplateError as error:
        raise W2SError(f"prompt {name!r}: {error}") from None


def slots(name: str) -> frozenset[str]:
    """The names of a template's slots. Raises W2SError for an unknown or malformed template."""
    return _template(name)[1]


def names() -> list[str]:
    """The names of the templates beside this file."""
    return sorted(path.stem for path in FOLDER.glob("*.jinja"))


def exists(name: str) -> bool:
    """Whether there is a template of this name or path."""
    return Path(name).is_file() if name.endswith(".jinja") else name in names()


@lru_cache
def _template(name: str) -> tuple[Any, frozenset[str]]:
    """The compiled template and the names of its slots."""
    from jinja2 import StrictUndefined, TemplateSyntaxError, meta
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
    source = _source(name)
    try:
        found = meta.find_undeclared_variables(environment.parse(source))
        return environment.from_string(source), frozenset(found)
    except TemplateSyntaxError as error:
        raise W2SError(f"prompt {name!r}, line {error.lineno}: {error.message}") from None


def _source(name: str) -> str:
    path = Path(name) if name.endswith(".jinja") else FOLDER / f"{name}.jinja"
    if not name.endswith(".jinja") and name not in names():
        raise unknown("prompt", name, names())
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise W2SError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise W2SError(f"{path}: not UTF-8 (byte {error.start}); save it as UTF-8") from None
