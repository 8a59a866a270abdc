"""What a GenAI span gets at its end, decided stage by stage.

What depends on the order of things, or is needed by another span, is decided in the thread of the call. Of a call whose answer nobody judges the
rest, which is most of the work, waits until somebody looks at the span: see `later`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from opentelemetry.sdk.trace import Span

from truegreen.core.words import attributes as names
from truegreen.core.words.dialects import Dialect
from truegreen.core.words.normalise import COMPILED, View, of_scope, select
from truegreen.instrumentation import failures, later, normalised
from truegreen.instrumentation.answers import Answers, text_of, use_up
from truegreen.instrumentation.call import LIMIT, Call, attributes_of, scope_of
from truegreen.instrumentation.duplicates import Duplicates
from truegreen.instrumentation.evaluate import Evaluators, judging
from truegreen.instrumentation.model import State
from truegreen.instrumentation.passages import Store
from truegreen.instrumentation.serving import Serving
from truegreen.instrumentation.settings import Settings
from truegreen.instrumentation.snapshot import Snapshots
from truegreen.instrumentation.spans import OURS
from truegreen.instrumentation.steps import Steps
from truegreen.instrumentation.tally import Runs, Tally
from truegreen.instrumentation.text import Text, template

KEPT = (names.OPERATION_NAME, names.PROVIDER_NAME, names.REQUEST_MODEL)
"""Source attributes that are put back when the span's attribute limit evicted them: without them nobody knows that it is an LLM span."""
CHARACTERS = 8_000
"""Answer and system message of a call wait with it for a look at its span while they are not longer: an exporter has up to 2,048 spans in its queue."""
CROWDED = 64
"""With fewer attributes than this a span has lost none, unless its limit is lower than anybody sets it."""
_LEAVES = (*names.LLM_OPERATIONS, names.RETRIEVAL_OPERATION, names.TOOL_OPERATION)


