"""An SLO that no metric can serve is refused, with file, line, key, what was found and what to write."""

from __future__ import annotations

import pytest

from truegreen.alert_rules.generate import files
from truegreen.core.errors import BadInput

OWN = "slos:\n  - name: mine\n    objective: 99%\n    layer: quality\n    failure_mode: latency\n    sli: {sli}\n"
WRONG = [
    ("{metric: truegreen_llm_duration_seconds, threshold: 7}", "sli.threshold", "7 is no bucket boundary", "0.1, 0.25"),
    (
        "{metric: truegreen_llm_time_seconds, threshold: 5}",
        "sli.metric",
        "no metric is named truegreen_llm_time_seconds",
        "docs/metrics.md",
    ),
    ("{metric: truegreen_llm_requests_total, threshold: 5}", "sli.metric", "is a counter", "a histogram"),
    ("{metric: truegreen_llm_requests_total, label: result, bad: [error]}", "sli.label", "has no label result", "outcome"),
    (
        "{metric: truegreen_llm_requests_total, label: outcome, bad: [failed]}",
        "sli.bad",
        "is never failed",
        "ok, error, throttled, timeout",
    ),
    (
        "{metric: truegreen_llm_requests_total, label: outcome, bad: [error], among: [ok]}",
        "sli.among",
        "error is bad but",
        "among with",
    ),
    (
        "{metric: truegreen_llm_requests, total: truegreen_agent_runs_total}",
        "sli.metric",
        "no metric is named",
        "truegreen_llm_requests_total",
    ),
    (
        "{metric: truegreen_collector_accepted_spans_total, total: truegreen_agent_runs_total}",
        "sli.metric",
        "of the collector itself",
        "service and",
    ),
    ("{metric: truegreen_drift_zscore, younger_than: 24h}", "sli.metric", "is not a timestamp", "_timestamp_seconds"),
    ("{evaluation: tone}", "sli.evaluation", "no evaluation is named tone", "groundedness"),
    ("{evaluation: groundedness, floor: 0.77}", "sli.floor", "0.77 is no bucket boundary", "0.85"),
]


@pytest.mark.parametrize(("sli", "key", "found", "instead"), WRONG)
def test_an_sli_that_matches_nothing_is_refused(config, sli, key, found, instead):
    """A rule on it would be silent for ever."""
    with pytest.raises(BadInput) as raised:
        files(config(OWN.replace("{sli}", sli)), 1)
    message = str(raised.value)
    assert f"truegreen.yaml:6: slos[0].{key} (mine): " in message
    assert found in message
    assert instead in message.split("; write ")[1]


def test_a_calibration_that_was_edited_is_refused(config, calibrate, tmp_path):
    """Its digest no longer fits."""
    calibrate("bot", "production", "groundedness", 0.03, 600)
    (path,) = (tmp_path / "calibration").iterdir()
    path.write_text(path.read_text("utf-8").replace('"answers": 600', '"answers": 6000'), "utf-8")
    with pytest.raises(BadInput, match="digest"):
        files(config(), 1)


def test_two_calibrations_of_one_signal_are_refused(config, calibrate, tmp_path):
    """Which one is expected could not be said."""
    calibrate("bot", "production", "groundedness", 0.03, 600)
    (path,) = (tmp_path / "calibration").iterdir()
    (path.parent / "copy.json").write_text(path.read_text("utf-8"), "utf-8")
    with pytest.raises(BadInput, match="remove one"):
        files(config(), 1)
