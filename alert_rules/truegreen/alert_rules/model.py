"""Rules, alerts and groups, and what the stages hand to each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from truegreen.alert_rules.text import literal
from truegreen.core.words.slo import BASELINE, EvaluationSli, Slo


@dataclass(frozen=True, slots=True)
class Record:
    """One recording rule."""

    record: str
    expr: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Alert:
    """One alerting rule; `wait` is Prometheus' `for`, both durations are texts such as `5m`, empty for none."""

    alert: str
    expr: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    wait: str = ""
    keep_firing_for: str = ""


Rule = Record | Alert


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that are evaluated one after the other, every `interval`."""

    name: str
    interval: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a calibration file says of one SLO at one service and environment.

    Args:
        bad_ratio: share of the frozen baseline that was bad, 0 to 1.
        events: how many events are behind it.
        design_effect: variance inflation of correlated events, at least 1.
        digest: the file's digest, which the app stamps.
        taken: when it was frozen, Unix time.
        mean_score: of the frozen answers themselves, 0 to 1; half where no ties lie at an end.
    """

    service: str
    environment: str
    signal: str
    bad_ratio: Decimal
    events: int
    design_effect: Decimal
    digest: str
    taken: int = 0
    mean_score: Decimal = Decimal("0.5")


@dataclass(frozen=True, slots=True)
class Judged:
    """An SLO with the frozen baselines that speak of it.

    Args:
        few: services of which the file says that they have too few events for a sev 1 within an hour.
    """

    slo: Slo
    baselines: tuple[Baseline, ...]
    few: tuple[str, ...] = ()

    @property
    def frozen(self) -> tuple[Baseline, ...]:
        """The baselines whose bad ratio is that of the SLO's own events: none where its floor is a number, since a file counts what is under its own."""
        sli = self.slo.sli
        return () if isinstance(sli, EvaluationSli) and sli.floor != BASELINE else self.baselines

    @property
    def identity(self) -> Mapping[str, str]:
        """The static labels of everything that is written for the SLO."""
        slo = self.slo
        return {"slo": slo.name, "layer": slo.layer, "failure_mode": slo.failure_mode, "pillar": slo.pillar}

    @property
    def marks(self) -> Mapping[str, str]:
        """The user's own labels and the owner: on alerts only, so that a new owner begins no new series."""
        slo = self.slo
        named = {**slo.labels, **({"owner": slo.owner} if slo.owner else {})}
        return {key: literal(value) for key, value in sorted(named.items())}
