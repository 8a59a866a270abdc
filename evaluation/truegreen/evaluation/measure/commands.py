"""`truegreen evaluator measure`: parse, call, print."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from truegreen.core.errors import BadInput
from truegreen.core.options import config_option, json_option
from truegreen.core.words.calibration import Calibration, ErrorRates
from truegreen.evaluation import files
from truegreen.evaluation.evaluators.groundedness import EVALUATION
from truegreen.evaluation.installed import environ_of, judge_of
from truegreen.evaluation.measure import measurement, report
from truegreen.evaluation.measure.judging import CLOCKS, clock_of, judged
from truegreen.evaluation.measure.measurement import Labelled
from truegreen.evaluation.measure.statistics import isotonic
from truegreen.evaluation.progress import shown

SEED = 1


@click.command("measure")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--signal", default=EVALUATION, show_default=True, metavar="NAME", help="The evaluation, as in truegreen.yaml.")
@click.option("--service", help="The service whose calibration is meant, with --environment.")
@click.option("--environment", help="The environment of that service.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="The calibration folder: write there what the application and the rules read.",
)
@click.option(
    "--floor",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    metavar="P",
    help="Fail where the probability that an answer is right is at most P (default: the floor of the service's calibration, else "
    "break-even: as many fail as are wrong).",
)
@click.option("--seed", type=click.IntRange(0), default=SEED, show_default=True, help="Of the bootstrap.")
@config_option
@json_option
def evaluator_measure(
    file: Path, signal: str, service: str | None, environment: str | None, out: Path | None, floor: float | None, seed: int,
    config_path: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Measure an evaluator on the labelled answers (`y`) of FILE, a replay file: how well it tells right from wrong, and its error rates."""
    from truegreen.instrumentation import settings

    if (service is None) != (environment is None):
        lacking = "--environment" if environment is None else "--service"
        raise BadInput(f"{lacking}: a calibration is of one service in one environment; write both")
    if out is not None and not (service and service.strip()):
        raise BadInput(
            "--service: a calibration is of one service in one environment; write --service and --environment, or no --out"
        )
    told = settings.load(environ_of(config_path))
    broken = files.Broken()
    its_settings = told.evaluations.get(signal, {})
    judge, clock = judge_of(signal, its_settings), clock_of(signal, its_settings)
    records = shown(files.read_replay(file, broken), "judge", None)
    found = measurement.columns(list(judged(records, judge, CLOCKS[clock])))
    notes = files.broken_lines(broken)
    before = _before(out or told.calibration, service, environment, signal, found, notes) if service and environment else None
    at, floor_from = _floor(found, before, floor)
    its, area = measurement.rates(found, at), measurement.area(found, seed)
    said = {**report.figures(signal, found, area, measurement.within_models(found), its, floor_from, seed), "clock": clock}
    made, path = None, ""
    if out is not None and service and environment is not None:
        errors = ErrorRates(
            len(found.raws), sum(found.wrong), its.false_positive_rate, its.false_negative_rate, area[0], *area[1], seed,
            datetime.now(UTC).isoformat(timespec="seconds"),
        )  # fmt: skip
        made = measurement.calibration(found, its, errors, before, service=service, environment=environment, signal=signal)
        path = str(files.write_calibration(out, made))
    notes += report.notes(found, its, made)
    if as_json:
        written = (
            {"file": path, "digest": made.digest, "scale": made.scale} if made else {"file": None, "digest": None, "scale": None}
        )
        click.echo(json.dumps({**said, **written, "broken_lines": broken.count, "notes": notes}))
    else:
        click.echo("\n".join(report.lines(said, made, path, notes)))


def _before(folder: Path, service: str, environment: str, signal: str, found: Labelled, notes: list[str]) -> Calibration | None:
    """The frozen baseline of traffic by the same evaluator, None where there is none."""
    known = files.read_calibration(folder, service, environment, signal)
    if known is None or (known.error_rates and known.error_rates.labelled == known.answers):
        return None  # labelled answers stood for the traffic: the new ones do
    if known.evaluator != found.evaluator:
        notes.append(
            f"the calibration {known.digest} in {folder} is by {known.evaluator}, and {found.evaluator} judged here: nothing of it is kept"
        )
        return None
    return known


def _floor(found: Labelled, before: Calibration | None, asked: float | None) -> tuple[float, str]:
    if asked is not None:
        return measurement.floor_at(
            isotonic(found.raws, found.wrong), asked
        ), f"where the probability that an answer is right is {asked:g}"
    if before is not None:
        return before.floor, f"of the calibration {before.digest}"
    return measurement.break_even(found), "break-even: about as many fail as are wrong"
