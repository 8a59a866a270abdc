"""`truegreen drill MODE` as a user holds it: the demo's agent with a fault in it, every command, every target."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.full
MODES = ("hallucination", "retrieval", "latency", "guardrail")


@pytest.mark.parametrize("mode", MODES)
def test_a_drill_at_scale_is_inside_its_targets(mode: str, engine: Callable[[str], Path], tmp_path: Path) -> None:
    """Found by Alertmanager's page, blamed on whom it was, mended by the first command that triage offers, and over in time."""
    for name in ("prometheus", "promtool", "alertmanager"):
        engine(name)
    held = subprocess.run(
        [sys.executable, "-m", "truegreen.core", "drill", mode, "--json", "--service", "shop"],
        cwd=tmp_path, capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip
    assert held.returncode == 0, held.stdout + held.stderr
    facts = json.loads(held.stdout)
    assert facts["how"] == "at scale"
    assert {one["name"] for one in facts["verdicts"]} == {"detected", "triaged", "contained", "recovered", "triage", "remedy"}
    assert facts["service"] == "shop"
    assert [path.name for path in tmp_path.iterdir()] == ["drills"]
