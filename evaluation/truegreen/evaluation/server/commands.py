"""`truegreen evaluator serve`: parse, call, print."""

from __future__ import annotations

import json
import logging
import threading
from pathlib import Path
from typing import Any

import click

from truegreen.core.clients import interrupts
from truegreen.core.errors import BadInput
from truegreen.core.options import config_option, json_option, per_second

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command("serve")
@click.option("--listen", default="127.0.0.1:8085", show_default=True, metavar="HOST:PORT", help="Where to take requests.")
@click.option("--endpoint", default="http://127.0.0.1:4318", show_default=True, help="Where OTLP over HTTP is received.")
@click.option("--token-file", metavar="FILE", type=_FILE, help="Take requests only with one of these bearer tokens, one a line.")
@click.option("--tls-cert", metavar="FILE", type=_FILE, help="Speak TLS with this certificate chain (PEM).")
@click.option("--tls-key", metavar="FILE", type=_FILE, help="Its private key.")
@click.option(
    "--rate", callback=per_second("items"), metavar="N/s", help="Items a second that each token may send (default: no limit)."
)
@click.option(
    "--queue", "items", type=click.IntRange(1, 1_000_000), default=10_000, show_default=True, help="Items that may wait."
)
@click.option(
    "--drain", type=click.FloatRange(0, 3_600), default=30.0, show_default=True, help="Seconds that the end waits for delivery."
)
@click.option("--changes", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False),
              help="Take signed reports of a provider's changes into this file, which `truegreen provider changes` writes too.")  # fmt: skip
@click.option("--webhook-secret", metavar="FILE", type=_FILE, help="What they are signed with: whsec_ and base64, one a line.")
@config_option
@json_option
def serve(
    listen: str, endpoint: str, token_file: Path | None, tls_cert: Path | None, tls_key: Path | None, rate: float | None, items: int,
    drain: float, changes: Path | None, webhook_secret: Path | None, config_path: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Take answers, feedback, escalations, downstream records and guardrail reviews by HTTP, judge the answers, send all by OTLP.

    For systems that make no spans. Ends on SIGTERM or Ctrl-C, after what was accepted is delivered; a second one does not wait for that.
    """
    from truegreen.evaluation.installed import environ_of
    from truegreen.evaluation.server import access, running

    if (tls_cert is None) != (tls_key is None):
        raise BadInput(f"--tls-{'key' if tls_cert else 'cert'}: found nothing; TLS needs --tls-cert and --tls-key")
    if (changes is None) != (webhook_secret is None):
        raise BadInput(
            f"--{'webhook-secret' if changes else 'changes'}: found nothing; a webhook needs --changes and --webhook-secret"
        )
    logging.getLogger("truegreen").setLevel(logging.WARNING)  # its line at start is for applications
    tls = (tls_cert, tls_key) if tls_cert and tls_key else None
    asked = running.Asked(
        access.address(listen), endpoint, environ_of(config_path), token_file, tls, items, rate, drain, routers=_webhook(changes, webhook_secret)
    )  # fmt: skip
    ended: running.Running | None = None

    def hurry() -> None:
        if ended is not None:
            ended.worker.hurry()

    try:
        with interrupts.raised(hurry), running.serving(asked, lambda line: click.echo(line, err=True)) as ended:
            _say(as_json, {"listening": ended.url, "endpoint": endpoint}, f"listening at {ended.url}, explained at {ended.url}/docs; "
                 f"spans go to {endpoint}")  # fmt: skip
            threading.Event().wait()
    except KeyboardInterrupt:
        pass
    if ended is None:
        return
    summary = ended.summary()
    _say(as_json, summary, f"{summary['accepted']} items accepted, {summary['delivered']} delivered")
    if failed := running.lost(ended):
        raise failed


def _webhook(changes: Path | None, secret: Path | None) -> tuple[Any, ...]:
    if changes is None or secret is None:
        return ()
    from truegreen.evaluation.provider import webhook

    return (webhook.router(changes, secret),)


def _say(as_json: bool, figures: dict[str, Any], line: str) -> None:
    click.echo(json.dumps(figures) if as_json else line)
