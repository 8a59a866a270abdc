"""Runs the endpoint: a server in a thread, the worker in another, and an end that delivers what was accepted."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import uvicorn

from truegreen.core.errors import BadInput, Failed
from truegreen.evaluation.server import app, connections, delivery
from truegreen.evaluation.server.access import Address, Rates, Tokens, listening
from truegreen.evaluation.server.delivery import PAUSE, TIMEOUT, Delivery
from truegreen.evaluation.server.taking import Taking
from truegreen.evaluation.server.waiting import BYTES, ITEMS, Waiting
from truegreen.evaluation.server.worker import Worker

DRAIN: Final = 30.0
REQUESTS_SECONDS: Final = 5
"""How long the end waits for requests that are being answered."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command was asked for.

    Args:
        endpoint: where OTLP goes.
        environ: the settings of the instrumentation (`TRUEGREEN_*`).
        items: how many may wait.
        rate: items a second that each token may send; None for no limit.
        drain: seconds that the end waits for delivery.
        limits: of `Gate`, where they are not the default.
        connections: of `connections.kind`, likewise.
        routers: more addresses, which look after their own senders.
        timeout, pause: seconds of one attempt to deliver, and before the second one.
    """

    listen: Address
    endpoint: str
    environ: Mapping[str, str]
    token_file: Path | None = None
    tls: tuple[Path, Path] | None = None
    items: int = ITEMS
    rate: float | None = None
    drain: float = DRAIN
    limits: Mapping[str, Any] | None = None
    connections: Mapping[str, Any] | None = None
    routers: tuple[Any, ...] = ()
    timeout: float = TIMEOUT
    pause: float = PAUSE


@dataclass(frozen=True, slots=True)
class Running:
    """The endpoint while it runs."""

    url: str
    waiting: Waiting
    worker: Worker

    def summary(self) -> dict[str, Any]:
        """What became of everything."""
        return {
            "accepted": sum(self.waiting.accepted.values()),
            "delivered": sum(self.waiting.delivered.values()),
            "dropped": {f"{kind} {reason}": count for (kind, reason), count in sorted(self.waiting.dropped.items()) if count},
        }


@contextmanager
def serving(asked: Asked, say: Callable[[str], None]) -> Iterator[Running]:
    """The endpoint for the length of a block; at its end what was accepted is delivered, for at most `drain` seconds.

    Args:
        say: takes a line about what the operator should know.

    Raises:
        BadInput: the tokens or the certificate cannot be read, or others than this machine could send without a token.
        Failed: the address cannot be listened at.
    """
    delivery.silence()
    tokens = Tokens(asked.token_file, say) if asked.token_file else None
    if tokens is None and not asked.listen.loopback:
        raise BadInput(
            f"--listen {asked.listen}: others than this machine reach it, and anybody could send; "
            "give --token-file FILE, or listen on 127.0.0.1"
        )
    if tokens and not asked.tls and not asked.listen.loopback:
        say(f"warning: --listen {asked.listen} is plain text, so the token can be read on the way; give --tls-cert and --tls-key")
    waiting = Waiting(asked.items, BYTES * max(1, asked.items // ITEMS))
    sending = Delivery(say, pause=asked.pause)
    worker = Worker(waiting, sending, asked.endpoint, asked.environ, timeout=asked.timeout)
    taking = Taking(waiting, Rates(asked.rate), lambda: worker.alive)
    application = app.made(
        taking, sending.health, tokens=tokens, verdicts=lambda: worker.verdicts, routers=asked.routers, limits=asked.limits
    )
    with listening(asked.listen) as listener:
        server = _server(application, asked)
        worker.start()
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="truegreen-http", daemon=True)
        thread.start()
        try:
            yield Running(_url(asked, listener), waiting, worker)
        finally:
            server.should_exit = True
            thread.join(REQUESTS_SECONDS + 5)
            if waiting.held:
                say(f"{waiting.held} items wait to be delivered, for at most {asked.drain:.0f} s; Ctrl-C again drops them")
            worker.stop(asked.drain)


def _server(application: Any, asked: Asked) -> uvicorn.Server:
    more: dict[str, Any] = {"ssl_certfile": str(asked.tls[0]), "ssl_keyfile": str(asked.tls[1])} if asked.tls else {}
    settings = uvicorn.Config(
        application, log_config=None, log_level="critical", access_log=False, server_header=False, lifespan="off",
        http=connections.kind(**(asked.connections or {})), loop="asyncio", backlog=connections.BACKLOG, timeout_graceful_shutdown=REQUESTS_SECONDS, timeout_keep_alive=30, ws="none",
        proxy_headers=False, **more,
    )  # fmt: skip
    try:
        settings.load()
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        reason = getattr(error, "strerror", None) or getattr(error, "reason", None) or type(error).__name__
        raise BadInput(f"--tls-cert, --tls-key: cannot be used ({reason}); give a certificate and its key as PEM files") from None
    return connections.Server(settings)


def _url(asked: Asked, listener: socket.socket) -> str:
    return f"{'https' if asked.tls else 'http'}://{Address(asked.listen.host, listener.getsockname()[1])}"


def lost(running: Running) -> Failed | None:
    """What to say after the end where something that was accepted is lost; None where nothing is."""
    summary = running.summary()
    said = [f"{count} {what}" for what, count in summary["dropped"].items()]
    if running.waiting.held:  # nobody worked on them any more
        said.append(f"{running.waiting.held} that waited")
    if not said:
        return None
    return Failed(f"{summary['delivered']} of {summary['accepted']} accepted items were delivered; lost: {', '.join(said)}")
