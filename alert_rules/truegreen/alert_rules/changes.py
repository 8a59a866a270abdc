"""Changes that somebody should hear of although nothing burns: another served model, another version, other questions or answers."""

from __future__ import annotations

from typing import Final

from truegreen.alert_rules.annotations import for_watcher, hypotheses, triage_of
from truegreen.alert_rules.ladder import Label
from truegreen.alert_rules.model import Alert
from truegreen.alert_rules.sli import CANARY
from truegreen.alert_rules.text import matcher, selector
from truegreen.alert_rules.windows import Clock
from truegreen.core.config.model import Routes
from truegreen.core.words import catalogue
from truegreen.core.words.boards import VERSIONS, board_of
from truegreen.core.words.terms import NO_PILLAR

SERVED_MODEL_CHANGED: Final = "TruegreenServedModelChanged"
VERSION_CHANGED: Final = "TruegreenVersionChanged"
ANSWERS_CHANGED: Final = "TruegreenAnswersChanged"


def rules(routes: Routes, clock: Clock, severities: Label, slo: str) -> tuple[Alert, ...]:
    """All tickets. The first two compare presence with presence an interval ago, so that counters born at 1 are seen and a cold start is not.

    Args:
        slo: by which one to look next.
    """
    apps = matcher("service", (CANARY,), negate=True)

    def alert(name: str, metric: str, kin: str, each: str, ago: str, summary: str, description: str, mode: str) -> Alert:
        now, ago = selector(metric, apps), clock.text(ago)
        # What was there just once in as long before counts too: a collector that began anew at the very instant had nothing yet.
        then = f"last_over_time({now}[{ago}] offset {ago})"
        expr = (
            f"(\n  group by ({kin}, {each}) ({now})\n  unless group by ({kin}, {each}) ({then})\n)\n"
            f"and on ({kin}) group by ({kin}) ({now} offset {ago})"
        )
        labels = {
            **severities("3"),
            "slo": "none",
            "layer": "quality",
            "failure_mode": mode,
            "pillar": NO_PILLAR,
            "burn_tier": "none",
        }
        notes = for_watcher(routes, name, summary, description, triage_of(slo), clock, VERSIONS)
        known = hypotheses(mode, NO_PILLAR)
        return Alert(name, expr, labels, {**notes, **({"hypotheses": known} if known else {})})

    def answers() -> Alert:
        # A change is no failure: whether it is for the worse is what the quality SLOs say.
        expr = f"max by (service, environment, template, change) ({selector(catalogue.DRIFT_CHANGED.prometheus, apps)}) == 1"
        labels = {
            **severities("3"),
            "slo": "none",
            "layer": "quality",
            "failure_mode": "drift",
            "pillar": NO_PILLAR,
            "burn_tier": "none",
        }
        notes = for_watcher(routes, ANSWERS_CHANGED, f"{at}: prompt template {{{{ $labels.template }}}} is not as its baseline ({{{{ $labels.change }}}})",
                            "The newest answers are unlike those of the frozen baseline, far beyond chance. input: other questions come; output: other answers to the same "
                            "questions; both; either: other answers, and the questions are not watched; retrieval: more retrieved chunks under the similarity floor, of the data source that "
                            "`template` names. A change, not a failure: whether it is for the worse, the quality SLOs say.",
                            triage_of(slo), clock, board_of("drift"))  # fmt: skip
        return Alert(
            ANSWERS_CHANGED, expr, labels, {**notes, "hypotheses": hypotheses("drift", NO_PILLAR)}, wait=clock.text("1h")
        )

    at = "{{ $labels.service }} in {{ $labels.environment }}"
    return (
        answers(),
        alert(SERVED_MODEL_CHANGED, catalogue.MODEL_SERVED.prometheus, "service, environment, model", "served", "1d",
              f"{at}: the provider serves {{{{ $labels.served }}}} for {{{{ $labels.model }}}}",
              "It did not a day ago, nor in the day before: a silent update of the provider, or a new alias.", "drift"),
        alert(VERSION_CHANGED, catalogue.SNAPSHOT_INFO.prometheus, "service, environment", "snapshot", "1h",
              f"{at}: snapshot {{{{ $labels.snapshot }}}} began to serve",
              "A version of prompt, model, index, tools or guardrail that was not there an hour ago, nor in the hour before.", "none"),
    )  # fmt: skip
