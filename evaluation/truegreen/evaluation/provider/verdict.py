"""Signs to one verdict: us, them, both or not sure, each sign with its weight. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from truegreen.evaluation.provider import mentions
from truegreen.evaluation.provider.model import CHANGED, SAME, Entry, Round
from truegreen.evaluation.provider.weights import (
    BOUND,
    ENTRY,
    ENTRY_NAMES_MODEL,
    PRIOR,
    PROBES_CHANGED,
    PROBES_ELSEWHEN,
    PROBES_SAME,
    RETIRED,
    Weight,
)

US: Final = "us"
THEM: Final = "them"
BOTH: Final = "both"
NOT_SURE: Final = "not sure"
DAYS: Final = 14
"""How far back a changelog is read for a postmortem."""
STEADY: Final = 7 * 86_400
"""Seconds: a round of probes says that nothing changed only where an earlier one, no older than this, said so too."""


@dataclass(frozen=True, slots=True)
class Sign:
    """One sign, and what was seen in words."""

    weight: Weight
    seen: str


@dataclass(frozen=True, slots=True)
class Fused:
    """The verdict, the log odds of both causes, and the signs that count, the heaviest first."""

    whose: str
    them: float
    us: float
    signs: tuple[Sign, ...]

    def because(self) -> str:
        """The sign that weighs most for the verdict."""
        side = max((THEM, US), key=lambda name: float(getattr(self, name)))
        sign = max(self.signs, key=lambda one: float(getattr(one.weight, side)))
        return f"{sign.weight.says}: {sign.seen}"

    def lines(self) -> tuple[str, ...]:
        """One line for each sign, with its weights."""
        return tuple(
            f"{sign.weight.says}: {sign.seen} (them {sign.weight.them:+g}, us {sign.weight.us:+g})" for sign in self.signs
        )


def fuse(signs: Iterable[Sign]) -> Fused:
    """The verdict.

    Args:
        signs: of several with the same weight the first counts.
    """
    first: dict[str, Sign] = {}
    for sign in signs:
        first.setdefault(sign.weight.name, sign)
    ranked = tuple(sorted(first.values(), key=lambda s: (-abs(s.weight.them) - abs(s.weight.us), s.weight.name)))
    them, us = (PRIOR + sum(getattr(sign.weight, side) for sign in ranked) for side in (THEM, US))
    named = (them >= BOUND, us >= BOUND)
    whose = {(True, True): BOTH, (True, False): THEM, (False, True): US}.get(named, NOT_SURE)
    return Fused(whose, round(them, 3), round(us, 3), ranked)


def of_probes(rounds: Sequence[Round], models: Iterable[str], low: float, high: float, slack: float) -> Sign | None:
    """What the rounds of probes say of a change between `low` and `high` (unix seconds); None where there are none of these models.

    Args:
        slack: seconds by which a cause may lie apart from its effect; a round says something when it is the last one before or one after.
    """
    wanted = set(models)
    mine = [one for one in rounds if one.verdict in (CHANGED, SAME) and (not wanted or one.model in wanted)]
    before = [one for one in mine if one.time < low - slack]
    after = [one for one in mine if one.time >= low - slack]
    if not after:
        return None
    last = before[-1] if before else None
    if last is not None and last.verdict == CHANGED:
        return Sign(PROBES_ELSEWHEN, f"{last.model}: {_measure(last)}; take new references once its answers are known to be good")
    # A round before the end of the interval cannot know what came after it; those after the first that does are of another day.
    late = next((one for one in after if one.time >= high), None)
    near = [one for one in after if one.time < high] + ([late] if late else [])
    changed = next((one for one in near if one.verdict == CHANGED), None)
    if changed is not None:
        return Sign(PROBES_CHANGED, f"{changed.model}: {_measure(changed)}")
    if late is None or last is None or low - last.time > STEADY:
        return None
    return Sign(PROBES_SAME, f"{late.model}: {late.probes} probes")


def of_entries(entries: Sequence[Entry], models: Iterable[str], low: float, high: float, slack: float) -> tuple[Sign, ...]:
    """What a changelog says of a change between `low` and `high` (unix seconds).

    Args:
        slack: as in `of_probes`. Changelogs are dated by the day, so an entry may be a day from the change that it tells.
    """
    wanted, day = sorted(set(models)), 86_400.0
    made = []
    for entry in sorted(entries, key=lambda one: one.time):
        about = next((model for model in wanted if mentions.named(entry.models, model)), "")
        if about and entry.retires is not None and low - day - slack <= entry.retires <= high + slack:
            made.append(Sign(RETIRED, f"{about}: {entry.title}"))
        if low - day - slack <= entry.time <= high + day + slack:
            made.append(
                Sign(ENTRY_NAMES_MODEL, f"{about}: {entry.title}") if about else Sign(ENTRY, f"{entry.provider}: {entry.title}")
            )
    return tuple(made)


def recent(entries: Iterable[Entry], onset: float, now: float, days: int = DAYS) -> tuple[Entry, ...]:
    """The entries of the time from `days` before the onset until now, or whose models stop in it; the oldest first."""
    begin = onset - days * 86_400
    return tuple(sorted((e for e in entries if begin <= e.time <= now or begin <= (e.retires or 0) <= now), key=lambda e: e.time))


def _measure(one: Round) -> str:
    least = min(one.found, key=lambda seen: seen.p, default=None)
    return f"{one.verdict}" if least is None else f"{least.by} p {least.p:.4f} on {one.probes} probes"
