"""A service without a baseline, answers without passages, a scrape that overwrites `service`: an alert says so, from real spans."""

import json
import subprocess
import sys

import pytest
import yaml

from truegreen.demo.stage import stage, start_engines

PASSAGE = "Opened items can be returned within 30 days when nothing is missing."


def calls(folder, name, context):
    """A replay file of forty calls."""
    rows = [
        {
            "query": f"Can I return item {n}?",
            "context": context,
            "answer": f"Item {n} can be returned within 30 days.",
            "model": "m",
        }
        for n in range(40)
    ]
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_each_gap_is_named_by_an_alert_that_says_what_to_do(tmp_path, engine):
    """Both services send answers through the real path, with the windows at 1/60; a second job scrapes without honor_labels."""
    for name in ("prometheus", "promtool", "alertmanager", "amtool"):
        engine(name)
    with stage(time_scale=60, slos=[{"name": "grounding", "mode": "live"}], services=("no-baseline", "no-passages")) as on:
        start_engines(on, "")
        players = []
        config = on.folder / "prometheus.yml"
        loaded = yaml.safe_load(config.read_text())
        target = {"targets": [on.collector_metrics], "labels": {"service": "from-the-scrape"}}
        loaded["scrape_configs"].append({"job_name": "overwriting", "scrape_interval": "1s", "static_configs": [target]})
        config.write_text(yaml.safe_dump(loaded))
        next(engine for engine in on.engines if engine.name == "prometheus").reload()
        for service, context in (("no-baseline", [PASSAGE]), ("no-passages", [])):
            file = calls(tmp_path, f"{service}.jsonl", context)
            on.supervisor.environ = {**on.supervisor.environ, "TRUEGREEN_CALIBRATION": str(on.folder / "calibration")}
            command = ["replay", str(file), "--service", service, "--endpoint", on.tap.url, "--rate", "2/s"]
            players.append(on.supervisor.python(service, "truegreen.core", command))
            on.supervisor.processes.remove(players[-1])  # it is meant to end by itself
        wanted = {
            ("TruegreenNoBaseline", "no-baseline"),
            ("TruegreenNoPassages", "no-passages"),
            ("TruegreenLabelsOverwritten", "no-baseline"),
        }

        def named():
            found = on.samples('ALERTS{alertstate="firing"}')
            return {(s.labels["alertname"], s.labels.get("exported_service") or s.labels.get("service")) for s in found}

        on.supervisor.wait(lambda: wanted <= named(), 60, f"the alerts {sorted(wanted)}")
        assert on.samples('ALERTS{alertstate="firing",sev="1"}') == []
        on.supervisor.processes.extend(players)  # and stopped where it has not ended yet


@pytest.mark.parametrize("service", ["no-baseline", "no-passages"])
def test_the_application_says_it_too(tmp_path, service):
    """Whoever starts the application reads it in its log, with the call or command that mends it."""
    context = [PASSAGE] if service == "no-baseline" else []
    file = calls(tmp_path, "calls.jsonl", context)
    done = subprocess.run(
        [sys.executable, "-m", "truegreen.core", "replay", str(file), "--service", service, "--endpoint", "http://127.0.0.1:9"],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
    )
    assert done.returncode == 1
    expected = "truegreen baseline take" if service == "no-baseline" else "retrieval(documents="
    assert expected in done.stderr, done.stderr
