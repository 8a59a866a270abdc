"""`truegreen incident serve`: the webhook, the page, the metrics, and what runs beside them, until SIGTERM."""

from __future__ import annotations

import functools
import threading
from dataclasses import replace

import click

from truegreen.core.errors import BadInput
from truegreen.runbook.commands.common import Desk, desk, opened_scale_option
from truegreen.runbook.commands.incident import incident

EVERY = 1.0
"""Seconds from round to round of the hooks."""


@incident.command("serve")
@click.option("--listen", metavar="HOST:PORT", help="Where to listen (default: incidents.serve.endpoint, else 127.0.0.1:9470).")
@opened_scale_option
@desk
def serve(desk: Desk, listen: str | None, time_scale: int) -> None:
    """Take Alertmanager's notifications at /alertmanager, show the page of the incident, and let clocks and channels run.

    Ends on SIGTERM or Ctrl-C. Beyond loopback it wants tokens: incidents.serve.token_file.
    """
    import uvicorn

    from truegreen.core import tokens
    from truegreen.core.clients import interrupts
    from truegreen.evaluation.server import connections
    from truegreen.evaluation.server.access import address
    from truegreen.runbook.serve.app import make_app
    from truegreen.runbook.serve.loop import Loop

    asked = desk.config.incidents.serve
    where = address(listen or asked.listens)
    if asked.token_file is not None:
        tokens.digests(asked.token_file)
    elif not where.loopback:
        raise BadInput(
            f"--listen {listen or asked.listens}: is not this machine's loopback, and everybody who reaches it could close an incident; "
            "write incidents.serve.token_file"
        )
    log = desk.log()
    url = f"http://{listen or asked.listens}"
    served = replace(desk.config.incidents, serve=replace(asked, url=asked.url or url))
    desk = replace(desk, config=replace(desk.config, incidents=served))
    say = functools.partial(click.echo, err=True)
    loop = Loop(desk, log, say)
    stop = threading.Event()

    def run() -> None:
        while not stop.is_set():
            loop.once()
            stop.wait(EVERY)

    server = connections.Server(uvicorn.Config(
        make_app(desk, lambda: loop.failed, say, time_scale), host=where.host, port=where.port, log_level="critical", access_log=False, lifespan="off",
        http=connections.kind(), loop="asyncio", ws="none", timeout_keep_alive=30, timeout_graceful_shutdown=3, server_header=False,
    ))  # fmt: skip
    beside = threading.Thread(target=run, name="truegreen-hooks", daemon=True)
    beside.start()
    desk.say((f"incidents at {url}, notifications at {url}/alertmanager",), {"listening": url})
    try:
        with interrupts.raised():
            server.run()
    except SystemExit:
        raise BadInput(
            f"--listen {listen or asked.listens}: the port is in use, or the address is not this machine's; name another"
        ) from None
    except KeyboardInterrupt:
        pass
    finally:
        stop.set()
        beside.join(10)
