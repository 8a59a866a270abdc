"""Wires a watch together and runs it until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import cast

from aiohttp import web

from truegreen.collector import access, grpc_receiver, receiver, server
from truegreen.collector.intake import Intake
from truegreen.collector.model import Settings as Endpoints
from truegreen.collector.processor import Processor
from truegreen.collector.watch import pages
from truegreen.collector.watch.keeping import Keeping
from truegreen.collector.watch.model import Settings
from truegreen.collector.watch.worker import Watch
from truegreen.core.words import catalogue
from truegreen.evaluation.baselines import store


async def serve(settings: Settings, say: Callable[[str], None], clock: Callable[[], float] = time.time) -> None:
    """Run until SIGTERM or SIGINT; requests in flight are finished.

    Raises:
        BadInput: an endpoint is not HOST:PORT, or the place of baselines or of vectors is none.
        Failed: a port is in use, an address is not this machine's, or the baselines cannot be read.
    """
    there = await asyncio.to_thread(store.names, settings.baselines)
    keeping = Keeping(settings.vectors, say) if settings.vectors else None
    watch = Watch(settings, clock, keeping.add if keeping else None)
    watch.store.cell(catalogue.COLLECTOR_BUILD_INFO, (version("truegreen"),), hold=False)[0] = 1
    endpoints = Endpoints(settings.http_endpoint, settings.grpc_endpoint, settings.metrics_endpoint, settings.interval)
    limits = endpoints.receiver.limits
    intake = Intake(cast("Processor", watch), limits.in_flight, limits)
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    shown = web.AppRunner(
        pages.application(watch, intake), access_log=None, shutdown_timeout=server.PAGES_WAIT, logger=receiver.LOG
    )
    http = receiver.server(intake)
    otlp = web.ServerRunner(http, shutdown_timeout=server.OTLP_WAIT)
    rpc = grpc_receiver.server(intake)
    looking: asyncio.Task[None] | None = None
    try:
        await shown.setup()
        assert shown.server is not None
        await server.listen(shown.server, settings.metrics_endpoint, "--metrics")
        await otlp.setup()
        listening = await server.listen(http, settings.http_endpoint, "--otlp")
        await server.listen_rpc(rpc, settings.grpc_endpoint, None, "--otlp")
        for warning in access.warnings(endpoints):
            say(warning)
        part = f", services of shard {settings.shard.number}/{settings.shard.of}" if settings.shard.of > 1 else ""
        say(
            f"OTLP by HTTP on {settings.http_endpoint}, by gRPC on {settings.grpc_endpoint}; metrics on http://{settings.metrics_endpoint}/metrics; "
            f"baselines of {settings.baselines}{part}; seed {settings.seed}"
        )
        if not there:
            say(
                f"no baseline is in {settings.baselines} yet: nothing is compared until `truegreen baseline take` has put one there"
            )
        looking = asyncio.create_task(watch.run())
        await stop.wait()
        say(f"stopping, up to {server.GRACE_SECONDS:g} s")
        listening.close()
        await asyncio.gather(rpc.stop(server.DRAIN_SECONDS), intake.drained(server.DRAIN_SECONDS))
    finally:
        intake.draining = True
        if looking:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
        await asyncio.gather(rpc.stop(0), otlp.cleanup())
        await shown.cleanup()
        if keeping:
            await asyncio.to_thread(keeping.close)
    say(f"stopped; {watch.store.accepted[0]:.0f} answers watched")
