"""The processor: bytes of OTLP requests in, accumulated series and evidence out. No network, no files; the clock is injected."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from functools import partial
from itertools import chain, starmap
from math import isfinite
from types import SimpleNamespace
from typing import Any, Final

from truegreen.collector import compile as compiler
from truegreen.collector import evidence, wire
from truegreen.collector.aliases import of as aliases_of
from truegreen.collector.contexts import Contexts
from truegreen.collector.layout import Held, Layout, Layouts, Plan, View, add, size_of
from truegreen.collector.log_events import as_span
from truegreen.collector.model import Exposed
from truegreen.collector.overlay import Overlays
from truegreen.collector.planner import Context, Planner
from truegreen.collector.state import Store
from truegreen.collector.translated import Translated, Translator
from truegreen.core.words import attributes as names
from truegreen.core.words import catalogue, dialects
from truegreen.core.words.catalogue_own import Catalogue

PLANS: Final = 50_000
"""Plans kept at once; past it all are forgotten and made anew as they are needed (series stay)."""
KEPT: Final = 4096
"""A longer key of attribute values is worked out anew each time: what is kept stays small whatever is sent."""
NAMES: Final = 8 * 1024 * 1024
"""Bytes of attribute names in the layouts that are kept at once; one that takes over a 64th of it is worked out anew each time."""
WAYS: Final = 32
"""Sequences of names of another dialect, of as many attributes, that are read by place; further ones are read whole."""
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
        self.contexts = Contexts(self.store)
        self._blocks = {block.name: block for block in compiler.blocks(derived.metrics, derived.spans)}
        self._layouts = Layouts(tuple(self._blocks.values()), derived.spans, aliases)
        self._known: dict[Any, Layout] = {}
        self._live: list[Plan] = []
        self._names = 0
        self._overlays = Overlays(
            compiler.looked_at(tuple(self._blocks.values()), derived.spans), dialects.DIALECTS,
            compiler.needed(tuple(self._blocks.values()), derived.spans),
        )  # fmt: skip
        self._translator = Translator(
            self._overlays, self._layouts, *compiler.by_use(tuple(self._blocks.values()), derived.spans)
        )
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
            context = self.contexts.of(one.resource.attributes.get)
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
                context = context or self.contexts.of(one.resource.attributes.get)
                counted += self._event(context, record, now)
        return counted

    def copy(self) -> list[Exposed]:
        """All series as they stand."""
        self._settle()
        part = evidence.slice_of(self._clock(), self.store.interval)
        for context in self.contexts.by_identity.values():
            for (metric, evaluation), distinct in context.evidence.distinct.items():
                cell = self.store.spare(catalogue.BY_NAME[metric], (context.service, context.environment, evaluation))
                if cell is not None:
                    cell[0] = distinct.count(part)
        return self.store.copy()

    def evidence_of(self, service: str, environment: str) -> evidence.Evidence | None:
        """What is kept of single answers of a service; None when it was never seen."""
        context = self.contexts.by_identity.get((service, environment))
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

    def _look(self, context: Context, kind: Any, span: Any, held: list[bytes]) -> tuple[View, Plan, Held]:
        """The view, the plan and the attributes of a span that was not found by position."""
        if len(self._live) >= PLANS:
            self._forget_plans()
        way = self._way(context, kind, span, held) if callable(kind) else None
        taken, key = way.extended(span, held) if way else held, None
        if way and way.view:
            key = way.view.key(taken)
            if (plan := way.view.plans.get(key)) is not None:
                return way.view, plan, taken
        pairs = held[:-2]
        usual = wire.plain(pairs)
        for _ in range(len(pairs) - len(usual)):
            self.store.dropped("undecodable")
        if not callable(kind):
            return self._found(context, kind, held, usual, span.evaluation if kind == EVENT else "")
        overlaid = kind(span, wire.named(usual))
        if overlaid is None:
            return self._found(context, kind, held, usual, "")
        view, _ = self._view(context, tuple(map(wire.head_of, overlaid)), "")
        whole = (*starmap(wire.pair, overlaid.items()), *held[-2:])
        if way is None or way.view is None or key is None or size_of(key) >= KEPT:
            return self._found(context, kind, held, list(whole[:-2]), "")
        plan = self._new_plan(context, way.view, taken, False, (view, whole))
        way.view.keep(key, plan)
        if not way.extras and not way.events:
            self._keep(context, kind, held, way.view)
        return way.view, plan, taken

    def _way(self, context: Context, kind: Any, span: Any, held: list[bytes]) -> Translated | None:
        """How the spans of another dialect that have these names are read; None where there are too many ways to try."""
        known: list[Translated] = context.translated[kind].setdefault(len(held), [])
        events = bool(span.events)
        for way in known:
            if way.matches(held, events):
                return way
        pairs = held[:-2]
        if len(known) >= WAYS or wire.plain(pairs) is not pairs:
            return None
        made = self._translator.made(kind, span, held)
        size = size_of(made.heads) + size_of(tuple(pair for _, pair in made.fixed))
        if size > NAMES // 64 or self._names + size > NAMES:
            return None
        self._names += size
        known.append(made)
        return made

    def _found(self, context: Context, kind: Any, held: list[bytes], usual: list[bytes], event: str) -> tuple[View, Plan, Held]:
        """The view and the plan of attributes in the conventions' names."""
        view, kept = self._view(context, tuple(map(wire.head, usual)), event)
        whole = (*usual, *held[-2:])
        key = view.key(whole) or ()
        plan = view.plans.get(key)
        if plan is None:
            once = not kept or size_of(key) >= KEPT
            plan = self._new_plan(context, view, whole, once)
            if not once:
                view.keep(key, plan)
        if kept and not event and whole == (*held,):
            self._keep(context, kind, held, view)
        return view, plan, whole

    def _keep(self, context: Context, kind: Any, held: list[bytes], view: View) -> None:
        """Try a view first for the spans to come."""
        known = context.views[kind].setdefault(len(held), [])
        if view not in known:
            known[VIEWS - 1 :] = []
            known.insert(0, view)

    def _new_plan(self, context: Context, view: View, held: Held, once: bool, source: tuple[View, Held] | None = None) -> Plan:
        """The plan of a combination of values that is new; those that differ only in labels that are past their limits share one."""
        decided = source or (view, held)
        make = partial(self._planner.plan, context, view, held, (decided[0].layout, decided[1]))
        folded = self._planner.folded(context, *decided)
        if folded is None:
            return self._registered(make(), once)
        key = (decided[0], decided[0].key(folded))
        plan = view.folded.get(key)
        if plan is None:
            cells = self.store.overflows()
            before = [cell[0] for cell in cells]
            plan = self._registered(make(), once)
            plan[4] = tuple((cell, cell[0] - was) for cell, was in zip(cells, before, strict=True) if cell[0] > was)
            if not once:
                view.folded[key] = plan
            return plan
        for cell, more in plan[4]:
            cell[0] += more
        if not once:
            self._live.append(plan)  # the key that leads to it is kept, and counts among those that are
        return plan

    def _view(self, context: Context, heads: tuple[bytes, ...], event: str) -> tuple[View, bool]:
        """The view of a sequence of names, and whether it is kept."""
        view = context.made.get((heads, event))
        if view is not None:
            return view, True
        layout = self._known.get((heads, event))
        if layout is None:
            layout = self._layouts.made(heads, event)
            size = size_of(heads) + len(event)
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
        plan[5] = self._planner.evaluation(context, view.layout, (view.layout, held), name, plan)
        key = own[0](held) or ()
        once = size_of(key) >= KEPT or len(self._live) >= 2 * PLANS
        if not once:
            own[1][key] = plan
        return self._registered(plan, once)

    def _registered(self, plan: Plan, once: bool) -> Plan:
        """A plan whose counts are added when the next copy is taken; of one that is used once they are added now."""
        plan[2:5] = map(tuple, plan[2:5])
        if once:
            add(plan[2], 1)
        else:
            self._live.append(plan)
        return plan

    def _settle(self) -> None:
        for plan in self._live:
            if plan[0]:
                add(plan[2], plan[0])
                plan[0] = 0

    def _event(self, context: Context, record: Any, now: float) -> int:
        event = as_span(record)
        if event is None:
            self.store.dropped("no_evaluation_name")
            return 0
        return self._count(context, EVENT, (event,), now, int(now * self._ticks))

    def _bad(self, value: float) -> None:
        self.store.dropped("out_of_range" if isfinite(value) else "not_a_number")

    def _forget_plans(self) -> None:
        self._settle()
        self._live.clear()
        self._names = 0
        self._known.clear()
        for context in self.contexts.by_identity.values():
            for view in context.made.values():
                view.forget()
            context.made.clear()
            for views in (*context.views.values(), *context.translated.values()):
                views.clear()
