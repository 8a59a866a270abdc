"""`truegreen drill MODE` as a user holds it: the demo's agent with a fault in it, every command, every target."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
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


class _Person:
    """Who answers a game day: waits for the page, and gives commands in the drill's own folder, as its words say."""

    def __init__(self, tmp_path: Path, *words: str) -> None:
        self.said = tmp_path / "said.txt"
        with self.said.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "truegreen.core", "drill", *words], cwd=tmp_path, stdout=subprocess.PIPE, stderr=out,
                env={**os.environ, "TMPDIR": str(tmp_path)},
            )  # fmt: skip

    def until(self, ready: Callable[[], object], seconds: float = 240) -> object:
        """What `ready` gives, once it gives something."""
        deadline = time.monotonic() + seconds
        while not (found := ready()):
            assert time.monotonic() < deadline and self.process.poll() is None, self.said.read_text()
            time.sleep(0.5)
        return found

    def config(self) -> Path:
        """Of the drill, once it is told."""
        found = self.until(lambda: re.search(r"--config (\S+truegreen\.yaml)", self.said.read_text()))
        assert isinstance(found, re.Match)
        return Path(found[1])

    def gives(self, config: Path, *words: str) -> int:
        """The exit code of a command."""
        command = [sys.executable, "-m", "truegreen.core", *words, "--config", str(config)]
        return subprocess.run(command, cwd=config.parent, capture_output=True, timeout=120, check=False).returncode


def test_a_person_answers_a_game_day(engine: Callable[[str], Path], tmp_path: Path) -> None:
    """Nobody says what was planted; the drill ends when the incident is closed, and is scored by what the person did."""
    for name in ("prometheus", "promtool", "alertmanager"):
        engine(name)
    person = _Person(tmp_path, "retrieval", "--game-day", "--json")
    try:
        config = person.config()
        assert "index" not in person.said.read_text(), "what is planted is not told"
        person.until(lambda: person.gives(config, "incident", "show") == 0)
        assert person.gives(config, "triage", "--time-scale", "60") == 0
        assert person.gives(config, "rollback", "index") == 0
        person.until(lambda: person.gives(config, "validate", "--time-scale", "60") == 0)
        person.until(lambda: person.gives(config, "incident", "close", "--time-scale", "60") == 0)
        out, _ = person.process.communicate(timeout=60)
    finally:
        person.process.kill()
    facts = json.loads(out)
    assert (facts["how"], facts["triage"]) == ("game day", "us")
    assert (
        facts["timings"]["detected"] < facts["timings"]["triaged"] < facts["timings"]["contained"] < facts["timings"]["recovered"]
    )
    assert not list(tmp_path.glob("truegreen-demo-*"))


def test_a_drill_that_is_interrupted_leaves_nothing(engine: Callable[[str], Path], tmp_path: Path) -> None:
    """No process, no folder, and no record of a drill that was not held."""
    for name in ("prometheus", "promtool", "alertmanager"):
        engine(name)
    person = _Person(tmp_path, "retrieval")
    try:
        person.until(lambda: "healthy" in person.said.read_text())
        person.process.send_signal(signal.SIGINT)
        person.process.communicate(timeout=60)
    finally:
        person.process.kill()
    assert person.process.returncode not in (0, None)
    assert "Traceback" not in person.said.read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["said.txt"]
    lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not any(str(tmp_path).encode() in line for line in lines)
