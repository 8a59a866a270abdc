"""A whole dated baseline: asked for, put together, kept, said."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from truegreen.core import config
from truegreen.core.clients import http, prometheus
from truegreen.core.clients.http import Server
from truegreen.core.errors import BadInput
from truegreen.core.words import ready_made
from truegreen.core.words.attributes import ENVIRONMENT_NAME, SERVICE_NAME
from truegreen.core.words.shapes import ReplayRecord
from truegreen.core.words.slo import Slo
from truegreen.evaluation import files
from truegreen.evaluation.baselines import numbers, places, profiles, serial
from truegreen.evaluation.model import EXPECTED, FrozenBaseline, Profile, Ratio
from truegreen.evaluation.plain import plain
from truegreen.evaluation.progress import shown
from truegreen.evaluation.replay import of_models

DAYS: Final = 1
_HINT: Final = "start it, or name another with --from"
_WEEK: Final = 7
_DAY: Final = 86_400
_PATIENCE: Final = 60.0
"""Seconds for a worker that has hundreds of templates to tell."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a baseline is to be taken of: the options of the command."""

    service: str
    environment: str
    sources: tuple[str, ...]
    evalset: Path | None
    models: tuple[str, ...]
    days: int
    until: str | None
    template: str
    template_key: str
    embedder: str
    seed: int
    config_path: Path | None
    runs: Path | None = None


def gather(asked: Asked, now: datetime) -> tuple[FrozenBaseline, list[str]]:
    """The baseline, and what the reader should know of it.

    Raises:
        BadInput: a source cannot be used, or none of them has anything of the service.
        Failed: nobody answers there.
    """
    if not asked.service.strip():
        raise BadInput("--service: found an empty text, write the service's name")
    end = _end(asked.until, now)
    notes: list[str] = []
    made: list[Profile] = []
    counted = numbers.Counted()
    for url in (one for one in asked.sources if _is_url(one)):
        server = prometheus.connect(url, hint=_HINT)
        if not _is_prometheus(server):
            watched = profiles.fetch(Server("the worker", url, _HINT, timeout=_PATIENCE), asked.service, asked.environment)
            made += watched
            notes += [] if watched else [f"{url}: the worker has no answer of this service yet"]
            continue
        if counted.numbers or counted.ratios:
            raise BadInput(f"--from: {url} is a second Prometheus; name one, the counts of two cannot be told apart")
        counted = _counted(server, asked, end, notes)
    made += _of_files(asked, notes)
    ratios = {**counted.ratios, **_of_runs(asked, end, notes)}
    if not (made or counted.numbers or ratios):
        raise BadInput(
            f"--from: there is nothing of the service {asked.service!r} in the environment {asked.environment!r} to freeze. Check both: they are "
            f"the app's resource attributes {SERVICE_NAME} and {ENVIRONMENT_NAME} (`unknown` when unset)"
        )
    twice = sorted({f"{one.template} ({one.source})" for one in made if _count(made, one) > 1})
    if twice:
        raise BadInput(f"--from: two sources have answers of the template {twice[0]}; take the baseline from one of them")
    frozen = FrozenBaseline(
        asked.service, asked.environment, end.isoformat(timespec="seconds"), counted.snapshot, counted.numbers, ratios,
        tuple(sorted(made, key=lambda one: (one.template, one.source))),
        float(asked.days) if counted.numbers or ratios else 0.0, asked.seed,
    )  # fmt: skip
    return frozen, notes


def report(address: str, name: str, frozen: FrozenBaseline, notes: Iterable[str]) -> Mapping[str, Any]:
    """What was frozen as numbers, for `--json`."""
    return {
        "file": places.at(address, name), "name": name, "digest": serial.digest(frozen), "service": frozen.service,
        "environment": frozen.environment, "taken": frozen.taken, "snapshot": frozen.snapshot, "days": frozen.days, "seed": frozen.seed,
        "numbers": {key: {"count": one.count, "mean": one.mean, "design_effect": one.design_effect} for key, one in frozen.numbers.items()},
        "ratios": {key: {"bad": one.bad, "events": one.events, "design_effect": one.design_effect} for key, one in frozen.ratios.items()},
        "profiles": [
            {"template": one.template, "source": one.source, "answers": one.answers, "kept": len(one.style), "embedder": one.embedder}
            for one in frozen.profiles
        ],
        "notes": list(notes),
    }  # fmt: skip


