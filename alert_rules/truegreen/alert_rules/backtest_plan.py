"""Which rules a backtest needs, in which order: read from their PromQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import promql_parser

from truegreen.alert_rules.model import Alert, Group, Record, Rule
from truegreen.alert_rules.windows import parse

ALERTS: Final = "ALERTS"
BEGAN: Final = "ALERTS_FOR_STATE"
OURS: Final = "truegreen:"
"""How the name of a record begins; one that no rule makes (a budget without a baseline) is no scraped series."""
_BELOW: Final = ("lhs", "rhs", "expr", "param", "vector_selector")


@dataclass(frozen=True, slots=True)
class Planned:
    """A rule with its place in the evaluation.

    Args:
        place: its number among the rules of the plan.
        interval: of its group, seconds.
        level: 0 reads scraped series only; above it, one more than the highest level that it reads.
        scraped: whether it reads a scraped series by an instant selector, which looks back five minutes.
        held: whether a group that is evaluated more often reads it.
        sources: the scraped series behind it, at whatever distance.
    """

    place: int
    rule: Rule
    interval: int
    level: int
    scraped: bool
    held: bool
    sources: frozenset[str]


@dataclass(frozen=True, slots=True)
class Selector:
    """A series that an expression reads; `instant` when it is not under a range."""

    name: str
    text: str
    instant: bool


def plan(groups: Sequence[Group], only: Callable[[Alert], bool]) -> tuple[Planned, ...]:
    """The wanted alerts and every record that they need, in the order of the files."""
    rules = [(rule, parse(group.interval)) for group in groups for rule in group.rules]
    made = {rule.record for rule, _ in rules if isinstance(rule, Record)}
    alerts = [(rule, every) for rule, every in rules if isinstance(rule, Alert) and only(rule)]
    wanted: set[str] = set()
    todo = [name for rule, _ in alerts for name in _names(rule)]
    while todo:
        name = todo.pop()
        if name in made and name not in wanted:
            wanted.add(name)
            todo += [below for rule, _ in rules if isinstance(rule, Record) and rule.record == name for below in _names(rule)]
    chosen = [(r, n) for r, n in rules if (isinstance(r, Record) and r.record in wanted) or (isinstance(r, Alert) and only(r))]
    levels = _levels(chosen)
    fastest: dict[str, int] = {}
    for rule, every in chosen:
        for name in _names(rule):
            fastest[name] = min(every, fastest.get(name, every))
    sources = _sources(chosen)
    return tuple(
        Planned(
            place, rule, every, levels[place],
            scraped=any(each.instant and _is_scraped(each.name, made) for each in selectors(rule.expr)),
            held=isinstance(rule, Record) and fastest.get(rule.record, every) < every,
            sources=sources[place],
        )
        for place, (rule, every) in enumerate(chosen)
    )  # fmt: skip


def with_memory(groups: Sequence[Group]) -> frozenset[str]:
    """The names of alerts that read when they began, or behind which a record reads itself: a moment needs the one before, so no level can hold it."""
    rules = [rule for group in groups for rule in group.rules]
    known = {rule.record for rule in rules if isinstance(rule, Record) and rule.record in _names(rule)}
    while True:
        more = {rule.record for rule in rules if isinstance(rule, Record) and known & _names(rule)}
        if more <= known:
            return frozenset(rule.alert for rule in rules if isinstance(rule, Alert) and (known | {BEGAN}) & _names(rule))
        known |= more


def alerts_need(planned: Sequence[Planned]) -> frozenset[int]:
    """The places of the rules that read ALERTS, at whatever distance: they come after the others."""
    late = {ALERTS}
    while True:
        names = {p.rule.record for p in planned if isinstance(p.rule, Record) and late & _names(p.rule)}
        if names <= late:
            return frozenset(p.place for p in planned if late & _names(p.rule))
        late |= names


@cache
def selectors(expr: str) -> tuple[Selector, ...]:
    """Every series that an expression reads; one that is chosen by `__name__=~"a|b"` is named twice."""
    return tuple(_found(promql_parser.parse(expr), ranged=False))


def _found(node: Any, ranged: bool) -> Iterator[Selector]:
    kind = type(node).__name__
    if kind == "VectorSelector":
        matchers = [f'{m.name}{_OPERATORS[str(m.op)]}"{_quoted(m.value)}"' for m in node.matchers.matchers]
        text = f"{node.name or ''}{{{','.join(matchers)}}}"
        names = (
            [node.name] if node.name else [n for m in node.matchers.matchers if m.name == "__name__" for n in m.value.split("|")]
        )
        yield from (Selector(name, text, not ranged) for name in names)
        return
    # What a sub-query reads, it reads by instants.
    inside = ranged or kind == "MatrixSelector"
    children = [getattr(node, name, None) for name in _BELOW]
    arguments = list(getattr(node, "args", None) or [])
    for child in (*children, *arguments):
        if child is not None and not isinstance(child, (str, int, float)):
            yield from _found(child, inside)


_OPERATORS: Final = {"MatchOp.Equal": "=", "MatchOp.NotEqual": "!=", "MatchOp.Re": "=~", "MatchOp.NotRe": "!~"}


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _names(rule: Rule) -> frozenset[str]:
    return frozenset(each.name for each in selectors(rule.expr))


def _is_scraped(name: str, made: AbstractSet[str]) -> bool:
    return name not in made and name != ALERTS and not name.startswith(OURS)


def _levels(chosen: Sequence[tuple[Rule, int]]) -> list[int]:
    of: dict[str, int] = {}
    for _ in range(len(chosen)):
        before = dict(of)
        for rule, _every in chosen:
            if isinstance(rule, Record):
                mine = 1 + max((of[n] for n in _names(rule) if n in of and n != rule.record), default=-1)
                of[rule.record] = max(of.get(rule.record, 0), mine)
        if of == before:
            break
    return [
        of[rule.record] if isinstance(rule, Record) else 1 + max((of[n] for n in _names(rule) if n in of), default=-1)
        for rule, _every in chosen
    ]


def _sources(chosen: Sequence[tuple[Rule, int]]) -> list[frozenset[str]]:
    # By SLO, where a rule has one: the counts of another SLO are no source of this one's alerts.
    reads: dict[tuple[str, str], set[str]] = {}
    for rule, _ in chosen:
        if isinstance(rule, Record):
            reads.setdefault((rule.record, rule.labels.get("slo", "")), set()).update(_names(rule))

    def behind(rule: Rule) -> frozenset[str]:
        seen: set[str] = set()
        todo = list(_names(rule))
        slo = rule.labels.get("slo", "")
        made: dict[str, list[set[str]]] = {}
        for (name, of), names in reads.items():
            if of in (slo, "") or slo in ("", "none"):
                made.setdefault(name, []).append(names)
        records = {name for name, _ in reads}
        found: set[str] = set()
        while todo:
            name = todo.pop()
            if name in seen:
                continue
            seen.add(name)
            if name in records:
                todo += [below for names in made.get(name, ()) for below in names]
            elif _is_scraped(name, records):
                found.add(name)
        return frozenset(found)

    return [behind(rule) for rule, _ in chosen]