class Enricher:
    """Knows what to note when a span starts and what to put on it when it ends."""

    def __init__(
        self, settings: Settings, snapshots: Snapshots, evaluators: Evaluators, store: Store, duplicates: Duplicates
    ) -> None:
        self._settings = settings
        self._serving = Serving(settings, snapshots)
        self._answers = Answers(settings, evaluators, store)
        self._store = store
        self._steps = Steps(settings, store, Runs())
        self._duplicates = duplicates

    def at_start(self, span: Span, state: State) -> None:
        """Take note of a span that is a GenAI span from its first moment, or whose library makes such spans."""
        state.scope, attributes = scope_of(span), attributes_of(span)
        state.dialect = dialect = select(state.scope, attributes)
        if dialect is not None:
            state.source = dict(attributes)
            operation = (
                attributes.get(names.OPERATION_NAME)
                if dialect.canonical
                else COMPILED[dialect.name]["operation"](View(attributes))
            )
            if (operation or names.CHAT_OPERATIONS[0]) not in names.LLM_OPERATIONS:
                return
            state.calls = True
        elif of_scope(state.scope) is None:
            return
        self._duplicates.opened(span, state)

    def at_end(self, span: Span, state: State, at: int) -> None:
        """Complete a span that is about to end.

        Args:
            at: its end, in unix ns.
        """
        dialect, present, above, operation = state.dialect, attributes_of(span), state.above, ""
        context = getattr(span, "_context", None) or span.context  # the SDK's own place first: to ask is a call
        if dialect is None or not dialect.scopes:  # by its attributes alone: there may be more of them by now
            state.dialect = dialect = select(state.scope, present) or dialect
        beneath = self._steps.beneath(context.span_id) if self._steps.waiting else None
        if dialect is not None:
            if state.source is not None and len(present) >= CROWDED:
                _put_back(span, state.source, present)
                present = attributes_of(span)
            if judging.get():
                state.judging = True
            self._serving.note(state, context, present)
            samples = self._answers.samples(context, getattr(span, "_resource", None) or span.resource, state.carried)
            if state.calls and not samples and beneath is None and self._waits(span, state, dialect, present, at):
                operation = names.CHAT_OPERATIONS[0]
            else:
                operation = self._complete(span, Call(span, state, dialect, present, at), samples, beneath)
        else:
            if state.scope == OURS:
                self._serving.note(state, context, present)
                served, _ = self._serving.snapshot(state, span.resource, present, at)
                span.set_attributes(_lacking({**served.attributes, **state.carried.stamps}, present))
            self._steps.pass_on(above, None, beneath, duplicate=False)
        if self._store.traces and (above is None or (above.is_remote and operation not in _LEAVES)):
            self._store.drop(context.trace_id)

    def _waits(self, span: Span, state: State, dialect: Dialect, present: Mapping[str, Any], at: int) -> bool:
        """Leave a call of a model, whose answer nobody judges, for the first look at its span, if it concerns no other span of the process."""
        lonely = state.outer is None and (state.above is None or state.above.is_remote)
        if not (lonely and state.node is None) and not self._duplicates.alone(state):
            return False
        if dialect.canonical:
            operation, asked, served = (
                present.get(names.OPERATION_NAME),
                present.get(names.REQUEST_MODEL),
                present.get(names.RESPONSE_MODEL),
            )
        else:
            view, readers = View(present, span.name), COMPILED[dialect.name]
            operation, asked, served = readers["operation"](view), readers["request_model"](view), readers["response_model"](view)
        if operation not in names.LLM_OPERATIONS or state.told is not None:
            return False
        text = None if state.hooked is None else text_of(state)
        if text is not None and not text.settle(CHARACTERS):
            return False
        call = None
        if not lonely or state.request is not None:
            call = Call(span, state, dialect, present, at)
            use_up(call, text_of(state, call) if text is None else text)
        if not later.put(span, partial(self._later, span if call is None else call, state, dialect, text, at)):
            return False
        state.model = self._serving.models.get(asked) if served and asked.__class__ is str else None
        if state.model is None or state.model != served:
            self._serving.learn(state, asked, served)
        if call is not None:
            self._duplicates.ends(call)
            self._steps.pass_on(call.parent, call, None, duplicate=self._duplicates.repeats(call))
        return True

    def _later(
        self, of: Span | Call, state: State, dialect: Dialect, text: Text | None, at: int, present: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """What a call of a model lacks that has waited."""
        if isinstance(of, Call):
            call = of
            call.attributes = present
        else:
            call = Call(of, state, dialect, present, at)
        return _lacking(self._model(call, text_of(state, call) if text is None else text, {}, alone=True), present, call.limit)

    def _complete(self, span: Span, call: Call, samples: Mapping[str, str], beneath: Tally | None) -> str:
        """Put everything on a GenAI span; gives its operation."""
        if call.operation in names.LLM_OPERATIONS:
            text = text_of(call.state, call)
            use_up(call, text)
            self._duplicates.among(span, call.state)
            found = self._model(call, text, samples, alone=False)
        else:
            found = self._step(call, beneath)
        self._steps.pass_on(call.parent, call, beneath, duplicate=names.DUPLICATE in found)
        span.set_attributes(_lacking(found, call.attributes, call.limit))
        return call.operation

    def _model(self, call: Call, text: Text, samples: Mapping[str, str], *, alone: bool) -> Mapping[str, Any]:
        """What a call of a model gets.

        Args:
            samples: the evaluations that it is in the sample of.
            alone: no other span is concerned.
        """
        state, present = call.state, call.attributes
        found = {names.DIALECT: call.dialect.name, **(call.borrow() if state.lent else {}), **state.carried.stamps}
        served, prompt = self._serving.snapshot(state, call.resource, present, call.at, call)
        found.update(served.attributes)
        if prompt := prompt or _template(text):
            found[names.PROMPT_TEMPLATE] = prompt
        found.update(normalised.attributes(call, len(found)))
        if self._duplicates.is_one(call, text, alone=alone):
            found[names.DUPLICATE] = True
        else:
            self._serving.count(call, served)
            found.update(self._answers.attributes(call, text, samples, {**present, **found} if samples else found))
        return found

    def _step(self, call: Call, beneath: Tally | None) -> Mapping[str, Any]:
        """What any other GenAI span gets."""
        state, present = call.state, call.attributes
        served, _ = self._serving.snapshot(state, call.resource, present, call.at, call)
        found = {names.DIALECT: call.dialect.name, **state.carried.stamps, **served.attributes}
        found.update(normalised.attributes(call, len(found)))
        found.update(self._steps.attributes(call, beneath))
        if call.operation == names.RETRIEVAL_OPERATION:
            self._serving.retrieved(call, found)
        return found


def _put_back(span: Span, source: Mapping[str, Any], present: Mapping[str, Any]) -> None:
    """Give a span back what it had at its start and its limit evicted, as far as it is needed."""
    span.set_attributes({name: source[name] for name in KEPT if name in source and name not in present})


def _template(text: Text) -> str:
    try:
        return template(text.system)
    except Exception as error:
        failures.count("text", error)
        return ""


def _lacking(found: Mapping[str, Any], present: Mapping[str, Any], limit: int = LIMIT) -> Mapping[str, Any]:
    """What is missing or differs; an attribute that is not ours is never overwritten. What must not be pushed out comes last, once more.

    Args:
        limit: how many attributes the span takes.
    """
    missing = {
        name: value
        for name, value in found.items()
        if (present.get(name) != value if name.startswith("truegreen.") else name not in present)
    }
    if len(present) + len(missing) > limit:
        missing |= {name: present[name] for name in KEPT if name in present}
    return missing
