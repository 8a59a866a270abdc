"""The support agent: retrieves passages, fetches its prompt, asks the model, checks the answer. An ordinary app with truegreen attached.

`opentelemetry-instrument python -m truegreen.demo.world.agent --port N`. The OpenAI and Langfuse SDKs read their own variables
(OPENAI_BASE_URL, OPENAI_API_KEY, LANGFUSE_BASE_URL, LANGFUSE_PUBLIC_KEY, LANGFUSE_SECRET_KEY).
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import click
from aiohttp import web
from langfuse import Langfuse
from openai import OpenAI, OpenAIError
from opentelemetry import trace
from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest

from truegreen import containment
from truegreen.demo import corpus
from truegreen.demo.world import guard, serve, templates
from truegreen.demo.world.provider import ALIAS
from truegreen.instrumentation import guardrail, retrieval, snapshot, traffic

KNOWLEDGE_BASE: Final = "help-centre"
PROMPT_TTL_SECONDS: Final = 10
THREADS: Final = 64
BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)


@dataclass(frozen=True, slots=True)
class Parts:
    """What answering needs: the two clients, the index and its version, the tracer."""

    openai: OpenAI
    langfuse: Langfuse
    index: corpus.Index
    index_version: str
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
    loaded = corpus.load()
    return Parts(
        OpenAI(timeout=30.0, max_retries=1),
        Langfuse(tracing_enabled=False),
        corpus.index(loaded.passages),
        f"{KNOWLEDGE_BASE}@{loaded.digest}",
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
        traffic(session_id=session, user_id=user),
    ):
        span.set_attributes({"session.id": session, "http.request.method": "POST", "http.route": "/ask"})
        prompt = _prompt(have)
        with snapshot.use(prompt=prompt, retrieval_index=have.index_version, guardrail=guard.VERSION):
            with retrieval(data_source=KNOWLEDGE_BASE, query=question) as found:
                hits = corpus.retrieve(have.index, question)
                found.documents([{"id": hit.passage.id, "score": hit.score, "text": hit.passage.text} for hit in hits])
            passages = "\n".join(f"[{hit.passage.id}] {hit.passage.text}" for hit in hits)
            text, served = _complete(have, prompt.compile(passages=passages, question=question), question)
            decision = guard.action(text)
            guardrail(guard.NAME, stage="output", action=decision)
        return {
            "answer": guard.BLOCKED if decision == "block" else text,
            "model": served,
            "trace_id": trace.format_trace_id(span.get_span_context().trace_id),
            "passages": [{"id": hit.passage.id, "score": hit.score, "text": hit.passage.text} for hit in hits],
            "sources": [hit.passage.id for hit in hits],
        }


def _prompt(have: Parts) -> Any:
    try:
        return have.langfuse.get_prompt(templates.NAME, label="production", cache_ttl_seconds=PROMPT_TTL_SECONDS)
    except Exception as error:
        raise Unavailable(f"prompt server: {type(error).__name__}") from None


def _complete(have: Parts, instructions: str, question: str) -> tuple[str, str]:
    try:
        with containment.model(ALIAS) as model:
            made = have.openai.chat.completions.create(
                model=model,
                temperature=0.2,
                messages=[{"role": "system", "content": instructions}, {"role": "user", "content": question}],
            )
    except OpenAIError as error:
        raise Unavailable(f"provider: {type(error).__name__}") from None
    return made.choices[0].message.content or "", made.model


def application(have: Parts, measured: Meters) -> web.Application:
    """The HTTP server around `answer`."""
    app = web.Application(middlewares=[_measured])
    app[_RUNTIME] = Runtime(have, measured, ThreadPoolExecutor(THREADS, thread_name_prefix="ask"))
    app.add_routes([web.post("/ask", _ask), web.get("/healthz", _healthz), web.get("/metrics", _metrics)])
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
