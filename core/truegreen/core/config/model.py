"""What `truegreen.yaml` says, as frozen dataclasses. Every default is stated in `truegreen.schema.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path as File
from typing import Any

from truegreen.core.config.forward import Destination
from truegreen.core.config.receiver import Receiver
from truegreen.core.config.response import Containment, Incidents
from truegreen.core.config.source import Path, Source
from truegreen.core.words.catalogue_own import Catalogue
from truegreen.core.words.sampling import INLINE_RATE
from truegreen.core.words.slo import Slo


@dataclass(frozen=True, slots=True)
class Service:
    """A service that the file names; a service that is not named is discovered all the same.

    Args:
        answers_per_hour: its volume, None when nobody says it.
        sampling: evaluation to the share of its answers, 0 to 1, where that differs from `Config.sampling`.
    """

    name: str
    customer_facing: bool = True
    owner: str = ""
    answers_per_hour: int | None = None
    sampling: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cohorts:
    """The span attribute that names a cohort, the values that are expected (the collector's limit folds, not this list), and those that are evaluated in full."""

    attribute: str
    values: tuple[str, ...] = ()
    boost: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """Whom Alertmanager tells.

    Args:
        type: `pagerduty`, `opsgenie`, `incidentio`, `rootly`, `slack` or `webhook`.
        secret_file: the file of its key, token or secret address, as Alertmanager sees it.
        url: its address, where it is another than the service's own.
        channel: of Slack.
    """

    type: str
    secret_file: str = ""
    url: str = ""
    channel: str = ""


@dataclass(frozen=True, slots=True)
class Mute:
    """Times in which some sevs tell nobody: days and spans as Alertmanager writes them, empty for all."""

    name: str
    sev: tuple[str, ...]
    weekdays: tuple[str, ...] = ()
    times: tuple[str, ...] = ()
    location: str = "UTC"


@dataclass(frozen=True, slots=True)
class Alerting:
    """How alert rules are made: further formats, the age in seconds past which a baseline is old, how often a drill is due (0: never)."""

    formats: tuple[str, ...] = ()
    baseline_age_seconds: int = 90 * 86_400
    drill_every_seconds: int = 0
    accept_slow: bool = False


@dataclass(frozen=True, slots=True)
class Routes:
    """Alertmanager receivers by sev, and the label that a shop's own routes read.

    Args:
        severity_label: name of the second severity label.
        severity_values: sev to its value.
        receivers: sev, or `watchdog`, to the name of a receiver.
        webhooks: sev to a webhook address.
        runbook_url: where the runbook pages are served.
        dashboard_url: the address of Grafana.
        trace_url: an address with `{trace_id}` in it, or empty.
        targets: sev, or `watchdog`, to whom Alertmanager tells.
        mute: times in which some sevs tell nobody.
        alertmanager: version of the Alertmanager, such as `0.25`.
    """

    severity_label: str
    severity_values: Mapping[str, str]
    receivers: Mapping[str, str]
    webhooks: Mapping[str, str]
    runbook_url: str
    dashboard_url: str
    trace_url: str
    targets: Mapping[str, tuple[Target, ...]] = field(default_factory=dict)
    mute: tuple[Mute, ...] = ()
    alertmanager: str = "0.25"


@dataclass(frozen=True, slots=True)
class Kubernetes:
    """What `kubernetes.yaml` says: where the collectors and Prometheus run, how many there are, and of which image."""

    namespace: str
    prometheus_namespace: str
    replicas: int
    image: str


@dataclass(frozen=True, slots=True)
class Collector:
    """Where `truegreen collect` listens, whom it lets in, and where it forwards to; a stop waits `flush` seconds for what is to be forwarded.

    Gauges survive a restart in the file `state`; `backends` are the OTLP/gRPC addresses of several, behind one tier that spreads services over them.
    `canary_endpoint` is where `truegreen canary` is scraped.
    """

    http_endpoint: str
    grpc_endpoint: str
    metrics_endpoint: str
    receiver: Receiver
    state: File | None
    forward: tuple[Destination, ...]
    flush: float
    backends: tuple[str, ...]
    kubernetes: Kubernetes
    canary_endpoint: str = ""


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration; `source` is the file, None when there was none."""

    services: Mapping[str, Service]
    snapshot: Mapping[str, Any]
    """Component to its version, to `{"file": path}` or to `{"package": name}`; and `fallback`, whether a prompt without a name gets one."""
    sampling: Mapping[str, float]
    evaluations: Mapping[str, Mapping[str, Any]]
    slos: tuple[Slo, ...]
    cohorts: Cohorts | None
    routes: Routes
    collector: Collector
    containment: Containment
    incidents: Incidents
    scrape_interval_seconds: float
    calibration: str
    retrieval_floor: float | None = None
    """Similarity under which a retrieved document counts as irrelevant, None where nobody set one."""
    approved_tools: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Agent to the tools that it may call without asking; the empty name stands for every other agent."""
    alerting: Alerting = field(default_factory=Alerting)
    metrics: Catalogue = field(default_factory=Catalogue)
    """Our metrics with the file's own."""
    written: Mapping[str, Any] = field(default_factory=dict)
    """`collector` and `metrics` as the file has them, with defaults: what a generated `truegreen.yaml` is made from."""
    source: File | None = None
    sources: tuple[Source, ...] = field(default=(), repr=False)
    """Where each SLO was written, for errors found after loading."""
    notes: tuple[str, ...] = ()
    """What was read and has no effect, in words."""

    def at(self, index: int, key: str) -> str:
        """`file:line: slos[0].objective` of a key of an SLO such as `objective`; empty for the SLO itself."""
        if index >= len(self.sources):
            return f"slos[{index}].{key}".rstrip(".")
        source = self.sources[index]
        prefix: Path = () if source.said else ("slos", index)
        return source.at((*prefix, *(key.split(".") if key else ())))

    def least_share(self, evaluation: str) -> float:
        """The smallest share of answers, 0 to 1, that any service has evaluated: what an alert for all of them may expect."""
        shares = [service.sampling[evaluation] for service in self.services.values() if evaluation in service.sampling]
        return min([self.sampling.get(evaluation, INLINE_RATE), *shares])

    def calibration_folder(self) -> File:
        """The folder of calibration files: relative paths lie beside the configuration file."""
        folder = File(self.calibration)
        return folder if folder.is_absolute() or self.source is None else self.source.parent / folder
