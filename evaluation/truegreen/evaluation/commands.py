"""`truegreen replay`: parse, call, print."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import click

from truegreen.core.errors import BadInput, Failed
from truegreen.core.options import config_option, json_option, per_second
from truegreen.core.words.shapes import ReplayRecord
from truegreen.core.words.terms import FAIL, PASS
from truegreen.evaluation import files
from truegreen.evaluation.installed import environ_of
from truegreen.evaluation.progress import shown
from truegreen.evaluation.replay import of_models, select


@click.command("replay")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--service", default="recorded-answers", show_default=True, help="service.name of the spans.")
@click.option("--environment", default="production", show_default=True, help="deployment.environment.name of the spans.")
@click.option("--model", "models", multiple=True, help="Only this model's calls; repeatable.")
@click.option(
    "--rate",
    callback=per_second("calls"),
    metavar="N/s",
    help="Calls a second (default: as fast as they can be judged and sent).",
)
@click.option("--limit", type=click.IntRange(min=1), help="Send so many calls (default: all).")
@click.option("--seed", type=int, help="Draw the calls at random, with replacement, by this seed (default: in the file's order).")
@click.option("--endpoint", default="http://127.0.0.1:4318", show_default=True, help="Where OTLP over HTTP is received.")
@click.option("--content", is_flag=True, help="Put prompts and answers on the spans; without it no text leaves this process.")
@config_option
@json_option
def replay(
    file: Path, service: str, environment: str, models: tuple[str, ...], rate: float | None, limit: int | None, seed: int | None,
    endpoint: str, content: bool, config_path: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Send the recorded LLM calls of FILE (JSONL, gzip allowed) as spans, judged on their way."""
    from truegreen.evaluation import sending

    exporter = sending.exporter_to(endpoint)
    logging.getLogger("truegreen").setLevel(logging.WARNING)  # its line at start is for applications
    broken = files.Broken()
    records = _in_order(file, broken, models, limit) if seed is None else _at_random(file, broken, models, limit, seed)
    tally = sending.Tally()
    try:
        sending.send(
            shown(records, "replay", limit), service=service, environment=environment, exporter=exporter, tally=tally,
            environ=environ_of(config_path), content=content, rate=rate,
        )  # fmt: skip
    except Failed as error:
        if not as_json:
            _say_replay(tally, broken, seed, as_json)
        raise Failed(f"{endpoint}: {error}") from None
    if not tally.calls:
        raise BadInput(f"{file}: no recorded call of the model {', '.join(models)}")
    _say_replay(tally, broken, seed, as_json)


def _in_order(file: Path, broken: files.Broken, models: tuple[str, ...], limit: int | None) -> Iterable[ReplayRecord]:
    return islice(of_models(files.read_replay(file, broken), models), limit)


def _at_random(file: Path, broken: files.Broken, models: tuple[str, ...], limit: int | None, seed: int) -> Iterable[ReplayRecord]:
    chosen = select(list(files.read_replay(file, broken)), models, seed, None)
    return select(chosen, (), seed, limit or len(chosen))


def _say_replay(tally: Any, broken: files.Broken, seed: int | None, as_json: bool) -> None:
    if as_json:
        said: Mapping[str, Any] = {
            "calls": tally.calls,
            "spans_delivered": tally.delivered,
            "outcomes": dict(sorted(tally.outcomes.items())),
            "broken_lines": broken.count,
            "broken": [str(line) for line in broken.first],
            "seed": seed,
        }
        click.echo(json.dumps(said))
        return
    skips = [f"{count} {reason}" for reason, count in sorted(tally.outcomes.items()) if reason not in (PASS, FAIL)]
    click.echo(f"sent      {tally.calls} calls, {tally.delivered} spans delivered" + ("" if seed is None else f", seed {seed}"))
    click.echo(f"judged    {tally.outcomes[PASS]} pass, {tally.outcomes[FAIL]} fail; skipped: {', '.join(skips) or 'none'}")
    for line in files.broken_lines(broken):
        click.echo(f"broken    {line}")
