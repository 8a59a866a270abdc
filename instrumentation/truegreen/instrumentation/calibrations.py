"""The calibration files in use: read when first needed, looked at again at most once a second."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from truegreen.core.words.calibration import Calibration, CalibrationError, file_name, from_text
from truegreen.instrumentation import notices
from truegreen.instrumentation.settings import EVALUATION

SECONDS = 1.0


@dataclass(slots=True)
class _Kept:
    looked: float
    stamp: tuple[int, int, int] | None
    calibration: Calibration | None


class Calibrations:
    """Calibrations by service, environment and signal.

    A file that breaks leaves the last good one in use, with one warning; a file that goes away does the same.

    Args:
        folder: where `truegreen baseline take` writes.
        clock: seconds that only rise.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.folder = folder
        self._clock = clock
        self._kept: dict[str, _Kept] = {}
        self._lock = threading.Lock()

    def get(self, service: str, environment: str, signal: str) -> Calibration | None:
        """The calibration in force now, None when there never was a good one."""
        name = file_name(service, environment, signal)
        now = self._clock()
        with self._lock:
            kept = self._kept.get(name)
            if kept is not None and now - kept.looked < SECONDS:
                return kept.calibration
            if kept is None:
                kept = self._kept[name] = _Kept(now, None, None)
            kept.looked = now
            self._look(self.folder / name, kept)
            if kept.calibration is None:
                notices.once(f"baseline:{name}", self._lacks(service, environment, signal))
            return kept.calibration

    def _lacks(self, service: str, environment: str, signal: str) -> str:
        of, option = ("", "") if signal == EVALUATION else (f" {signal}", f" --signal {signal}")
        return (
            f"no baseline for {service}/{environment}{of}: answers are `skipped: no_baseline` until "
            f"`truegreen baseline take --service {service} --environment {environment}{option} --from URL --out {self.folder}` has run"
        )

    def _look(self, path: Path, kept: _Kept) -> None:
        try:
            found = path.stat()
        except OSError:
            if kept.stamp is not None:
                notices.once(f"gone:{path}", f"{path} is gone; the calibration read from it stays in use", logging.WARNING)
            return
        stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
        if stamp == kept.stamp:
            return
        kept.stamp = stamp
        try:
            kept.calibration = from_text(path.read_text(encoding="utf-8"), str(path))
        except (CalibrationError, OSError, UnicodeDecodeError) as error:
            notices.once(
                f"broken:{path}:{stamp}",
                f"{error}; {'the last good one stays in use' if kept.calibration else 'there is no baseline'}",
            )
