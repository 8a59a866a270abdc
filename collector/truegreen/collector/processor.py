"""The processor: bytes of OTLP requests in, accumulated series and evidence out. No network, no files; the clock is injected."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from math import isfinite
from types import SimpleNamespace
from typing import Any, Final

from truegreen.collector import compile as compiler
from truegreen.collector import evidence, wire
from truegreen.collector.aliases import of as aliases_of
from truegreen.collector.layout import Held, Layout, Layouts, Plan, View
from truegreen.collector.model import GAP_SCRAPES, Exposed
from truegreen.collector.overlay import Overlays
from truegreen.collector.plan import Facts, clean, constant, holds, is_constant, label_value
from truegreen.collector.state import Cell, Store
from truegreen.core.words import attributes as names
from truegreen.core.words import catalogue, dialects
from truegreen.core.words.catalogue_own import Catalogue
from truegreen.core.words.dialect import finish
from truegreen.core.words.metric import Metric
from truegreen.core.words.terms import FAIL

RESOURCE: Final = (names.SERVICE_NAME, names.ENVIRONMENT_NAME, names.ENVIRONMENT_NAME_OLD)
PLANS: Final = 50_000
"""Plans kept at once; past it all are forgotten and made anew as they are needed (series stay)."""
KEPT: Final = 4096
"""A longer key of attribute values is worked out anew each time: what is kept stays small whatever is sent."""
NAMES: Final = 8 * 1024 * 1024
"""Bytes of attribute names in the layouts that are kept at once; one that takes over a 64th of it is worked out anew each time."""
VIEWS: Final = 8
"""Layouts of as many attributes that are tried in turn before a span is looked up by its names."""
EVENT: Final = "event"
_BASE: Final = wire.encoded("base")
_FAIL: Final = wire.encoded(FAIL)
_EVENT: Final = names.EVALUATION_EVENT.encode()
_NAMED_EVENT: Final = wire.encoded(names.EVALUATION_EVENT)


@dataclass(slots=True)
class Context:
    """One service and environment: its plans by class of spans, and its evidence."""

    service: str
    environment: str
    resource: Mapping[str, bytes | None]
    evidence: evidence.Evidence
    views: dict[Any, dict[int, list[View]]] = field(default_factory=lambda: defaultdict(dict))
    """By the dialect of the scope, and by how many attributes a span has."""
    made: dict[Any, View] = field(default_factory=dict)


class Processor:
    """What one collector counts.

    Args:
        clock: gives Unix seconds.
        scrape_interval: seconds between scrapes.
        aliases: other names of an attribute; None takes them from the dialect table.
        derived: what is derived; None takes our catalogue, without a user's own metrics.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        scrape_interval: float,
        series_limit: int = catalogue.SERIES_LIMIT,
        aliases: compiler.Aliases | None = None,
        derived: Catalogue | None = None,
    ) -> None:
        derived = derived or Catalogue()
        aliases = aliases_of(dialects.DIALECTS) if aliases is None else aliases
        self.store = Store(clock, scrape_interval, series_limit, derived.metrics)
        self.store.expired = self._forget_plans
        self.contexts: dict[Any, Context] = {}
        self.by_identity: dict[tuple[str, str], Context] = {}
        self._blocks = {block.name: block for block in compiler.blocks(derived.metrics, derived.spans)}
        self._codes = {name: code for code, name in enumerate(self._blocks)}
        self._gates = {name: frozenset(map(wire.encoded, map(str, gate.values))) for name, gate in derived.spans.items()}
        self._reads = {name: gate.read.names for name, gate in derived.spans.items() if gate.read}
        self._layouts = Layouts(tuple(self._blocks.values()), derived.spans, aliases)
        self._known: dict[Any, Layout] = {}
        self._live: list[Plan] = []
        self._names = 0
        self._overlays = Overlays(compiler.looked_at(tuple(self._blocks.values()), derived.spans), dialects.DIALECTS)
        who = ((gauge.prometheus, gauge.value) for gauge in (catalogue.AFFECTED_USERS, catalogue.AFFECTED_SESSIONS))
        self._who = tuple((name, value.read.names) for name, value in who if value and value.read)
        self._began = clock()
        self._clock = clock
        self.source = compiler.source(tuple(self._blocks.values()), aliases)
        self._count = self._built()

    def traces(self, data: bytes) -> int:
        """Count an ExportTraceServiceRequest; how many spans it had.

        Raises:
            wire.DecodeError: the bytes are no such message; nothing was counted.
        """
        spans = 0
        now = self._clock()
        dialect = self._overlays.of
        for one in wire.parse_traces(data).resource_spans:
            context = self._context(one.resource.attributes.get)
            for scope in one.scope_spans:
                spans += self._count(context, dialect(scope.scope.name), scope.spans, now)
        self.store.accepted[0] += spans
        return spans

    def logs(self, data: bytes) -> int:
        """Count the evaluation events of an ExportLogsServiceRequest that mirror no span attribute; how many there were.

        Raises:
            wire.DecodeError: the bytes are no such message; nothing was counted.
        """
        counted = 0
        now = self._clock()
        for one in wire.parse_logs(data).resource_logs:
            context = None
            for record in chain.from_iterable(scope.log_records for scope in one.scope_logs):
                named = record.event_name == _EVENT or record.attributes.get(names.EVENT_NAME) == _NAMED_EVENT
                if not named or record.attributes.get(names.EVALUATION_MIRRORED) == wire.TRUE:
                    continue
                context = context or self._context(one.resource.attributes.get)
                counted += self._event(context, record, now)
        return counted

    def copy(self) -> list[Exposed]:
        """All series as they stand."""
        self._settle()
        part = evidence.slice_of(self._clock(), self.store.interval)
        for context in self.by_identity.values():
            for (metric, evaluation), distinct in context.evidence.distinct.items():
                labels = (context.service, context.environment, evaluation)
                self.store.cell(catalogue.BY_NAME[metric], labels, hold=False)[0] = distinct.count(part)
        return self.store.copy()

    def evidence_of(self, service: str, environment: str) -> evidence.Evidence | None:
        """What is kept of single answers of a service; None when it was never seen."""
        context = self.by_identity.get((service, environment))
        return context.evidence if context else None

    def _built(self) -> Callable[[Context, Any, Any, float], int]:
        scope: dict[str, Any] = {}
        exec(self.source, scope)  # noqa: S102  # the text is made from the catalogue alone, never from what is received
        return scope["build"](  # type: ignore[no-any-return]
            SimpleNamespace(
                double=wire.double, doubles=lambda pair: wire.doubles(wire.value(pair)), numbers=wire.Numbers(),
                bisect=bisect_left, is_error=wire.is_error, look=self._look, more=self._more, touch=self._touch, bad=self._bad,
            )
        )  # fmt: skip

    def _context(self, found: Callable[[str], bytes | None]) -> Context:
        key = tuple(map(found, RESOURCE))
        return self.contexts.get(key) or self._new_context(key)

    def _new_context(self, key: tuple[bytes | None, ...]) -> Context:
        resource = dict(zip(RESOURCE, key, strict=True))
        facts = Facts({}, resource)
        service = label_value(catalogue.SERVICE, facts, None) or ""
        environment = label_value(catalogue.ENVIRONMENT, facts, None) or ""
        identity = self.store.identity(service, environment)
        context = self.by_identity.get(identity)
        if context is None:
            context = Context(*identity, resource, evidence.Evidence())
            self.by_identity[identity] = context
        if _size(key) < KEPT:
            if len(self.contexts) >= PLANS:
                self.contexts.clear()
            self.contexts[key] = context
        return context

    def _look(self, context: Context, kind: Any, span: Any, held: list[bytes]) -> tuple[View, Plan, Held]:
        """The view, the plan and the attributes of a span that was not found by position."""
        pairs = held[:-2]
        usual = wire.plain(pairs)
        if callable(kind):
            overlaid = kind(span, {wire.name(pair): wire.value(pair) for pair in usual})
            if overlaid is not None:
                usual = [wire.pair(name, value) for name, value in overlaid.items()]
        event = span.evaluation if kind == EVENT else ""
        if len(self._live) >= PLANS:
            self._forget_plans()
        view, kept = self._view(context, tuple(map(wire.head, usual)), event)
        whole = (*usual, *held[-2:])
        key = view.key(whole) or ()
        plan = view.plans.get(key)
        if plan is None:
            once = not kept or _size(key) >= KEPT
            plan = self._plan(context, view, whole, once)
            if not once:
                view.plans[key] = plan
        if kept and usual is pairs and not event:
            known = context.views[kind].setdefault(len(held), [])
            if view not in known:
                known[VIEWS - 1 :] = []
                known.insert(0, view)
        return view, plan, whole

    def _view(self, context: Context, heads: tuple[bytes, ...], event: str) -> tuple[View, bool]:
        """The view of a sequence of names, and whether it is kept."""
        view = context.made.get((heads, event))
        if view is not None:
            return view, True
        layout = self._known.get((heads, event))
        if layout is None:
            layout = self._layouts.made(heads, event)
            size = _size(heads) + len(event)
            if size > NAMES // 64:
                return self._layouts.view(layout), False
            if self._names + size > NAMES:
                self._forget_plans()
            self._names += size
            self._known[layout.heads, event] = layout
        view = context.made[layout.heads, event] = self._layouts.view(layout)
        return view, True

    def _plan(self, context: Context, view: View, held: Held, once: bool) -> Plan:
        layout = view.layout
        reads = {read: self._layouts.value(layout, held, read) for block in layout.classes for read in block.key}
        facts = Facts(reads, context.resource, error=held[-1] == compiler.FAILED[-1])
        plan: Plan = [0, -1, [], [], [], ()]
        if self._layouts.value(layout, held, (names.DUPLICATE,)) == wire.TRUE:
            return self._registered(plan, once)
        parts: list[tuple[Any, ...]] = []
        evaluated = not layout.classes
        for block in layout.classes:
            gate = self._gates[block.name]
            if gate and self._layouts.value(layout, held, self._reads[block.name]) not in gate:
                continue
            evaluated = evaluated or block.name == "llm"
            cells = self._cells(block, context, facts, plan)
            if cells:
                row, starts = self._layouts.row(layout, block)
                parts.append((self._codes[block.name], cells, row, None, "", starts))
        block = self._blocks[compiler.EVALUATION]
        for name in layout.evaluations if evaluated else ():
            own = view.own.get(name)
            cells = () if own else self._evaluation_cells(context, layout, held, name, plan)
            row, starts = self._layouts.row(layout, block, name)
            parts.append((self._codes[compiler.EVALUATION], cells, row, own, name, starts))
        plan[5] = tuple(parts)
        return self._registered(plan, once)

    def _more(self, context: Context, view: View, own: tuple[Any, dict[Any, Plan]], name: str, held: Held) -> Plan:
        """The plan of one of several evaluations of a span."""
        plan: Plan = [0, -1, [], [], [], ()]
        plan[5] = self._evaluation_cells(context, view.layout, held, name, plan)
        key = own[0](held) or ()
        once = _size(key) >= KEPT or len(self._live) >= 2 * PLANS
        if not once:
            own[1][key] = plan
        return self._registered(plan, once)

    def _registered(self, plan: Plan, once: bool) -> Plan:
        """A plan whose counts are added when the next copy is taken; of one that is used once they are added now."""
        if once:
            _add(plan[2], 1)
        else:
            self._live.append(plan)
        return plan

    def _settle(self) -> None:
        for plan in self._live:
            if plan[0]:
                _add(plan[2], plan[0])
                plan[0] = 0

    def _evaluation_cells(self, context: Context, layout: Layout, held: Held, name: str, plan: Plan) -> tuple[Any, ...]:
        block = self._blocks[compiler.EVALUATION]
        value = partial(self._layouts.value, layout, held)
        parts = {part: value((names.evaluation(name, part),)) for part in compiler.PARTS}
        parts["sampled"] = parts["sampled"] or value((names.EVALUATION_SAMPLED,))
        facts = Facts({read: value(read) for read in block.key}, context.resource, name=name, parts=parts)
        scores = self._scores(context, facts) if parts["sampled"] == _BASE else None
        failed = self._failed(context, layout, name) if parts["label"] == _FAIL else None
        return (*self._cells(block, context, facts, plan), scores, failed)

    def _cells(self, block: compiler.Block, context: Context, facts: Facts, plan: Plan) -> tuple[Cell | None, ...]:
        """The cells of a block's measured numbers; those of its counts and gauges are put into the plan."""
        measured: list[Cell | None] = []
        for metric in block.metrics:
            self._born(metric, context, facts)
            active = metric.when is None or holds(metric.when, facts)
            if metric.keep == "since" or is_constant(metric):
                if active:
                    self._constant(metric, context, facts, plan)
            else:
                fixed = [dict(part.labels) for part in metric.parts] or [{}]
                measured += [self._cell(metric, context, facts, None, one) if active else None for one in fixed]
        return tuple(measured)

    def _constant(self, metric: Metric, context: Context, facts: Facts, plan: Plan) -> None:
        _, _, ones, kept, dropped, _ = plan
        items: list[str | None] = [None]
        if metric.each and metric.each != compiler.EVALUATION:
            listed = facts.attributes.get((metric.each,))
            items = [finish(item) if metric.each == names.FINISH_REASONS else item for item in wire.strings(listed or b"")]
        amount = 1.0 if metric.keep == "since" else constant(metric.value, facts)
        for item in items:
            cell = self._cell(metric, context, facts, item, {}) if amount is not None else None
            if cell is None:
                dropped.append(self.store.own[catalogue.COLLECTOR_DROPPED_SPANS.prometheus, "not_a_label"])
                continue
            if metric.kind == "gauge":
                kept.append((cell, metric.keep))
            elif amount:
                ones.extend([cell] * int(amount))

    def _cell(self, metric: Metric, context: Context, facts: Facts, item: str | None, fixed: Mapping[str, str]) -> Cell | None:
        values = [fixed.get(label.name, None) or label_value(label, facts, item) for label in metric.label_set]
        whole = tuple(value for value in values if value is not None)
        return self.store.admit(metric, context.service, context.environment, whole) if len(whole) == len(values) else None

    def _born(self, metric: Metric, context: Context, facts: Facts) -> None:
        if metric.born and holds(metric.born.when, facts):
            for value in metric.label(metric.born.label).values:
                self._cell(metric, context, facts, None, {metric.born.label: value})

    def _scores(self, context: Context, facts: Facts) -> Callable[[float, bytes | None], None]:
        scores = context.evidence.scores.setdefault(self._admitted(context, facts.name), evidence.Scores())
        said = (facts.parts["evaluator"], facts.attributes.get((names.SNAPSHOT_ID,)))
        evaluator, snapshot = (clean(wire.text(read or b"") or "", catalogue.VALUE_LENGTH) for read in said)
        return partial(scores.add, evaluator, snapshot)

    def _admitted(self, context: Context, evaluation: str) -> str:
        label = catalogue.EVALUATIONS.label("evaluation")
        return self.store.limited(context.service, context.environment, label, evaluation)

    def _touch(self, plan: Plan, tick: int, now: float, view: View, held: Held) -> None:
        _, _, _, kept, dropped, _ = plan
        for cell in dropped:
            cell[0] += 1.0
        if not dropped:
            plan[1] = tick
        view.use()
        gap = GAP_SCRAPES * self.store.interval
        for cell, keep in kept:
            if keep != "since":
                cell[0] = 1.0
            elif now - cell[1] > gap:
                # A collector that has just started cannot know whether the snapshot is new: the application's own word is better.
                said = wire.number(self._layouts.value(view.layout, held, (names.SNAPSHOT_SINCE,)) or b"")
                cell[0] = said if 0 < said < now and now - self._began < gap else now
            cell[1] = now

    def _failed(self, context: Context, layout: Layout, name: str) -> Callable[[Any, float, Held], None]:
        """What keeps a failing answer of a layout: its trace, its user, its session."""
        interval, kept, metric = self.store.interval, context.evidence, catalogue.FAILING_TRACE_INFO
        name = self._admitted(context, name)
        who = [(gauge, self._layouts.positions(layout.at, read)) for gauge, read in self._who]

        def failed(span: Any, now: float, held: Held) -> None:
            trace_id = span.trace_id[:16]
            changed = evidence.failed(kept, name, trace_id, span.end * 1e-9 or now, now, interval)
            if changed is not None:
                slot, before = changed
                labels = (context.service, context.environment, name, str(slot))
                if before:
                    self.store.remove(metric, (*labels, before))
                self.store.cell(metric, (*labels, trace_id.hex()), hold=False)[:] = (1.0, now)
            part = evidence.slice_of(now, interval)
            for gauge, places in who:
                found = next((value for i in places if (value := wire.value(held[i]))), None)
                if found:
                    kept.distinct.setdefault((gauge, name), evidence.Distinct()).add(found, part)

        return failed

    def _event(self, context: Context, record: Any, now: float) -> int:
        found = dict(record.attributes)
        name = wire.text(found.get("gen_ai.evaluation.name", b""))
        if not name:
            self.store.dropped("no_evaluation_name")
            return 0
        for part, own in (("label", "gen_ai.evaluation.score.label"), ("score", "gen_ai.evaluation.score.value")):
            if own in found:
                found.setdefault(names.evaluation(name, part), found[own])
        if names.evaluation(name, "label") not in found and names.ERROR_TYPE in found:
            found.setdefault(names.evaluation(name, "skipped"), wire.encoded("error"))
        pairs = [wire.pair(name, value) for name, value in found.items()]
        event = SimpleNamespace(
            attributes=pairs, status=b"", start=0, end=record.time or record.observed, trace_id=record.trace_id, evaluation=name
        )
        return self._count(context, EVENT, (event,), now)

    def _bad(self, value: float) -> None:
        self.store.dropped("out_of_range" if isfinite(value) else "not_a_number")

    def _forget_plans(self) -> None:
        self._settle()
        self._live.clear()
        self._names = 0
        self._known.clear()
        for context in self.by_identity.values():
            context.made.clear()
            for views in context.views.values():
                views.clear()


def _add(cells: list[Cell], many: int) -> None:
    for cell in cells:
        cell[0] += many


def _size(key: tuple[Any, ...]) -> int:
    return sum(_size(part) if isinstance(part, tuple) else len(part) if isinstance(part, (bytes, str)) else 0 for part in key)
