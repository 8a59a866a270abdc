"""What every runbook command shares: its options, the servers it talks to, the incident it is about."""

from __future__ import annotations

import functools
import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from truegreen.core.config import load
from truegreen.core.config.model import Config
from truegreen.core.errors import BadInput
from truegreen.core.options import config_option, json_option
from truegreen.runbook.model import Event, Incident, Target

if TYPE_CHECKING:
    from truegreen.runbook.evidence import Sources
    from truegreen.runbook.log import Log


@dataclass(frozen=True, slots=True)
class Desk:
    """The configuration with the command line's word over it, and the clock."""

    config: Config
    as_json: bool
    number: int | None
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep

    def log(self) -> Log:
        """The incident log."""
        from truegreen.runbook.log import open_log

        return open_log(self.config.incidents.store)

    def sources(self) -> Sources:
        """Prometheus, Alertmanager and the collector."""
        from truegreen.core.clients import alertmanager, prometheus
        from truegreen.core.clients.http import Server
        from truegreen.runbook.evidence import Sources

        asked = self.config.incidents
        collector = Server("collector", asked.collector_url, "start it or name another with --collector-url", timeout=2.0)
        return Sources(prometheus.connect(asked.prometheus_url), alertmanager.connect(asked.alertmanager_url), collector)

    def flags(self) -> Path:
        """The flag file that the application reads."""
        return Path(os.environ.get("TRUEGREEN_FLAGS") or self.config.containment.flags)

    def say(self, lines: Iterable[str], facts: Mapping[str, Any]) -> None:
        """Print for people, or one JSON object for machines."""
        if self.as_json:
            click.echo(json.dumps(facts, ensure_ascii=False, sort_keys=True))
        else:
            for line in lines:
                click.echo(line)


_OVERRIDES = (
    ("--prometheus-url", "prometheus_url", "URL", "Prometheus."),
    ("--alertmanager-url", "alertmanager_url", "URL", "Alertmanager."),
    ("--collector-url", "collector_url", "URL", "The collector's metrics endpoint."),
    ("--store", "store", "ADDRESS", "SQLAlchemy address of the incident log."),
    ("--evidence", "evidence", "DIR", "Folder of evidence bundles."),
    ("--prompt", "prompt", "NAME", "The Langfuse prompt."),
)


def desk(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the shared options; it receives a `Desk` as its first argument."""

    @functools.wraps(command)
    def run(config_path: Path | None, as_json: bool, incident_number: int | None, **rest: Any) -> Any:
        config = load(config_path, os.environ)
        given = {name: value for _, name, _, _ in _OVERRIDES if (value := rest.pop(name)) is not None}
        config = replace(config, incidents=replace(config.incidents, **given))
        return command(Desk(config, as_json, incident_number), **rest)

    for flag, name, metavar, text in reversed(_OVERRIDES):
        run = click.option(flag, name, metavar=metavar, help=f"{text} (default: incidents.{name})")(run)
    run = click.option(
        "--incident", "incident_number", type=click.IntRange(1), metavar="ID", help="Which incident (default: the open one)."
    )(run)
    return config_option(json_option(run))


def _scaled(text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option("--time-scale", "time_scale", type=click.IntRange(1, 60), default=1, show_default=True, help=text)


scale_option = _scaled("Divide every window, as the demo does.")
"""Add `--time-scale N`."""
opened_scale_option = _scaled(
    "Of a demonstration or drill: its windows may be divided by up to N, by which validate and close then go."
)
"""Add `--time-scale N` to what opens incidents."""


def force_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--force`."""
    return click.option("--force", is_flag=True, help="Lose what is in FILE, also where somebody changed it.")(command)


def open_one(desk: Desk, log: Log) -> Incident:
    """The incident that the command is about, which must be open.

    Raises:
        BadInput: there is none, or more than one and none was named.
    """
    from truegreen.runbook.log import incidents

    rows = [i for i in incidents(log) if i.closed is None]
    if desk.number is not None:
        return _named(desk.number, rows, "open")
    if not rows:
        raise BadInput("no incident is open; begin with: truegreen incident open --service S --environment E --slo N")
    if len(rows) > 1:
        raise BadInput(
            f"{len(rows)} incidents are open ({', '.join(f'{i.id}: {i.target}' for i in rows)}); say which: --incident ID"
        )
    return rows[0]


def open_or_none(desk: Desk, log: Log) -> Incident | None:
    """As `open_one`, but None where no incident is open and none was named."""
    from truegreen.runbook.log import incidents

    if desk.number is None and all(i.closed is not None for i in incidents(log)):
        return None
    return open_one(desk, log)


def any_one(desk: Desk, log: Log, number: int | None) -> Incident:
    """The incident named, else the open one, else the newest.

    Raises:
        BadInput: there is none.
    """
    from truegreen.runbook.log import incidents

    rows = incidents(log)
    number = number or desk.number
    if number is not None:
        return _named(number, rows, "known")
    if not rows:
        raise BadInput(f"{log.address}: no incident was ever opened; begin with: truegreen incident open")
    still = [i for i in rows if i.closed is None]
    return (still or list(rows))[-1]


def sure_one(desk: Desk, log: Log, number: int | None) -> Incident:
    """As `any_one`, for what is recorded of an incident.

    Raises:
        BadInput: there is none, or more than one is open and none was named.
    """
    from truegreen.runbook.log import incidents

    sure = number or desk.number or all(i.closed is not None for i in incidents(log))
    return any_one(desk, log, number) if sure else open_one(desk, log)


def target_of(incident: Incident | None, service: str | None, environment: str | None, slo: str | None) -> Target | None:
    """The target from the options, gaps filled from the open incident; None when neither says enough.

    Raises:
        BadInput: some of the three are given and the rest is nowhere.
    """
    known = incident.target if incident else None
    parts = (
        service or (known.service if known else None), environment or (known.environment if known else None), slo or (known.slo if known else None)
    )  # fmt: skip
    if all(parts):
        return Target(*(str(p) for p in parts))
    if any((service, environment, slo)):
        raise BadInput("give --service, --environment and --slo together")
    return None


def newest(events: Iterable[Event], *kinds: str) -> Event | None:
    """The newest event of one of these kinds."""
    return next((e for e in reversed(tuple(events)) if e.kind in kinds), None)


def owned_by(config: Config, incident: Incident, events: Iterable[Event]) -> str:
    """Who has it: who was set last, else the owner of its service in the configuration; empty where nobody is."""
    owner = newest(events, "owner set")
    service = config.services.get(incident.target.service)
    return str(owner.data.get("owner", "")) if owner else service.owner if service else ""


def _named(number: int, rows: Iterable[Incident], word: str) -> Incident:
    known = {i.id: i for i in rows}
    if number not in known:
        raise BadInput(
            f"--incident {number}: found no {word} incident of that number; {word}: {', '.join(map(str, known)) or 'none'}"
        )
    return known[number]
