"""`truegreen backtest`: parse, call, print."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import click

from truegreen.alert_rules import backtest_alerts as alerts
from truegreen.alert_rules import backtest_engine as engine
from truegreen.alert_rules import backtest_inputs as inputs
from truegreen.alert_rules import backtest_page as page
from truegreen.alert_rules import backtest_picture, budgets, checks, generate, statement
from truegreen.alert_rules.backtest_plan import Planned, plan, selectors, with_memory
from truegreen.alert_rules.backtest_score import STEP, Score, scores
from truegreen.alert_rules.files import calibrations
from truegreen.alert_rules.model import Alert, Judged, Record
from truegreen.alert_rules.text import quoted, selector
from truegreen.alert_rules.windows import Clock
from truegreen.core import config
from truegreen.core.clients import interrupts, prometheus
from truegreen.core.config import Config
from truegreen.core.errors import BadInput, Failed
from truegreen.core.generate import write
from truegreen.core.options import config_option, json_option
from truegreen.core.words import ready_made, records

PICTURE = "backtest.svg"
RESULT = "backtest.json"
_MONTH = 30 * 86_400
_QUERY_SECONDS = 60.0


def _seconds(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    if value is None:
        return None
    found = prometheus.duration(value)
    if not found:
        raise click.BadParameter(f"found {value!r}, write a duration such as 30s or 2m", ctx, param)
    return found


@click.command("backtest")
@click.option(
    "--from",
    "source",
    required=True,
    metavar="URL|FILE",
    help="A Prometheus, a replay file (JSONL), or samples (OpenMetrics text); gzip allowed.",
)
@click.option(
    "--start",
    metavar="TIME",
    help="Judge from here on: 2026-11-01T00:00:00Z or unix seconds (default: 30 days before the end, or the file's first).",
)
@click.option("--end", metavar="TIME", help="Judge up to here (default: now, or the file's last).")
@click.option(
    "--incidents",
    "labelled",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="What was truly wrong: start,end[,service], a line each.",
)
@click.option(
    "--slo",
    "names",
    multiple=True,
    metavar="NAME",
    help="Only this SLO; repeatable (default: all of the configuration, with watchers).",
)
@click.option("--service", default="", help="Of a replay file: whose calls they are (default: the one that has a baseline).")
@click.option("--environment", default="", help="Of a replay file: where they were made.")
@click.option("--every", callback=_seconds, metavar="30s", help="Of a replay file without times: the time between two calls.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help=f"Write {PICTURE} and {RESULT} there."
)
@click.option("--expect", type=click.Choice(["silence"]), help="Exit 1 when something paged.")
@config_option
@json_option
def backtest(
    source: str, start: str | None, end: str | None, labelled: Path | None, names: tuple[str, ...], service: str, environment: str, every: float | None,
    out: Path | None, expect: str | None, config_path: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Run the generated rules over the past: what would have paged, what would have been missed."""
    read = config.load(config_path, os.environ)
    checks.check(read)
    judged = _chosen(read, names)
    known = None if labelled is None else inputs.incidents(labelled)
    began, ended = (None if text is None else inputs.moment(text, f"--{name}") for name, text in (("start", start), ("end", end)))
    groups = generate.groups(read, judged, Clock(1))
    memory = with_memory(groups)
    only = _only(names, memory)
    with interrupts.raised(), tempfile.TemporaryDirectory(prefix="truegreen-backtest-") as scratch:
        folder = Path(scratch)
        if source.startswith(("http://", "https://")):
            inputs.only_recorded(service, environment, every)
            given = _asked(source, plan(groups, only), began, ended, folder)
        else:
            given = inputs.from_file(Path(source), folder, read, [what.slo for what in judged], every, (service, environment))
            given = inputs.cut(given, began, ended)
        planned, lacking = _with_data(plan(groups, only), given.names)
        database = folder / "database"
        database.mkdir()
        past = given.past
        inputs.unmatched(labelled, known or (), (past.start, past.end))
        with engine.replayed(planned, past, database, alerts.of_plan) as replayed:
            fired = alerts.fired(replayed, past.start, past.end)
            counts = {
                what.slo.name: (_series(replayed, records.events("5m"), what), _series(replayed, records.bad("5m"), what))
                for what in judged
            }

            def incidents(what: Judged, budget: Decimal) -> Sequence[inputs.Incident] | None:
                return known if known is not None else inputs.labelled(given, what.slo, budget)

            found = scores(judged, counts, fired, past.start, past.end, incidents)
            panels = [_panel(replayed, score) for score in found] if out is not None else []
    silent = sorted({p.rule.alert for p in replayed.planned if isinstance(p.rule, Alert)} - {f.alert for f in fired})
    kept = [f"Not evaluated, as they read what they said a moment before: {', '.join(sorted(memory))}."] if memory else []
    apart = inputs.unmatched(labelled, known or (), (past.start, past.end), {score.service for score in found})
    said = (found, fired, silent, lacking, [*given.notes, *apart, *kept])
    facts = {"start": page.said(past.start), "end": page.said(past.end), **page.facts(*said)}
    if out is not None:
        write(out, {PICTURE: backtest_picture.picture(panels, past.start, past.end), RESULT: json.dumps(facts, indent=1) + "\n"})
    if as_json:
        click.echo(json.dumps(facts))
    else:
        click.echo("\n".join(page.lines(*said)))
    pages = sum(len(score.page.episodes) for score in found)
    if expect and not found:
        raise Failed("--expect silence: no SLO had events, so nothing could have paged; look at what has no data")
    if expect and pages:
        raise Failed(f"--expect silence: {page.many(pages, 'page')}")


