"""What a watch answers on its metrics endpoint: /metrics, /verdicts, /profiles, /healthz, /readyz."""

from __future__ import annotations

import asyncio
import json
from typing import Final

from aiohttp import web

from truegreen.collector import exposition, pages
from truegreen.collector.intake import Intake
from truegreen.collector.watch.worker import Watch
from truegreen.evaluation.baselines import serial
from truegreen.evaluation.model import Profile

MOST: Final = 500
"""Templates that one answer of `/profiles` holds."""


def application(watch: Watch, intake: Intake) -> web.Application:
    """The pages."""
    heads: exposition.Heads = {}
    one_by_one = asyncio.Lock()

    async def metrics(_request: web.Request) -> web.Response:
        async with one_by_one:
            text = await asyncio.to_thread(exposition.text, watch.copy(), heads)
        return web.Response(body=text.encode(), headers={"Content-Type": exposition.CONTENT_TYPE})

    async def verdicts(request: web.Request) -> web.Response:
        service, environment = pages.asked(request, "service", "environment")
        return web.json_response(
            {"service": service, "environment": environment, "templates": watch.answer(service, environment)}
        )

    async def profiles(request: web.Request) -> web.Response:
        service, environment = pages.asked(request, "service", "environment")
        found = [kept.profile(template) for template, kept in watch.windows.of(service, environment)][-MOST:]
        body = await asyncio.to_thread(_profiles, service, environment, found)
        return web.Response(body=body, content_type="application/json")

    async def healthy(_request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def ready(_request: web.Request) -> web.Response:
        return web.Response(status=503, text="stopping\n") if intake.draining else web.Response(text="ok\n")

    made = web.Application(middlewares=[pages.read_within(intake.limits.body_seconds), pages.bad_input])
    for path, handler in (
        ("/metrics", metrics),
        ("/verdicts", verdicts),
        ("/profiles", profiles),
        ("/healthz", healthy),
        ("/readyz", ready),
    ):
        made.router.add_get(path, handler)
    return made


def _profiles(service: str, environment: str, found: list[Profile]) -> bytes:
    data = {"service": service, "environment": environment, "profiles": [serial.profile_data(one) for one in found]}
    return json.dumps(data).encode()
