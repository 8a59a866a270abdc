"""The whole loop: a worker watches, its windows become the baseline, and the baseline is what it compares with from then on."""

import json
import re
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from truegreen.evaluation.baselines import store
from truegreen.evaluation.baselines.commands import baseline_diff, baseline_take

sys.path.append(str(Path(__file__).parents[1] / "collector"))


@pytest.mark.full
def test_what_a_worker_saw_becomes_its_own_baseline(monkeypatch, tmp_path):
    """Healthy answers are frozen from `truegreen watch`; terse ones then are another writer, to the worker and to `baseline diff`."""
    from test_watch import TEMPLATE, conversation, terse, until, watching

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRUEGREEN_CONFIG", raising=False)
    place = str(tmp_path / "baselines")
    Path(place).mkdir()
    asked = ["--daily", "--service", "bot", "--environment", "production", "--out", place, "--json"]

    def taken(log):
        address = re.search(r"http://127\.0\.0\.1:\d+", next(line for line in log if "/metrics" in line))[0]
        done = CliRunner().invoke(baseline_take, [*asked, "--from", address], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return json.loads(done.output)

    with watching(place) as (get, send, log):
        send(conversation(monkeypatch, 120))
        until(get, [f'"template": "{TEMPLATE}"'], "/profiles?service=bot&environment=production")
        healthy = taken(log)
    assert [(one["template"], one["answers"], one["embedder"]) for one in healthy["profiles"]] == [
        (TEMPLATE, 120, "lexical-64@1")
    ]
    with watching(place) as (get, send, log):
        send(conversation(monkeypatch, 60, given=terse, seed=9))
        until(get, [f'change="output",template="{TEMPLATE}"}} 1'])
        later = taken(log)
    assert store.chosen(place, "bot", "production") == healthy["name"]
    told = (
        CliRunner().invoke(baseline_diff, [f"{place}/{one['name']}" for one in (healthy, later)], catch_exceptions=False).output
    )
    assert f"template  {TEMPLATE}: the answers are others; no change of the questions was found" in told
