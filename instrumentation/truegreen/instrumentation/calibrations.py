"""The calibration files in use: read when first needed, looked at again at most once a second."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from truegreen.core.words.calibration import Calibration, CalibrationError, file_name, from_text
from truegreen.instrumentation import notices
from truegreen.instrumentation.locks import Lock
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
        self._lock = Lock()

    def get(self, service: str, environment: str, signal: str) -> Calibration | None:
        """The calibration in force now, None when there never was a good one."""
        name = file_name(service, environment, signal)
        now, said = self._clock(), []
        with self._lock:
            kept = self._kept.get(name)
            if kept is not None and now - kept.looked < SECONDS:
                return kept.calibration
            if kept is None:
                kept = self._kept[name] = _Kept(now, None, None)
            kept.looked = now
            said = self._look(self.folder / name, kept, (service, environment, signal))
            found = kept.calibration
        for key, message in said:
            notices.once(key, message)
        return found

    def say_lacking(self, service: str, environment: str, signal: str) -> None:
        """Say once that there is no baseline for an evaluation that needs one."""
        name = file_name(service, environment, signal)
        of, option = ("", "") if signal == EVALUATION else (f" {signal}", f" --signal {signal}")
        notices.once(
            f"baseline:{name}",
            f"no baseline for {service}/{environment}{of}: answers are `skipped: no_baseline` until "
            f"`truegreen baseline take --service {service} --environment {environment}{option} --from URL --out {self.folder}` has run",
        )

    @staticmethod
    def _look(path: Path, kept: _Kept, asked: tuple[str, str, str]) -> list[tuple[str, str]]:
        """Take over what the file holds now; gives the notices, for nothing is logged while the lock is held."""
        try:
            found = path.stat()
        except OSError:
            gone = [(f"gone:{path}", f"{path} is gone; the calibration read from it stays in use")]
            return gone if kept.stamp is not None else []
        stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
        if stamp == kept.stamp:
            return []
        kept.stamp = stamp
        try:
            kept.calibration = _of(from_text(path.read_text(encoding="utf-8"), str(path)), asked, path)
        except (CalibrationError, OSError, UnicodeDecodeError) as error:
            rest = "the last good one stays in use" if kept.calibration else "there is no baseline"
            return [(f"broken:{path}:{stamp}", f"{error}; {rest}")]
        return []


def _of(read: Calibration, asked: tuple[str, str, str], path: Path) -> Calibration:
    """A calibration that was taken for what is asked; a file that was copied or renamed is none."""
    for key, found, expected in zip(
        ("service", "environment", "signal"), (read.service, read.environment, read.signal), asked, strict=True
    ):
        if found != expected:
            raise CalibrationError(
                f"{path}: {key}: found {found!r}, expected {expected!r}: it was taken for something else; "
                "put the right file there or take one with `truegreen baseline take`"
            )
    return read
