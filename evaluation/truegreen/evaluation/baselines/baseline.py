"""From healthy scores to a frozen baseline: floor, quantiles, bad ratio and design effect. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from truegreen.core.errors import BadInput
from truegreen.core.words.calibration import MINIMUM_ANSWERS, QUANTILES, Calibration
from truegreen.core.words.terms import RELATIVE

FLOOR_PERCENTILE: Final = 3.0
"""The 97th percentile of "unsupported": on RAGTruth it separates .03 of the good models' answers from about half of the others'."""
_TIES_ALLOWED: Final = 1.5


def freeze(
    scores: Sequence[float],
    *,
    service: str,
    environment: str,
    signal: str,
    evaluator: str,
    taken: str,
    sessions: Sequence[str] = (),
    snapshot: str = "",
    percentile: float = FLOOR_PERCENTILE,
) -> Calibration:
    """The calibration whose floor is a low percentile of healthy raw scores.

    Args:
        scores: raw values of healthy answers, higher is better.
        taken: ISO 8601 time.
        sessions: one session id per score, for the design effect; empty when unknown.
        percentile: of the scores, above 0 and under 50: the floor.

    Raises:
        BadInput: fewer than 500 scores, one that is not finite, all of them equal, or a percentile out of range.
    """
    if not 0 < percentile < 50:
        raise BadInput(
            f"--floor-quantile: found {percentile:g}, write a percentile above 0 and under 50 (default {FLOOR_PERCENTILE:g})"
        )
    if len(scores) < MINIMUM_ANSWERS:
        raise BadInput(f"a baseline needs at least {MINIMUM_ANSWERS} judged answers, there are {len(scores)}")
    if not all(math.isfinite(score) for score in scores):
        raise BadInput("a raw score is not a finite number: the evaluator that made it is broken")
    ordered = sorted(scores)
    if ordered[0] == ordered[-1]:
        raise BadInput(
            f"all {len(scores)} raw scores are {ordered[0]:g}: such a baseline tells nothing apart; take it on varied traffic"
        )
    floor = choose_floor(ordered, percentile)
    bad = [score < floor for score in scores]
    return Calibration(
        service=service,
        environment=environment,
        signal=signal,
        evaluator=evaluator,
        scale=RELATIVE,
        floor=floor,
        quantiles=tuple(quantile(ordered, share) for share in QUANTILES),
        bad_ratio=sum(bad) / len(bad),
        design_effect=design_effect(bad, sessions),
        answers=len(scores),
        taken=taken,
        snapshot=snapshot,
    )


def quantile(ordered: Sequence[float], share: float) -> float:
    """A quantile of sorted values, linear between neighbours (Hyndman and Fan 1996, definition 7); `share` is from 0 to 1."""
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    value = ordered[low] + (ordered[high] - ordered[low]) * (place - low)
    return min(max(value, ordered[low]), ordered[high])  # rounding must not make the quantiles fall


def choose_floor(ordered: Sequence[float], percentile: float) -> float:
    """The percentile of sorted values; only values strictly under a floor fail, so an atom of equal values at it is looked at.

    Where ties leave the share that fails under half of the wanted one, the next value above the atom is taken if then at most 1.5
    times the wanted share fails; else the atom passes and fewer fail than wanted (a weaker floor, never a false page).
    """
    wanted = percentile / 100
    floor = quantile(ordered, wanted)
    if _under(ordered, floor) >= wanted / 2:
        return floor
    above = next((value for value in ordered if value > floor), floor)
    return above if _under(ordered, above) <= _TIES_ALLOWED * wanted else floor


def design_effect(bad: Sequence[bool], sessions: Sequence[str]) -> float:
    """The variance inflation of failing answers that come in sessions: 1 + (m - 1) rho, at least 1.

    rho is the intra-class correlation by analysis of variance, m the size-weighted mean session (Kish 1965; Donner and Koval 1980).
    An answer whose session is unknown (empty) stands alone; without any session the effect is 1.

    Raises:
        BadInput: the lists differ in length.
    """
    if not sessions:
        return 1.0
    if len(sessions) != len(bad):
        raise BadInput(f"found {len(sessions)} session ids for {len(bad)} scores: there must be one for each, or none")
    groups: dict[object, list[bool]] = {}
    for place, (flag, session) in enumerate(zip(bad, sessions, strict=True)):
        groups.setdefault(session or place, []).append(flag)
    total, count = len(bad), len(groups)
    if count in (1, total):
        return 1.0
    mean = sum(bad) / total
    squares = sum(len(g) ** 2 for g in groups.values())
    between = sum(len(g) * (sum(g) / len(g) - mean) ** 2 for g in groups.values()) / (count - 1)
    within = sum(sum(g) * (1 - sum(g) / len(g)) for g in groups.values()) / (total - count)
    typical = (total - squares / total) / (count - 1)
    spread = between + (typical - 1) * within
    rho = (between - within) / spread if spread > 0 else 0.0
    return max(1.0, 1.0 + (squares / total - 1) * min(1.0, rho))


def _under(ordered: Sequence[float], floor: float) -> float:
    return sum(value < floor for value in ordered) / len(ordered)
