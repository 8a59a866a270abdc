"""The rules for vmalert in a real VictoriaMetrics and a real vmalert, in simulated time."""

from __future__ import annotations

import subprocess
import time
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from decimal import Decimal

import httpx
import pytest
import yaml

from truegreen.alert_rules import oracle
from truegreen.alert_rules.formats import VMALERT
from truegreen.alert_rules.generate import RULES
from truegreen.alert_rules.ladder import TIERS
from truegreen.alert_rules.oracle import Phase
from truegreen.alert_rules.windows import parse
from truegreen.core.clients.processes import LOOPBACK, served

pytestmark = [pytest.mark.full, pytest.mark.timeout(1_200)]
BUDGET = Decimal("0.05")
STORM = [Phase(120, Decimal(600), BUDGET / 2), Phase(75, Decimal(600), 10 * BUDGET), Phase(105, Decimal(600), BUDGET / 2)]
CALM = [Phase(300, Decimal(600), BUDGET / 2)]
LABELS = 'environment="production",evaluation="groundedness",evaluator="test"'
EVERYTHING = """
alerting: {formats: [vmalert], drill_every: 90d}
services: {batch-bot: {customer_facing: false}}
routes: {trace_url: "https://traces.example/{trace_id}"}
slos:
  - {name: grounding, mode: live, unit: session, cohorts: true, detectors: [mean_score, mix, heterogeneity, cusum, forecast]}
  - {name: latency, mode: live}
  - {name: availability, mode: live}
  - {name: index_freshness, mode: live}
  - {name: task_completion, mode: live}
  - {name: relevance, mode: live}
"""


