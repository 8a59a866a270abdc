"""From judged, labelled answers to how good their evaluator is, and to a calibration. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from truegreen.core.errors import BadInput
from truegreen.core.words.calibration import MINIMUM_LABELLED, QUANTILES, Calibration, ErrorRates
from truegreen.core.words.terms import CALIBRATED
from truegreen.evaluation.baselines.baseline import design_effect, quantile
from truegreen.evaluation.measure.judging import NO_SCORE, Judged
from truegreen.evaluation.measure.statistics import auroc, auroc_interval, isotonic, lower_pairs, wilson

EACH: Final = 5
"""Right and wrong answers that a calibration needs at least."""
FEW: Final = 10
"""Under so many right or wrong answers a bootstrap is too sure of itself: it draws from those it has."""

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Labelled:
    """The labelled answers that were judged, as columns; the rest is counted.

    Args:
        clusters: one for each answer; an answer that has none stands alone.
        judged: all judged answers, labelled or not; `milliseconds` is the mean time of one, by the clock that timed them.
        skipped: by reason, labelled or not.
    """

    raws: tuple[float, ...]
    wrong: tuple[bool, ...]
    clusters: tuple[Hashable, ...]
    models: tuple[str, ...]
    evaluator: str
    judged: int
    milliseconds: float
    skipped: Mapping[str, int]

    @property
    def is_clustered(self) -> bool:
        """Whether any two answers belong together."""
        return len(set(self.clusters)) < len(self.clusters)


@dataclass(frozen=True, slots=True)
class Rates:
    """How a floor labels the labelled answers. A positive is an answer that fails; each rate is from 0 to 1, with its 95 % interval; `precision` is None where nothing fails."""

    floor: float
    precision: float | None
    recall: float
    false_positive_rate: float
    false_negative_rate: float
    precision_interval: Interval
    recall_interval: Interval
    false_positive_interval: Interval
    false_negative_interval: Interval


def columns(calls: Sequence[Judged]) -> Labelled:
    """Sort out what was judged.

    Raises:
        BadInput: nothing was judged, nothing is labelled, all labels are the same, several evaluators judged, or a number is not finite.
    """
    kept = [call for call in calls if call.raw is not None]
    skipped = Counter(call.skipped for call in calls if call.raw is None)
    said = ", ".join(f"{count} {reason}" for reason, count in sorted(skipped.items()))
    if skipped and skipped[NO_SCORE] == len(calls):
        raise BadInput("--signal: this evaluation gives no score, so that nothing of it can be measured; name another one")
    if not kept:
        raise BadInput(
            f"the evaluator skipped all {len(calls)} answers ({said}); give it what it needs, such as `context` for groundedness"
        )
    names = sorted({call.evaluator for call in kept})
    if len(names) > 1:
        raise BadInput(f"several evaluators judged ({', '.join(names)}); measure them one by one")
    known = [(call.raw, call.wrong, call.cluster or place, call.model) for place, call in enumerate(kept) if call.raw is not None]
    if not all(math.isfinite(raw) for raw, *_ in known):
        raise BadInput("a raw score is not a finite number: the evaluator that made it is broken")
    labelled = [(raw, wrong, cluster, model) for raw, wrong, cluster, model in known if wrong is not None]
    wrongs = sum(wrong for _, wrong, *_ in labelled)
    rest = f" (skipped: {said})" if said else ""
    if not labelled:
        raise BadInput(
            f"none of the {len(kept)} judged answers is labelled{rest}; write `y` into their lines, 0 for right and 1 for wrong"
        )
    if wrongs in (0, len(labelled)):
        found, lacking = ("right", "wrong") if not wrongs else ("wrong", "right")
        raise BadInput(
            f"all {len(labelled)} labelled answers are {found}{rest}, and an evaluator is measured by telling the two apart; "
            f"label some {lacking} ones too (`y`)"
        )
    raws, flags, clusters, models = zip(*labelled, strict=True)
    seconds = sum(call.seconds for call in kept)
    return Labelled(raws, flags, clusters, models, names[0], len(kept), 1000 * seconds / len(kept), skipped)


def break_even(found: Labelled) -> float:
    """The floor under which about as many answers fail as are wrong: precision and recall are then the same.

    So the share that fails is the share that people call wrong, which is what an SLO counts. Where ties allow no such floor, the
    nearest number fails, and of two the smaller.
    """
    ordered, wanted = sorted(found.raws), sum(found.wrong)
    candidates = {raw: place for place, raw in reversed(list(enumerate(ordered)))}  # answers under each value
    return min(candidates, key=lambda raw: (abs(candidates[raw] - wanted), candidates[raw]))


def floor_at(curve: Sequence[tuple[float, float]], probability: float) -> float:
    """The floor under which answers lie whose probability "right" is at most so much, as an SLO with that floor counts them.

    Raises:
        BadInput: the curve never gets over it, or never falls to it.
    """
    if not curve[0][1] <= probability < curve[-1][1]:
        raise BadInput(
            f"--floor: found {probability:g}, and on these labels the probability that an answer is right goes from {curve[0][1]:.3f} to "
            f"{curve[-1][1]:.3f}; write one from the first to under the second, or leave it out"
        )
    last = max(place for place, (_, right) in enumerate(curve) if right <= probability)
    (left, low), (right, high) = curve[last], curve[last + 1]
    at = left + (right - left) * (probability - low) / (high - low)
    return math.nextafter(min(max(at, left), right), math.inf)


def rates(found: Labelled, floor: float) -> Rates:
    """Precision, recall and the two error rates at a floor; intervals by Wilson, with the design effect of the clusters."""

    def share(flags: list[tuple[bool, Hashable]]) -> tuple[float, Interval]:
        bad = [flag for flag, _ in flags]
        effect = design_effect(bad, [str(cluster) for _, cluster in flags]) if found.is_clustered else 1.0
        return sum(bad) / len(bad), wilson(sum(bad), len(bad), effect)

    rows = [(raw < floor, wrong, cluster) for raw, wrong, cluster in zip(found.raws, found.wrong, found.clusters, strict=True)]
    failing = [(wrong, cluster) for failed, wrong, cluster in rows if failed]
    precision, of_precision = share(failing) if failing else (None, (0.0, 1.0))
    recall, of_recall = share([(failed, cluster) for failed, wrong, cluster in rows if wrong])
    positive, of_positive = share([(failed, cluster) for failed, wrong, cluster in rows if not wrong])
    missed = (1 - of_recall[1], 1 - of_recall[0])
    return Rates(floor, precision, recall, positive, 1 - recall, of_precision, of_recall, of_positive, missed)


def area(found: Labelled, seed: int) -> tuple[float, Interval]:
    """The AUROC with its bootstrap interval."""
    return auroc(found.raws, found.wrong), auroc_interval(found.raws, found.wrong, found.clusters, seed)


def within_models(found: Labelled) -> float | None:
    """The AUROC over pairs of answers of one model: what is left when who wrote is no hint. None where no model has right and wrong ones."""
    won = pairs = 0.0
    for model in dict.fromkeys(found.models):
        mine = [(raw, wrong) for raw, wrong, its in zip(found.raws, found.wrong, found.models, strict=True) if its == model]
        raws, wrong = [raw for raw, _ in mine], [flag for _, flag in mine]
        won += lower_pairs(raws, wrong)
        pairs += sum(wrong) * (len(wrong) - sum(wrong))
    return won / pairs if pairs else None


def calibration(
    found: Labelled, its: Rates, errors: ErrorRates, before: Calibration | None, *, service: str, environment: str, signal: str
) -> Calibration:
    """The calibration of a service with the probability "right" in it.

    Args:
        its: at the floor that the file shall have.
        before: the service's frozen baseline by the same evaluator: what it says of healthy traffic is kept. Without one the labelled
            answers stand for the traffic.

    Raises:
        BadInput: too few labelled answers, or the evaluator tells right from wrong no better than chance.
    """
    wrongs = sum(found.wrong)
    if len(found.wrong) < MINIMUM_LABELLED or min(wrongs, len(found.wrong) - wrongs) < EACH:
        raise BadInput(
            f"a calibration needs at least {MINIMUM_LABELLED} labelled answers, {EACH} of them wrong and {EACH} right; "
            f"there are {len(found.wrong)}, {wrongs} of them wrong"
        )
    curve = isotonic(found.raws, found.wrong)
    if len({right for _, right in curve}) < 2:
        raise BadInput(
            f"{found.evaluator} tells right answers from wrong ones no better than chance here: no scale can be made of it"
        )
    if before is None:
        ordered = sorted(found.raws)
        bad = [raw < its.floor for raw in found.raws]
        before = Calibration(
            service, environment, signal, found.evaluator, CALIBRATED, its.floor, tuple(quantile(ordered, share) for share in QUANTILES),
            sum(bad) / len(bad), design_effect(bad, [str(one) for one in found.clusters]) if found.is_clustered else 1.0, len(bad),
            errors.measured,
        )  # fmt: skip
    elif before.floor != its.floor:
        before = replace(before, bad_ratio=replace(before, curve=()).score(its.floor))
    return replace(before, scale=CALIBRATED, floor=its.floor, curve=curve, error_rates=errors)
