"""Retrievers and tools of LangChain and LangGraph: their documents, and how their calls ended, whoever makes their spans, or nobody.

LangChain's run managers tell all callbacks of a call's start and end. They are wrapped when LangChain is imported (never by us), so that what is
found is known just before instrumentors end their spans; what starts while the callbacks hear of a start are the spans of the call. Where there
is none, one of ours is made.
"""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable
from typing import Any

import wrapt
from opentelemetry import trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from truegreen.core.words import attributes as names
from truegreen.core.words.dialects import DIALECTS
from truegreen.instrumentation import around, failures
from truegreen.instrumentation.around import Running
from truegreen.instrumentation.call import scope_of
from truegreen.instrumentation.corpus import corpora
from truegreen.instrumentation.documents import read
from truegreen.instrumentation.model import state_of
from truegreen.instrumentation.retrievals import remember
from truegreen.instrumentation.shared import undo
from truegreen.instrumentation.spans import OURS, start
from truegreen.instrumentation.steps import outcome_of
from truegreen.instrumentation.tally import key_of

MODULE = "langchain_core.callbacks.manager"
_ATTRIBUTE = "_truegreen_running"
_SCOPES = tuple(scope for dialect in DIALECTS for scope in dialect.scopes)
_MODES = ("otel", "hybrid")

_installed: list[Any] = []
"""What is wrapped: owner, name, the function as it was, and ours; empty while nothing is."""
_state = {"on": False, "hooked": False}


def install() -> None:
    """Wrap LangChain's run managers, now or when they are imported."""
    try:
        _state["on"] = True
        undo(remove)
        if MODULE in sys.modules:
            _wrap(sys.modules[MODULE])
        elif not _state["hooked"]:
            _state["hooked"] = True  # wrapt cannot take a hook back: it stays and does nothing
            wrapt.register_post_import_hook(_wrap, MODULE)
    except Exception as error:
        failures.count("langchain", error)


def remove() -> None:
    """Put LangChain's run managers back."""
    _state["on"] = False
    while _installed:
        owner, name, original, patched = _installed.pop()
        if owner.__dict__.get(name) is patched:  # else another library has wrapped ours, which then does nothing
            setattr(owner, name, original)


def _wrap(module: Any) -> None:
    if not _state["on"] or _installed:
        return
    try:
        for prefix, starting, ending in (("", _starting, _ending), ("Async", _starting_async, _ending_async)):
            starts = getattr(module, f"{prefix}CallbackManager")
            _patch(starts, "on_retriever_start", starting(names.RETRIEVAL_OPERATION))
            _patch(starts, "on_tool_start", starting(names.TOOL_OPERATION))
            for manager, event in (("RetrieverRun", "on_retriever"), ("ToolRun", "on_tool")):
                ends = getattr(module, f"{prefix}CallbackManagerFor{manager}")
                _patch(ends, f"{event}_end", ending(_found if manager == "RetrieverRun" else _answered))
                _patch(ends, f"{event}_error", ending(_raised))
    except Exception as error:
        failures.count("langchain", error)


def _patch(owner: type, name: str, wrapper: Callable[..., Any]) -> None:
    original = owner.__dict__[name]

    def bound(self: Any) -> Any:
        return original.__get__(self, type(self))

    # Plain functions: when another library wraps one with wrapt and unwraps it again, it is the same function as before.
    if inspect.iscoroutinefunction(wrapper):

        @functools.wraps(original)
        async def patched(self: Any, *args: Any, **kwargs: Any) -> Any:
            return await wrapper(bound(self), self, args, kwargs)

    else:

        @functools.wraps(original)
        def patched(self: Any, *args: Any, **kwargs: Any) -> Any:
            return wrapper(bound(self), self, args, kwargs)

    setattr(owner, name, patched)
    _installed.append((owner, name, original, patched))


