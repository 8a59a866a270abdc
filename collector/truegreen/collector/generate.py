"""`truegreen generate collector`: what stands beside, in front of and instead of truegreen's collector, and the Prometheus scrape configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from truegreen.collector import generate_kubernetes, generate_mounted, generate_otelcol, generate_scrape, generate_secured
from truegreen.core.config import Config
from truegreen.core.words.shapes import Generated
from truegreen.core.words.slo import EvaluationSli

TEE_HEAD: Final = """Load beside the configuration of your OpenTelemetry Collector (a second --config), or paste into it, and add the connector to the exporters of your own
pipelines, before any sampling; nothing of yours moves:

  service:
    pipelines:
      traces: {{exporters: [..., forward/truegreen]}}
      logs: {{exporters: [..., forward/truegreen]}}

It sends a copy of traces and logs to truegreen. While truegreen is away for long its queue fills, and what does not fit is lost to truegreen alone, with a
line in your Collector's log: an exporter of truegreen in your own pipeline would have your clients refused. Older collectors spell the exporter otlphttp.{variables}"""

METRICS_HEAD: Final = """An OpenTelemetry Collector (contrib; tried with 0.155, no other) that derives the metrics of docs/metrics.md without truegreen's collector, as far
as it can: that page says of each metric whether it can (stock), docs/otelcol.md what differs for all of them. Written by `truegreen generate collector`.
Older collectors spell the connector signaltometrics.{apart} It listens on this machine alone; put your own exporters beside forward/spans and forward/events.
Prometheus scrapes port 9464 with honor_labels, as scrape.yml has it."""

BALANCER_HEAD: Final = """An OpenTelemetry Collector (contrib) in front of several truegreen collectors: all spans of one service go to one of them, so that duplicates, estimates
of users, failing traces and raw scores are whole; sums over the collectors are the totals. Evaluation events go by trace, and are counted where they arrive.
Written by `truegreen generate collector`; collector.backends of truegreen.yaml names the collectors.{apart}{variables}{queue}"""

QUEUE: Final = """
What waits lies on disk and survives a crash; it is retried until it is taken. Let applications send to it directly: a request in which another collector
has batched several services may be sent again whole, and so be counted twice, when one of the collectors does not take its part."""


APART: Final = """
Not in it: {keys} of truegreen.yaml. {why}"""
LISTENS: Final = "It listens on this machine alone, without TLS and for everybody there."
INSTEAD: Final = "They are of truegreen's own collector."


def files(config: Config, time_scale: int) -> Generated:
    """All files; the scrape interval is the configured one divided by `time_scale`, at least a second when scaled."""
    interval = (
        config.scrape_interval_seconds / time_scale if time_scale == 1 else max(1.0, config.scrape_interval_seconds / time_scale)
    )
    own, asked = config.collector, config.collector.receiver
    judged = (slo.sli.evaluation for slo in config.slos if isinstance(slo.sli, EvaluationSli))
    evaluations = tuple(dict.fromkeys((*config.evaluations, *judged)))
    dns = generate_kubernetes.service_name(own.kubernetes.namespace)
    balancers = (generate_otelcol.balancer(own.backends, dns, queue, asked) for queue in (False, True))
    variables = generate_secured.variables(asked)
    doors = {"tls": asked.tls, "token_file": asked.token_file}
    at_the_door = _apart(doors, LISTENS)
    plain, queued = (
        generate_otelcol.text(made, BALANCER_HEAD.format(queue=said, variables=variables, apart=at_the_door))
        for made, said in zip(balancers, ("", QUEUE), strict=True)
    )
    instead = _apart({**doors, "forward": own.forward, "state": own.state}, INSTEAD)
    serve = config.incidents.serve
    others = {generate_scrape.CANARY: own.canary_endpoint, generate_scrape.INCIDENTS: serve.endpoint}
    secret = bool(generate_mounted.settings(config)[1])
    return Generated(
        {
            "tee.yaml": generate_otelcol.text(
                generate_otelcol.tee(reachable(own.http_endpoint), asked), TEE_HEAD.format(variables=variables)
            ),
            "scrape.yml": generate_scrape.text(
                _targets(own.metrics_endpoint, own.backends), duration(interval), config.metrics,
                {job: reachable(place) for job, place in others.items() if place},
                {generate_scrape.INCIDENTS: str(serve.token_file.resolve())} if serve.token_file else {},
            ),
            "otelcol_metrics.yaml": generate_otelcol.text(
                generate_otelcol.metrics(evaluations, interval, config.metrics), METRICS_HEAD.format(apart=instead)
            ),
            "balancer.yaml": plain,
            "balancer_queue.yaml": queued,
            "kubernetes.yaml": generate_kubernetes.file(config, duration(interval)),
        },
        (
            f"collector: start it with --scrape-interval {duration(interval)}, the interval of scrape.yml",
            *([f"tee.yaml, balancer.yaml: {variables.strip()}"] if variables else []),
            *(f"{name}: {' '.join(said.split())}" for name, said in (
                ("balancer.yaml", at_the_door), ("otelcol_metrics.yaml", instead)) if said),
            *(["kubernetes.yaml: make the Secret that its first lines name before you apply it"] if secret else []),
        ),
        {"scrape_interval_seconds": interval},
    )  # fmt: skip


def _apart(given: Mapping[str, object], why: str) -> str:
    """What of truegreen.yaml a file does not carry, empty where there is none of it."""
    keys = [f"collector.{key}" for key, value in given.items() if value]
    return APART.format(keys=", ".join(keys), why=why) if keys else ""


def duration(seconds: float) -> str:
    """A Prometheus duration: `30s`, or `500ms` where it is no whole number of seconds."""
    return f"{seconds:.0f}s" if seconds == int(seconds) else f"{max(1, round(seconds * 1000))}ms"


def reachable(endpoint: str) -> str:
    """The address that a client writes: an endpoint that listens on all interfaces is reached on this machine."""
    host, _, port = endpoint.rpartition(":")
    return f"127.0.0.1:{port}" if host in ("0.0.0.0", "[::]", "::", "") else endpoint  # noqa: S104  # compared, not bound


def _targets(metrics_endpoint: str, backends: Sequence[str]) -> list[str]:
    """What Prometheus scrapes: the metrics port on the machine of each of several collectors."""
    port = metrics_endpoint.rpartition(":")[2]
    return [f"{backend.rpartition(':')[0]}:{port}" for backend in backends] or [reachable(metrics_endpoint)]
