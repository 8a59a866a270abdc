"""`truegreen generate rules`: the pipeline from SLOs to rules, their tests and the routes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from truegreen.alert_rules import (
    budgets,
    business,
    changes,
    checks,
    cohorts,
    cohorttests,
    detectors,
    detectortests,
    drift,
    edges,
    edges_of_detectors,
    edges_of_watchers,
    extratests,
    formats,
    ladder,
    page_words,
    receivers,
    recording,
    routes,
    ruletests,
    state,
    statement,
    watchers,
    watchertests,
)
from truegreen.alert_rules.annotations import for_burn
from truegreen.alert_rules.ladder import Label
from truegreen.alert_rules.model import Alert, Group, Judged, Rule
from truegreen.alert_rules.promtool import Test, merged, written
from truegreen.alert_rules.text import literal, to_yaml
from truegreen.alert_rules.windows import Clock, clock
from truegreen.core.config.model import Config
from truegreen.core.words import records
from truegreen.core.words.shapes import Generated

RULES: Final = "truegreen.rules.yml"
TESTS: Final = "truegreen.rules.test.yml"
SLOW_TESTS: Final = "truegreen.rules.slow.test.yml"
EDGE_TESTS: Final = "truegreen.rules.edges.test.yml"
_WRITTEN: Final = "Written by `truegreen generate rules`; do not edit: change truegreen.yaml and write it anew."


def files(config: Config, time_scale: int) -> Generated:
    """Rules, their promtool tests and the Alertmanager files.

    Args:
        time_scale: 1 to 60; every window and timer is divided by it, names keep the nominal window.

    Raises:
        BadInput: an SLO names what the catalogue does not have, a calibration file cannot be read, or the scale is out of range.
    """
    time = clock(time_scale, config.scrape_interval_seconds)
    known = checks.check(config)
    every = tuple(statement.weighed(budgets.judged(slo, known), config) for slo in config.slos)
    made = groups(config, every, time)
    mapped = [_group(group) for group in made]
    raises = business.raises(what.slo for what in every)
    burns = [ruletests.of_slo_alerts(config, what, time, raises) for what in every]
    figures = statement.figures(every, made, time, config)
    return Generated(
        files={
            RULES: to_yaml({"groups": mapped}, _WRITTEN),
            **formats.files(config.alerting.formats, mapped, _WRITTEN),
            TESTS: _tests(
                TESTS,
                60,
                made,
                [*burns, *watchertests.quick(config, every, time), *edges.holds(every, ("fast", "slow"), 1)],
                time,
            ),
            SLOW_TESTS: _tests(
                SLOW_TESTS,
                300,
                made,
                [
                    *watchertests.slow(config, every, time),
                    *edges.holds(every, ("ticket",), 5),
                    *detectortests.slow(config, every, time),
                    *cohorttests.slow(config, every),
                    *extratests.slow(config, every),
                ],
                time,
            ),
            EDGE_TESTS: _tests(
                EDGE_TESTS,
                86_400,
                made,
                [
                    *edges.tests(config, every, time),
                    *edges_of_watchers.tests(config, every, time),
                    *edges_of_detectors.tests(config, every),
                    *cohorttests.edges(config, every),
                    *extratests.edges(config, every, time),
                ],
                time,
            ),
            **routes.files(config.routes, every, time),
        },
        statement=(*statement.lines(every, figures), *checks.notes(config, known), *receivers.remarks(config.routes)),
        figures=figures,
    )


def groups(config: Config, every: tuple[Judged, ...], time: Clock) -> tuple[Group, ...]:
    """All groups. An SLO's counts and its fast alerts are in one group, so that no evaluation lies between them."""
    severities, spared = _severities(config), budgets.not_customer_facing(config)
    raises = business.raises(what.slo for what in every)

    def annotate(what: Judged, tier: ladder.Tier) -> Mapping[str, Mapping[str, str]]:
        return for_burn(config.routes, what, tier, time)

    def burns(what: Judged, *tiers: str) -> tuple[Alert, ...]:
        return ladder.alerts(what, tiers, time, spared, business.raised(what.slo) if raises else (), severities, annotate)

    minute, slow = time.text("1m"), time.text("5m")
    # Constants are written every minute: what lasts hours would begin anew where one that is written every five is missed.
    constants = (*(r for what in every for r in budgets.record_baselines(what)), *budgets.record_ages(every))
    made = [Group("truegreen:info", minute, (*state.infos(config, every), *constants))]
    services = (*budgets.record_not_customer_facing(config), *((business.record(spared, time),) if raises else ()))
    made += [Group("truegreen:services", minute, services)] if services else []
    for what in every:
        name = what.slo.name
        made.append(Group(f"truegreen:slo:{name}", minute, (*recording.short(what, time), *burns(what, "fast", "slow"))))
        found = (
            *cohorts.rules(what, time, severities, config.routes),
            *drift.rules(what, time, severities, config.routes),
            *detectors.rules(what, time, severities, config.routes),
        )
        long = (*recording.long(what, time), *burns(what, "ticket"), *found)
        made.append(Group(f"truegreen:slo:{name}:long", slow, long))
    made.append(Group("truegreen:state", minute, (state.state(time, detectors.alerts(every)),)))
    made.append(
        Group("truegreen:watchers", minute, (*watchers.rules(config, every, time, severities), state.watchdog(config, time)))
    )
    made.append(
        Group("truegreen:changes", minute, changes.rules(config.routes, time, severities, every[0].slo.name if every else ""))
    )
    return tuple(replace(group, rules=tuple(map(_with_causes, group.rules))) for group in made if group.rules)


def _with_causes(rule: Rule) -> Rule:
    # The triage table is for SLOs; what to suspect behind another alert is on its page.
    words = page_words.BY_ALERT.get(rule.alert) if isinstance(rule, Alert) and rule.alert != records.WATCHDOG else None
    if words is None or not words.causes or not isinstance(rule, Alert) or "hypotheses" in rule.annotations:
        return rule
    said = "; ".join(f"{number}. {cause.says}" for number, cause in enumerate(words.causes[:3], 1))
    return replace(rule, annotations={**rule.annotations, "hypotheses": literal(said)})


def _severities(config: Config) -> Label:
    def labels(sev: str) -> Mapping[str, str]:
        return {"sev": sev, config.routes.severity_label: literal(config.routes.severity_values[sev])}

    return labels


def _tests(name: str, interval: int, made: tuple[Group, ...], tests: Sequence[Test], time: Clock) -> str:
    order = [group.name for group in made]
    head = {"rule_files": [RULES], "evaluation_interval": time.exact(interval), "group_eval_order": order}
    return to_yaml(head, f"{_WRITTEN}\nRun: promtool test rules {name}") + written(merged(tests), time)


def _group(group: Group) -> Mapping[str, Any]:
    return {"name": group.name, "interval": group.interval, "rules": [_rule(rule) for rule in group.rules]}


def _rule(rule: Rule) -> Mapping[str, Any]:
    if isinstance(rule, Alert):
        held = {"for": rule.wait, "keep_firing_for": rule.keep_firing_for}
        return {
            "alert": rule.alert, "expr": rule.expr, **{key: value for key, value in held.items() if value},
            "labels": dict(rule.labels), "annotations": dict(rule.annotations),
        }  # fmt: skip
    return {"record": rule.record, "expr": rule.expr, **({"labels": dict(rule.labels)} if rule.labels else {})}
