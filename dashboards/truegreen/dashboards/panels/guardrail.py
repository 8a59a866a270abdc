"""Panels of the guardrail board."""

from __future__ import annotations

from truegreen.core.words import boards
from truegreen.core.words import catalogue as c
from truegreen.dashboards import expressions as e
from truegreen.dashboards import kit, rows, symptoms
from truegreen.dashboards.model import Row, Tile, View, Where

_BLOCKED: Where = {"action": "block"}
_REVIEWS_APART = 4 * kit.SPARSE
"""Reviews are few: a trend is taken over at least half an hour at a scrape interval of 30 s."""


def over(view: View) -> tuple[Tile, ...]:
    """Right answers that were blocked."""
    return _side(view, "guardrail_over", "Wrong blocks", "false_positive", "true_positive", "blocks",
                 "Over: share of reviewed blocks that stopped a right answer. The cure loosens the guardrail.")  # fmt: skip


def under(view: View) -> tuple[Tile, ...]:
    """Wrong answers that passed."""
    return _side(view, "guardrail_under", "Wrong passes", "false_negative", "true_negative", "passes",
                  "Under: share of reviewed passes that let harm through. The cure tightens it, or switches the feature off.")  # fmt: skip


def where(view: View) -> Row:
    """Which guardrail, before or after the model."""
    blocks = kit.within(view.slo("guardrail_blocks"))
    return rows.where(c.GUARDRAIL_DECISIONS, _BLOCKED, {}, ("guardrail", "stage"), bad="Blocked", counted="Decisions", steps=blocks,
                       graphs={"guardrail": "Blocked by guardrail"}, why="Over the range shown: which guardrail blocks, before or after the model.")  # fmt: skip


def decisions() -> Tile:
    """Whether guardrails run, and what they do."""
    return kit.graph("Decisions", ("*", e.rate(c.GUARDRAIL_DECISIONS, ("guardrail", "action"), factor=60)), unit="cpm", width=24,
                        why="Decisions a minute by action: a guardrail that is silent does not run.")  # fmt: skip


def distribution() -> tuple[Tile, ...]:
    """What agents may do, and what is contained."""
    return (
        kit.graph("Actions of agents", ("*", e.rate(c.AGENT_ACTIONS, ("agent", "authorization"), factor=60)), unit="cpm", width=12, scrapes=kit.SPARSE,
                  links=[kit.drill(boards.PILLARS, "Autonomy, and the other pillars")], why="Approved, unapproved and denied actions a minute: the guardrail of what agents may do."),
        kit.graph("Contained calls", ("*", e.rate(c.CONTAINED_REQUESTS, (*rows.WHO, "containment"), factor=60)), unit="cpm", width=12,
                  why="Calls a minute under a switch: while strict_guardrail is on, more blocks are meant."),
    )  # fmt: skip


def reviews() -> Tile:
    """Whether anybody looks at all."""
    return kit.table("Reviews", ("Reviews", e.increase(c.GUARDRAIL_REVIEWS, (*rows.WHO, "guardrail", "verdict"))),
                        columns={"service": "Service", "environment": "Environment", "guardrail": "Guardrail", "verdict": "Verdict", "Reviews": "Reviews"},
                        unit="locale", sort="Reviews", why="What reviewers said over the range shown: whether anybody looks at all.")  # fmt: skip


def _side(view: View, slo: str, title: str, wrong: str, right: str, what: str, why: str) -> tuple[Tile, ...]:
    among: Where = {"verdict": (right, wrong)}
    return (
        *symptoms.ratio(view, slo, title, ("wrong", e.share(c.GUARDRAIL_REVIEWS, {"verdict": wrong}, among, (), e.RANGE)), ("reviewed", e.increase(c.GUARDRAIL_REVIEWS, (), among)),
                   window="1d", counted=f"Reviewed {what}", width=6, why=why),
        kit.graph(f"{title} by guardrail", ("*", e.share(c.GUARDRAIL_REVIEWS, {"verdict": wrong}, among, (*rows.WHO, "guardrail"))), unit="percentunit",
                  steps=kit.within(view.slo(slo)), scrapes=_REVIEWS_APART, width=12, why=f"Among reviewed {what}, by guardrail: since when, and is it one alone?"),
    )  # fmt: skip
