"""What a rollout is: its steps, its rule, where it stands. No I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

COMPONENTS: Final = ("model", "prompt", "guardrail")
STEPS: Final = (1.0, 5.0, 20.0, 100.0)
"""Percent of users."""
MARGIN: Final = 0.03
"""By how much the candidate's bad ratio may be higher, where nobody says otherwise."""
ERROR: Final = 0.05
"""The chance, at most, that one step is passed by a candidate that is worse by the margin or more."""
RUNNING, PROMOTED, BACK = "running", "promoted", "rolled back"


@dataclass(frozen=True, slots=True)
class Stage:
    """One step: `percent` of users are answered by the candidate, `shadow` percent of calls are mirrored to it."""

    percent: float
    shadow: float

    def __str__(self) -> str:
        return f"{self.percent:g} %" if not self.shadow else f"shadow {self.shadow:g} %"


@dataclass(frozen=True, slots=True)
class Rule:
    """When a step is passed.

    Args:
        window: seconds between two looks at the evidence, and what a step holds at least.
        least: judged events of either side without which nothing is decided.
        margin: by how much the candidate's bad ratio may be higher, 0 to 1.
    """

    window: float
    least: int
    margin: float


@dataclass(frozen=True, slots=True)
class Rollout:
    """One rollout as the log tells it.

    Args:
        id: the number of the event that began it.
        at: the index of its stage.
        began, since: of the rollout and of the stage, unix seconds.
        state: `running`, `promoted` or `rolled back`.
        says: the last thing that was decided.
    """

    id: int
    service: str
    environment: str
    slo: str
    component: str
    to: str
    stages: tuple[Stage, ...]
    rule: Rule
    at: int
    began: float
    since: float
    state: str
    says: str

    @property
    def stage(self) -> Stage:
        """The step that it is at."""
        return self.stages[self.at]


@dataclass(frozen=True, slots=True)
class Counts:
    """Judged answers of one version."""

    bad: float
    events: float

    def __str__(self) -> str:
        return f"{self.bad / self.events:.1%} of {self.events:.0f}" if self.events > 0 else "none judged"


def flag(rollout: Rollout, stage: Stage) -> str:
    """The value of the flag at a stage."""
    return json.dumps(
        {"component": rollout.component, "to": rollout.to, "percent": stage.percent, "shadow": stage.shadow}, sort_keys=True
    )


def facts(rollout: Rollout) -> Mapping[str, Any]:
    """What the log keeps of the beginning of a rollout; `begun` reads it."""
    return {
        "service": rollout.service, "environment": rollout.environment, "slo": rollout.slo, "component": rollout.component,
        "to": rollout.to, "stages": [[stage.percent, stage.shadow] for stage in rollout.stages],
        "rule": [rollout.rule.window, rollout.rule.least, rollout.rule.margin], "at": 0,
    }  # fmt: skip


def begun(number: int, time: float, data: Mapping[str, Any], says: str) -> Rollout:
    """The rollout that an event began."""
    words = {name: str(data[name]) for name in ("service", "environment", "slo", "component", "to")}
    stages = tuple(Stage(float(percent), float(shadow)) for percent, shadow in data["stages"])
    window, least, margin = data["rule"]
    return Rollout(number, **words, stages=stages, rule=Rule(window, least, margin), at=0, began=time, since=time, state=RUNNING,
                   says=says)  # fmt: skip
