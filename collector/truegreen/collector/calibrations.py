"""Size and date of the frozen baselines in calibration folders, and how often their evaluators err, as metrics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from truegreen.collector.state import Store
from truegreen.collector.wire import NAN
from truegreen.core.words import catalogue
from truegreen.core.words.calibration import Calibration, CalibrationError, from_text


def expose(folders: Sequence[Path], store: Store, read: dict[Path, float], say: Callable[[str], None]) -> None:
    """Set the gauges of baselines and of evaluators' error rates from files that are new or changed.

    Args:
        read: files already read and their mtime; updated here.
        say: told of a file that cannot be used, once for each state of it.
    """
    for path in sorted(path for folder in folders for path in folder.glob("*.json")):
        try:
            changed = path.stat().st_mtime
            if read.get(path) == changed:
                continue
            read[path] = changed
            calibration = from_text(path.read_text("utf-8"), str(path))
            taken = datetime.fromisoformat(calibration.taken).timestamp()
        except (CalibrationError, OSError, ValueError) as error:
            say(f"calibration ignored: {error}")
            continue
        who = (calibration.service, calibration.environment, (calibration.signal, ""))
        store.admit(catalogue.BASELINE_ANSWERS, *who)[0] = calibration.answers
        store.admit(catalogue.BASELINE_TIMESTAMP, *who)[0] = taken
        _error_rates(calibration, store)


def _error_rates(calibration: Calibration, store: Store) -> None:
    rates = calibration.error_rates
    found = {"false_positive": rates.false_positive_rate, "false_negative": rates.false_negative_rate} if rates else {}
    for kind in ("false_positive", "false_negative"):
        who = (calibration.service, calibration.environment, (calibration.evaluator, kind))
        if kind in found:
            store.admit(catalogue.EVALUATOR_ERROR_RATE, *who)[0] = found[kind]
        elif (*who[:2], *who[2]) in store.families[catalogue.EVALUATOR_ERROR_RATE.prometheus].cells:
            store.admit(catalogue.EVALUATOR_ERROR_RATE, *who)[0] = NAN  # the new file has none: the old one's must not stay
