"""Secrets and certificates that are renewed while the collector runs: what is made of files, made anew when one of them changed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Generic, TypeVar

from truegreen.core import tokens
from truegreen.core.errors import BadInput

CHECK_SECONDS: Final = 1.0
"""The files are looked at when they are needed, at most so often."""
Made = TypeVar("Made")


class Renewed(Generic[Made]):
    """Calling it gives what `make` makes of the files as they are; where it cannot, what it made last, and one line says so.

    Args:
        paths: the files.
        make: reads them.
        say: takes the line.
        timer: seconds of a clock that never goes back.

    Raises:
        BadInput: `make` cannot read the files at the start.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        make: Callable[[], Made],
        say: Callable[[str], None],
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._paths, self._make, self._say, self._timer = tuple(paths), make, say, timer
        self._stamp = self._stamped()
        self._made = make()
        self._looked = timer()
        self._said = ""
        self._lock = threading.Lock()  # gRPC asks from a thread of its own

    def __call__(self) -> Made:
        """What the files hold."""
        with self._lock:
            now = self._timer()
            if now - self._looked >= CHECK_SECONDS:
                self._looked = now
                self._look()
            return self._made

    def _look(self) -> None:
        stamp = self._stamped()
        if stamp == self._stamp:
            return
        try:
            self._made, self._stamp = self._make(), stamp
        except BadInput as error:
            # The stamp stays: files that are written one after the other are whole at one of the next looks.
            if str(error) != self._said:
                self._said = str(error)
                self._say(f"{error}; what was read before stays in use")
        else:
            self._said = ""
            self._say(f"read anew: {', '.join(map(str, self._paths))}")

    def _stamped(self) -> tuple[tokens.Stamp, ...]:
        return tuple(tokens.stamp(path) for path in self._paths)
