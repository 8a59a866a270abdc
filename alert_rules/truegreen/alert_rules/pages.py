"""A runbook page for every alert that the generator can write: words, and PromQL for who has no truegreen at hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Final

from truegreen.alert_rules import detectors, pillar_pages, sli
from truegreen.alert_rules.generate import groups
from truegreen.alert_rules.model import Alert, Baseline, Judged
from truegreen.alert_rules.page_words import BY_ALERT, MOVES, Words
from truegreen.alert_rules.text import quoted
from truegreen.alert_rules.windows import clock
from truegreen.core.config import parse_text
from truegreen.core.words import catalogue, ready_made, records, triage
from truegreen.core.words.boards import runbook_page
from truegreen.core.words.slo import BASELINE, LIVE, EvaluationSli, Slo

FOLDER: Final = "docs/runbooks"
_NAMED: Final = "--service SERVICE --environment ENVIRONMENT --slo SLO"
_FAILING: Final = f'{catalogue.FAILING_TRACE_INFO.prometheus}{{service="SERVICE",environment="ENVIRONMENT"}}'
_NOTE: Final = (
    "Written by `tools/generated.py` from the rules, the triage table and `page_words.py` in `alert_rules/`; do not edit."
)


def pages() -> Mapping[str, str]:
    """Path below the repository's root to text: one page for each alert and each pillar, and the list of them.

    Raises:
        KeyError: an alert has no words in `page_words.py`, or a hypothesis no move.
    """
    known: dict[str, list[Alert]] = {}
    for alert in every_alert():
        known.setdefault(alert.alert, []).append(alert)
    made = {f"{runbook_page(FOLDER, name)}.md": _text(_page(name, alerts)) for name, alerts in sorted(known.items())}
    of_pillars = {f"{FOLDER}/{pillar_pages.name(key)}": _text(pillar_pages.page(row)) for key, row in triage.BY_PILLAR.items()}
    return {**made, **of_pillars, f"{FOLDER}/README.md": _text(_list(known))}


def every_alert() -> tuple[Alert, ...]:
    """The generator's own alerts with all ready-made SLOs live and a frozen baseline for each."""
    named = ", ".join(f"{{name: {slo.name}, mode: {LIVE}{_more(slo)}}}" for slo in ready_made.READY_MADE)
    config = parse_text(f"slos: [{named}]\nalerting: {{drill_every: 90d}}", "runbook pages", {}, None)
    every = tuple(
        Judged(slo, (_baseline(slo.sli.evaluation if isinstance(slo.sli, EvaluationSli) else slo.name),)) for slo in config.slos
    )
    made = groups(config, every, clock(1, config.scrape_interval_seconds))
    return tuple(rule for group in made for rule in group.rules if isinstance(rule, Alert))


def _more(slo: Slo) -> str:
    ranked = isinstance(slo.sli, EvaluationSli) and slo.sli.floor == BASELINE
    carried = detectors.carried(replace(slo, cohorts=ranked))
    return f", cohorts: {str(ranked).lower()}, detectors: [{', '.join(carried)}]"


def _baseline(signal: str) -> Baseline:
    return Baseline("SERVICE", "ENVIRONMENT", signal, Decimal("0.03"), 500, Decimal(1), "")


def _list(known: Mapping[str, list[Alert]]) -> Iterator[str]:
    yield from ("# Runbook pages", "", _NOTE, "")
    yield from (
        "Every alert links to its page. A page works with nothing but `curl` and Prometheus; with truegreen, begin with the alert's own",
        "`next` line.",
        "",
    )
    yield from ("| alert | sev | meaning |", "|---|---|---|")
    for name, alerts in sorted(known.items(), key=lambda item: (_sevs(item[1]), item[0])):
        yield f"| [{name}]({name.lower()}.md) | {_sevs(alerts)} | {BY_ALERT[name].means.split('. ')[0].removesuffix('.')}. |"
    yield from (
        "",
        "By pillar of an agent: "
        + ", ".join(f"[{key.replace('_', ' ')}]({pillar_pages.name(key)})" for key in triage.BY_PILLAR)
        + ".",
    )
    yield from ("", "Sev as with an SLO live; while all are in shadow, nothing is above sev 3.")


def _page(name: str, alerts: list[Alert]) -> Iterator[str]:
    words, live = BY_ALERT[name], [alert for alert in alerts if alert.labels.get("mode", LIVE) == LIVE]
    rows = _rows(words, live)
    yield from (f"# {name}", "", f"Sev {_sevs(alerts)}. {_NOTE}", "")
    yield from ("## Meaning", "", words.means, "", "## Impact", "", words.harms, "")
    yield from _diagnosis(name, words, live, rows)
    yield from _containment(words, rows)
    yield from _mitigation(words, rows)
    yield from _validation(name, words, rows)


def _rows(words: Words, alerts: Iterable[Alert]) -> tuple[triage.Triage, ...]:
    # The triage table is for SLOs; a watcher and a change bring causes of their own.
    if words.causes:
        return ()
    if words.rows:
        return tuple(row for key in words.rows for row in triage.rows(key))
    found = {row for alert in alerts for row in triage.rows(alert.labels["failure_mode"], alert.labels["pillar"])}
    table = (*triage.BY_PILLAR.values(), *triage.BY_FAILURE_MODE.values())
    return tuple(row for row in table if row in found)


