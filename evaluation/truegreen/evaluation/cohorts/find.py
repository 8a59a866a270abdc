"""The search for the slice of the traffic that explains a drop: subgroups of up to three conditions, ranked by evidence. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from truegreen.evaluation.plain import plain

DEPTH: Final = 3
ALPHA: Final = 0.05
MOST: Final = 5
_HALF: Final = 0.5
_ANY: Final = ""

Where = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """One combination of labels, with its events before the drop and after its start.

    Args:
        labels: such as model, prompt version, cohort; a label without a value is left out.
        bad, events: after the start.
        bad_before, events_before: before it.
    """

    labels: Mapping[str, str]
    bad: float
    events: float
    bad_before: float = 0.0
    events_before: float = 0.0


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of the traffic that got worse than the rest.

    Args:
        where: its conditions, label and value.
        also: conditions that choose the very same traffic and so cannot be told from it.
        bad, events, bad_before, events_before: as in `Cell`.
        explains: its share of the extra failures of all traffic, 0 to 1.
        evidence: z squared less the penalty of its conditions; the ranking.
        z: how much worse it got than the rest did, in standard errors.
        p: the chance of such a z without a cause, times the number of slices looked at; at most 1.
        switched: it is all of the traffic after the start, and none before: nothing beside it shows what would have been.
    """

    where: Where
    also: Where
    bad: float
    events: float
    bad_before: float
    events_before: float
    explains: float
    evidence: float
    z: float
    p: float
    switched: bool = False

    def __str__(self) -> str:
        name = " and ".join(f"{label}={plain(value)}" for label, value in self.where)
        same = f" (the same traffic: {', '.join(f'{label}={plain(value)}' for label, value in self.also)})" if self.also else ""
        was = f"was {self.bad_before / self.events_before:.1%}" if self.events_before else "new"
        said = f"{name}{same}: {self.bad / self.events:.1%} bad ({was}), explains {self.explains:.0%} of the extra failures"
        return f"{said}; p = {self.p:.2g}" + ("; all traffic moved to it, so nothing beside it compares" if self.switched else "")


def slices(table: Sequence[Cell], *, depth: int = DEPTH, design_effect: float = 1.0) -> tuple[Slice, ...]:
    """The slices that got worse than the rest of the traffic did, the strongest evidence first; none where all got worse alike.

    A slice is compared with all other traffic. Where both were there before, z is the difference of their log odds ratios (Woolf 1955,
    half an event added to each count): what is always bad, and what makes everything worse by one factor, does not count. What is new is
    compared with the rest after the start; what replaced all other traffic, with that. Evidence is z squared less 2 ln(values of all labels)
    for each condition (the risk inflation criterion, Foster and George 1994), so that a condition that adds nothing is left out; p is
    Bonferroni's over all slices looked at. A slice is narrowed where a part of it got worse and its remainder did not. What is given after
    the first was found without the traffic of those before it, so that none is another's shadow.

    Args:
        table: one cell for each combination of labels that had events.
        depth: conditions of a slice, at most.
        design_effect: variance inflation of events that come in sessions, at least 1.
    """
    cells = [cell for cell in table if cell.events > 0 or cell.events_before > 0]
    whole = _Sum.of(cells)
    found: list[Slice] = []
    extra = _extra(whole, whole)
    while extra > 0 and len(found) < MOST:
        made = _best(cells, depth, design_effect)
        if made is None:
            break
        group, looks, evidence = made
        found.append(_slice(group, _Sum.of(cells), extra, design_effect, looks, evidence))
        cells = [cell for place, cell in enumerate(cells) if place not in group.places]
    return tuple(found)


