"""`truegreen provider changes` and `truegreen provider probe`: parse, call, print."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from truegreen.core import config
from truegreen.core.clients import http
from truegreen.core.errors import BadInput, Failed
from truegreen.core.options import config_option, json_option
from truegreen.evaluation.progress import shown
from truegreen.evaluation.provider import asking, compare, feeds, fetch, probes, store
from truegreen.evaluation.provider.model import Entry, Round

KEY: Final = "OPENAI_API_KEY"
SEED: Final = 1
FEW: Final = 10
_UNITS: Final = {"m": 60.0, "h": 3_600.0, "d": 86_400.0}
_folder = click.option(
    "--folder", type=click.Path(path_type=Path, file_okay=False),
    help="Where changes.json and probes.jsonl lie (default: TRUEGREEN_PROVIDER, else provider beside truegreen.yaml).",
)  # fmt: skip


@click.command("changes")
@click.option(
    "--feed", "given", multiple=True, required=True, metavar="[PROVIDER=]URL|FILE", help="An RSS, Atom or JSON feed; repeatable."
)
@_folder
@config_option
@json_option
def changes(given: tuple[str, ...], folder: Path | None, config_path: Path | None, as_json: bool) -> None:
    """Read a provider's changelog: what changed, and which models stop when."""
    path = _place(folder, config_path) / store.CHANGES
    now = time.time()
    found = fetch.gather([fetch.feed_of(text) for text in given], path, now, lambda rows: shown(rows, "read", len(given)))
    kept = store.read(path)
    coming = sorted((e for e in kept if e.retires and e.retires > now), key=lambda e: e.retires or 0)
    if as_json:
        click.echo(json.dumps({
            "file": str(path), "new": [asdict(e) for e in found.new], "kept": found.kept, "failed": list(found.failed),
            "coming": [asdict(e) for e in coming], "version": feeds.version(kept),
        }))  # fmt: skip
    else:
        for entry in sorted(found.new, key=lambda e: -e.time)[:FEW]:
            click.echo(f"new       {_line(entry)}")
        for entry in coming[:FEW]:
            click.echo(f"coming    {_line(entry)}")
        click.echo(f"kept      {found.kept} entries, {len(found.new)} new: {path}")
        click.echo(f"version   {feeds.version(kept) or 'none'} (provider_changelog of a snapshot)")
        for why in found.failed:
            click.echo(f"failed    {why}", err=True)
    if found.failed:
        raise Failed(f"{len(found.failed)} of {len(given)} feeds could not be read; what the others have is kept")


def _place(folder: Path | None, config_path: Path | None) -> Path:
    return store.folder(folder, config.load(config_path, os.environ).source)


