"""A real Prometheus scrapes the collector with the generated configuration, and with one that overwrites labels."""

from __future__ import annotations

import json
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from collector_process import Running, until
from otlp_requests import judged, span, traces

from truegreen.collector.generate import files
from truegreen.core.clients import engines, prometheus
from truegreen.core.config import parse_text

CONFIG = "scrape_interval: 2s\ncollector: {{metrics_endpoint: '{metrics}'}}\n"


def scraped(collector: Running, folder: Path, text: str) -> list[prometheus.Sample]:
    """What Prometheus has of one counter after a scrape with this configuration."""
    path = folder / "prometheus.yml"
    path.write_text(text)
    engines.check_config(path)
    with engines.prometheus(path, folder / "data") as engine:
        server = prometheus.connect(engine.url)
        found: list[prometheus.Sample] = []

        def there() -> bool:
            found[:] = prometheus.query(server, "truegreen_evaluated_answers_total > 0")
            return bool(found)

        until(there, "Prometheus has the series")
        # When each series began is read, and not kept as one more series.
        assert not prometheus.query(server, '{__name__=~".+_created"}')
        return found


@pytest.mark.parametrize("honor", [True, pytest.param(False, marks=pytest.mark.full)])
def test_the_generated_scrape_keeps_the_applications_labels(
    start: Callable[..., Running], engine: Callable[[str], Path], tmp_path: Path, honor: bool
) -> None:
    """With honor_labels service is the application's; a scrape that sets its own leaves `exported_service`, which an alert looks for."""
    engine("prometheus"), engine("promtool")
    collector = start("--scrape-interval", "1s")
    collector.post(traces([span(judged("fail"))]))
    text = files(parse_text(CONFIG.format(metrics=collector.metrics), "t", {}, None), 4).files["scrape.yml"]
    assert "scrape_interval: 1s" in text
    if not honor:
        text = text.replace("honor_labels: true", "honor_labels: false").replace(
            "]\n", "]\n        labels: {service: monitor, environment: x}\n"
        )
    labels = scraped(collector, tmp_path, text)[0].labels
    if honor:
        assert (labels["service"], labels["environment"]) == ("bot", "production")
        assert "exported_service" not in labels
    else:
        assert (labels["service"], labels["exported_service"]) == ("monitor", "bot")


def test_prometheus_leads_from_a_failing_answer_to_its_trace(
    start: Callable[..., Running], engine: Callable[[str], Path], tmp_path: Path
) -> None:
    """With its exemplar storage on, Prometheus asks for OpenMetrics and has the trace behind a counter and a bucket, to be linked to a trace store."""
    engine("prometheus"), engine("promtool")
    collector = start("--scrape-interval", "1s")
    text = files(parse_text(CONFIG.format(metrics=collector.metrics), "t", {}, None), 4).files["scrape.yml"]
    (tmp_path / "prometheus.yml").write_text(text)
    with engines.prometheus(
        tmp_path / "prometheus.yml", tmp_path / "data", args=["--enable-feature=exemplar-storage"]
    ) as running:
        collector.post(traces([span(judged("fail"), seconds=7, trace_id=b"\xab" * 16)]))
        ends = time.time() + 600

        def found(query: str) -> list[dict[str, str]]:
            asked = urllib.parse.urlencode({"query": query, "start": time.time() - 600, "end": ends})
            with urllib.request.urlopen(f"{running.url}/api/v1/query_exemplars?{asked}") as answer:
                series = json.load(answer)["data"]
            return [
                one["labels"] | {"value": one["value"], "le": s["seriesLabels"].get("le", "")}
                for s in series
                for one in s["exemplars"]
            ]

        until(lambda: found("truegreen_evaluated_answers_total") != [], "Prometheus has an exemplar")
        expected = {"trace_id": "ab" * 16, "span_id": "02" * 8}
        assert found('truegreen_evaluated_answers_total{result="fail"}') == [expected | {"value": "1", "le": ""}]
        assert found("truegreen_llm_duration_seconds_bucket") == [expected | {"value": "7", "le": "10.0"}]
        assert found("truegreen_evaluation_score_bucket") == [expected | {"value": "0.5", "le": "0.5"}]
