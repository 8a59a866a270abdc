"""`truegreen collect`."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import re
import sys
from pathlib import Path
from typing import Final

import click

from truegreen.core.config.receiver import Receiver, Tls
from truegreen.core.errors import BadInput
from truegreen.core.options import config_option, json_option

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "": 1.0}
_ALL: Final = "all"
_FILE: Final = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command()
@click.option("--http-endpoint", metavar="HOST:PORT", help="OTLP by HTTP.  [default: 127.0.0.1:4318]")
@click.option("--grpc-endpoint", metavar="HOST:PORT", help="OTLP by gRPC.  [default: 127.0.0.1:4317]")
@click.option(
    "--metrics-endpoint", metavar="HOST:PORT", help="/metrics, /scores, /failing, /healthz, /readyz.  [default: 127.0.0.1:9465]"
)
@click.option(
    "--scrape-interval",
    metavar="TIME",
    help="How often Prometheus scrapes, such as 30s; a new series is 0 for two of them.  [default: 30s]",
)
@click.option("--calibration", "calibrations", multiple=True, metavar="DIR", type=click.Path(path_type=Path, exists=True, file_okay=False),
              help="Expose size and date of the baselines in this folder; may be repeated.")  # fmt: skip
@click.option(
    "--tls-cert", metavar="FILE", type=_FILE, help="Speak TLS with this certificate chain (PEM); read again when it changes."
)
@click.option("--tls-key", metavar="FILE", type=_FILE, help="Its private key.")
@click.option("--tls-client-ca", metavar="FILE", type=_FILE, help="Let in only clients with a certificate of these authorities.")
@click.option("--token-file", metavar="FILE", type=_FILE, help="Let in only clients with one of these bearer tokens, one a line.")
@click.option("--state", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False),
              help="Keep gauges such as when a snapshot came up in this file, so that they survive a restart.")  # fmt: skip
@click.option("--provider-changes", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False),
              help="Expose what a provider announced, from the changes.json of `truegreen provider changes`; read again when it changes.")  # fmt: skip
@click.option("--explain", is_flag=False, flag_value=_ALL, metavar="[METRIC]",
              help="Say what feeds a metric, or every metric, and leave; `source` prints the processor that the catalogue compiles to.")  # fmt: skip
@config_option
@json_option
def collect(
    http_endpoint: str | None, grpc_endpoint: str | None, metrics_endpoint: str | None, scrape_interval: str | None,
    calibrations: tuple[Path, ...], tls_cert: Path | None, tls_key: Path | None, tls_client_ca: Path | None, token_file: Path | None,
    state: Path | None, provider_changes: Path | None, explain: str | None, config_path: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Receive OTLP, derive behavioural metrics, serve them to Prometheus; ends on SIGTERM.

    Options win over truegreen.yaml. Every hold and gap is a multiple of the scrape interval.
    """
    from truegreen.collector.model import Settings
    from truegreen.core.config import load

    config = load(config_path, os.environ)
    if explain is not None:
        from truegreen.collector.explain import explained

        click.echo(explained(explain, config.metrics, as_json))
        return
    from truegreen.collector import live, logs
    from truegreen.collector.allocator import keep_buffers
    from truegreen.collector.server import serve

    settings = Settings(
        http_endpoint or config.collector.http_endpoint,
        grpc_endpoint or config.collector.grpc_endpoint,
        metrics_endpoint or config.collector.metrics_endpoint,
        config.scrape_interval_seconds if scrape_interval is None else seconds(scrape_interval),
        calibrations,
        receiver(config.collector.receiver, tls_cert, tls_key, tls_client_ca, token_file),
        config.metrics,
        state or config.collector.state,
        forward=config.collector.forward,
        flush=config.collector.flush,
        provider_changes=provider_changes,
    )
    status = live.Status(sys.stderr) if not as_json and live.wanted(sys.stderr) else None

    def write(line: str) -> None:
        if status:
            status.clear()
        click.echo(line, err=not as_json)

    keep_buffers()
    asyncio.run(serve(settings, logs.begin(write, as_json), status=status))


def receiver(written: Receiver, cert: Path | None, key: Path | None, client_ca: Path | None, token_file: Path | None) -> Receiver:
    """The receiver that is written, with what the options say instead.

    Raises:
        BadInput: certificate and key are not both there.
    """
    said = {"cert": cert, "key": key, "client_ca": client_ca}
    before = {part: getattr(written.tls, part) for part in said} if written.tls else {}
    files = before | {part: path for part, path in said.items() if path}
    lacking = [f"--tls-{part}" for part in ("cert", "key") if files and not files.get(part)]
    if lacking:
        raise BadInput(f"{lacking[0]}: found nothing; TLS needs --tls-cert and --tls-key")
    return dataclasses.replace(written, tls=Tls(**files) if files else None, token_file=token_file or written.token_file)


def seconds(text: str, option: str = "--scrape-interval") -> float:
    """Seconds of a time such as `30s`, `500ms`, `1m` or `30`.

    Raises:
        BadInput: it is no such time, or not above 0.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|)", text.strip())
    if not found or float(found[1]) <= 0:
        raise BadInput(f"{option}: found {text!r}; write a time such as 30s or 500ms")
    return float(found[1]) * _UNITS[found[2]]
