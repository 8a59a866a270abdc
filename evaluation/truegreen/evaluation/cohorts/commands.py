"""`truegreen cohort find`, `check` and `types`: parse, call, print."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from truegreen.core import config
from truegreen.core.clients import prometheus
from truegreen.core.errors import BadInput
from truegreen.core.options import config_option, json_option
from truegreen.core.words import ready_made
from truegreen.core.words.slo import Slo
from truegreen.evaluation.baselines.profiles import EMBEDDERS, LEXICAL, NONE
from truegreen.evaluation.cohorts import asking, checking, find, sorting, types
from truegreen.evaluation.cohorts.asking import Span, Who
from truegreen.evaluation.plain import plain

SEED = 1
PROMETHEUS = "http://127.0.0.1:9090"
HOUR = 3_600.0
CLOCK = ("hour", "weekday")
TYPE = "type"


def _when(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Unix seconds, from a number or an ISO 8601 time."""
    if value is None:
        return None
    try:
        return float(value)
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f"found {value!r}, write a time such as 2026-11-01T12:00:00+00:00", ctx, param) from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


@click.command("find")
@click.option("--prometheus-url", default=PROMETHEUS, show_default=True, metavar="URL", help="Prometheus.")
@click.option("--service", required=True, help="The service, as its spans name it.")
@click.option("--environment", required=True, help="The environment, as its spans name it.")
@click.option("--slo", "name", required=True, metavar="NAME", help="The SLO that dropped.")
@click.option("--at", callback=_when, metavar="TIME", help="Look from this moment back (ISO 8601 or unix seconds; default: now).")
@click.option(
    "--start", callback=_when, metavar="TIME", help="When the drop began (default: its true start, as the counts show it)."
)
@click.option(
    "--hours", type=click.FloatRange(min=0, min_open=True), default=6.0, show_default=True, help="How far to look back."
)
@click.option(
    "--depth", type=click.IntRange(1, find.DEPTH), default=find.DEPTH, show_default=True, help="Conditions of a slice, at most."
)
@config_option
@json_option
def cohort_find(
    prometheus_url: str, service: str, environment: str, name: str, at: float | None, start: float | None, hours: float, depth: int,
    config_path: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """The slice of the traffic that explains a drop: model, prompt version, cohort, and the tools; ranked by evidence."""
    slo = _slo(name, config_path)
    who = Who(prometheus.connect(prometheus_url), service, environment)
    end = datetime.now(UTC).timestamp() if at is None else at
    whole = Span(end - hours * HOUR, end)
    low, high, onset = _bounds(who, slo, whole, start)
    before, after = Span(whole.begin, low), Span(high, end)
    cells = asking.table(who, slo, before, after)
    effect = _effect(who, slo, before)
    found = find.slices(cells, depth=depth, design_effect=effect)
    tools = () if getattr(slo.sli, "metric", "") == asking.TOOLS else find.slices(asking.tools(who, before, after))
    totals = [sum(getattr(cell, part) for cell in cells) for part in ("bad", "events", "bad_before", "events_before")]
    if as_json:
        click.echo(json.dumps({
            "start": onset, "low": low, "high": high, "bad": totals[0], "events": totals[1], "bad_before": totals[2],
            "events_before": totals[3], "design_effect": effect, "slices": [_slice(one) for one in found], "tools": [_slice(one) for one in tools],
        }))  # fmt: skip
        return
    click.echo(f"drop      {_share(totals[2], totals[3])} bad of {totals[3]:,.0f} before, {_share(totals[0], totals[1])} of {totals[1]:,.0f} since "
               f"{datetime.fromtimestamp(onset, UTC):%Y-%m-%d %H:%M:%S} UTC; design effect {effect:.2f}")  # fmt: skip
    for place, one in enumerate(found, start=1):
        click.echo(f"  {place}. {one}")
    if not found:
        click.echo("slices    none: no part of the traffic got worse than the rest, as far as its labels tell")
    for one in tools:
        click.echo(f"tool      {one}")


@click.command("check")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--prometheus-url", default=PROMETHEUS, show_default=True, metavar="URL", help="Prometheus; of FILES nobody is asked."
)
@click.option("--service", help="The service, as its spans name it.")
@click.option("--environment", help="The environment, as its spans name it.")
@click.option("--slo", "name", metavar="NAME", help="The SLO whose events are counted.")
@click.option("--by", "label", default="cohort", show_default=True, metavar="LABEL",
              help="A label of the SLO's counters, such as cohort, model or prompt_version; hour or weekday (UTC); of FILES: a key, or type.")  # fmt: skip
