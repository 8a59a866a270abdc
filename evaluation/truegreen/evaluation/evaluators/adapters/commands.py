"""`truegreen score import` and `truegreen review import`: parse, call, print."""

from __future__ import annotations

import json
import os
import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click

from truegreen.core import config
from truegreen.core.clients import langfuse
from truegreen.core.clients.interrupts import raised
from truegreen.core.config.units import seconds
from truegreen.core.errors import BadInput, Failed
from truegreen.core.options import config_option, json_option
from truegreen.core.words import calibration
from truegreen.core.words.calibration import Calibration
from truegreen.core.words.terms import FAIL, PASS
from truegreen.evaluation import agreement
from truegreen.evaluation.evaluators.adapters import labelled, langfuse_scores, mark, reviews
from truegreen.evaluation.evaluators.adapters.imported import Delivery
from truegreen.evaluation.evaluators.adapters.langfuse_scores import SOURCES
from truegreen.evaluation.evaluators.adapters.rounds import Asked, one_round
from truegreen.evaluation.evaluators.adapters.verdicts import verdict
from truegreen.evaluation.files import Broken

ENDPOINT: Final = "http://127.0.0.1:4318"
PAIRS: Final = 10
"""So many pairs of reviewers are named."""
FEW: Final = 30
"""Under so many shared answers the interval of kappa is too narrow."""
_SPAN: Final = re.compile(r"[1-9][0-9]{0,5}[smhd]")

_of_service = (
    click.option("--evaluation", required=True, metavar="NAME", help="The evaluation that they are of."),
    click.option("--service", required=True, help="The service whose answers were judged, as its spans name it."),
    click.option("--environment", required=True, help="Its environment, as its spans name it."),
    click.option("--endpoint", default=ENDPOINT, show_default=True, help="Where OTLP over HTTP is received."),
)


def _common(command: Any) -> Any:
    for option in reversed(_of_service):
        command = option(command)
    return command


@click.command("import")
@_common
@click.option("--score", metavar="NAME", help="The score's name in Langfuse (default: the evaluation's).")
@click.option("--source", "sources", multiple=True, type=click.Choice(SOURCES, case_sensitive=False),
              help="Who made it; repeatable (default: EVAL and ANNOTATION).")  # fmt: skip
