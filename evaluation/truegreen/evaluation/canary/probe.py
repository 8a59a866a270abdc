"""One round: plant both answers, judged on their way as an application's are, and look how they come out at the far end."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from opentelemetry.sdk.trace.export import SpanExporter

from truegreen.core.errors import BadInput, Failed
from truegreen.core.words.calibration import Calibration, CalibrationError, file_name, from_text, to_text
from truegreen.core.words.shapes import ReplayRecord
from truegreen.core.words.terms import FAIL, PASS, SKIPPED
from truegreen.evaluation import sending
from truegreen.evaluation.canary import far_end
from truegreen.evaluation.canary.far_end import JUDGED, SLICED, Counts
from truegreen.evaluation.canary.plants import EXPECTED, RIGHT, WRONG

SERVICE: Final = "truegreen-canary"
"""The service that no SLO judges (`alert_rules.sli.CANARY`)."""
LOOK: Final = 1.0
"""Seconds between two looks at the far end."""


@dataclass(frozen=True, slots=True)
class Watched:
    """The path that is watched.

    Args:
        calibration: of the application whose evaluator is proved; its environment is the canary's.
        settings: of that evaluation, as the application has them.
        exporter: makes an exporter for one round.
        read: the counts at the far end.
        wait: seconds until what has not come out is missed; a new series is held at 0 for two scrape intervals.
        clock, sleep: seconds that only rise, and how they pass.
    """

    calibration: Calibration
    settings: Mapping[str, Any]
    exporter: Callable[[], SpanExporter]
    read: Callable[[], Counts]
    wait: float
    clock: Callable[[], float]
    sleep: Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Probe:
    """What became of one planted answer: `why` says how it was missed."""

    plant: str
    caught: bool
    why: str = ""


def load(path: Path) -> Calibration:
    """The calibration in a file; raises `BadInput` where it is none."""
    try:
        return from_text(path.read_text("utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(
            f"--calibration: {path}: cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}"
        ) from None
    except CalibrationError as error:
        raise BadInput(f"--calibration: {error}") from None


def round_(path: Watched, planted: tuple[ReplayRecord, ReplayRecord]) -> tuple[Probe, Probe]:
    """Plant the right and the wrong answer; a path that does not work at all has missed both."""
    try:
        before = path.read()
        said = _send(path, planted)
    except Failed as error:
        return Probe(RIGHT, caught=False, why=str(error)), Probe(WRONG, caught=False, why=str(error))
    until, after, broken = path.clock() + path.wait, before, ""
    while True:
        try:
            after, broken = path.read(), ""
        except Failed as error:
            broken = str(error)
        right, wrong = (_probe(plant, before, after, said, broken) for plant in (RIGHT, WRONG))
        if (right.caught and wrong.caught) or _all_out(before, after) or path.clock() >= until:
            return right, wrong
        path.sleep(LOOK)


def check_inline(signal: str) -> None:
    """Whether the canary can prove an evaluator: one that judges in the line of the call.

    Raises:
        BadInput: no installed package has it, it cannot be imported, or it runs in the background.
    """
    from truegreen.instrumentation import evaluate

    try:
        factory = evaluate.find(signal)
    except Exception as error:  # foreign code
        raise BadInput(f"--calibration: the evaluator of {signal} cannot be imported ({type(error).__name__}: {error})") from None
    if factory is None:
        raise BadInput(
            f"--calibration: no installed package has an evaluator of {signal}; there are: {', '.join(evaluate.installed())}"
        )
    if getattr(factory, "background", False) is True:
        raise BadInput(
            f"--calibration: {signal} judges in the background, by a log event; the canary plants answers for evaluators that judge in the "
            "line of the call"
        )


def _send(path: Watched, planted: tuple[ReplayRecord, ReplayRecord]) -> Mapping[str, int]:
    own = dataclasses.replace(path.calibration, service=SERVICE)
    settings = {key: value for key, value in path.settings.items() if key not in ("background", "forward")}
    tally = sending.Tally()
    with tempfile.TemporaryDirectory(prefix="truegreen-canary-") as made:
        folder = Path(made)
        (folder / file_name(own.service, own.environment, own.signal)).write_text(to_text(own), "utf-8")
        config = folder / "app.json"
        config.write_text(json.dumps({"evaluations": {own.signal: settings}}), "utf-8")
        environ = {
            "TRUEGREEN_CONFIG": str(config), "TRUEGREEN_CALIBRATION": str(folder), "TRUEGREEN_SAMPLING": "100%",
            "TRUEGREEN_SNAPSHOT_FALLBACK": "false",
        }  # fmt: skip
        sending.send(
            planted, service=SERVICE, environment=own.environment, exporter=path.exporter(), tally=tally, environ=environ
        )
    return tally.outcomes


def _probe(plant: str, before: Counts, after: Counts, said: Mapping[str, int], broken: str) -> Probe:
    expected = EXPECTED[plant]
    sliced = {result: far_end.grown(before, after, (SLICED, plant, result)) for result in (PASS, FAIL, SKIPPED)}
    if sliced[expected] >= 1 and far_end.grown(before, after, (JUDGED, "", expected)) >= 1:
        return Probe(plant, caught=True)
    here = ", ".join(f"{count} {what}" for what, count in sorted(said.items()))
    other = next((result for result, by in sliced.items() if by >= 1 and result != expected), "")
    if other:
        return Probe(plant, caught=False, why=f"it came out as {other}, not as {expected} (judged here: {here})")
    return Probe(plant, caught=False, why=broken or f"it did not come out (judged here: {here})")


def _all_out(before: Counts, after: Counts) -> bool:
    """Both came out, one way or the other: nothing more is to come."""
    out = [
        any(far_end.grown(before, after, (SLICED, plant, result)) >= 1 for result in (PASS, FAIL, SKIPPED)) for plant in EXPECTED
    ]
    counted = sum(far_end.grown(before, after, (JUDGED, "", result)) for result in (PASS, FAIL))
    skipped = sum(far_end.grown(before, after, (SLICED, plant, SKIPPED)) for plant in EXPECTED)
    return all(out) and counted + skipped >= len(EXPECTED)
