"""What moved between two frozen baselines: every ratio, number, style and embedding tested, all of them under one error rate. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from truegreen.core.words.terms import STYLE
from truegreen.evaluation.baselines import significance
from truegreen.evaluation.baselines.significance import Tested
from truegreen.evaluation.model import EXPECTED, Distribution, FrozenBaseline, Profile
from truegreen.evaluation.plain import plain

RATE: Final = 0.05
"""Of what is said to have moved, so much did not, on average; where nothing did, in so many of the comparisons anything is said at all."""
RATIO: Final = "ratio"
NUMBER: Final = "number"
STYLES: Final = "style"
ANSWERS: Final = "answers"
QUESTIONS: Final = "questions"
_NOTE: Final = 400
_FEW: Final = 50
"""Answers of a template under which only a great change can be seen."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One test.

    Args:
        kind: `ratio`, `number`, `style`, `answers` or `questions`.
        name: of the ratio or number, or template and style number.
        template: empty for ratios and numbers.
        before, after: the two values that a person compares: ratios, medians or means; 0 and the distance for vectors.
        events_before, events_after: N on both sides.
        q: p, adjusted for all tests of the comparison (Benjamini and Hochberg).
        moved: q is at most 0.05.
        effect: Cohen's h for ratios, Cliff's delta for numbers and style, Cohen's d for means of hours, cosine distance for vectors.
    """

    kind: str
    name: str
    template: str
    test: str
    before: float
    after: float
    events_before: float
    events_after: float
    p: float
    effect: float
    low: float
    high: float
    q: float = 1.0
    moved: bool = False


@dataclass(frozen=True, slots=True)
class Compared:
    """All tests, the strongest evidence first, and what could not be compared."""

    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    seed: int


def compare(a: FrozenBaseline, b: FrozenBaseline, *, seed: int = 1) -> Compared:
    """Test everything that both baselines have.

    Args:
        seed: of the permutations.
    """
    notes = _notes(a, b)
    found = [*_ratios(a, b), *_numbers(a, b, notes)]
    old = {(one.template, one.source): one for one in a.profiles}
    new = {(one.template, one.source): one for one in b.profiles}
    for key in sorted(old.keys() & new.keys()):
        found += _profiles(old[key], new[key], seed, notes)
    for only, where in ((old.keys() - new.keys(), "first"), (new.keys() - old.keys(), "second")):
        notes += [f"only the {where} baseline has the template {_named(*key)}" for key in sorted(only)]
    qs = significance.adjusted([one.p for one in found])
    judged = [replace(one, q=q, moved=q <= RATE) for one, q in zip(found, qs, strict=True)]
    return Compared(tuple(sorted(judged, key=lambda one: (one.p, -abs(one.effect), one.kind, one.name))), tuple(notes), seed)


def report(found: Compared) -> Mapping[str, Any]:
    """The same as numbers, for `--json`."""
    return {
        "tests": len(found.findings), "moved": sum(one.moved for one in found.findings), "rate": RATE, "seed": found.seed,
        "findings": [asdict(one) for one in found.findings], "notes": list(found.notes),
    }  # fmt: skip


def lines(found: Compared, a: FrozenBaseline, b: FrozenBaseline) -> list[str]:
    """What moved, for a terminal."""
    moved = [one for one in found.findings if one.moved]
    said = [
        f"compared  {plain(f'{a.service}/{a.environment} {a.taken} with {b.service}/{b.environment} {b.taken}', _NOTE)}",
        f"moved     {len(moved)} of {len(found.findings)} tests; of those named, at most {RATE:.0%} are chance (Benjamini-Hochberg); seed {found.seed}",
    ]
    said += [f"  {place}. {says(one)}" for place, one in enumerate(moved, start=1)]
    said += [f"template  {plain(template)}: {says}" for template, says in _of_templates(moved)]
    return [*said, *(f"note      {plain(note, _NOTE)}" for note in found.notes)]


def says(one: Finding) -> str:
    """One finding in one line."""
    width = "" if one.low == one.high else f" [{one.low:+.2f}, {one.high:+.2f}]"
    if one.kind == RATIO:
        values = f"{one.before:.2%} -> {one.after:.2%} (of {one.events_before:,.0f} and {one.events_after:,.0f})"
    elif one.kind in (ANSWERS, QUESTIONS):
        values = f"centroids {one.after:.3f} apart (of {one.events_before:,.0f} and {one.events_after:,.0f})"
    else:
        values = f"{one.before:.4g} -> {one.after:.4g} (of {one.events_before:,.0f} and {one.events_after:,.0f})"
    return f"{plain(one.name)}: {values}; effect {one.effect:+.2f}{width}; {one.test}, q = {one.q:.2g}"


def _ratios(a: FrozenBaseline, b: FrozenBaseline) -> Iterable[Finding]:
    for name in sorted(a.ratios.keys() & b.ratios.keys()):
        effect = _effect(a.ratios[name].design_effect, a.days)
        old, new = (replace(one.ratios[name], design_effect=effect) for one in (a, b))
        tested = significance.ratios(old, new)
        if tested:
            yield _finding(RATIO, name, "", tested, old.bad / old.events, new.bad / new.events, old.events, new.events)


def _numbers(a: FrozenBaseline, b: FrozenBaseline, notes: list[str]) -> Iterable[Finding]:
    for name in sorted(a.numbers.keys() & b.numbers.keys()):
        effect = _effect(a.numbers[name].design_effect, a.days)
        old, new = (replace(one.numbers[name], design_effect=effect) for one in (a, b))
        if old.bounds and old.bounds == new.bounds:
            tested, middle = significance.buckets(old, new), _median
        else:
            if old.bounds or new.bounds:
                notes.append(f"{name}: the two have other buckets, so that only their means are compared")
            tested, middle = significance.moments(old, new), _mean
        if tested:
            yield _finding(NUMBER, name, "", tested, middle(old), middle(new), old.count, new.count)


def _effect(measured: float, days: float) -> float:
    """The design effect of both sides: that of the first, for an incident in the second would excuse itself by the spread that it makes.

    It was measured on so many hours: two standard errors of a variance of so many are added where there is any spread at all, which is
    what Student's t asks for at p = 0.001.
    """
    return measured * (1 + math.sqrt(2 / max(24 * days - 1, 1))) if measured > 1 else 1.0


def _profiles(old: Profile, new: Profile, seed: int, notes: list[str]) -> Iterable[Finding]:
    template = _named(old.template, old.source)
    if min(len(old.style), len(new.style)) < _FEW:
        notes.append(f"template {template}: {len(old.style)} and {len(new.style)} answers, so that only a great change is seen")
    for place, name in enumerate(STYLE):
        left, right = [row[place] for row in old.style], [row[place] for row in new.style]
        tested = significance.values(left, right)
        if tested:
            yield _finding(
                STYLES,
                f"{template}: {name}",
                template,
                tested,
                sum(left) / len(left),
                sum(right) / len(right),
                len(left),
                len(right),
            )
    if old.embedder != new.embedder:
        notes.append(f"template {template}: vectors by {old.embedder or 'none'} and by {new.embedder or 'none'} are not compared")
        return
    for kind, rows in ((ANSWERS, (old.answer_vectors, new.answer_vectors)), (QUESTIONS, (old.query_vectors, new.query_vectors))):
        tested = significance.vectors(*rows, seed) if rows[0] and rows[1] and len(rows[0][0]) == len(rows[1][0]) else None
        if tested:
            yield _finding(kind, f"{template}: {kind}", template, tested, 0.0, tested.effect, len(rows[0]), len(rows[1]))


def _finding(kind: str, name: str, template: str, tested: Tested, before: float, after: float, old: float, new: float) -> Finding:
    return Finding(kind, name, template, tested.test, before, after, old, new, tested.p, tested.effect, tested.low, tested.high)


def _of_templates(moved: Sequence[Finding]) -> Iterable[tuple[str, str]]:
    """For each template with something moved: its questions, its answers, or both."""
    for template in dict.fromkeys(one.template for one in moved if one.template):
        kinds = {one.kind for one in moved if one.template == template}
        if kinds == {QUESTIONS}:
            yield template, "other questions come in; the answers are as before"
        elif QUESTIONS in kinds:
            yield template, "other questions come in, and the answers are others: the questions may be why"
        else:
            yield template, "the answers are others; no change of the questions was found"


def _notes(a: FrozenBaseline, b: FrozenBaseline) -> list[str]:
    made = []
    if (a.service, a.environment) != (b.service, b.environment):
        made.append(f"two services are compared: {a.service}/{a.environment} and {b.service}/{b.environment}")
    if a.snapshot and b.snapshot and a.snapshot != b.snapshot:
        made.append(f"another snapshot serves: {a.snapshot} -> {b.snapshot}")
    if a.days != b.days and a.days and b.days:
        made.append(f"{a.days:g} days are compared with {b.days:g}: the days of the week differ")
    for name, old, new in (("ratio", a.ratios, b.ratios), ("number", a.numbers, b.numbers)):
        lone = sorted(old.keys() ^ new.keys())
        made += [f"only one of them has the {name} {', '.join(lone)}"] if lone else []
    return made


def _named(template: str, source: str) -> str:
    return f"{template} (expected)" if source == EXPECTED else template


def _median(one: Distribution) -> float:
    return one.quantiles[len(one.quantiles) // 2] if one.quantiles else one.mean


def _mean(one: Distribution) -> float:
    return one.mean
