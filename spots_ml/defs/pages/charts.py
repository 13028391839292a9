"""Small charts as SVG text inside markdown, because that is what the asset page shows without a click or a server.

The page shows markdown below 1,000 characters in place and hides longer text behind a link, so every character counts
here: integer coordinates, relative paths, three-digit colours. What is drawn is decided in `plots`.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

import dagster as dg

SHOWN_IN_PLACE: Final = 1000
"""Markdown of this many characters or more is behind a link."""

INK, ACCENT, QUIET = "#222", "#26e", "gray"

_WIDTH, _HEIGHT = 400, 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 392, 18, 120
_BAR_PITCH: Final = 18
_ESCAPED: Final = str.maketrans({"<": "%3C", ">": "%3E", "#": "%23", "%": "%25", "&": "%26"})

_ALL: Final = 1_000_000

Point = tuple[float, float]


def image(body: str, alt: str, *, height: int = _HEIGHT) -> dg.MetadataValue:
    """Put SVG elements into markdown.

    Args:
        body: SVG elements; text in them has no markup characters.
        alt: What the picture shows.
        height: Of the picture, in pixels.

    Returns:
        Markdown with the picture inside.
    """
    svg = (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{_WIDTH}' height='{height}' "
        f"style='font:10px sans-serif;background:#fff'>{body}</svg>"
    )
    return dg.MetadataValue.md(f"![{alt}](<data:image/svg+xml,{svg.translate(_ESCAPED)}>)")


def tick(value: float) -> str:
    """Write a number for a picture.

    Args:
        value: Any number.

    Returns:
        At most three significant digits, thousands in full.

    >>> tick(0.024722), tick(1234567.0)
    ('0.0247', '1,234,567')
    """
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


class Chart:
    """Axes with lines and dots on them."""

    def __init__(self, x_range: tuple[float, float], y_range: tuple[float, float]) -> None:
        self._x, self._y = _not_empty(x_range), _not_empty(y_range)
        self._lines: list[str] = []
        self._legend: list[str] = []

    def line(self, points: Iterable[Point], colour: str, name: str = "", *, dashed: bool = False) -> None:
        """Draw a line.

        Args:
            points: In data units.
            colour: Of the line and its name.
            name: For the legend; empty: not in it.
            dashed: For what is only there to compare with.
        """
        dash = " stroke-dasharray='4'" if dashed else ""
        self._add(self._path(points), colour, name, dash)

    def dots(self, points: Iterable[Point], colour: str, name: str = "") -> None:
        """Draw dots.

        Args:
            points: In data units.
            colour: Of the dots and their name.
            name: For the legend; empty: not in it.
        """
        path = "".join(f"M{x} {y}h0" for x, y in map(self._place, points))
        self._add(path, colour, name, " stroke-width='5' stroke-linecap='round'")

    def spans(self, spans: Iterable[tuple[float, float, float]], colour: str, name: str = "") -> None:
        """Draw vertical lines.

        Args:
            spans: `(x, lowest y, highest y)` in data units.
            colour: Of the lines and their name.
            name: For the legend; empty: not in it.
        """
        ends = [(self._place((x, low)), self._place((x, high))) for x, low, high in spans]
        path = "".join(f"M{x} {low}V{high}" for (x, low), (_, high) in ends)
        self._add(path, colour, name)

    def markdown(self, alt: str, *, x_label: str, y_label: str = "") -> dg.MetadataValue:
        """Finish the picture.

        Args:
            alt: What the picture shows.
            x_label: What is on the x axis, with its unit.
            y_label: What is on the y axis; written into the legend line.

        Returns:
            Markdown with the picture inside.
        """
        legend = " ".join([*([f"{y_label}:"] if y_label else []), *self._legend])
        frame = f"<path d='M{_LEFT} {_TOP}V{_BOTTOM}H{_RIGHT}' stroke='{QUIET}'/>"
        texts = (
            f"<text x='{_LEFT}' y='10'>{legend}</text>"
            f"<text x='{_LEFT}' y='132'>{tick(self._x[0])}</text>"
            f"<text x='170' y='142'>{x_label}</text>"
            f"<g text-anchor='end'><text x='{_RIGHT}' y='132'>{tick(self._x[1])}</text>"
            f"<text x='42' y='24'>{tick(self._y[1])}</text><text x='42' y='{_BOTTOM}'>{tick(self._y[0])}</text></g>"
        )
        return image(f"<g fill='none'>{''.join(self._lines)}{frame}</g>{texts}", alt)

    def _add(self, path: str, colour: str, name: str, more: str = "") -> None:
        self._lines.append(f"<path d='{path}' stroke='{colour}'{more}/>")
        if name:
            self._legend.append(f"<tspan fill='{colour}'>{name}</tspan>")

    def _place(self, point: Point) -> tuple[int, int]:
        (low_x, high_x), (low_y, high_y) = self._x, self._y
        x = _LEFT + (point[0] - low_x) / (high_x - low_x) * (_RIGHT - _LEFT)
        y = _BOTTOM - (point[1] - low_y) / (high_y - low_y) * (_BOTTOM - _TOP)
        return round(x), round(min(max(y, _TOP), _BOTTOM))

    def _path(self, points: Iterable[Point]) -> str:
        placed = [self._place(point) for point in points]
        if not placed:
            return ""
        steps = [f"{x - x0} {y - y0}" for (x0, y0), (x, y) in pairwise(placed)]
        return f"M{placed[0][0]} {placed[0][1]}l" + " ".join(steps).replace(" -", "-") if steps else ""


def bar_lines(values: Sequence[tuple[str, float]], alt: str) -> dg.MetadataValue:
    """Draw horizontal bars from 0, with name and value before each.

    Args:
        values: Name and length, at least 0, from top to bottom; may be empty.
        alt: What the lengths mean.

    Returns:
        Markdown with the picture inside.
    """
    left = 30 + 6 * max((len(f"{name} {tick(value)}") for name, value in values), default=0)
    longest = max((value for _, value in values), default=0) or 1
    lengths = [round(value / longest * (_RIGHT - left)) for _, value in values]
    path = "".join(f"M{left} {9 + _BAR_PITCH * row}h{length}" for row, length in enumerate(lengths))
    texts = "".join(
        f"<text y='{13 + _BAR_PITCH * row}'>{name} {tick(value)}</text>" for row, (name, value) in enumerate(values)
    )
    height = 6 + _BAR_PITCH * max(1, len(values))
    return image(f"<path d='{path}' stroke='{ACCENT}' stroke-width='11'/>{texts}", alt, height=height)


def intervals(
    rows: Sequence[tuple[str, float, float, float]], mark: float, mark_name: str, alt: str, *, n_accented: int = _ALL
) -> dg.MetadataValue:
    """Draw horizontal intervals with their middle, name and value before each, and a dashed line through all.

    Args:
        rows: `(name, value, low, high)` from top to bottom; may be empty.
        mark: Where the line is.
        mark_name: Written below it.
        alt: What is drawn.
        n_accented: How many of the first rows are what the picture is about; the others are grey.

    Returns:
        Markdown with the picture inside; the axis reaches from the least end or 0 to the greatest.
    """
    left = 30 + 6 * max((len(f"{name} {tick(value)}") for name, value, _, _ in rows), default=0)
    lowest = min([0.0, mark, *(row[2] for row in rows)])
    highest = max([mark, *(row[3] for row in rows)])
    span = (highest - lowest) or 1.0

    def at(value: float) -> int:
        return left + round((value - lowest) / span * (_RIGHT - left))

    bottom = _BAR_PITCH * max(1, len(rows))
    texts = "".join(f"<text y='{13 + _BAR_PITCH * row}'>{one[0]} {tick(one[1])}</text>" for row, one in enumerate(rows))
    lines = [f"M{at(low)} {9 + _BAR_PITCH * row}H{at(high)}" for row, (_, _, low, high) in enumerate(rows)]
    dots = [f"M{at(value)} {9 + _BAR_PITCH * row}h0" for row, (_, value, _, _) in enumerate(rows)]
    marks = "".join(
        f"<g stroke='{colour}'><path d='{''.join(lines[part])}'/>"
        f"<path d='{''.join(dots[part])}' stroke-width='6' stroke-linecap='round'/></g>"
        for colour, part in ((ACCENT, slice(n_accented)), (QUIET, slice(n_accented, None)))
        if dots[part]
    )
    body = (
        f"{marks}"
        f"<path d='M{at(mark)} 0V{bottom}' stroke='{INK}' stroke-dasharray='4'/>"
        f"<text x='{min(at(mark), _RIGHT - 6 * len(mark_name))}' y='{bottom + 12}'>{mark_name}</text>{texts}"
    )
    return image(body, alt, height=bottom + 16)


def _not_empty(limits: tuple[float, float]) -> tuple[float, float]:
    """Keep limits that differ; one value alone gets an axis from 0 on which it stands in the middle."""
    low, high = limits
    if high > low:
        return low, high
    return (min(2 * low, 0.0), max(2 * low, 0.0)) if low else (0.0, 1.0)
