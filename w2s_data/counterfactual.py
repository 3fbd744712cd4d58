"""How would a row have ended with other settings? Tried on its recorded samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, get_type_hints

from w2s_data import methods
from w2s_data.errors import W2SError
from w2s_data.methods import Stage
from w2s_data.rows import Row

HALVINGS = 20


@dataclass(frozen=True)
class Decided:
    """A setting that decided: at its `value` the row ended as it did; at `other`, and beyond, it
    would have ended as `then` says."""

    setting: str
    value: float
    other: float
    then: str


def thresholds(stage: Stage) -> dict[str, tuple[float, float]]:
    """The parameters that are numbers between two limits."""
    found = {}
    hints = get_type_hints(stage.run, include_extras=True)
    for name in methods.parameters(stage):
        bounds = [limit for m in getattr(hints[name], "__metadata__", ()) for limit in m.metadata]
        low = next((limit.ge for limit in bounds if hasattr(limit, "ge")), None)
        high = next((limit.le for limit in bounds if hasattr(limit, "le")), None)
        is_float = getattr(hints[name], "__origin__", None) is float
        if is_float and low is not None and high is not None:
            found[name] = (float(low), float(high))
    return found


@dataclass
class Ends:
    """How a row ends, now and with other settings. `unsaid` are the settings of which the recorded
    samples do not say what another value would have done."""

    row: Row
    run: Callable[[Mapping[str, Any]], Iterator[Row]]
    now: str = field(init=False)
    unsaid: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.now = _ending(self.row)

    def __call__(self, values: Mapping[str, Any]) -> str | None:
        """ "kept", "kept as LABEL" or the reason; None where the recorded samples do not say."""
        try:
            rows = list(self.run(values))
        except (W2SError, LookupError, StopIteration):
            return None
        return _ending(rows[0]) if rows else None

    def turned(self, values: Mapping[str, Any], name: str, limit: float) -> Decided | None:
        """The value of a setting nearest to its own that ends the row otherwise, if one towards
        `limit` does."""
        same, other = values[name], limit
        then = self({**values, name: other})
        if then is None:
            self.unsaid.add(name)
        if then in (None, self.now):
            return None
        for _ in range(HALVINGS):
            middle = (same + other) / 2
            ending = self({**values, name: middle})
            if ending == self.now:
                same = middle
            elif ending is not None:
                other, then = middle, ending
        return Decided(name, values[name], other, then or "")


def _ending(row: Row) -> str:
    kept = f"kept as {row['label']}" if "label" in row else "kept"
    return str(row.get("dropped", kept))
