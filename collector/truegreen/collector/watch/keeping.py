"""Hands sketches to a place for vectors, in a thread of its own: the watch never waits for it, and what cannot be kept is counted and said."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final

from truegreen.collector.watch.model import Key, Sketch
from truegreen.core.errors import BadInput, Failed
from truegreen.evaluation.vectors.model import Group, Row, Vectors
from truegreen.evaluation.vectors.places import opened

WAITING: Final = 10_000
"""Sketches that wait at most."""
BATCH: Final = 500
PAUSE: Final = 1.0
"""Seconds between two batches."""


class Keeping:
    """A queue and its thread.

    Args:
        address: of the place.
        say: told once when sketches are lost, and once when they are kept again.

    Raises:
        BadInput: the address is none.
        Failed: nothing answers there at the start.
    """

    def __init__(self, address: str, say: Callable[[str], None], clock: Callable[[], float] = time.time) -> None:
        self._place: Vectors = opened(address)
        self._say, self._clock = say, clock
        self._queue: SimpleQueue[tuple[Group, Row]] = SimpleQueue()
        self._stop = threading.Event()
        self._failing = False
        self.lost = 0
        self._thread = threading.Thread(target=self._run, name="truegreen-vectors", daemon=True)
        self._thread.start()

    def add(self, key: Key, by: str, sketch: Sketch) -> None:
        """Keep a sketch soon; nothing waits for it."""
        if self._queue.qsize() >= WAITING:
            self._lose(2, "they come faster than they are kept")
            return
        now = self._clock()
        for kind, vector in (("answer", sketch.answer), ("query", sketch.query)):
            if vector:
                self._queue.put((Group(*key, kind, by), Row(now, tuple(vector))))

    def close(self, seconds: float = 5.0) -> None:
        """Keep what waits, for so long at most."""
        self._stop.set()
        self._thread.join(seconds)
        if left := self._queue.qsize():
            self._lose(left, "there was no time left to keep them")

    def _run(self) -> None:
        while not self._stop.wait(PAUSE):
            self._batch()
        while not self._queue.empty():
            self._batch()
        self._place.close()

    def _batch(self) -> None:
        groups: dict[Group, list[Row]] = {}
        try:
            for _ in range(BATCH):
                group, row = self._queue.get_nowait()
                groups.setdefault(group, []).append(row)
        except Empty:
            pass
        for group, rows in groups.items():
            try:
                self._place.put(group, rows)
            except (BadInput, Failed) as error:
                self._lose(len(rows), str(error))
            except Exception as error:
                self._lose(len(rows), type(error).__name__)
            else:
                if self._failing:
                    self._say(f"vectors are kept again; {self.lost} were lost")
                self._failing = False

    def _lose(self, many: int, why: str) -> None:
        self.lost += many
        if not self._failing:
            self._say(f"warning: vectors are lost: {why}")
        self._failing = True
