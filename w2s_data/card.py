"""The dataset card of a set, from its manifest: NAME.README.md, which the hub calls README.md.

A dataset folder holds several sets, a repository on the hub one card: so each set's card has the
set's name before it here, and loses it when it is pushed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from w2s_data import factory
from w2s_data.io import atomic

YOURS = "<!-- What stands below this line, and the license above, is yours: a rebuild keeps it. -->"
LICENSE = "# license: apache-2.0  (yours to choose)"
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
LARGEST = "n>1M"


def path(folder: str | Path, name: str) -> Path:
    """Where the card of the set `name` lies in its dataset folder."""
    return Path(folder) / f"{name}.README.md"


def write(folder: str | Path, manifest: Mapping[str, Any]) -> Path:
    """Write the card beside its set; the license and the words of an older card's owner stay."""
    place = path(folder, manifest["name"])
    license, words = _kept(place)
    with open(Path(folder) / f"{manifest['name']}.jsonl", "rb") as rows:
        text = card(manifest, sum(1 for _ in rows), license)
    with atomic(place) as file:
        file.write(f"{text}\n{YOURS}\n{words}")
    return place


def _kept(place: Path) -> tuple[str, str]:
    """The license line, and what stands below YOURS, of the card that is there."""
    if not place.exists():
        return LICENSE, ""
    text = place.read_text("utf-8", "replace")
    header = text.split("\n---\n")[0].splitlines()
    license = next((line for line in header if line.startswith("license:")), LICENSE)
    return license, text.partition(f"{YOURS}\n")[2]


def card(manifest: Mapping[str, Any], rows: int, license: str = LICENSE) -> str:
    """The card as Markdown with the hub's YAML header; `rows` are those on file."""
    parts = (_header(manifest, rows, license), _body(manifest, rows))
    return "\n".join("\n".join(part) for part in parts) + "\n"


def _header(manifest: Mapping[str, Any], rows: int, license: str) -> Iterator[str]:
    name = manifest["name"]
    yield from ("---", license, f"pretty_name: {_quoted(name)}")
    yield from ("task_categories:", "- text-generation")
    size = next((words for limit, words in SIZES if rows < limit), LARGEST)
    yield from ("size_categories:", f"- {size}", "tags:")
    tags = ("weak-to-strong", "llama-factory", "w2s_data", manifest["trains"], manifest["method"])
    yield from (f"- {_quoted(tag)}" for tag in dict.fromkeys((*tags, manifest["task"])))
    yield from ("configs:", f"- config_name: {_quoted(name)}", "  data_files:")
    for split, file in (("train", f"{name}.jsonl"), ("eval", f"{name}.eval.jsonl")):
        if split == "train" or file in manifest["files"]:
            yield from (f"  - split: {split}", f"    path: {_quoted(file)}")
    yield "---"


def _quoted(text: str) -> str:
    import yaml

    return yaml.safe_dump(text, default_style='"', width=float("inf")).strip()


def _body(manifest: Mapping[str, Any], rows: int) -> Iterator[str]:
    counts = manifest["counts"]
    yield from (
        "",
        f"# {_plain(manifest['name'])}",
        "",
        f"Training data for weak-to-strong generalization: {rows:,} rows for "
        f"{_plain(manifest['trains'])}, built with w2s_data {manifest['w2s_data']} by the method "
        f"{_code(manifest['method'])}, stage {_code(manifest['stage'])}.",
        "",
        "## How it was made",
        "",
        "| | |",
        "|---|---|",
        f"| questions | {counts['questions']:,} of {_code(manifest['task'])}, split "
        f"{_code(manifest['split'])}, source {_code(manifest['source'])} |",
        *(
            f"| {role} model | {_code(model['spec'])} |"
            for role, model in manifest["models"].items()
        ),
        f"| ground truth | {'seen by this stage' if manifest['gold_seen'] else 'not seen'} |",
        f"| seed | {manifest['seed']} |",
        *(f"| {_code(name)} | {_code(value)} |" for name, value in manifest["settings"].items()),
        "",
        "The manifest holds the models' fingerprints and the files' SHA-256.",
        "",
        "## What became of the questions",
        "",
        "| | questions |",
        "|---|---|",
        f"| kept | {counts['kept']:,} |",
        *(f"| dropped: {_plain(why)} | {n:,} |" for why, n in counts["dropped"].items()),
        "",
        "## Train on it",
        "",
        "The entry for LLaMA-Factory's `dataset_info.json`:",
        "",
        "```json",
        json.dumps({manifest["name"]: _entry(manifest)}, indent=2),
        "```",
        "",
        "## Limits",
        "",
        *(f"- {limit}" for limit in _limits(manifest)),
    )


def _entry(manifest: Mapping[str, Any]) -> dict[str, Any]:
    return factory.entry(manifest["trains"], manifest["format"], f"{manifest['name']}.jsonl")


def _limits(manifest: Mapping[str, Any]) -> Iterator[str]:
    if manifest["gold_seen"]:
        yield "The stage read ground truth: training on this set is not weak-to-strong."
    else:
        yield "The labels come from models, without ground truth: some are wrong."
    if manifest["source"] == "bundled":
        yield "The questions are synthetic, from the seeded generator of w2s_data."
    if any("bundled/" in model["spec"] for model in manifest["models"].values()):
        yield "Bundled models wrote responses: under 2 million parameters, synthetic text only."
    yield "The licenses of the questions and of the models that answered them apply."


def _plain(value: object) -> str:
    """`value` as text of one line that is no Markdown, HTML or table."""
    text = " ".join(str(value).split())
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>#|~" else c for c in text)


def _code(value: object) -> str:
    """`value` as code of one line, whatever backticks and bars it holds."""
    text = " ".join(str(value).replace("`", "'").split()).replace("|", "\\|")
    return f"`{text}`" if text else ""
