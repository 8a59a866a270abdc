"""The whole path as a user runs it: `truegreen demo`, both scenarios, and how it ends when something breaks."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from truegreen.core.words import catalogue, records
from truegreen.core.words.boards import INCIDENT
from truegreen.demo import corpus
from truegreen.demo.tap import Tap
from truegreen.demo.world import speech
from truegreen.demo.world.visitors import PRYING

DEMO = [sys.executable, "-m", "truegreen.core", "demo", "--json"]
LIMIT = 480


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
        "drill",
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


def strings(value) -> Iterator[str]:
    """Every text of a JSON value, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from (key, *strings(one))
    elif isinstance(value, list):
        for one in value:
            yield from strings(one)


def check_recording(path: Path, steps: list[dict]) -> None:
    """Each metric that something makes is in it with a value; its marks are the story's; no text of a question, a passage or an answer is."""
    made = json.loads(gzip.decompress(path.read_bytes()))
    valued = {one["labels"]["__name__"] for one in made["series"] if any(value is not None for value in one["values"])}
    every = {metric.prometheus + ("_count" if metric.kind == "histogram" else "") for metric in catalogue.ALL}
    assert every - valued == set()
    assert {records.STATE, records.DRIFT_Z, records.bad_lower_bound("1h"), "ALERTS", "up", "process_cpu_seconds_total"} <= valued
    assert [mark["name"] for mark in made["marks"]] == ["onset", "page", "contain", "validated", "closed", "drilled"]
    assert made["marks"][0]["at"] == pytest.approx(the(steps, "INCIDENT")["onset"], abs=1)
    assert made["start"] < made["marks"][0]["at"] - 20 and made["marks"][-1]["at"] < made["end"]
    assert made["exemplars"]
    world = corpus.load()
    known = (
        [p.text for p in world.passages]
        + [q.question for q in world.questions]
        + [says for _, says in speech.memory().known]
        + list(PRYING)
    )
    assert Tap(texts=list(strings(made))).leaked_bytes(known) == 0
    assert Tap(texts=[world.passages[0].text]).leaked_bytes(known) > 0


@pytest.mark.alone
def test_a_silent_provider_update_is_paged_triaged_as_theirs_and_closed(tmp_path, tmp_path_factory):
    """Another model behind the alias: page, THEM, pin, verified, validated, closed; exit 0 and nothing left behind but the recording."""
    recorded = tmp_path_factory.mktemp("recorded") / "incident.json.gz"
    code, steps, stderr = demo(tmp_path, "--record", str(recorded))
    assert code == 0, (steps[-1:], stderr)
    assert steps.pop()["step"] == "recorded"
    check_story(steps, "contain")
    check_recording(recorded, steps)
    triage = the(steps, "triage")["triage"]
    assert triage["whose"] == "them"
    assert [(c["component"], c["old"], c["new"]) for c in triage["changes"]] == [
        ("served_model", "support-large-0613", "support-large-1106")
    ]
    postmortem = the(steps, "closed")["postmortem"]
    assert "support-large-1106" in postmortem and "THEM" in postmortem


def check_boards(kept: dict, page: dict) -> None:
    """The boards are up and ask the demo's Prometheus, and the page's link opens one of them."""
    assert page["annotations"]["dashboard_url"] == kept["page"]
    assert kept["page"].startswith(f"{kept['boards']}/d/{INCIDENT}?var-service=support-agent&")
    assert [httpx.get(address, trust_env=False).status_code for address in kept["apis"].values()] == [200] * 5
    for address in (kept["boards"], kept["page"]):
        shown = httpx.get(address, follow_redirects=True, trust_env=False)
        assert (shown.status_code, shown.headers["content-type"].partition(";")[0]) == (200, "text/html")
    about = httpx.get(f"{kept['boards']}/boards.json", trust_env=False).json()
    assert (about["mode"], about["time_scale"]) == ("live", 60)
    asked = {"query": f'{records.STATE}{{failure_mode="hallucination"}}'}
    answer = httpx.get(f"{kept['boards']}/api/v1/query", params=asked, trust_env=False).json()
    assert [one["metric"]["service"] for one in answer["data"]["result"]] == ["support-agent"]


@pytest.mark.full
@pytest.mark.alone
def test_a_bad_prompt_is_paged_triaged_as_ours_and_rolled_back_and_kept(tmp_path):
    """The team's own change: US, its version, one command, the old version seen serving; all of it stays up, with its boards, until Ctrl-C."""
    process = started(tmp_path, "kept", "--scenario", "prompt", "--keep", steps=(steps := []))
    try:
        check_boards(the(steps, "kept"), the(steps, "PAGE"))
    finally:
        process.send_signal(signal.SIGINT)
        out, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr
    assert [json.loads(line)["step"] for line in out.splitlines()] == ["stopped"]
    assert eventually_none_running(tmp_path) == []
    assert list(tmp_path.iterdir()) == []
    assert steps.pop()["step"] == "kept"
    check_story(steps, "rollback")
    triage = the(steps, "triage")["triage"]
    assert triage["whose"] == "us"
    assert [(c["component"], c["old"], c["new"]) for c in triage["changes"]] == [
        ("prompt", "support-answer@2", "support-answer@3")
    ]
    assert the(steps, "verified")["verified"]["seconds"] < 60


def started(tmp_path: Path, until: str, *arguments: str, steps: list[dict] | None = None) -> subprocess.Popen:
    """A demo that has told the step `until`; what it told goes into `steps`."""
    steps = [] if steps is None else steps
    process = subprocess.Popen(
        [*DEMO, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    for line in process.stdout:
        steps.append(json.loads(line))
        if steps[-1]["step"] == until:
            return process
    raise AssertionError(process.stderr.read())


@pytest.mark.full
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


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.full)])
def test_interrupting_the_demo_stops_everything(tmp_path, number):
    """Ctrl-C and a polite kill leave no process and no file."""
    process = started(tmp_path, "warm-up")
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.strip().splitlines()[-1] == "error: interrupted"
    assert eventually_none_running(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.full
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
        ["--replay", "absent.jsonl", "--from", "a", "--expect", "page", "--objective", "0.95"],
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
