"""Rows that several boards share: a board is its own symptom and distribution, and these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from truegreen.core.words import catalogue as c
from truegreen.core.words import ready_made, records, triage
from truegreen.core.words.metric import IDENTITY, Metric
from truegreen.core.words.slo import Slo
from truegreen.dashboards import expressions as e
from truegreen.dashboards import kit
from truegreen.dashboards.model import Row, Tile, View, Where

WHO: Final = IDENTITY
EVERY: Final = (*WHO, "slo")
"""What records of SLOs are told apart by."""
JUDGED: Final[Where] = {"result": ("pass", "fail"), "sampled": "base"}
"""The answers that a ratio of `EVALUATIONS` counts."""
ANY_MODEL: Final[Where] = {"model": e.PRESENT}
"""What compares models shows all of them: an alert opens the board at the one that it blames."""
HEADINGS: Final = {
    "evaluation": "Evaluation", "service": "Service", "environment": "Environment", "slo": "SLO", "model": "Model", "cohort": "Cohort", "provider": "Provider",
    "data_source": "Data source", "agent": "Agent", "tool": "Tool", "guardrail": "Guardrail", "stage": "Stage", "snapshot": "Snapshot",
}  # fmt: skip
VERSIONS: Final = {"model_version": "Model version", "prompt_version": "Prompt", "retrieval_index_version": "Index", "tool_schema_version": "Tools",
                   "guardrail_version": "Guardrail version"}  # fmt: skip


def of_mode(failure_mode: str) -> Where:
    """Narrows records to a failure mode, or to nothing where it is empty."""
    return {"failure_mode": failure_mode} if failure_mode else {}


def spelt(window: str) -> str:
    """A window of `records.WINDOWS` in words: `15m` is `15 min`."""
    return f"{window[:-1]} {'min' if window.endswith('m') else window[-1]}"


def by_slo(slos: Sequence[Slo]) -> tuple[str, ...]:
    """What records of these SLOs are told apart by: one alone needs no name on its lines."""
    return WHO if len(slos) == 1 else EVERY


def affected(evaluations: tuple[str, ...], width: int = 4, height: int = 4) -> Tile:
    """Whom to think of first. Replicas each know some of a service's ids: the largest of them is a lower bound."""
    where: Where = {"evaluation": evaluations} if evaluations else {}
    sides = (("sessions", c.AFFECTED_SESSIONS), ("users", c.AFFECTED_USERS))
    return kit.stat("Sessions and users affected", *((f"{name} *", e.folded(e.gauge(metric, (*WHO, "evaluation"), where), ("evaluation",), "sum")) for name, metric in sides), unit="short", width=width, height=height,
                    why="At least so many in the current hour, from hashed ids: of each service its largest replica.")  # fmt: skip


def contained(width: int = 4, height: int = 4) -> Tile:
    """Whether a switch is on."""
    return kit.stat("Contained calls", ("*", e.rate(c.CONTAINED_REQUESTS, ("containment",), factor=60)), unit="cpm", width=width, height=height,
                    why="Calls a minute that are served under a containment switch; no data means that none was used.")  # fmt: skip


def slos(title: str, where: Where, height: int = 5) -> Tile:
    """The SLOs of records that `where` selects: burn, ratio and its sample size, what the counts prove, what is left."""
    numbers = {"Burn, 1 h": records.burn_rate("1h"), "Bad, 15 min": records.bad_ratio("15m"), "At least": records.bad_lower_bound("15m"),
               "Events, 15 min": records.events("15m"), "Budget left": records.BUDGET_REMAINING}  # fmt: skip
    series = [
        (name, e.record(record, EVERY, where, "min" if name == "Budget left" else "max")) for name, record in numbers.items()
    ]
    return kit.table(
        title, *series, columns=headed(EVERY) | {name: name for name in numbers}, unit="percentunit",
        units={"Burn, 1 h": "short", "Events, 15 min": "locale"}, steps=kit.under(1), sort="Burn, 1 h", height=height,
        why="Each SLO by itself, ratio and sample size in one line. At a burn of 1 the budget lasts exactly its window.",
    )  # fmt: skip


def budget(failure_mode: str = "") -> Row:
    """Budget and burn of the SLOs of a failure mode, of all where it is empty."""
    where = of_mode(failure_mode)
    return kit.row(
        "Budget and burn", slos("Every SLO of this failure mode", where) if failure_mode else slos("Every SLO", where, 8), left(where),
        kit.graph("Burn rate, 15 min and 1 h", *((f"* {window}", e.record(records.burn_rate(window), EVERY, where)) for window in records.BURN_WINDOWS),
                  unit="short", steps=kit.under(1), width=16, why="Bad ratio as a multiple of the budget: fast over 15 min, certain over 1 h."),
    )  # fmt: skip


