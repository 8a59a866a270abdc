"""`truegreen watch`."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Final

import click

from truegreen.core.errors import BadInput
from truegreen.core.options import config_option, json_option

_PORT: Final = 4328


@click.command()
@click.option(
    "--baselines",
    required=True,
    metavar="ADDRESS",
    help="Where frozen baselines are: a folder, or an address such as s3://bucket/baselines.",
)
@click.option(
    "--otlp",
    default="127.0.0.1:4327/4328",
    show_default=True,
    metavar="HOST:GRPC/HTTP",
    help="Where OTLP comes in: the ports of gRPC and of HTTP.",
)
@click.option(
    "--metrics",
    default="127.0.0.1:9466",
    show_default=True,
    metavar="HOST:PORT",
    help="/metrics, /verdicts, /profiles, /healthz, /readyz.",
)
@click.option(
    "--shard",
    "part",
    default="1/1",
    show_default=True,
    metavar="NUMBER/OF",
    help="Watch one part of the services only, by a hash of the name.",
)
@click.option("--interval", metavar="TIME", help="How often windows with new answers are judged.  [default: the scrape interval]")
@click.option(
    "--vectors", default="", metavar="ADDRESS", help="Keep the sketches too: a folder, weaviate://HOST:PORT or pinecone://HOST."
)
@click.option(
    "--ticket", default=5.0, show_default=True, type=click.FloatRange(min=1, max=100), help="The z over which a change is told."
)
@click.option(
    "--seed",
    default=1,
    show_default=True,
    type=click.IntRange(min=0),
    help="Of the nulls: the same seed gives the same verdicts.",
)
@config_option
@json_option
def watch(
    baselines: str, otlp: str, metrics: str, part: str, interval: str | None, vectors: str, ticket: float, seed: int,
    config_path: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Compare the newest answers of each prompt template with a frozen baseline; ends on SIGTERM.

    It takes spans and events as `truegreen collect` does, reads the numbers in them and no text, and serves the distances to Prometheus.
    """
    from truegreen.collector import logs
    from truegreen.collector.commands import seconds
    from truegreen.collector.watch import model
    from truegreen.collector.watch.server import serve
    from truegreen.core.config import load

    config = load(config_path, os.environ)
    every = config.scrape_interval_seconds if interval is None else seconds(interval, "--interval")
    grpc, http = endpoints(otlp)
    settings = model.Settings(baselines, http, grpc, metrics, every, model.shard(part), ticket, vectors, seed)
    asyncio.run(serve(settings, logs.begin(lambda line: click.echo(line, err=not as_json), as_json)))


def endpoints(text: str) -> tuple[str, str]:
    """The endpoints of gRPC and HTTP of `127.0.0.1:4327/4328`.

    Raises:
        BadInput: it is no such thing.
    """
    host, _, ports = text.rpartition(":")
    grpc, slash, http = ports.partition("/")
    if not host or not slash or not grpc.isdigit() or not http.isdigit() or grpc == http:
        raise BadInput(f"--otlp: found {text[:60]!r}; write HOST:GRPC/HTTP, such as 127.0.0.1:4327/{_PORT}")
    return f"{host}:{grpc}", f"{host}:{http}"
