"""The support agent: searches, looks up orders, fetches its prompt, asks the model, checks the answer, hears what came of it.

An ordinary app with truegreen attached.

`opentelemetry-instrument python -m truegreen.demo.world.agent --port N`. The OpenAI and Langfuse SDKs read their own variables
(OPENAI_BASE_URL, OPENAI_API_KEY, LANGFUSE_BASE_URL, LANGFUSE_PUBLIC_KEY, LANGFUSE_SECRET_KEY).
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from zlib import crc32

import click
from aiohttp import web
from langfuse import Langfuse
from openai import OpenAI, OpenAIError
from opentelemetry import trace
from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest

from truegreen import containment
from truegreen.demo import corpus
from truegreen.demo.world import guard, serve, shelf, templates
from truegreen.demo.world.provider import ALIAS
from truegreen.instrumentation import (
    action,
    agent,
    branch,
    downstream,
    feedback,
    guardrail,
    guardrail_review,
    retrieval,
    snapshot,
    task,
    tool,
    traffic,
)

NAME: Final = "support"
TASK: Final = "answer"
KNOWLEDGE_BASE: Final = corpus.NAME
APPROVED: Final = ("search", "order_status")
COHORTS: Final = ("standard", "standard", "standard", "gold")
ORDERS: Final = ("order", "parcel", "deliver", "track", "ship")
SURE: Final = 0.65
"""A relevance under which the agent takes a way that nobody planned: it answers, and asks a person to look."""
INDEX_AGE_SECONDS: Final = 600
PROMPT_TTL_SECONDS: Final = 10
THREADS: Final = 64
BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)


@dataclass(frozen=True, slots=True)
class Parts:
    """What answering needs: the two clients, which versions serve, when the index was built (unix seconds), the tracer."""

    openai: OpenAI
    langfuse: Langfuse
    serving: Callable[[str], str]
    index_rebuilt: float
    tracer: trace.Tracer


@dataclass(frozen=True, slots=True)
class Meters:
    """What a shop measures of any service."""

    registry: CollectorRegistry
    duration: Histogram
    requests: Counter


@dataclass(frozen=True, slots=True)
class Runtime:
    """The running server's parts, meters and worker threads."""

    parts: Parts
    meters: Meters
    pool: ThreadPoolExecutor


class Unavailable(Exception):
    """A service behind the agent did not answer; the message names the service and the kind of error, no text of the request."""


_RUNTIME: Final = web.AppKey("runtime", Runtime)


def parts() -> Parts:
    """Build the clients from the environment; Langfuse gives prompts only and exports nothing."""
    shelf.indexes()  # built before the first question
    path = os.environ.get(shelf.VARIABLE)
    return Parts(
        OpenAI(timeout=30.0, max_retries=1),
        Langfuse(tracing_enabled=False),
        shelf.reader(Path(path) if path else None),
        time.time() - INDEX_AGE_SECONDS,
        trace.get_tracer("support-agent"),
    )


def meters() -> Meters:
    """Metrics in a registry of their own: process_cpu_seconds_total and the two of the HTTP server."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    return Meters(
        registry,
        Histogram("http_request_duration_seconds", "Time to answer a request.", buckets=BUCKETS, registry=registry),
        Counter("http_requests_total", "Requests answered.", ["code"], registry=registry),
    )


def answer(have: Parts, question: str, session: str, user: str) -> dict[str, Any]:
    """Answer one question, inside one server span.

    Raises:
        Unavailable: the prompt server or the provider failed.
    """
    with (
        have.tracer.start_as_current_span("POST /ask", kind=trace.SpanKind.SERVER) as span,
        traffic(session_id=session, user_id=user, cohort=COHORTS[crc32(user.encode()) % len(COHORTS)]),
    ):
        span.set_attributes({"session.id": session, "http.request.method": "POST", "http.route": "/ask"})
        prompt = _prompt(have)
        index, rules = have.serving("index"), have.serving("guardrail")
        with (
            snapshot.use(prompt=prompt, retrieval_index=f"{KNOWLEDGE_BASE}@{index}", guardrail=rules),
            agent(NAME, approved_tools=APPROVED) as run,
        ):
            decision = guard.asked(question, rules)
            guardrail(guard.NAME, stage="input", action=decision)
            if decision == "block":
                run.stopped()
                return {"answer": guard.BLOCKED, "blocked": True, **_trace(span)}
            hits = _search(have, index, question)
            _act(hits, question, session)
            passages = "\n".join(f"[{hit.passage.id}] {hit.passage.text}" for hit in hits)
            text, served = _complete(have, prompt.compile(passages=passages, question=question), question)
            decision = guard.action(text)
            guardrail(guard.NAME, stage="output", action=decision)
        return {
            "answer": guard.BLOCKED if decision == "block" else text,
            "model": served,
            "passages": [{"id": hit.passage.id, "score": hit.score, "text": hit.passage.text} for hit in hits],
            "sources": [hit.passage.id for hit in hits],
            **_trace(span),
        }


def afterwards(said: Mapping[str, Any]) -> None:
    """Record what came of an earlier answer: how the task ended, feedback, the shop's own check, a review of the guardrail."""
    of = said["of"]
    if verdict := said.get("verdict"):
        guardrail_review(guard.NAME, verdict, of=of)
    if outcome := said.get("outcome"):
        with task(TASK) as ended:
            if outcome == "escalated":
                ended.escalated("asked_for_a_person")
            elif outcome == "abandoned":
                ended.abandoned()
            if "score" in said:
                feedback(said["score"], of=of)
            if "valid" in said:
                downstream(said["valid"], of=of)


