"""`truegreen model pin` and `truegreen model unpin`: parse, call, print."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from truegreen.core import config
from truegreen.core.errors import BadInput
from truegreen.core.options import config_option, json_option
from truegreen.evaluation.evalsets import keeping, options, pinning

_FILE = click.Path(path_type=Path, dir_okay=False)


def _shared(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--run", "file", type=_FILE, metavar="FILE", help="The run that is the evidence.  [the newest of --runs]"),
        click.option("--runs", type=click.Path(path_type=Path, file_okay=False), default=Path(keeping.FOLDER), show_default=True, help="Where `evalset run` keeps runs."),
        click.option("--reason", default="", metavar="TEXT", help="Why a lower --require is good enough; the lock file keeps it."),
        click.option("--require", callback=options.share, metavar="SHARE", help="The share of cases that a run must pass; a lower one wants --reason.  [the pin's, else 100%]"),
        click.option("--evalset", type=_FILE, metavar="FILE", help="The set that must pass.  [the pin's]"),
        click.option("--lock", type=_FILE, help="The lock file.  [truegreen.lock beside truegreen.yaml]"),
        click.option("--model", required=True, metavar="NAME", help="The model as the application asks for it without a pin."),
        click.option("--provider", required=True, metavar="NAME", help="Who serves it."),
    ):  # fmt: skip
        command = option(command)

    @functools.wraps(command)
    def run(lock: Path | None, config_path: Path | None, **rest: Any) -> Any:
        source = config.load(config_path, os.environ).source
        held = lock or (source.parent if source else Path()) / pinning.LOCK
        with keeping.alone(held):
            return command(lock=held, **rest)

    return config_option(json_option(run))


@click.command("pin")
@click.option("--version", required=True, metavar="NAME", help="The version to stay with, as the provider names it.")
@_shared
def pin(
    version: str, provider: str, model: str, lock: Path, evalset: Path | None, runs: Path, file: Path | None, require: float | None,
    reason: str, as_json: bool,
) -> None:  # fmt: skip
    """Hold a model at one version.

    The first pin needs no evidence, and takes a run's where --run names one. Another version than the pinned one is let in only by a passing run of it: else exit 1.
    """
    models, history = pinning.load(lock)
    now = datetime.now(UTC)
    before = pinning.found(models, provider, model)
    share = pinning.bound(before, require, reason)
    made = keeping.load(file) if file else None
    if before is not None and before["version"] != version:
        path, wanted = _wanted(before, evalset, lock)
        made = _granted(_candidates(file, runs), before, wanted, share, path, now, lock, version)
    elif made is not None and (why := pinning.of_version(made, provider, version, share, now)):
        raise pinning.refuse(
            lock, f"{file} is no evidence for {version}: {why}", _command(str(evalset or made["file"]), provider, version)
        )
    named = str(evalset or (made["file"] if made else before["evalset"] if before else ""))
    if evalset is not None:
        pinning.wanted_version(named)
    kept = pinning.entry(provider, model, version, _iso(now), named, made, share, reason)
    rest = [one for one in models if one is not before]
    pinning.save(lock, [*rest, kept], [*history, *([{**before, "until": _iso(now)}] if before else [])])
    _say({**kept, "lock": str(lock)}, f"pinned    {provider} {model} to {version}", made, share, as_json)


@click.command("unpin")
@_shared
def unpin(
    provider: str, model: str, lock: Path, evalset: Path | None, runs: Path, file: Path | None, require: float | None, reason: str,
    as_json: bool,
) -> None:  # fmt: skip
    """Let a model go, on the evidence of a run that passed without the pin; exit 1 while there is none."""
    models, history = pinning.load(lock)
    now = datetime.now(UTC)
    before = pinning.found(models, provider, model)
    if before is None:
        there = ", ".join(f"{one['provider']} {one['model']}" for one in models) or "nothing"
        raise BadInput(f"{lock}: {provider} {model} is not pinned; pinned: {there}")
    path, wanted = _wanted(before, evalset, lock)
    share = pinning.bound(before, require, reason)
    made = _granted(_candidates(file, runs), before, wanted, share, path, now, lock)
    let_go_by = {**pinning.evidence(made, share), **({"reason": reason} if reason else {})}
    done = {**before, "until": _iso(now), "let_go_by": let_go_by}
    pinning.save(lock, [one for one in models if one is not before], [*history, done])
    _say({**done, "lock": str(lock)}, f"let go    {provider} {model}, was {before['version']}", made, share, as_json)


def _wanted(before: pinning.Entry, evalset: Path | None, lock: Path) -> tuple[str, str]:
    """The set that must pass: its file, and its version as it is now: a case that an incident added must pass too."""
    path = str(evalset or before["evalset"])
    if not path:
        raise BadInput(f"{lock}: {before['model']} was pinned without an evaluation set; say which must pass: --evalset FILE")
    return path, pinning.wanted_version(path)


def _candidates(file: Path | None, runs: Path) -> Sequence[Mapping[str, Any]]:
    return [keeping.load(file)] if file else keeping.runs(runs)[0]


def _granted(
    runs: Sequence[Mapping[str, Any]], before: pinning.Entry, wanted: str, share: float, path: str, now: datetime, lock: Path,
    version: str = "",
) -> Mapping[str, Any]:  # fmt: skip
    made, why = pinning.judged(runs, before, wanted, share, now, version)
    if made is None:
        said = pinning.missing(runs, wanted, before["pinned"], why)
        raise pinning.refuse(lock, said, _command(path, before["provider"], version or before["model"]))
    return made


def _command(path: str, provider: str, model: str) -> str:
    return f"truegreen evalset run {path} --endpoint URL --provider {provider} --model {model}"


def _say(facts: Mapping[str, Any], line: str, made: Mapping[str, Any] | None, share: float, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(facts, ensure_ascii=False))
        return
    click.echo(line)
    told = (
        f"run {made['digest']} of {made['evalset']}, {made['pass']}/{made['cases']} on {made['ended'][:16]}" if made else "none"
    )
    click.echo(f"evidence  {told}")
    if share < pinning.ALL:
        click.echo(f"wanted    {share:.0%} of the cases, not all")


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
