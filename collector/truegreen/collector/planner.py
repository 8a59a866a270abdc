"""Makes the plan of a span: the cells of every metric that looks at it, and what keeps its evidence. Run once for each new combination of values."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from math import isnan
from typing import Any, Final

from truegreen.collector import compile as compiler
from truegreen.collector import evidence, wire
from truegreen.collector.layout import Held, Layout, Layouts, Plan, View
from truegreen.collector.model import GAP_SCRAPES, Exemplar
from truegreen.collector.plan import Facts, clean, constant, holds, is_constant, label_value
from truegreen.collector.state import Cell, Store
from truegreen.core.words import attributes as names
from truegreen.core.words import catalogue
from truegreen.core.words.dialect import finish
from truegreen.core.words.metric import Condition, Metric
from truegreen.core.words.terms import FAIL

_BASE: Final = wire.encoded("base")
_FAIL: Final = wire.encoded(FAIL)


@dataclass(slots=True)
class Context:
    """One service and environment: its plans by class of spans, and its evidence."""

    service: str
    environment: str
    resource: Mapping[str, bytes | None]
    evidence: evidence.Evidence
    past: Callable[[], Context]
    """Gives the one that keeps the evidence which is past the limit of series."""
    views: dict[Any, dict[int, list[View]]] = field(default_factory=lambda: defaultdict(dict))
    """By the dialect of the scope, and by how many attributes a span has."""
    made: dict[Any, View] = field(default_factory=dict)
    translated: dict[Any, dict[int, list[Any]]] = field(default_factory=lambda: defaultdict(dict))
    """What counts spans of other dialects (`translated.py`), as `views`."""


class Planner:
    """What makes plans.

    Args:
        store: where the cells are.
        layouts: read the spans.
        blocks: the classes of spans by name, the evaluation last.
        spans: the gate of each class.
        began: when the collector started, Unix seconds.
    """

    def __init__(
        self, store: Store, layouts: Layouts, blocks: Mapping[str, compiler.Block], spans: Mapping[str, Condition], began: float
    ) -> None:
        self.store = store
        self._layouts = layouts
        self._blocks = blocks
        self._codes = {name: code for code, name in enumerate(blocks)}
        self._gates = {name: frozenset(map(wire.encoded, map(str, gate.values))) for name, gate in spans.items()}
        self._reads = {name: gate.read.names for name, gate in spans.items() if gate.read}
        who = ((gauge.prometheus, gauge.value) for gauge in (catalogue.AFFECTED_USERS, catalogue.AFFECTED_SESSIONS))
        self._who = tuple((name, value.read.names) for name, value in who if value and value.read)
        self._began = began
        self._unlabelled = store.own[catalogue.COLLECTOR_DROPPED_SPANS.prometheus, "not_a_label"]

    def plan(self, context: Context, view: View, held: Held, source: tuple[Layout, Held] | None = None) -> Plan:
        """The plan of a span; `source` is what decides it, where that is not the span as it came."""
        layout = view.layout
        source = source or (layout, held)
        value, classes = partial(self._layouts.value, *source), source[0].classes
        reads = {read: value(read) for block in classes for read in block.key}
        facts = Facts(reads, context.resource, error=held[-1] == compiler.FAILED[-1])
        plan: Plan = [0, -1, [], [], [], (), [], -1]
        if value((names.DUPLICATE,)) == wire.TRUE:
            return plan
        parts: list[tuple[Any, ...]] = []
        evaluated = not classes
        for block in classes:
            gate = self._gates[block.name]
            if gate and value(self._reads[block.name]) not in gate:
                continue
            evaluated = evaluated or block.name == "llm"
            cells = self._cells(block, context, facts, plan, layout, len(layout.heads))
            if cells:
                row, starts = self._layouts.row(layout, block)
                parts.append((self._codes[block.name], cells, row, None, "", starts))
        block = self._blocks[compiler.EVALUATION]
        for name in source[0].evaluations if evaluated else ():
            own = view.own.get(name)
            cells = () if own else self.evaluation(context, layout, source, name, plan)
            row, starts = self._layouts.row(layout, block, name)
            parts.append((self._codes[compiler.EVALUATION], cells, row, own, name, starts))
        plan[5] = tuple(parts)
        return plan

    def folded(self, context: Context, view: View, held: Held) -> Held | None:
        """The span without the values that are past the limits of all their labels; None where there is none."""
        made = None
        for at, labels in view.layout.folds:
            value = wire.text(wire.value(held[at]))
            if value and all(self.store.is_past(context.service, context.environment, label, value) for label in labels):
                made = made or [*held]
                made[at] = view.layout.heads[at]
        return made

    def evaluation(self, context: Context, layout: Layout, source: tuple[Layout, Held], name: str, plan: Plan) -> tuple[Any, ...]:
        """The cells of one evaluation of a span."""
        block = self._blocks[compiler.EVALUATION]
        value = partial(self._layouts.value, *source)
        parts = {part: value((names.evaluation(name, part),)) for part in compiler.PARTS}
        parts["sampled"] = parts["sampled"] or value((names.EVALUATION_SAMPLED,))
        facts = Facts({read: value(read) for read in block.key}, context.resource, name=name, parts=parts)
        keeper, kept = self._keeper(context, name)
        scores = self._scores(keeper, kept, facts) if parts["sampled"] == _BASE else None
        before = len(plan[2])
        score = next(iter(self._layouts.positions(layout.at, (names.evaluation(name, "score"),))), len(layout.heads))
        cells = self._cells(block, context, facts, plan, layout, score)
        counters = [cell for cell, _ in plan[2][before:] if cell is not self._unlabelled]
        failed = self._failed(keeper, layout, kept, counters, plan[6]) if parts["label"] == _FAIL else None
        return (*cells, scores, failed)

    def _cells(
        self, block: compiler.Block, context: Context, facts: Facts, plan: Plan, layout: Layout, score: int
    ) -> tuple[Cell | None, ...]:
        """The cells of a block's measured numbers; those of its counts and gauges, and what has exemplars, are put into the plan."""
        measured: list[Cell | None] = []
        wanted: list[bool] = []
        for metric in block.metrics:
            self._born(metric, context, facts)
            active = metric.when is None or holds(metric.when, facts)
            if metric.keep == "since" or is_constant(metric):
                if active:
                    self._constant(metric, context, facts, plan)
            else:
                fixed = [dict(part.labels) for part in metric.parts] or [{}]
                measured += [self._cell(metric, context, facts, None, one) if active else None for one in fixed]
                wanted += [active] * len(fixed)
        plan[2] += [
            (self._unlabelled, 1.0)
            for step, cell, active in zip(block.steps, measured, wanted, strict=True)
            if active and cell is None and self._layouts.has(layout, step, facts.name)
        ]
        plan[6] += [
            (step, cell, score)
            for step, cell in zip(block.steps, measured, strict=True)
            if cell is not None and step.metric.kind == "histogram" and step.value.read in compiler.EXAMPLES
        ]
        return tuple(measured)

    def _constant(self, metric: Metric, context: Context, facts: Facts, plan: Plan) -> None:
        _, _, ones, kept, *_ = plan
        items: list[str | None] = [None]
        if metric.each and metric.each != compiler.EVALUATION:
            listed = facts.attributes.get((metric.each,))
            items = [finish(item) if metric.each == names.FINISH_REASONS else item for item in wire.strings(listed or b"")]
        amount = 1.0 if metric.keep == "since" else constant(metric.value, facts)
        for item in items:
            cell = self._cell(metric, context, facts, item, {}) if amount is not None else None
            if cell is None:
                ones.append((self._unlabelled, 1.0))
                continue
            if metric.kind == "gauge":
                kept.append((cell, metric.keep))
            elif amount:
                ones.append((cell, amount))

    def _cell(self, metric: Metric, context: Context, facts: Facts, item: str | None, fixed: Mapping[str, str]) -> Cell | None:
        values = [fixed.get(label.name, None) or label_value(label, facts, item) for label in metric.label_set]
        whole = tuple(value for value in values if value is not None)
        return self.store.admit(metric, context.service, context.environment, whole) if len(whole) == len(values) else None

    def _born(self, metric: Metric, context: Context, facts: Facts) -> None:
        if metric.born and holds(metric.born.when, facts):
            for value in metric.label(metric.born.label).values:
                self._cell(metric, context, facts, None, {metric.born.label: value})

    def _scores(self, context: Context, name: str, facts: Facts) -> Callable[[float, bytes | None], None]:
        scores = context.evidence.scores.setdefault(name, evidence.Scores())
        said = (facts.parts["evaluator"], facts.attributes.get((names.SNAPSHOT_ID,)))
        evaluator, snapshot = (clean(wire.text(read or b"") or "", catalogue.VALUE_LENGTH) for read in said)
        return partial(scores.add, evaluator, snapshot)

    def _keeper(self, context: Context, evaluation: str) -> tuple[Context, str]:
        """Who keeps the evidence of an evaluation, and by which name: past the limit of series one does for all that are new, as one series does."""
        label = catalogue.EVALUATIONS.label("evaluation")
        name = self.store.limited(context.service, context.environment, label, evaluation)
        if self.store.is_full and name not in context.evidence.evaluations:
            context = context.past()
            name = self.store.limited(context.service, context.environment, label, evaluation)
        context.evidence.evaluations.add(name)
        return context, name

    def touch(self, plan: Plan, tick: int, now: float, view: View, span: Any, held: Held) -> None:
        """What is done for the first span of a plan in each tick."""
        _, _, _, kept, _, _, examples, _ = plan
        plan[1] = tick
        view.use()
        if examples:
            self.example(examples, span, now, held)
        gap = GAP_SCRAPES * self.store.interval
        for cell, keep in kept:
            if keep != "since":
                cell[0] = 1.0
            elif isnan(cell[0]) or now - cell[1] > gap:
                # A collector that has just started cannot know whether the snapshot is new: the application's own word is better.
                said = wire.number(self._layouts.value(view.layout, held, (names.SNAPSHOT_SINCE,)) or b"")
                cell[0] = said if 0 < said < now and now - self._began < gap else now
            cell[1] = now

    def example(self, examples: list[tuple[compiler.Step, Cell, int]], span: Any, now: float, held: Held) -> None:
        """Keep a span as the example of the buckets that its numbers fall into."""
        if not _linked(span):
            return
        trace_id, span_id = span.trace_id, span.span_id
        for step, cell, score in examples:
            value, timed = step.value, step.value.read == compiler.EXAMPLES[0]
            found = (span.end - span.start) / 1e9 if timed else wire.number(wire.value(held[score]))
            if (value.low is None or found >= value.low) and found <= (compiler.LARGEST if value.high is None else value.high):
                place = bisect_left(step.metric.buckets, found) + 1
                self.store.exemplars.setdefault(id(cell), {})[place] = Exemplar(trace_id, span_id, found, now)

    def _failed(
        self, context: Context, layout: Layout, name: str, counters: list[Cell], examples: list[Any]
    ) -> Callable[[Any, float, Held], None]:
        """What keeps a failing answer of a layout: its trace, its user, its session."""
        interval, kept, metric = self.store.interval, context.evidence, catalogue.FAILING_TRACE_INFO
        who = [(gauge, self._layouts.positions(layout.at, read)) for gauge, read in self._who]

        def failed(span: Any, now: float, held: Held) -> None:
            trace_id, changed = span.trace_id, None
            if _is_id(trace_id, 16):
                changed = evidence.failed(kept, name, trace_id, span.end * 1e-9 or now, now, interval)
            if changed is not None:
                slot, before = changed
                labels = (context.service, context.environment, name, str(slot))
                if before:
                    self.store.remove(metric, (*labels, before))
                cell = self.store.spare(metric, (*labels, trace_id.hex()))
                if cell is not None:
                    cell[:] = (1.0, now)
            if _linked(span):
                for cell in counters:
                    self.store.exemplars[id(cell)] = {0: Exemplar(trace_id, span.span_id, 1.0, now)}
            self.example(examples, span, now, held)
            part = evidence.slice_of(now, interval)
            for gauge, places in who:
                found = next((value for i in places if (value := wire.value(held[i]))), None)
                if found:
                    kept.distinct.setdefault((gauge, name), evidence.Distinct()).add(found, part)

        return failed


def _linked(span: Any) -> bool:
    return _is_id(span.trace_id, 16) and _is_id(span.span_id, 8)


def _is_id(given: bytes, length: int) -> bool:
    """Whether an id can be looked up: of another length, or of zeros, it is none (W3C "Trace Context", OTLP "trace.proto")."""
    return len(given) == length and any(given)
