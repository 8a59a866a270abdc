"""Grafana's own library reads numbers, colours and steps as the preview does: a person who knows one board can read the other."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess

import pytest

from truegreen.dashboards import check
from truegreen.dashboards.kit import UNITS

pytestmark = pytest.mark.full

STATIC = "dashboards/truegreen/dashboards/preview/static"
NOW = 1_764_280_000_000
MINUTE = 60_000
VALUES = (
    0, 1, -1, 2, 9.99, 10, 12.34, 59, 60, 61, 90, 99.9, 100, 123.456, 999, 999.6, 1000, 1023, 1024, 1234, 3599, 3600, 5400, 86_399, 86_400, 90_061,
    604_800, 1e6, 1_234_567, 31_536_000, 1e9, 1.5e12, NOW, 0.5, 0.1 + 0.2, 0.05, 0.0499, 0.001, 0.0123, 0.000345, 1e-7, -0.25, -1234.5, 2 / 3,
)  # fmt: skip
BOUNDS = [10**power * digits for power in range(12) for digits in (1, 1.5, 2.5, 3.5, 4.5, 6.048, 7.5, 8.64, 9)]


def _fields(boards):
    """What panels say of units, thresholds and the words of values, each once."""
    found = {}
    for board in boards.values():
        for panel in check.panels(board):
            config = panel.get("fieldConfig", {"defaults": {}, "overrides": []})
            overrides = [{one["id"]: one["value"] for one in each["properties"]} for each in config["overrides"]]
            for one in (config["defaults"], *({**config["defaults"], **each} for each in overrides)):
                kept = {name: one[name] for name in ("unit", "thresholds", "mappings") if one.get(name)}
                if "thresholds" in kept or "mappings" in kept:
                    found[json.dumps(kept, sort_keys=True)] = kept
    return list(found.values())


def _targets(boards):
    intervals = {t["interval"] for board in boards.values() for panel in check.panels(board) for t in panel.get("targets", [])}
    ranges = [MINUTE * minutes for minutes in (3, 5, 15, 60, 180, 360, 1440, 2880, 7 * 1440, 30 * 1440)]
    mixed = itertools.product(ranges, (300, 620, 1240), sorted(intervals))
    return [{"range": span, "width": width, "interval": interval} for span, width, interval in mixed]


@pytest.fixture(scope="module")
def compare(engine, repo):
    """`compare(**asked)` is how often both were asked, and where they differ; what is not given is not asked."""
    node = engine("grafana-data")

    def compared(static=repo / STATIC, **asked):
        whole = {"now": NOW, "units": [], "values": [], "fields": [], "intervals": [], "targets": [], **asked}
        script = repo / "tools" / "grafana_data" / "agree.mjs"
        command = ["env", "TZ=UTC", "LANG=C.UTF-8", str(node), str(script), str(static)]
        done = subprocess.run(command, input=json.dumps(whole), capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return compared


def test_numbers_colours_and_steps_are_grafanas(compare, boards):
    """Every unit of the kit, every set of thresholds and words of our boards, at, under and over each step; every step of time that a graph can have."""
    fields, targets = _fields(boards), _targets(boards)
    assert len(fields) > 10
    bounds = sorted({max(bound + by, 0.1) for bound in BOUNDS for by in (-0.5, 0, 0.5)})
    found = compare(units=UNITS, values=VALUES, fields=fields, intervals=bounds, targets=targets)
    assert found["differences"] == []
    assert found["units"] > len(UNITS) * len(VALUES)
    assert found["colours"] > 5 * len(fields)
    assert found["intervals"] == len(bounds) + len(targets)


def test_a_base_that_is_a_text_is_seen(compare):
    """What grafanalib writes for the base step: in Grafana the step over it never comes."""
    steps = [{"color": "green", "value": "null"}, {"color": "red", "value": 80}]
    found = compare(fields=[{"unit": "short", "thresholds": {"mode": "absolute", "steps": steps}}])
    assert {one["kind"] for one in found["differences"]} == {"colours"}


@pytest.mark.parametrize(
    ("file", "ours", "planted", "kind"),
    [
        ("format.js", "value >= step.value", "value > step.value", "colours"),
        ("format.js", "scaled(v, 1024, BYTES, 2)", "scaled(v, 1000, BYTES, 2)", "units"),
        ("time.js", "[7500, 5e3]", "[7500, 4e3]", "intervals"),
    ],
)
def test_a_slip_of_the_preview_is_seen(compare, boards, repo, tmp_path, file, ours, planted, kind):
    """The comparison can fail: in a copy of the modules one thing is wrong."""
    copy = shutil.copytree(repo / STATIC, tmp_path / "static")
    text = (copy / file).read_text("utf-8")
    assert ours in text
    (copy / file).write_text(text.replace(ours, planted), "utf-8")
    found = compare(copy, units=["mbytes"], values=VALUES, fields=_fields(boards), intervals=[6000])
    assert {one["kind"] for one in found["differences"]} == {kind}