def budget_of(view: View, failure_mode: str) -> Row:
    """Budget and burn of a failure mode; in words what to switch on where the configuration has no SLO of it: three empty panels say less."""
    if any(slo.failure_mode == failure_mode for slo in view.config.slos):
        return budget(failure_mode)
    ready = "\n".join(f"- `{slo.name}`: {slo.description}" for slo in ready_made.READY_MADE if slo.failure_mode == failure_mode)
    words = f"No SLO of this failure mode is switched on, so nothing here can burn or page. Name one under `slos:` in `truegreen.yaml`:\n\n{ready}\n"
    return kit.row("Budget and burn", kit.text("No SLO", words, height=5, why="What would be alerted on, were it switched on."))


def left(where: Where, width: int = 8) -> Tile:
    """Bars of the error budgets."""
    return kit.bars("Budget left", ("*", e.record(records.BUDGET_REMAINING, EVERY, where, "min")), unit="percentunit", steps=kit.over(0), width=width,
                    why="Share of the error budget that is left in its window; under 0 the objective is missed.")  # fmt: skip


def where(metric: Metric, part: Where, whole: Where, by: tuple[str, ...], *, bad: str, counted: str, why: str, graphs: Mapping[str, str],
          steps: kit.Steps = (), more: Sequence[Tile] = ()) -> Row:  # fmt: skip
    """Where the bad events of a counter are: a table of ratio and sample size by labels, and a graph for some of them.

    Args:
        part, whole: what is bad, among what, as in `expressions.share`.
        by: labels beside service and environment; `snapshot` brings the versions with it.
        bad, counted: the headings of ratio and sample size.
        graphs: label to the title of its graph over time.
        more: tiles beside the graphs.
    """
    every, whole = (*WHO, *apart(whole), *by), _of_any_model(whole, by)
    share, count = e.share(metric, part, whole, every, e.RANGE), e.increase(metric, every, whole)
    if "snapshot" in by:
        share, count = e.with_versions(share), e.with_versions(count)
    drawn = [
        _over_time(title, metric, part, whole, label, steps, 24 // (len(graphs) + len(more))) for label, title in graphs.items()
    ]
    table = kit.table(
        f"{bad} by {_spoken(by)}", (bad, share), (counted, count),
        columns=headed(tuple(label for label in every if label != "snapshot")) | {bad: bad, counted: counted} | headed(share.labels), unit="percentunit", units={counted: "locale"}, steps=steps, sort=bad, why=why,
    )  # fmt: skip
    return kit.row("Where", table, *drawn, *more)


def scores(evaluations: Sequence[str]) -> tuple[Tile, ...]:
    """The scores of each evaluation: a heatmap of several would be that of none."""
    return tuple(
        kit.heat("Scores" if len(evaluations) == 1 else f"Scores: {each}", e.distribution(c.EVALUATION_SCORE, {"evaluation": (each,)}), unit="none",
                 width=24 if len(evaluations) == 1 else 12, why="All scores of the base sample: a new band low down is another population, a shifted band a general decline.")
        for each in evaluations
    )  # fmt: skip


def apart(whole: Where) -> tuple[str, ...]:
    """The label that tells evaluations apart where several are counted: one number of all would be that of none."""
    wanted = whole.get("evaluation", ())
    return ("evaluation",) if not isinstance(wanted, str) and len(wanted) > 1 else ()


def by_label(
    title: str, metric: Metric, part: Where, whole: Where, label: str, *, counted: str, steps: kit.Steps = (), width: int = 24
) -> tuple[Tile, ...]:
    """The share of bad events by a label, over time and, with its sample sizes, in a table beside it."""
    by, wide, whole = (*WHO, *apart(whole), label), width // 2, _of_any_model(whole, (label,))
    numbers = {"Bad": e.share(metric, part, whole, by, e.RANGE), counted: e.increase(metric, by, whole)}
    table = kit.table(f"{title}: sample sizes", *numbers.items(), columns=headed((label,)) | {name: name for name in numbers} | headed(by[:-1]), unit="percentunit",
                      units={counted: "locale"}, steps=steps, sort="Bad", width=width - wide, why="Over the range shown: 1 of 3 is not 33 %.")  # fmt: skip
    return _over_time(title, metric, part, whole, label, steps, wide), table


def _over_time(title: str, metric: Metric, part: Where, whole: Where, label: str, steps: kit.Steps, width: int) -> Tile:
    by, whole = (*WHO, *apart(whole), label), _of_any_model(whole, (label,))
    return kit.graph(title, (lead(label, by), e.share(metric, part, whole, by)), unit="percentunit", steps=steps, scrapes=kit.SPARSE, width=width,
                     why=f"Is one {HEADINGS[label].lower()} worse than the others{', whichever is chosen above' if label == 'model' else ''}? The table of ratios has the sample sizes.")  # fmt: skip


def _of_any_model(whole: Where, by: tuple[str, ...]) -> Where:
    return {**whole, **ANY_MODEL} if "model" in by else whole


def lead(label: str, by: Sequence[str]) -> str:
    """A legend of labels that begins with one of them: narrow panels cut the end."""
    return " ".join(f"{{{{{each}}}}}" for each in (label, *(other for other in by if other != label)))


def changed(*more: Tile) -> Row:
    """What changed: ours by version, theirs by served model; more tiles after them."""
    return kit.row("What changed", since(), served(), *more)


def since(width: int = 14) -> Tile:
    """Our versions, the newest first."""
    began = e.milliseconds(e.with_versions(e.gauge(c.SNAPSHOT_SINCE_TIMESTAMP, (*WHO, "snapshot"), fold="min")))
    return kit.table("Versions and since when they serve", ("Since", began), columns={"Since": "Since", **VERSIONS, **headed(began.labels)}, unit="dateTimeAsIso",
                     sort="Since", width=width, why="The newest first: a change of ours just before the onset is the first suspect.")  # fmt: skip


def served(width: int = 10) -> Tile:
    """The provider's model behind the name that we ask for."""
    return kit.graph("Served model", ("{{model}} → {{served}} {{fingerprint}}",
                     e.rate(c.MODEL_SERVED, ("model", "served", "fingerprint"), factor=60)), unit="cpm", width=width,
                     why="Requested and served model: a new line under the same request is a silent update by the provider.")  # fmt: skip


def evidence(view: View, evaluations: tuple[str, ...], *more: Tile, collapsed: bool = True) -> Row:
    """Failing traces of some evaluations, of all where none is named; more tiles after them."""
    chosen: Where = {"evaluation": evaluations} if evaluations else {}
    traces = kit.table("Failing traces", ("Seen", e.gauge(c.FAILING_TRACE_INFO, (*WHO, "evaluation", "slot", "trace_id"), chosen)),
                       columns={"service": "Service", "environment": "Environment", "evaluation": "Evaluation", "trace_id": "Trace"}, unit="none",
                       links={"Trace": kit.trace(view)}, height=6, why="Three answers that failed, by trace: read them before you believe the number.")  # fmt: skip
    return kit.row("Evidence", traces, *more, collapsed=collapsed)


def runbook(view: View, key: str, alert: str = records.BUDGET_BURN) -> Row:
    """What to do about a failure mode or a pillar, as the triage table has it, and the page of the alert that opens the board."""
    return kit.row("Runbook", moves(view, key, "What to do", alert=alert))


def moves(view: View, key: str, title: str, width: int = 24, height: int = 8, alert: str = records.BUDGET_BURN) -> Tile:
    """The suspects of a failure mode or a pillar, likeliest first, and the first moves."""
    found = triage.BY_FAILURE_MODE.get(key) or triage.BY_PILLAR[key]
    suspects = "\n".join(f"{n}. {h.says} ({h.whose})" for n, h in enumerate(found.hypotheses, 1))
    first = "\n".join(f"- {move.says}{f': `{move.command}`' if move.command else ''}" for move in (found.contain, found.rollback))
    words = f"**Suspect, likeliest first**\n\n{suspects}\n\n**Do**\n\n- ask for the verdict: the command in the alert's `next` line\n{first}\n"
    return kit.text(title, f"{words}\n[Runbook]({view.runbook(alert)})", width=width, height=height,
                    why="The first moves; the runbook has them all.")  # fmt: skip


def _spoken(labels: tuple[str, ...]) -> str:
    words = ["version" if label == "snapshot" else HEADINGS[label].lower() for label in labels]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def headed(labels: tuple[str, ...]) -> dict[str, str]:
    """Labels to the headings of a table's columns."""
    return {label: {**HEADINGS, **VERSIONS}[label] for label in labels}
