"""`baseline take` for an SLO that counts events: what a Prometheus counted, hour by hour, to a file."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from truegreen.core.clients import prometheus
from truegreen.core.clients.http import Server
from truegreen.core.errors import BadInput
from truegreen.core.words.counts import unrecorded
from truegreen.core.words.slo import EvaluationSli, Slo
from truegreen.evaluation import files
from truegreen.evaluation.baselines import event_baseline
from truegreen.evaluation.baselines.event_baseline import Hour

_HOUR: Final = 3_600


def take(
    slo: Slo, service: str, environment: str, sources: Sequence[str], out: Path, days: int, until: str | None, as_json: bool
) -> str:
    """Write the calibration file; what the command says.

    Args:
        sources: the address of one Prometheus.
        until: ISO 8601 time at which the days end; None for now.

    Raises:
        BadInput: another source, another service, no events, too few.
        Failed: Prometheus does not answer.
    """
    if len(sources) != 1 or not sources[0].startswith(("http://", "https://")) or isinstance(slo.sli, EvaluationSli):
        raise BadInput(
            f"--from: {slo.name} counts events, found {', '.join(sources)}; write the address of one Prometheus, such as http://127.0.0.1:9090"
        )
    if not slo.selects(service):
        raise BadInput(f"--service: the SLO {slo.name} is not for {service!r}; write one of its services, or add it there")
    now = datetime.now(UTC)
    try:
        end = datetime.fromisoformat(until) if until else now
    except ValueError:
        raise BadInput(f"--until: found {until!r}, write a time such as 2026-11-01T00:00:00+00:00") from None
    end = end if end.tzinfo else end.replace(tzinfo=UTC)
    if end > now:
        raise BadInput(f"--until: found {until!r}, which is not over; write a time in the past, or leave it out for now")
    server = prometheus.connect(sources[0], hint="start it, or name another with --from")
    found = hours(server, slo, service, environment, days, end.timestamp())
    frozen = event_baseline.freeze(
        found,
        service=service,
        environment=environment,
        signal=slo.name,
        metric=slo.sli.metric,
        taken=now.isoformat(timespec="seconds"),
    )
    kept = prometheus.retention(server)
    told = event_baseline.notes(frozen, len(found), days, None if kept is None else kept / 86_400)
    file = str(files.write_calibration(out, frozen))
    if as_json:
        return json.dumps(event_baseline.report(frozen, file, told))
    return "\n".join(event_baseline.lines(frozen, file, told))


def hours(server: Server, slo: Slo, service: str, environment: str, days: int, until: float) -> list[Hour]:
    """The hours of a service that had events, from the metrics themselves: no rule needs to be loaded yet.

    Args:
        until: the end, seconds since 1970.

    Raises:
        BadInput: there is none.
        Failed: Prometheus does not answer.
    """
    end = until - until % _HOUR
    start = end - days * 24 * _HOUR + _HOUR
    counts = unrecorded(replace(slo, services=(service,), matching=""), "1h", "1m")
    events, bad = (_of(server, expression, environment, start, end) for expression in (counts.events, counts.bad))
    found = [(count, bad.get(time, 0.0)) for time, count in sorted(events.items()) if count > 0]
    if not found:
        raise BadInput(
            f"--from: {server.name} has no event of {slo.name} of the service {service!r} in the environment {environment!r} in the {days} days "
            f"until {datetime.fromtimestamp(end, UTC):%Y-%m-%d %H:%M} UTC. It was asked for\n{counts.events}"
        )
    return found


def _of(server: Server, expression: str, environment: str, start: float, end: float) -> dict[float, float]:
    made = prometheus.query_range(server, expression, start, end, _HOUR)
    found = {time: value for one in made if one.labels.get("environment") == environment for time, value in one.points}
    odd = next((time for time, value in found.items() if not math.isfinite(value)), None)
    if odd is not None:
        raise BadInput(
            f"--from: {server.name} counts {found[odd]} in the hour until {datetime.fromtimestamp(odd, UTC):%Y-%m-%d %H:%M} UTC, and events are numbers; "
            f"name other days with --until and --days. It was asked for\n{expression}"
        )
    return found
