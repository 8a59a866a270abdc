"""Fill the templates; every text is escaped. And the headers that every answer has."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from truegreen.runbook.times import iso, span

POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
"""Nothing from anywhere else, and no script or style that stands in a text."""
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
STATIC: Final = {"page.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8", "icon.svg": "image/svg+xml"}
DAY: Final = 86_400.0
_HERE: Final = Path(__file__).parent


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(iso=iso, span=span, clock=lambda time: iso(time)[11:19], left=left, percent=percent, moment=moment)
    return made


def page(template: str, **context: Any) -> str:
    """The HTML of a template."""
    return _environment().get_template(f"{template}.html.j2").render(context)


@cache
def static(name: str) -> bytes:
    """A script, a style or the icon; raises `KeyError` for any other name."""
    STATIC[name]
    return (files("truegreen.runbook.page") / "static" / name).read_bytes()


def left(seconds: float) -> str:
    """Time that is left, or that is over: `12:30` or `-1:02:03`."""
    whole = int(abs(seconds))
    hours, minutes, rest = whole // 3_600, whole % 3_600 // 60, whole % 60
    days, hours = divmod(hours, 24)
    shown = f"{days} d {hours} h" if days else f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
    return f"-{shown}" if seconds < 0 else shown


def moment(time: float, now: float) -> str:
    """A time in UTC; with its day where that is not plain."""
    return f"{iso(time)[11:16]} UTC" if abs(time - now) < DAY / 2 else f"{iso(time)[:10]} {iso(time)[11:16]} UTC"


def percent(ratio: float) -> str:
    """A ratio as a person reads it: `31 %`, `0.4 %`."""
    return f"{ratio * 100:.0f} %" if ratio >= 0.1 or ratio == 0 else f"{ratio * 100:.1f} %"
