"""What real Prometheus servers see: the first failures of a snapshot, a restart of the collector, a scrape that overwrites `service`."""

from __future__ import annotations

import re
import signal
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count as numbers
from pathlib import Path

import pytest
import yaml
from collector_process import Running, until
from otlp_requests import judged, span, traces

from truegreen.alert_rules.generate import files as rule_files
from truegreen.core.clients import engines, prometheus
from truegreen.core.clients.http import Server
from truegreen.core.config import parse_text

Start = Callable[..., Running]
Engine = Callable[[str], Path]
INTERVAL = 0.5
"""Seconds between two scrapes."""
APART = 0.1
"""Seconds between the scrapes of two replicas, at least; a scrape of so small a collector takes some milliseconds."""


@contextmanager
def scraping(collector: Running, folder: Path, replica: str = "a", **more: object) -> Iterator[Server]:
    """A Prometheus that scrapes this collector twice a second."""
    job = {"job_name": "truegreen", "honor_labels": True, "static_configs": [{"targets": [collector.metrics]}], **more}
    config = {
        "global": {
            "scrape_interval": f"{INTERVAL * 1000:.0f}ms",
            "evaluation_interval": f"{INTERVAL * 1000:.0f}ms",
            "external_labels": {"replica": replica},
        },
        "scrape_configs": [job],
    }
    rules = folder / "rules.yml"
    if rules.exists():
        config["rule_files"] = [str(rules)]
    folder.mkdir(exist_ok=True)
    path = folder / f"prometheus-{replica}.yml"
    path.write_text(yaml.safe_dump(config))
    with engines.prometheus(path, folder / f"data-{replica}") as engine:
        server = prometheus.connect(engine.url)
        until(lambda: up(server) == 1, "it scrapes")
        yield server


def up(server: Server) -> float:
    return sum(one.value for one in prometheus.query(server, "up"))


def value(server: Server, expression: str) -> float | None:
    """The sum of an expression, None without a series."""
    found = prometheus.query(server, expression)
    return sum(one.value for one in found) if found else None


def raw(server: Server, selector: str) -> list[prometheus.Sample]:
    """Every sample of the last minutes."""
    return prometheus.query(server, f"{selector}[5m]")


def phase(server: Server) -> float:
    """The part of the interval at which a server scrapes."""
    return raw(server, "up")[-1].time % INTERVAL


@pytest.mark.full
@pytest.mark.parametrize("hold", [pytest.param(True, id="held at 0"), pytest.param(False, id="shown at once")])
def test_two_replicas_that_scrape_at_different_moments_see_the_first_failures_of_a_snapshot(
    start: Start, engine: Engine, tmp_path: Path, hold: bool
) -> None:
    """Both have increase() > 0 for failures that came all at once; a collector that does not hold a new series at 0 loses them in both."""
    engine("prometheus")
    collector = start("--scrape-interval", "500ms" if hold else "1ms")
    collector.post(traces([span(judged("pass", truegreen__snapshot__id="old"))]))
    with ExitStack() as stack:
        first = stack.enter_context(scraping(collector, tmp_path, "a"))
        for number in numbers():  # where in its interval a server scrapes follows from its external labels
            one = ExitStack()
            second = one.enter_context(scraping(collector, tmp_path, f"b{number}"))
            if APART < abs(phase(first) - phase(second)) < INTERVAL - APART:
                stack.push(one)
                break
            one.close()
            assert number < 20
        collector.post(traces([span(judged("fail", truegreen__snapshot__id="new"))] * 5))
        series = 'truegreen_evaluations_total{snapshot="new",result="fail"}'
        for server in (first, second):
            until(lambda server=server: value(server, series) == 5, "the five are there")
            until(lambda server=server: len([s for s in raw(server, series) if s.value == 5]) >= 3, "three scrapes of it")
            seen = [one.value for one in raw(server, series)]
            last = raw(server, series)[-1].time
            found = value(server, f"increase({series}[1m] @ {last:.3f})")
            if hold:
                assert seen[0] == 0 and found is not None and found == pytest.approx(5), seen
            else:
                assert seen[0] == 5 and found == 0, seen


def began(collector: Running) -> float:
    """When the counter of failing answers began, as OpenMetrics says it."""
    asked = urllib.request.Request(f"http://{collector.metrics}/metrics", headers={"Accept": "application/openmetrics-text"})
    with urllib.request.urlopen(asked, timeout=10) as answer:
        found = re.search(r'^truegreen_evaluated_answers_created\{.*result="fail"\} (\S+)$', answer.read().decode(), re.MULTILINE)
    assert found
    return float(found[1])


