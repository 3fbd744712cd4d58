"""Sets as one HTML page that needs no network: figures, and a browser of all their rows.

Whatever a model wrote is data here. Rows stand in the page packed (`pack`), the page's own program
writes them as text only, and its Content-Security-Policy runs no other program and loads nothing.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any

from w2s_data import audit, sets, show, tasks
from w2s_data.errors import W2SError
from w2s_data.inputs import Questions
from w2s_data.io import atomic, dump
from w2s_data.manifest import flat
from w2s_data.report.charts import Chart, charts
from w2s_data.report.entries import entries
from w2s_data.report.figures import Figures, Judge, stated
from w2s_data.report.pack import Blocks, packed
from w2s_data.rows import Row
from w2s_data.sets import Set
from w2s_data.truth import open_truth

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Written:
    """The page, and how many rows of which sets it shows."""

    page: str
    sets: tuple[str, ...]
    rows: int
    bytes: int


@dataclass(frozen=True)
class Section:
    """What the page says of one set."""

    name: str
    facts: dict[str, Any]
    charts: list[Chart]
    audit: dict[str, Any]


def report(
    names: Sequence[str],
    *,
    out: str | Path = "report.html",
    folder: str | Path = "data",
    gold: str | Path | None = None,
    **truth: Any,
) -> Written:
    """Write one page about the sets `names` of a LLaMA-Factory dataset folder.

    `gold` (a file, a task, or "task" for the set's own; `truth` as in `audit.audit`) adds accuracy
    to the figures, and the audit; without it a stage's own column `correct` is the judge. Memory
    is flat in the number of rows but for one number a row.
    Raises W2SError for an unknown set, and for gold that no row answers.
    """
    if not names:
        raise W2SError("name at least one set to report on")
    found = [sets.find(folder, name) for name in dict.fromkeys(names)]
    blocks = Blocks()
    groups: dict[tuple[str, str], int] = {}
    sections = [_section(one, blocks, groups, gold, truth) for one in found]
    index = {"groups": list(groups), "rows": blocks.groups, "starts": blocks.starts}
    program = (FOLDER / "page.js").read_text("utf-8")
    policy = base64.b64encode(hashlib.sha256(program.encode()).digest()).decode()
    with atomic(out) as file:
        for part in _page().generate(
            sections=sections,
            blocks=blocks,
            index=packed(dump(index)),
            program=program,
            policy=policy,
            style=(FOLDER / "page.css").read_text("utf-8"),
        ):
            file.write(_valid(part))
    return Written(str(out), tuple(names), len(blocks.groups), Path(out).stat().st_size)


def _section(
    found: Set,
    blocks: Blocks,
    groups: dict[tuple[str, str], int],
    gold: str | Path | None,
    truth: Mapping[str, Any],
) -> Section:
    """Read the set once: rows into `blocks`, numbers into charts."""
    manifest = found.manifest() or {}
    judge = Judge(open_truth(found, gold, **truth)) if gold else None
    meta = {} if judge else _meta(found, manifest)
    figures = Figures()
    for entry in show.track(f"report {found.name}", entries(found), None):
        known, ruling = judge(entry) if judge else (meta.get(entry.id, {}), stated(entry))
        figures.add(entry, known, ruling)
        group = groups.setdefault((found.name, entry.status), len(groups))
        facts = known | entry.facts | ({"verdict": ruling.verdict} if ruling else {})
        shown = {"id": entry.id, "prompt": entry.prompt, "sides": entry.sides, "facts": facts}
        blocks.add(shown, group)
    audited = audit.audit([found.name], folder=found.folder, gold=gold, **truth) if gold else []
    return Section(
        found.name,
        _facts(manifest, figures),
        charts(figures, manifest),
        dict(_flat(asdict(audited[0]))) if audited else {},
    )


def _meta(found: Set, manifest: Mapping[str, Any]) -> dict[str, Row]:
    """Level and subject by id, from the questions the set was built of, where they lie here."""
    if manifest.get("source") not in ("bundled", "file") or manifest.get("task") not in tasks.TASKS:
        return {}
    file = manifest.get("file") and found.folder / manifest["file"]
    place = {"file": file and str(file), "fields": manifest.get("fields", {})}
    try:
        questions = Questions(
            tasks.get(manifest["task"]), manifest["split"], manifest["source"], **place
        )
        return {row["id"]: row["meta"] for row in questions.rows() if row["meta"]}
    except W2SError:
        return {}


def _facts(manifest: Mapping[str, Any], figures: Figures) -> dict[str, Any]:
    """What the manifest says of the set, for a table."""
    if not manifest:
        rows = f"{figures.statuses.total():,}"
        return {"rows on file": rows, "manifest": "none: this set was built elsewhere"}
    facts: dict[str, Any] = {"method": f"{manifest.get('method')}, stage {manifest.get('stage')}"}
    place = (manifest.get(name) for name in ("task", "split", "source"))
    facts["questions"] = ", ".join(map(str, place))
    models = manifest.get("models")
    for role, model in models.items() if isinstance(models, dict) else ():
        facts[f"{role} model"] = model.get("spec") if isinstance(model, dict) else model
    settings = manifest.get("settings") or {}
    facts["settings"] = ", ".join(f"{name}={value}" for name, value in settings.items())
    facts["ground truth"] = "seen by the stage" if manifest.get("gold_seen") else "not seen"
    notes = manifest.get("notes")
    facts |= flat(notes) if isinstance(notes, dict) else {}
    return facts | {"w2s_data": manifest.get("w2s_data")}


def _flat(value: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Nested figures as lines; a share as one, with its interval."""
    for name, inner in value.items():
        words = f"{before}{name}".replace("_", " ")
        if isinstance(inner, Mapping) and "interval" in inner:
            low, high = inner["interval"]
            counted = f"{inner['count']:,} of {inner['of']:,}"
            yield words, f"{inner['share']:.3f} ({low:.3f} to {high:.3f}), {counted}"
        elif isinstance(inner, Mapping):
            yield from _flat(inner, f"{words}: ")
        elif isinstance(inner, float):
            yield words, f"{inner:.3f}"
        elif not isinstance(inner, list) and inner is not None and not is_dataclass(inner):
            yield words, inner


def _page() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined
    )
    environment.trim_blocks = environment.lstrip_blocks = True
    return environment.get_template("page.html.jinja")


def _valid(text: str) -> str:
    """`text` as UTF-8 can hold it, without the controls that HTML forbids."""
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]", "\N{REPLACEMENT CHARACTER}", text)
