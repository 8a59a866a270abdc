"""The story that the demo tells as it happens: one line a step, with the clock; for a terminal, a log or a machine."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.text import Text

_STYLES: Final = {
    "INCIDENT": "bold red",
    "PAGE": "bold white on red",
    "green": "green",
    "healthy": "green",
    "verified": "green",
    "closed": "bold green",
    "score": "bold",
    "failed": "bold red",
    "triage": "yellow",
    "contain": "cyan",
    "rollback": "cyan",
    "freeze": "cyan",
}
_KIND_WIDTH: Final = 9
_INDENT: Final = 6 + _KIND_WIDTH + 1
_PICTURE_WIDTH: Final = 132


class Story:
    """Tells steps on one console.

    Args:
        console: where to print.
        clock: monotonic seconds.
        as_json: one JSON object a line instead of text.
    """

    def __init__(self, console: Console, clock: Callable[[], float], *, as_json: bool = False) -> None:
        self._console = console
        self._clock = clock
        self._json = as_json
        self._started = clock()
        self.steps: list[Mapping[str, Any]] = []

    def now(self) -> float:
        """Seconds since the story began."""
        return self._clock() - self._started

    def tell(self, kind: str, text: str, *more: str, **data: Any) -> None:
        """Tell a step: a line, further lines below it, and the same as data."""
        seconds = self.now()
        step = {"seconds": round(seconds, 3), "step": kind, "text": text, **({"more": list(more)} if more else {}), **data}
        self.steps.append(step)
        if self._json:
            self._console.file.write(json.dumps(step, ensure_ascii=False, default=str) + "\n")
            self._console.file.flush()
            return
        for line in (text, *more):
            self._line(seconds, kind, line)

    @contextmanager
    def waiting(self, text: str) -> Iterator[Callable[[str], None]]:
        """Show what is being waited for, in a terminal only; yields a function that changes the words."""
        if self._json or not self._console.is_terminal:
            yield lambda _: None
            return
        with self._console.status(text, spinner="dots") as status:
            yield status.update

    def _line(self, seconds: float, kind: str, text: str) -> None:
        head = f"{int(seconds) // 60:02d}:{int(seconds) % 60:02d} "
        width = max(60, self._console.width) if self._console.is_terminal else 10_000
        rows = textwrap.wrap(text, width - _INDENT, break_long_words=False, break_on_hyphens=False) or [""]
        line = Text.assemble((head, "dim"), (kind, _STYLES.get(kind, "")), " " * (_INDENT - 6 - len(kind)), rows[0])
        self._console.print(line, soft_wrap=True, highlight=False)
        for row in rows[1:]:
            self._console.print(Text(" " * _INDENT + row), soft_wrap=True, highlight=False)


def picture(steps: list[Mapping[str, Any]], path: Path, title: str) -> None:
    """Draw the told steps as an SVG of a terminal."""
    console = Console(record=True, width=_PICTURE_WIDTH, force_terminal=True, color_system="truecolor", file=_Nowhere())  # type: ignore[arg-type]
    drawn = Story(console, clock=lambda: 0.0)
    for step in steps:
        for line in (step["text"], *step.get("more", ())):
            drawn._line(step["seconds"], step["step"], line)
    path.parent.mkdir(parents=True, exist_ok=True)
    console.save_svg(str(path), title=title, unique_id="truegreen")


class _Nowhere:
    """A file that keeps nothing: the console records by itself."""

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        return None
