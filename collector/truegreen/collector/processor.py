"""The processor: bytes of OTLP requests in, accumulated series and evidence out. No network, no files; the clock is injected."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from math import isfinite
from types import SimpleNamespace
from typing import Any, Final

from truegreen.collector import compile as compiler
from truegreen.collector import evidence, wire
from truegreen.collector.aliases import of as aliases_of
from truegreen.collector.model import GAP_SCRAPES, Exposed
from truegreen.collector.overlay import Overlays
from truegreen.collector.plan import Facts, clean, constant, holds, is_constant, label_value
from truegreen.collector.shapes import Shapes, parts_of
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
"""A longer key of attribute names or values is worked out anew each time: what is kept stays small whatever is sent."""
_BASE: Final = wire.encoded("base")
_EVENT: Final = names.EVALUATION_EVENT.encode()
_NAMED_EVENT: Final = wire.encoded(names.EVALUATION_EVENT)


@dataclass(slots=True)
class Context:
    """One service and environment: its plans by class of spans, and its evidence."""

    service: str
    environment: str
    resource: Mapping[str, bytes | None]
    plans: tuple[dict[Any, list[Any]], ...]
    evidence: evidence.Evidence


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
        self._positions = {name: at for at, name in enumerate(self._blocks)}
        self._shared = tuple(compiler.tried(aliases, *read) for read in self._blocks[compiler.EVALUATION].key)
        self._plans = 0
        own = [name for gate in derived.spans.values() if gate.op == "present" and gate.read for name in gate.read.names]
        self._shapes = Shapes(compiler.tried(aliases, *own), KEPT)
        self._overlays = Overlays(compiler.looked_at(tuple(self._blocks.values()), derived.spans), dialects.DIALECTS)
        who = ((gauge.prometheus, gauge.value) for gauge in (catalogue.AFFECTED_USERS, catalogue.AFFECTED_SESSIONS))
        self._who = tuple((name, compiler.tried(aliases, *value.read.names)) for name, value in who if value and value.read)
        self._began = clock()
        self._clock = clock
        self.source = compiler.source(tuple(self._blocks.values()), derived.spans, RESOURCE, aliases, self._overlays.marks)
        self._count_spans, self._evaluate = self._built()

    def traces(self, data: bytes) -> int:
        """Count an ExportTraceServiceRequest; how many spans it had.

        Raises:
            wire.DecodeError: the bytes are no such message; nothing was counted.
        """
        spans: int = self._count_spans(data)
        self.store.accepted[0] += spans
        return spans

    def logs(self, data: bytes) -> int:
        """Count the evaluation events of an ExportLogsServiceRequest that mirror no span attribute; how many there were.

        Raises:
            wire.DecodeError: the bytes are no such message; nothing was counted.
        """
        counted = 0
        now = self._clock()
        for rl in wire.parse_logs(data).resource_logs:
            found = rl.resource.attributes.get
            key = tuple(found(name) for name in RESOURCE)
            for sl in rl.scope_logs:
                for record in sl.log_records:
                    named = record.event_name == _EVENT or record.attributes.get(names.EVENT_NAME) == _NAMED_EVENT
                    if not named or record.attributes.get(names.EVALUATION_MIRRORED) == wire.TRUE:
                        continue
                    counted += self._event(self.contexts.get(key) or self._new_context(key), record, now)
        return counted

    def copy(self) -> list[Exposed]:
        """All series as they stand."""
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

    def _built(self) -> tuple[Any, Any]:
        scope: dict[str, Any] = {}
        exec(self.source, scope)  # noqa: S102  # the text is made from the catalogue alone, never from what is received
        helpers = SimpleNamespace(
            contexts=self.contexts, parse=wire.parse_traces, number=wire.number, double=wire.double, doubles=wire.doubles, bisect=bisect_left,
            is_error=wire.is_error, new_context=self._new_context, make=self._make, touch=self._touch, bad=self._bad,
            shape_of=self._shapes.of, failing=self._failing, clock=self._clock, gate=lambda texts: frozenset(map(wire.encoded, texts)),
            overlays=self._overlays,
        )  # fmt: skip
        traces, evaluate = scope["build"](helpers)
        return traces, evaluate

    def _new_context(self, key: tuple[bytes | None, ...]) -> Context:
        resource = dict(zip(RESOURCE, key, strict=True))
        facts = Facts({}, resource)
        service = label_value(catalogue.SERVICE, facts, None) or ""
        environment = label_value(catalogue.ENVIRONMENT, facts, None) or ""
        identity = self.store.identity(service, environment)
        context = self.by_identity.get(identity)
        if context is None:
            context = Context(*identity, resource, tuple({} for _ in self._blocks), evidence.Evidence())
            self.by_identity[identity] = context
        if _size(key) < KEPT:
            if len(self.contexts) >= PLANS:
                self.contexts.clear()
            self.contexts[key] = context
        return context

    def _make(self, context: Context, name: str, key: tuple[Any, ...]) -> list[Any]:
        block = self._blocks[name]
        if name == compiler.EVALUATION:
            evaluation, *parts, shared = key
            texts = dict(zip(compiler.PARTS, parts, strict=True))
            facts = Facts(dict(zip(block.key, shared, strict=True)), context.resource, name=evaluation, parts=texts)
        else:
            facts = Facts(dict(zip(block.key, key[1:], strict=True)), context.resource, error=key[0])
        ones: list[Cell] = []
        kept: list[tuple[Cell, str]] = []
        measured: list[Cell | None] = []
        for metric in block.metrics:
            self._born(metric, context, facts)
            active = metric.when is None or holds(metric.when, facts)
            if metric.keep == "since" or is_constant(metric):
                if active:
                    self._constant(metric, context, facts, ones, kept)
            else:
                fixed = [dict(part.labels) for part in metric.parts] or [{}]
                measured += [self._cell(metric, context, facts, None, one) if active else None for one in fixed]
        plan: list[Any] = [-1, ones, kept, *measured]
        if name == compiler.EVALUATION:
            base = facts.parts["sampled"] == _BASE
            plan += [self._scores(context, facts) if base else None, facts.parts["label"] == wire.encoded(FAIL)]
        if _size(key) < KEPT:
            if self._plans >= PLANS:
                self._forget_plans()
            self._plans += 1
            context.plans[self._positions[name]][key] = plan
        return plan

    def _constant(self, metric: Metric, context: Context, facts: Facts, ones: list[Cell], kept: list[tuple[Cell, str]]) -> None:
        items: list[str | None] = [None]
        if metric.each and metric.each != compiler.EVALUATION:
            listed = facts.attributes.get((metric.each,))
            items = [finish(item) if metric.each == names.FINISH_REASONS else item for item in wire.strings(listed or b"")]
        amount = 1.0 if metric.keep == "since" else constant(metric.value, facts)
        for item in items:
            cell = self._cell(metric, context, facts, item, {}) if amount is not None else None
            if cell is None:
                ones.append(self.store.own[catalogue.COLLECTOR_DROPPED_SPANS.prometheus, "not_a_label"])
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
        scores = context.evidence.scores.setdefault(self._known(context, facts.name), evidence.Scores())
        said = (facts.parts["evaluator"], facts.attributes.get((names.SNAPSHOT_ID,)))
        evaluator, snapshot = (clean(wire.text(read or b"") or "", catalogue.VALUE_LENGTH) for read in said)
        return partial(scores.add, evaluator, snapshot)

    def _known(self, context: Context, evaluation: str) -> str:
        label = catalogue.EVALUATIONS.label("evaluation")
        return self.store.limited(context.service, context.environment, label, evaluation)

    def _touch(self, kept: list[tuple[Cell, str]], now: float, get: Callable[[str], bytes | None]) -> None:
        gap = GAP_SCRAPES * self.store.interval
        for cell, keep in kept:
            if keep != "since":
                cell[0] = 1.0
            elif now - cell[1] > gap:
                # A collector that has just started cannot know whether the snapshot is new: the application's own word is better.
                said = wire.number(get(names.SNAPSHOT_SINCE) or b"")
                cell[0] = said if 0 < said < now and now - self._began < gap else now
            cell[1] = now

    def _failing(
        self, context: Context, name: str, trace_id: bytes, end: int, now: float, get: Callable[[str], bytes | None]
    ) -> None:
        interval = self.store.interval
        kept = context.evidence
        name, trace_id = self._known(context, name), trace_id[:16]
        metric = catalogue.FAILING_TRACE_INFO
        changed = evidence.failed(kept, name, trace_id, end * 1e-9 or now, now, interval)
        if changed is not None:
            slot, before = changed
            labels = (context.service, context.environment, name, str(slot))
            if before:
                self.store.remove(metric, (*labels, before))
            self.store.cell(metric, (*labels, trace_id.hex()), hold=False)[:] = (1.0, now)
        part = evidence.slice_of(now, interval)
        for gauge, tried in self._who:
            found = next((value for value in map(get, tried) if value), None)
            if found:
                kept.distinct.setdefault((gauge, name), evidence.Distinct()).add(found, part)

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
        shared = tuple(next((value for value in map(found.get, read) if value), None) for read in self._shared)
        plans = context.plans[self._positions[compiler.EVALUATION]]
        time = record.time or record.observed
        self._evaluate(context, plans, (parts_of(name),), found.get, shared, record.trace_id, time, now, int(now))
        return 1

    def _bad(self, value: float) -> None:
        self.store.dropped("out_of_range" if isfinite(value) else "not_a_number")

    def _forget_plans(self) -> None:
        self._plans = 0
        for context in self.by_identity.values():
            for plans in context.plans:
                plans.clear()


def _size(key: tuple[Any, ...]) -> int:
    return sum(_size(part) if isinstance(part, tuple) else len(part) if isinstance(part, (bytes, str)) else 0 for part in key)
