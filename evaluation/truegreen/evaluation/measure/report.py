"""What `evaluator measure` says: the same facts for a terminal and for machines. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from truegreen.core.words.calibration import Calibration
from truegreen.evaluation.measure.judging import CPU, WALL
from truegreen.evaluation.measure.measurement import FEW, Interval, Labelled, Rates
from truegreen.evaluation.measure.statistics import REPLICATES, wilson

LEVEL: Final = 0.85
"""The floor of the ready-made SLO `grounding_absolute`."""
GROUPS: Final = 20
"""Under so many groups a bootstrap over them is too sure of itself (Cameron, Gelbach and Miller 2008)."""
RARE: Final = 0.01
"""A share of wrong answers that a service may well have, for the example."""
_CLOCKS: Final = {CPU: "of processor time", WALL: "on the wall clock"}


def figures(
    signal: str, found: Labelled, area: tuple[float, Interval], within: float | None, its: Rates, floor_from: str, seed: int
) -> dict[str, Any]:
    """The measurement as one flat object; a rate's interval is beside it, `_low` and `_high`."""
    said: dict[str, Any] = {
        "auroc": area[0],
        "auroc_low": area[1][0],
        "auroc_high": area[1][1],
        "answers": len(found.raws),
        "milliseconds_per_answer": found.milliseconds,
        "seed": seed,
        "replicates": REPLICATES,
        "signal": signal,
        "evaluator": found.evaluator,
        "wrong": sum(found.wrong),
        "judged": found.judged,
        "skipped": dict(sorted(found.skipped.items())),
        "clusters": len(set(found.clusters)) if found.is_clustered else None,
        "auroc_within_model": within,
        "floor": its.floor,
        "floor_from": floor_from,
    }
    rates = {
        "precision": (its.precision, its.precision_interval),
        "recall": (its.recall, its.recall_interval),
        "false_positive_rate": (its.false_positive_rate, its.false_positive_interval),
        "false_negative_rate": (its.false_negative_rate, its.false_negative_interval),
    }
    for name, (value, (low, high)) in rates.items():
        said |= {name: value, f"{name}_low": low, f"{name}_high": high}
    return said


def notes(found: Labelled, its: Rates, made: Calibration | None) -> list[str]:
    """What the numbers cannot know."""
    wrong, right = sum(found.wrong), len(found.wrong) - sum(found.wrong)
    said = []
    if min(wrong, right) < FEW:
        said.append(
            f"only {min(wrong, right)} {'wrong' if wrong < right else 'right'} answers: the interval is narrower than the truth"
        )
    if found.is_clustered and len(set(found.clusters)) < GROUPS:
        said.append(f"only {len(set(found.clusters))} groups: the intervals are narrower than the truth")
    if found.skipped:
        said.append("skipped: " + ", ".join(f"{count} {reason}" for reason, count in sorted(found.skipped.items())))
    if not found.is_clustered:
        said.append("each answer counts as independent; write `session` or `group` into lines that belong together")
    gap = 1 - its.false_positive_rate - its.false_negative_rate
    if gap > 0:
        seen = RARE * (1 - its.false_negative_rate) + (1 - RARE) * its.false_positive_rate
        said.append(
            f"at this floor a service with {RARE:.0%} wrong answers shows {seen:.1%} failing; "
            f"the true share is (shown - {its.false_positive_rate:.3f}) / {gap:.3f} (Rogan and Gladen 1978), while answers are like these"
        )
    if made is not None:
        said += _of_curve(found, made)
    return said


def _of_curve(found: Labelled, made: Calibration) -> list[str]:
    score = made.score(made.floor)
    alike = [wrong for raw, wrong in zip(found.raws, found.wrong, strict=True) if made.score(raw) == score]
    # A floor between two pools: what is known of either is less than this.
    near = alike or [wrong for raw, wrong in zip(found.raws, found.wrong, strict=True) if abs(made.score(raw) - score) <= 0.05]
    low, high = wilson(sum(not wrong for wrong in near), len(near))
    ends = f"from {made.curve[0][1]:.2f} to {made.curve[-1][1]:.2f} in {len(made.curve)} points"
    at = f"at the floor it says {score:.2f}, by {len(near)} labelled answers alone {low:.2f} to {high:.2f}"
    said = [f"the curve goes {ends}; {at}"]
    if made.curve[-1][1] <= LEVEL:
        said.append(f"no answer can score over {made.curve[-1][1]:.2f}: an SLO with a floor of {LEVEL:g} calls every answer bad")
    if made.answers == len(found.raws):
        said.append(
            "no frozen baseline of traffic was there: quantiles and bad ratio are those of the labelled answers; "
            "drift needs a baseline of traffic, which keeps the curve: `truegreen baseline take`"
        )
    return said


def lines(said: Mapping[str, Any], made: Calibration | None, file: str, told: Sequence[str]) -> list[str]:
    """The statement for a terminal."""

    def rate(name: str) -> str:
        value, low, high = (said[key] for key in (name, f"{name}_low", f"{name}_high"))
        return "none" if value is None else f"{value:.3f} [{low:.3f}, {high:.3f}]"

    kinds = f", {said['clusters']} groups" if said["clusters"] else ""
    within = "" if said["auroc_within_model"] is None else f"; within one model {said['auroc_within_model']:.3f}"
    text = [
        f"measured  {said['signal']} by {said['evaluator']}: {said['answers']} labelled answers, {said['wrong']} wrong{kinds}",
        f"AUROC     {rate('auroc')}{within}; {said['replicates']} bootstrap draws, seed {said['seed']}",
        f"floor     {said['floor']:.6g} ({said['floor_from']})",
        f"          precision {rate('precision')}, recall {rate('recall')}",
        f"          right ones that fail {rate('false_positive_rate')}, wrong ones that pass {rate('false_negative_rate')}",
        f"time      {said['milliseconds_per_answer']:.2f} ms an answer {_CLOCKS[said['clock']]}, mean of {said['judged']}",
        *(f"note      {note}" for note in told),
    ]
    if made is not None:
        text += [f"scale     {made.scale}, digest {made.digest}", f"written   {file}"]
    return text
