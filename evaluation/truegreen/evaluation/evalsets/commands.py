"""`truegreen evalset run` and `truegreen evalset add-case`: parse, call, print."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from truegreen.core.clients import http, interrupts
from truegreen.core.errors import BadInput, Failed
from truegreen.core.options import config_option, json_option
from truegreen.core.words.calibration import canonical
from truegreen.evaluation.evalsets import adding, asking, files, judging, keeping, options, result, running
from truegreen.evaluation.progress import shown

CHAT_TOKEN: Final = "OPENAI_API_KEY"
TOKEN: Final = "TRUEGREEN_ENDPOINT_TOKEN"
"""Names of variables with a bearer token, or with _FILE of a file that has it: of the OpenAI contract, of a template's endpoint."""
_FILE: Final = click.Path(path_type=Path, dir_okay=False)
_FOLDER: Final = click.Path(path_type=Path, file_okay=False)


@click.command("run")
@click.argument("file", type=_FILE)
@click.option("--endpoint", metavar="URL", help="Ask this one: OpenAI's contract (POST URL/chat/completions), or see --request.")
@click.option(
    "--recorded", metavar="FILE", type=_FILE, help="Instead: judge the answers of a replay file, found by id, else by question."
)
@click.option("--request", "template", metavar="FILE", type=_FILE, help="JSON template of a plain HTTP endpoint: body, answer, …")
@click.option("--model", default="", metavar="NAME", help="The model to ask for; OpenAI's contract wants one.")
@click.option("--provider", default="", metavar="NAME", help="Who serves it, for the evidence of a pin.")
@click.option("--system", metavar="FILE", type=_FILE, help="The system message.")
@click.option(
    "--parameter",
    "parameters",
    metavar="KEY=JSON",
    multiple=True,
    help="Of the request, such as seed=7; null takes one away.  [temperature=0]",
)
@click.option(
    "--parallel", type=click.IntRange(1, 64), default=4, show_default=True, metavar="N", help="So many questions at once."
)
@click.option(
    "--budget",
    "budgets",
    metavar="KIND=N",
    multiple=True,
    help="calls=N, tokens=N or seconds=N; repeatable. What is left is asked by the next run.",
)
@click.option(
    "--require",
    default="100%",
    show_default=True,
    callback=options.share,
    metavar="SHARE",
    help="The least share of cases that must pass.",
)
@click.option("--out", type=_FOLDER, default=Path(keeping.FOLDER), show_default=True, help="Where runs are kept.")
@click.option("--fresh", is_flag=True, help="Ask all anew, also where an interrupted run could go on.")
@click.option("--keep-answers", "keep", is_flag=True, help="Write the answers into the run; without it no text reaches the disk.")
@click.option(
    "--timeout",
    type=click.FloatRange(0.1, 3600),
    default=asking.TIMEOUT,
    show_default=True,
    metavar="SECONDS",
    help="For one answer.",
)
@config_option
@json_option
@click.pass_context
def run(
    context: click.Context, file: Path, endpoint: str | None, recorded: Path | None, template: Path | None, model: str, provider: str,
    system: Path | None, parameters: tuple[str, ...], parallel: int, budgets: tuple[str, ...], require: float, out: Path, fresh: bool,
    keep: bool, timeout: float, config_path: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Ask the questions of FILE and check the answers. Exit 1 unless enough pass.

    Ctrl-C loses nothing: within a day the same command goes on where it stopped.
    """
    evalset = files.read(file)
    judges = judging.judges(evalset.cases, evalset.path, config_path)
    allowed = running.budget(budgets)
    ask, target, finds, notes = _target(endpoint, recorded, template, model, provider, system, _parameters(parameters), timeout)
    if not finds:
        judging.check(evalset.cases, evalset.path, judges)
    partial = keeping.Partial(out, evalset.version, target, keep)
    context.with_resource(
        keeping.alone(
            partial.path, f"{partial.path}: another run of this set against this endpoint is under way; wait for its end"
        )
    )
    now = time.time()
    began, done = (now, {}) if fresh else partial.done(now, {case.id for case in evalset.cases})
    left = [case for case in evalset.cases if case.id not in done]
    notes += (
        [f"goes on with {len(left)} of {len(evalset.cases)} cases, the others were asked since {_iso(began)}"] if done else []
    )
    spent = running.Spent()
    verdicts = dict(done)
    with interrupts.raised():
        try:
            asked = running.run(left, ask, judges, allowed, spent, parallel=parallel, keep=keep, clock=time.monotonic)
            for one in shown(partial.write(began, done, asked), "evalset run", len(left)):
                verdicts[one.id] = one
        except KeyboardInterrupt:
            raise Failed(
                f"interrupted after {len(verdicts)} of {len(evalset.cases)} cases; the same command goes on from there"
            ) from None
    made = result.result(
        evalset,
        target,
        list(verdicts.values()),
        started=_iso(began),
        ended=_iso(time.time()),
        require=require,
        stopped=spent.ended,
    )
    path = keeping.keep(out, made)
    if made["complete"]:
        partial.end()
    _say(made, path, [*notes, *_advice(spent, made)], as_json)
    context.exit(0 if made["passed"] else 1)


@click.command("add-case")
@click.argument("file", type=_FILE)
@click.option("--from-incident", "incident", type=click.IntRange(1), metavar="ID", help="The incident that the case comes from.")
@click.option("--trace", default="", metavar="ID", help="Of which failing trace; without it, one of the incident's.")
@click.option("--query", default="", metavar="TEXT", help="The question; without it the trace's, from Langfuse or --recorded.")
@click.option(
    "--recorded", metavar="FILE", type=_FILE, help="A replay file that has the question: the record whose id is the trace's."
)
@click.option("--expected", default="", metavar="TEXT", help="The expected answer.")
@click.option("--contains", multiple=True, metavar="TEXT", help="What the answer must contain; repeatable.")
@click.option("--not-contains", "not_contains", multiple=True, metavar="TEXT", help="What it must not contain; repeatable.")
@click.option("--floor", "floors", multiple=True, metavar="NAME=RAW", help="The least raw value of an evaluator; repeatable. "
              "Without any check: the incident's evaluation, at the floor of the service's calibration.")  # fmt: skip
@click.option(
    "--calibration", "calibrations", type=_FOLDER, default=Path("calibration"), show_default=True, help="The calibration folder."
)
@click.option("--id", "identity", default="", metavar="ID", help="The case's id.  [incident-ID-…]")
@click.option("--note", default="", metavar="TEXT", help="Why it is there.")
@click.option("--store", metavar="ADDRESS", help="SQLAlchemy address of the incident log.  [default: incidents.store]")
@config_option
@json_option
def add_case(
    file: Path, incident: int | None, trace: str, query: str, recorded: Path | None, expected: str, contains: tuple[str, ...],
    not_contains: tuple[str, ...], floors: tuple[str, ...], calibrations: Path, identity: str, note: str, store: str | None,
    config_path: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Add to FILE a question that went wrong, so that no fix forgets it. Its text reaches FILE: that is what it is for."""
    facts = adding.facts(incident, store, config_path) if incident else {}
    given = {"contains": list(contains), "not_contains": list(not_contains), "floors": adding.floors(floors)}
    wanted = {key: value for key, value in given.items() if value}
    asked = adding.question(facts, trace, query, recorded)
    made = adding.case(facts, asked, expected, wanted, calibrations, identity=identity, note=note, added=_iso(time.time()))
    if not expected and not wanted:
        adding.check(made, config_path)
    before, after = adding.add(file, made)
    if as_json:
        click.echo(
            json.dumps({"id": made["id"], "before": before, "eval_dataset": after, "checks": sorted(made.get("checks", {}))})
        )
        return
    click.echo(f"added     {made['id']} to {file}: {', '.join(adding.what(made))}")
    click.echo(f"version   {before or '(new)'} -> {after}")


def _target(
    endpoint: str | None, recorded: Path | None, template: Path | None, model: str, provider: str, system: Path | None,
    parameters: Mapping[str, Any], timeout: float,
) -> tuple[asking.Ask, result.Target, bool, list[str]]:  # fmt: skip
    """Who answers, whether passages of its own may come with an answer, and what to say of it."""
    if bool(endpoint) == bool(recorded):
        raise BadInput(
            "found " + ("both" if endpoint else "neither") + " of --endpoint URL and --recorded FILE; write one: who is to answer"
        )
    if recorded is not None:
        from truegreen.evaluation import files as replay

        broken = replay.Broken()
        ask = asking.recorded(replay.read_replay(recorded, broken))
        return ask, result.Target(str(recorded), provider, model, "", live=False), True, [str(line) for line in broken.first]
    url = str(endpoint)
    if template is not None:
        made = asking.read_template(template)
        if model and not made.asks_for_model:
            raise BadInput(
                f"--model: found {model!r}, and no {asking.MODEL} in the body of {template}; write it there, or leave out --model"
            )
        how = _short([made.body, made.answer, made.path])
        return (
            asking.templated(url, http.secret(TOKEN, os.environ), made, model, timeout=timeout),
            result.Target(http.bare(url), provider, model, how), bool(made.passages), [],
        )  # fmt: skip
    if not model:
        raise BadInput("--model: found nothing; write the name of the model to ask for, or --request FILE for another contract")
    said = asking.Chat(model, _text(system), parameters)
    ask = asking.chat(url, http.secret(CHAT_TOKEN, os.environ), said, timeout=timeout)
    return ask, result.Target(http.bare(url), provider, model, _short([said.system, dict(parameters)])), False, []


def _short(how: Any) -> str:
    return hashlib.sha256(canonical(how).encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _parameters(given: tuple[str, ...]) -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    for text in given:
        key, equal, value = text.partition("=")
        try:
            found[key] = json.loads(value)
        except ValueError:
            equal = ""
        if not key or not equal or key in ("model", "messages", "stream"):
            raise BadInput(f"--parameter: found {text!r}; write KEY=JSON such as seed=7, no model, messages or stream")
    return found


def _text(path: Path | None) -> str:
    try:
        return path.read_text("utf-8") if path else ""
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}") from None


def _advice(spent: running.Spent, made: Mapping[str, Any]) -> list[str]:
    said = [f"the first case without an answer: {spent.first_error}"] if spent.first_error else []
    if len(made["served"]) > 1:
        said.append(f"more than one model answered ({', '.join(made['served'])}): the run is evidence for none of them")
    if not made["complete"]:
        said.append("not whole: the same command asks what is left")
    return said


def _say(made: Mapping[str, Any], path: Path, notes: list[str], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({**made, "path": str(path), "notes": notes}, ensure_ascii=False))
        return
    for note in notes:
        click.echo(f"note     {note}")
    *more, last = result.lines(made)
    click.echo("\n".join([*more, f"kept     {path}", last]))


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
