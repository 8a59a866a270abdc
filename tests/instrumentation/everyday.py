"""What an application does with truegreen in it, every public name and every hook used: the load of the fault injection and of the memory test."""

from __future__ import annotations

import asyncio
import contextlib

from opentelemetry import baggage, trace
from opentelemetry import context as otel
from opentelemetry.sdk.trace import TracerProvider

from truegreen.instrumentation import (
    TruegreenInstrumentor,
    action,
    agent,
    answer,
    branch,
    completion,
    downstream,
    escalation,
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
from truegreen.instrumentation.settings import Settings
from truegreen.instrumentation.testing import captured

SETTINGS = Settings(cohort_attribute="user.plan")
INPUTS = [{"role": "user", "content": "May I return it?"}]
OUTPUTS = [{"role": "assistant", "parts": [{"type": "text", "content": "Within 30 days."}]}]
SYSTEM = [{"type": "text", "content": "Answer from the documents."}]


def chat(n="", **more):
    """The attributes of a call of a model."""
    return {
        "gen_ai.operation.name": "chat", "gen_ai.request.model": f"model{n}", "gen_ai.response.model": f"model{n}-1",
        "gen_ai.response.id": f"response{n}", "gen_ai.response.finish_reasons": ("stop",), **more,
    }  # fmt: skip


def around(n=""):
    """Each public name that opens a block, and the block."""
    return {
        "traffic": traffic(session_id=f"s{n}", user_id=f"u{n}", cohort="gold", boost=True), "snapshot": snapshot.use(prompt=f"p@{n}"),
        "stamp": stamp({"truegreen.x": f"x{n}"}), "task": task(f"refund{n}"), "agent": agent(f"bot{n}", approved_tools=["search"]),
        "tool": tool("search", arguments={"q": n}), "retrieval": retrieval(data_source=f"kb{n}", query=f"q{n}"),
    }  # fmt: skip


def said(n=""):
    """Each public name that says one thing, and the call of it."""
    return {
        "answer": lambda: answer(query=f"May I? {n}", answer=f"Yes. {n}"), "guardrail": lambda: guardrail(f"pii{n}", "output", "block"),
        "guardrail_review": lambda: guardrail_review(f"pii{n}", "true_positive", of=("1" * 32, "2" * 16)), "feedback": lambda: feedback(1.0),
        "action": lambda: action(f"refund{n}", "unapproved"), "branch": lambda: branch(expected="a", taken=f"b{n}"),
        "escalation": lambda: escalation(f"no answer {n}"), "downstream": lambda: downstream(False),
    }  # fmt: skip


@tool("decorated", validate=bool)
def _decorated(n):
    return [n]


@guardrail("decorated", decide=bool)
async def _decorated_async(n):
    return n == ""


@agent("decorated")
def _decorated_generator(n):
    yield n


def request(provider, n=""):
    """One request of an application: what it gets, as the application sees it."""
    tracer, got = provider.get_tracer("app"), []
    with tracer.start_as_current_span("request"), contextlib.ExitStack() as blocks:
        for name, one in around(n).items():
            entered = blocks.enter_context(one)
            if name == "retrieval":
                entered.documents([{"text": f"passage {n}", "score": 0.5, "id": f"d{n}"}, "another"])
        retrieval(documents=["passage"], index=f"kb{n}", index_rebuilt=1.0)
        with tracer.start_as_current_span("chat", attributes=chat(n)):
            hook = completion.hook()
            hook.on_completion(inputs=INPUTS, outputs=OUTPUTS, system_instruction=SYSTEM, span=trace.get_current_span())
            for say in said(n).values():
                say()
            with provider.get_tracer("other").start_as_current_span("chat beneath", attributes=chat(n)):
                got.append("answered")
        got += [_decorated(n), *_decorated_generator(n), asyncio.run(_decorated_async(n))]
    with contextlib.suppress(TimeoutError), tracer.start_as_current_span("chat failed", attributes=chat(f"f{n}")):
        raise TimeoutError
    retrieval(documents=["left for the next"])
    token = otel.attach(baggage.set_baggage("user.plan", "free"))
    tracer.start_span("chat alone", attributes=chat(f"a{n}", **{"gen_ai.output.messages": "[]"})).end()
    otel.detach(token)
    tracer.start_span("work").end()
    got.append(asyncio.run(_stream(tracer, n)))
    return got


async def _stream(tracer, n):
    with traffic(cohort="free"):
        span = tracer.start_span("chat stream", attributes=chat(f"s{n}"))
        parts = [part async for part in _parts()]
        await asyncio.to_thread(span.end)
    return parts


async def _parts():
    for part in ("Within", " 30 days."):
        await asyncio.sleep(0)
        yield part


def day():
    """From `instrument()` to `uninstrument()`: what the application got, and the spans that it made."""
    with captured(SETTINGS) as seen:
        got = request(seen.provider)
        seen.provider.force_flush(1_000)
        names = sorted(span.name for span in seen.spans)
    whole = TruegreenInstrumentor()
    whole.instrument(settings=SETTINGS)
    provider = TracerProvider()
    provider.get_tracer("app").start_span("chat", attributes=chat()).end()
    whole.uninstrument()
    provider.shutdown()
    return (
        got,
        [name for name in names if name.partition(" ")[0] in ("chat", "request", "work")],
        trace.get_current_span().get_span_context().is_valid,
    )
