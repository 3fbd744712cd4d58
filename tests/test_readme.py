"""README.md is held against the code: its tree, commands and options."""

import re
import shlex
import subprocess
from pathlib import Path

import click
import pytest

from w2s_data.backends import BACKENDS
from w2s_data.cli import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def fenced(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def tree() -> dict[str, str]:
    """Path -> description, of the fenced tree; indentation is depth."""
    found, folders = {}, []
    for line in fenced("text")[0].splitlines():
        name, _, words = line.strip().partition("  ")
        depth = (len(line) - len(line.lstrip())) // 2
        del folders[depth:]
        found["/".join([*folders, name.rstrip("/")])] = words.strip()
        if name.endswith("/"):
            folders.append(name.rstrip("/"))
    return found


def test_the_tree_gives_every_file_one_line():
    shown = tree()
    files = [
        path.relative_to(ROOT).as_posix()
        for folder in ("w2s_data", "run")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".jinja", ".sh") and "bundled" not in path.parts
    ]
    assert sorted(set(files) - shown.keys()) == []
    assert [path for path in shown if not (ROOT / path).exists()] == []
    assert [path for path, words in shown.items() if not words] == []


def commands() -> list[list[str]]:
    lines = "\n".join(fenced("bash")).replace("\\\n", " ").splitlines()
    calls = [shlex.split(line, comments=True) for line in lines]
    return [call[1:] for call in calls if call and call[0] == "w2s-data"]


@pytest.mark.parametrize("call", commands(), ids=" ".join)
def test_every_command_shown_parses(call):
    command = main.commands[call[0]]
    known = {name for p in command.params if isinstance(p, click.Option) for name in p.opts}
    assert {word for word in call[1:] if word.startswith("-")} <= known
    command.make_context(call[0], call[1:])


def test_every_command_and_backend_is_named():
    for name in main.commands:
        assert f"w2s-data {name}" in README
    for name in BACKENDS:
        assert f"`{name}:" in README


def test_every_option_named_in_the_text_exists():
    known = {name for c in main.commands.values() for p in c.params for name in p.opts}
    text = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
    named = set(re.findall(r"`(?:[^`]* )?(--[a-z0-9-]+)", text)) - {"--help"}
    assert named <= known


def test_the_repository_names_nothing_of_a_workplace():
    """No home, no registry host, no tool that exists on one machine only."""
    done = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip("not a git checkout")
    words = re.compile(r"/work/|pypi\.org|files\.pythonhosted|/root/|farm-|download\.pytorch")
    found = []
    for name in done.stdout.splitlines():
        path = ROOT / name
        if path.suffix in (".py", ".md", ".sh", ".cfg", ".toml", ".txt", ".yaml", ".jinja", ""):
            text = path.read_text("utf-8", "replace") if path.is_file() else ""
            if path != Path(__file__) and words.search(text):
                found.append(name)
    assert found == []
