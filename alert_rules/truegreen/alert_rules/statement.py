"""What the generator says of its rules before anything is loaded: rules, series, pages to expect, evidence needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal
from typing import Any, Final

from truegreen.alert_rules import budgets, feasibility
from truegreen.alert_rules.feasibility import NONE, PAGES, UNREACHABLE, Outlook
from truegreen.alert_rules.model import Alert, Group, Judged, Record
from truegreen.alert_rules.text import number
from truegreen.alert_rules.windows import Clock
from truegreen.core.config.model import Config
from truegreen.core.words.records import SECONDS
from truegreen.core.words.sampling import INLINE_RATE
from truegreen.core.words.slo import BASELINE, LIVE, EvaluationSli, FreshnessSli, MinuteSli

LOOKS_BACK_DAYS: Final = 3
"""Of tickets and drift; a budget's balance looks back over the SLO's window, a forecast over a week."""
FORECAST_LOOKS_BACK_DAYS: Final = 7
SEV_1_MINUTES: Final = 60
"""A sev 1 is about minutes: what comes later than this, in the median, is a sev 2."""
AROUND: Final = (Decimal("0.1"), Decimal(1), Decimal(10))
"""At which multiples of the events that it needs an SLO's delay is stated."""


def lines(every: tuple[Judged, ...], f: Mapping[str, Any]) -> tuple[str, ...]:
    """The statement in sentences.

    Args:
        f: its `figures`.
    """
    said = [
        f"{f['rules']} rules: {f['recording_rules']} recording, {f['alerts']} alerts, for {len(every)} SLOs; the number does not grow with services.",
        f"{f['series_per_service']} recorded series for each service and environment that has events for all SLOs.",
    ]
    if f["live_slos"]:
        said.append(
            f"False pages (sev 1 and 2): at most {f['false_pages_30d']} in 30 days for each service, over {f['live_slos']} live SLO{'s' if f['live_slos'] != 1 else ''}, where the bad ratio of "
            "each is its budget at the volume that pages most; events independent, or their design effect measured (baseline take). Under half the budget: about none. "
            "What watches the watching (a collector or an evaluator that stopped) is not counted."
        )
    else:
        said.append("No SLO is live: nothing pages. Tickets say what would have paged; set mode: live when you believe them.")
    for what in every:
        said += _said(what, f["slos"][what.slo.name])
    unsure = [what.slo.name for what in every if budgets.unmeasured(what)]
    if unsure:
        said.append(
            f"{', '.join(unsure)}: unit is session and no calibration measured a design effect, so it stays in shadow: where the answers of a session share "
            "their verdict, it would page falsely by the dozen. Measure it (truegreen baseline take); where that finds 1, write unit: answer."
        )
    days = f["retention_days"]
    said.append(
        f"Prometheus must keep {days} days (--storage.tsdb.retention.time={days}d; its default is 15d), and be 2.42 or newer."
    )
    return tuple(said)


def figures(
    every: tuple[Judged, ...], groups: tuple[Group, ...], clock: Clock, config: Config | None = None
) -> Mapping[str, Any]:
    """The statement in numbers; ratios are texts, so that no float enters.

    Args:
        config: where it says a service's `answers_per_hour`, the delay at that volume is stated too.
    """
    rules = [rule for group in groups for rule in group.rules]
    records = [rule for rule in rules if isinstance(rule, Record)]
    slos = {what.slo.name: _slo(what, config) for what in every}
    live = [slos[what.slo.name] for what in every if what.slo.mode == LIVE]
    return {
        "rules": len(rules),
        "recording_rules": len(records),
        "alerts": len(rules) - len(records),
        "alert_names": sorted({rule.alert for rule in rules if isinstance(rule, Alert)}),
        "groups": len(groups),
        "series_per_service": sum(1 for record in records if not record.expr.startswith("vector(")),
        "fixed_series": sum(1 for record in records if record.expr.startswith("vector(")),
        "live_slos": len(live),
        "false_pages_30d": number(sum((Decimal(row["false_pages_30d"]) for row in live), Decimal(0))),
        "retention_days": retention_days(every),
        "time_scale": clock.scale,
        "slos": slos,
    }


