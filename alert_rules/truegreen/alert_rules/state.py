"""The state of each failure mode, what is known of each SLO, and the sign that alerting itself lives."""

from __future__ import annotations

from decimal import Decimal

from truegreen.alert_rules import budgets
from truegreen.alert_rules.annotations import for_watcher
from truegreen.alert_rules.business import lately
from truegreen.alert_rules.drift import DRIFT
from truegreen.alert_rules.model import Alert, Judged, Record
from truegreen.alert_rules.text import number
from truegreen.alert_rules.windows import Clock
from truegreen.core.config.model import Config
from truegreen.core.words import records
from truegreen.core.words.slo import BASELINE


def state(clock: Clock, more: tuple[str, ...] = ()) -> Record:
    """2 while a sev 1 or 2 burns, 1 while there is a ticket, 0 while it is quiet; absent without an event for an hour: silence is not quiet.

    Args:
        more: names of further alerts that write tickets of an SLO.
    """
    by = "by (service, environment, failure_mode)"
    burns = f"{records.BUDGET_BURN}|{records.COHORT_BURN}"
    loud = lately(clock, f'alertname=~"{burns}"', 'sev=~"1|2"')
    tickets = "|".join((burns, DRIFT, *more))
    ticket = lately(clock, f'alertname=~"{tickets}"', 'sev="3"')
    return Record(
        records.STATE, f"2 * group {by} ({loud})\nor\ngroup {by} ({ticket})\nor\n0 * group {by} ({records.events('1h')} > 0)"
    )


def infos(config: Config, every: tuple[Judged, ...]) -> tuple[Record, ...]:
    """What may change about an SLO, in labels of one series of its own: identity labels stay stable."""
    return tuple(_info(config, what) for what in every)


def _info(config: Config, what: Judged) -> Record:
    slo = what.slo
    objective = BASELINE if slo.objective == BASELINE else f"{number(100 * Decimal(slo.objective))}%"
    rate = config.sampling.get(budgets.signal(slo))
    labels = {
        **what.identity, "objective": objective, "period": slo.window, "mode": slo.mode, "unit": slo.unit,
        "sampling": "none" if rate is None else f"{number(100 * Decimal(str(rate)))}%", "owner": slo.owner or "none", "generator": "truegreen",
    }  # fmt: skip
    return Record(records.SLO_INFO, "vector(1)", labels)


def watchdog(config: Config, clock: Clock) -> Alert:
    """Fires always: when it stops, an outside service must notice."""
    labels = {
        "sev": "none", config.routes.severity_label: "none", "slo": "none", "layer": "infrastructure", "failure_mode": "none", "pillar": "none",
        "burn_tier": "none",
    }  # fmt: skip
    return Alert(records.WATCHDOG, "vector(1)", labels, for_watcher(config.routes, records.WATCHDOG, "Alerting of truegreen lives",
                 "It fires always. Let an outside service raise the alarm when it stops.", f"amtool alert query alertname={records.WATCHDOG}", clock))  # fmt: skip