@dataclass(slots=True)
class _Sum:
    bad: float = 0.0
    events: float = 0.0
    bad_before: float = 0.0
    events_before: float = 0.0

    @classmethod
    def of(cls, cells: Sequence[Cell]) -> _Sum:
        return cls(*(sum(getattr(cell, name) for cell in cells) for name in cls.__slots__))

    def less(self, part: _Sum) -> _Sum:
        return _Sum(*(max(getattr(self, name) - getattr(part, name), 0.0) for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class _Group:
    where: Where
    also: Where
    places: frozenset[int]
    sums: _Sum


def _candidates(cells: Sequence[Cell], depth: int) -> list[_Group]:
    """Every conjunction that some cell meets, once: those that choose the same cells are one, under the shortest name."""
    labels = sorted({label for cell in cells for label in cell.labels})
    varied = [label for label in labels if len({cell.labels.get(label, _ANY) for cell in cells}) > 1]
    members: dict[Where, list[int]] = {}
    for place, cell in enumerate(cells):
        pairs = [(label, cell.labels[label]) for label in varied if cell.labels.get(label)]
        for size in range(1, depth + 1):
            for where in combinations(pairs, size):
                members.setdefault(where, []).append(place)
    named: dict[tuple[int, ...], list[Where]] = {}
    for where, met in members.items():
        if len(met) < len(cells):
            named.setdefault(tuple(met), []).append(where)
    made = []
    for places, wheres in named.items():
        first, *others = sorted(wheres, key=lambda where: (len(where), where))
        also = tuple(sorted({pair for where in others if len(where) == 1 for pair in where}))
        made.append(_Group(first, also, frozenset(places), _Sum.of([cells[place] for place in places])))
    return made


def _best(cells: Sequence[Cell], depth: int, design_effect: float) -> tuple[_Group, int, float] | None:
    """The slice with the strongest evidence, how many were looked at, and that evidence; None where there is none."""
    total, groups = _Sum.of(cells), _candidates(cells, depth)
    penalty = 2 * math.log(max(len({pair for one in groups for pair in (*one.where, *one.also)}), 2))
    ranked = []
    for group in groups:
        z, _ = _contrast(group.sums, total, design_effect)
        evidence = z * z - len(group.where) * penalty
        if z > 0 and evidence > 0 and len(groups) * _upper(z) < ALPHA:
            ranked.append((-evidence, group.where, group))
    if not ranked:
        return None
    evidence, _, group = min(ranked, key=lambda one: one[:2])
    return _narrowed(group, groups, total, design_effect), len(groups), -evidence


def _narrowed(group: _Group, groups: Sequence[_Group], total: _Sum, design_effect: float) -> _Group:
    """A part of the group that got worse than its remainder did, where that remainder is no worse than the traffic beside the group."""
    while True:
        parts = [one for one in groups if one.places < group.places and len(one.where) == len(group.where) + 1]
        worst = max(parts, key=lambda one: _contrast(one.sums, group.sums, design_effect)[0], default=None)
        if worst is None or len(parts) * _upper(_contrast(worst.sums, group.sums, design_effect)[0]) >= ALPHA:
            return group
        remainder = _contrast(group.sums.less(worst.sums), total.less(worst.sums), design_effect)[0]
        if _upper(remainder) < ALPHA:
            return group
        group = worst


def _slice(one: _Group, total: _Sum, extra: float, design_effect: float, looks: int, evidence: float) -> Slice:
    sums = one.sums
    z, switched = _contrast(sums, total, design_effect)
    return Slice(
        one.where, one.also, sums.bad, sums.events, sums.bad_before, sums.events_before,
        min(max(_extra(sums, total) / extra, 0.0), 1.0), evidence, z, min(1.0, looks * _upper(z)), switched,
    )  # fmt: skip


def _extra(part: _Sum, total: _Sum) -> float:
    """The failures of a part beyond those that its own ratio before the start would have given; of a new part, the ratio of all."""
    before = part if part.events_before else total
    return part.bad - part.events * (before.bad_before / before.events_before if before.events_before else 0.0)


def _upper(z: float) -> float:
    """The chance that a standard normal number is larger."""
    return math.erfc(z / math.sqrt(2)) / 2


def _contrast(inside: _Sum, total: _Sum, design_effect: float) -> tuple[float, bool]:
    """How much worse the inside got than the outside, in standard errors; and whether all traffic moved inside."""
    outside = total.less(inside)
    if inside.events <= 0:
        return 0.0, False
    after, spread = _odds(inside.bad, inside.events)
    if inside.events_before > 0:
        if outside.events <= 0 or outside.events_before <= 0:
            return 0.0, False  # nothing beside it on one side of the start
        others = [(-1, inside.bad_before, inside.events_before), (-1, outside.bad, outside.events),
                  (1, outside.bad_before, outside.events_before)]  # fmt: skip
        switched = False
    else:
        switched = outside.events <= 0
        rest = (outside.bad_before, outside.events_before) if switched else (outside.bad, outside.events)
        if rest[1] <= 0:
            return 0.0, False
        others = [(-1, *rest)]
    for sign, bad, events in others:
        odds, variance = _odds(bad, events)
        after += sign * odds
        spread += variance
    return after / math.sqrt(spread * design_effect), switched


def _odds(bad: float, events: float) -> tuple[float, float]:
    """Log odds and their variance, with half an event added to each count."""
    ill, well = bad + _HALF, max(events - bad, 0.0) + _HALF
    return math.log(ill / well), 1 / ill + 1 / well
