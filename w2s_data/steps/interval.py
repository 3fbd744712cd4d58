"""How far a share counted in a sample may be from the truth."""

from __future__ import annotations

import math

from w2s_data.errors import out_of_range

Z95 = 1.959963984540054


def wilson(accuracy: float, n: int) -> tuple[float, float]:
    """The 95 % score interval of a proportion over n trials (Wilson 1927)."""
    if n < 1:
        raise out_of_range("n", ">= 1", n)
    shrink = 1 + Z95**2 / n
    centre = (accuracy + Z95**2 / (2 * n)) / shrink
    reach = Z95 / shrink * math.sqrt(accuracy * (1 - accuracy) / n + Z95**2 / (4 * n**2))
    return max(0.0, centre - reach), min(1.0, centre + reach)