@click.option("--of", "langfuse_environment", default="", metavar="NAME", help="Of this environment of Langfuse only.")
@click.option("--category", "words", multiple=True, metavar="WORD=NUMBER", help="What a category counts as; repeatable.")
@click.option("--since", metavar="TIME", help="From where on: 24h, or an ISO 8601 time (default: 24h, with --every now).")
@click.option("--every", metavar="TIME", help="Again and again, such as 1m.")
@click.option(
    "--state", type=click.Path(path_type=Path, dir_okay=False), help="The file that keeps what was taken: nothing is sent twice."
)
@config_option
@json_option
def score_import(
    evaluation: str, service: str, environment: str, endpoint: str, score: str | None, sources: tuple[str, ...], langfuse_environment: str,
    words: tuple[str, ...], since: str | None, every: str | None, state: Path | None, config_path: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Take the scores of a Langfuse project and send them as evaluation events of their spans."""
    settings, folder, note = _evaluation(config_path, evaluation)
    if note and not as_json:
        click.echo(f"note      {note}")
    frozen = _calibration(folder, service, environment, evaluation)
    pause = _span(every, "--every") if every else None
    begin = _since(since or ("0s" if every else "24h"))
    where = (mark.read(state) if state else None) or mark.Mark(begin, begin)
    asked = Asked(
        server=langfuse.connect(), name=score or evaluation, sources=tuple(sources) or SOURCES[:2], environment=langfuse_environment,
        words=langfuse_scores.words_of(words), verdict=verdict(evaluation, settings, frozen),
        sign=-1.0 if settings.get("higher_is_better") is False else 1.0,
    )  # fmt: skip
    delivery = Delivery(endpoint, service, environment)
    failed = ""
    try:
        with raised():
            while True:
                failed = _round(asked, where, delivery, state, endpoint, as_json)
                if pause is None:
                    break
                if failed:
                    click.echo(f"{failed}; trying again in {every}", err=True)
                time.sleep(pause)
    except KeyboardInterrupt:
        if pause is None:
            raise
        failed = ""
    finally:
        delivery.close()
    if failed:
        raise Failed(failed)


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@_common
@click.option("--calls", type=click.Path(path_type=Path, dir_okay=False), help="The replay file that was reviewed.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the calls here with their labels (`y`), texts included; send nothing.",
)
@config_option
@json_option
def review_import(
    file: Path, evaluation: str, service: str, environment: str, endpoint: str, calls: Path | None, out: Path | None,
    config_path: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Take people's reviews of answers (JSONL, or CSV with a header), say how far they agree, and send them as evaluation events."""
    if (calls is None) != (out is None):
        raise BadInput(
            "--calls and --out go together: the calls that were reviewed, and where they are written with their labels"
        )
    _, _, note = _evaluation(config_path, evaluation)
    broken = Broken()
    read = list(reviews.read(file, broken))
    answers = reviews.settled(read)
    found = reviews.results(answers, evaluation)
    said: dict[str, Any] = {
        "reviews": len(read),
        "answers": len(answers),
        "even": len(answers) - len(found),
        **dict(sorted(Counter(one.result.label for one in found).items())),
        "no_trace": sum(not one.trace for one in found),
        "agreement": _agreement(read),
        "notes": [note] if note else [],
    }
    if calls is not None and out is not None:
        wrong = {one.id: one.result.label == FAIL for one in found}
        said["calls"], said["labelled"] = labelled.write(calls, out, wrong, broken)
        said["written"] = str(out)
    else:
        delivery = Delivery(endpoint, service, environment)
        try:
            said["sent"] = len(delivery.send(found))
        finally:
            delivery.close()
    said |= {"broken_lines": broken.count, "broken": [str(line) for line in broken.first]}
    click.echo(json.dumps(said) if as_json else "\n".join(_review_lines(said)))
    if said.get("sent", len(found)) < len(found):
        raise Failed(f"{endpoint} took {said['sent']} of {len(found)} verdicts; is the collector running there?")


def _round(asked: Asked, where: mark.Mark, delivery: Delivery, state: Path | None, endpoint: str, as_json: bool) -> str:
    """One look, said; what failed, empty when nothing did."""
    try:
        done = one_round(asked, where, datetime.now(UTC), delivery.send)
    except Failed as error:
        return str(error)
    if state is not None:
        mark.write(state, where)
    figures = {
        **asdict(done),
        "outcomes": dict(sorted(done.outcomes.items())),
        "until": where.until.isoformat(timespec="seconds"),
    }
    if as_json:
        click.echo(json.dumps(figures))
    else:
        what = ", ".join(f"{count} {name}" for name, count in sorted(done.outcomes.items())) or "none"
        left = (
            f"left out: {done.own} forwarded by truegreen itself, {done.no_number} without a number; {done.no_trace} of no trace"
        )
        click.echo(f"scores    {done.new} new of {asked.name}; sent {done.sent}: {what}\nnote      {left}")
    return (
        "" if done.complete else f"{endpoint} did not take all verdicts ({done.sent} were taken); is the collector running there?"
    )


def _agreement(read: Sequence[reviews.Review]) -> list[dict[str, Any]]:
    named = ((one.answer, one.reviewer, one.wrong) for one in read if one.reviewer)
    return [{"reviewers": list(pair), **asdict(one)} for pair, one in agreement.by_pair(named).items()]


def _review_lines(said: Mapping[str, Any]) -> list[str]:
    lines = [
        (
            f"reviews   {said['reviews']} of {said['answers']} answers: {said.get(PASS, 0)} pass, {said.get(FAIL, 0)} fail, "
            f"{said['even']} without a majority (left out: one more reviewer settles them)"
        )
    ]
    for one in said["agreement"][:PAIRS]:
        kappa = (
            "no kappa: both always say the same"
            if one["kappa"] is None
            else f"kappa {one['kappa']:.2f} [{one['low']:.2f}, {one['high']:.2f}]"
        )
        few = f" (under {FEW} answers: the interval is too narrow)" if one["pairs"] < FEW else ""
        lines.append(f"agreement {' and '.join(one['reviewers'])}: {one['observed']:.0%} of {one['pairs']} answers, {kappa}{few}")
    if not said["agreement"]:
        lines.append("agreement unknown: no answer was reviewed by two named reviewers; have a sample of them reviewed twice")
    if "written" in said:
        lines.append(f"written   {said['written']}: {said['calls']} calls, {said['labelled']} of them labelled by these reviews")
    else:
        lines.append(
            f"sent      {said['sent']} verdicts; {said['no_trace']} of no trace (`trace_id` of 32 hex digits is not there)"
        )
    broken = [f"broken    {line}" for line in said["broken"]]
    more = said["broken_lines"] - len(broken)
    lines += [f"note      {note}" for note in said["notes"]]
    return [*lines, *broken, *([f"broken    {said['broken_lines']} broken lines in all"] if more else [])]


def _evaluation(config_path: Path | None, evaluation: str) -> tuple[Mapping[str, Any], Path, str]:
    """The settings of an evaluation, as the application reads them, its folder of calibration files, and what is odd about it."""
    from truegreen.instrumentation import settings

    environ: Mapping[str, str] = os.environ
    if config_path is not None and config_path.suffix == ".json":  # what `truegreen generate app` wrote for applications
        environ = {**os.environ, "TRUEGREEN_CONFIG": str(config_path)}
    elif source := config.load(config_path, os.environ).source:
        environ = {**os.environ, "TRUEGREEN_CONFIG": str(source)}
    told = settings.load(environ)
    unknown = evaluation not in told.evaluations and "TRUEGREEN_CONFIG" in environ
    note = f"evaluations of truegreen.yaml has no {evaluation}: is it the name that your SLOs read?" if unknown else ""
    return told.evaluations.get(evaluation, {}), told.calibration, note


def _calibration(folder: Path, service: str, environment: str, evaluation: str) -> Calibration | None:
    path = folder / calibration.file_name(service, environment, evaluation)
    try:
        return calibration.from_text(path.read_text("utf-8"), str(path))
    except FileNotFoundError:
        return None
    except calibration.CalibrationError as error:
        raise BadInput(str(error)) from None


def _since(given: str) -> datetime:
    if given == "0s" or _SPAN.fullmatch(given):
        return datetime.now(UTC) - timedelta(seconds=seconds(given))
    try:
        return datetime.fromisoformat(given).astimezone(UTC)
    except ValueError:
        raise BadInput(f"--since: found {given!r:.60}, write 24h or an ISO 8601 time such as 2026-11-01T12:00:00+00:00") from None


def _span(given: str, option: str) -> int:
    if not _SPAN.fullmatch(given):
        raise BadInput(f"{option}: found {given!r:.60}, write a time such as 30s, 1m or 1h")
    return seconds(given)
