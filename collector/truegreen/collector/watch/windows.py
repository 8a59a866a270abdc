"""The newest answers of each prompt template, bounded in rows and bytes. Pure; the clock is injected."""

from __future__ import annotations

from array import array
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from truegreen.collector.watch.model import Key, Sketch
from truegreen.evaluation.drift.detect import LEAST, SIZES
from truegreen.evaluation.drift.model import Window
from truegreen.evaluation.model import RESERVOIR, Profile, Rows

NUMBERS: Final = 64_000_000
"""Numbers of four bytes that all windows hold together: 256 MB. Past it the template that was fed longest ago is forgotten."""
TEMPLATES: Final = 5_000
"""Templates that are watched at once, of all services."""
ROW: Final = 40
"""What a row costs beside its numbers, in numbers."""
IDLE: Final = 86_400.0
"""Seconds without an answer after which a template is forgotten."""


@dataclass(slots=True)
class Kept:
    """One template's newest answers.

    Args:
        style: of spans.
        sketches: of events; they hold their style too.
        embedder: what made the sketches: those of another one begin the window anew.
        retrievals: chunks under the floor, and chunks, of each retrieval from the data source of this name.
        fed: when the newest came, Unix seconds.
        new: whether something came since the last look.
        answers: how many came in all.
    """

    style: deque[array[float]] = field(default_factory=lambda: deque(maxlen=RESERVOIR))
    sketches: deque[Sketch] = field(default_factory=lambda: deque(maxlen=RESERVOIR))
    retrievals: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=RESERVOIR))
    embedder: str = ""
    fed: float = 0.0
    new: bool = False
    answers: int = 0

    def numbers(self) -> int:
        """What it costs, in numbers."""
        return (
            sum(len(row) + ROW for row in self.style)
            + sum(one.numbers + 3 * ROW for one in self.sketches)
            + ROW * len(self.retrievals)
        )

    def window(self) -> Window:
        """As the detectors want it: the newest rows only."""
        newest = list(self.sketches)[-max(SIZES) :]
        asked = tuple(tuple(one.query) for one in newest)
        return Window(
            tuple(map(tuple, list(self.style)[-max(SIZES) :])), tuple(tuple(one.answer) for one in newest), asked if all(asked) else (), self.embedder,
            tuple(self.retrievals)[-max(SIZES) :],
        )  # fmt: skip

    def profile(self, template: str) -> Profile:
        """As a baseline keeps it: row i of each sketch is the same answer where there are enough sketches, else the style alone."""
        whole = [one for one in self.sketches if one.style and one.query]
        if len(whole) < LEAST:
            return Profile(template, self.answers, _rows(self.style), retrievals=tuple(self.retrievals))
        return Profile(
            template, self.answers, _rows(one.style for one in whole), _rows(one.answer for one in whole),
            _rows(one.query for one in whole), self.embedder, retrievals=tuple(self.retrievals),
        )  # fmt: skip


class Windows:
    """Those of all templates.

    Args:
        clock: gives Unix seconds.
        most: numbers that are held at once.
    """

    def __init__(self, clock: Callable[[], float], most: int = NUMBERS) -> None:
        self._clock, self._most = clock, most
        self._held = 0
        self.kept: OrderedDict[Key, Kept] = OrderedDict()
        """The one that was fed last is last."""
        self.forgotten = 0

    def style(self, key: Key, row: array[float]) -> None:
        """Keep one answer's style."""
        kept = self._of(key)
        oldest = len(kept.style[0]) + ROW if len(kept.style) == RESERVOIR else 0
        kept.style.append(row)
        kept.answers += 1
        self._holds(len(row) + ROW - oldest)

    def retrieval(self, key: Key, row: tuple[int, int]) -> None:
        """Keep how many chunks of one retrieval are under the floor, of how many."""
        kept = self._of(key)
        more = 0 if len(kept.retrievals) == RESERVOIR else ROW
        kept.retrievals.append(row)
        self._holds(more)

    def sketch(self, key: Key, by: str, row: Sketch) -> None:
        """Keep one answer's sketch."""
        kept = self._of(key)
        before = kept.sketches[-1] if kept.sketches else row
        if kept.embedder != by or len(before.answer) != len(row.answer):
            self._held -= sum(one.numbers + 3 * ROW for one in kept.sketches)
            kept.sketches.clear()
            kept.embedder = by
        oldest = kept.sketches[0].numbers + 3 * ROW if len(kept.sketches) == RESERVOIR else 0
        kept.sketches.append(row)
        self._holds(row.numbers + 3 * ROW - oldest)

    def forget_idle(self) -> list[Key]:
        """Forget the templates that nothing was said of for a day; which ones."""
        old = [key for key, kept in self.kept.items() if kept.fed < self._clock() - IDLE]
        for key in old:
            self._held -= self.kept.pop(key).numbers()
        return old

    def of(self, service: str, environment: str) -> Iterator[tuple[str, Kept]]:
        """The templates of one service."""
        return ((key[2], kept) for key, kept in self.kept.items() if key[:2] == (service, environment))

    def _of(self, key: Key) -> Kept:
        kept = self.kept.setdefault(key, Kept())
        self.kept.move_to_end(key)
        kept.fed, kept.new = self._clock(), True
        return kept

    def _holds(self, more: int) -> None:
        self._held += more
        while (self._held > self._most or len(self.kept) > TEMPLATES) and len(self.kept) > 1:
            _, oldest = self.kept.popitem(last=False)
            self._held -= oldest.numbers()
            self.forgotten += 1


def _rows(rows: Iterator[array[float]] | deque[array[float]]) -> Rows:
    return tuple(map(tuple, rows))
