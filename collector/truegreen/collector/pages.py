"""What the metrics endpoint answers: /metrics, /scores, /failing, /healthz, /readyz."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from aiohttp import web

from truegreen.collector import evidence, exposition
from truegreen.collector.intake import Intake
from truegreen.core.errors import BadInput


def application(intake: Intake, before_scrape: Callable[[], None]) -> web.Application:
    """The pages; `before_scrape` runs on the loop before each copy is taken."""
    plain: exposition.Heads = {}
    opened: exposition.Heads = {}
    processor = intake.processor
    one_by_one = asyncio.Lock()

    async def metrics(request: web.Request) -> web.Response:
        liked = exposition.prefers_openmetrics(request.headers.get("Accept", ""))
        write, heads = (exposition.openmetrics, opened) if liked else (exposition.text, plain)
        kind = exposition.OPENMETRICS_TYPE if liked else exposition.CONTENT_TYPE
        async with one_by_one:
            before_scrape()
            text = await asyncio.to_thread(write, processor.copy(), heads)
        return web.Response(body=text.encode(), headers={"Content-Type": kind})

    async def scores(request: web.Request) -> web.Response:
        service, environment, evaluation = asked(request, "service", "environment", "evaluation")
        found = processor.evidence_of(service, environment)
        return web.json_response(evidence.scores_answer(found, service, environment, evaluation))

    async def failing(request: web.Request) -> web.Response:
        service, environment = asked(request, "service", "environment")
        return web.json_response(evidence.failing_answer(processor.evidence_of(service, environment)))

    async def healthy(_request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def ready(_request: web.Request) -> web.Response:
        return web.Response(status=503, text="stopping\n") if intake.draining else web.Response(text="ok\n")

    made = web.Application(middlewares=[read_within(intake.limits.body_seconds), bad_input])
    for path, handler in (
        ("/metrics", metrics),
        ("/scores", scores),
        ("/failing", failing),
        ("/healthz", healthy),
        ("/readyz", ready),
    ):
        made.router.add_get(path, handler)
    return made


def asked(request: web.Request, *wanted: str) -> tuple[str, ...]:
    """The parameters of a request.

    Raises:
        BadInput: one is missing.
    """
    missing = [name for name in wanted if name not in request.query]
    if missing:
        example = "&".join(f"{name}=..." for name in wanted)
        raise BadInput(f"{request.path}: {', '.join(missing)} missing; write {request.path}?{example}")
    return tuple(request.query[name] for name in wanted)


def read_within(seconds: float) -> Any:
    """Ends the connection of who has not read an answer after so long."""

    @web.middleware
    async def answered(request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
        try:
            answer: web.StreamResponse = await handler(request)
        except web.HTTPException as error:
            answer = web.Response(status=error.status, text=error.text, headers=error.headers)
        transport = request.transport
        if transport is None:
            return answer
        # Writing waits while a byte does: one that nobody reads holds a connection even after it was closed.
        transport.set_write_buffer_limits(0)
        try:
            async with asyncio.timeout(seconds):
                await answer.prepare(request)
                await answer.write_eof()
        except TimeoutError:
            transport.abort()
        return answer

    return answered


@web.middleware
async def bad_input(request: web.Request, handler: Callable[[web.Request], object]) -> web.StreamResponse:
    """Answers bad input with what is wrong with it."""
    try:
        return await handler(request)  # type: ignore[misc, no-any-return]
    except BadInput as error:
        return web.json_response({"error": str(error)}, status=400)
