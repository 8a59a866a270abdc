"""What applications and libraries really send: wrong types, numbers that are none, megabytes, broken Unicode, misuse. It is counted or said, never raised."""

from __future__ import annotations

import math

import everyday
import pytest
from opentelemetry.sdk.trace import SpanLimits

from truegreen.instrumentation import (
    action,
    agent,
    answer,
    branch,
    completion,
    downstream,
    escalation,
    failures,
    feedback,
    guardrail,
    guardrail_review,
    retrieval,
    snapshot,
    stamp,
    task,
    tool,
    traffic,
)

SURROGATE = "half \ud800 of a pair"
WRONG = [None, 0, -1, 3.5, math.nan, math.inf, True, b"\xff\xfe", "", SURROGATE, "x" * 1_000_000, ("a", "b"), (1, 2), (True,), ()]


class Hostile:
    """An object of an application whose every method raises."""

    def _raise(self, *_):
        raise RuntimeError("ZEBRA")

    __str__ = __repr__ = __len__ = __iter__ = __bool__ = __float__ = __hash__ = __eq__ = __getattr__ = __call__ = _raise


def exported(seen):
    """The bytes that an exporter sends of the captured spans: what cannot be encoded would be lost there."""
    common = pytest.importorskip("opentelemetry.exporter.otlp.proto.common.trace_encoder")
    return common.encode_spans(seen.spans).SerializeToString()


READ = (
    "gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "gen_ai.response.model", "gen_ai.response.id",
    "gen_ai.response.finish_reasons", "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens", "gen_ai.input.messages",
    "gen_ai.output.messages", "gen_ai.system_instructions", "gen_ai.tool.definitions", "gen_ai.prompt.name", "gen_ai.prompt.version",
    "gen_ai.conversation.id", "gen_ai.response.time_to_first_chunk", "error.type", "openai.response.system_fingerprint",
)  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_an_attribute_of_any_type_leaves_the_span_with_snapshot_and_cohort(app, fake, name):
    """Whatever a library writes there: the call is exported with what we know, and nothing fails."""
    seen, _ = app()
    tracer = seen.provider.get_tracer("opentelemetry.instrumentation.genai.x")
    given = [value for value in WRONG if value is not None]
    for value in given:
        with traffic(cohort="gold"):
            span = tracer.start_span("chat", attributes={**everyday.chat(), name: value})
            span.set_attribute(name, value)
            span.end()
    assert len(seen.spans) == len(given)
    assert {span.attributes["truegreen.cohort"] for span in seen.spans if name != "gen_ai.operation.name"} <= {"gold"}
    assert failures.counted() == {}


@pytest.mark.parametrize(
    "messages",
    ["{", "[]", "null", "[1, null, []]", '[{"role": 5, "parts": 3}]', '[{"role": "user", "parts": [null, 1, {"type": [], "content": {}}]}]',
     '[{"role": "assistant", "content": NaN}]', "[" * 100_000, '{"a": 1}', '"text"', f'[{{"role": "user", "content": "{"x" * 1_000_000}"}}]'],
    ids=lambda m: m[:24],
)  # fmt: skip
def test_messages_of_any_form_leave_the_span_whole(app, fake, messages):
    """As an attribute and through the hook."""
    seen, _ = app()
    with seen.provider.get_tracer("x").start_as_current_span("chat", attributes=everyday.chat()) as span:
        for name in ("gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions"):
            span.set_attribute(name, messages)
    assert seen.attributes("chat")["truegreen.snapshot.id"]
    assert failures.counted() == {}


@pytest.mark.parametrize(
    "given",
    [None, 5, "text", [None], [5], [object()], [[]], [{"role": object()}], iter([1]), Hostile(), [Hostile()]],
    ids=lambda g: type(g).__name__,
)
def test_a_hook_that_is_called_with_anything_does_not_raise(app, fake, given):
    """What cannot be read is counted once and the rest of the span is there."""
    seen, _ = app()
    with seen.provider.get_tracer("x").start_as_current_span("chat", attributes=everyday.chat()) as span:
        completion.hook().on_completion(inputs=given, outputs=given, system_instruction=given, span=span, tool_definitions=given)
        completion.hook().on_completion(inputs=[], outputs=[], system_instruction=[], span=given)
    assert seen.attributes("chat")["truegreen.snapshot.id"]
    assert set(failures.counted()) <= {"completion hook", "tool_schema", "text"}


DOCUMENTS = [
    ("no scores", ["a", {"text": "b"}, {"page_content": "c"}], 3, None),
    ("some scores", [{"text": "a", "score": 0.5}, "b"], 2, (0.5,)),
    ("nan and infinite", [("a", math.nan), ("b", math.inf), ("c", -math.inf), ("d", 0.25)], 4, (0.25,)),
    ("scores of wrong types", [("a", "high"), ("b", None), ("c", [1]), ("d", True), ("e", b"1"), ("f", 10**400)], 6, None),
    ("no documents among them", [None, 5, object(), b"bytes", "a"], 1, None),
    ("a megabyte", ["x" * 1_000_000], 1, None),
    ("broken Unicode", [SURROGATE, {"text": SURROGATE, "id": SURROGATE}], 2, None),
    ("a generator", (text for text in ("a", "b")), 2, None),
    ("nothing", [], 0, None),
    ("nested pairs", [(("a", 1), 2), ((), ())], 0, None),
    ("ids of any type", [{"text": "a", "id": 5}, {"text": "b", "id": object()}], 2, None),
]


