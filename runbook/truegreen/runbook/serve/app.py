"""The application: the webhook of Alertmanager, health, metrics, and the page."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, PlainTextResponse

from truegreen.core import tokens
from truegreen.core.errors import BadInput, Failed
from truegreen.runbook import alert
from truegreen.runbook.clean import clean
from truegreen.runbook.commands.common import Desk
from truegreen.runbook.page import access, router
from truegreen.runbook.serve import hearing, metrics

WHERE: Final = "the webhook"
BODY_SECONDS: Final = 10.0
"""Alertmanager sends a notification at once; who sends one byte at a time holds nothing for long."""


def make_app(
    desk: Desk, failures: Callable[[], int] = lambda: 0, say: Callable[[str], None] = lambda _: None, time_scale: int = 1
) -> FastAPI:
    """The ASGI application.

    Args:
        desk: whose configuration, log, servers and clock it uses.
        failures: how many runs of a hook have failed.
        say: takes what whoever runs the server must know, each line once.
        time_scale: what the windows of the incidents that it opens may be divided by; 1 in production.
    """
    app = FastAPI(title="truegreen incident", docs_url=None, redoc_url=None, openapi_url=None)
    opened = functools.cache(desk.log)
    say_once = functools.cache(say)
    file = desk.config.incidents.serve.token_file

    def refused(request: Request) -> Response | None:
        """Why a machine may not ask, None when it may: it brings a token, or there is none and it is of this machine."""
        if file is None:
            named = access.local(request.headers.get("host", ""))
            return (
                None
                if named
                else JSONResponse(
                    {"error": "without tokens only 127.0.0.1 and localhost are served: incidents.serve.token_file"}, 403
                )
            )
        try:
            known = tokens.digests(file)
        except BadInput as error:
            # Nobody gets in; what Alertmanager sends it sends again, until the file is back.
            say_once(f"incidents.serve.token_file: {clean(str(error), 300)}")
            return JSONResponse({"error": "the file of tokens cannot be read"}, 503, {"Retry-After": "5"})
        if tokens.known(request.headers.get("authorization", ""), known):
            return None
        return JSONResponse({"error": "the bearer token is missing or unknown"}, 401, {"WWW-Authenticate": "Bearer"})

    @app.get("/-/healthy")
    async def healthy() -> Response:
        return PlainTextResponse("ok\n")

    @app.get("/-/ready")
    async def ready() -> Response:
        try:
            await run_in_threadpool(opened)
        except (BadInput, Failed) as error:
            return PlainTextResponse(f"{clean(str(error), 300)}\n", 503)
        return PlainTextResponse("ready\n")

    @app.get("/metrics")
    async def exposed(request: Request) -> Response:
        if (no := await run_in_threadpool(refused, request)) is not None:
            return no
        try:
            text = await run_in_threadpool(lambda: metrics.expose(desk, opened(), failures()))
        except Failed as error:
            return PlainTextResponse(f"# {clean(str(error), 300)}\n", 503)
        return Response(text, media_type=metrics.TYPE)

    @app.post("/alertmanager")
    async def heard(request: Request) -> Response:
        if (no := await run_in_threadpool(refused, request)) is not None:
            return no
        # A form or a text is what a browser sends for any site without asking; Alertmanager sends JSON.
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return JSONResponse({"error": "write Content-Type: application/json"}, 415)
        try:
            body = await _read(request)
        except TimeoutError:
            return JSONResponse({"error": f"the body was not whole within {BODY_SECONDS:g} s"}, 408, {"Connection": "close"})
        if body is None:
            return JSONResponse({"error": f"longer than {alert.MOST_BYTES} bytes"}, 413)
        try:
            group, alerts = alert.every(body, WHERE)
            made = await run_in_threadpool(hearing.hear, opened(), alerts, group, desk.clock(), time_scale)
        except BadInput as error:
            return JSONResponse({"error": clean(str(error), 300)}, 400)
        except Failed as error:
            # Alertmanager tries a 5xx again, and what was written of it already is known then.
            return JSONResponse({"error": clean(str(error), 300)}, 503, {"Retry-After": "5"})
        return JSONResponse({"alerts": [{"was": was, "incident": number or None} for was, number in made]})

    app.include_router(router(desk))
    return app


async def _read(request: Request) -> bytes | None:
    """The body, None as soon as it is too long."""
    parts, size = [], 0
    async with asyncio.timeout(BODY_SECONDS):
        async for part in request.stream():
            size += len(part)
            if size > alert.MOST_BYTES:
                return None
            parts.append(part)
    return b"".join(parts)
