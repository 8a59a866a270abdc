"""`truegreen baseline take --signal SLO`: a baseline of events from a real Prometheus, and the rules that follow from it."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from truegreen.alert_rules.generate import files as rules
from truegreen.core.clients import engines
from truegreen.core.config import load
from truegreen.core.errors import BadInput
from truegreen.evaluation.baselines.commands import baseline_take
from truegreen.evaluation.baselines.event_baseline import design_effect, freeze, notes

sys.path.append(str(Path(__file__).parents[1] / "core"))
from local_server import Reply, local  # noqa: E402

WHO = {
    "service": "bot",
    "environment": "production",
    "signal": "relevance",
    "metric": "chunks",
    "taken": "2026-01-01T00:00:00+00:00",
}
DAYS = 3
START = 1_700_000_000 - 1_700_000_000 % 3_600
END = START + DAYS * 86_400
CONFIG = """
slos:
  - {name: relevance, mode: live}
  - {name: escalation, services: [bot]}
  - {name: depth, objective: baseline, layer: quality, failure_mode: drift, sli: {metric: truegreen_drift_zscore, at_most: 3, where: {signal: style}}}
"""


def _bursts(sizes, ratio, seed=7):
    # Hours in which events come in groups that are bad together.
    dice = random.Random(seed)
    return [(100.0, float(sum(size for size in [sizes] * (100 // sizes) if dice.random() < ratio))) for _ in range(2_000)]


@pytest.mark.parametrize("size", [1, 5, 20])
def test_events_that_are_bad_together_multiply_the_variance_by_their_number(size):
    """The hours show it without any session id."""
    assert design_effect(_bursts(size, 0.1)) == pytest.approx(size, rel=0.1)


@pytest.mark.parametrize("hours", [[(10.0, 0.0)] * 9, [(10.0, 10.0)] * 9, [(10.0, 3.0)], []])
def test_without_anything_to_compare_the_effect_is_1(hours):
    """None bad, all bad, one hour, none."""
    assert design_effect(hours) == 1.0


def test_the_frozen_file_says_the_ratio_in_every_field():
    """A good event scores 1, a bad one 0: the label of the file's own scale agrees with the counts."""
    frozen = freeze([(300.0, 6.0), (0.0, 0.0), (300.0, 6.0)], **WHO)
    assert (frozen.answers, frozen.bad_ratio, frozen.design_effect) == (600, 0.02, 1.0)
    assert (frozen.label(0.0), frozen.label(1.0), frozen.quantiles[1], frozen.quantiles[2]) == ("fail", "pass", 0.0, 1.0)


def test_too_few_and_only_bad_events_are_no_baseline():
    """With their number; more bad events than events count as all of them."""
    with pytest.raises(BadInput, match="at least 500 events, there are 499"):
        freeze([(499.0, 1.0)], **WHO)
    with pytest.raises(BadInput, match="all 600 events were bad"):
        freeze([(600.0, 700.0)], **WHO)


def test_the_reader_is_told_what_the_days_cannot_say():
    """Retention, gaps, an incident among them, no bad event at all."""
    calm = freeze([(300.0, 0.0)] * 3, **WHO)
    assert [note.split(" ")[0] for note in notes(calm, 3, 28, 15.0)] == ["this", "3", "none"]
    uneven = freeze([(300.0, 3.0)] * 9 + [(300.0, 200.0)], **WHO)
    assert "with an incident among them" in notes(uneven, 28 * 24, 28, None)[0]


@pytest.fixture(scope="module")
def filled(tmp_path_factory, engine):
    """Three days: 2 of 100 chunks below the floor, 10 of 100 tasks escalated in bursts, a gauge too high for one of 50 minutes; and other services."""
    folder = tmp_path_factory.mktemp("events")
    dice = random.Random(3)
    lines = []

    def counter(name, labels, steps):
        lines.append(f"# TYPE {name} counter") if f"# TYPE {name} counter" not in lines else None
        total = 0
        for at, step in steps:
            total += step
            lines.append(f"{name}_total{{{labels}}} {total} {at}")

    def every(minutes):
        return range(START, END + 1, 60 * minutes)

    bot = 'service="bot",environment="production"'
    for who in (bot, 'service="bot",environment="staging"', 'service="other",environment="production"'):
        worse = 1 if who == bot else 20
        counter("truegreen_retrieval_chunks", f'{who},relevance="above"', [(at, 98) for at in every(10)])
        counter("truegreen_retrieval_chunks", f'{who},relevance="below"', [(at, 2 * worse) for at in every(10)])
    bursts = [(at, 10 if dice.random() < 0.1 else 0) for at in every(10)]
    counter("truegreen_tasks", f'{bot},outcome="completed"', [(at, 10 - bad) for at, bad in bursts])
    counter("truegreen_tasks", f'{bot},outcome="escalated"', bursts)
    lines.append("# TYPE truegreen_drift_zscore gauge")
    for signal, high in (("style", 4), ("embedding", 9)):
        lines += [
            f'truegreen_drift_zscore{{{bot},signal="{signal}"}} {high if at // 60 % 50 == 0 or high == 9 else 3} {at}'
            for at in every(1)
        ]
    (folder / "data.om").write_text("\n".join([*lines, "# EOF", ""]), "utf-8")
    tsdb = folder / "prometheus" / "tsdb"
    tsdb.mkdir(parents=True)
    subprocess.run(
        [engine("promtool"), "tsdb", "create-blocks-from", "openmetrics", folder / "data.om", tsdb],
        check=True,
        capture_output=True,
    )
    engine("prometheus")
    (folder / "prometheus.yml").write_text("scrape_configs: []\n", "utf-8")
    with engines.prometheus(
        folder / "prometheus.yml", folder / "prometheus", args=("--storage.tsdb.retention.time=100y",)
    ) as running:
        yield running