@pytest.mark.full
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_is_one_reset_and_nothing_is_counted_twice(
    start: Start, engine: Engine, tmp_path: Path, end: signal.Signals
) -> None:
    """Seven failures, a restart, five more: increase() is twelve and rate() twelve in the window; the snapshot has not come up anew."""
    engine("prometheus")
    options = ("--scrape-interval", "2s", "--state", "state.json")  # a snapshot away for 20 of them comes up anew
    failing = [span(judged("fail", truegreen__snapshot__id="s"))]
    series = 'truegreen_evaluated_answers_total{result="fail"}'
    collector = start(*options)
    with scraping(collector, tmp_path) as server:
        collector.post(traces(failing * 7))
        until(lambda: value(server, series) == 7, "seven are scraped")
        if end == signal.SIGKILL:
            until(lambda: "snapshot_since" in (tmp_path / "state.json").read_text(), "the file is written while it runs")
        before = began(collector)
        collector.process.send_signal(end)
        collector.process.wait(20)
        until(lambda: up(server) == 0, "it is gone")
        again = start(*options, at=collector)
        until(lambda: up(server) == 1, "it is back")
        again.post(traces(failing * 5))
        until(lambda: value(server, series) == 5, "five are scraped")
        samples = raw(server, series)
        last = samples[-1].time
        assert before < min(one.time for one in samples if one.value == 7) < began(again) < last
        assert value(server, f"resets({series}[2m] @ {last:.3f})") == 1, [one.value for one in samples]
        # Evaluated at a scrape, of a series that began at 0: nothing to extrapolate, so the numbers are exact.
        assert value(server, f"increase({series}[2m] @ {last:.3f})") == pytest.approx(12)
        assert value(server, f"rate({series}[2m] @ {last:.3f})") == pytest.approx(12 / 120)
        total = "truegreen_collector_accepted_spans_total"
        assert value(server, f"resets({total}[2m])") == 1
        since = raw(server, 'truegreen_snapshot_since_timestamp_seconds{snapshot="s"}')
        assert len({one.value for one in since}) == 1 and since[-1].time > samples[-1].time - 2


OVERWRITING = {
    "by relabelling": {"relabel_configs": [{"target_label": "service", "replacement": "monitoring"}]},
    "by labels of the target": {},
}


@pytest.mark.full
@pytest.mark.parametrize("how", ["by relabelling", "by labels of the target"])
@pytest.mark.parametrize("honor", [pytest.param(True, id="honor_labels"), pytest.param(False, id="no honor_labels")])
def test_a_scrape_that_overwrites_service_fires_an_alert(
    start: Start, engine: Engine, tmp_path: Path, how: str, honor: bool
) -> None:
    """As a ServiceMonitor without `honorLabels: true` does it: the generated alert fires, and with it it does not."""
    engine("prometheus")
    config = parse_text("scrape_interval: 30s\n", "t", {}, None)
    scaled = yaml.safe_load(rule_files(config, 60).files["truegreen.rules.yml"])
    groups = [
        {**group, "rules": [rule for rule in group["rules"] if rule.get("alert") == "TruegreenLabelsOverwritten"]}
        for group in scaled["groups"]
    ]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [group for group in groups if group["rules"]]}))
    collector = start("--scrape-interval", "500ms")
    collector.post(traces([span(judged("fail"))]))
    job: dict[str, object] = {"honor_labels": honor, **OVERWRITING[how]}
    if how != "by relabelling":
        job["static_configs"] = [{"targets": [collector.metrics], "labels": {"service": "monitoring"}}]
    with scraping(collector, tmp_path, **job) as server:
        alert = 'ALERTS{alertname="TruegreenLabelsOverwritten",alertstate="firing"}'
        if honor:
            series = 'truegreen_evaluated_answers_total{service="bot",result="fail"}'
            until(lambda: (value(server, f"count_over_time({series}[1m])") or 0) > 3, "three scrapes and evaluations")
            assert value(server, 'ALERTS{alertname="TruegreenLabelsOverwritten"}') is None
        else:
            until(lambda: value(server, alert) == 1, "the alert fires")
            (firing,) = prometheus.query(server, alert)
            assert (firing.labels["exported_service"], firing.labels["job"]) == ("bot", "truegreen")
            assert value(server, 'truegreen_evaluated_answers_total{service="bot"}') is None
