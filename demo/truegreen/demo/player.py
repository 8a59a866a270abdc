"""Plays recorded answers of some models, then of others, through the instrumentation: `python -m truegreen.demo.player`."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from truegreen.core.words.shapes import ReplayRecord
from truegreen.evaluation import files, replay, sending


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--before", required=True, help="Models before the switch, separated by commas.")
@click.option("--after", default="", help="Models from the switch on.")
@click.option("--switch-at", type=float, required=True, help="Fraction of the run.")
@click.option("--total", type=int, required=True, help="Calls in all.")
@click.option("--rate", type=float, required=True, help="Calls a second.")
@click.option("--seed", type=int, required=True)
@click.option("--service", required=True)
@click.option("--environment", required=True)
@click.option("--endpoint", required=True)
@click.option("--mark", type=click.Path(path_type=Path), required=True, help="Written with the unix time of the switch.")
def play(
    file: Path, before: str, after: str, switch_at: float, total: int, rate: float, seed: int, service: str, environment: str,
    endpoint: str, mark: Path,
) -> None:  # fmt: skip
    """Send `total` calls at a steady rate, switching models on the way."""
    records = list(files.read_replay(file, files.Broken()))
    mixed = replay.mix(records, before.split(","), after.split(",") if after else (), switch_at if after else 1.0, total, seed)
    tally = sending.Tally()
    sending.send(
        _marked(mixed, round(total * switch_at) if after else total, mark),
        service=service, environment=environment, exporter=sending.exporter_to(endpoint), tally=tally, rate=rate, environ=os.environ,
    )  # fmt: skip
    click.echo(json.dumps({"calls": tally.calls, "spans": tally.delivered, "outcomes": dict(tally.outcomes)}))


def _marked(records: Iterable[ReplayRecord], at: int, mark: Path) -> Iterator[ReplayRecord]:
    for place, record in enumerate(records):
        if place == at:
            mark.write_text(repr(time.time()), "utf-8")
        yield record


if __name__ == "__main__":
    play()
