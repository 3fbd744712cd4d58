"""Findings as text, JSON, GitHub annotations, SARIF 2.1.0 or JUnit XML.

Names, ids and messages may come from hostile files: characters that steer a terminal are shown as
escapes, and each format's own marks are escaped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from w2s_data import __version__
from w2s_data.check.findings import Finding, Findings, Place
from w2s_data.check.rules import ERROR, RULES, WARNING

FORMATS = ("text", "json", "github", "sarif", "junit")
FEW = 5
# Control characters, line and paragraph separators, marks that turn the direction of writing, and
# half characters.
STEERING = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff\ufffe\uffff]"
)
LEVELS = {ERROR: "error", WARNING: "warning"}
SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def render(found: Findings, format: str, fail_on: str = ERROR) -> str:
    """The findings in one of FORMATS."""
    return {"text": text, "json": as_json, "github": github, "sarif": sarif, "junit": junit}[
        format
    ](found, fail_on)


def plain(value: object) -> str:
    """`value` in one line that steers no terminal."""
    return STEERING.sub(lambda match: f"\\u{ord(match[0]):04x}", str(value))


def text(found: Findings, fail_on: str = ERROR) -> str:
    """For a person: each set with its findings, the first few rows, and the way out."""
    lines: list[str] = []
    last = None
    for one in found:
        if one.set != last:
            lines += [""] * bool(lines) + [plain(one.set)]
            last = one.set
        lines.append(f"  {one.code} {one.severity}: {plain(one.message)}")
        if one.count:
            lines.append(f"       {_rows(one)}")
        lines.append(f"       way out: {one.way_out}")
    lines += [""] * bool(lines) + [f"not checked: {plain(what)}" for what in found.skipped]
    return "\n".join([*lines, _total(found)])


def _rows(one: Finding) -> str:
    shown = ", ".join(plain(place) for place in one.places[:FEW])
    more = f" and {one.count - FEW:,} more" if one.count > FEW else ""
    return f"{one.count:,} row{'s' * (one.count != 1)}: {shown}{more}"


def _total(found: Findings) -> str:
    errors = len(found.of(ERROR))
    rows = sum(one.rows for one in found.sets.values())
    sets = f"{len(found.sets)} set{'s' * (len(found.sets) != 1)}, {rows:,} rows"
    return f"{sets}: {errors} errors, {len(found) - errors} warnings"


def as_json(found: Findings, fail_on: str = ERROR) -> str:
    """For a program: every finding with up to a hundred rows."""
    return json.dumps(
        {
            "w2s_data": __version__,
            "sets": {
                name: {"rows": one.rows, "dropped": len(one.dropped), "fails": one.fails}
                for name, one in found.sets.items()
            },
            "skipped": found.skipped,
            "findings": [
                {
                    "code": one.code,
                    "severity": one.severity,
                    "set": one.set,
                    "message": one.message,
                    "way_out": one.way_out,
                    "file": one.file,
                    "count": one.count,
                    "rows": [place._asdict() for place in one.places],
                }
                for one in found
            ],
        },
        indent=2,
    )


def github(found: Findings, fail_on: str = ERROR) -> str:
    """GitHub's workflow commands: an annotation for each finding, at its first row."""
    return "\n".join([*map(_annotation, found), *map(_notice, found.skipped), _total(found)])


def _annotation(one: Finding) -> str:
    place = one.places[0] if one.places else Place(one.file, 1, 1)
    line = f",line={place.line}" if place.line else ""
    title = f"{one.code} {one.set}"
    rows = f" {_rows(one)}." if one.count else ""
    said = f"{one.message}.{rows} Way out: {one.way_out}"
    file, title = _property(place.file), _property(title)
    return f"::{LEVELS[one.severity]} file={file}{line},title={title}::{_data(said)}"


def _notice(what: str) -> str:
    return f"::notice::{_data(f'not checked: {what}')}"


def _data(value: str) -> str:
    return plain(value).replace("%", "%25")


def _property(value: str) -> str:
    return _data(value).replace(":", "%3A").replace(",", "%2C")


def sarif(found: Findings, fail_on: str = ERROR) -> str:
    """SARIF 2.1.0: one result for each finding, its rows as locations."""
    driver = {
        "name": "w2s-data",
        "version": __version__,
        "rules": [
            {
                "id": code,
                "shortDescription": {"text": rule.says},
                "help": {"text": rule.way_out},
                "defaultConfiguration": {"level": LEVELS[rule.severity]},
            }
            for code, rule in RULES.items()
        ],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(one) for one in found],
        "invocations": [
            {
                "executionSuccessful": True,
                "toolExecutionNotifications": [
                    {"level": "note", "message": {"text": f"not checked: {plain(what)}"}}
                    for what in found.skipped
                ],
            }
        ],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _result(one: Finding) -> dict[str, Any]:
    places = one.places or [Place(one.file, 1, 1)]
    rows = f" {_rows(one)}." if one.count else ""
    return {
        "ruleId": one.code,
        "ruleIndex": list(RULES).index(one.code),
        "level": LEVELS[one.severity],
        "message": {"text": f"{plain(one.set)}: {plain(one.message)}.{rows} {one.way_out}."},
        "locations": [_location(place) for place in places],
    }


def _location(place: Place) -> dict[str, Any]:
    from urllib.parse import quote

    where: dict[str, Any] = {
        "artifactLocation": {"uri": quote(place.file.encode("utf-8", "replace"), safe="/")}
    }
    if place.line:
        where["region"] = {"startLine": place.line}
    return {"physicalLocation": where, "message": {"text": plain(place)}}


def junit(found: Findings, fail_on: str = ERROR) -> str:
    """JUnit XML: a test case for each set and rule that failed, and one for each sound set."""
    failing = {id(one) for one in found.of(fail_on)}
    cases = [*_cases(found, failing)]
    head = f'tests="{len(cases)}" failures="{len(failing)}" errors="0"'
    suite = [f'<testsuite name="w2s-data check" {head}>', *cases, "</testsuite>"]
    return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', "<testsuites>", *suite,
                      "</testsuites>"])  # fmt: skip


def _cases(found: Findings, failing: set[int]) -> Iterator[str]:
    for one in found:
        opening = f"<testcase classname={_quoted(one.set)} name={_quoted(one.code)}>"
        rows = f"\n{_rows(one)}" if one.count else ""
        said = f"{escape(plain(one.message))}{escape(rows)}\n{escape(one.way_out)}"
        if id(one) in failing:
            said = f"<failure message={_quoted(one.message)}>{said}</failure>"
        else:
            said = f"<system-out>{said}</system-out>"
        yield f"{opening}{said}</testcase>"
    for name in found.sets.keys() - {one.set for one in found}:
        yield f'<testcase classname={_quoted(name)} name="check"/>'


def _quoted(value: str) -> str:
    return quoteattr(plain(value))