def retention_days(every: Sequence[Judged]) -> int:
    """Days that Prometheus must keep for the longest look back."""
    windows = [SECONDS[what.slo.window] // SECONDS["1d"] for what in every]
    forecasts = [FORECAST_LOOKS_BACK_DAYS for what in every if "forecast" in what.slo.detectors]
    return max([LOOKS_BACK_DAYS, *windows, *forecasts])


def outlook(what: Judged, budget: Decimal, per_hour: Decimal, effect: Decimal = Decimal(1)) -> Outlook:
    """What the SLO can promise; minutes are its events where it is about freshness, whatever the volume."""
    return feasibility.freshness(budget) if isinstance(what.slo.sli, MinuteSli) else feasibility.outlook(budget, per_hour, effect)


def delay(found: Outlook) -> str:
    """When the page comes, in words."""
    if found.median_minutes is not None:
        return f"after about {minutes(found.median_minutes)}"
    if found.told_minutes is not None:
        return f"not within a day (a sev 2 after about {minutes(found.told_minutes)})"
    return "not within a day"


def minutes(count: int) -> str:
    """Minutes, or hours from three on."""
    return f"{count} min" if count < 180 else f"{number((Decimal(count) / 60).quantize(Decimal('0.1'), ROUND_HALF_EVEN))} h"


def percent(ratio: Decimal) -> str:
    """A ratio in per cent, as far as it has digits up to a ten thousandth of a per cent."""
    return f"{number((100 * ratio).quantize(Decimal('0.0001'), ROUND_HALF_EVEN))}%"


def _slo(what: Judged, config: Config | None) -> Mapping[str, Any]:
    slo = what.slo
    cases = promises(what)
    pages = max((Decimal(case["false_pages_30d"]) for case in cases), default=Decimal(0))
    return {
        "mode": slo.mode,
        "objective": BASELINE if slo.objective == BASELINE else percent(Decimal(slo.objective)),
        "baselines": len(what.baselines),
        "false_pages_30d": number(pages),
        "budgets": cases,
        "services": {name: _at(what, *known) for name, *known in _volumes(what, config)},
    }


def promises(what: Judged) -> list[Mapping[str, Any]]:
    """What the SLO can promise at each of its budgets: how soon it pages, how often it pages a service that only spends its budget."""
    return [_case(what, where, budget, effect) for where, budget, effect in _budgets(what)]


def _budgets(what: Judged) -> Iterator[tuple[str, Decimal, Decimal]]:
    # Who, the budget, the design effect: for all, then for each service where either differs.
    slo = what.slo
    if isinstance(slo.objective, Decimal):
        yield "", 1 - slo.objective, budgets.default_effect(what)
    for service in sorted(slo.objectives):
        yield service, 1 - slo.objectives[service], budgets.design_effect(what, service, slo.environments[0])
    for b in what.baselines:
        budget = budgets.budget(what, b.service, b.environment)
        effect = budgets.design_effect(what, b.service, b.environment)
        if budget is not None and (slo.objective == BASELINE or effect != budgets.default_effect(what)):
            yield f"{b.service} in {b.environment}", budget, effect


def _case(what: Judged, where: str, budget: Decimal, effect: Decimal) -> Mapping[str, Any]:
    fresh = isinstance(what.slo.sli, MinuteSli)
    needs = 60 if fresh else feasibility.needs(budget, effect)
    at = {int((needs * times).to_integral_value(ROUND_CEILING)): Decimal(0) for times in ((Decimal(1),) if fresh else AROUND)}
    found = {n: outlook(what, budget, Decimal(n), effect) for n in at}
    one = found[needs]
    return {
        "where": where or "all",
        "budget": number(budget),
        "design_effect": number(effect),
        "burn": number(one.burn),
        "reachable": one.verdict != UNREACHABLE,
        "needs_per_hour": one.needs_per_hour,
        "minutes_to_page": {str(n): each.median_minutes for n, each in found.items()},
        "words": {str(n): delay(each) for n, each in found.items()},
        "false_pages_30d": number(Decimal(0) if fresh else feasibility.false_pages(budget)),
    }


def _volumes(what: Judged, config: Config | None) -> Iterator[tuple[str, Decimal, Decimal, Decimal]]:
    # Service, budget, design effect, evaluated answers an hour: only what the file itself says, so that the bytes are the same everywhere.
    slo = what.slo
    if config is None or not isinstance(slo.sli, EvaluationSli):
        return
    for name, service in sorted(config.services.items()):
        chosen = slo.selects(name)
        budget = budgets.budget(what, name, slo.environments[0])
        if service.answers_per_hour and chosen and budget is not None:
            share = service.sampling.get(slo.sli.evaluation, config.sampling.get(slo.sli.evaluation, INLINE_RATE))
            effect = budgets.design_effect(what, name, slo.environments[0])
            yield name, budget, effect, service.answers_per_hour * Decimal(str(share))


def stated(what: Judged, config: Config) -> Mapping[tuple[str, str], Decimal]:
    """Evaluated answers an hour that the file itself says, by service and the SLO's first environment."""
    home = what.slo.environments[0]
    return {(name, home): per_hour for name, _, _, per_hour in _volumes(what, config)}


def weighed(what: Judged, config: Config) -> Judged:
    """The SLO with the services of which the file itself says that a sev 1 would come too late: after more than an hour, in the median."""
    if config.alerting.accept_slow:
        return what
    found = {name: outlook(what, budget, per_hour, effect) for name, budget, effect, per_hour in _volumes(what, config)}
    late = (name for name, each in found.items() if each.median_minutes is None or each.median_minutes > SEV_1_MINUTES)
    return replace(what, few=tuple(late))


def while_bad(what: Judged) -> str:
    """What all minutes are like while an SLO over minutes burns."""
    return "of staleness" if isinstance(what.slo.sli, FreshnessSli) else "outside its bound"


def instead(what: Judged) -> str:
    """What becomes of the sev 1 of a service with too few events."""
    return f", so its page {'is' if what.slo.mode == LIVE else 'would be'} a sev 2 (alerting.accept_slow: true leaves it a sev 1)"


def _at(what: Judged, budget: Decimal, effect: Decimal, per_hour: Decimal) -> Mapping[str, Any]:
    found = outlook(what, budget, per_hour, effect)
    return {
        "per_hour": number(per_hour.quantize(Decimal("0.1"), ROUND_HALF_EVEN)), "verdict": found.verdict, "words": delay(found),
        "needs_per_hour": found.needs_per_hour,
    }  # fmt: skip


def _said(what: Judged, row: Mapping[str, Any]) -> list[str]:
    name, objective = what.slo.name, row["objective"]
    if not row["budgets"]:
        return [f"{name}: the objective comes from the baseline; no calibration file speaks of it, so no service alerts on it."]
    said = []
    if objective == BASELINE:
        said.append(
            f"{name}: the objective comes from the baseline; {row['baselines']} calibration files speak of it, other services never alert on it."
        )
    for case in row["budgets"]:
        where = "" if case["where"] == "all" else f" of {case['where']}"
        allowed = objective if case["where"] == "all" else percent(1 - Decimal(case["budget"]))
        effect = f", design effect {case['design_effect']}" if case["design_effect"] != "1" else ""
        head = f"{name}{where} ({allowed}{effect}):"
        if isinstance(what.slo.sli, MinuteSli):
            (told,) = case["words"].values()
            said.append(f"{head} its events are minutes; the page comes {told} {while_bad(what)}, whatever the volume.")
            continue
        burn = "a 10x burn" if case["reachable"] else f"10x is more than all events; all of them bad ({case['burn']}x)"
        delays = ", ".join(f"at {n} an hour {told}" for n, told in case["words"].items())
        said.append(f"{head} {burn} pages within an hour (P 0.9) from {case['needs_per_hour']} events an hour on; {delays}.")
    for service, at in row["services"].items():
        few = service in what.few
        if few or at["verdict"] not in {PAGES, UNREACHABLE}:
            worth = "gives no evidence in a day" if at["verdict"] == NONE else f"pages {at['words']}"
            told = f"{name}: {service} has {at['per_hour']} evaluated answers an hour and needs {at['needs_per_hour']}: a 10x burn {worth}"
            said.append(f"{told}{instead(what) if few else ''}.")
    return said
