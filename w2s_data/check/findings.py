"""What is found: findings, the places they name, and what could not be checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from w2s_data.check.rules import RULES, SEVERITIES
from w2s_data.errors import W2SError, unknown

SHOWN = 100


class Place(NamedTuple):
    """Where a row stands: its number from 1, its line where the file has lines, its id if any."""

    file: str
    row: int
    line: int | None = None
    id: str | None = None

    def __str__(self) -> str:
        where = f"line {self.line}" if self.line else f"row {self.row}"
        return f"{where} ({self.id})" if self.id else where


class Verdict(NamedTuple):
    """What becomes of a set: its rows, those (from 0) that are dropped without an error, and what
    stops the training, None for nothing."""

    rows: int
    dropped: list[int]
    fails: str | None


@dataclass
class Finding:
    """What a rule found in a set: `count` rows, of which `places` are the first hundred.

    `count` is 0 for what concerns no single row. `file` is where the cause is to be mended.
    """

    code: str
    set: str
    message: str
    file: str
    count: int = 0
    of: int | None = None
    places: list[Place] = field(default_factory=list)

    @property
    def severity(self) -> str:
        return RULES[self.code].severity

    @property
    def way_out(self) -> str:
        return RULES[self.code].way_out


class Findings:
    """All that was found, and what could not be checked."""

    def __init__(self, select: Iterable[str] = (), ignore: Iterable[str] = ()):
        self.select, self.ignore = tuple(select), tuple(ignore)
        for code in (*self.select, *self.ignore):
            if not any(known.startswith(code) for known in RULES) or not code:
                raise unknown("rule", code, RULES)
        self.sets: dict[str, Verdict] = {}
        self.skipped: list[str] = []
        self._found: dict[tuple[str, str, str], Finding] = {}

    def wants(self, *codes: str) -> bool:
        """Whether one of the rules is asked for; a code stands for all that begin with it."""
        return any(self._wanted(code) for code in codes)

    def _wanted(self, code: str) -> bool:
        chosen = not self.select or code.startswith(self.select)
        return chosen and not (self.ignore and code.startswith(self.ignore))

    def add(
        self, code: str, set: str, message: str = "", place: Place | None = None, file: str = ""
    ) -> None:
        """One more case of `code`; the same message about the same set counts as one finding."""
        if not self._wanted(code):
            return
        message = message or RULES[code].says
        file = place.file if place else file
        found = self._found.setdefault((code, set, message), Finding(code, set, message, file))
        if place:
            found.count += 1
            if len(found.places) < SHOWN:
                found.places.append(place)

    def skip(self, what: str) -> None:
        """Say what could not be checked."""
        if what not in self.skipped:
            self.skipped.append(what)

    def __iter__(self) -> Iterator[Finding]:
        return iter(sorted(self._found.values(), key=lambda one: (one.set, _family(one.code))))

    def __len__(self) -> int:
        return len(self._found)

    def of(self, severity: str) -> list[Finding]:
        """The findings at this severity or above."""
        if severity not in SEVERITIES:
            raise W2SError(f"--fail-on must be warning or error, was: {severity!r}")
        least = SEVERITIES.index(severity)
        return [one for one in self if SEVERITIES.index(one.severity) >= least]


def _family(code: str) -> tuple[bool, str]:
    return code.startswith("M"), code
