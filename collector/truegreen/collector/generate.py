"""`truegreen generate collector`: what stands beside, in front of and instead of truegreen's collector, and the Prometheus scrape configuration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from truegreen.collector import generate_kubernetes, generate_otelcol
from truegreen.core.config import Config
from truegreen.core.words.shapes import Generated
from truegreen.core.words.slo import EvaluationSli

TEE = """# Paste into the configuration of your OpenTelemetry Collector: it sends a copy of traces and logs to truegreen; nothing of yours moves.
# Older collectors spell the exporter otlphttp.
exporters:
  otlp_http/truegreen:
    endpoint: "http://{endpoint}"
    compression: gzip
    sending_queue: {{enabled: true, queue_size: 1000}}
    retry_on_failure: {{enabled: true, initial_interval: 1s, max_interval: 5s, max_elapsed_time: 300s}}
    tls: {{insecure: true}}

# In your pipelines, add the exporter beside the ones that you have, before any sampling:
#
#   service:
#     pipelines:
#       traces: {{exporters: [..., otlp_http/truegreen]}}
#       logs: {{exporters: [..., otlp_http/truegreen]}}
"""

SCRAPE = """# Load with `scrape_config_files: [scrape.yml]`, or copy the job below your own scrape_configs.
# honor_labels keeps the labels service and environment as the applications said them: without it every rule would match nothing.
scrape_configs:
  - job_name: truegreen
    honor_labels: true
    scrape_interval: {interval}
    static_configs:
      - targets: [{endpoints}]
"""

METRICS_HEAD: Final = """An OpenTelemetry Collector (contrib; tried with 0.155, no other) that derives the metrics of docs/metrics.md without truegreen's collector, as far
as it can: that page says of each metric whether it can (stock), docs/otelcol.md what differs for all of them. Written by `truegreen generate collector`.
Older collectors spell the connector signaltometrics. It listens on this machine alone; put your own exporters beside forward/spans and forward/events.
Prometheus scrapes port 9464 with honor_labels, as scrape.yml has it."""

BALANCER_HEAD: Final = """An OpenTelemetry Collector (contrib) in front of several truegreen collectors: all spans of one service go to one of them, so that duplicates, estimates
of users, failing traces and raw scores are whole; sums over the collectors are the totals. Evaluation events go by trace, and are counted where they arrive.
Written by `truegreen generate collector`; collector.backends of truegreen.yaml names the collectors.{queue}"""

QUEUE: Final = """
What waits lies on disk and survives a crash; it is retried until it is taken. Let applications send to it directly: a request in which another collector
has batched several services may be sent again whole, and so be counted twice, when one of the collectors does not take its part."""


def files(config: Config, time_scale: int) -> Generated:
    """All files; the scrape interval is the configured one divided by `time_scale`, at least a second when scaled."""
    interval = (
        config.scrape_interval_seconds / time_scale if time_scale == 1 else max(1.0, config.scrape_interval_seconds / time_scale)
    )
    own, kubernetes = config.collector, config.collector.kubernetes
    judged = (slo.sli.evaluation for slo in config.slos if isinstance(slo.sli, EvaluationSli))
    evaluations = tuple(dict.fromkeys((*config.evaluations, *judged)))
    dns = f"{generate_kubernetes.HEADLESS}.{kubernetes.namespace}.svc.cluster.local"
    balancers = (generate_otelcol.balancer(own.backends, dns, queue) for queue in (False, True))
    plain, queued = (
        generate_otelcol.text(made, BALANCER_HEAD.format(queue=said)) for made, said in zip(balancers, ("", QUEUE), strict=True)
    )
    scrape = SCRAPE.format(
        interval=duration(interval), endpoints=", ".join(f'"{target}"' for target in _targets(own.metrics_endpoint, own.backends))
    )
    return Generated(
        {
            "tee.yaml": TEE.format(endpoint=reachable(own.http_endpoint)),
            "scrape.yml": scrape,
            "otelcol_metrics.yaml": generate_otelcol.text(
                generate_otelcol.metrics(evaluations, interval, config.metrics), METRICS_HEAD
            ),
            "balancer.yaml": plain,
            "balancer_queue.yaml": queued,
            "kubernetes.yaml": generate_kubernetes.file(
                kubernetes.namespace, kubernetes.replicas, kubernetes.image, kubernetes.prometheus_namespace, duration(interval)
            ),
        },
        (f"collector: start it with --scrape-interval {duration(interval)}, the interval of scrape.yml",),
        {"scrape_interval_seconds": interval},
    )


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
