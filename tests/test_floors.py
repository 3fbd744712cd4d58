"""Imports go down only, and heavy packages are imported where they are used."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "w2s_data"
FLOORS = [
    {"rows", "errors", "io", "show", "world"},
    {"answers", "prompts", "store"},
    {"tasks", "backends"},
    {"steps"},
    {"methods"},
    {"factory", "recipe"},
    {"inputs", "score", "exchange", "sets", "witness", "gauge"},
    {"manifest", "truth", "tally", "counterfactual", "card"},
    {"build", "soft"},
    {"check", "audit", "explain", "plan"},
    {"report", "push"},
    {"cli"},
]
# Packages that are one machine in several files; the files of others do not know each other.
ENGINES = {"answers", "backends", "tasks", "cli", "check", "report"}
SAME_FLOOR = {("io", "rows"), ("io", "errors"), ("recipe", "factory")}


def modules() -> list[Path]:
    return [p for p in sorted(PACKAGE.rglob("*.py")) if p.name != "__main__.py" and p.parent]


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def package(path: Path) -> str:
    """The package inside a room that the file belongs to; a file of the room belongs to none."""
    parts = path.relative_to(PACKAGE).parts[:-1]
    return f"{'.'.join(parts)}." if len(parts) > 1 else "(none)"


def imported(path: Path) -> set[tuple[str, str]]:
    """(room, module) of every w2s_data import in the file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("w2s_data"):
            parts = node.module.split(".")[1:]
            names = [[*parts, alias.name] for alias in node.names] if not parts else [parts]
        elif isinstance(node, ast.Import):
            names = [a.name.split(".")[1:] for a in node.names if a.name.startswith("w2s_data.")]
        else:
            continue
        found |= {(name[0], ".".join(name)) for name in names if name[0] != "__version__"}
    return found


def floor(name: str) -> int:
    return next(i for i, rooms in enumerate(FLOORS) if name in rooms)


@pytest.mark.parametrize(
    "path", [p for p in modules() if p != PACKAGE / "__init__.py"], ids=lambda p: p.name
)
def test_imports_go_down_only(path):
    here = room(path)
    for there, module in imported(path):
        if there == here:
            own_init = path.name == "__init__.py" or module == here
            own = own_init or module.startswith(package(path))
            assert own or here in ENGINES, f"{path.name} imports its neighbour {module}"
        elif floor(there) == floor(here):
            assert (here, there) in SAME_FLOOR, f"{path.name} imports {module} on its own floor"
        else:
            assert floor(there) < floor(here), f"{path.name} imports {module} from above"


def cpu_seconds(*arguments: str) -> float:
    code = (
        "import resource, runpy, sys\n"
        "sys.argv = ['w2s-data'] + sys.argv[1:]\n"
        "try:\n"
        "    runpy.run_module('w2s_data', run_name='__main__')\n"
        "except SystemExit:\n"
        "    pass\n"
        "used = resource.getrusage(resource.RUSAGE_SELF)\n"
        "print(used.ru_utime + used.ru_stime, file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    return float(done.stderr.split()[-1])


def test_help_is_quick():
    assert min(cpu_seconds("--help") for _ in range(3)) < 0.3


def test_import_loads_nothing_heavy():
    code = "import sys, w2s_data, w2s_data.cli; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    heavy = {"torch", "transformers", "datasets", "sympy", "pydantic", "jinja2", "rich", "pyarrow"}
    assert not heavy & set(loaded)
