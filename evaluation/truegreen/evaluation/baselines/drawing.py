"""What moved, as a picture: a dot with its interval for each of the strongest findings. Pure."""

from __future__ import annotations

from typing import Final
from xml.sax.saxutils import escape

from truegreen.evaluation.baselines.comparison import Compared, Finding
from truegreen.evaluation.plain import plain

MOST: Final = 30
_LEFT: Final = 380
_WIDE: Final = 420
_ROW: Final = 22
_TOP: Final = 64
_LONGEST: Final = 58


def svg(found: Compared, title: str) -> str:
    """An SVG picture: effects from -1 to 1, what lies beyond at the edge; filled where it moved, hollow where it may be chance."""
    shown = found.findings[:MOST]
    high = _TOP + _ROW * max(len(shown), 1) + 40
    title = plain(title)
    moved = sum(one.moved for one in found.findings)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LEFT + _WIDE + 60}" height="{high}" font-family="sans-serif" font-size="12" fill="#222">',
        f"<title>{escape(title)}</title>",
        '<rect width="100%" height="100%" fill="#fff"/>',
        f'<text x="12" y="22" font-size="14">{escape(title[:110])}</text>',
        f'<text x="12" y="42">{moved} of {len(found.findings)} tests moved (filled); the others may be chance (hollow)</text>',
    ]
    for value in (-1.0, -0.5, 0.0, 0.5, 1.0):
        x = _x(value)
        parts.append(f'<line x1="{x}" y1="{_TOP - 8}" x2="{x}" y2="{high - 32}" stroke="{"#888" if value == 0 else "#ddd"}"/>')
        parts.append(f'<text x="{x}" y="{high - 18}" text-anchor="middle">{value:+g}</text>')
    for place, one in enumerate(shown):
        parts += _row(one, _TOP + _ROW * place + 6)
    caption = (
        "effect of the second against the first: Cohen's h (ratios), Cliff's delta (numbers, style), cosine distance (vectors)"
    )
    parts.append(f'<text x="12" y="{high - 4}" font-size="10" fill="#555">{caption}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _row(one: Finding, y: int) -> list[str]:
    name = plain(one.name, _LONGEST)
    colour = "#b3261e" if one.moved else "#777"
    says = f"{plain(one.name)}: {one.before:.4g} -> {one.after:.4g}, effect {one.effect:+.2f}, q = {one.q:.2g}"
    return [
        f"<g><title>{escape(says)}</title>",
        f'<text x="{_LEFT - 10}" y="{y + 4}" text-anchor="end">{escape(name)}</text>',
        f'<line x1="{_x(one.low)}" y1="{y}" x2="{_x(one.high)}" y2="{y}" stroke="{colour}" stroke-width="2"/>',
        f'<circle cx="{_x(one.effect)}" cy="{y}" r="5" stroke="{colour}" stroke-width="2" fill="{colour if one.moved else "#fff"}"/></g>',
    ]


def _x(effect: float) -> int:
    return round(_LEFT + _WIDE * (min(max(effect, -1.0), 1.0) + 1) / 2)