def _every(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    if value is None:
        return None
    number, unit = value[:-1], value[-1:]
    if unit in _UNITS and number.isdecimal() and int(number) > 0:
        return int(number) * _UNITS[unit]
    raise click.BadParameter(f"found {value!r}, write a time such as 30m or 1h", ctx, param)


@click.command("probe")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--endpoint", required=True, metavar="URL", help="An OpenAI-contract address, up to /v1.")
@click.option("--model", required=True, help="The model, as your application asks for it.")
@click.option("--provider", default="openai", show_default=True, help="Whose endpoint it is.")
@click.option(
    "--record",
    type=click.IntRange(2, compare.MOST),
    metavar="N",
    help="Ask N times and keep the answers as the reference: text on disk, in --references.",
)
@click.option("--references", type=click.Path(path_type=Path, dir_okay=False), help="Default: FILE with .references.jsonl.")
@click.option(
    "--rounds", type=click.IntRange(1, compare.MOST), default=1, show_default=True, help="Ask each probe so often and compare."
)
@click.option("--every", callback=_every, metavar="TIME", help="Again and again, such as 1h; ends on Ctrl-C (default: once).")
@click.option("--calls-a-day", type=click.IntRange(1), default=500, show_default=True, help="The budget, by UTC day.")
@click.option(
    "--alpha",
    type=click.FloatRange(1e-3, 0.2),
    default=compare.ALPHA,
    show_default=True,
    help="Chance that a round says `changed` for nothing.",
)
@click.option("--seed", default=SEED, show_default=True, help="Of the permutations.")
@_folder
@config_option
@json_option
def probe(
    file: Path, endpoint: str, model: str, provider: str, record: int | None, references: Path | None, rounds: int, every: float | None,
    calls_a_day: int, alpha: float, seed: int, folder: Path | None, config_path: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Ask a provider fixed questions, and say whether it answers as it did."""
    if record and every:
        raise BadInput("--record and --every: references are recorded once; leave one of them out")
    asked = probes.questions(file)
    kept = references or file.with_suffix(".references.jsonl")
    past = _place(folder, config_path) / store.PROBES
    stop = threading.Event()
    server = asking.connect(endpoint, http.secret(KEY, os.environ), time.sleep)
    http.address(server, "")

    def budget(wanted: int, now: float) -> int:
        left = calls_a_day - probes.spent(probes.history(past)[0], now)
        if left < wanted:
            raise Failed(
                f"{wanted} calls are needed and {max(left, 0)} of {calls_a_day} are left until midnight UTC; raise --calls-a-day or ask fewer probes"
            )
        return left

    if record:
        now = time.time()
        found = asking.ask(server, model, shown(asked, "record", len(asked)), record, budget(record * len(asked), now))
        _answered(found)
        probes.append(past, Round(now, "recorded", provider, model, len(asked), found.calls, len(found.failed), seed,
                                  served=tuple(sorted(found.served)), fingerprints=tuple(sorted(found.fingerprints))))  # fmt: skip
        probes.write_references(kept, found.answers, model, now)
        said = {"references": str(kept), "probes": len(found.answers), "calls": found.calls, "failed": found.failed}
        click.echo(
            json.dumps(said)
            if as_json
            else f"recorded  {len(found.answers)} probes, {found.calls} calls: {kept} (it has the answers' texts)"
        )
        return
    known = probes.with_references(asked, kept, model)

    def once() -> Round:
        now = time.time()
        found = asking.ask(server, model, shown(known, "probe", len(known)), rounds, budget(rounds * len(known), now))
        made = asking.judged(known, found, provider=provider, model=model, now=now, seed=seed, alpha=alpha)
        probes.append(past, made)
        _answered(found)
        _say(made, found, as_json)
        return made

    if every is None:
        once()
        return
    _repeat(once, every, stop)


def _repeat(once: Callable[[], Round], every: float, stop: threading.Event) -> None:
    try:
        while True:
            try:
                once()
            except Failed as error:  # the next round may succeed; this one is in the history where calls were made
                click.echo(f"failed    {error}", err=True)
            stop.wait(every)
    except KeyboardInterrupt:
        click.echo("stopped", err=True)


def _answered(found: asking.Asked) -> None:
    if not found.answers:
        raise Failed(found.failed[0] if found.failed else "no probe was asked")


def _say(made: Round, found: asking.Asked, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({**asdict(made), "failures": found.failed[:FEW]}))
        return
    click.echo(
        f"{made.verdict:<9} {made.model} at {_when(made.time)}: {made.probes} probes, {made.calls} calls, {made.failed} failed, seed {made.seed}"
    )
    for one in made.found:
        click.echo(f"          {one.by}: distance {one.distance:.3f}, p {one.p:.4f}")
    click.echo(f"served    {', '.join(made.served) or 'not said'}; fingerprints {', '.join(made.fingerprints) or 'not said'}")
    for why in found.failed[:FEW]:
        click.echo(f"failed    {why}", err=True)


def _line(entry: Entry) -> str:
    stops = f", stops {_when(entry.retires)[:10]}" if entry.retires else ""
    return f"{_when(entry.time)[:10]} {entry.provider}: {entry.title} ({', '.join(entry.models[:5]) or 'no model named'}{stops})"


def _when(stamp: float) -> str:
    return datetime.fromtimestamp(stamp, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