@pytest.fixture
def take(tmp_path, monkeypatch, filled):
    """`take(signal, …)`: the command on that Prometheus, beside a truegreen.yaml; its JSON."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRUEGREEN_CONFIG", raising=False)
    (tmp_path / "truegreen.yaml").write_text(CONFIG, "utf-8")

    def run(signal, *more, service="bot"):
        until = datetime.fromtimestamp(END, UTC).isoformat()
        arguments = [
            "--service",
            service,
            "--environment",
            "production",
            "--signal",
            signal,
            "--out",
            "calibration",
            "--days",
            str(DAYS),
        ]
        if "--from" not in more:
            arguments += ["--from", filled.url]
        done = CliRunner().invoke(baseline_take, [*arguments, "--until", until, "--json", *more], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return json.loads(done.output)

    return run


def test_a_baseline_of_events_gives_the_rules_their_budget_and_drift(take, tmp_path):
    """Counted from the metrics alone, of the one service and environment; bursts are seen in the design effect."""
    relevance, escalation, depth = (take(signal) for signal in ("relevance", "escalation", "depth"))
    assert relevance["bad_ratio"] == pytest.approx(0.02, abs=1e-4)
    assert relevance["events"] == pytest.approx(DAYS * 14_400, rel=0.02)
    assert relevance["design_effect"] == 1.0
    assert escalation["bad_ratio"] == pytest.approx(0.1, abs=0.03)
    assert escalation["design_effect"] == pytest.approx(10, rel=0.5)
    assert depth["bad_ratio"] == pytest.approx(0.02, abs=0.01)
    assert depth["events"] == pytest.approx(DAYS * 1_440, rel=0.02)
    text = rules(load(tmp_path / "truegreen.yaml", {}), 1).files["truegreen.rules.yml"]
    budget = f"{1.25 * round(relevance['bad_ratio'], 6):.6f}"[:5]
    assert f'slo="relevance",service="bot",environment="production"}} + {budget}' in text
    for name in ("relevance", "escalation", "depth"):
        assert f'truegreen:slo_drift:z3d{{slo="{name}"}} > 4' in text


@pytest.mark.parametrize(
    ("signal", "more", "said"),
    [
        (
            "relevance",
            ("--from", "calls.jsonl"),
            "relevance counts events, found calls.jsonl; write the address of one Prometheus",
        ),
        ("relevance", ("--answers", "600"), "are about scores, and relevance counts events"),
        ("relevance", ("--until", "yesterday"), "--until: found 'yesterday', write a time"),
        (
            "relevance",
            ("--until", "2020-01-01"),
            "has no event of relevance of the service 'bot' in the environment 'production'",
        ),
        ("grounding", (), "grounding judges the evaluation groundedness; write --signal groundedness"),
        ("satisfaction", (), "has no event of satisfaction"),
        ("relevance", ("--until", "2999-01-01"), "--until: found '2999-01-01', which is not over; write a time in the past"),
        ("relevanc", (), "--signal: no evaluation and no SLO is named relevanc; write relevance, or add it under"),
        ("availabilty", (), "is named availabilty; write availability"),
        ("groundednes", (), "is named groundednes; write groundedness"),
        ("dept", (), "is named dept; write depth"),
    ],
)
def test_what_is_no_baseline_of_events_is_refused(take, signal, more, said):
    """With the option, what was found and what to write."""
    with pytest.raises(BadInput) as error:
        take(signal, *more)
    assert said in str(error.value)


@pytest.mark.parametrize("value", ["+Inf", "NaN"])
def test_an_answer_that_is_no_number_of_events_is_refused(take, value):
    """With the hour, and what was asked for."""
    points = [[END - 3_600, "600"], [END, value]]
    found = [{"metric": {"service": "bot", "environment": "production"}, "values": points}]
    with (
        local(lambda _call: Reply({"status": "success", "data": {"resultType": "matrix", "result": found}})) as (url, _),
        pytest.raises(
            BadInput, match=r"counts (inf|nan) in the hour until 2023-11-1\d \d\d:00 UTC, and events are numbers; name other days"
        ),
    ):
        take("relevance", "--from", url)


def test_a_service_that_the_slo_is_not_for_is_refused(take):
    """Nothing would ever read its file."""
    with pytest.raises(BadInput, match="the SLO escalation is not for 'other'"):
        take("escalation", service="other")
