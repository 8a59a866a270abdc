"""`truegreen generate collector`: the tee in a team's own OpenTelemetry Collector, and the Prometheus scrape configuration."""

from __future__ import annotations

from truegreen.core.config import Config
from truegreen.core.words.shapes import Generated

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
      - targets: ["{endpoint}"]
"""


def files(config: Config, time_scale: int) -> Generated:
    """`tee.yaml` and `scrape.yml`; the scrape interval is the configured one divided by `time_scale`, at least a second when scaled."""
    interval = (
        config.scrape_interval_seconds / time_scale if time_scale == 1 else max(1.0, config.scrape_interval_seconds / time_scale)
    )
    scrape = SCRAPE.format(interval=duration(interval), endpoint=reachable(config.collector.metrics_endpoint))
    return Generated(
        {"tee.yaml": TEE.format(endpoint=reachable(config.collector.http_endpoint)), "scrape.yml": scrape},
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
