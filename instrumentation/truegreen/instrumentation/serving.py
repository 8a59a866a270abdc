"""Which versions serve a call: the snapshot attributes of a span, and the name of its prompt.

What the code states wins over what the configuration states, and that over what is seen on the span or around it; the fallback comes last.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan

from truegreen.core.words import attributes as names
from truegreen.core.words.terms import SNAPSHOT_COMPONENTS
from truegreen.instrumentation import revision, snapshot
from truegreen.instrumentation.call import Call, attributes_of, scope_of
from truegreen.instrumentation.corpus import corpora
from truegreen.instrumentation.indexes import Index
from truegreen.instrumentation.locks import Lock
from truegreen.instrumentation.model import State
from truegreen.instrumentation.schemas import Hashes
from truegreen.instrumentation.served import Ran
from truegreen.instrumentation.settings import Settings
from truegreen.instrumentation.shared import undo
from truegreen.instrumentation.snapshot import Snapshots
from truegreen.instrumentation.stated import Stated
from truegreen.instrumentation.text import short, template

Read = Callable[[str], Any]
"""A normalised field of the span to its value."""
TRACES, IN_ONE_TRACE, ANCESTORS = 1_000, 4, 8
_VERSIONS = tuple((component, names.version_of(component)) for component in SNAPSHOT_COMPONENTS)
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
        self._snapshots = snapshots
        self._tools = Hashes()
        self._retrieved: OrderedDict[int, tuple[str, ...]] = OrderedDict()
        self._lock = Lock()
        snapshot.begin(self._stated)
        undo(corpora.clear)

    def attributes(self, span: ReadableSpan, state: State, present: Mapping[str, Any], read: Read = nothing) -> Mapping[str, Any]:
        """Snapshot attributes; the model is what was served, else what was served last for the name asked for, else that name.

        What names the call's prompt is left in `state.prompt`.

        Args:
            present: the span's attributes.
        """
        versions = {**self._stated.versions, **snapshot.defaults(), **state.versions}
        operation = read("operation")
        state.prompt = versions.get("prompt") or _linked(state, present, read)
        if state.prompt:
            versions["prompt"] = state.prompt
        if operation in names.LLM_OPERATIONS:
            self._seen(versions, span, state, present, read, operation)
        elif operation == names.RETRIEVAL_OPERATION and (index := _index(present)):
            versions.setdefault("retrieval_index", index)
        return self._snapshots.attributes(versions)

    def retrieved(self, call: Call, found: Mapping[str, Any]) -> None:
        """Take note of the index of a retrieval that has ended: it served the calls that follow in its trace.

        Args:
            found: the attributes that it gets at its end.
        """
        index = _index({**call.view.attributes, **found})
        if not index:
            return
        with self._lock:
            known = self._retrieved.get(call.trace, ())
            if index not in known and len(known) < IN_ONE_TRACE:
                self._retrieved[call.trace] = tuple(sorted((*known, index)))
                while len(self._retrieved) > TRACES:
                    self._retrieved.popitem(last=False)

    def count(self, call: Call, found: Mapping[str, Any]) -> None:
        """Put a call that has ended, and that is no second span of another, on record.

        Args:
            found: its attributes of ours.
        """
        versions = tuple((component, found[name]) for component, name in _VERSIONS if name in found)
        asked, served, fingerprint = (short(call.read(name) or "") for name in ("request_model", "response_model", "fingerprint"))
        snapshot.note(Ran(found.get(names.SNAPSHOT_ID, ""), versions, asked, served, fingerprint))

    def _seen(
        self, versions: dict[str, str], span: ReadableSpan, state: State, present: Mapping[str, Any], read: Read, operation: str
    ) -> None:
        """Add what a call of a model shows by itself."""
        if "model" not in versions and (
            model := self._snapshots.served(read("request_model") or "", read("response_model") or "")
        ):
            versions["model"] = model
        if "retrieval_index" not in versions and (indexes := self._retrieved.get(_trace(span))):
            versions["retrieval_index"] = ",".join(indexes)
        if operation in names.CHAT_OPERATIONS:
            if "tool_schema" not in versions and (tools := self._tools.of(state.tools) or self._tools.of_span(present)):
                versions["tool_schema"] = tools
            if "prompt" not in versions and (prompt := self._fallback(span)):
                versions["prompt"] = prompt

    def _fallback(self, span: ReadableSpan) -> str:
        if not self._stated.fallback:
            return ""
        return self._stated.git or revision.resource(span.resource.attributes) or self._stated.package


def _linked(state: State, present: Mapping[str, Any], read: Read) -> str:
    """The prompt that the span names, else the one that Langfuse's context or an enclosing span does, else a hash of the dialect's template."""
    if name := read("prompt_name"):
        return _named(name, read("prompt_version"))
    if found := _prompt(present) or state.linked:
        return found
    above, outer = state.parent, state.outer
    for _ in range(ANCESTORS):
        if outer is None:
            break
        if (outer.dialect is not None or scope_of(above) == _LANGFUSE) and (found := _prompt(attributes_of(above))):
            return found
        above, outer = outer.parent, outer.outer
    told = read("prompt_template")
    return template(str(told)).replace("system:", "template:") if told else ""


def _prompt(attributes: Mapping[str, Any]) -> str:
    """The prompt that attributes of Langfuse or of the conventions name."""
    for name_key, version_key in _PROMPTS:
        if name := attributes.get(name_key):
            return _named(name, attributes.get(version_key))
    return ""


def _trace(span: ReadableSpan) -> int:
    return span.context.trace_id if span.context is not None else 0


def _named(name: Any, version: Any) -> str:
    return f"{name}@{version}" if version not in (None, "") else str(name)


def _index(attributes: Mapping[str, Any]) -> str:
    """The index of a retrieval, from the attributes of its span."""
    name, alias, version = (str(attributes.get(key) or "") for key in (names.INDEX_NAME, names.INDEX_ALIAS, names.INDEX_VERSION))
    return str(Index(name or alias, alias, version)) if (name or alias) and (version or alias) else ""