def _diagnosis(name: str, words: Words, alerts: list[Alert], rows: tuple[triage.Triage, ...]) -> Iterator[str]:
    yield from ("## Diagnosis", "")
    if rows:
        yield from (f"With truegreen: `truegreen triage {_NAMED}`. Without it:", "")
    yield from ("```sh", "PROMETHEUS=http://127.0.0.1:9090", "curl -sG \"$PROMETHEUS/api/v1/query\" --data-urlencode query@- <<'PROMQL'",
                f"ALERTS{{alertname={quoted(name)}}}", "PROMQL", "```", "",
                "Each query of this page goes between the two lines `PROMQL`, or into Prometheus' own page. SERVICE, ENVIRONMENT and SLO are the",
                "alert's labels; other words in capitals are yours to fill in.", "")  # fmt: skip
    yield from ("### What to suspect, likeliest first", "")
    for number, cause in enumerate(words.causes, 1):
        yield from (f"{number}. {cause.says}:", "", *_promql(cause.promql))
    if len(rows) > 1:
        yield from ("By the alert's label `pillar`, and where that is `none` by `failure_mode`.", "")
    for row in rows:
        yield from (f"[**{row.key}**]({pillar_pages.name(row.key)})" if row.key in triage.BY_PILLAR else f"**{row.key}**", "")
        yield from (f"{n}. {h.says} ({h.whose}): [{h.query}](#{h.query})" for n, h in enumerate(row.hypotheses, 1))
        more = [query for query in row.queries if query not in {h.query for h in row.hypotheses}]
        yield from ((f"- and: {', '.join(f'[{query}](#{query})' for query in more)}", "") if more else ("",))
    if rows:
        yield from ("### failing_traces", "", "Which answers failed? Their traces:", "", *_promql(_FAILING))
    asked = dict.fromkeys(q for row in rows for q in (*(h.query for h in row.hypotheses), *row.queries))
    for query in (triage.QUERIES[each] for each in asked):
        yield from (f"### {query.name}", "", query.asks, "", *_promql(query.fill("SERVICE", "ENVIRONMENT")))
    yield from ("### What the rule asks", "")
    for expr in _expressions(alerts):
        yield from _promql(expr)


def _containment(words: Words, rows: tuple[triage.Triage, ...]) -> Iterator[str]:
    yield from ("## Containment", "")
    if rows:
        yield from ("`contain` and `rollback` freeze the evidence before they change anything, and want an open incident:", "")
        yield from ("```sh", f"truegreen incident open {_NAMED}", "```", "")
    yield from (f"- {f'**{row.key}**: ' if len(rows) > 1 else ''}{_move(row.contain)}" for row in rows)
    yield from (words.first, "") if words.first else ("",)


def _mitigation(words: Words, rows: tuple[triage.Triage, ...]) -> Iterator[str]:
    yield from ("## Mitigation", "", "| when it is so | do |", "|---|---|")
    found = dict.fromkeys((h.says, h.query) for row in rows for h in row.hypotheses)
    yield from (f"| {_cell(says)} | {_cell(MOVES[query])} |" for says, query in found)
    yield from (f"| {_cell(cause.says)} | {_cell(cause.fix)} |" for cause in words.causes)
    yield ""
    if rows:
        yield from (f"- {f'**{row.key}**, when' if len(rows) > 1 else 'When'} it is ours: {_move(row.rollback)}" for row in rows)
        yield ""


def _validation(name: str, words: Words, rows: tuple[triage.Triage, ...]) -> Iterator[str]:
    yield from ("## Validation", "")
    yield (
        "`truegreen validate`, until it ends with exit code 0."
        if rows
        else "The alert is gone. With an incident open: `truegreen validate`."
    )
    yield from (f"In any case the answer to this is {words.healthy}:", "", *_promql(words.ratio))
    if name == records.BUDGET_BURN:
        yield from (
            "The same from the counters, where recording rules are not to be trusted; over the budget (1 - objective) it burns:",
            "",
        )
        for slo in ready_made.READY_MADE:
            counts = sli.counts(replace(slo, services=("SERVICE",)), "15m")
            yield from (f"### {slo.name}", "", f"{slo.description}, the share that is not:", "")
            yield from _promql(f"(\n{counts.bad}\n)\n/ ({counts.events} > 0)")


def _expressions(alerts: Iterable[Alert]) -> tuple[str, ...]:
    def told(alert: Alert) -> str:
        slo = alert.labels["slo"]
        return alert.expr if slo == "none" else alert.expr.replace(f"slo={quoted(slo)}", 'slo="SLO"')

    return tuple(dict.fromkeys(told(alert) for alert in alerts))


def _sevs(alerts: Iterable[Alert]) -> str:
    return ", ".join(sorted({alert.labels["sev"] for alert in alerts}))


def _promql(expr: str) -> tuple[str, ...]:
    return ("```promql", expr, "```", "")


def _move(move: triage.Move) -> str:
    return f"{move.says}{f': `{move.command}`' if move.command else ''}."


def _text(lines: Iterable[str]) -> str:
    return "\n".join(lines).rstrip() + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
