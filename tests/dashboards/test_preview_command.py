"""`truegreen dashboard preview`: where the data come from, whose boards, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager

import pytest
import tiny_recording as tiny

from truegreen.core import cli
from truegreen.core.clients import engines
from truegreen.dashboards.preview import commands, recording, site
from truegreen.dashboards.preview.recording import Recording

ANSWERS = {"queries": {}, "variables": {}, "exemplars": {}}
SLOS = ({"name": "grounding", "mode": "live", "objective": "98%"},)


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A folder with a recording and with boards of one's own."""
    found = Recording("", float(tiny.START), float(tiny.END), 1.0, 60, (), SLOS, {"tiny": ANSWERS})
    (tmp_path / "tiny.json.gz").write_bytes(recording.dump(found))
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "tiny.json").write_text(json.dumps(tiny.BOARD), "utf-8")
    (tmp_path / "own" / "exported.json").write_text(
        json.dumps({"dashboard": {"title": "Exported", "uid": None, "panels": []}}), "utf-8"
    )
    monkeypatch.chdir(tmp_path)
    for name in ("TRUEGREEN_CONFIG", "TRUEGREEN_PROMETHEUS_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@contextmanager
def started(folder, *arguments):
    """The command as a process of its own, and the first line that it prints."""
    command = [
        sys.executable,
        "-c",
        "from truegreen.core.cli import main; main()",
        "dashboard",
        "preview",
        "--port",
        "0",
        "--json",
        *arguments,
    ]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline()
            yield process, json.loads(line) if line else process.stderr.read()
        finally:
            process.kill()


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.full)])
def test_it_shows_boards_of_ones_own_and_ends_when_told(files, number):
    """A folder of exports, an API answer among them; an interrupt is how it ends, not a failure."""
    with started(files, "--recording", "tiny.json.gz", "--boards", "own") as (process, told):
        assert told["first"] == told["url"] + "/d/exported"
        with urllib.request.urlopen(told["url"] + "/boards.json", timeout=20) as answer:
            about = json.load(answer)
        assert [(row["uid"], row["title"]) for row in about["boards"]] == [("exported", "Exported"), ("tiny", "Tiny")]
        assert (about["mode"], about["source"]) == ("recorded", "the recording tiny.json.gz")
        os.kill(process.pid, number)
        assert (process.wait(20), process.stderr.read()) == (0, "")


def _refused(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        cli.main(["dashboard", "preview", "--port", "0", *arguments])
    return stop.value.code, capsys.readouterr().err


def test_without_a_prometheus_the_shipped_incident_is_shown_and_said(files, monkeypatch):
    """It is the same page: a person must be told that it is not their service."""
    config = commands.config.parse_text(f"incidents: {{prometheus_url: 'http://127.0.0.1:{engines.free_port()}'}}", "x", {}, None)
    monkeypatch.setattr(commands, "SHIPPED", files / "tiny.json.gz")
    shown, said = commands._site(None, config, None, None, None, 1)
    assert said.startswith("the recorded incident of `truegreen demo`, as http://127.0.0.1:")
    assert said.endswith("does not answer: name a Prometheus with --prometheus-url")
    assert (shown.about["mode"], shown.about["time_scale"], shown.about["source"]) == ("recorded", 60, said)
    steps = shown.boards["truegreen-hallucination"]["panels"][2]["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert steps[1]["value"] == 0.02, "the budget of the recorded service, not that of the reader's configuration"


def test_what_cannot_be_shown_is_said(files, capsys):
    """With what to do instead; nothing listens afterwards."""
    gone = f"http://127.0.0.1:{engines.free_port()}"
    (files / "other.json").write_text('{"panel": 1}', "utf-8")
    (files / "empty").mkdir()
    (files / "twice").mkdir()
    for number, uid in enumerate((5, "a/b", "a\r\nX: y", "größe", "x" * 41)):
        (files / f"uid{number}.json").write_text(json.dumps(tiny.BOARD | {"uid": uid}), "utf-8")
    (files / "panel.json").write_text('{"panels": [1]}', "utf-8")
    for name in ("a.json", "b.json"):
        (files / "twice" / name).write_text(json.dumps(tiny.BOARD), "utf-8")
    for arguments, code, words in (
        (("--prometheus-url", gone), 1, f"no Prometheus answers at {gone}"),
        (("--prometheus-url", gone), 1, "or see the shipped incident with --recording shipped"),
        (("--prometheus-url", gone, "--recording", "tiny.json.gz"), 2, "exclude each other"),
        (("--recording", "nothing.gz"), 2, "nothing.gz cannot be read: No such file or directory"),
        (("--recording", "other.json"), 2, "other.json: its format is None"),
        (("--recording", "tiny.json.gz", "--boards", "other.json"), 2, "other.json: is no dashboard: it has no list `panels`"),
        (("--recording", "tiny.json.gz", "--boards", "tiny.json.gz"), 2, "tiny.json.gz: cannot be read as JSON"),
        (("--recording", "tiny.json.gz", "--boards", "twice"), 2, "twice: more than one board has the uid 'tiny'"),
        (("--recording", "tiny.json.gz", "--boards", "empty"), 2, "empty: has no .json file"),
        (("--recording", "tiny.json.gz", "--boards", "panel.json"), 2, "panel.json: a panel is 1"),
        *((("--recording", "tiny.json.gz", "--boards", f"uid{number}.json"), 2, "is none: write at most 40 letters") for number in range(5)),
    ):  # fmt: skip
        found, said = _refused(capsys, *arguments)
        assert (found, words in said) == (code, True), said


def test_boards_are_those_of_the_configuration_the_overview_first(live):
    """Live: the user's thresholds and the user's time; their trace address, and the Prometheus that is read."""
    text = (
        "routes: {trace_url: 'https://t.example/{trace_id}'}\nscrape_interval: 15s\nslos: [{name: grounding, objective: 90%}]\n"
    )
    config = commands.config.parse_text(text, "truegreen.yaml", {}, None)
    boards = site.generated(config, 1)
    about = live("http://127.0.0.1:1/prom/", boards, text).about
    assert about["boards"][0]["uid"] == "truegreen-overview"
    assert len(about["boards"]) == 11
    assert (about["mode"], about["scrape"], about["time_scale"], about["range"]) == ("live", 15, 1, None)
    assert about["trace_url"] == "https://t.example/{trace_id}"


def test_a_browser_that_is_waited_for_is_answered(files, monkeypatch):
    """As a browser of the terminal is: it would wait for a server that waits for it."""
    monkeypatch.setenv(
        "BROWSER",
        f'{sys.executable} -c \'import sys, urllib.request as r; open("got", "w").write(str(r.urlopen(sys.argv[1], timeout=20).status))\' %s',
    )
    with started(files, "--recording", "tiny.json.gz", "--boards", "own", "--open") as (process, _):
        for _ in range(2000):
            if (files / "got").exists() and (files / "got").read_text():
                break
            process.poll()
            time.sleep(0.01)
        assert (files / "got").read_text() == "200"
