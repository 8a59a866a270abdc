"""`truegreen dashboard push` and `truegreen dashboard lint`: parse, call, print."""

from __future__ import annotations

import json
import os
import re
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from truegreen.core import config
from truegreen.core.clients import grafana, http, interrupts, prometheus
from truegreen.core.config import Config
from truegreen.core.errors import BadInput, Failed
from truegreen.core.options import config_option, json_option
from truegreen.core.words import boards
from truegreen.dashboards import generate, known, lint_rules, pushing
from truegreen.dashboards import lint as linting
from truegreen.dashboards import push as planning
from truegreen.dashboards.lint_board import World
from truegreen.dashboards.model import Json

_UID = re.compile(rf"[A-Za-z0-9_-]{{1,{grafana.LONGEST_UID}}}")


@click.command("push")
@click.option("--grafana-url", metavar="URL", help="Address of Grafana (default: routes.dashboard_url of the configuration).")
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=click.FloatRange(0.1, 600),
    default=http.TIMEOUT,
    show_default=True,
    help="For one answer of Grafana.",
)
@click.option("--check", is_flag=True, help="Write nothing; exit 1 with the difference when Grafana has other boards.")
@click.option("--yes", is_flag=True, help="Write without asking.")
@click.option("--only", metavar="UID", multiple=True, help="Push this board only; may be given several times.")
@click.option(
    "--folder",
    metavar="UID",
    default=boards.FOLDER_UID,
    show_default=True,
    help="Folder to push into; ours is made where it is missing.",
)
@click.option("--boards", "source", metavar="DIR", type=click.Path(path_type=Path, file_okay=False, exists=True),
              help="Push the JSON files of this folder instead of those of the configuration.")  # fmt: skip
@config_option
@json_option
def push(
    grafana_url: str | None, timeout: float, check: bool, yes: bool, only: Sequence[str], folder: str, source: Path | None, config_path: Path | None, as_json: bool
) -> None:  # fmt: skip
    """Write the boards to a Grafana: shows the difference first, writes all of it or puts back what it wrote."""
    loaded = config.load(config_path, os.environ)
    if not _UID.fullmatch(folder):
        raise BadInput(f"--folder: found {folder!r}; write the uid of a folder, which is in its address (/dashboards/f/UID)")
    read = _of_folder(source) if source else []
    wanted = _chosen([file.board for file in read] if source else _generated(loaded), only)
    server = grafana.connect(grafana_url or loaded.routes.dashboard_url, timeout=timeout)
    try:
        release = grafana.version(server)
        title = grafana.folder(server, folder)
        found = pushing.read(server, [board["uid"] for board in wanted])
    except Failed as error:
        raise Failed(f"nothing was written: {error}") from None
    if title is None and folder != boards.FOLDER_UID:
        raise BadInput(f"--folder: Grafana has no folder {folder}; make it there first, or leave --folder out")
    steps = planning.plan(wanted, found, folder)
    wrong = sum(_errors(file, loaded) for file in read if file.board in wanted)
    report: dict[str, Any] = {
        "grafana": release,
        "url": http.bare(server.url),
        "folder": folder,
        "stopped": "",
        "lint_errors": wrong,
    }
    report["boards"] = [
        {"uid": each.uid, "title": each.title, "state": each.state, "reason": each.reason, "diff": each.diff} for each in steps
    ]
    if not as_json:
        click.echo(f"Grafana {release} at {http.bare(server.url)}, folder {title or f'{folder} (to be made)'}")
        for line in (line for step in steps for line in planning.lines(step)):
            click.echo(line)
        if wrong:
            click.echo(f"lint finds {_counted(wrong, 'error')} in these boards: truegreen dashboard lint {source}")
    refused = [step.uid for step in steps if step.state == planning.REFUSED]
    writing = [step for step in steps if step.writes]
    if refused:
        _end(report, as_json, f"nothing was written: {', '.join(refused)} cannot be pushed")
    elif not writing:
        _end(report, as_json, "")
    elif check:
        _end(report, as_json, f"{len(writing)} of {len(steps)} boards differ; run: truegreen dashboard push")
    else:
        _ask(yes, as_json, len(writing))
        _write(server, steps, folder, title is None, report, as_json)


def _write(
    server: http.Server, steps: Sequence[planning.Step], folder: str, make: bool, report: dict[str, Any], as_json: bool
) -> None:
    with interrupts.raised():
        outcome = pushing.write(server, steps, folder, f"truegreen {version('truegreen')}", "truegreen" if make else "")
    report |= {"results": [asdict(each) for each in outcome.results], "stopped": outcome.stopped}
    if not as_json:
        for result in outcome.results:
            click.echo(f"{result.became:<21} {result.uid}" + (f": {result.why}" if result.why else ""))
    if outcome.stopped:
        stuck = [each.uid for each in outcome.results if each.became in (pushing.STUCK, pushing.UNKNOWN)]
        rest = f"; look at {', '.join(stuck)} in Grafana" if stuck else "; Grafana has the boards that it had before"
        begun = any(each.became != pushing.UNTOUCHED for each in outcome.results)
        _end(report, as_json, f"{outcome.stopped}{rest}{', and the new folder, empty' if make and begun and not stuck else ''}")
    else:
        _end(report, as_json, "")


