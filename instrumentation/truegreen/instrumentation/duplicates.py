"""Several instrumentors, or an SDK's own spans beside one, make several spans of one call; exactly one of them is counted.

Spans of one call are found by three signs: one is below the other with nothing but spans that are no tool, agent or retrieval in between; one
started while the other, of another library, was open in the same thread or task, with no span opened in between that only one of them is below; or
both have one response id and overlap in time. Their models and kinds of operation must agree as far as they are known.

Which one is counted: of a call that succeeded, the span that started first, and what the others know is handed on to it; of a call that failed, the
span that ended first, so that an attempt is still counted when the span around it recovers. Where only the response id joins them, or the
outer one did not look like a model's call until it ended, the one that ended first. Two spans of one library below one span are two calls.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Iterator
from contextvars import ContextVar
from functools import partial

from opentelemetry.sdk.trace import Span
from opentelemetry.trace import SpanKind

from truegreen.core.words import attributes as names
from truegreen.core.words.normalise import View, marked, read, select
from truegreen.instrumentation.call import Call, attributes_of
from truegreen.instrumentation.locks import Lock
from truegreen.instrumentation.model import State, state_of
from truegreen.instrumentation.same_call import Facts, agree, facts_of, models_of
from truegreen.instrumentation.text import Text, short

KEPT = 2_048
DEPTH = 32
"""How far above a span its call is looked for."""
BESIDE = 8
"""How many open spans of models' calls a thread or task remembers."""
INSIDE = 16
"""How many calls a span that encloses them remembers."""
HANDED_ON = (
    "request_model", "response_model", "response_id", "fingerprint", "finish_reasons", "time_to_first_chunk",
    "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens",
)  # fmt: skip
"""What the span that counts gets from the others when it lacks it."""

_BOUNDARIES = (names.TOOL_OPERATION, names.AGENT_OPERATION, names.RETRIEVAL_OPERATION, "create_agent")


class Node:
    """One span as far as calls are told apart by it; it outlives the span while others refer to it, and holds nothing of its content.

    Args:
        span: the open span, weakly.
        above: the node of the parent, if that was open when the span started.
    """

    beside: Node | None = None
    """The innermost open span of another library that the same piece of code started the call with."""
    members: set[str] | None = None
    """The libraries whose spans are of one call with it; None for its own alone."""
    claims: frozenset[str] = frozenset()
    """The libraries that have ended a span of the same call."""
    facts: Facts | None = None
    done = False

    def __init__(self, span: Span, above: Node | None, scope: str) -> None:
        self.span = weakref.ref(span)
        self.above = above
        self.parent = span.parent.span_id if span.parent else 0
        self.scope = scope

    @property
    def state(self) -> State | None:
        """Its state while it is open: heir of what the other spans of the call know."""
        span = self.span()
        return None if span is None else state_of(span)

    def ended(self) -> None:
        """Let go of everything that would keep other spans alive."""
        self.done = True
        self.above = self.beside = None

    def libraries(self) -> set[str]:
        """Those whose spans are of one call with it."""
        return self.members or {self.scope}

    def open(self) -> bool:
        """Whether the span is there and has not ended."""
        return not self.done and self.span() is not None

    def ancestors(self) -> Iterator[Node]:
        """The nodes above, nearest first."""
        node = self.above
        for _ in range(DEPTH):
            if node is None:
                return
            yield node
            node = node.above

    def known(self) -> Facts | None:
        """What the span says by now; None when it does not look like a GenAI span."""
        span = self.span()
        if self.facts is not None or self.done or span is None:
            return self.facts
        attributes = attributes_of(span)
        dialect = select(self.scope, attributes) or (self.state.dialect if self.state else None)
        if dialect is None:
            return None
        view = View(attributes)
        source = (self.state.source if self.state else None) or {}
        operation = read(dialect, "operation", view) or source.get(names.OPERATION_NAME) or ""
        asked, served = (
            read(dialect, "request_model", view) or source.get(names.REQUEST_MODEL),
            read(dialect, "response_model", view),
        )
        return Facts(operation, models_of(asked, served), short(str(read(dialect, "response_id", view) or "")))


_open: ContextVar[tuple[weakref.ref[Span], ...]] = ContextVar("truegreen-open-calls", default=())


