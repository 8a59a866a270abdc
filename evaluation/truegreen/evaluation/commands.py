"""`truegreen baseline take` and `truegreen replay`: parse, call, print."""

from __future__ import annotations

import json
import logging
import os
import random
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import Any

import click

from truegreen.core import config
from truegreen.core.errors import BadInput, Failed
from truegreen.core.options import config_option, json_option
from truegreen.core.words import ready_made
from truegreen.core.words.attributes import ENVIRONMENT_NAME, SERVICE_NAME
from truegreen.core.words.calibration import MINIMUM_ANSWERS
from truegreen.core.words.shapes import ReplayRecord
from truegreen.core.words.slo import EvaluationSli, Slo
from truegreen.core.words.terms import FAIL, PASS
from truegreen.evaluation import files
from truegreen.evaluation.baselines import baseline, event_baseline, event_take, scores, taking
from truegreen.evaluation.baselines.scores import Judged
from truegreen.evaluation.evaluators.groundedness import EVALUATION
from truegreen.evaluation.installed import judge_of
from truegreen.evaluation.progress import shown
from truegreen.evaluation.replay import of_models, select

SEED = 1
NEAR = 0.8
"""How alike, 0 to 1, an unknown signal and a known one are where the one was meant for the other: two letters of a dozen."""
UNKNOWN = "unknown"
"""The evaluator where nobody said who judged."""