def _end(report: dict[str, Any], as_json: bool, wrong: str) -> None:
    if not as_json:
        if wrong:
            raise Failed(wrong)
        return
    click.echo(json.dumps({**report, "error": wrong}, ensure_ascii=False))
    if wrong:
        click.get_current_context().exit(1)


def _ask(yes: bool, as_json: bool, count: int) -> None:
    if yes:
        return
    if as_json or not sys.stdin.isatty():
        raise BadInput("nobody can be asked here whether to write: add --yes, or --check to see the difference only")
    if not click.confirm(f"Write {_counted(count, 'board')}?"):
        raise Failed("nothing was written, as the answer was no")


def _generated(loaded: Config) -> list[Json]:
    files = generate.files(loaded, 1).files
    return [json.loads(text) for name, text in files.items() if name.endswith(".json")]


def _errors(file: linting.BoardFile, loaded: Config) -> int:
    world = World(known.series(loaded.metrics.metrics), boards.ALL)
    return sum(1 for finding in linting.findings(file, world) if finding.level == "error")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _of_folder(folder: Path) -> list[linting.BoardFile]:
    read = [linting.read(path) for path in sorted(folder.glob("*.json"))]
    if not read:
        raise BadInput(f"--boards: {folder} has no *.json; write them with: truegreen generate dashboards --out {folder}")
    for file in read:
        if not isinstance(file.board.get("uid"), str) or not _UID.fullmatch(file.board["uid"]):
            raise BadInput(
                f"{file.at(('uid',))}: uid {file.board.get('uid')!r}: write 1 to {grafana.LONGEST_UID} of A-Z, a-z, 0-9, - and _"
            )
        if not isinstance(file.board.get("title"), str) or not file.board["title"].strip():
            raise BadInput(f"{file.at(('title',))}: has no title; write one, Grafana asks for it")
        if file.board.get("__inputs"):
            raise BadInput(
                f"{file.at(('__inputs',))}: is an export for sharing, whose data sources are not chosen; export it without that "
                '("share externally"), or write ${datasource} for them and take __inputs away'
            )
    twice = [uid for uid, times in Counter(file.board["uid"] for file in read).items() if times > 1]
    if twice:
        raise BadInput(
            f"--boards: two files of {folder} have the uid {twice[0]}: {', '.join(f.name for f in read if f.board['uid'] == twice[0])}"
        )
    return read


def _chosen(found: list[Json], only: Sequence[str]) -> list[Json]:
    uids = [board["uid"] for board in found]
    if unknown := [uid for uid in only if uid not in uids]:
        raise BadInput(f"--only: there is no board {unknown[0]}; write one of {', '.join(uids)}")
    return [board for board in found if not only or board["uid"] in only]


@click.command("lint")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@click.option(
    "--prometheus-url",
    metavar="URL",
    help="Ask this Prometheus which names exist; without it, names that are not ours are warnings.",
)
@click.option("--allow", metavar="REGEX", help="Names that are taken as they are, such as 'shop_.*'.")
@click.option(
    "--skip", metavar="RULE", multiple=True, help=f"Leave a rule out: {', '.join(lint_rules.RULES)}. May be given several times."
)
@click.option(
    "--ours", is_flag=True, help="Hold the files to everything that truegreen's own boards keep, its profile schema included."
)
@config_option
@json_option
def lint(
    files: Sequence[Path], prometheus_url: str | None, allow: str | None, skip: Sequence[str], ours: bool, config_path: Path | None, as_json: bool
) -> None:  # fmt: skip
    """Say where a board of yours names what does not exist, reads a counter as a gauge, lacks a unit, and what to write instead."""
    if unknown := [name for name in skip if name not in lint_rules.RULES]:
        raise BadInput(f"--skip: there is no rule {unknown[0]}; write one of {', '.join(lint_rules.RULES)}")
    loaded = config.load(config_path, os.environ)
    read = _readable(files)
    world = World(known.series(loaded.metrics.metrics), boards.ALL, _scraped(prometheus_url), _pattern(allow), ours)
    found = [finding for file in read for finding in linting.findings(file, world, frozenset(skip))]
    notes = [line for file in read for line in linting.skipped(file)]
    errors = sum(1 for each in found if each.level == "error")
    if as_json:
        click.echo(
            json.dumps({"problems": [asdict(each) for each in found], "skipped": notes, "errors": errors}, ensure_ascii=False)
        )
    else:
        for line in [*(each.text() for each in found), *notes]:
            click.echo(line)
        click.echo(f"{_counted(len(read), 'file')}: {_counted(errors, 'error')}, {_counted(len(found) - errors, 'warning')}")
    if errors:
        click.get_current_context().exit(1)


def _readable(files: Sequence[Path]) -> list[linting.BoardFile]:
    read, wrong = [], []
    for path in (each for given in files for each in (sorted(given.glob("*.json")) if given.is_dir() else [given])):
        try:
            read.append(linting.read(path))
        except BadInput as error:
            wrong.append(str(error))
    if wrong or not read:
        raise BadInput("\n".join(wrong) or f"{', '.join(map(str, files))}: no *.json in there; name a board")
    return read


def _scraped(url: str | None) -> frozenset[str] | None:
    return None if url is None else frozenset(prometheus.label_values(prometheus.connect(url), "__name__"))


def _pattern(text: str | None) -> re.Pattern[str] | None:
    try:
        return re.compile(text) if text else None
    except re.error as error:
        raise BadInput(f"--allow: {text!r} is no regular expression: {error}") from None
