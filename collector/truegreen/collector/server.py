"""Wires the collector together and runs it until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import secrets
import signal
import socket
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Final

import grpc
import grpc.aio
from aiohttp import web

from truegreen.collector import access, grpc_receiver, open_files, pages, provider_changes, receiver, state_file, tls
from truegreen.collector.calibrations import expose
from truegreen.collector.forward import Forward, forwarding, not_itself
from truegreen.collector.intake import Intake
from truegreen.collector.live import Status
from truegreen.collector.model import Settings
from truegreen.collector.processor import Processor
from truegreen.core.errors import BadInput, Failed
from truegreen.core.words import catalogue

GRACE_SECONDS: Final = 5.0
"""How long a stop waits for requests in flight, all in all."""
DRAIN_SECONDS: Final = 3.0
"""How long a stop waits for requests that were let in: aiohttp reads no more of a body once it shuts down, so they must be whole before."""
OTLP_WAIT: Final = 0.5
"""aiohttp waits so long twice, for handlers to end and to be cancelled."""
PAGES_WAIT: Final = (GRACE_SECONDS - DRAIN_SECONDS - 2 * OTLP_WAIT) / 2
"""The pages stay up until the receivers have stopped; a scrape in flight takes milliseconds."""


async def serve(
    settings: Settings, say: Callable[[str], None], clock: Callable[[], float] = time.time, status: Status | None = None
) -> None:
    """Run until SIGTERM or SIGINT; requests in flight are finished, and what waits to be forwarded is sent for at most `flush` seconds.

    Raises:
        BadInput: an endpoint is not HOST:PORT, or a file of tokens or certificates cannot be read.
        Failed: a port is in use or an address is not this machine's, or the state cannot be kept in its file.
    """
    processor = Processor(clock, settings.scrape_interval, derived=settings.derived)
    processor.store.cell(catalogue.COLLECTOR_BUILD_INFO, (version("truegreen"),), hold=False)[0] = 1
    asked = settings.receiver
    files = tls.renewed(asked.tls, say) if asked.tls else None
    allow = access.by_token(asked.token_file, say) if asked.token_file else access.anybody
    not_itself(settings.forward, settings.http_endpoint, settings.grpc_endpoint)
    forward = forwarding(settings.forward, processor.store, say, secrets.token_hex(8))
    limits = open_files.fitted(asked.limits, say)
    intake = Intake(processor, limits.in_flight, limits, allow, forward)
    loop = asyncio.get_running_loop()
    open_files.say_once(loop)
    stop, hurry = asyncio.Event(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: hurry.set() if stop.is_set() else stop.set())
    if settings.state:
        state_file.restore(settings.state, processor.store, say)
    beside: list[asyncio.Task[None]] = []
    read: dict[Path, float] = {}

    def files_read() -> None:
        expose(settings.calibrations, processor.store, read, say)
        provider_changes.expose(settings.provider_changes, processor.store, read, say)

    metrics = web.AppRunner(
        pages.application(intake, files_read),
        access_log=None,
        shutdown_timeout=PAGES_WAIT,
        logger=receiver.LOG,
    )
    http = receiver.server(intake)
    door = receiver.behind_tls(http, intake, lambda: files().context) if files else None
    otlp = web.ServerRunner(http, shutdown_timeout=OTLP_WAIT)
    rpc = grpc_receiver.server(intake)
    try:
        forward.start()
        await metrics.setup()
        assert metrics.server is not None
        await listen(metrics.server, settings.metrics_endpoint, "--metrics-endpoint")
        await otlp.setup()
        listening = await listen(door or http, settings.http_endpoint, "--http-endpoint")
        await listen_rpc(rpc, settings.grpc_endpoint, tls.grpc_credentials(files, asked.tls) if files and asked.tls else None)
        for warning in access.warnings(settings):
            say(warning)
        say(
            f"OTLP by HTTP on {settings.http_endpoint}, by gRPC on {settings.grpc_endpoint}; metrics on http://{settings.metrics_endpoint}/metrics"
        )
        if settings.state:
            beside.append(asyncio.create_task(state_file.keep(settings.state, processor.store, say)))
        if status:
            beside.append(asyncio.create_task(status.run(processor.store)))
        await stop.wait()
        longest = GRACE_SECONDS + (settings.flush if settings.forward else 0)
        say(
            f"stopping, up to {longest:g} s"
            + ("; a second signal does not wait for what is to be forwarded" if settings.forward else "")
        )
        listening.close()
        await asyncio.gather(rpc.stop(DRAIN_SECONDS), intake.drained(DRAIN_SECONDS))
    finally:
        intake.draining = True
        if door:
            door.close()
        await asyncio.gather(rpc.stop(0), otlp.cleanup())
        await _flushed(forward, settings.flush, hurry, say)
        await metrics.cleanup()
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
    say(f"stopped; {processor.store.accepted[0]:.0f} spans counted")


def split(endpoint: str, option: str) -> tuple[str, int]:
    """Host and port of HOST:PORT.

    Raises:
        BadInput: with the option that it came from.
    """
    host, _, port = endpoint.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise BadInput(f"{option}: found {endpoint!r}; write HOST:PORT, such as 127.0.0.1:4318")
    return host.strip("[]"), int(port)


async def _flushed(forward: Forward, seconds: float, hurry: asyncio.Event, say: Callable[[str], None]) -> None:
    closing, hurried = asyncio.ensure_future(forward.close(seconds, say)), asyncio.ensure_future(hurry.wait())
    await asyncio.wait({closing, hurried}, return_when=asyncio.FIRST_COMPLETED)
    hurried.cancel()
    if closing.done():
        await closing
        return
    closing.cancel()
    await asyncio.gather(closing, return_exceptions=True)
    await forward.close(0, say)


async def listen(made: Callable[[], asyncio.BaseProtocol], endpoint: str, option: str) -> asyncio.Server:
    """Listen for HTTP.

    Raises:
        BadInput: the endpoint is not HOST:PORT.
        Failed: the port is in use or the address is not this machine's.
    """
    host, port = split(endpoint, option)
    try:
        return await asyncio.get_running_loop().create_server(made, host, port, backlog=512)
    except OSError as error:
        raise Failed(_cannot(option, endpoint, error.strerror or str(error))) from None


async def listen_rpc(
    rpc: grpc.aio.Server, endpoint: str, secured: grpc.ServerCredentials | None, option: str = "--grpc-endpoint"
) -> None:
    """Listen for gRPC; raises as `listen`."""
    host, port = split(endpoint, option)
    try:
        # gRPC writes its own line when it cannot listen; asking the system first says why, in one.
        for family, kind, proto, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE):
            with socket.socket(family, kind, proto) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        rpc.add_secure_port(where, secured) if secured else rpc.add_insecure_port(where)
    except (OSError, RuntimeError) as error:
        raise Failed(_cannot(option, endpoint, getattr(error, "strerror", None) or "gRPC refuses it")) from None
    await rpc.start()


def _cannot(option: str, endpoint: str, reason: str) -> str:
    return f"{option}: cannot listen on {endpoint}: {reason}; stop what listens there or give another HOST:PORT"
