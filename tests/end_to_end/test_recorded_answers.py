"""Real recorded answers of six models, with human labels, take the same path to a real Alertmanager."""

import json
import os
import subprocess
import sys

import pytest

SELDOM = "gpt-4-0613,gpt-3.5-turbo-0613"
OFTEN = "mistral-7B-instruct,llama-2-7b-chat,llama-2-13b-chat,llama-2-70b-chat"


@pytest.fixture
def replayed(tmp_path, engine, data):
    """Run `truegreen demo --replay` on the recorded answers."""
    for name in ("prometheus", "alertmanager"):
        engine(name)
    file = data("ragtruth_qa_dev.jsonl.gz")

    def run(*arguments: str) -> tuple[int, dict[str, dict], str]:
        done = subprocess.run(
            [sys.executable, "-m", "truegreen.core", "demo", "--json", "--replay", str(file), "--seconds", "64", *arguments],
            capture_output=True,
            text=True,
            timeout=240,
            env={**os.environ, "TMPDIR": str(tmp_path)},
        )
        assert "Traceback" not in done.stderr
        return done.returncode, {step["step"]: step for step in map(json.loads, done.stdout.splitlines())}, done.stderr

    return run


def test_a_switch_to_models_that_hallucinate_pages(replayed):
    """From the models that seldom hallucinate to those that often do: a sev 1 notification."""
    code, steps, stderr = replayed("--from", SELDOM, "--to", OFTEN, "--expect", "page")
    assert code == 0, (steps.get("saw"), stderr)
    assert steps["saw"]["ungrounded"] > 0.25
    assert steps["PAGE"]["seconds_after_switch"] < 45


@pytest.mark.full
def test_no_switch_stays_silent(replayed):
    """The same models all the way: neither sev 1 nor sev 2."""
    code, steps, stderr = replayed("--from", SELDOM, "--expect", "silence")
    assert code == 0, (steps.get("saw"), stderr)
    assert steps["saw"]["evaluated"] > 500 and steps["saw"]["loud"] == []


@pytest.mark.full
def test_a_benign_switch_stays_silent(replayed):
    """From gpt-4-0613 to gpt-3.5-turbo-0613, which both seldom hallucinate: neither sev 1 nor sev 2."""
    code, steps, stderr = replayed("--from", "gpt-4-0613", "--to", "gpt-3.5-turbo-0613", "--expect", "silence")
    assert code == 0, (steps.get("saw"), stderr)
    assert steps["saw"]["evaluated"] > 300 and steps["saw"]["loud"] == []


@pytest.mark.full
def test_a_threshold_out_of_reach_fails_the_expectation(replayed):
    """The same harmful switch under an objective whose threshold (60 %) it cannot reach: no page, so exit 1."""
    code, steps, stderr = replayed("--from", SELDOM, "--to", OFTEN, "--expect", "page", "--objective", "50%")
    assert code == 1
    assert steps["missed"]["met"] is False
    assert stderr.strip() == "error: expected page, and it was not seen"
    assert steps["saw"]["ungrounded"] > 0.25
