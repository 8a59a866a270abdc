"""What a real Prometheus says of the volume behind each SLO, and whether the SLO can promise anything at it.

Nothing that is written depends on it: `generate --check` gives the same answer with and without a Prometheus.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from truegreen.alert_rules import budgets, sli, statement, verdicts
from truegreen.alert_rules.files import calibrations
from truegreen.alert_rules.model import Judged
from truegreen.alert_rules.verdicts import Where
from truegreen.core.clients import prometheus
from truegreen.core.clients.http import Server
from truegreen.core.config.model import Config
from truegreen.core.errors import BadInput
from truegreen.core.words.slo import LIVE, MinuteSli

HINT: Final = "start it, or leave --prometheus-url out"
_WEEK_HOURS: Final = 168
_DAY_HOURS: Final = 24


def per_hour(server: Server, what: Judged) -> Mapping[Where, Decimal]:
    """Events an hour of each service and environment: over seven days, or over one where there was nothing six days ago.

    Raises:
        Failed: Prometheus does not answer.
    """
    if isinstance(what.slo.sli, MinuteSli):
        found = prometheus.query(
            server, f"count {sli.BY} (last_over_time({what.slo.sli.metric}{{{sli.services(what.slo)}}}[1d]))"
        )
        return {_where(sample): Decimal(60) for sample in found}
    week, day, old = (
        {_where(sample): sample.value for sample in prometheus.query(server, expression)}
        for expression in (
            sli.counts(what.slo, "7d").events, sli.counts(what.slo, "1d").events, _offset(sli.counts(what.slo, "1h").events)
        )
    )  # fmt: skip
    counted = {where: week[where] / _WEEK_HOURS if where in old else day.get(where, 0.0) / _DAY_HOURS for where in week}
    return {where: Decimal(str(round(value, 3))) for where, value in sorted(counted.items())}


def _offset(expression: str) -> str:
    return expression.replace("[1h]", "[1h] offset 6d")


def _where(sample: prometheus.Sample) -> Where:
    return sample.labels.get("service", ""), sample.labels.get("environment", "")


def report(config: Config, url: str) -> tuple[str, ...]:
    """What `generate rules --prometheus-url` adds to its statement: each service at its own volume, and whether 30 days are kept.

    Raises:
        BadInput: a live SLO could page for none of its services within a day, and `alerting.accept_slow` does not accept it.
        Failed: Prometheus does not answer.
    """
    server = prometheus.connect(url, hint=HINT)
    known = calibrations(config.calibration_folder())
    lines: list[str] = []
    hopeless: list[str] = []
    every = tuple(statement.weighed(budgets.judged(slo, known), config) for slo in config.slos)
    for what in every:
        found = verdicts.verdicts(what, per_hour(server, what))
        lines += [f"{what.slo.name}: {verdicts.said(what, one)}." for one in found]
        if not found:
            lines.append(f"{what.slo.name}: no service had an event in seven days.")
        elif what.slo.mode == LIVE and verdicts.hopeless(what, found):
            if config.alerting.accept_slow:
                lines.append(
                    f"{what.slo.name}: no service has the volume to be paged for within a day; alerting.accept_slow accepts it."
                )
                continue
            hopeless.append(f"{what.slo.name}: " + "; ".join(verdicts.said(what, one) for one in found))
    if hopeless:
        raise BadInput(
            "live SLOs that could not page within a day of a 10x burn, at what this Prometheus has seen:\n  "
            + "\n  ".join(hopeless)
            + "\nwrite mode: shadow, a higher sampling share, or an objective that allows more; alerting: {accept_slow: true} accepts it"
        )
    kept = prometheus.retention(server)
    days = statement.retention_days(every)
    if kept is not None and kept < days * 86_400:
        lines.append(f"This Prometheus keeps {kept / 86_400:g} days; these rules look back over {days}.")
    return tuple(lines)