def _trace(span: trace.Span) -> dict[str, str]:
    here = span.get_span_context()
    trace_id = trace.format_trace_id(here.trace_id)
    return {"trace_id": trace_id, "traceparent": f"00-{trace_id}-{trace.format_span_id(here.span_id)}-01"}


def _search(have: Parts, index: str, question: str) -> list[corpus.Hit]:
    with (
        tool("search", arguments=question),
        retrieval(
            data_source=KNOWLEDGE_BASE, query=question, index=KNOWLEDGE_BASE, index_version=index,
            index_rebuilt=have.index_rebuilt,
        ) as found,
    ):  # fmt: skip
        hits = corpus.retrieve(shelf.indexes().get(index) or shelf.indexes()[shelf.versions("index")[0]], question)
        found.documents([{"id": hit.passage.id, "score": hit.score, "text": hit.passage.text} for hit in hits])
    return hits


def _act(hits: list[corpus.Hit], question: str, session: str) -> None:
    """What the agent does beside searching; seldom something goes wrong, the same for equal questions of equal sessions."""
    chance = crc32(f"{session}/{question}".encode())
    about_orders = any(word in question.lower() for word in ORDERS)
    way = "ask_a_person" if not hits or hits[0].score < SURE else "order" if about_orders else "help"
    branch(expected={"order", "help"}, taken=way)
    if about_orders:
        with tool("order_status", arguments=session) as call:
            if chance % 50 == 0:
                call.outcome("silent_error")
    if chance % 100 == 1:
        action("goodwill_voucher", "denied")


def _prompt(have: Parts) -> Any:
    try:
        return have.langfuse.get_prompt(templates.NAME, label="production", cache_ttl_seconds=PROMPT_TTL_SECONDS)
    except Exception as error:
        raise Unavailable(f"prompt server: {type(error).__name__}") from None


def _complete(have: Parts, instructions: str, question: str) -> tuple[str, str]:
    """The model's text and its name; every third question's answer is streamed."""
    asked: Any = {
        "temperature": 0.2,
        "messages": [{"role": "system", "content": instructions}, {"role": "user", "content": question}],
    }
    completions = have.openai.chat.completions
    try:
        with containment.model(ALIAS) as model:
            if crc32(question.encode()) % 3:
                made = completions.create(model=model, **asked)
                return made.choices[0].message.content or "", made.model
            parts, served = [], ""
            for chunk in completions.create(model=model, stream=True, stream_options={"include_usage": True}, **asked):
                served = chunk.model
                parts += [choice.delta.content or "" for choice in chunk.choices]
            return "".join(parts), served
    except OpenAIError as error:
        raise Unavailable(f"provider: {type(error).__name__}") from None


def application(have: Parts, measured: Meters) -> web.Application:
    """The HTTP server around `answer`."""
    app = web.Application(middlewares=[_measured])
    app[_RUNTIME] = Runtime(have, measured, ThreadPoolExecutor(THREADS, thread_name_prefix="ask"))
    app.add_routes(
        [
            web.post("/ask", _ask),
            web.post("/afterwards", _afterwards),
            web.get("/healthz", _healthz),
            web.get("/metrics", _metrics),
        ]
    )
    app.on_cleanup.append(_close)
    return app


@web.middleware
async def _measured(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
    if request.path != "/ask":
        return await handler(request)
    measured, begun, code = request.app[_RUNTIME].meters, time.perf_counter(), 500
    try:
        response = await handler(request)
    except web.HTTPException as error:
        code = error.status
        raise
    else:
        code = response.status
        return response
    finally:
        measured.duration.observe(time.perf_counter() - begun)
        measured.requests.labels(str(code)).inc()


async def _ask(request: web.Request) -> web.Response:
    data = await serve.body(request)
    given = [data.get(key, "") for key in ("question", "session", "user")] if isinstance(data, dict) else []
    if not given or not all(isinstance(value, str) for value in given) or not given[0].strip():
        return web.json_response({"error": 'write {"question": text, "session": text, "user": text}'}, status=400)
    run = request.app[_RUNTIME]
    context = contextvars.copy_context()
    try:
        made = await asyncio.get_running_loop().run_in_executor(run.pool, context.run, answer, run.parts, *given)
    except Unavailable as error:
        return web.json_response({"error": str(error)}, status=502)
    return web.json_response(made)


async def _afterwards(request: web.Request) -> web.Response:
    data = await serve.body(request)
    if not isinstance(data, dict) or not isinstance(data.get("of"), str):
        return web.json_response(
            {"error": 'write {"of": traceparent, "outcome": text, "score": number, "valid": true or false}'}, status=400
        )
    await asyncio.get_running_loop().run_in_executor(request.app[_RUNTIME].pool, afterwards, data)
    return web.json_response({})


async def _healthz(_: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


async def _metrics(request: web.Request) -> web.Response:
    return web.Response(body=generate_latest(request.app[_RUNTIME].meters.registry), content_type="text/plain", charset="utf-8")


async def _close(app: web.Application) -> None:
    app[_RUNTIME].pool.shutdown(wait=False, cancel_futures=True)


@click.command()
@click.option("--port", type=int, required=True, help="Port to listen on; 0 lets the system choose.")
@click.option("--host", default="127.0.0.1", show_default=True)
def main(port: int, host: str) -> None:
    """Serve the support agent."""
    try:
        have = parts()
    except OpenAIError:
        raise SystemExit("agent: OPENAI_API_KEY is not set; the local provider takes any value") from None
    serve.run(application(have, meters()), "agent", host, port)


if __name__ == "__main__":
    main()
