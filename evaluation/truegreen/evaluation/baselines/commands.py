"""`truegreen baseline take`, `diff` and `choose`: parse, call, print."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from truegreen.core.errors import BadInput, Failed
from truegreen.core.options import config_option, json_option
from truegreen.evaluation.baselines import baseline, calibrating, daily, event_baseline, store
from truegreen.evaluation.baselines.profiles import EMBEDDERS, LEXICAL, TEMPLATE_KEY, UNKNOWN
from truegreen.evaluation.evaluators.groundedness import EVALUATION

SEED = 1


@click.command("take")
@click.option("--service", required=True, help="The service, as its spans name it.")
@click.option("--environment", required=True, help="The environment, as its spans name it.")
@click.option(
    "--signal", default=EVALUATION, show_default=True, metavar="NAME", help="The evaluation, or the SLO that counts events."
)
@click.option(
    "--from",
    "sources",
    multiple=True,
    metavar="URL|FILE",
    help="A collector's address or a replay file, repeatable; for an SLO that counts events a Prometheus. "
    "With --daily: a Prometheus, a worker of `truegreen watch`, replay files.",
)
@click.option(
    "--out", required=True, metavar="FOLDER", help="The calibration folder; with --daily a folder or an address such as s3://…."
)
@click.option(
    "--floor-quantile",
    default=baseline.FLOOR_PERCENTILE,
    show_default=True,
    help="Percentile of healthy scores that is the floor.",
)
@click.option("--model", "models", multiple=True, help="Of a replay file: only this model's answers; repeatable.")
@click.option("--answers", type=click.IntRange(min=1), help="Of a replay file: draw so many answers, with replacement.")
@click.option("--seed", default=SEED, show_default=True, help="Of the drawing.")
@click.option(
    "--days",
    type=click.IntRange(1, event_baseline.MOST_DAYS),
    help=f"Of a Prometheus: so many days.  [default: {event_baseline.DAYS}; with --daily {daily.DAYS}]",
)
@click.option("--until", metavar="TIME", help="Of a Prometheus: their end, in ISO 8601 (default: now).")
@click.option(
    "--daily", "is_daily", is_flag=True, help="Freeze everything: numbers, ratios, and the answers of each prompt template."
)
@click.option(
    "--evalset",
    type=click.Path(path_type=Path, dir_okay=False),
    help="With --daily: an evaluation set, whose expected answers are a profile too.",
)
@click.option(
    "--evalset-runs",
    "runs",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="With --evalset: where `evalset run` keeps runs; the newest of these days is a ratio of the baseline.",
)
@click.option(
    "--template",
    default=UNKNOWN,
    show_default=True,
    metavar="NAME",
    help="With --daily: the prompt template of a file that names none.",
)
@click.option(
    "--template-key",
    default=TEMPLATE_KEY,
    show_default=True,
    metavar="KEY",
    help="With --daily: the key of a replay file that names it.",
)
@click.option(
    "--embedder",
    type=click.Choice(EMBEDDERS),
    default=LEXICAL,
    show_default=True,
    help="With --daily: what makes the vectors of a file.",
)
@config_option
@json_option
def baseline_take(
    service: str, environment: str, signal: str, sources: tuple[str, ...], out: str, floor_quantile: float, models: tuple[str, ...],
    answers: int | None, seed: int, days: int | None, until: str | None, is_daily: bool, evalset: Path | None, runs: Path | None,
    template: str, template_key: str, embedder: str, config_path: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Freeze what healthy looks like: a calibration file of one signal, or with --daily a dated baseline of all of it."""
    if runs and not evalset:
        raise BadInput("--evalset-runs: found no --evalset FILE; write it too: of which set a run is to be taken")
    if not is_daily:
        if evalset:
            raise BadInput("--evalset: expected answers are a profile of a whole baseline; add --daily, or leave it out")
        if not sources:
            raise BadInput("--from: found nothing; write a collector's address, a replay file or a Prometheus")
        said = calibrating.calibrate(
            service, environment, signal, sources, Path(out), floor_quantile=floor_quantile, models=models, answers=answers,
            seed=seed, days=days or event_baseline.DAYS, until=until, config_path=config_path, as_json=as_json,
        )  # fmt: skip
        click.echo(said)
        return
    if answers or signal != EVALUATION or floor_quantile != baseline.FLOOR_PERCENTILE:
        raise BadInput(
            "--answers, --signal and --floor-quantile are about the calibration of one signal; leave them out with --daily"
        )
    asked = daily.Asked(
        service,
        environment,
        sources,
        evalset,
        models,
        days or daily.DAYS,
        until,
        template,
        template_key,
        embedder,
        seed,
        config_path,
        runs,
    )
    frozen, notes = daily.gather(asked, datetime.now(UTC))
    name = store.save(out, frozen)
    if as_json:
        click.echo(json.dumps(daily.report(out, name, frozen, notes)))
    else:
        click.echo("\n".join(daily.lines(out, name, frozen, notes)))


@click.command("diff")
@click.argument("a", required=False)
@click.argument("b", required=False)
@click.option("--in", "place", metavar="FOLDER", help="The folder or address that has them: then A and B are names in it.")
@click.option("--service", help="With --in and without names: compare this service's chosen baseline with its newest.")
@click.option("--environment", help="The environment of that service.")
@click.option("--picture", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.svg", help="Draw it too.")
@click.option("--seed", default=SEED, show_default=True, help="Of the permutations.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 where something moved.")
@config_option
@json_option
def baseline_diff(
    a: str | None, b: str | None, place: str | None, service: str | None, environment: str | None, picture: Path | None, seed: int,
    exit_code: bool, config_path: Path | None, as_json: bool,  # noqa: ARG001 - every command has --config
) -> None:  # fmt: skip
    """What moved between two frozen baselines, the strongest evidence first; at most 5 % of what it names did not."""
    from truegreen.evaluation.baselines import comparison, drawing, naming

    (place_a, a), (place_b, b) = naming.pair(a, b, place, service, environment)
    old, new = store.load(place_a, a), store.load(place_b, b)
    found = comparison.compare(old, new, seed=seed)
    if picture:
        try:
            picture.write_text(drawing.svg(found, f"{a} → {b}"), "utf-8")
        except OSError as error:
            raise Failed(f"{picture}: cannot be written: {error.strerror or error}") from None
    if as_json:
        click.echo(json.dumps({"a": a, "b": b, **comparison.report(found)}))
    else:
        click.echo("\n".join(comparison.lines(found, old, new)))
    if exit_code and any(one.moved for one in found.findings):
        raise SystemExit(1)


@click.command("choose")
@click.argument("name")
@click.option("--in", "place", required=True, metavar="FOLDER", help="The folder or address that has it.")
@config_option
@json_option
def baseline_choose(name: str, place: str, config_path: Path | None, as_json: bool) -> None:  # noqa: ARG001 - every command has --config
    """Say that NAME is the baseline to compare with; without a choice it is the oldest."""
    note = store.choose(place, name, datetime.now(UTC))
    click.echo(json.dumps({"chosen": name, "written": note}) if as_json else f"chosen    {name}\nwritten   {note}")
