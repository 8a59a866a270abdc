"""Configurations of the OpenTelemetry Collector: the one that derives the metrics itself, and the tier that spreads services over several collectors."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from truegreen.collector import generate_dialects, generate_metrics, generate_secured, generate_series
from truegreen.collector.generate_ottl import SPAN, quoted
from truegreen.core.config.receiver import Limits, Receiver
from truegreen.core.words import attributes as names
from truegreen.core.words import catalogue, dialects
from truegreen.core.words.catalogue_own import Catalogue

LIMIT: Final = Limits().request
"""Bytes of one request, as in truegreen's own collector: spans with content outgrow the 4 MiB that gRPC has by default."""
TEE_BATCH: Final = 256
"""Spans of a request of the tee, so that with 80 kB each it is not over the limit."""
MEMORY: Final = {"check_interval": "1s", "limit_percentage": 75, "spike_limit_percentage": 20}
_VARIABLE: Final = re.compile(r"\$\$\{env:(TRUEGREEN_[A-Z_]+|POD_IP)\}")
RETRY: Final = {"enabled": True, "initial_interval": "1s", "max_interval": "5s", "max_elapsed_time": "300s"}


def metrics(evaluations: Sequence[str], scrape_interval: float, wanted: Catalogue | None = None) -> Mapping[str, Any]:
    """The configuration that derives the metrics without truegreen's collector.

    Args:
        evaluations: names of the evaluations that are counted.
        scrape_interval: seconds between scrapes; series leave 2,880 of them after they were last counted.
        wanted: what is derived, as far as it can be; None takes our catalogue, without a user's own metrics.
    """
    derived = generate_metrics.derived(wanted or Catalogue())
    spans, events = generate_metrics.spans(derived, evaluations), generate_metrics.events(derived, evaluations)
    looked_at = generate_metrics.looked_at(derived)
    kept = generate_metrics.kept(spans, derived, evaluations)
    stay = f"{generate_metrics.EXPIRES * scrape_interval:.0f}s"
    normalised = generate_dialects.groups(dialects.DIALECTS, looked_at)
    series = generate_series.afterwards((spans, events), derived.metrics)
    connector = {"error_mode": "silent", "spans": spans.definitions} | (
        {"logs": events.definitions} if events.definitions else {}
    )
    made = {
        "extensions": {"health_check": {"endpoint": "127.0.0.1:13133"}},
        "receivers": {"otlp": {"protocols": receiver("127.0.0.1:4317", "127.0.0.1:4318")}},
        "processors": {
            "memory_limiter": MEMORY,
            "filter/spans": {"error_mode": "silent", "traces": {"span": _dropped(derived)}},
            "filter/events": {"error_mode": "silent", "logs": {"log_record": _no_event()}},
            "transform/spans": {
                "error_mode": "silent",
                "trace_statements": [
                    _group("resource", [], _identity()),
                    *(_group(*group) for group in normalised),
                    *(_group("span", *group) for group in spans.groups),
                    _group("span", [], [f"keep_keys(span.attributes, [{', '.join(map(quoted, kept))}])"]),
                ],
            },
            "transform/events": {
                "error_mode": "silent",
                "log_statements": [
                    _group("resource", [], _identity()), *(_group("log", *group) for group in events.groups),
                ],
            },
            "batch/spans": {"send_batch_size": 8192, "send_batch_max_size": 16384, "timeout": "1s"},
            "batch/events": {"send_batch_size": 8192, "timeout": "1s"},
            "batch/series": {"send_batch_size": 100_000, "timeout": "200ms"},
            "transform/series": {
                "error_mode": "silent",
                "metric_statements": [
                    _group("metric", [], ["set(metric.is_monotonic, true) where metric.type == METRIC_DATA_TYPE_SUM"]),
                    *(_group("datapoint", *group) for group in series),
                    _group("resource", [], ['delete_matching_keys(resource.attributes, ".*")']),
                ],
            },
            "deltatocumulative": {"max_stale": stay, "max_streams": catalogue.SERIES_LIMIT},
        },
        "connectors": {"forward/spans": {}, "forward/events": {}, "signal_to_metrics": connector},
        "exporters": {
            "prometheus": {
                "endpoint": "127.0.0.1:9464", "metric_expiration": stay, "translation_strategy": "UnderscoreEscapingWithSuffixes",
                "without_scope_info": True,
            },
        },
    }  # fmt: skip
    made["service"] = {
        "extensions": ["health_check"],
        "pipelines": {
            "traces/in": {"receivers": ["otlp"], "processors": ["memory_limiter"], "exporters": ["forward/spans"]},
            "logs/in": {"receivers": ["otlp"], "processors": ["memory_limiter"], "exporters": ["forward/events"]},
            "traces/counted": {
                "receivers": ["forward/spans"], "processors": ["filter/spans", "transform/spans", "batch/spans"],
                "exporters": ["signal_to_metrics"],
            },
            "logs/counted": {
                "receivers": ["forward/events"], "processors": ["filter/events", "transform/events", "batch/events"],
                "exporters": ["signal_to_metrics"],
            },
            "metrics/out": {
                "receivers": ["signal_to_metrics"], "processors": ["batch/series", "transform/series", "deltatocumulative"],
                "exporters": ["prometheus"],
            },
        },
    }  # fmt: skip
    return made