def _starting(operation: str) -> Callable[..., Any]:
    def wrapper(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        with around.watched() as spans:
            manager = wrapped(*args, **kwargs)
        _begun(operation, instance, manager, args, kwargs, spans)
        return manager

    return wrapper


def _starting_async(operation: str) -> Callable[..., Any]:
    async def wrapper(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        with around.watched() as spans:
            manager = await wrapped(*args, **kwargs)
        _begun(operation, instance, manager, args, kwargs, spans)
        return manager

    return wrapper


Tell = Callable[[Running, Any], None]


def _ending(tell: Tell) -> Callable[..., Any]:
    def wrapper(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        found = _told(tell, instance, args, kwargs)
        try:
            return wrapped(*args, **kwargs)
        finally:
            _closed(found)

    return wrapper


def _ending_async(tell: Tell) -> Callable[..., Any]:
    async def wrapper(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        found = _told(tell, instance, args, kwargs)
        try:
            return await wrapped(*args, **kwargs)
        finally:
            _closed(found)

    return wrapper


def _begun(operation: str, instance: Any, manager: Any, args: Any, kwargs: Any, spans: list[Any]) -> None:
    """A call has started and all callbacks have heard of it."""
    if not _state["on"] or _ATTRIBUTE in manager.__dict__:
        return
    try:
        given: dict[str, Any] = dict(zip(("serialized", "asked"), args, strict=False))
        asked = kwargs.get("query", kwargs.get("input_str", given.get("asked", "")))
        serialized = kwargs.get("serialized", given.get("serialized")) or {}
        metadata = getattr(manager, "metadata", None) or {}
        if operation == names.TOOL_OPERATION:
            name = str(serialized.get("name") or kwargs.get("name") or "")
        else:
            name = str(metadata.get("data_source") or metadata.get("ls_retriever_name") or kwargs.get("name") or "")
        made = [span for span in spans if scope_of(span).startswith(_SCOPES)]
        found = Running(operation, name, made)
        if not made and not _late(instance):
            found.spans, found.own = [_own(operation, name)], True
        for at, span in enumerate(found.spans):
            state = state_of(span)
            if state is None:
                continue
            state.twin = at > 0 or (found.own and _within_ours(state.parent, operation, name))
            if operation == names.TOOL_OPERATION:
                inputs = kwargs.get("inputs")
                state.call = key_of(name, asked if inputs is None else inputs)
            else:
                state.source_name = name
        if operation == names.RETRIEVAL_OPERATION:
            found.query = str(asked)
        manager.__dict__[_ATTRIBUTE] = found
        around.run(found)
    except Exception as error:
        failures.count("langchain start", error)


def _within_ours(above: Any, operation: str, name: str) -> bool:
    """Whether a block of the application stands for the same call."""
    if above is None or scope_of(above) != OURS:
        return False
    said = above.attributes or {}
    return said.get(names.OPERATION_NAME) == operation and said.get(names.TOOL_NAME, name) == name


def _own(operation: str, name: str) -> Any:
    held = names.TOOL_NAME if operation == names.TOOL_OPERATION else names.DATA_SOURCE_ID
    kind = SpanKind.INTERNAL if operation == names.TOOL_OPERATION else SpanKind.CLIENT
    return start(f"{operation} {name}".rstrip(), {names.OPERATION_NAME: operation, **({held: name} if name else {})}, kind)


def _late(instance: Any) -> bool:
    """Whether LangSmith makes a span of the call later, in a thread of its own."""
    told = [
        os.environ.get(f"{brand}_{name}", "").lower()
        for brand in ("LANGSMITH", "LANGCHAIN")
        for name in ("OTEL_ENABLED", "OTEL_ONLY")
    ]
    modes = [os.environ.get(f"{brand}_TRACING_MODE", "").lower() for brand in ("LANGSMITH", "LANGCHAIN")]
    otel = any(mode in _MODES for mode in modes) or any(word in ("true", "1") for word in told)
    return otel and any(type(handler).__name__ == "LangChainTracer" for handler in instance.handlers)


def _told(tell: Tell, instance: Any, args: Any, kwargs: Any) -> Running | None:
    """A call is about to be told that it has ended."""
    try:
        found = instance.__dict__.get(_ATTRIBUTE)
        if not isinstance(found, Running) or found.done:
            return None
        found.done = True
    except Exception as error:
        failures.count("langchain end", error)
        return None
    try:
        tell(found, args[0] if args else next(iter(kwargs.values()), None))
    except Exception as error:
        failures.count("langchain end", error)
    return found


def _found(found: Running, result: Any) -> None:
    """A retriever has found documents."""
    documents = read(result)
    around_it: Any = trace.get_current_span()
    span = found.spans[0] if found.spans else around_it
    alone = span.parent is None if found.spans else not around_it.get_span_context().is_valid
    remember(documents, found.query, span, alone=alone, seen=True)
    fingerprint = corpora.fingerprint(found.name, [document.text for document in documents], result)
    for each in found.spans:
        state = state_of(each)
        if state is not None:
            state.documents = documents
        if fingerprint:
            each.set_attribute(names.INDEX_FINGERPRINT, fingerprint)


def _answered(found: Running, result: Any) -> None:
    """A tool has answered; one that says `error` in an answer failed without anybody hearing of it."""
    _outcome(found, found.outcome or ("silent_error" if getattr(result, "status", "") == "error" else ""))


def _raised(found: Running, error: Any) -> None:
    """A tool or a retriever has raised."""
    if found.operation == names.TOOL_OPERATION:
        _outcome(found, found.outcome if found.outcome not in ("", "error") else outcome_of(type(error).__qualname__))
    if found.own and type(error).__qualname__ and outcome_of(type(error).__qualname__) != "ok":
        found.spans[0].set_attribute(names.ERROR_TYPE, type(error).__qualname__)
        found.spans[0].set_status(Status(StatusCode.ERROR))


def _outcome(found: Running, outcome: str) -> None:
    for each in found.spans:
        state = state_of(each)
        if state is not None:
            state.outcome = outcome


def _closed(found: Running | None) -> None:
    """All callbacks have heard of the end."""
    try:
        if found is None:
            return
        spans, found.spans = found.spans, []  # a context may remember the call for long
        if found.own:
            spans[0].end()
    except Exception as error:
        failures.count("langchain end", error)
