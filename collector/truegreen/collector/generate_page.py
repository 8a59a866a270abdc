"""The page `docs/otelcol.md`: what an OpenTelemetry Collector does beside, in front of and instead of truegreen's."""

from __future__ import annotations

from typing import Final

from truegreen.collector import generate_dialects, generate_metrics
from truegreen.collector.generate_metrics import EXPIRES, LISTED, MEASURED, mark
from truegreen.core.words import catalogue, dialects
from truegreen.core.words.catalogue_own import Catalogue

HEAD: Final = """# With an OpenTelemetry Collector

Written from code by `make generate`; do not edit.

`truegreen generate collector --out DIR` writes, and `collector/generated/` holds for the default configuration:

| file | what it is |
|---|---|
| `tee.yaml` | for your own OpenTelemetry Collector: a copy of traces and logs goes to truegreen's collector |
| `scrape.yml` | the Prometheus scrape configuration; `_created`, one more series of each counter and histogram, is dropped |
| `otelcol_metrics.yaml` | an OpenTelemetry Collector that derives the metrics itself, without truegreen's collector |
| `balancer.yaml` | an OpenTelemetry Collector in front of several truegreen collectors |
| `balancer_queue.yaml` | the same with a queue on disk (`file_storage`), which survives a crash |
| `kubernetes.yaml` | StatefulSet with a volume for each collector's state, Deployment of the balancer, ConfigMaps, Services, ServiceMonitor, NetworkPolicies |

**What they carry of `truegreen.yaml`.** With `collector.tls` and `token_file`, the tee and the balancers send by TLS and with a token; files and token come from the environment (the head of each says
which). `kubernetes.yaml` has a `truegreen.yaml` for the pods (`tls`, `token_file`, `limits`, `forward`, `flush`, your own metrics); the files that it names are of a Secret, and the head has the command
that makes it. The balancer in Kubernetes asks its own senders for the same certificates and tokens. What a file does not carry is said in its head and when it is written.

**The tee** gives to a connector, behind which a pipeline of its own has a batch and the exporter. An exporter of truegreen beside yours would answer "queue is full" to your clients once truegreen
has been away for long, and they would send again what your backend has already; so what does not fit is lost to truegreen alone, with a line in your Collector's log. `make test-full` holds that against
a real OpenTelemetry Collector. Its queue has 100 requests of at most 256 spans, in your Collector's memory.

## Several collectors

One collector is enough for tens of thousands of LLM spans a second (`benchmarks/collector.py`). Past that, `balancer.yaml` gives all spans of one service to one of
several (`routing_key: service`), so that what is kept for each service (duplicates, estimates of users, failing traces, raw scores) is whole. Series are disjoint by
service, and sums over the collectors are the totals. Evaluation events are logs, of which the exporter knows the trace id only: they are counted where they arrive, so an
evaluation's counts may stand in several collectors, and their sum is right. A service's spans that were counted before the number of collectors changed stay where they are.

`balancer.yaml` keeps a queue in memory for each collector: a crash of the balancer loses what waits in it. `balancer_queue.yaml` keeps it on disk; `make test-full` kills it while no
collector is there, and nothing is lost. Its price: a request of several services (applications send none; another collector that batches does) of which one collector takes its
part and another does not is sent again whole, and the part that was taken counts twice.

## Without truegreen's collector

`otelcol_metrics.yaml` is compiled from the same catalogue and the same dialect table: a filter, OTTL statements that give spans of every dialect the conventions' names, the
connector `signal_to_metrics`, `deltatocumulative`, the Prometheus exporter. `make test-full` runs it in a real OpenTelemetry Collector beside truegreen's, sends both the
recorded spans of every library and generated ones, and compares every series, value by value. What differs, for all metrics:

- A series is not born at 0: what has counted nothing is not there, and `increase()` loses the first events of a new one.
- Labels have no limit, there is no `__overflow__`; past {limit:,} streams new ones are dropped. Label values are cut at {length} bytes, not characters.
- No exemplars, no `/failing`, no `/scores`: `baseline take` and the trace links of alerts have nothing to read.
- A series that nothing was counted for leaves after a day ({expires:,} scrapes), counters too.
- What is unusable (NaN, out of range, a text for a number) is left out in silence: no `truegreen_collector_dropped_spans_total`.
- A request is acknowledged before it is counted: a crash loses up to a second.
- Of lists the first {listed} texts or {measured} numbers are counted. Of `truegreen.evaluation.*`, the evaluations that `truegreen.yaml` names.
- JSON is read as JSON only, not as Python writes it.
- A label value that is a list or a fraction is written as the Collector writes it (`3` for `3.0`); in truegreen's collector a list is no label value.
- Of a gauge's values that come within a second, some with an empty label and some without that label, any may be the one that stays.

`python benchmarks/collector.py --otelcol` pins both to one core, sends both the same requests of 200 evaluated LLM spans in turn, and prints spans by CPU second: on two quiet
cores, medians of seven rounds of 3 s, truegreen with the whole catalogue counts 4.9 times as many by HTTP and 3.9 times as many by gRPC as the OpenTelemetry Collector 0.155 (GOMAXPROCS=1) with
what it can derive, in 76 MB against 166 MB. Other work takes from both: in other runs the ratio was 3.6 to 5.5 by HTTP and 3.6 to 6.6 by gRPC. The generated batches are large
because most of what is done after the connector is done once for each series of a batch: with none before it, it counts less than half as many.
"""


def page() -> str:
    """The page's text."""
    derived = generate_metrics.derived(Catalogue())
    said = {
        "limit": catalogue.SERIES_LIMIT,
        "length": catalogue.VALUE_LENGTH,
        "expires": EXPIRES,
        "listed": LISTED,
        "measured": MEASURED,
    }
    lines = [HEAD.format(**said), "| metric | how much | what it cannot |", "|---|---|---|"]
    for metric in catalogue.ALL:
        stock, why = mark(metric)
        if metric.span:
            lines.append(f"| [`{metric.prometheus}`](metrics.md#{metric.prometheus}) | {stock} | {why or '-'} |")
    lines += [
        "",
        "Of the dialects' fields ([dialects.md](dialects.md)):",
        "",
        "| dialect | field | what differs |",
        "|---|---|---|",
    ]
    differing = generate_dialects.left_out(dialects.DIALECTS, generate_metrics.looked_at(derived))
    lines += [f"| {dialect} | `{field}` | {why} |" for dialect, field, why in differing]
    return "\n".join([*lines, ""])
