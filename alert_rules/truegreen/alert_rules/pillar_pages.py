"""A runbook page for each pillar of an agent, from the triage table: what a person does who knows the pillar and not the alert."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from truegreen.alert_rules.page_words import MOVES
from truegreen.core.words import catalogue, ready_made, triage
from truegreen.core.words.boards import PILLARS as BOARD

_FAILING: Final = f'{catalogue.FAILING_TRACE_INFO.prometheus}{{service="SERVICE",environment="ENVIRONMENT"}}'
MEANS: Final[Mapping[str, tuple[str, str]]] = {
    "autonomy": (
        "The agent does what nobody approved: it calls a tool that is not on its list, or skips the step that asks a person.",
        "Money, data or messages may have left by its hand. Stop it first, and look afterwards.",
    ),
    "tool_use": (
        "Tools fail, or return errors as if they were results, and the agent goes on with them.",
        "Answers are built on what never happened: an order that was not placed, a record that was not found.",
    ),
    "planning": (
        "The agent repeats a step that cannot succeed, or takes far more steps than it did.",
        "Users wait, costs grow, and tasks end at their limit without a result.",
    ),
    "memory": (
        "What the agent looks up is stale, empty or of another thing.",
        "Fluent answers from the wrong passages; they look as right as the right ones.",
    ),
    "reasoning": (
        "The agent draws other conclusions from the same material: branches that nobody planned, answers that the passages do not hold.",
        "Decisions differ from those of last week, with nothing that failed to show for it.",
    ),
}
"""Pillar to its meaning and its impact."""


def name(pillar: str) -> str:
    """The file of a pillar's page."""
    return f"pillar_{pillar}.md"


def page(row: triage.Triage) -> Iterator[str]:
    """The lines of one page."""
    means, harms = MEANS[row.key]
    slos = [slo.name for slo in ready_made.READY_MADE if slo.pillar == row.key]
    yield from (
        f"# Pillar: {row.key.replace('_', ' ')}",
        "",
        "Written by `tools/generated.py` from the triage table and `pillar_pages.py`; do not edit.",
        "",
    )
    yield from (
        "## Meaning",
        "",
        means,
        "",
        f"SLOs of it: {', '.join(f'`{one}`' for one in slos) or 'none that is ready-made'}. Board: `{BOARD}`.",
        "",
    )
    yield from ("## Impact", "", harms, "", "## Diagnosis", "")
    yield from ("With truegreen: `truegreen triage --service SERVICE --environment ENVIRONMENT --slo SLO`. Without it:", "")
    yield from ("```sh", "PROMETHEUS=http://127.0.0.1:9090", "curl -sG \"$PROMETHEUS/api/v1/query\" --data-urlencode query@- <<'PROMQL'",
                f'ALERTS{{pillar="{row.key}",alertstate="firing"}}', "PROMQL", "```", "",
                "Each query below goes between the two lines `PROMQL`. SERVICE and ENVIRONMENT are yours to fill in.", "")  # fmt: skip
    yield from (f"{n}. {h.says} ({h.whose}): [{h.query}](#{h.query})" for n, h in enumerate(row.hypotheses, 1))
    yield from ("", "### failing_traces", "", "Which answers failed? Their traces:", "", "```promql", _FAILING, "```", "")
    for query in dict.fromkeys((*(h.query for h in row.hypotheses), *row.queries)):
        asked = triage.QUERIES[query]
        yield from (f"### {query}", "", asked.asks, "", "```promql", asked.fill("SERVICE", "ENVIRONMENT"), "```", "")
    yield from ("## Containment", "", *_move(row.contain), "## Mitigation", "", "| when it is so | do |", "|---|---|")
    yield from (f"| {_cell(h.says)} | {_cell(MOVES[h.query])} |" for h in row.hypotheses)
    yield from ("", *_move(row.rollback))
    yield from (
        "## Validation", "",
        "`truegreen validate`, until it ends with exit code 0; then `truegreen contain lift`, and `truegreen incident close`.",
    )  # fmt: skip


def _move(move: triage.Move) -> Iterator[str]:
    yield from (f"{move.says[:1].upper()}{move.says[1:]}:", "")
    if move.command:
        yield from (
            "```sh",
            "truegreen incident open --service SERVICE --environment ENVIRONMENT --slo SLO",
            move.command,
            "```",
            "",
        )


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