@pytest.mark.parametrize(("documents", "count", "scores"), [case[1:] for case in DOCUMENTS], ids=[case[0] for case in DOCUMENTS])
def test_documents_are_counted_as_far_as_they_can_be_read(app, fake, documents, count, scores):
    """With the scores that are finite numbers, and no others."""
    seen, _ = app()
    retrieval(documents=documents, data_source="kb")
    got = seen.attributes("retrieval kb")
    assert got["truegreen.retrieval.documents.count"] == count
    assert got.get("truegreen.retrieval.relevance.scores") == scores
    assert failures.counted() == {}


@pytest.mark.parametrize("documents", [5, Hostile(), [Hostile()], (1 / 0 for _ in "x"), object()], ids=lambda d: type(d).__name__)
def test_documents_that_raise_are_counted_as_a_failure(app, documents):
    """The retrieval's span is there all the same."""
    seen, _ = app()
    retrieval(documents=documents, data_source="kb")
    assert seen.attributes("retrieval kb")["gen_ai.data_source.id"] == "kb"
    assert sum(failures.counted().values()) >= 1


def test_500_messages_of_openinference_evict_attributes_but_none_of_ours(app, fake):
    """A span holds 128 and drops the oldest: model, snapshot, cohort are put back at the end."""
    seen, _ = app(limits=SpanLimits(max_span_attributes=128))
    with traffic(cohort="gold"):
        span = seen.provider.get_tracer("openinference.instrumentation.openai").start_span(
            "ChatCompletion", attributes={"openinference.span.kind": "LLM", "llm.model_name": "m"}
        )
    for i in range(500):
        span.set_attribute(f"llm.input_messages.{i}.message.role", "user")
        span.set_attribute(f"llm.input_messages.{i}.message.content", f"text {i}")
    span.set_attribute("openinference.span.kind", "LLM")  # as its proxy does at the end
    span.end()
    got = seen.attributes("ChatCompletion")
    assert len(got) == 128
    assert got["truegreen.cohort"] == "gold"
    assert got["truegreen.dialect"] == "openinference"


# --- the API ---

CALLS = {
    "answer": lambda v: answer(query=v, answer=v),
    "traffic": lambda v: _block(traffic(session_id=v, user_id=v, cohort=v, boost=v)),
    "stamp": lambda v: _block(stamp({"truegreen.x": v})),
    "stamp itself": lambda v: _block(stamp(v)),
    "snapshot.use": lambda v: _block(
        snapshot.use(prompt=v, model=v, retrieval_index=v, tool_schema=v, eval_dataset=v, guardrail=v)
    ),
    "retrieval": lambda v: _block(retrieval(data_source=v, query=v, floor=v, top_k=v, index=v, index_version=v, index_rebuilt=v)),
    "guardrail": lambda v: guardrail(v, v, v),
    "guardrail block": lambda v: _block(guardrail(v)),
    "guardrail_review": lambda v: guardrail_review(v, v, of=v),
    "feedback": lambda v: feedback(v, task=v, of=v),
    "escalation": lambda v: escalation(v, task=v, of=v),
    "downstream": lambda v: downstream(v, task=v, of=v),
    "task": lambda v: _block(task(v)),
    "agent": lambda v: _block(agent(v, approved_tools=v)),
    "tool": lambda v: _block(tool(v, validate=v, arguments=v)),
    "action": lambda v: action(v, v),
    "branch": lambda v: branch(expected=v, taken=v),
}
MISUSE = [
    *WRONG,
    Hostile(),
    [Hostile()],
    {"a": Hostile()},
    object(),
    (n for n in "ab"),
    {1, 2},
    {"k": {"k": [1, None]}},
    type,
    len,
]


def _block(opened):
    with opened:
        pass


@pytest.mark.parametrize("name", CALLS)
def test_no_misuse_of_the_api_raises_and_the_call_inside_is_whole(app, fake, name, caplog):
    """Each argument of each public name is given each kind of wrong value, inside and outside of a call."""
    seen, _ = app()
    told = []
    for value in MISUSE:
        kind = f"{type(value).__name__} {'' if type(value) is Hostile or isinstance(value, list | dict) else repr(value)[:20]}"
        try:
            CALLS[name](value)
            with seen.provider.get_tracer("x").start_as_current_span("chat", attributes=everyday.chat()):
                CALLS[name](value)
        except Exception as error:
            told.append(f"{kind}: {type(error).__name__}")
    assert told == []
    chats = [span for span in seen.spans if span.name == "chat"]
    assert len(chats) == len(MISUSE)
    assert all("truegreen.snapshot.id" in span.attributes for span in chats)
    assert "ZEBRA" not in caplog.text
    exported(seen)


def test_the_misuse_covers_every_public_name():
    """A new one must be misused as well."""
    assert {name.partition(" ")[0].partition(".")[0] for name in CALLS} == set(everyday.around()) | set(everyday.said())


def test_a_misuse_is_counted_or_said(app, caplog):
    """What an application did wrong is not lost silently."""
    app()
    for call in (
        lambda: feedback("good"),
        lambda: guardrail("pii", action="explode"),
        lambda: action("refund", "perhaps"),
        lambda: retrieval(documents=5),
    ):
        before = sum(failures.counted().values()), len(caplog.records)
        call()
        assert (sum(failures.counted().values()), len(caplog.records)) > before