@click.option(
    "--types", "types_file", type=click.Path(path_type=Path), help="Of FILES, by type: what `truegreen cohort types` wrote."
)
@click.option("--days", type=click.FloatRange(min=0, min_open=True), default=1.0, show_default=True, help="So many days.")
@click.option("--at", callback=_when, metavar="TIME", help="Their end (ISO 8601 or unix seconds; default: now).")
@config_option
@json_option
def cohort_check(
    files: tuple[Path, ...], prometheus_url: str, service: str | None, environment: str | None, name: str | None, label: str,
    types_file: Path | None, days: float, at: float | None, config_path: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Is a cohort served worse than the rest: each tested, as many looks allowed for as there are cohorts. FILES are labelled replay files (`y`)."""
    effect, notes = 1.0, list[str]()
    if files:
        found, notes = sorting.labelled(files, label, types.read(types_file) if types_file else None)
    else:
        if not (service and environment and name):
            raise BadInput("--service, --environment, --slo: write all three, or name labelled replay files")
        slo = _slo(name, config_path)
        who = Who(prometheus.connect(prometheus_url), service, environment)
        end = datetime.now(UTC).timestamp() if at is None else at
        span = Span(end - days * 24 * HOUR, end)
        effect = _effect(who, slo, span) if label not in CLOCK else 1.0
        found = sorting.by_clock(asking.hours(who, slo, span), label) if label in CLOCK else asking.by(who, slo, span, label)
    checked = checking.check(found, effect)
    if not checked.cohorts:
        raise BadInput(f"--by: there is no event with a {label}; check the names, or look at other days with --days and --at")
    if as_json:
        rows = [{**asdict(one), "ratio": one.ratio} for one in checked.cohorts]
        click.echo(
            json.dumps(
                {"by": label, "z": checked.z, "differ": checked.differ, "design_effect": effect, "cohorts": rows, "notes": notes}
            )
        )
        return
    click.echo(f"{'':2}{label:<28}{'events':>10}{'bad':>9}{'rest':>9}{'at least':>10}{'q':>10}")
    for one in checked.cohorts:
        mark = "!" if one.worse else ""
        click.echo(
            f"{mark:2}{plain(one.name, 27):<28}{one.events:>10,.0f}{one.ratio:>9.2%}{one.rest:>9.2%}{one.low:>10.2%}{one.q:>10.2g}"
        )
    click.echo(f"cohorts   {len(checked.cohorts)}; {sum(one.worse for one in checked.cohorts)} worse than the rest (q at most {checking.RATE:g}); "
               f"that all are alike: p = {checked.differ:.2g}; design effect {effect:.2f}")  # fmt: skip
    for note in notes:
        click.echo(f"note      {note}")


@click.command("types")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out", required=True, type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.json", help="Write them there."
)
@click.option("--clusters", type=click.IntRange(2, types.MOST), default=types.CLUSTERS, show_default=True, help="How many types.")
@click.option(
    "--embedder",
    type=click.Choice([one for one in EMBEDDERS if one != NONE]),
    default=LEXICAL,
    show_default=True,
    help="Of replay files.",
)
@click.option("--seed", default=SEED, show_default=True, help="Of the clustering.")
@config_option
@json_option
def cohort_types(
    files: tuple[Path, ...], out: Path, clusters: int, embedder: str, seed: int,
    config_path: Path | None, as_json: bool,  # noqa: ARG001 - every command has --config
) -> None:  # fmt: skip
    """Cluster questions into types: of replay files, or those that a frozen baseline kept of each prompt template."""
    questions = sorting.questions(files, embedder)
    made, labels = types.fit(questions.vectors, clusters, questions.embedder, seed)
    types.write(out, made)
    mix = {
        name: Counter(one for one, kind in zip(questions.templates, labels, strict=True) if kind == name) for name in made.names
    }
    if as_json:
        rows = [
            {"name": name, "questions": count, "templates": dict(mix[name])}
            for name, count in zip(made.names, made.questions, strict=True)
        ]
        click.echo(
            json.dumps({"file": str(out), "embedder": made.embedder, "seed": seed, "types": rows, "notes": questions.notes})
        )
        return
    for name, count in zip(made.names, made.questions, strict=True):
        of = ", ".join(f"{plain(template)} {number}" for template, number in mix[name].most_common(3))
        click.echo(f"{plain(name):<10}{count:>8} questions  {of}")
    for note in questions.notes:
        click.echo(f"note      {note}")
    click.echo(
        f"seed      {seed}\nwritten   {out}\nnext      truegreen.evaluation.cohorts.types.namer({str(out)!r}) names a question for traffic(cohort=…)"
    )


def _slo(name: str, config_path: Path | None) -> Slo:
    slos = config.load(config_path, os.environ).slos
    found = next((one for one in slos if one.name == name), ready_made.BY_NAME.get(name))
    if found is None:
        there = ", ".join(dict.fromkeys((*(one.name for one in slos), *ready_made.BY_NAME)))
        raise BadInput(f"--slo: no SLO is named {name!r}; write one of {there}")
    return found


def _bounds(who: Who, slo: Slo, span: Span, start: float | None) -> tuple[float, float, float]:
    """The end of before, the beginning of after, and the start between them."""
    if start is not None:
        if not span.begin < start < span.end:
            raise BadInput("--start: found a time outside the hours looked at; write one between them, or raise --hours")
        return start, start, start
    found = asking.onset(who, slo, span)
    if found is None:
        raise BadInput(
            f"--start: the counts of {slo.name} show no moment at which the ratio rose; write when to compare, such as "
            f"--start {datetime.fromtimestamp(span.end - HOUR, UTC).isoformat(timespec='seconds')}"
        )
    return found.low, found.high, found.time


def _effect(who: Who, slo: Slo, span: Span) -> float:
    return checking.typical_effect((events, bad) for _, events, bad in asking.hours(who, slo, span))


def _slice(one: find.Slice) -> Mapping[str, Any]:
    return {**asdict(one), "where": dict(one.where), "also": _pairs(one.also), "says": str(one)}


def _pairs(also: Sequence[tuple[str, str]]) -> list[str]:
    return [f"{label}={value}" for label, value in also]


def _share(bad: float, events: float) -> str:
    return f"{bad / events:.2%}" if events else "none"