def _rate(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """The calls a second, above 0, from `50` or `50/s`."""
    if value is None:
        return None
    try:
        rate = float(value.removesuffix("/s"))
    except ValueError:
        rate = 0.0
    if not 0 < rate < float("inf"):
        raise click.BadParameter(f"found {value!r}, write a number of calls a second such as 50/s", ctx, param)
    return rate


@click.command("take")
@click.option("--service", required=True, help="The service, as its spans name it.")
@click.option("--environment", required=True, help="The environment, as its spans name it.")
@click.option(
    "--signal", default=EVALUATION, show_default=True, metavar="NAME", help="The evaluation, or the SLO that counts events."
)
@click.option(
    "--from",
    "sources",
    required=True,
    multiple=True,
    metavar="URL|FILE",
    help="A collector's address or a replay file, repeatable; for an SLO that counts events a Prometheus.",
)
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="The calibration folder.")
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
    default=event_baseline.DAYS,
    show_default=True,
    help="Of a Prometheus: so many days.",
)
@click.option("--until", metavar="TIME", help="Of a Prometheus: their end, in ISO 8601 (default: now).")
@config_option
@json_option
def baseline_take(
    service: str, environment: str, signal: str, sources: tuple[str, ...], out: Path, floor_quantile: float, models: tuple[str, ...],
    answers: int | None, seed: int, days: int, until: str | None, config_path: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Freeze what healthy looks like: a calibration file from at least 500 answers or events."""
    slo = _counted(signal, config_path)
    if slo is not None:
        if models or answers or floor_quantile != baseline.FLOOR_PERCENTILE:
            raise BadInput(
                f"--model, --answers and --floor-quantile are about scores, and {signal} counts events; leave them out"
            )
        click.echo(event_take.take(slo, service, environment, sources, out, days, until, as_json))
        return
    urls = [source for source in sources if source.startswith(("http://", "https://"))]
    paths = [Path(source) for source in sources if source not in urls]
    _check_sources(service, signal, urls, paths, models, answers)
    notes: list[str] = []
    if urls:
        values, sessions, snapshot, evaluator = _from_collectors(urls, service, environment, signal)
        calls: list[Judged] = []
    else:
        calls = _from_files(paths, signal, config_path, notes)
        chosen = _drawn(calls, models, answers, seed, notes)
        values = [call.raw for call in chosen if call.raw is not None]
        sessions = [call.session for call in chosen] if any(call.session for call in chosen) else []
        snapshot, evaluator = "", _one_evaluator({call.evaluator for call in chosen if call.raw is not None})
    taken = datetime.now(UTC).isoformat(timespec="seconds")
    frozen = baseline.freeze(
        values, service=service, environment=environment, signal=signal, evaluator=evaluator, taken=taken, sessions=sessions,
        snapshot=snapshot, percentile=floor_quantile,
    )  # fmt: skip
    tie = taking.tie_note(frozen, floor_quantile)
    notes += [tie] if tie else []
    rates = taking.error_rates(calls, frozen.floor)
    file = str(files.write_calibration(out, frozen))
    if as_json:
        click.echo(json.dumps({**taking.report(frozen, file, rates, notes), "seed": seed if answers else None}))
    else:
        click.echo("\n".join(taking.lines(frozen, file, rates, notes)))


@click.command("replay")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--service", default="recorded-answers", show_default=True, help="service.name of the spans.")
@click.option("--environment", default="production", show_default=True, help="deployment.environment.name of the spans.")
@click.option("--model", "models", multiple=True, help="Only this model's calls; repeatable.")
@click.option("--rate", callback=_rate, metavar="N/s", help="Calls a second (default: as fast as they can be judged and sent).")
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
            environ=_settings(config_path), content=content, rate=rate,
        )  # fmt: skip
    except Failed as error:
        if not as_json:
            _say_replay(tally, broken, seed, as_json)
        raise Failed(f"{endpoint}: {error}") from None
    if not tally.calls:
        raise BadInput(f"{file}: no recorded call of the model {', '.join(models)}")
    _say_replay(tally, broken, seed, as_json)


def _settings(config_path: Path | None) -> Mapping[str, str]:
    """The environment with the configuration file in it; what is wrong in the file is said here, with its line."""
    if config_path is not None and config_path.suffix == ".json":  # what `truegreen generate app` wrote for applications
        return {**os.environ, "TRUEGREEN_CONFIG": str(config_path)}
    source = config.load(config_path, os.environ).source
    return {**os.environ, "TRUEGREEN_CONFIG": str(source)} if source else os.environ


def _counted(signal: str, config_path: Path | None) -> Slo | None:
    """The SLO of that name, the configuration's or a ready-made one; None where an evaluation is meant."""
    from truegreen.instrumentation import settings

    evaluations = settings.load(_settings(config_path)).evaluations
    if signal == EVALUATION or signal in evaluations:
        return None
    of_app = config_path is not None and config_path.suffix == ".json"
    slos = () if of_app else config.load(config_path, os.environ).slos
    found = next((slo for slo in slos if slo.name == signal), ready_made.BY_NAME.get(signal))
    if found is not None and isinstance(found.sli, EvaluationSli):
        raise BadInput(f"--signal: {signal} judges the evaluation {found.sli.evaluation}; write --signal {found.sli.evaluation}")
    names = [EVALUATION, *evaluations, *(slo.name for slo in slos), *ready_made.BY_NAME]
    near = get_close_matches(signal, names, 1, NEAR) if found is None else []
    if near:
        raise BadInput(
            f"--signal: no evaluation and no SLO is named {signal}; write {near[0]}, or add it under evaluations or slos in truegreen.yaml"
        )
    return found


def _check_sources(
    service: str, signal: str, urls: list[str], paths: list[Path], models: tuple[str, ...], answers: int | None
) -> None:
    if not service.strip():
        raise BadInput("--service: found an empty text, write the service's name")
    if not signal.strip():
        raise BadInput(f"--signal: found an empty text, write the evaluation's name as in truegreen.yaml, such as {EVALUATION}")
    if urls and paths:
        raise BadInput("--from: found addresses and files; take the baseline from one kind, they judge different traffic")
    if urls and (models or answers):
        raise BadInput("--model and --answers choose from a replay file; the collector's scores are taken as they are")


def _from_collectors(urls: list[str], service: str, environment: str, signal: str) -> tuple[list[float], list[str], str, str]:
    found = [scores.fetch(scores.address(url, service, environment, signal)) for url in urls]
    if not any(one.values for one in found):
        raise BadInput(
            f"--from: a baseline needs at least {MINIMUM_ANSWERS} judged answers, there are 0: no collector asked has an answer of the "
            f"service {service!r}, environment {environment!r}, evaluation {signal!r}. Check the environment: it is the app's resource "
            f"attribute {ENVIRONMENT_NAME}, `unknown` when unset; the service is {SERVICE_NAME}; only sampled answers with a raw score count"
        )
    evaluator = _one_evaluator({one.evaluator for one in found if one.values})
    snapshots = {one.snapshot for one in found if one.values}
    values = [value for one in found for value in one.values]
    known = all(one.sessions for one in found if one.values)
    sessions = [session for one in found for session in one.sessions] if known else []
    return values, sessions, snapshots.pop() if len(snapshots) == 1 else "", evaluator


def _one_evaluator(found: set[str]) -> str:
    if len(found) > 1:
        names = ", ".join(sorted(name or UNKNOWN for name in found))
        raise BadInput(f"--from: there are scores of different evaluators ({names}); one baseline needs one")
    return next(iter(found), "") or UNKNOWN


def _from_files(paths: list[Path], signal: str, config_path: Path | None, notes: list[str]) -> list[Judged]:
    from truegreen.instrumentation import settings

    judge = judge_of(signal, settings.load(_settings(config_path)).evaluations.get(signal, {}))
    calls: list[Judged] = []
    for path in paths:
        broken = files.Broken()
        calls += shown(scores.judged(files.read_replay(path, broken), judge), "judge", None)
        notes += _broken_lines(broken)
    return calls


def _drawn(calls: list[Judged], models: tuple[str, ...], answers: int | None, seed: int, notes: list[str]) -> list[Judged]:
    chosen = select(calls, models, seed, None)
    skipped = Counter(call.skipped for call in chosen if call.raw is None)
    kept = [call for call in chosen if call.raw is not None]
    said = ", ".join(f"{count} {reason}" for reason, count in sorted(skipped.items()))
    if skipped:
        notes.append(f"skipped: {said}")
    if answers and kept:
        notes.append(f"{answers} answers drawn with replacement from {len(kept)} recorded ones, seed {seed}")
        return random.Random(seed).choices(kept, k=answers)
    if len(kept) < MINIMUM_ANSWERS:
        raise BadInput(
            f"a baseline needs at least {MINIMUM_ANSWERS} judged answers, there are {len(kept)}"
            + (f" (skipped: {said})" if skipped else "")
            + (f"; record more, or draw with replacement: --answers {MINIMUM_ANSWERS + 100}" if kept else "")
        )
    return kept


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
    for line in _broken_lines(broken):
        click.echo(f"broken    {line}")


def _broken_lines(broken: files.Broken) -> list[str]:
    said = [str(line) for line in broken.first]
    return [*said, f"{broken.count} broken lines in all"] if broken.count > len(said) else said