def lines(address: str, name: str, frozen: FrozenBaseline, notes: Iterable[str]) -> list[str]:
    """The statement for a terminal."""
    digest = name.removesuffix(".baseline.json").rpartition("__")[2]
    said = [f"baseline  {frozen.service}/{frozen.environment} {frozen.taken} digest {digest}, seed {frozen.seed}"]
    said += [
        f"ratio     {key}: {one.bad / one.events:.3%} of {one.events:,.0f}; design effect {one.design_effect:.2f}"
        for key, one in sorted(frozen.ratios.items())
    ]
    said += [
        f"number    {key}: N={one.count:,} mean {one.mean:.4g} median {one.quantiles[50]:.4g} 95th {one.quantiles[95]:.4g}"
        for key, one in sorted(frozen.numbers.items())
    ]
    said += [
        f"template  {plain(one.template)}: {len(one.style)} of {one.answers} {'expected ' if one.source == EXPECTED else ''}answers kept"
        + (f", vectors by {one.embedder}" if one.embedder else "")
        + (f", {len(one.retrievals)} retrievals" if one.retrievals else "")
        for one in frozen.profiles
    ]
    return [*said, *(f"note      {note}" for note in notes), f"written   {places.at(address, name)}"]


def _is_prometheus(server: Server) -> bool:
    """Whether a Prometheus answers there; what does not know the path is taken for a worker."""
    try:
        prometheus.query(server, "vector(1)")
    except http.HttpFailed as error:
        if error.status == http.NOT_FOUND:
            return False
        raise
    return True


def _counted(server: Server, asked: Asked, end: datetime, notes: list[str]) -> numbers.Counted:
    found = numbers.count(server, _slos(asked), asked.service, asked.environment, asked.days, end.timestamp())
    kept = prometheus.retention(server)
    if kept is not None and kept < asked.days * _DAY:
        notes.append(f"this Prometheus keeps {kept / _DAY:g} days of the {asked.days} asked for")
    if asked.days % _WEEK and asked.days != 1:
        notes.append("compare it with one of the same days of the week: the days differ")
    return found


def _of_files(asked: Asked, notes: list[str]) -> list[Profile]:
    made: list[Profile] = []
    paths = [Path(one) for one in asked.sources if not _is_url(one)]
    if not paths and asked.evalset is None:
        return made
    made_by = profiles.embedder(asked.embedder)
    if paths:
        made += profiles.from_records(
            shown(_records(paths, asked.models, notes), "sketch", None), key=asked.template_key, template=asked.template,
            made_by=made_by, seed=asked.seed,
        )  # fmt: skip
    if asked.evalset is not None:
        from truegreen.evaluation.evalsets import files as sets

        one = profiles.from_cases(sets.read(asked.evalset).cases, template=asked.template, made_by=made_by, seed=asked.seed)
        if one is None and asked.runs is None:
            raise BadInput(f"{asked.evalset}: no case has an expected answer; add `expected`, or leave out --evalset")
        made += [one] if one is not None else []
    return made


def _of_runs(asked: Asked, end: datetime, notes: list[str]) -> Mapping[str, Ratio]:
    """How many cases of the set did not pass, of its newest run in the baseline's days; without one that speaks for it a note says why.

    Under the set's version: a set that has grown is compared with itself again as soon as both baselines have it.
    """
    if asked.runs is None or asked.evalset is None:
        return {}
    from truegreen.evaluation.evalsets import choosing
    from truegreen.evaluation.evalsets import files as sets

    version, until = sets.read(asked.evalset).version, end.timestamp()
    run, why = choosing.newest(asked.runs, choosing.Wanted(version, until - asked.days * _DAY, until))
    if run is None or not run["complete"]:
        notes.append(f"the evaluation set is not in it: {why or 'its newest run is not whole'}")
        return {}
    notes.append(f"{version}: run {run['digest']}, {run['pass']} of {run['cases']} cases passed, asked {plain(run['endpoint'])}")
    return {f"evalset {version}": Ratio(float(run["cases"] - run["pass"]), float(run["cases"]))}


def _records(paths: Iterable[Path], models: tuple[str, ...], notes: list[str]) -> Iterable[ReplayRecord]:
    for path in paths:
        broken = files.Broken()
        yield from of_models(files.read_replay(path, broken), models)
        notes += files.broken_lines(broken)


def _slos(asked: Asked) -> tuple[Slo, ...]:
    """The configuration's SLOs and the ready-made ones that it does not name."""
    own = (
        ()
        if asked.config_path is not None and asked.config_path.suffix == ".json"
        else config.load(asked.config_path, os.environ).slos
    )
    named = {slo.name for slo in own}
    return tuple(
        slo for slo in (*own, *(one for one in ready_made.READY_MADE if one.name not in named)) if slo.selects(asked.service)
    )


def _end(until: str | None, now: datetime) -> datetime:
    try:
        end = datetime.fromisoformat(until) if until else now
    except ValueError:
        raise BadInput(f"--until: found {until!r}, write a time such as 2026-11-01T00:00:00+00:00") from None
    end = end if end.tzinfo else end.replace(tzinfo=UTC)
    if end > now:
        raise BadInput(f"--until: found {until!r}, which is not over; write a time in the past, or leave it out for now")
    return end


def _is_url(source: str) -> bool:
    return source.startswith(("http://", "https://"))


def _count(made: Iterable[Profile], one: Profile) -> int:
    return sum((other.template, other.source) == (one.template, one.source) for other in made)
