"""What an alert says: evidence in numbers, first hypotheses, failing traces, the board, the page and the next command."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final

from truegreen.alert_rules.ladder import Tier, sev
from truegreen.alert_rules.links import board
from truegreen.alert_rules.model import Judged
from truegreen.alert_rules.recording import IDENTITY
from truegreen.alert_rules.text import literal
from truegreen.alert_rules.windows import Clock
from truegreen.core.config.model import Routes
from truegreen.core.words import catalogue, records, triage
from truegreen.core.words.boards import HEALTH, INCIDENT, runbook_page
from truegreen.core.words.slo import LIVE, SHADOW, EvaluationSli, Slo

_WOULD: Final = {"1": "would have paged (sev 1)", "2": "would have notified (sev 2)", "3": "would have made a ticket (sev 3)"}
# Names come from spans: only harmless characters reach a command line that somebody will paste.
_SAFE: Final = "[^A-Za-z0-9._:/@-]"
_WHOLE: Final = 'printf "%.0f"'
_ONCE: Final = 'printf "%.1f"'
_PERCENT: Final = "humanizePercentage"


def for_burn(routes: Routes, what: Judged, tier: Tier, clock: Clock) -> Mapping[str, Mapping[str, str]]:
    """The annotations of a burn-rate alert of one tier, by mode; in shadow the summary says what would have happened."""
    slo = what.slo
    happens = {LIVE: "is burning its error budget", SHADOW: _shadow(slo, sev(slo, tier))}
    windows = tuple(dict.fromkeys(rung.long for rung in tier.rungs))
    notes = {
        "description": _evidence(what, windows),
        "hypotheses": hypotheses(slo.failure_mode, slo.pillar),
        **({"trace_links": _traces(slo.sli.evaluation, routes.trace_url)} if isinstance(slo.sli, EvaluationSli) else {}),
        "dashboard_url": board(routes, INCIDENT, clock, slo),
        "runbook_url": literal(runbook_page(routes.runbook_url, records.BUDGET_BURN)),
        "next": triage_of(slo.name),
    }
    burns = f"{slo.name} of {{{{ $labels.service }}}} in {{{{ $labels.environment }}}}"
    return {mode: {"summary": f"{burns} {said}", **notes} for mode, said in happens.items()}


def for_cohort(routes: Routes, what: Judged, windows: tuple[str, ...], mode: str, clock: Clock) -> Mapping[str, str]:
    """The annotations of an alert about one cohort of an SLO."""
    slo = what.slo
    is_bad = (
        "is served worse than the objective allows" if mode == LIVE else "is served worse than the objective would allow (shadow)"
    )
    said = "; ".join(
        f"{window}: {_value(records.cohort_bad(window), _WHOLE)} of {_value(records.cohort_events(window), _WHOLE)} failed "
        f"(lower bound {_value(records.cohort_bad_lower_bound(window), _PERCENT)})"
        for window in windows
    )
    at = f'{{{{ $at := printf "service=%q,environment=%q,slo=%q,cohort=%q" $labels.service $labels.environment "{slo.name}" $labels.cohort }}}}'
    return {
        "summary": f"{slo.name} of {{{{ $labels.service }}}} in {{{{ $labels.environment }}}}: cohort {{{{ $labels.cohort }}}} {is_bad}",
        "description": f"{at}{literal(slo.description)}, this cohort alone; the others may be fine. {said}. The bound allows for as many looks as there are cohorts.",
        "hypotheses": hypotheses(slo.failure_mode, slo.pillar),
        "dashboard_url": board(routes, INCIDENT, clock, slo),
        "runbook_url": literal(runbook_page(routes.runbook_url, records.COHORT_BURN)),
        "next": triage_of(slo.name),
    }


def for_watcher(
    routes: Routes, alert: str, summary: str, description: str, command: str, clock: Clock, board_uid: str = HEALTH
) -> Mapping[str, str]:
    """The annotations of an alert about the watching itself, or of a change.

    Args:
        command: what to run next.
    """
    return {
        "summary": summary,
        "description": description,
        "dashboard_url": board(routes, board_uid, clock),
        "runbook_url": literal(runbook_page(routes.runbook_url, alert)),
        "next": command,
    }


@cache
def hypotheses(failure_mode: str, pillar: str) -> str:
    """The first hypotheses, numbered, each with whose fault it would be."""
    found = triage.first_hypotheses(failure_mode, pillar)
    return "; ".join(f"{number}. {h.says} ({h.whose})" for number, h in enumerate(found, 1))


def _shadow(slo: Slo, level: str) -> str:
    if slo.mode != LIVE:
        return f"burns its error budget; live, it {_WOULD[level]}"
    return f"burns its error budget; it is live in {literal(', '.join(slo.environments))} only, where it {_WOULD[level]}"


def triage_of(slo: str) -> str:
    """The command that looks at the alert's service and environment by an SLO; without one it asks for it."""
    return f"truegreen triage {named()} --slo {slo or 'SLO'}"


def named() -> str:
    """Options that name the alert's service and environment, safe to paste."""
    return " ".join(f"--{label} {safe(label)}" for label in ("service", "environment"))


def safe(label: str) -> str:
    """The value of a label, without what a shell would read."""
    return f'{{{{ reReplaceAll "{_SAFE}" "_" $labels.{label} }}}}'


def _evidence(what: Judged, windows: tuple[str, ...]) -> str:
    # Per window: bad of judged, ratio, burn and lower bound. A query that finds nothing prints nothing.
    said = [
        f"{window}: {_value(records.bad(window), _WHOLE)} of {_value(records.events(window), _WHOLE)} bad "
        f"({_value(records.bad_ratio(window), _PERCENT)}, burn {_value(_burn(window), _ONCE, 2)}x, "
        f"lower bound {_value(records.bad_lower_bound(window), _PERCENT)})"
        for window in windows
    ]
    at = f'{{{{ $at := printf "service=%q,environment=%q,slo=%q" $labels.service $labels.environment "{what.slo.name}" }}}}'
    return f"{at}{literal(what.slo.description)}. Budget {_value(records.ERROR_BUDGET, _PERCENT)}. {'; '.join(said)}."


def _value(of: str, form: str, times: int = 1) -> str:
    asked = of if times > 1 else f"{of}{{%s}}"
    return f'{{{{ with query (printf "{asked}"{" $at" * times}) }}}}{{{{ . | first | value | {form} }}}}{{{{ end }}}}'


def _burn(window: str) -> str:
    return f"{records.bad_ratio(window)}{{%s}} / {IDENTITY} {records.ERROR_BUDGET}{{%s}}"


def _traces(evaluation: str, url: str) -> str:
    before, found, after = url.partition("{trace_id}")
    link = f"{literal(before)}{{{{ .Labels.trace_id }}}}{literal(after)}" if found else "{{ .Labels.trace_id }}"
    name = catalogue.FAILING_TRACE_INFO.prometheus
    asked = f'printf "{name}{{service=%q,environment=%q,evaluation=%q}}" $labels.service $labels.environment "{evaluation}"'
    return f'{{{{ range query ({asked}) | sortByLabel "slot" }}}}{link} {{{{ end }}}}'
