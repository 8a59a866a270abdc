"""Which versions serve a call: the snapshot of a span, and the name of its prompt.

What the code states wins over what the configuration states, and that over what is seen on the span or around it; the fallback comes last.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import SpanContext

from truegreen.core.words import attributes as names
from truegreen.instrumentation import revision, snapshot
from truegreen.instrumentation.call import Call, attributes_of
from truegreen.instrumentation.context import NOTHING, carried, carried_cohort, linked
from truegreen.instrumentation.corpus import corpora
from truegreen.instrumentation.indexes import Index
from truegreen.instrumentation.locks import Lock
from truegreen.instrumentation.model import State
from truegreen.instrumentation.schemas import Hashes
from truegreen.instrumentation.served import Ran
from truegreen.instrumentation.settings import Settings
from truegreen.instrumentation.shared import undo
from truegreen.instrumentation.snapshot import Snapshot, Snapshots
from truegreen.instrumentation.stated import Stated
from truegreen.instrumentation.text import short, template

Read = Callable[[str], Any]
"""A normalised field of the span to its value."""
TRACES, IN_ONE_TRACE, ANCESTORS = 1_000, 4, 8
_LANGFUSE = "langfuse-sdk"
_PROMPTS = (
    ("langfuse.observation.prompt.name", "langfuse.observation.prompt.version"),
    (names.PROMPT_NAME, names.PROMPT_VERSION),
)
"""Where an enclosing span, or a span of any library inside Langfuse's `propagate_attributes`, names the prompt."""


def nothing(_: str) -> None:
    """The fields of a span that has no dialect."""