def tee(endpoint: str, asked: Receiver) -> Mapping[str, Any]:
    """What a team's own collector needs to send a copy of traces and logs to truegreen's.

    An exporter that stands in a pipeline of theirs answers "queue is full" to their clients when truegreen is away for long; behind a batch of its own that
    error ends in the batch's log, and their pipeline gives to a connector, which takes at once.

    Args:
        endpoint: HOST:PORT of OTLP by HTTP.
        asked: what truegreen's receivers ask for.
    """
    own = "forward/truegreen"
    pipeline = {"receivers": [own], "processors": ["batch/truegreen"], "exporters": ["otlp_http/truegreen"]}
    return {
        "connectors": {own: {}},
        "processors": {
            "batch/truegreen": {"send_batch_size": TEE_BATCH, "send_batch_max_size": TEE_BATCH, "timeout": "1s"},
        },
        "exporters": {
            "otlp_http/truegreen": {
                "endpoint": f"{'https' if asked.tls else 'http'}://{endpoint}", "compression": "gzip",
                "sending_queue": {"enabled": True, "queue_size": 100}, "retry_on_failure": RETRY,
                **generate_secured.client(asked),
            },
        },
        "service": {"pipelines": {"traces/truegreen": pipeline, "logs/truegreen": pipeline}},
    }  # fmt: skip


def balancer(
    backends: Sequence[str],
    service: str,
    queue: bool,
    asked: Receiver,
    files: Mapping[str, str] = generate_secured.ENVIRONMENT,
) -> Mapping[str, Any]:
    """The tier that gives each service's spans to one of several truegreen collectors.

    Args:
        backends: their OTLP/gRPC addresses; none to find them by the DNS name `service`.
        service: the name of a headless service that resolves to all of them.
        queue: whether what waits is on disk, so that a crash does not lose it.
        asked: what their receivers ask for.
        files: where the certificates are with which it sends.
    """
    resolver: dict[str, Any] = {"static": {"hostnames": list(backends)}} if backends else {
        "dns": {"hostname": service, "port": "4317", "interval": "5s"}
    }  # fmt: skip
    # A queue for each collector is in memory only. The one on disk stands before the choice of a collector: what waits goes to those that are there when it
    # is sent, and a request of several services of which one collector takes its part and another does not is sent again whole.
    sending = {"enabled": True, "queue_size": 1000}
    # Inflating would cost the collectors about as much as counting.
    # By DNS it connects to addresses, which no certificate names.
    secured = generate_secured.client(asked, files, "" if backends else service)
    otlp: dict[str, Any] = {"timeout": "5s", "compression": "none", **secured}
    exporter: dict[str, Any] = {"routing_key": "service", "protocol": {"otlp": otlp}, "resolver": resolver}
    extensions: dict[str, Any] = {"health_check": {"endpoint": "127.0.0.1:13133"}}
    if queue:
        otlp |= {"sending_queue": {"enabled": False}, "retry_on_failure": {"enabled": False}}
        exporter |= {
            "sending_queue": sending | {"storage": "file_storage/queue"},
            "retry_on_failure": RETRY | {"max_elapsed_time": "0s"},
        }
        extensions["file_storage/queue"] = {
            "directory": "/var/lib/otelcol/queue", "create_directory": True, "timeout": "1s", "fsync": True,
            "compaction": {"on_start": True, "on_rebound": True, "directory": "/var/lib/otelcol/queue"},
        }  # fmt: skip
    else:
        otlp |= {"sending_queue": sending, "retry_on_failure": RETRY}
    # Of logs the exporter knows the trace id only; evaluation events are few, and their counts add up wherever they are counted.
    events = {key: value for key, value in exporter.items() if key != "routing_key"} | {"routing_key": "traceID"}
    pipeline = {"receivers": ["otlp"], "processors": ["memory_limiter"]}
    return {
        "extensions": extensions,
        "receivers": {"otlp": {"protocols": receiver("127.0.0.1:4317", "127.0.0.1:4318", asked.limits.request)}},
        "processors": {"memory_limiter": MEMORY},
        "exporters": {"loadbalancing/spans": exporter, "loadbalancing/events": events},
        "service": {
            "extensions": list(extensions),
            "pipelines": {
                "traces": {**pipeline, "exporters": ["loadbalancing/spans"]},
                "logs": {**pipeline, "exporters": ["loadbalancing/events"]},
            },
        },
    }