class Duplicates:
    """Which spans of models' calls are open, and the response ids of the last 2,048 calls."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, tuple[str, int, int]] = OrderedDict()
        self._lock = Lock()

    def opened(self, span: Span, state: State) -> None:
        """Take note of a span that is, or may become, a model's call."""
        others = []
        for at in _open.get():
            other = at()
            if other is not None and "end" in other.__dict__ and (its := state_of(other)) is not None:
                others.append((other, its))
        if others:
            _join(_node_of(span, state), tuple([_node_of(other, its) for other, its in others]))
        _open.set(
            (*[weakref.ref(other) for other, _ in others[1 - BESIDE :]], weakref.ref(span)) if others else (weakref.ref(span),)
        )

    def among(self, span: Span, state: State) -> Node:
        """The place of a span among those around it."""
        return state.node or _node_of(span, state)

    def alone(self, state: State) -> bool:
        """Whether no other span, as far as anybody knows by now, stands for the call of a span that is about to end."""
        node: Node | None = state.node
        if (
            state.inside
            or state.lent is not None
            or (node is not None and (node.members is not None or node.beside is not None or node.claims))
        ):
            return False
        above, its = state.parent, state.outer
        for _ in range(DEPTH):  # as `_around` does, without a generator: most calls come by
            if its is None:
                break
            if its.dialect is not None or marked(attributes_of(above)) is not None:
                return False
            if above.kind in (SpanKind.SERVER, SpanKind.CONSUMER):
                break
            above, its = its.parent, its.outer
        return True

    def ends(self, call: Call) -> None:
        """Leave word with the spans around a call that is alone as yet: one of them may turn out to stand for it."""
        for _, its in _around(call.state):
            _leave_word(its, call)

    def is_one(self, call: Call, text: Text, *, alone: bool) -> bool:
        """Whether a span that ends repeats a call that another span of this process stands for; what it knows is then handed on.

        Args:
            alone: `alone` was true when it ended.
        """
        node, facts = call.state.node, facts_of(call)
        with self._lock:
            if node is not None:
                node.facts = facts
            if not alone:
                inside = [] if node.claims else [found() for found in call.state.inside or ()]
                if any(facts.failed == other.failed and agree(facts, other) for other in inside):
                    return True
                outer = _outer(node, facts)
                if outer is not None and (outer.done or not facts.failed) and node.scope not in outer.claims:
                    outer.claims |= {node.scope}
                    if outer.state is not None:
                        _hand_on(call, text, outer.state)
                    return True
            if self._again(call):
                return True
        if not alone:
            for enclosing in _enclosing(node):
                if (its := enclosing.state) is not None:
                    _leave_word(its, call)
        return False

    def repeats(self, call: Call) -> bool:
        """Whether a call that ends has the response id of one of another library that it overlaps in time."""
        with self._lock:
            return self._again(call)

    def _again(self, call: Call) -> bool:
        state = call.state
        if state.repeated is None:
            state.repeated = False
            if identity := short(str(call.read("response_id") or "")):
                known = self._seen.get(identity)
                if known is not None and known[0] != call.scope and call.start <= known[2] and known[1] <= call.at:
                    state.repeated = True
                else:
                    self._seen[identity] = (call.scope, call.start, call.at)
                    while len(self._seen) > KEPT:
                        self._seen.popitem(last=False)
        return state.repeated


def _around(state: State) -> Iterator[tuple[Span, State]]:
    """The open spans above one, nearest first, as far up as the server's."""
    for _ in range(DEPTH):
        above, outer = state.parent, state.outer
        if outer is None:
            return
        yield above, outer
        if above.kind in (SpanKind.SERVER, SpanKind.CONSUMER):
            return
        state = outer


def _leave_word(state: State, call: Call) -> None:
    """Have a span that is open know of a call that ended below it or beside it, and may be its own."""
    if state.inside is None:
        state.inside = []
    if len(state.inside) < INSIDE:
        state.inside.append(partial(facts_of, call))


def _join(node: Node, others: tuple[Node, ...]) -> None:
    """Find the open call of another library that a span which starts is one with."""
    node.beside = _beside(node, node.known(), others)
    joined = node.beside or next((above for above in node.ancestors() if above in others), None)
    if joined is not None and node.scope not in joined.libraries():
        node.members = joined.members = joined.members or {joined.scope}
        node.members.add(node.scope)


def _node_of(span: Span, state: State) -> Node:
    """The node of a span, made with those above it when they are missing."""
    missing: list[tuple[Span, State]] = []
    at: State | None = state
    while at is not None and at.node is None and len(missing) < DEPTH:
        missing.append((span, at))
        span, at = at.parent, None if span.kind in (SpanKind.SERVER, SpanKind.CONSUMER) else at.outer
    above: Node | None = at.node if at is not None else None
    for each, its in reversed(missing):
        above = its.node = Node(each, above, its.scope)
    found: Node = state.node
    return found


def _beside(node: Node, known: Facts | None, others: tuple[Node, ...]) -> Node | None:
    """The innermost open span of another library that the same piece of code started the call with."""
    ancestors = tuple(node.ancestors())
    for other in reversed(others):
        if other in ancestors or node.scope in other.libraries():
            continue
        if all(each.parent != node.parent for each in (other, *other.ancestors())):
            continue
        theirs = other.known()
        if known is None or theirs is None or agree(known, theirs):
            return other
    return None


def _outer(node: Node, facts: Facts) -> Node | None:
    """The span around a call that stands for the same call."""
    for above in node.ancestors():
        found = above.known()
        if found is None or (found.operation not in names.LLM_OPERATIONS and found.operation not in _BOUNDARIES):
            continue
        if found.operation in names.LLM_OPERATIONS and agree(found, facts):
            return above
        break
    if node.beside is not None:
        found = node.beside.known()
        if found is not None and found.operation in names.LLM_OPERATIONS and agree(found, facts):
            return node.beside
    return None


def _enclosing(node: Node) -> Iterator[Node]:
    """All spans that may yet turn out to be spans of the same call."""
    start: Node | None = node
    for _ in range(BESIDE):
        if start is None:
            return
        for above in start.ancestors():
            found = above.known()
            if found is not None and found.operation in _BOUNDARIES:
                break
            yield above
        start = start.beside
        if start is not None:
            yield start


def _hand_on(call: Call, text: Text, heir: State) -> None:
    """Give the span that counts what it may lack: it may belong to a library that shows no text or counts no tokens."""
    if heir.told is None and text.answer is not None:
        heir.told = text
    lent = heir.lent = heir.lent or {}
    for field in HANDED_ON:
        value = call.read(field)
        if value is not None:
            lent.setdefault(field, value)
