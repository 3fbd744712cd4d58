"""Records -> charts as SVG, drawn here by Vega-Altair: the page needs no chart program."""

from __future__ import annotations

import base64
import io
import re
from typing import Any, NamedTuple

from w2s_data.errors import missing_extra
from w2s_data.report.figures import VERDICTS, Figures, Record

COLOURS = ("#0072b2", "#d55e00", "#999999", "#009e73", "#cc79a7", "#e69f00")  # Okabe and Ito
WIDTH, HEIGHT = 420, 150


class Chart(NamedTuple):
    """A drawing (SVG in base64) with what it says in words, and its numbers."""

    title: str
    caption: str
    image: str
    records: list[Record]


def charts(figures: Figures, manifest: dict[str, Any]) -> list[Chart]:
    """Every chart that the set has numbers for."""
    try:
        import altair
        import vl_convert  # noqa: F401 (draws what altair describes)
    except ImportError as error:
        raise missing_extra(error.name or "altair", "report") from None
    drawn = [
        _chart(
            "From questions to rows",
            "What became of every question, by the manifest's counts.",
            figures.funnel(manifest),
            _funnel(altair),
        )
    ]
    for column in figures.numbers:
        records = figures.distribution(column)
        drawn.append(_distribution(altair, _drawable(column.replace("_", " ")), records))
    if figures.reliability:
        drawn.append(_reliability(altair, figures))
    if figures.lengths:
        drawn.append(_lengths(altair, figures.length_distribution()))
    for part in ("level", "subject"):
        if figures.parts[part]:
            drawn.append(_by_part(altair, part, figures.by_part(part)))
    return drawn


def _chart(title: str, caption: str, records: list[Record], chart: Any) -> Chart:
    file = io.StringIO()
    texts = [{k: _drawable(v) for k, v in record.items()} for record in records]
    drawing = chart.properties(data={"values": texts}, padding={"left": 40, "right": 20})
    drawing.save(file, format="svg")
    svg = re.sub(r"gradient_\d+", "gradient", file.getvalue())  # Vega counts them on and on
    return Chart(title, caption, base64.b64encode(svg.encode()).decode(), records)


def _drawable(value: Any) -> Any:
    """A text that SVG can hold: short, and without what XML forbids."""
    if not isinstance(value, str):
        return value
    short = value if len(value) <= 48 else value[:47] + "…"
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in short)


def _funnel(altair: Any) -> Any:
    base = altair.Chart(width=WIDTH).encode(
        y=altair.Y("step:N", sort=None, title=None, axis=altair.Axis(labelLimit=320)),
        x=altair.X("count:Q", title="questions or rows"),
    )
    numbers = base.mark_text(align="left", dx=3).encode(text=altair.Text("count:Q", format=","))
    return base.mark_bar(color=COLOURS[0]) + numbers


def _distribution(altair: Any, title: str, records: list[Record]) -> Chart:
    """Counts per value; where gold is known correct and incorrect ones, accuracy on top
    (Reliability-Aware Alignment, figures 3 and 5)."""
    where = altair.X("value:O", sort=None, title=title, axis=altair.Axis(labelAngle=-40))
    plot = altair.Chart(width=WIDTH, height=HEIGHT)
    if not any("accuracy" in record for record in records):
        bars = plot.mark_bar(color=COLOURS[0]).encode(x=where, y=altair.Y("rows:Q"))
        return _chart(title.capitalize(), f"Rows by {title}.", records, bars)
    caption = f"Right and wrong rows by {title}; on top accuracy, its 95 % interval over rows."
    seen = tuple(v for v in VERDICTS if any(record.get(v) for record in records))
    together = altair.vconcat(
        _accuracies(altair, "value"), _stacked(altair, where, seen, "rows"), spacing=4
    )
    return _chart(title.capitalize(), caption, records, together)


def _accuracies(altair: Any, name: str) -> Any:
    where = altair.X(f"{name}:O", sort=None, axis=None)
    scale = altair.Scale(domain=[0, 1])
    base = altair.Chart(width=WIDTH, height=70).transform_filter("isValid(datum.accuracy)")
    line = base.mark_line(point=True, color="black").encode(
        x=where, y=altair.Y("accuracy:Q", scale=scale)
    )
    return line + base.mark_rule(color="black").encode(
        x=where, y=altair.Y("low:Q", title="accuracy", scale=scale), y2="high:Q"
    )


def _stacked(altair: Any, where: Any, names: tuple[str, ...], title: str) -> Any:
    return (
        altair.Chart(width=WIDTH, height=HEIGHT)
        .transform_fold(list(names), as_=["what", "n"])
        .transform_filter("datum.n > 0")
        .mark_bar()
        .encode(
            x=where,
            y=altair.Y("n:Q", title=title),
            color=altair.Color(
                "what:N", title=None, scale=altair.Scale(domain=names, range=COLOURS[: len(names)])
            ),
        )
    )


def _reliability(altair: Any, figures: Figures) -> Chart:
    """Reliability-Aware Alignment, figures 4 and 6."""
    records, measure = figures.reliabilities(), figures.measure
    title = f"Mean {measure} by true and weak label"
    caption = f"The mean {measure} of the rows whose weak label is right, and of the others."
    if "true label" not in records[0]:
        bars = altair.Chart(width=WIDTH / 2, height=HEIGHT).encode(
            x=altair.X("weak label:N", title="weak label", axis=altair.Axis(labelAngle=0)),
            y=altair.Y("mean:Q", title=f"mean {measure}"),
        )
        drawn = bars.mark_bar(color=COLOURS[0]) + bars.mark_text(dy=-6).encode(text="mean:Q")
        return _chart(title, caption, records, drawn)
    cells = altair.Chart(width=WIDTH / 2, height=WIDTH / 2).encode(
        x=altair.X("weak label:N", axis=altair.Axis(labelAngle=0)), y="true label:N"
    )
    colour = altair.Color("mean:Q", scale=altair.Scale(scheme="blues"), title=f"mean {measure}")
    ink = altair.condition("datum.mean > 0.6", altair.value("white"), altair.value("black"))
    drawn = cells.mark_rect().encode(color=colour) + cells.mark_text().encode(
        text="mean:Q", color=ink
    )
    return _chart(title, f"The mean {measure} for each pair of labels.", records, drawn)


def _lengths(altair: Any, records: list[Record]) -> Chart:
    sides = list(dict.fromkeys(_drawable(record["side"]) for record in records))
    bars = (
        altair.Chart(width=WIDTH, height=HEIGHT)
        .mark_bar()
        .encode(
            x=altair.X("characters:O", sort=None, axis=altair.Axis(labelAngle=-40)),
            y=altair.Y("count:Q", title="responses"),
            xOffset="side:N",
            color=altair.Color(
                "side:N", title=None, scale=altair.Scale(domain=sides, range=COLOURS)
            ),
        )
    )
    return _chart("Length", "Kept responses by their length in characters.", records, bars)


def _by_part(altair: Any, part: str, records: list[Record]) -> Chart:
    where = altair.X(f"{part}:N", sort=None, title=part, axis=altair.Axis(labelAngle=-20))
    drawn = _stacked(altair, where, ("kept", "dropped"), "rows")
    caption = f"Kept and dropped rows by {part}"
    if any("accuracy" in record for record in records):
        drawn = altair.vconcat(_accuracies(altair, part), drawn, spacing=4)
        caption += "; on top the accuracy of their labels"
    return _chart(part.capitalize(), f"{caption}.", records, drawn)
