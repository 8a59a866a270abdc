"""One SLO for a person: what is good, when somebody is told, what it can promise at the volume there is, what to do next. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from decimal import ROUND_CEILING, Decimal
from itertools import pairwise
from typing import Any

from truegreen.alert_rules import budgets, detectors, feasibility, sli, statement, verdicts
from truegreen.alert_rules.documentation import in_words
from truegreen.alert_rules.feasibility import NONE, PAGES
from truegreen.alert_rules.ladder import TIERS, sev, threshold
from truegreen.alert_rules.model import Judged
from truegreen.alert_rules.recording import EVIDENCE
from truegreen.alert_rules.text import number
from truegreen.alert_rules.verdicts import Verdict
from truegreen.core.config.model import Config
from truegreen.core.errors import BadInput
from truegreen.core.words import counts, ready_made
from truegreen.core.words.sampling import INLINE_RATE
from truegreen.core.words.slo import BASELINE, LIVE, SESSION, EvaluationSli, MinuteSli, Slo


def chosen(config: Config, name: str) -> Slo:
    """The SLO of that name, of the file or ready-made.

    Raises:
        BadInput: there is none; says which names are near.
    """
    known = {**ready_made.BY_NAME, **{slo.name: slo for slo in config.slos}}
    if name not in known:
        near = difflib.get_close_matches(name, known, 3) or [slo.name for slo in config.slos]
        raise BadInput(
            f"no SLO is named {name!r} in {config.source or 'the default configuration'}, and none that is ready-made; "
            f"write {' or '.join(near) or 'one under slos'}"
        )
    return known[name]


def facts(config: Config, what: Judged, found: Sequence[Verdict], asked: bool) -> Mapping[str, Any]:
    """All of it, for machines; numbers are texts.

    Args:
        found: a verdict for each service whose volume is known.
        asked: whether a Prometheus was asked, or only the file.
    """
    slo = what.slo
    counted = sli.counts(slo, "1h")
    budget = None if slo.objective == BASELINE else 1 - Decimal(slo.objective)
    services = [_service(config, what, one) for one in found]
    return {
        "name": slo.name, "switched_on": any(each.name == slo.name for each in config.slos), "description": slo.description, "mode": slo.mode, "layer": slo.layer, "failure_mode": slo.failure_mode,
        "objective": BASELINE if budget is None else statement.percent(1 - budget),
        "budget": None if budget is None else statement.percent(budget),
        "overrides": {name: statement.percent(value) for name, value in sorted(slo.objectives.items())},
        "environments": list(slo.environments), "services": _services(slo), "unit": slo.unit,
        "sli": {"words": in_words(slo.sli), "events": counted.events, "bad": counted.bad},
        "needs_per_hour": None if budget is None or isinstance(slo.sli, MinuteSli) else feasibility.needs(budget, budgets.default_effect(what)),
        "rungs": [_rung(sev(slo, tier), rung, budget) for tier in TIERS for rung in tier.rungs],
        "promises": [
            {"where": case["where"], "delays": {} if isinstance(slo.sli, MinuteSli) else case["words"], "false_pages_30d": case["false_pages_30d"],
             "minutes": f"{next(iter(case['words'].values()))} {statement.while_bad(what)}" if isinstance(slo.sli, MinuteSli) else None}
            for case in statement.promises(what)
        ],
        "retention_days": statement.retention_days([what]),
        "also": [*(["each cohort by itself"] if slo.cohorts else []), *(detectors.BY_NAME[name].says for name in slo.detectors)],
        "baselines": [
            {
                "service": b.service, "environment": b.environment, "bad_ratio": statement.percent(b.bad_ratio), "events": b.events,
                "design_effect": number(b.design_effect),
                "objective": statement.percent(1 - (budgets.budget(what, b.service, b.environment) or Decimal(0))),
            }
            for b in what.frozen
        ],
        "volumes_from": "prometheus" if asked else "truegreen.yaml", "verdicts": services, "calibration": _is_of_use(slo),
        "evaluated": isinstance(slo.sli, EvaluationSli),
        "next": _next(config, what, found, asked),
    }  # fmt: skip


def _services(slo: Slo) -> str | list[str]:
    if slo.matching:
        return f"services that match {slo.matching}"
    return "all" if isinstance(slo.services, str) else list(slo.services)


def _rung(level: str, rung: Any, budget: Decimal | None) -> Mapping[str, str]:
    asked = f"{rung.factor} x budget" if budget is None else statement.percent(threshold(rung, budget))
    return {"sev": level, "long": rung.long, "short": rung.short, "over": asked, "z": str(EVIDENCE[rung.long])}


def _service(config: Config, what: Judged, one: Verdict) -> Mapping[str, Any]:
    found = one.outlook
    made = {
        "service": one.service, "environment": one.environment, "per_hour": number(one.per_hour),
        "verdict": "no budget" if found is None else found.verdict if one.environment in what.slo.environments else "ticket", "needs_per_hour": found.needs_per_hour if found else None,
        "median_minutes": found.median_minutes if found else None, "words": verdicts.said(what, one),
    }  # fmt: skip
    sampling = _sampling(config, what, one)
    return {**made, "sampling_needed": sampling} if sampling else made


def _sampling(config: Config, what: Judged, one: Verdict) -> str:
    # The share of answers that would give the events that are missing; more than all of them cannot be had.
    if (
        not isinstance(what.slo.sli, EvaluationSli)
        or one.outlook is None
        or not one.outlook.needs_per_hour
        or not one.per_hour
        or one.environment not in what.slo.environments
    ):
        return ""
    service = config.services.get(one.service)
    name = what.slo.sli.evaluation
    now = Decimal(str((service.sampling if service else {}).get(name, config.sampling.get(name, INLINE_RATE))))
    needed = now * one.outlook.needs_per_hour / one.per_hour
    if needed <= now:
        return ""
    if needed > 1:
        return f"more than 100% (it is {statement.percent(now)}): too few answers"
    return f"{number((100 * needed).to_integral_value(ROUND_CEILING))}% (it is {statement.percent(now)})"


def _is_of_use(slo: Slo) -> bool:
    # What a calibration file gives: labels of evaluated answers, an objective, the worth of a session, means to compare with.
    return isinstance(slo.sli, EvaluationSli) or slo.objective == BASELINE or slo.unit == SESSION or bool(slo.detectors)


def _next(config: Config, what: Judged, found: Sequence[Verdict], asked: bool) -> str:
    slo = what.slo
    if all(each.name != slo.name for each in config.slos):
        return f"switch it on: slos: [{{name: {slo.name}}}] in {config.source or 'truegreen.yaml'}, beside those that you want to keep"
    home = [one for one in found if one.environment in slo.environments]
    bare = next((one for one in home if one.outlook is None), None)
    if budgets.unmeasured(what) or (slo.objective == BASELINE and (bare or not what.baselines)):
        service, environment = (bare.service, bare.environment) if bare else ("SERVICE", slo.environments[0])
        source = "COLLECTOR_URL" if isinstance(slo.sli, EvaluationSli) else "PROMETHEUS_URL"
        return f"truegreen baseline take --service {service} --environment {environment} --signal {budgets.signal(slo)} --from {source} --out calibration"
    if not home and asked:
        elsewhere = sorted({one.environment for one in found})
        if elsewhere:
            return f"name where it may page: environments: [{', '.join(elsewhere)}] (it is {', '.join(slo.environments)})"
        return f"see why nothing arrives: in Prometheus, {_counter(slo)}"
    if not home and not isinstance(slo.sli, MinuteSli):
        return f"truegreen slo explain {slo.name} --prometheus-url URL"
    if home and all(one.outlook is not None and one.outlook.verdict == NONE for one in home):
        more = "raise sampling, or " if isinstance(slo.sli, EvaluationSli) else ""
        return f"{more}allow more bad events: at this volume no page comes within a day"
    if slo.mode != LIVE and all(one.outlook is not None and one.outlook.verdict == PAGES for one in home):
        return "write mode: live when its tickets are believed, then: truegreen generate rules --out DIR"
    return "truegreen generate rules --out DIR"


def _counter(slo: Slo) -> str:
    return counts.ANSWERS if isinstance(slo.sli, EvaluationSli) else slo.sli.metric


def shown(f: Mapping[str, Any]) -> tuple[str, ...]:
    """The facts in lines for a terminal."""
    services = (
        "all services"
        if f["services"] == "all"
        else ", ".join(f["services"])
        if isinstance(f["services"], list)
        else f["services"]
    )
    lines = [
        f"{f['name']}: {f['description']}",
        *([] if f["switched_on"] else ["  ready-made, but not switched on: nothing alerts on it"]),
        f"  {f['mode']}, for {services} in {', '.join(f['environments'])}; failure mode {f['failure_mode']}, layer {f['layer']}",
        f"  objective {f['objective']}" + (f", so {f['budget']} may be bad" if f["budget"] else ": 1 - 1.25 x what the baseline found bad"),
        *(f"  objective of {name}: {value}" for name, value in f["overrides"].items()),
        "",
        f"Counted: {f['sli']['words']}",
        "  events in an hour:", *_indented(f["sli"]["events"]), "  bad ones:", *_indented(f["sli"]["bad"]),
        "",
        *_told(f),
        *(f"  sev {r['sev']}: {r['long']} and {r['short']} over {r['over']}, z {r['z']}" for r in f["rungs"]),
        *([f"A burn of ten budgets (of all events, where that is less) pages within an hour (P 0.9) from {f['needs_per_hour']} events an hour on."] if f["needs_per_hour"] else []),
        *(_promised(each) for each in f["promises"]),
        *([f"Tickets also come of: {'; '.join(f['also'])}."] if f["also"] else []),
        f"Prometheus must keep {f['retention_days']} days.",
        "",
    ]  # fmt: skip
    lines.extend(
        f"Baseline of {b['service']} in {b['environment']}: {b['bad_ratio']} of {b['events']} were bad, design effect {b['design_effect']}; objective {b['objective']}"
        for b in f["baselines"]
    )
    if not f["baselines"] and f["calibration"]:
        lines.append(
            "No calibration file speaks of it." + (" Without one it never alerts." if f["objective"] == BASELINE else "")
        )
    lines.append("")
    for one in f["verdicts"]:
        lines.append(one["words"])
        if one.get("sampling_needed"):
            lines.append(f"  sampling that would do: {one['sampling_needed']}")
    if not f["verdicts"]:
        if f["volumes_from"] == "prometheus":
            lines.append("No service had an event in seven days.")
        elif f["needs_per_hour"]:
            more = ", or write answers_per_hour" if f["evaluated"] else ""
            lines.append(f"No volume is known: name a Prometheus{more}.")
    lines += ["", f"next: {f['next']}"]
    # One empty line at a time.
    return tuple(line for before, line in pairwise(["", *lines]) if before or line)


def _told(f: Mapping[str, Any]) -> tuple[str, ...]:
    said = "when both windows are over, and the long one's lower bound (z standard errors) is over the budget:"
    if f["mode"] == LIVE:
        return f"Somebody is told {said}", f"  (elsewhere than in {' and '.join(f['environments'])} each tier is a ticket)"
    return (f"In shadow every tier is a ticket, a sev 3; with mode: live somebody is told {said}",)


def _promised(each: Mapping[str, Any]) -> str:
    where = "" if each["where"] == "all" else f"{each['where']}: "
    if each["minutes"]:
        return f"  {where}its events are minutes, sixty an hour whatever the traffic; the page comes {each['minutes']}"
    delays = "".join(f"at {n} an hour {told}; " for n, told in each["delays"].items())
    return f"  {where}{delays}at most {each['false_pages_30d']} false pages in 30 days, of a service that just spends its budget"


def _indented(text: str) -> list[str]:
    return ["    " + line for line in text.split("\n")]