class Serving:
    """Puts together what the code, the configuration and the span itself say about versions."""

    def __init__(self, settings: Settings, snapshots: Snapshots) -> None:
        self._stated = Stated(settings)
        self._cohort = settings.cohort_attribute
        self._snapshots = snapshots
        self.models = snapshots.models
        """What answered last for each model that was asked for."""
        self._tools = Hashes()
        self._retrieved: OrderedDict[int, tuple[str, ...]] = OrderedDict()
        self._lock = Lock()
        snapshot.begin(self._stated)
        undo(corpora.clear)

    def note(self, state: State, span: SpanContext, present: Mapping[str, Any]) -> None:
        """Keep what a span that is about to end knows of its surroundings: they may be others when somebody looks at it.

        Args:
            span: its context.
            present: the span's attributes.
        """
        state.stated = (self._stated.versions, snapshot.defaults())
        context, cohort = state.context, self._cohort
        if context:
            state.carried = carried(context)
            if state.carried.request is not None:
                state.request = state.carried.request
            if len(context) > (state.above is not None) + (state.carried is not NOTHING):  # more than the span and what is ours
                state.linked = linked(context)
            if state.outer is not None and not state.linked:
                state.linked = _enclosing(state)
        if cohort and names.COHORT not in state.carried.stamps:
            found = carried_cohort(cohort, context) or present.get(cohort)
            if found is not None:
                state.carried = state.carried._replace(stamps={**state.carried.stamps, names.COHORT: str(found)})
        if self._retrieved:
            state.indexes = self._retrieved.get(span.trace_id, ())
        if state.tools:
            state.tools = self._tools.of(state.tools)

    def learn(self, state: State, asked: Any, served: Any) -> None:
        """Keep which model answers for the one that was asked for: a later call that fails does not say."""
        if isinstance(asked or "", str) and isinstance(served or "", str):
            state.model = self._snapshots.served(asked or "", served or "")

    def snapshot(
        self, state: State, resource: Resource, present: Mapping[str, Any], at: int, call: Call | None = None
    ) -> tuple[Snapshot, str]:
        """What serves a span, and the prompt that somebody names for it; the model is the one that was served, else the last that was for that name.

        Args:
            state: with what `note` has kept.
            present: the span's attributes.
            at: its end, in unix ns.
            call: how they are read, None for a span that no dialect knows.
        """
        configured, defaults = state.stated
        versions = {**configured, **defaults, **state.carried.versions}
        prompt = versions.get("prompt") or _linked(state, present, nothing if call is None else call.read)
        if prompt:
            versions["prompt"] = prompt
        if call is not None and call.operation in names.LLM_OPERATIONS:
            self._seen(versions, resource, state, present, call)
        elif call is not None and call.operation == names.RETRIEVAL_OPERATION and (index := _index(present)):
            versions.setdefault("retrieval_index", index)
        return self._snapshots.of(versions, at), prompt

    def retrieved(self, call: Call, found: Mapping[str, Any]) -> None:
        """Take note of the index of a retrieval that has ended: it served the calls that follow in its trace.

        Args:
            found: the attributes that it gets at its end.
        """
        index = _index({**call.attributes, **found})
        if not index:
            return
        with self._lock:
            trace = call.context.trace_id
            known = self._retrieved.get(trace, ())
            if index not in known and len(known) < IN_ONE_TRACE:
                self._retrieved[trace] = tuple(sorted((*known, index)))
                while len(self._retrieved) > TRACES:
                    self._retrieved.popitem(last=False)

    def count(self, call: Call, served: Snapshot) -> None:
        """Put a call that has ended, and that is no second span of another, on record."""
        asked, model = short(call.read("request_model") or ""), short(call.read("response_model") or "")
        snapshot.note(Ran(served.identity, served.versions, asked, model, short(call.read("fingerprint") or "")), call.at)

    def _seen(self, versions: dict[str, str], resource: Resource, state: State, present: Mapping[str, Any], call: Call) -> None:
        """Add what a call of a model shows by itself."""
        if state.model is None:
            self.learn(state, call.read("request_model"), call.read("response_model"))
        if "model" not in versions and state.model:
            versions["model"] = state.model
        if "retrieval_index" not in versions and state.indexes:
            versions["retrieval_index"] = ",".join(state.indexes)
        if call.operation in names.CHAT_OPERATIONS:
            if "tool_schema" not in versions and (tools := state.tools or self._tools.of_span(present)):
                versions["tool_schema"] = tools
            if "prompt" not in versions and (prompt := self._fallback(resource)):
                versions["prompt"] = prompt

    def _fallback(self, resource: Resource) -> str:
        if not self._stated.fallback:
            return ""
        return self._stated.git or revision.resource(resource.attributes) or self._stated.package


def _linked(state: State, present: Mapping[str, Any], read: Read) -> str:
    """The prompt that the span names, else the one that Langfuse's context or an enclosing span does, else a hash of the dialect's template."""
    if name := read("prompt_name"):
        return _named(name, read("prompt_version"))
    if found := _prompt(present) or state.linked:
        return found
    told = read("prompt_template")
    return template(str(told)).replace("system:", "template:") if told else ""


def _prompt(attributes: Mapping[str, Any]) -> str:
    """The prompt that attributes of Langfuse or of the conventions name."""
    for name_key, version_key in _PROMPTS:
        if name := attributes.get(name_key):
            return _named(name, attributes.get(version_key))
    return ""


def _enclosing(state: State) -> str:
    """The prompt that an open span around this one names."""
    above, outer = state.parent, state.outer
    for _ in range(ANCESTORS):
        if outer is None:
            break
        if (outer.dialect is not None or outer.scope == _LANGFUSE) and (found := _prompt(attributes_of(above))):
            return found
        above, outer = outer.parent, outer.outer
    return ""


def _named(name: Any, version: Any) -> str:
    return f"{name}@{version}" if version not in (None, "") else str(name)


def _index(attributes: Mapping[str, Any]) -> str:
    """The index of a retrieval, from the attributes of its span."""
    name, alias, version = (str(attributes.get(key) or "") for key in (names.INDEX_NAME, names.INDEX_ALIAS, names.INDEX_VERSION))
    return str(Index(name or alias, alias, version)) if (name or alias) and (version or alias) else ""