def receiver(grpc: str, http: str, limit: int = LIMIT) -> Mapping[str, Any]:
    """The protocols of an OTLP receiver; `limit` is in bytes of one request."""
    return {
        "grpc": {"endpoint": grpc, "max_recv_msg_size_mib": -(-limit // (1 << 20))},
        "http": {"endpoint": http, "max_request_body_size": limit},
    }


def text(configuration: Mapping[str, Any], head: str) -> str:
    """The YAML of a configuration under a comment; a dollar sign is doubled, as the Collector wants it, but for that of our variables."""
    return comment(head) + _VARIABLE.sub(r"${env:\1}", yaml_of(configuration).replace("$", "$$"))


def comment(words: str) -> str:
    """The words as lines of a comment."""
    return "".join(f"# {line}".rstrip() + "\n" for line in words.strip().splitlines())


def yaml_of(value: Any) -> str:
    """YAML in the order of the keys; repeats are written out, and texts of several lines as they are."""
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

    def written(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, "|" if "\n" in value else None)

    Dumper.add_representer(str, written)
    return yaml.dump(value, Dumper=Dumper, sort_keys=False, width=100_000, allow_unicode=True)


def _group(context: str, conditions: Sequence[str], statements: Sequence[str]) -> dict[str, Any]:
    held = {"conditions": list(conditions)} if conditions else {}
    return {"context": context, **held, "statements": list(statements)}


def _identity() -> list[str]:
    made = []
    for label in (catalogue.SERVICE, catalogue.ENVIRONMENT):
        assert label.read is not None
        x = f'resource.attributes["{label.name}"]'
        made.append(f'set({x}, "{label.default}")')
        made += [
            f'set({x}, resource.attributes["{name}"]) where resource.attributes["{name}"] != nil and resource.attributes["{name}"] != ""'
            for name in reversed(label.read.names)
        ]
    return made


def _dropped(derived: Catalogue) -> list[str]:
    """A span is dropped that some library has counted already, and one that has nothing that is looked at."""
    gates = [name for gate in derived.spans.values() if gate.read for name in gate.read.names]
    signs = dict.fromkeys((*gates, *generate_dialects.marks_of(dialects.DIALECTS)))
    absent = " and ".join(f"{SPAN.attribute(name)} == nil" for name in signs)
    return [f"{SPAN.attribute(names.DUPLICATE)} == true", absent]


def _no_event() -> list[str]:
    event = f'log.event_name == "{names.EVALUATION_EVENT}" or log.attributes["{names.EVENT_NAME}"] == "{names.EVALUATION_EVENT}"'
    return [f"not ({event})", f'log.attributes["{names.EVALUATION_MIRRORED}"] == true']
