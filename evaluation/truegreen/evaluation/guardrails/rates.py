"""From reviewed decisions to error rates with intervals. Pure.

Blocks and passes are two strata, sampled at rates of their own: within one a share needs no weights (unless its reviews name rates),
across both each counts by how many decisions it stands for (Horvitz and Thompson 1952; Hajek 1971).

Two reviewers who disagree are not corrected: without a known error of each, nothing of two words on one stream says who is right (Hui and
Walter 1980 need a second stream; to keep the agreed ones only, favours what is easy, Hadgu 1999). So the point counts a disputed
decision half, and the interval holds both readings (Manski 2003): as if all of them were right, and as if all were wrong. Decisions that
one reviewer saw are taken to be as disputable as those that several saw.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from truegreen.evaluation.baselines.baseline import design_effect
from truegreen.evaluation.guardrails.model import Decision, Measured, Review, Share, Side
from truegreen.evaluation.measure.statistics import Z95, wilson


def decisions(reviews: Iterable[Review]) -> dict[str, list[Decision]]:
    """The reviewed decisions of each guardrail; of a reviewer's words on one decision the last counts.

    Raises:
        ValueError: one review calls a decision a block and another calls it a pass; the message names it.
    """
    kept: dict[tuple[str, str], dict[str, Review]] = defaultdict(dict)
    for place, review in enumerate(reviews):
        said = kept[review.guardrail, review.decision or f"#{place}"]
        other = next(iter(said.values()), None)
        if other is not None and other.blocked != review.blocked:
            raise ValueError(
                f"decision {review.decision!r} of {review.guardrail!r} is a block in one review and a pass in another"
            )
        said[review.reviewer or f"#{place}"] = review
    found: dict[str, list[Decision]] = defaultdict(list)
    for (guardrail, _), said in kept.items():
        first, words = next(iter(said.values())), [review.wrong for review in said.values()]
        ahead = 2 * sum(words) - len(words)
        found[guardrail].append(
            Decision(first.blocked, ahead > 0 if ahead else None, len(words), first.session, 1 / (first.rate or 1.0), first.time)
        )
    return dict(found)


def side(found: Sequence[Decision], total: float | None, *, reckoned: bool = False) -> Side:
    """How many of the blocks, or of the passes, are wrong.

    Args:
        found: the reviewed ones.
        total: all of them, reviewed or not; None when unknown.
        reckoned: the total is what the weights add up to, and as uncertain as a draw of each decision by its rate makes it.
    """
    weights = sum(one.weight for one in found)
    wrong = sum(one.weight for one in found if one.wrong)
    disputed = sum(one.weight for one in found if one.wrong is None)
    if not found:
        return _same(0, 0, total, Share(None, 0.0, 1.0))
    flags = [one.wrong is not False for one in found]
    sessions = [one.session for one in found] if any(one.session for one in found) else []
    unequal = len(found) * sum(one.weight**2 for one in found) / weights**2  # Kish 1965
    effect = unequal * design_effect(flags, sessions)
    least, most = (Share(one, *wilson(one * len(found), len(found), effect)) for one in _readings(found))
    share = Share((wrong + disputed / 2) / weights, least.low, most.high)
    kinds = Counter(one.wrong for one in found)
    spread = math.sqrt(sum(one.weight * (one.weight - 1) for one in found)) / weights if reckoned else 0.0
    return Side(len(found), kinds[True], kinds[None], total, share, (least, most), spread)


def counted(wrong: float, reviewed: float, total: float | None, voices: float = 1.0) -> Side:
    """The same from counts of reviews, where which decision each was about is not known.

    Args:
        voices: reviews of one decision, at least 1: so many are worth one.
    """
    share = Share(wrong / reviewed if reviewed else None, *wilson(wrong, reviewed, voices))
    return _same(reviewed / voices, wrong / voices, total, share)


def with_total(found: Side, total: float) -> Side:
    """The same side, with how many decisions there were in all."""
    return replace(found, total=total, spread=0.0)


def measured(guardrail: str, blocks: Side, passes: Side) -> Measured:
    """The error rates of one guardrail, from both sides."""
    if blocks.total is None or passes.total is None or blocks.total + passes.total <= 0:
        return Measured(guardrail, blocks, passes, None, None, None)
    of_blocks, of_passes, spread = blocks.total, passes.total, math.hypot(blocks.spread, passes.spread)

    def held(combine: Callable[[Share, Share], Share]) -> Share:
        # All three rise with either share of errors. A dispute is a bound and no noise: it is not squared and added.
        value, least, most = (combine(*both) for both in zip(_all(blocks), _all(passes), strict=True))
        return Share(value.value, least.low, most.high)

    return Measured(
        guardrail,
        blocks,
        passes,
        held(lambda block, passed: of_both((of_blocks, block), (of_passes, passed.other), spread)),
        held(lambda block, passed: of_both((of_passes, passed), (of_blocks, block.other), spread)),
        held(lambda block, passed: mixture((of_blocks, block), (of_passes, passed), spread)),
    )


def of_both(ours: tuple[float, Share], theirs: tuple[float, Share], spread: float = 0.0) -> Share:
    """Ours / (ours + theirs) of two estimated numbers: each a known total times an estimated share.

    The interval is that of the ratio a / b by MOVER on the logarithm (Zou and Donner 2008): the distances of both intervals, squared and
    added. Where nothing of a kind was seen, the far ends of both are taken.

    Args:
        spread: the relative standard error of the ratio of both totals.
    """
    (total_a, a), (total_b, b) = ours, theirs
    low_a, high_a, low_b, high_b = total_a * a.low, total_a * a.high, total_b * b.low, total_b * b.high
    if a.value is None or b.value is None or not total_a * a.value or not total_b * b.value:
        ends = Share(None, _part(low_a, high_b, 0.0), _part(high_a, low_b, 1.0))
        known = a.value is not None and b.value is not None and (total_a * a.value or total_b * b.value)
        return Share(_part(total_a * (a.value or 0), total_b * (b.value or 0), 0.0), ends.low, ends.high) if known else ends
    at_a, at_b = total_a * a.value, total_b * b.value

    def away(near: float, far: float) -> float:
        return math.inf if not near or not far else abs(math.log(far) - math.log(near))

    rest = Z95 * spread
    down = math.hypot(away(at_a, low_a), away(at_b, high_b), rest)
    up = math.hypot(away(at_a, high_a), away(at_b, low_b), rest)
    log_odds = math.log(at_a) - math.log(at_b)
    return Share(at_a / (at_a + at_b), _expit(log_odds - down), _expit(log_odds + up))


def mixture(ours: tuple[float, Share], theirs: tuple[float, Share], spread: float = 0.0) -> Share:
    """The share over two strata, each with its size; the interval by MOVER (Zou and Donner 2008), `spread` as in `of_both`."""
    (size_a, a), (size_b, b) = ours, theirs
    of_a, of_b = (size / (size_a + size_b) for size in (size_a, size_b))
    if (a.value is None and of_a) or (b.value is None and of_b):
        return Share(None, of_a * a.low + of_b * b.low, of_a * a.high + of_b * b.high)
    at_a, at_b = a.value or 0.0, b.value or 0.0
    value, rest = of_a * at_a + of_b * at_b, Z95 * spread * of_a * of_b * (at_a - at_b)
    down, up = (
        math.hypot(of_a * (at_a - end_a), of_b * (at_b - end_b), rest) for end_a, end_b in ((a.low, b.low), (a.high, b.high))
    )
    return Share(value, max(0.0, value - down), min(1.0, value + up))


def totals(found: Sequence[Decision], rates_known: bool) -> Mapping[bool, float | None]:
    """How many blocks (True) and passes (False) the reviewed ones stand for, where each names its rate."""
    if not rates_known:
        return {True: None, False: None}
    return {blocked: sum(one.weight for one in found if one.blocked == blocked) for blocked in (True, False)}


def _readings(found: Sequence[Decision]) -> tuple[float, float]:
    """The least and the greatest share that is wrong, 0 to 1, as disputes are read for or against."""
    several = [one for one in found if one.voices > 1]
    disputed = sum(one.weight for one in several if one.wrong is None)
    wrong, right = (sum(one.weight for one in several if one.wrong is flag) for flag in (True, False))
    # How often a second word would contradict the first one, that "wrong" or that "right".
    of_wrong, of_right = disputed / (2 * wrong + disputed or 1), disputed / (2 * right + disputed or 1)
    least = most = 0.0
    for one in found:
        alone = one.voices == 1
        least += one.weight * ((1 - of_wrong if alone else 1.0) if one.wrong else 0.0)
        most += one.weight * (1.0 if one.wrong is not False else of_right if alone else 0.0)
    whole = sum(one.weight for one in found)
    return least / whole, min(1.0, most / whole)


def _all(found: Side) -> tuple[Share, Share, Share]:
    return found.share, *found.readings


def _same(reviewed: float, wrong: float, total: float | None, share: Share) -> Side:
    return Side(reviewed, wrong, 0.0, total, share, (share, share))


def _part(ours: float, theirs: float, nothing: float) -> float:
    return ours / (ours + theirs) if ours + theirs > 0 else nothing


def _expit(log_odds: float) -> float:
    return 0.0 if log_odds < -700 else 1.0 / (1.0 + math.exp(-log_odds))
