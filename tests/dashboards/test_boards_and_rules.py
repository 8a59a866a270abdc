"""The boards read what the rule generator writes."""

from __future__ import annotations

import json

import pytest
import yaml

from truegreen.alert_rules import generate as rules
from truegreen.core.config import parse_text
from truegreen.core.words import calibration as cal
from truegreen.dashboards import check, promql
from truegreen.dashboards.generate import files
from truegreen.dashboards.known import SERIES

TEXT = """services: {agent: {customer_facing: false}}
slos: [{name: grounding, mode: live}, {name: latency}, {name: availability}, {name: task_completion, mode: live}]
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """One service with a frozen baseline: drift and budgets of all kinds are recorded."""
    tmp_path = tmp_path_factory.mktemp("frozen")
    (tmp_path / "calibration").mkdir()
    frozen = cal.Calibration(
        service="agent",
        environment="production",
        signal="groundedness",
        evaluator="context-support",
        scale="relative",
        floor=0.5,
        quantiles=cal.QUANTILES,
        bad_ratio=0.03,
        design_effect=1.0,
        answers=600,
        taken="2026-01-01T00:00:00Z",
    )
    (tmp_path / "calibration" / cal.file_name("agent", "production", "groundedness")).write_text(cal.to_text(frozen), "utf-8")
    return parse_text(TEXT, "truegreen.yaml", {}, tmp_path / "truegreen.yaml")


@pytest.fixture(scope="module")
def recorded(config):
    """Record to the labels that its rules attach."""
    found = {}
    for name, text in rules.files(config, 1).files.items():
        loaded = yaml.safe_load(text) if name.endswith("rules.yml") else None
        for group in (loaded or {}).get("groups", []):
            for rule in group["rules"]:
                if "record" in rule:
                    found.setdefault(rule["record"], set()).update(rule.get("labels", {}))
    return found


def test_every_record_that_a_board_reads_is_written_by_the_rules(config, recorded):
    """A renamed record must not leave an empty panel."""
    boards = [json.loads(text) for name, text in files(config, 1).files.items() if name.endswith(".json")]
    read = {name for board in boards for _, text in check.expressions(board) for name in promql.names(text) if ":" in name}
    assert len(read) > 8
    assert read <= set(recorded)


def test_the_labels_of_records_are_those_that_boards_may_use(recorded):
    """What the rules attach is known here, and nothing that a board may write is missing there."""
    for name, labels in recorded.items():
        if name in SERIES:
            assert labels <= set(SERIES[name].labels), name
