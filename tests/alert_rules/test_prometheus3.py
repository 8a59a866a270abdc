"""The generated rules and tests on both majors of Prometheus: 3 counts a range without its left edge, and writes `le="10"` as `le="10.0"`."""

from __future__ import annotations

import json
import subprocess
import time
from collections import Counter

import httpx
import pytest
import yaml

from truegreen.core.clients import engines
from truegreen.core.words import ready_made

pytestmark = [pytest.mark.full, pytest.mark.timeout(1_800)]
MAJORS = ("promtool", "promtool3")
EVERY = "slos: [{name: grounding_absolute}, " + ", ".join(
    f"{{name: {slo.name}, mode: live}}" for slo in ready_made.READY_MADE if slo.name != "grounding_absolute"
) + "]"  # fmt: skip
CONFIGS = {
    "the default": ("", 1),
    "the default at the other end of the time scale": ("", 60),
    "a scale that divides no minute": ("slos: [{name: grounding, mode: live}, {name: latency, mode: live}]", 7),
    "each ready-made SLO": (EVERY, 1),
    "cohorts, detectors, a business signal that raises": (
        """
slos:
  - name: grounding
    mode: live
    unit: session
    cohorts: true
    detectors: [mean_score, mix, heterogeneity, cusum, forecast]
  - {name: task_completion, mode: live}
""",
        1,
    ),
    "a baseline, an override, a service that never pages": (
        """
services: {batch-bot: {customer_facing: false}}
slos: [{name: grounding, mode: live, objectives: {checkout-bot: 99%}}, {name: relevance, mode: live}]
""",
        1,
    ),
}


@pytest.mark.parametrize("major", MAJORS)
@pytest.mark.parametrize("name", [*CONFIGS])
def test_the_generated_tests_pass_on_both_majors(config, calibrate, written, engine, major, name):
    """Lint finds nothing, and each alert comes at its minute."""
    text, scale = CONFIGS[name]
    if "baseline" in name:
        calibrate("support-agent", "production", "groundedness", 0.03, 600, 1.7)
    folder = written(config(text), scale)
    rules, tests = folder / "truegreen.rules.yml", sorted(folder.glob("*.test.yml"))
    for command in (["check", "rules", "--lint=all", "--lint-fatal", rules], ["test", "rules", *tests]):
        ran = subprocess.run([engine(major), *command], capture_output=True, text=True, timeout=1_500, check=False)
        assert ran.returncode == 0, (ran.stdout + ran.stderr)[-4_000:]


@pytest.mark.parametrize("name", ["prometheus", "prometheus3"])
def test_a_server_of_either_major_evaluates_every_rule(config, written, engine, tmp_path, name):
    """Loaded and evaluated without an error, group by group."""
    engine(name)
    folder = written(config(CONFIGS["cohorts, detectors, a business signal that raises"][0]), 60)
    settings = tmp_path / "prometheus.yml"
    rules = folder / "truegreen.rules.yml"
    settings.write_text(f"global: {{scrape_interval: 1s}}\nrule_files: [{json.dumps(str(rules))}]\n", "utf-8")
    wanted = sum(len(group["rules"]) for group in yaml.safe_load(rules.read_text("utf-8"))["groups"])
    with engines.prometheus(settings, tmp_path / "data", name=name) as server:
        deadline = time.monotonic() + 120
        while True:
            groups = httpx.get(f"{server.url}/api/v1/rules").raise_for_status().json()["data"]["groups"]
            health = Counter(rule["health"] for group in groups for rule in group["rules"])
            assert not health["err"], [rule for group in groups for rule in group["rules"] if rule["health"] == "err"]
            asked = {"query": 'ALERTS{alertname="TruegreenWatchdog",alertstate="firing"}'}
            watchdog = httpx.get(f"{server.url}/api/v1/query", params=asked).raise_for_status().json()["data"]["result"]
            if health["ok"] == wanted and watchdog:
                break
            assert time.monotonic() < deadline, (health, watchdog)
            time.sleep(0.2)


def test_they_are_two_majors(engine):
    """A link to the wrong program would make half of the tests above say nothing."""
    said = [subprocess.run([engine(major), "--version"], capture_output=True, text=True, check=True) for major in MAJORS]
    assert "version 2." in said[0].stdout + said[0].stderr
    accepts = [
        subprocess.run([engine(major), "test", "rules", "--help"], capture_output=True, text=True, check=True) for major in MAJORS
    ]
    assert ["ignore-unknown-fields" in one.stdout + one.stderr for one in accepts] == [False, True]
