"""Two equations shown to differ by a point that lies on one curve and not on the other."""

from __future__ import annotations

from w2s_data.answers.nodes import Node
from w2s_data.answers.numeric import NoValue, point, value, variables


def separated(f: Node, g: Node) -> bool:
    """Whether a point with f = 0 and g clearly not 0 was found, or the other way round.

    The point is found on a curve that is linear in one of its variables.
    """
    names = variables(f) | variables(g)
    return _leaves(f, g, names) or _leaves(g, f, names)


def _leaves(f: Node, g: Node, names: frozenset[str]) -> bool:
    for trial in range(3):
        at = point(names, trial)
        for name in sorted(variables(f)):
            try:
                values = [value(f, {**at, name: x})[0] for x in (0.0, 1.0, 2.0)]
                slope = values[1] - values[0]
                if abs(values[2] - values[1] - slope) > 1e-9 * (1 + max(map(abs, values))):
                    continue
                zero = -values[0] / slope
                if isinstance(zero, complex):
                    continue
                there = {**at, name: zero}
                here, wrong = value(f, there)
                other, error = value(g, there)
            except (NoValue, ZeroDivisionError):
                continue
            scale = 1 + max(map(abs, values))
            if abs(here) < 1e-9 * scale and abs(other) > 1e-6 * scale + 100 * (error + wrong):
                return True
    return False
