"""Several services, several SLOs, several evaluations on one board: whose number it is, and that no two are folded into one."""

from __future__ import annotations

import json

import pytest

from truegreen.core.config import parse_text
from truegreen.dashboards import boards as modules
from truegreen.dashboards import check, frame
from truegreen.dashboards.model import View


@pytest.fixture
def make():
    """`make(text)` is the boards of a configuration, looked at and not checked."""

    def made(text):
        view = View(parse_text(text, "truegreen.yaml", {}, None))
        return {f"{name}.json": frame.whole(board, frame.clock(30, 1)) for name, board in modules.every(view).items()}

    return made


def _panel(board, title):
    return next(panel for panel in check.panels(board) if panel["title"] == title)


def test_what_is_coloured_is_of_one_service_that_is_named(make):
    """All services together are green while a small one is down, a fixed quantile is green while 99.9 % is missed."""
    made = make("slos: [{name: latency, objective: 99.9%}, {name: availability}, {name: grounding}]\n")
    for name, title in (
        ("latency.json", "Calls too slow"),
        ("overview.json", "Calls failed"),
        ("hallucination.json", "Ungrounded, 15 min"),
    ):
        panel = _panel(made[name], title)
        (target,) = panel["targets"]
        assert "topk(1, " in target["expr"]
        assert "{{service}} {{environment}}" in target["legendFormat"]
        assert panel["options"]["textMode"] == "value_and_name"
    assert _panel(made["latency.json"], "Calls too slow")["fieldConfig"]["defaults"]["thresholds"]["steps"][1]["value"] == 0.001
    for name, title in (("latency.json", "Call duration by provider and model"), ("overview.json", "Call duration")):
        target = _panel(made[name], title)["targets"][-1]
        assert "histogram_quantile(0.999, " in target["expr"]
        assert target["legendFormat"].startswith("p99.9 {{")


def test_no_line_is_drawn_for_a_quantile_that_is_not_the_objective(make):
    """Two objectives have no one quantile."""
    made = make("slos: [{name: latency, objective: 99%, objectives: {shop: 95%}}]\n")
    for title in ("Call duration", "Call duration by provider and model"):
        assert "thresholds" not in _panel(made["latency.json"], title)["fieldConfig"]["defaults"]


TWO = "slos: [{name: grounding}, {name: faithful, sli: {evaluation: faithfulness}, objective: 99%, layer: quality, failure_mode: hallucination}]\n"


def test_two_evaluations_are_two_lines(make):
    """8 % of one and 0 % of the other are no 4 %."""
    made = make(TWO)
    titles = {
        "hallucination.json": ("Ungrounded by model", "Ungrounded by cohort", "Judged answers"),
        "versions.json": ("Ungrounded by requested model", "Ungrounded by prompt", "Ungrounded by cohort"),
        "incident.json": ("Ungrounded by model",),
        "drift.json": ("Failed by cohort",),
    }
    for name, title in ((name, title) for name, each in titles.items() for title in each):
        assert "{{evaluation}}" in _panel(made[name], title)["targets"][0]["legendFormat"], (name, title)
    organized = json.dumps(_panel(made["hallucination.json"], "Ungrounded by model and version")["transformations"])
    assert '"Evaluation"' in organized
    assert [p["title"] for p in check.panels(made["drift.json"]) if p["type"] == "heatmap"] == [
        "Scores: groundedness",
        "Scores: faithfulness",
    ]


def test_lines_of_a_slice_are_of_one_service(boards):
    """A mix of traffic is no bad cohort."""
    for name, title in (
        ("hallucination.json", "Ungrounded by cohort"),
        ("versions.json", "Ungrounded by requested model"),
        ("incident.json", "Calls failed by model"),
        ("retrieval.json", "Empty or failed by agent"),
    ):
        assert _panel(boards[name], title)["targets"][0]["legendFormat"].endswith("{{service}} {{environment}}"), (name, title)
