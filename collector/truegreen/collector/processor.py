"""The processor: bytes of OTLP requests in, accumulated series and evidence out. No network, no files; the clock is injected."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from itertools import chain, starmap
from math import isfinite
from types import SimpleNamespace
from typing import Any, Final

from truegreen.collector import compile as compiler
from truegreen.collector import evidence, wire
from truegreen.collector.aliases import of as aliases_of
from truegreen.collector.layout import Held, Layout, Layouts, Plan, View
from truegreen.collector.model import Exposed
from truegreen.collector.overlay import Overlays
from truegreen.collector.plan import Facts, label_value
from truegreen.collector.planner import Context, Planner
from truegreen.collector.state import Cell, Store
from truegreen.core.words import attributes as names
from truegreen.core.words import catalogue, dialects
from truegreen.core.words.catalogue_own import Catalogue

RESOURCE: Final = (names.SERVICE_NAME, names.ENVIRONMENT_NAME, names.ENVIRONMENT_NAME_OLD)
PLANS: Final = 50_000
"""Plans kept at once; past it all are forgotten and made anew as they are needed (series stay)."""
KEPT: Final = 4096
"""A longer key of attribute values is worked out anew each time: what is kept stays small whatever is sent."""
NAMES: Final = 8 * 1024 * 1024
"""Bytes of attribute names in the layouts that are kept at once; one that takes over a 64th of it is worked out anew each time."""
VIEWS: Final = 8
"""Layouts of as many attributes that are tried in turn before a span is looked up by its names."""
TICKS: Final = 8
"""How often in a scrape interval a plan's gauges are set, and its exemplars renewed."""
EVENT: Final = "event"
_EVENT: Final = names.EVALUATION_EVENT.encode()
_NAMED_EVENT: Final = wire.encoded(names.EVALUATION_EVENT)


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
        self._layouts = Layouts(tuple(self._blocks.values()), derived.spans, aliases)
        self._known: dict[Any, Layout] = {}
        self._live: list[Plan] = []
        self._names = 0
        self._overlays = Overlays(
            compiler.looked_at(tuple(self._blocks.values()), derived.spans), dialects.DIALECTS,
            compiler.needed(tuple(self._blocks.values()), derived.spans),
        )  # fmt: skip
        self._planner = Planner(self.store, self._layouts, self._blocks, derived.spans, clock())
        self._clock = clock
        self._ticks = TICKS / scrape_interval
        self.source = compiler.source(tuple(self._blocks.values()), aliases)
        self._count = self._built()

    def traces(self, data: bytes) -> int:
        """Count an ExportTraceServiceRequest; how many spans it had.

        Raises:
            wire.DecodeError: the bytes are no such message; nothing was counted.
        """
        spans = 0
        now = self._clock()
        tick = int(now * self._ticks)
        dialect = self._overlays.of
        for one in wire.parse_traces(data).resource_spans:
            context = self._context(one.resource.attributes.get)
            for scope in one.scope_spans:
                spans += self._count(context, dialect(scope.scope.name), scope.spans, now, tick)
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

    def _built(self) -> Callable[[Context, Any, Any, float, int], int]:
        scope: dict[str, Any] = {}
        exec(self.source, scope)  # noqa: S102  # the text is made from the catalogue alone, never from what is received
        return scope["build"](  # type: ignore[no-any-return]
            SimpleNamespace(
                double=wire.double, doubles=lambda pair: wire.doubles(wire.value(pair)), numbers=wire.Numbers(),
                bisect=bisect_left, is_error=wire.is_error, look=self._look, more=self._more, touch=self._planner.touch, bad=self._bad, example=self._planner.example,
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
        overlaid = kind(span, wire.named(pairs)) if callable(kind) else None
        if overlaid is None:
            usual = wire.plain(pairs)
            heads = tuple(map(wire.head, usual))
        else:
            usual = list(starmap(wire.pair, overlaid.items()))
            heads = tuple(map(wire.head_of, overlaid))
        event = span.evaluation if kind == EVENT else ""
        if len(self._live) >= PLANS:
            self._forget_plans()
        view, kept = self._view(context, heads, event)
        whole = (*usual, *held[-2:])
        key = view.key(whole) or ()
        plan = view.plans.get(key)
        if plan is None:
            once = not kept or _size(key) >= KEPT
            plan = self._registered(self._planner.plan(context, view, whole), once)
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

    def _more(self, context: Context, view: View, own: tuple[Any, dict[Any, Plan]], name: str, held: Held) -> Plan:
        """The plan of one of several evaluations of a span."""
        plan: Plan = [0, -1, [], [], [], (), [], -1]
        plan[5] = self._planner.evaluation(context, view.layout, held, name, plan)
        key = own[0](held) or ()
        once = _size(key) >= KEPT or len(self._live) >= 2 * PLANS
        if not once:
            own[1][key] = plan
        return self._registered(plan, once)

    def _registered(self, plan: Plan, once: bool) -> Plan:
        """A plan whose counts are added when the next copy is taken; of one that is used once they are added now."""
        plan[2:5] = map(tuple, plan[2:5])
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
            attributes=pairs,
            status=b"",
            start=0,
            end=record.time or record.observed,
            trace_id=record.trace_id,
            span_id=record.span_id,
            evaluation=name,
        )
        return self._count(context, EVENT, (event,), now, int(now * self._ticks))

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


def _add(cells: Iterable[tuple[Cell, float]], many: int) -> None:
    for cell, amount in cells:
        cell[0] += amount * many


def _size(key: tuple[Any, ...]) -> int:
    return sum(_size(part) if isinstance(part, tuple) else len(part) if isinstance(part, (bytes, str)) else 0 for part in key)
