"""`truegreen backtest` as a person uses it: recorded calls, dumps and a Prometheus; what it prints, draws and exits with."""

import contextlib
import gzip
import io
import json
import random
import re
import xml.dom.minidom
from types import SimpleNamespace

import pytest

from truegreen.alert_rules import backtest_samples
from truegreen.core.cli import main
from truegreen.core.clients import engines
from truegreen.core.words.calibration import from_text, to_text

BEGIN = 1_767_225_600  # 1 January 2026, UTC
DAY = 86_400
CONFIG = "slos: [{name: grounding, objective: 95%}]\ncalibration: calibration\n"


@pytest.fixture
def run(tmp_path, engine, monkeypatch):
    """`run("--from", …)` beside a `truegreen.yaml` of one SLO: exit code, output, error, and the JSON when it was asked for."""
    engine("prometheus")
    engine("promtool")
    (tmp_path / "truegreen.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)

    def called(*words):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as stopped:
            main(["backtest", *map(str, words)])
        facts = json.loads(out.getvalue().splitlines()[0]) if "--json" in words else None
        return SimpleNamespace(code=stopped.value.code, out=out.getvalue(), err=err.getvalue(), facts=facts)

    return called


def counts(days, storms=(), share=0.02, per_hour=100, resets=(), gaps=(), seed=1, **labels):
    """Samples of judged answers, a scrape a minute: `storms` and `gaps` are (from, to[, share]) in minutes."""
    rng = random.Random(seed)
    who = {"service": "shop", "environment": "production", "evaluation": "groundedness", "evaluator": "e", **labels}
    value = {"pass": 0, "fail": 0}
    rows = {"pass": [], "fail": []}
    for minute in range(int(days * 1440) + 1):
        if minute in resets:
            value = {"pass": 0, "fail": 0}
        now = next((p for a, b, p in storms if a <= minute < b), share)
        for _ in range(10):
            if minute and rng.random() < per_hour / 600:
                value["fail" if rng.random() < now else "pass"] += 1
        for result in rows if not any(a <= minute < b for a, b in gaps) else ():
            head = backtest_samples.head("truegreen_evaluated_answers_total", {**who, "result": result})
            rows[result].append(f"{head} {value[result]} {BEGIN + 60 * minute}\n")
    return "".join(line for lines in rows.values() for line in lines)


def dump(path, *texts):
    """A file of samples."""
    path.write_text("".join(texts) + backtest_samples.END)
    return path


def of_slo(facts, service="shop"):
    return next(one for one in facts["slos"] if one["service"] == service)


def test_an_incident_is_paged_and_a_healthy_service_is_not(run, tmp_path):
    """Two services in one dump, one of them scraped from two replicas under more labels, with a gap and a counter reset: nothing false, nothing missed."""
    storm = (600, 720, 0.5)
    past = dump(
        tmp_path / "past.om",
        counts(0.7, [storm], seed=2, instance="a:1", job="tg", replica="0"),
        counts(0.7, [storm], seed=3, instance="b:1", job="tg", replica="1", resets=(300, 655)),
        counts(0.7, seed=4, service="calm", gaps=((400, 520), (800, 803)), resets=(600,)),
    )
    (tmp_path / "incidents.csv").write_text(
        "start,end,service\n2026-01-01T10:00Z,2026-01-01T12:00:00+00:00,shop\n2026-01-01T11:00Z,2026-01-01T12:00Z,shoop\n"
    )
    ran = run("--from", past, "--incidents", "incidents.csv", "--json", "--out", "pictures")
    assert ran.code == 0, ran.err
    shop, calm = of_slo(ran.facts), of_slo(ran.facts, "calm")
    assert (shop["pages"], shop["false_pages"], shop["missed"]) == (1, 0, 0)
    # 200 events an hour at an objective of 95 %: 10x in about 11 minutes.
    assert 4 * 60 <= shop["incidents"][0]["by_tier"]["fast"] <= 20 * 60
    assert (calm["pages"], calm["false_pages"], calm["incidents"]) == (0, 0, [])
    assert any(
        "2026-01-01 11:00 to 2026-01-01 12:00 of shoop: no such service was judged; there are: calm, shop" in note
        for note in ran.facts["notes"]
    )
    # None was false in the hours with events: a gap of two hours, or the incident, proves nothing.
    assert calm["at_most_30d"] == pytest.approx(3 / (15 / 24) * 30, rel=0.05)
    assert shop["judged_days"] == pytest.approx(shop["days"] - 2 / 24, abs=0.01)
    assert calm["events"] == pytest.approx(0.7 * 24 * 100, rel=0.15)
    assert "TruegreenCollectorGone" in ran.facts["no_data"]
    picture = (tmp_path / "pictures" / "backtest.svg").read_text()
    assert xml.dom.minidom.parseString(picture).documentElement.getAttribute("width") == "960"
    assert {"fast", "slow"} <= set(re.findall(r'class="bar (\w+)"', picture))
    assert picture.count('class="incident"') == 1
    assert json.loads((tmp_path / "pictures" / "backtest.json").read_text()) == ran.facts


@pytest.mark.full
def test_silence_may_be_expected(run, tmp_path):
    """Exit 1 when something paged, 0 when nothing did; without labels nobody says what was false."""
    loud = dump(tmp_path / "loud.om", counts(0.4, [(200, 330, 0.9)]))
    ran = run("--from", loud, "--expect", "silence")
    assert ran.code == 1
    assert "--expect silence: 1 page\n" in ran.err
    assert "was it right?" in ran.out
    assert "false pages" not in ran.out
    quiet = dump(tmp_path / "quiet.om", counts(0.4))
    ran = run("--from", quiet, "--expect", "silence")
    assert ran.code == 0, ran.err
    assert "silent for 0.399 days" in ran.out
    # Only what lies between --start and --end counts.
    ran = run("--from", loud, "--expect", "silence", "--end", BEGIN + 150 * 60)
    assert ran.code == 0, ran.err


@pytest.mark.full
def test_what_has_no_data_is_not_called_silent(run, tmp_path):
    """An SLO whose series are not there is listed with them; a dump of other series says so too."""
    (tmp_path / "truegreen.yaml").write_text("slos: [{name: grounding, objective: 95%}, {name: tool_success}]\n")
    ran = run("--from", dump(tmp_path / "past.om", counts(0.1)), "--json")
    assert [one["slo"] for one in ran.facts["slos"]] == ["grounding"]
    assert "truegreen_tool_calls_total" in ran.facts["no_data"]["TruegreenBudgetBurn of tool_success"]
    assert "TruegreenBudgetBurn" in ran.facts["silent"]
    ran = run("--from", dump(tmp_path / "other.om", f"somebody_elses 1 {BEGIN}\nsomebody_elses 1 {BEGIN + 600}\n"), "--json")
    assert ran.code == 0, ran.err
    assert (ran.facts["slos"], ran.facts["alerts"], ran.facts["silent"]) == ([], [], [])
    blind = run("--from", "other.om", "--expect", "silence")
    assert (blind.code, "nothing could have paged" in blind.err) == (1, True)


@pytest.mark.full
def test_a_false_page_names_the_objective_that_would_have_been_quiet(run, tmp_path):
    """Labels say that nothing was wrong, so the page was false; a looser objective is proposed, and the proposal holds when it is tried."""
    past = dump(tmp_path / "past.om", counts(0.6, [(300, 600, 0.25)], share=0.04))
    (tmp_path / "none.csv").write_text("start,end\n")
    ran = run("--from", past, "--incidents", "none.csv", "--json")
    mine = of_slo(ran.facts)
    assert mine["false_pages"] >= 1
    proposed = re.search(r"write objective: (\S+?),", mine["verdict"])
    assert proposed and proposed[1] == "90%"
    (tmp_path / "truegreen.yaml").write_text(CONFIG.replace("95%", proposed[1]))
    assert of_slo(run("--from", past, "--incidents", "none.csv", "--json").facts)["false_pages"] == 0


@pytest.mark.full
def test_the_same_past_from_a_prometheus(run, tmp_path):
    """Raw samples are asked of a real Prometheus, and the verdict is the one of the dump; history before the start is read."""
    past = dump(tmp_path / "past.om", counts(1, [(900, 1000, 0.6)], instance="a"), f'up{{job="truegreen"}} 1 {BEGIN}\n')
    backtest_samples.add(past, tmp_path / "there" / "tsdb")
    (tmp_path / "prometheus.yml").write_text("global: {}\n")
    with engines.prometheus(
        tmp_path / "prometheus.yml", tmp_path / "there", args=["--storage.tsdb.retention.time=100y"]
    ) as server:
        ran = run("--from", server.url, "--slo", "grounding", "--start", BEGIN + 850 * 60, "--end", BEGIN + DAY, "--json")
        nothing = run("--from", server.url, "--start", "2020-01-01", "--end", "2020-01-02")
    assert ran.code == 0, ran.err
    there = run("--from", past, "--slo", "grounding", "--start", BEGIN + 850 * 60, "--end", BEGIN + DAY, "--json").facts
    assert ran.facts["alerts"] == there["alerts"] != []
    assert of_slo(ran.facts) == of_slo(there)
    assert nothing.code == 2
    assert "has no sample of the SLOs' series" in nothing.err


@pytest.fixture
def recorded(data, tmp_path, run, calibrate):
    """`recorded(days, storm)`: RAGTruth answers of two good models at times drawn by a seed; of a bad one in the storm's hours. And their baseline."""
    rows = [json.loads(line) for line in gzip.open(data("ragtruth_qa_dev.jsonl.gz"), "rt")]
    good = [r for r in rows if r["model"].startswith("gpt")]
    poor = [r for r in rows if r["model"] == "llama-2-7b-chat"]

    def write(days, storm, per_hour=40, timed=True):
        rng, now, path = random.Random(5), BEGIN, tmp_path / "calls.jsonl.gz"
        with gzip.open(path, "wt") as out:
            while now < BEGIN + days * DAY:
                now += rng.expovariate(per_hour / 3600)
                row = rng.choice(poor if storm[0] <= (now - BEGIN) / 3600 < storm[1] else good)
                call = {key: row[key] for key in ("query", "context", "answer", "model", "y")}
                out.write(json.dumps({**call, **({"time": round(now, 3)} if timed else {})}) + "\n")
        healthy = tmp_path / "healthy.jsonl"
        healthy.write_text("".join(json.dumps({k: r[k] for k in ("query", "context", "answer", "model")}) + "\n" for r in good))
        with contextlib.redirect_stdout(io.StringIO()), pytest.raises(SystemExit) as stopped:
            main(["baseline", "take", "--service", "shop", "--environment", "production", "--from", str(healthy), "--answers", "600", "--out", str(tmp_path / "calibration")])  # fmt: skip
        assert not stopped.value.code
        return path

    return write


def test_recorded_calls_are_judged_and_their_labels_tell_what_was_wrong(run, recorded, tmp_path):
    """A worse model for four hours is paged within the table's time; its human labels are the incident; no text is left anywhere."""
    calls = recorded(1, (12, 16))
    (tmp_path / "truegreen.yaml").write_text(CONFIG.replace("}]", "}, {name: availability}]"))
    ran = run("--from", calls, "--json", "--out", "out")
    assert ran.code == 0, ran.err
    # How a call ended is not recorded: nothing is said of it.
    assert [one["slo"] for one in ran.facts["slos"]] == ["grounding"]
    assert ran.facts["no_data"]["TruegreenBudgetBurn of availability"] == "there is no truegreen_llm_requests_total"
    assert "TruegreenBaselineOld" in ran.facts["silent"] + [one["alert"] for one in ran.facts["alerts"]]
    mine = of_slo(ran.facts)
    assert mine["labelled"]
    assert (mine["service"], mine["environment"], mine["missed"], mine["false_pages"]) == ("shop", "production", 0, 0)
    assert len(mine["incidents"]) == 1
    assert mine["incidents"][0]["start"][:13] in ("2026-01-01T12", "2026-01-01T13")
    assert mine["incidents"][0]["seconds"] < 90 * 60
    assert "fail" in ran.facts["notes"][0]
    first = json.loads(gzip.open(calls, "rt").readline())
    for file in (tmp_path / "out").iterdir():
        assert first["query"][:30] not in file.read_text()


@pytest.mark.full
def test_five_healthy_days_are_silent_and_a_storm_in_thirty_is_found(run, recorded):
    """Five days of good models page nobody; thirty days with one bad night page that night alone."""
    assert run("--from", recorded(5, (0, 0)), "--expect", "silence").code == 0
    mine = of_slo(run("--from", recorded(30, (300, 306)), "--json").facts)
    assert (mine["missed"], mine["false_pages"], len(mine["incidents"])) == (0, 0, 1)
    assert "go live with: mode: live" in mine["verdict"]


def test_calls_without_a_time_or_a_baseline_are_refused(run, recorded, tmp_path):
    """What is missing and how to give it."""
    calls = recorded(0.1, (0, 0), timed=False)
    ran = run("--from", calls)
    assert ran.code == 2
    assert "record 1 (id none) has no time" in ran.err and "--every 30s" in ran.err
    assert run("--from", calls, "--every", "90s", "--json").facts["start"].startswith("2024-12-31T23:5")
    ran = run("--from", calls, "--service", "nobody")
    assert ran.code == 2
    assert "has no baseline of nobody; there are: shop in production; name one with --service" in ran.err
    only = next((tmp_path / "calibration").glob("*.json"))
    other = from_text(only.read_text(), "here")
    (tmp_path / "calibration" / "second.json").write_text(
        to_text(other.__class__(**{**{f: getattr(other, f) for f in other.__dataclass_fields__}, "service": "second"}))
    )
    ran = run("--from", calls, "--every", "90s")
    assert "second in production, shop in production; name one with --service and --environment" in ran.err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a 1\n# EOF\n", ":1: found no time after the value"),
        ('a{b="c"} 1 1767225600\nnot a sample at all {\n', ":2: no sample"),
        ("a 1 nan\n", "found nan as the time"),
        ("# EOF\n", "has no sample"),
        ("\udcff", "not UTF-8"),
        ('a{b="c"} 1 1767225600\n# EOF\n', "all samples are of one moment, 2026-01-01 00:00"),
        ('a{b="c"} 1 1767225600\na{b="c"} 1 1767225660\n', "promtool does not import"),
    ],
)
def test_a_file_that_is_no_past_is_refused(run, tmp_path, text, says):
    """With file and line; promtool's own words where only it can tell."""
    (tmp_path / "bad.om").write_text(text, "utf-8", "surrogateescape")
    (tmp_path / "truegreen.yaml").write_text("slos: [{name: grounding, objective: 95%}]\n")
    ran = run("--from", "bad.om")
    assert ran.code in (1, 2)
    assert says in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--from", "past.om", "--slo", "grouding"), "--slo: there is no grouding; truegreen.yaml has grounding"),
        (
            ("--from", "past.om", "--slo", "relevance"),
            "--slo: relevance is ready-made, but not switched on; write slos: [{name: relevance}]",
        ),
        (("--from", "past.om", "--service", "shop"), "--service: only for a replay file of recorded calls"),
        (
            ("--from", "past.om", "--incidents", "early.csv"),
            "none of its incidents can be compared: incident 2025-01-01 00:00 to 2025-01-02 00:00: outside the past",
        ),
        (("--from", "past.om", "--start", "yesterday"), "--start: found 'yesterday'; write a time such as"),
        (("--from", "past.om", "--start", "1767225600000"), "unix seconds, not milliseconds"),
        (("--from", "past.om", "--end", "2025-01-01"), "leave nothing; the samples are of 2026-01-01 00:00"),
        (("--from", "past.om", "--every", "soon"), "write a duration such as 30s"),
        (("--from", "past.om", "--incidents", "wrong.csv"), "wrong.csv:2: the end (2026-01-01) is not after the start"),
        (("--from", "nowhere.om"), "nowhere.om: cannot be read: No such file or directory"),
        (("--from", "http://127.0.0.1:9"), "name a Prometheus that answers"),
    ],
)
def test_wrong_words_are_refused(run, tmp_path, words, says):
    """What was found and what to write instead; no traceback."""
    dump(tmp_path / "past.om", counts(0.05))
    (tmp_path / "early.csv").write_text("2025-01-01,2025-01-02\n")
    (tmp_path / "wrong.csv").write_text("start,end\n2026-01-02,2026-01-01\n")
    ran = run(*words)
    assert ran.code in (1, 2)
    assert says in ran.err
    assert "Traceback" not in ran.err
