"""The whole path as a user runs it: `truegreen demo`, both scenarios, and how it ends when something breaks."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

DEMO = [sys.executable, "-m", "truegreen.core", "demo", "--json"]
LIMIT = 240


@pytest.fixture(autouse=True)
def engines_are_there(engine):
    """The demo needs all four."""
    for name in ("prometheus", "promtool", "alertmanager", "amtool"):
        engine(name)


def running(folder: Path) -> list[str]:
    """Command lines of processes that have `folder` in them."""
    found = []
    for proc in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = proc.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if str(folder) in line:
            found.append(line)
    return found


def eventually_none_running(folder: Path) -> list[str]:
    """What still runs when a little patience is over: an ended process takes a moment to leave the table."""
    deadline = time.monotonic() + 10
    while (left := running(folder)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


def demo(tmp_path: Path, *arguments: str) -> tuple[int, list[dict], str]:
    """Exit code, steps and standard error of a run in a folder of its own; nothing of it may be left."""
    done = subprocess.run(
        [*DEMO, *arguments], capture_output=True, text=True, timeout=LIMIT, env={**os.environ, "TMPDIR": str(tmp_path)}
    )
    steps = [json.loads(line) for line in done.stdout.splitlines()]
    assert "Traceback" not in done.stderr
    assert eventually_none_running(tmp_path) == []
    assert list(tmp_path.iterdir()) == []
    return done.returncode, steps, done.stderr


def the(steps: list[dict], name: str) -> dict:
    """The one step of a name."""
    return next(step for step in steps if step["step"] == name)


def check_story(steps: list[dict], change: str) -> None:
    """What both scenarios promise."""
    order = [
        "warm-up",
        "ready",
        "healthy",
        "INCIDENT",
        "example",
        "green",
        "PAGE",
        "triage",
        "freeze",
        change,
        "verified",
        "validate",
        "closed",
        "score",
    ]
    assert [step["step"] for step in steps] == order
    healthy, green, page, score = the(steps, "healthy"), the(steps, "green"), the(steps, "PAGE"), the(steps, "score")
    assert healthy["alerts"] == [] and healthy["evaluated"] >= 100 and healthy["ungrounded"] < 0.1
    assert green["errors"] == 0 and green["cpu"] < 0.8 and "0 of 5" in green["text"]
    assert (
        page["labels"]["sev"] == "1"
        and page["labels"]["failure_mode"] == "hallucination"
        and page["labels"]["severity"] == "critical"
    )
    assert page["seconds_after_onset"] < 45
    assert {"runbook_url", "dashboard_url", "hypotheses", "next", "summary", "description", "trace_links"} <= set(
        page["annotations"]
    )
    assert 1 <= len(page["annotations"]["trace_links"].split()) <= 3
    assert page["seconds"] < the(steps, "freeze")["seconds"] <= the(steps, change)["seconds"] <= the(steps, "verified")["seconds"]
    assert len(the(steps, "freeze")["evidence"]["sha256"]) == 64
    assert [c["state"] for c in the(steps, "validate")["checks"]] == ["ok"] * 6
    start = the(steps, "triage")["triage"]["start"]
    onset = the(steps, "INCIDENT")["onset"]
    assert start["low"] - 12 <= onset <= start["high"] + 5
    assert the(steps, "closed")["seconds_after_onset"] < 90
    assert "6 of 6" in the(steps, "closed")["text"]
    assert (score["pages"], score["false_pages"], score["leaked_bytes"]) == (1, 0, 0)
    assert score["spans"] > 3000 and score["spans_lost"] <= 0


@pytest.mark.alone
def test_a_silent_provider_update_is_paged_triaged_as_theirs_and_closed(tmp_path):
    """Another model behind the alias: page, THEM, pin, verified, validated, closed; exit 0 and nothing left behind."""
    code, steps, stderr = demo(tmp_path)
    assert code == 0, (steps[-1:], stderr)
    check_story(steps, "contain")
    triage = the(steps, "triage")["triage"]
    assert triage["whose"] == "them"
    assert [(c["component"], c["old"], c["new"]) for c in triage["changes"]] == [
        ("served_model", "support-large-0613", "support-large-1106")
    ]
    postmortem = the(steps, "closed")["postmortem"]
    assert "support-large-1106" in postmortem and "THEM" in postmortem


@pytest.mark.full
@pytest.mark.alone
def test_a_bad_prompt_is_paged_triaged_as_ours_and_rolled_back(tmp_path):
    """The team's own change: US, its version, one command, the old version seen serving."""
    code, steps, stderr = demo(tmp_path, "--scenario", "prompt")
    assert code == 0, (steps[-1:], stderr)
    check_story(steps, "rollback")
    triage = the(steps, "triage")["triage"]
    assert triage["whose"] == "us"
    assert [(c["component"], c["old"], c["new"]) for c in triage["changes"]] == [
        ("prompt", "support-answer@2", "support-answer@3")
    ]
    assert the(steps, "verified")["verified"]["seconds"] < 60


def started(tmp_path: Path, until: str) -> subprocess.Popen:
    """A demo that has told the step `until`."""
    process = subprocess.Popen(
        DEMO, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(tmp_path)}
    )
    for line in process.stdout:
        if json.loads(line)["step"] == until:
            return process
    raise AssertionError(process.stderr.read())


def test_an_engine_that_dies_ends_the_demo_in_one_line(tmp_path):
    """Prometheus is killed under it: one clear line, exit 1, everything stopped."""
    process = started(tmp_path, "ready")
    victim = next(
        p for p in Path("/proc").glob("[0-9]*/cmdline") if b"--storage.tsdb.path=" + str(tmp_path).encode() in p.read_bytes()
    )
    os.kill(int(victim.parent.name), signal.SIGKILL)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Traceback" not in err
    assert "prometheus ended with code -9" in err.strip().splitlines()[-1]
    assert eventually_none_running(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupting_the_demo_stops_everything(tmp_path, number):
    """Ctrl-C and a polite kill leave no process and no file."""
    process = started(tmp_path, "warm-up")
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.strip().splitlines()[-1] == "error: interrupted"
    assert eventually_none_running(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_ends_the_demo_in_one_line(tmp_path):
    """The folder of the demo lies on a disk of 256 KiB: one clear line, exit 1, everything stopped."""
    mount = f'mount -t tmpfs -o size=256k tmpfs {tmp_path} && TMPDIR={tmp_path} exec "$@"'
    unshared = ["unshare", "-Urm", "sh", "-c", mount, "sh"]
    if subprocess.run([*unshared, "true"], capture_output=True).returncode != 0:
        pytest.skip("this machine does not let a user mount a small disk (unshare -Urm)")
    done = subprocess.run([*unshared, *DEMO], capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "space" in done.stderr or "full" in done.stderr, done.stderr
    assert eventually_none_running(tmp_path) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["--time-scale", "61"],
        ["--time-scale", "0"],
        ["--replay", "absent.jsonl", "--from", "a", "--expect", "page"],
        ["--from", "a"],
        ["--replay", "absent.jsonl", "--expect", "page"],
        ["--scenario", "weather"],
    ],
)
def test_usage_that_cannot_work_is_refused(tmp_path, arguments):
    """Exit 2 with one line, and nothing is started."""
    done = subprocess.run(
        [*DEMO, *arguments], capture_output=True, text=True, timeout=60, env={**os.environ, "TMPDIR": str(tmp_path)}, cwd=tmp_path
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr and done.stderr.strip()
