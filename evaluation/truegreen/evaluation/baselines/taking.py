"""What `baseline take` says: the frozen baseline, how well it separates labelled answers, and what it cannot know. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from truegreen.core.words.calibration import Calibration
from truegreen.evaluation.baselines.scores import Judged

LABELS_WANTED: Final = 50
_UNKNOWN: Final = (
    f"absolute level unknown: the floor shows a change against this baseline, not how good it is; "
    f"about {LABELS_WANTED} labelled (`y`) or judged answers in a replay file measure it: `truegreen evaluator measure`"
)


def error_rates(calls: Sequence[Judged], floor: float) -> Mapping[str, Any] | None:
    """How a floor labels the human-labelled answers; None when none is labelled.

    Returns:
        `labelled` and `wrong` (counts), `false_positive_rate` (right answers that fail) and `false_negative_rate` (wrong answers
        that pass), 0 to 1, each None where there is no such answer.
    """
    known = [(call.raw < floor, call.wrong) for call in calls if call.raw is not None and call.wrong is not None]
    if not known:
        return None
    right = [failed for failed, wrong in known if not wrong]
    bad = [failed for failed, wrong in known if wrong]
    return {
        "labelled": len(known),
        "wrong": len(bad),
        "false_positive_rate": sum(right) / len(right) if right else None,
        "false_negative_rate": 1 - sum(bad) / len(bad) if bad else None,
    }


def with_curve(frozen: Calibration, before: Calibration | None) -> tuple[Calibration, list[str]]:
    """The new baseline with the probabilities that labels once gave the same evaluator, and what to say of it.

    Error rates are left behind: they were measured at another floor.
    """
    if before is None or not before.curve or before.evaluator != frozen.evaluator:
        return frozen, []
    said = (
        "the scale stays calibrated by the labels of the file that was there; its error rates were those of its floor: "
        "measure them again with `truegreen evaluator measure`"
    )
    return replace(frozen, scale=before.scale, curve=before.curve), [said]


def report(frozen: Calibration, file: str, rates: Mapping[str, Any] | None, notes: Sequence[str]) -> Mapping[str, Any]:
    """The same facts as numbers, for `--json`."""
    return {
        "file": file,
        "service": frozen.service,
        "environment": frozen.environment,
        "signal": frozen.signal,
        "evaluator": frozen.evaluator,
        "digest": frozen.digest,
        "answers": frozen.answers,
        "floor": frozen.floor,
        "bad_ratio": frozen.bad_ratio,
        "design_effect": frozen.design_effect,
        "scale": frozen.scale,
        "taken": frozen.taken,
        "snapshot": frozen.snapshot,
        "absolute_level": "measured" if _enough(rates) or frozen.curve else "unknown",
        "error_rates": rates,
        "notes": list(notes),
    }


def lines(frozen: Calibration, file: str, rates: Mapping[str, Any] | None, notes: Sequence[str]) -> list[str]:
    """The statement for a terminal."""
    said = [
        f"baseline  {frozen.service}/{frozen.environment} {frozen.signal} by {frozen.evaluator}: N={frozen.answers} digest {frozen.digest}",
        f"floor     {frozen.floor:.6g}; {frozen.bad_ratio:.1%} of the baseline fails; design effect {frozen.design_effect:.2f}",
        f"scale     {frozen.scale}",
    ]
    if rates is not None:
        said.append(
            f"labels    {rates['labelled']} labelled answers of all models in the files, {rates['wrong']} wrong: "
            f"{_percent(rates['false_positive_rate'])} of the right ones fail, {_percent(rates['false_negative_rate'])} of the wrong ones pass"
        )
    if not _enough(rates) and not frozen.curve:
        said.append(f"note      {_UNKNOWN}")
    said += [f"note      {note}" for note in notes]
    return [*said, f"written   {file}"]


def tie_note(frozen: Calibration, percentile: float) -> str | None:
    """A line for a baseline whose ties keep the floor from the wanted percentile."""
    if abs(frozen.bad_ratio - percentile / 100) <= max(0.5 / 100, 1.5 / frozen.answers):
        return None
    return f"many answers share one score at the floor: {frozen.bad_ratio:.1%} fail instead of {percentile:g} %"


def _enough(rates: Mapping[str, Any] | None) -> bool:
    return rates is not None and rates["labelled"] >= LABELS_WANTED


def _percent(share: float | None) -> str:
    return "none" if share is None else f"{share:.0%}"