def _chosen(read: Config, names: Sequence[str]) -> tuple[Judged, ...]:
    known = calibrations(read.calibration_folder())
    there = [slo.name for slo in read.slos]
    if unknown := [name for name in names if name not in there]:
        if unknown[0] in ready_made.BY_NAME:
            raise BadInput(
                f"--slo: {unknown[0]} is ready-made, but not switched on; write slos: [{{name: {unknown[0]}}}] into {read.source or 'truegreen.yaml'}"
            )
        raise BadInput(f"--slo: there is no {unknown[0]}; {read.source or 'the configuration'} has {', '.join(there) or 'none'}")
    if not there:
        raise BadInput(f"{read.source or 'no truegreen.yaml'}: names no SLO; write one, such as slos: [{{name: grounding}}]")
    return tuple(statement.weighed(budgets.judged(slo, known), read) for slo in read.slos if not names or slo.name in names)


def _only(names: Sequence[str], memory: AbstractSet[str]) -> Callable[[Alert], bool]:
    def wanted(alert: Alert) -> bool:
        return alert.alert != records.WATCHDOG and alert.alert not in memory and (not names or alert.labels.get("slo") in names)

    return wanted


def _asked(url: str, needed: tuple[Planned, ...], start: float | None, end: float | None, folder: Path) -> inputs.Input:
    until = time.time() if end is None else end
    since = until - _MONTH if start is None else start
    if since >= until:
        raise BadInput(f"--start: {page.said(since)} is not before the end, {page.said(until)}")
    server = replace(
        prometheus.connect(url, hint="name a Prometheus that answers: --from http://127.0.0.1:9090"), timeout=_QUERY_SECONDS
    )
    return inputs.from_prometheus(server, needed, since, until, folder)


def _with_data(planned: Sequence[Planned], names: frozenset[str]) -> tuple[tuple[Planned, ...], list[tuple[str, str]]]:
    # An alert none of whose series is there was not silent: it was blind. What only it reads is not computed either.
    lacking: dict[str, str] = {}
    made = {one.rule.record for one in planned if isinstance(one.rule, Record)}

    def constant(one: Planned) -> bool:
        # What calibration files say is a record of numbers, and an alert that reads only such records has data.
        return not one.sources and (isinstance(one.rule, Record) or any(each.name in made for each in selectors(one.rule.expr)))

    for one in planned:
        if isinstance(one.rule, Alert) and not one.sources & names and not constant(one):
            slo = one.rule.labels.get("slo", "none")
            why = f"there is no {' and no '.join(sorted(one.sources)[:3])}" if one.sources else "no calibration file speaks of it"
            lacking[one.rule.alert if slo == "none" else f"{one.rule.alert} of {slo}"] = why
    return tuple(one for one in planned if one.sources & names or constant(one)), sorted(lacking.items())


def _series(replayed: engine.Replayed, record: str, what: Judged) -> list[prometheus.Series]:
    return replayed.ask(selector(record, f"slo={quoted(what.slo.name)}"), STEP)


def _panel(replayed: engine.Replayed, score: Score) -> backtest_picture.Panel:
    at = [
        f"{key}={quoted(value)}"
        for key, value in (("slo", score.slo), ("service", score.service), ("environment", score.environment))
    ]
    short, long = (replayed.ask(selector(records.bad_ratio(window), *at), 60) for window in ("15m", "1h"))
    return backtest_picture.Panel(score, next(iter(short), None), next(iter(long), None))
