"""The past as a picture (SVG): bad ratio over time, the tiers' thresholds, incidents shaded, pages as bars. The same bytes for the same past."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from html import escape
from itertools import pairwise
from typing import Final

from truegreen.alert_rules.backtest_inputs import plain
from truegreen.alert_rules.backtest_page import percent, said
from truegreen.alert_rules.backtest_score import Score
from truegreen.alert_rules.ladder import TIERS, Tier, threshold
from truegreen.core.clients.prometheus import Series

WIDTH: Final = 960
_LEFT, _RIGHT, _TOP = 64, 16, 44
_PLOT: Final = 200
_BAR: Final = 14
_LINE: Final = 13
_NAME: Final = 40
"""Characters of a name that are shown; three of them fit into the width."""
_PANEL: Final = _TOP + _PLOT + 3 * _BAR + 56
_ACROSS: Final = WIDTH - _LEFT - _RIGHT
_SHORT: Final = "15m"
_LONG: Final = "1h"
# Told apart by lightness too; on white and on near-black each has a contrast of 3 or more.
_STYLE: Final = (
    "svg{background:#fff;font:12px system-ui,sans-serif}text{fill:#24292f}.quiet{fill:#57606a}.axis{stroke:#8c959f}"
    ".incident{fill:#bf8700;fill-opacity:.22}.r15m{stroke:#8c959f}.r1h{stroke:#0969da;stroke-width:1.6}"
    ".fast{stroke:#cf222e}.slow{stroke:#bc4c00}.ticket{stroke:#8250df}.bar{stroke:none}.bar.fast{fill:#cf222e}.bar.slow{fill:#bc4c00}"
    ".bar.ticket{fill:#8250df}path{fill:none}.limit{stroke-dasharray:5 4}"
    "@media(prefers-color-scheme:dark){svg{background:#0d1117}text{fill:#e6edf3}.quiet{fill:#9198a1}.r15m{stroke:#6e7681}.r1h{stroke:#58a6ff}"
    ".fast{stroke:#ff7b72}.slow{stroke:#f0883e}.ticket{stroke:#bc8cff}.bar{stroke:none}.bar.fast{fill:#ff7b72}.bar.slow{fill:#f0883e}"
    ".bar.ticket{fill:#bc8cff}}"
)


@dataclass(frozen=True, slots=True)
class Panel:
    """One SLO of one service: its score and its bad ratios over 15 min and 1 h."""

    score: Score
    short: Series | None
    long: Series | None


def picture(panels: Sequence[Panel], start: float, end: float) -> str:
    """The SVG; one panel below the other, all on the same time axis (unix seconds, shown in UTC)."""
    height = _PANEL * max(1, len(panels)) + 8
    inside = "".join(_panel(panel, place * _PANEL, start, end) for place, panel in enumerate(panels))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">\n'
        f"<title>truegreen backtest, {said(start)} to {said(end)}</title>\n<style>{_STYLE}</style>\n"
        f"{inside or _text(_LEFT, 30, 'no SLO had events')}</svg>\n"
    )


def _panel(panel: Panel, top: int, start: float, end: float) -> str:
    score = panel.score
    budget = score.budget
    limits = [] if budget is None else [(tier, threshold(tier.rungs[0], budget)) for tier in TIERS]
    shown = _columns(panel.short, start, end), _columns(panel.long, start, end)
    most = max([0.01, *(y for columns in shown for _, y in columns), *(1.2 * float(limit) for _, limit in limits[:1])])
    most = min(1.0, _nice(most))
    base = top + _TOP + _PLOT

    def x(time: float) -> float:
        return _LEFT + _ACROSS * (min(max(time, start), end) - start) / max(1.0, end - start)

    def y(ratio: float) -> float:
        return base - _PLOT * min(ratio, most) / most

    objective = "no budget" if budget is None else f"objective {percent(1 - budget)}"
    parts = [
        _text(
            _LEFT,
            top + 18,
            " · ".join(map(_cut, (score.slo, score.service or "(no service)", score.environment or "(no environment)"))),
            "",
            "600",
        )
    ]
    parts.append(
        _text(_LEFT, top + 34, f"bad ratio over 15 min (grey) and 1 h (blue); {objective}; {score.events:.0f} events", "quiet")
    )
    for one in score.incidents or ():
        wide = max(1.0, x(one.end) - x(one.start))
        parts.append(
            f'<rect class="incident" x="{x(one.start):.1f}" y="{top + _TOP}" width="{wide:.1f}" height="{_PLOT}"><title>incident from {said(one.start)} to {said(one.end)}</title></rect>\n'
        )
    for part in range(5):
        ratio = most * part / 4
        parts.append(_text(_LEFT - 6, y(ratio) + 4, f"{100 * ratio:.3g} %", "quiet", anchor="end"))
    parts.append(f'<path class="axis" d="M{_LEFT} {top + _TOP}V{base}H{WIDTH - _RIGHT}"/>\n')
    parts += _limits([(tier, limit) for tier, limit in limits if float(limit) <= most], y)
    for columns, name in zip(shown, (f"r{_SHORT}", f"r{_LONG}"), strict=True):
        drawn = _line([(x(time), y(ratio)) for time, ratio in columns], _ACROSS / max(1, _ACROSS) * 3)
        parts.append(f'<path class="{name}" d="{drawn}"/>\n' if drawn else "")
    for row, tier in enumerate(score.tiers):
        at = base + 8 + row * _BAR
        parts.append(_text(_LEFT - 6, at + 9, tier.name, "quiet", anchor="end"))
        for a, b in tier.episodes:
            parts.append(
                f'<rect class="bar {tier.name}" x="{x(a):.1f}" y="{at}" width="{max(2.0, x(b) - x(a)):.1f}" height="{_BAR - 4}"><title>{tier.name} (sev {tier.sev}) from {said(a)} to {said(b)}</title></rect>\n'
            )
    for part in range(5):
        time = start + (end - start) * part / 4
        anchor = "start" if part == 0 else "end" if part == 4 else "middle"
        parts.append(_text(x(time), base + 3 * _BAR + 24, said(time).removesuffix("Z").replace("T", " "), "quiet", anchor=anchor))
    return "".join(parts)


def _limits(limits: Sequence[tuple[Tier, Decimal]], y: Callable[[float], float]) -> list[str]:
    # From the lowest up: a label that would lie on the one below it stands above it.
    parts, below = [], math.inf
    for tier, limit in sorted(limits, key=lambda each: each[1]):
        at = y(float(limit))
        below = min(at - 3, below - _LINE)
        parts.append(f'<path class="limit {tier.name}" d="M{_LEFT} {at:.1f}H{WIDTH - _RIGHT}"/>\n')
        parts.append(_text(WIDTH - _RIGHT, below, f"{tier.name} {percent(limit)}", "quiet", anchor="end"))
    return parts


def _cut(name: str) -> str:
    # Names of spans have no end; the middle of one is what tells least.
    return name if len(name) <= _NAME else f"{name[: _NAME - 12]}…{name[-11:]}"


def _columns(series: Series | None, start: float, end: float) -> list[tuple[float, float]]:
    # One point for each pixel: the highest of its time, so that no peak is lost.
    best: dict[int, tuple[float, float]] = {}
    for time, ratio in series.points if series else ():
        if start <= time <= end and math.isfinite(ratio):
            column = int(_ACROSS * (time - start) / max(1.0, end - start))
            if column not in best or ratio > best[column][1]:
                best[column] = (time, ratio)
    return [best[column] for column in sorted(best)]


def _line(points: Sequence[tuple[float, float]], gap: float) -> str:
    # A gap in the data is a gap in the line.
    if not points:
        return ""
    apart = sorted(b[0] - a[0] for a, b in pairwise(points))
    usual = max(gap, 3 * apart[len(apart) // 2]) if apart else gap
    parts, before = [], None
    for x, y in points:
        parts.append(f"{'M' if before is None or x - before > usual else 'L'}{x:.1f} {y:.1f}")
        before = x
    return "".join(parts)


def _nice(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 1.5, 2, 3, 5, 7.5, 10) if step * power >= value * (1 - 1e-9))


def _text(x: float, y: float, said_: str, kind: str = "", weight: str = "", anchor: str = "") -> str:
    more = (
        (f' class="{kind}"' if kind else "")
        + (f' font-weight="{weight}"' if weight else "")
        + (f' text-anchor="{anchor}"' if anchor else "")
    )
    return f'<text x="{x:.1f}" y="{y:.1f}"{more}>{escape(plain(said_))}</text>\n'
