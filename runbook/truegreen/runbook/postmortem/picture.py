"""A chart as SVG that needs nothing else: no script, no font, no file. Pure; all texts in it are escaped."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Final

from truegreen.runbook.page.sli import Mark
from truegreen.runbook.postmortem.model import Figure

WIDTH, HEIGHT = 720.0, 230.0
LEFT, RIGHT, TOP, BOTTOM = 64.0, 12.0, 34.0, 26.0
CLOSE: Final = 18.0
"""Letters that are nearer than this stand one under the other."""
_WHOLE: Final = (60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400, 172_800, 604_800)


def svg(figure: Figure, marks: Sequence[Mark]) -> str:
    """The drawing of a figure that has points."""
    top = _round_up(max([value for _, value in figure.points] + [1.4 * (figure.bound or 0.0)]) or 1.0, figure.unit)
    floor = HEIGHT - BOTTOM

    def x(time: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (time - figure.start) / max(figure.end - figure.start, 1.0)

    def y(value: float) -> float:
        return TOP + (floor - TOP) * (1 - min(value, top) / top)

    parts = [f'<svg viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" aria-label="{escape(described(figure), quote=True)}">']
    for part in (0.0, 0.5, 1.0):
        at = y(top * part)
        parts.append(f'<line class="grid" x1="{LEFT:g}" x2="{WIDTH - RIGHT:g}" y1="{at:.1f}" y2="{at:.1f}"/>'
                     f'<text class="tick" text-anchor="end" x="{LEFT - 8:g}" y="{at + 4:.1f}">{shown(top * part, figure.unit)}</text>')  # fmt: skip
    parts += [
        f'<text class="tick" text-anchor="middle" x="{x(time):.1f}" y="{HEIGHT - 7:g}">{_clock(time, figure)}</text>'
        for time in _times(figure.start, figure.end)
    ]
    if figure.unit == "count":
        wide = max((WIDTH - LEFT - RIGHT) * figure.step / max(figure.end - figure.start, 1.0) - 1, 1.0)
        parts += [f'<rect class="bar" x="{max(x(t) - wide, LEFT):.1f}" y="{y(v):.1f}" width="{wide:.1f}" height="{floor - y(v):.1f}"/>'
                  for t, v in figure.points if v > 0]  # fmt: skip
    else:
        for run in _runs(figure):
            path = " L".join(f"{x(t):.1f},{y(v):.1f}" for t, v in (run if len(run) > 1 else run * 2))
            if figure.unit == "share":
                parts.append(f'<path class="area" d="M{path} L{x(run[-1][0]):.1f},{floor:g} L{x(run[0][0]):.1f},{floor:g} Z"/>')
            parts.append(f'<path class="line" d="M{path}"/>')
    if figure.bound is not None:
        parts.append(
            f'<line class="bound" x1="{LEFT:g}" x2="{WIDTH - RIGHT:g}" y1="{y(figure.bound):.1f}" y2="{y(figure.bound):.1f}"/>'
        )
    last, row = -math.inf, 0
    for mark in marks:
        if figure.start <= mark.time <= figure.end:
            at = x(mark.time)
            row = (row + 1) % 2 if at - last < CLOSE else 0
            last = at
            parts.append(f'<line class="mark" x1="{at:.1f}" x2="{at:.1f}" y1="{8 + 16 * row:g}" y2="{floor:g}"/>'
                         f'<circle class="badge" cx="{at:.1f}" cy="{9 + 16 * row:g}" r="8"/>'
                         f'<text class="letter" text-anchor="middle" x="{at:.1f}" y="{13 + 16 * row:g}">{escape(mark.letter)}</text>')  # fmt: skip
    return "".join([*parts, "</svg>"])


def described(figure: Figure) -> str:
    """The figure in one sentence, for who does not see it."""
    values = [value for _, value in figure.points]
    bound = f", {shown(figure.bound, figure.unit)} allowed" if figure.bound is not None else ""
    if not values:
        return f"{figure.says}: {figure.wrong}"
    total = f", {sum(values):,.0f} in all" if figure.unit == "count" else ""
    return f"{figure.says}: at most {shown(max(values), figure.unit)}, {shown(values[-1], figure.unit)} at the end{total}{bound}"


def shown(value: float, unit: str) -> str:
    """A value with its unit."""
    if unit == "share":
        return f"{value * 100:.3g} %"
    if unit == "seconds":
        return f"{value:.3g} s"
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"


def _round_up(value: float, unit: str) -> float:
    value = max(value, 1e-9)
    size = 10.0 ** math.floor(math.log10(value))
    found = next(step * size for step in (1.0, 2.0, 2.5, 4.0, 5.0, 8.0, 10.0) if step * size >= value * 0.9999)
    return min(found, 1.0) if unit == "share" else found


def _runs(figure: Figure) -> Iterator[list[tuple[float, float]]]:
    run: list[tuple[float, float]] = []
    for time, value in figure.points:
        if run and time - run[-1][0] > 1.5 * figure.step:
            yield run
            run = []
        run.append((time, value))
    if run:
        yield run


def _times(start: float, end: float) -> list[float]:
    whole = next((each for each in _WHOLE if (end - start) / each <= 7), int((end - start) / 7) or 1)
    return [float(t) for t in range(math.ceil(start / whole) * whole, int(end) + 1, whole)]


def _clock(time: float, figure: Figure) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%H:%M" if figure.end - figure.start <= 2 * 86_400 else "%d %b")