@pytest.mark.parametrize("scale", [1, 60])
def test_vmalert_takes_every_rule_and_every_template(config, written, engine, scale):
    """As it reads them at its start, without a datasource."""
    folder = written(config(EVERYTHING), scale)
    command = [engine("vmalert"), f"-rule={folder / VMALERT}", "-dryRun", "-rule.validateTemplates", "-rule.validateExpressions"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr[-3_000:]


@contextmanager
def _victoria(engine, data):
    program = engine("victoria-metrics")

    def command(port: int) -> list[str]:
        listens = [f"-httpListenAddr={LOOPBACK}:{port}", f"-storageDataPath={data / 'storage'}"]
        return [str(program), *listens, "-search.latencyOffset=0s", "-retentionPeriod=100d", "-memory.allowedBytes=100MB"]

    with served("victoria-metrics", command, data, None) as running:
        yield running.url


@contextmanager
def _vmalert(engine, data, rules, url):
    program = engine("vmalert")
    options = [f"-rule={rules}", f"-datasource.url={url}", f"-remoteWrite.url={url}", f"-remoteRead.url={url}"]
    options += ["-notifier.blackhole", "-rule.evalDelay=0s", "-remoteWrite.flushInterval=100ms"]

    def command(port: int) -> list[str]:
        return [str(program), *options, f"-httpListenAddr={LOOPBACK}:{port}"]

    with served("vmalert", command, data, None) as running:
        yield running.url


def test_a_storm_pages_at_the_oracles_minute_and_a_calm_stream_does_not(config, written, engine, tmp_path):
    """Replayed: sev 1 and 2 come and end within two minutes of what Python says; the calm service never fires."""
    text = "alerting: {formats: [vmalert]}\nslos: [{name: grounding, mode: live}]"
    folder = written(config(text))
    groups = yaml.safe_load((folder / VMALERT).read_text("utf-8"))["groups"]
    # A replay waits after each rule: those of other SLOs and of days would make it long.
    chosen = [group for group in groups if group["name"].startswith(("truegreen:info:", "truegreen:slo:grounding:"))]
    chosen = [group for group in chosen if not group["name"].startswith("truegreen:slo:grounding:long:")]
    (folder / "chosen.yml").write_text(yaml.safe_dump({"groups": chosen}), "utf-8")
    minutes = sum(phase.minutes for phase in STORM)
    start = (int(time.time()) - minutes * 60 - 3_600) // 3_600 * 3_600
    with _victoria(engine, tmp_path / "victoria") as url:
        _fill(url, start, 60, {"storm": STORM, "calm": CALM})
        replay = [
            engine("vmalert"), f"-rule={folder / 'chosen.yml'}", f"-datasource.url={url}", f"-remoteWrite.url={url}",
            "-remoteWrite.flushInterval=100ms", "-replay.rulesDelay=2500ms", "-replay.disableProgressBar",
            f"-replay.timeFrom={_utc(start + 3_600)}", f"-replay.timeTo={_utc(start + minutes * 60)}",
        ]  # fmt: skip
        ran = subprocess.run(replay, capture_output=True, text=True, timeout=1_000, check=False)
        assert ran.returncode == 0, ran.stderr[-3_000:]
        found = _firing(url, start, minutes)
    assert {service for service, _ in found} == {"storm"}
    for tier in TIERS[:2]:
        start, end = oracle.span(STORM, tier, BUDGET)
        fired = found["storm", tier.sev]
        print(tier.name, "oracle", start, "vmalert", fired[0], "until", fired[-1])  # noqa: T201
        assert abs(fired[0] - start) <= 2
        assert abs(fired[-1] - end) <= 2  # a replay does not apply keep_firing_for


LIVE_SCALE = 20
"""A minute lasts three seconds: less than it takes until VictoriaMetrics shows what vmalert wrote, so each rule reads the round before."""


def test_in_real_time_an_alert_comes_and_goes_whichever_file_is_loaded(config, written, engine, tmp_path):
    """Records that are seen a round late delay a page by some rounds, and lose none; the delays are printed (`-s`)."""
    folder = written(config("alerting: {formats: [vmalert]}\nslos: [{name: grounding, mode: live}]"), LIVE_SCALE)
    minute, calm, per_hour = 60 / LIVE_SCALE, BUDGET / 2, Decimal(6_000)
    wanted = oracle.span([Phase(120, per_hour, calm), Phase(60, per_hour, 10 * BUDGET)], TIERS[0], BUDGET)[0] - 120
    counts = {service: [1_000.0, 0.0] for service in ("storm", "calm")}
    with ExitStack() as stack:
        urls = {}
        for name in (VMALERT, RULES):
            url = stack.enter_context(_victoria(engine, tmp_path / name))
            past = [Phase(120, per_hour, calm)]
            _fill(url, int(time.time() - 120 * minute), int(minute), {"storm": past, "calm": past})
            urls[name] = url, stack.enter_context(_vmalert(engine, tmp_path / f"{name}-alert", folder / name, url))
        for pair in counts.values():
            pair[:] = [each[-1] for each in oracle.cumulative([Phase(120, per_hour, calm)])]

        def live(until, most, ratio):
            began, told, last = time.time(), {}, time.time()
            while len(told) < len(urls):
                assert time.time() - began < most, (told, {name: _pages(alerts) for name, (_, alerts) in urls.items()})
                now = time.time()
                for service, pair in counts.items():
                    events = float(per_hour) / 60 / minute * (now - last)
                    pair[0] += events
                    pair[1] += events * float(ratio if service == "storm" else calm)
                last = now
                for name, (url, alerts) in urls.items():
                    _push(url, counts)
                    if name not in told and until(url, alerts):
                        told[name] = time.time() - began
                    assert "calm" not in _pages(alerts)
                time.sleep(max(0.0, 0.5 - (time.time() - now)))
            return told

        live(lambda url, _: _has(url, "truegreen:slo_error_budget:ratio") and _has(url, "truegreen:slo_bad:ratio1h"), 120, calm)
        came = live(lambda _, alerts: "storm" in _pages(alerts), 40 * minute + 60, 10 * BUDGET)
        went = live(lambda _, alerts: "storm" not in _pages(alerts), 120 * minute + 120, calm)
    rounds = {name: (seconds - wanted * minute) / minute for name, seconds in came.items()}
    print({"rounds later than the oracle": rounds, "seconds until it went": went})  # noqa: T201
    assert max(rounds.values()) < 10
    assert min(went.values()) >= parse(TIERS[0].keep) / LIVE_SCALE - minute


def _pages(alerts):
    listed = httpx.get(f"{alerts}/api/v1/alerts").raise_for_status().json()["data"]["alerts"]
    return {
        one["labels"]["service"]
        for one in listed
        if one["name"] == "TruegreenBudgetBurn" and one["state"] == "firing" and one["labels"]["sev"] == "1"
    }


def _has(url, record):
    found = httpx.get(f"{url}/api/v1/query", params={"query": record, "nocache": 1}).raise_for_status().json()["data"]["result"]
    return bool(found)


def _push(url, counts):
    lines = [
        f'truegreen_evaluated_answers_total{{service="{service}",{LABELS},result="{result}"}} {value}'
        for service, (events, bad) in counts.items()
        for result, value in (("pass", events - bad), ("fail", bad))
    ]
    httpx.post(f"{url}/api/v1/import/prometheus", content="\n".join(lines) + "\n").raise_for_status()


def _fill(url, start, step, streams):
    lines = []
    for service, phases in streams.items():
        events, bad = oracle.cumulative(phases)
        for minute, (n, x) in enumerate(zip(events, bad, strict=True)):
            at = (start + minute * step) * 1_000
            for result, value in (("pass", n - x), ("fail", x)):
                lines.append(f'truegreen_evaluated_answers_total{{service="{service}",{LABELS},result="{result}"}} {value} {at}')
    httpx.post(f"{url}/api/v1/import/prometheus", content="\n".join(lines) + "\n").raise_for_status()
    httpx.get(f"{url}/internal/force_flush").raise_for_status()


def _firing(url, start, minutes):
    httpx.get(f"{url}/internal/force_flush").raise_for_status()
    asked = {
        "query": 'max by (service, sev) (last_over_time(ALERTS{alertname="TruegreenBudgetBurn",alertstate="firing"}[1m]))',
        "start": start, "end": start + minutes * 60, "step": 60, "nocache": 1,
    }  # fmt: skip
    answer = httpx.get(f"{url}/api/v1/query_range", params=asked).raise_for_status().json()["data"]["result"]
    return {
        (one["metric"]["service"], one["metric"]["sev"]): [(int(at) - start) // 60 for at, value in one["values"] if value == "1"]
        for one in answer
    }


def _utc(at):
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
