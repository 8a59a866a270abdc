"""`truegreen canary`: parse, call, print."""

from __future__ import annotations

import json
import logging
import os
import re
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from truegreen.core import config
from truegreen.core.clients import interrupts
from truegreen.core.options import config_option, json_option
from truegreen.evaluation import sending
from truegreen.evaluation.canary import far_end, plants, probe, serving

_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0}
_SCRAPES: Final = 4
"""So many scrape intervals may pass until an answer comes out: two of them a new series is 0, one to be scraped, one to spare."""


def _seconds(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Seconds above 0, from `1h`, `30m`, `90s`."""
    if value is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", value.strip())
    if not found or float(found[1]) <= 0:
        raise click.BadParameter(f"found {value!r}, write a time such as 1h, 30m or 90s", ctx, param)
    return float(found[1]) * _UNITS[found[2]]


@click.command("canary")
@click.option("--calibration", "file", required=True, metavar="FILE", type=click.Path(path_type=Path, dir_okay=False),
              help="The application's calibration: it says the evaluator, the floor and the environment.")  # fmt: skip
@click.option(
    "--endpoint", default="http://127.0.0.1:4318", show_default=True, metavar="URL", help="Where OTLP over HTTP is received."
)
@click.option(
    "--metrics",
    default="http://127.0.0.1:9465",
    show_default=True,
    metavar="URL",
    help="The far end: the collector's pages, or a Prometheus.",
)
@click.option("--planted", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False),
              help="A replay file with a right (y 0) and a wrong (y 1) answer.  [built in: a shop's returns]")  # fmt: skip
@click.option("--once", is_flag=True, help="One round; exit 1 when one was missed.")
@click.option("--every", default="1h", show_default=True, callback=_seconds, metavar="TIME", help="How long from round to round.")
@click.option("--wait", callback=_seconds, metavar="TIME", help="After so long an answer is missed.  [4 scrape intervals]")
@click.option(
    "--listen",
    metavar="HOST:PORT",
    help="Where Prometheus scrapes the counter.  [collector.canary_endpoint, else 127.0.0.1:9467]",
)
@config_option
@json_option
@click.pass_context
def canary(
    context: click.Context, file: Path, endpoint: str, metrics: str, planted: Path | None, once: bool, every: float, wait: float | None,
    listen: str | None, config_path: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Plant a right and a wrong answer and look whether each comes out at the far end as it should.

    As service truegreen-canary, which no SLO judges. Serves truegreen_canary_probes_total; the alert TruegreenCanaryMissed reads it.
    """
    said = config.load(config_path, os.environ)
    calibration = probe.load(file)
    probe.check_inline(calibration.signal)
    answers = plants.from_file(planted) if planted else plants.built_in()
    seen = far_end.Seen(metrics, probe.SERVICE, calibration.environment, calibration.signal)
    sending.traces_address(endpoint)
    logging.getLogger("truegreen").setLevel(logging.WARNING)
    path = probe.Watched(
        calibration, _settings(config_path).get(calibration.signal, {}), lambda: sending.exporter_to(endpoint), lambda: far_end.read(seen),
        wait or _SCRAPES * said.scrape_interval_seconds, time.monotonic, time.sleep,
    )  # fmt: skip
    counts: Counter[str] = Counter()
    if once:
        found = _round(path, answers, counts, as_json)
        context.exit(0 if all(one.caught for one in found) else 1)
    address = listen or said.collector.canary_endpoint or "127.0.0.1:9467"
    with interrupts.raised(), serving.served(address, probe.SERVICE, calibration.environment, counts) as url:
        click.echo(f"canary    {url}/metrics, a round every {every:g} s; it ends on SIGTERM", err=True)
        try:
            # Prometheus must have seen the zeros before what is counted, or the first miss would be no increase.
            time.sleep(min(every, 2 * said.scrape_interval_seconds))
            while True:
                began = time.monotonic()
                _round(path, answers, counts, as_json)
                time.sleep(max(0.0, began + every - time.monotonic()))
        except KeyboardInterrupt:
            context.exit(0)


def _round(path: probe.Watched, answers: Any, counts: Counter[str], as_json: bool) -> Iterable[probe.Probe]:
    found = probe.round_(path, answers)
    counts.update(serving.CAUGHT if one.caught else serving.MISSED for one in found)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    if as_json:
        click.echo(json.dumps({"time": now, "probes": [asdict(one) for one in found]}))
        return found
    for one in found:
        click.echo(f"{now}  {one.plant:<13}  {'caught' if one.caught else f'MISSED: {one.why}'}")
    return found


def _settings(config_path: Path | None) -> Mapping[str, Mapping[str, Any]]:
    from truegreen.instrumentation import settings

    return settings.load({**os.environ, "TRUEGREEN_CONFIG": str(config_path)} if config_path else os.environ).evaluations
