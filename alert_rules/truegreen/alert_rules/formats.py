"""The same rules as other rulers load them: the Prometheus operator, Mimir, Thanos, VictoriaMetrics' vmalert. docs/rule_formats.md says what differs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from truegreen.alert_rules.text import to_yaml
from truegreen.alert_rules.windows import parse

PROMETHEUSRULE: Final = "prometheusrule.yml"
MIMIR: Final = "mimir.yml"
THANOS: Final = "thanos.yml"
VMALERT: Final = "vmalert.yml"
NAMESPACE: Final = "truegreen"
MOST_BYTES: Final = 180_000
"""Of one PrometheusRule: `kubectl apply` keeps a copy in an annotation, which may hold 262,144 bytes."""
MIMIR_RULES: Final = 20
MIMIR_GROUPS: Final = 70
"""What Mimir lets a tenant have unless told otherwise."""
_WORD: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_ALERTS: Final = "ALERTS"

Mapped = Mapping[str, Any]


def files(names: Sequence[str], groups: Sequence[Mapped], written: str) -> Mapping[str, str]:
    """The files of the formats named.

    Args:
        names: of `prometheusrule`, `mimir`, `thanos`, `vmalert`.
        groups: as they stand in the file for Prometheus.
        written: the line that says who wrote a file.
    """
    made: Mapping[str, tuple[str, Callable[[Sequence[Mapped], str], str]]] = {
        "prometheusrule": (PROMETHEUSRULE, _prometheusrule),
        "mimir": (MIMIR, _mimir),
        "thanos": (THANOS, _thanos),
        "vmalert": (VMALERT, _vmalert),
    }
    return {made[name][0]: made[name][1](groups, written) for name in sorted(set(names))}


def _prometheusrule(groups: Sequence[Mapped], written: str) -> str:
    bins: list[tuple[list[Mapped], list[int]]] = []
    for group in groups:
        size = len(to_yaml({"groups": [group]}).encode())
        if not bins or sum(bins[-1][1]) + size > MOST_BYTES:
            bins.append(([], []))
        bins[-1][0].append(group)
        bins[-1][1].append(size)
    objects = [
        {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "PrometheusRule",
            "metadata": {"name": f"truegreen-{at}", "labels": {"app.kubernetes.io/name": "truegreen"}},
            "spec": {"groups": held},
        }
        for at, (held, _) in enumerate(bins, 1)
    ]
    head = (
        f"{written}\nFor the Prometheus operator: kubectl apply -n NAMESPACE --prune -l app.kubernetes.io/name=truegreen "
        f"--prune-allowlist=monitoring.coreos.com/v1/PrometheusRule -f {PROMETHEUSRULE}\nYour Prometheus loads what its ruleSelector selects: "
        "where it asks for a label, such as release, add it with kubectl label or kustomize.\n"
        f"Each object stays below {MOST_BYTES:,} bytes, so that kubectl apply takes it. Prometheus 2.42 or newer (keep_firing_for)."
    )
    return "---\n".join([to_yaml(objects[0], head), *(to_yaml(each) for each in objects[1:])])


def _mimir(groups: Sequence[Mapped], written: str) -> str:
    largest = max(len(group["rules"]) for group in groups)
    head = (
        f"{written}\nFor Mimir's ruler: mimirtool rules load {MIMIR} --address=URL --id=TENANT\n"
        "(one POST to /prometheus/config/v1/rules/truegreen for each group, with the header X-Scope-OrgID: TENANT)\n"
        f"It refuses more than it was told to take: this file has {len(groups)} groups, the largest of {largest} rules.\n"
        + _limit("ruler_max_rules_per_rule_group", largest, MIMIR_RULES)
        + _limit("ruler_max_rule_groups_per_tenant", len(groups), MIMIR_GROUPS)
        + "Alerts come later by ruler_evaluation_delay_duration (a minute unless told otherwise)."
    )
    return to_yaml({"namespace": NAMESPACE, "groups": groups}, head)


def _limit(name: str, asked: int, most: int) -> str:
    return f"  {name}: {asked}   # at least, with what the tenant has already; {most} unless told otherwise" + (
        ", which is too few\n" if asked > most else "\n"
    )


def _thanos(groups: Sequence[Mapped], written: str) -> str:
    head = (
        f"{written}\nFor Thanos Ruler: --rule-file={THANOS}\nRules read what rules before them recorded: the querier that it asks must have the ruler itself "
        "among its --endpoint, and the label\nthat tells replicas of the ruler apart as --query.replica-label.\npartial_response_strategy warn: while a store is "
        "away, the services of the others are still judged. abort, Thanos' own default, judges nobody then.\n"
        "A ruler of Prometheus 2.42's rules or newer (keep_firing_for)."
    )
    return to_yaml(
        {
            "groups": [
                {
                    "name": group["name"],
                    "interval": group["interval"],
                    "partial_response_strategy": "warn",
                    "rules": group["rules"],
                }
                for group in groups
            ]
        },
        head,
    )


def _vmalert(groups: Sequence[Mapped], written: str) -> str:
    levels = _levels(groups)
    top = max(level for each in levels for level in each)
    step = min(parse(group["interval"]) for group in groups) * 1_000 // (top + 2)
    made = [
        {
            "name": f"{group['name']}:{level}",
            "interval": group["interval"],
            "eval_offset": f"{level * step}ms",
            "rules": [rule for rule, its in zip(group["rules"], each, strict=True) if its == level],
        }
        for group, each in zip(groups, levels, strict=True)
        for level in sorted(set(each))
    ]
    head = (
        f"{written}\nFor VictoriaMetrics: vmalert -rule={VMALERT} -datasource.url=URL -remoteWrite.url=URL -remoteRead.url=URL -notifier.url=URL\n"
        "Without -remoteWrite.url nothing is recorded and no alert can fire. vmalert writes what a rule recorded some time after it was evaluated, so a rule must not\n"
        f"read what one before it in its group records: here each group is split by who reads whom, and eval_offset (vmalert 1.113 or newer) lets {step / 1_000:g} s\n"
        "pass in between; keep -remoteWrite.flushInterval (2 s unless told otherwise) and the time until the datasource shows a sample below it in all.\n"
        "Alerts come later by -rule.evalDelay (30 s unless told otherwise) and by those offsets. increase() counts a counter from 0, also where it is born at 1."
    )
    return to_yaml({"groups": made}, head)


def _levels(groups: Sequence[Mapped]) -> list[list[int]]:
    """Of each rule: 0 where it reads scraped series only; above it, one more than the highest that it reads.

    What reads firing alerts (ALERTS) comes after all of them; an alert that reads such a record comes after it.
    """
    rules = [(g, r, rule) for g, group in enumerate(groups) for r, rule in enumerate(group["rules"])]
    made: dict[str, list[int]] = {}
    for at, (_, _, rule) in enumerate(rules):
        if "record" in rule:
            made.setdefault(rule["record"], []).append(at)
    reads = [
        [other for name in set(_WORD.findall(rule["expr"])) & set(made) for other in made[name] if name != rule.get("record")]
        for _, _, rule in rules
    ]
    asks = [at for at, (_, _, rule) in enumerate(rules) if _ALERTS in _WORD.findall(rule["expr"])]
    known: dict[int, int] = {}
    late = set(asks)
    while more := [at for at in range(len(rules)) if at not in late and late & set(reads[at])]:
        late.update(more)

    def level(at: int, least: int) -> int:
        if at not in known:
            known[at] = max([least, *(1 + level(other, least) for other in reads[at])])
        return known[at]

    early = max((level(at, 0) for at in range(len(rules)) if at not in late), default=0)
    read = {other for each in reads for other in each}
    for at in sorted(late - set(asks) | set(asks) & read):
        level(at, early + 1)
    last = max(known.values(), default=early) + 1
    for at in set(asks) - read:
        known[at] = last
    return [[known[at] for at, (its, _, _) in enumerate(rules) if its == g] for g in range(len(groups))]
