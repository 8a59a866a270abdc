"""Baselines of a day and the search for a slice, on a real Prometheus: what `truegreen baseline` and `truegreen cohort` say of it."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from truegreen.core.errors import BadInput
from truegreen.evaluation.baselines import store
from truegreen.evaluation.baselines.commands import baseline_choose, baseline_diff, baseline_take
from truegreen.evaluation.cohorts.commands import cohort_check, cohort_find
from truegreen.runbook.commands import triage

sys.path.append(str(Path(__file__).parent))
import filled  # noqa: E402

WHO = ("--service", "bot", "--environment", "production")


def iso(at):
    """Unix seconds as a person writes them."""
    return datetime.fromtimestamp(at, UTC).isoformat()


@pytest.fixture(scope="module")
def url(tmp_path_factory, engine):
    """The address of the Prometheus."""
    with filled.prometheus(tmp_path_factory.mktemp("counted"), engine) as running:
        yield running.url


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """No configuration file of the repository is read."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRUEGREEN_CONFIG", raising=False)


def run(command, *arguments, code=0):
    """Call a command; its output, as JSON where that was asked for."""
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert done.exit_code == code, done.output
    return json.loads(done.output) if "--json" in arguments else done.output


def find(url, *more, slo="grounding"):
    """`truegreen cohort find`, as JSON."""
    return run(cohort_find, "--prometheus-url", url, *WHO, "--slo", slo, "--at", iso(filled.END), "--json", *more)


def check(url, by, *more):
    """`truegreen cohort check`, as JSON: name to row."""
    asked = ("--prometheus-url", url, *WHO, "--slo", "grounding", "--at", iso(filled.END), "--by", by, "--json", *more)
    return {row["name"]: row for row in run(cohort_check, *asked)["cohorts"]}


@pytest.fixture
def days(url, tmp_path):
    """A folder with the baseline of the healthy hours and one that has the incident."""
    place = str(tmp_path / "baselines")
    for end in (filled.DROP, filled.END):
        run(baseline_take, "--daily", *WHO, "--from", url, "--until", iso(end), "--out", place)
    return place


def test_a_day_is_frozen_with_its_numbers_ratios_and_spread(days):
    """Counted from the metrics alone: N, moments, quantiles; ratios of the ready-made SLOs; what is not there is left out."""
    healthy = store.load(days, store.names(days)[0])
    assert healthy.taken == iso(filled.DROP)
    grounding = healthy.ratios["grounding"]
    assert grounding.events == pytest.approx(4 * 60 * 36, rel=0.01)
    assert grounding.bad / grounding.events == pytest.approx(filled.USUAL, rel=0.15)
    assert healthy.ratios["marker_refusal"].bad / healthy.ratios["marker_refusal"].events == pytest.approx(0.5 / 36, rel=0.05)
    latency = healthy.numbers["truegreen_llm_duration_seconds{operation=chat}"]
    assert latency.count == pytest.approx(4 * 60 * 12, rel=0.01)
    assert (latency.mean, latency.quantiles[50]) == (pytest.approx(1.2, rel=0.05), pytest.approx(1.0, rel=0.05))
    assert latency.bounds == (0.5, 1.0, 2.0, 5.0, 10.0)
    assert healthy.numbers["tokens_per_call{type=input}"].mean == pytest.approx(104, rel=0.01)
    assert "satisfaction" not in healthy.ratios
    assert "index_freshness" not in healthy.ratios


def test_the_difference_names_what_broke_and_nothing_else(days, tmp_path):
    """Answers, tools and latency got worse, and the refusals and tokens did not; an incident does not excuse itself by its own spread."""
    picture = tmp_path / "moved.svg"
    found = run(baseline_diff, "--in", days, *WHO, "--picture", str(picture), "--json")
    moved = {one["name"] for one in found["findings"] if one["moved"]}
    assert moved == {"grounding", "tool_success", "truegreen_llm_duration_seconds{operation=chat}"}
    assert (found["moved"], found["rate"]) == (3, 0.05)
    ps = [one["p"] for one in found["findings"]]
    assert ps == sorted(ps)
    drawn = ET.fromstring(picture.read_text("utf-8"))  # noqa: S314 - our own picture
    dots = list(drawn.iter("{http://www.w3.org/2000/svg}circle"))
    assert sum(one.get("fill") != "#fff" for one in dots) == 3
    assert len(dots) == len(found["findings"])
    assert "tool_success: 2" in run(baseline_diff, *(f"{days}/{name}" for name in store.names(days)))


def test_the_exit_code_says_whether_anything_moved(days):
    """For a schedule; against itself nothing did."""
    first, last = store.names(days)
    run(baseline_diff, "--in", days, first, last, "--exit-code", code=1)
    assert "moved     0 of" in run(baseline_diff, "--in", days, first, first, "--exit-code")
    run(baseline_choose, "--in", days, last)
    with pytest.raises(BadInput, match="none is newer than the chosen one"):
        run(baseline_diff, "--in", days, *WHO)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--until", "yesterday"), "--until: found 'yesterday', write a time"),
        (("--until", "2999-01-01"), "which is not over"),
        (("--until", "2020-01-01"), "there is nothing of the service 'bot'"),
        (("--signal", "relevance"), "leave them out with --daily"),
    ],
)
def test_what_is_no_baseline_of_a_day_is_refused(url, tmp_path, more, said):
    """And nothing is written."""
    with pytest.raises(BadInput, match=said):
        run(baseline_take, "--daily", *WHO, "--from", url, "--out", str(tmp_path / "none"), *more)
    assert not (tmp_path / "none").exists()


def test_the_slice_that_explains_the_drop_is_found_with_the_tool_that_broke(url):
    """The start is found too; model and cohort are both needed, and the prompt version, which is joined through the snapshot, is not."""
    found = find(url)
    assert abs(found["start"] - filled.DROP) <= 300
    assert found["slices"][0]["where"] == {"model": "claude", "cohort": "eu"}
    assert found["slices"][0]["explains"] > 0.9
    assert len(found["slices"]) == 1
    assert [one["where"] for one in found["tools"]] == [{"tool": "search"}]


def test_an_slo_that_counts_events_is_searched_by_its_own_labels(url):
    """Tool calls by tool, not a second time beside themselves; a threshold by what its buckets have; minutes have no parts."""
    found = find(url, slo="tool_success")
    assert ([one["where"] for one in found["slices"]], found["tools"]) == ([{"tool": "search"}], [])
    assert find(url, "--start", iso(filled.DROP), slo="latency")["slices"] == []
    with pytest.raises(BadInput, match="index_freshness counts minutes of a gauge, which has no parts"):
        find(url, slo="index_freshness")


@pytest.mark.parametrize(
    ("more", "slo", "said"),
    [
        ((), "availability", "show no moment at which the ratio rose; write when to compare, such as\n? ?--start 20"),
        (("--start", iso(filled.START - 9e5)), "grounding", "outside the hours looked at"),
        (("--at", "2020-01-01T00:00:00+00:00", "--start", "2019-12-31T23:00:00+00:00"), "grounding", "has no event of grounding"),
        ((), "groundin", "no SLO is named 'groundin'; write one of grounding"),
    ],
)
def test_what_cannot_be_searched_says_what_to_write(url, more, slo, said):
    """No drop, a start elsewhere, no events, another name."""
    with pytest.raises(BadInput, match=said):
        find(url, *more, slo=slo)


def test_each_cohort_is_tested_against_the_rest_by_any_label_and_by_the_clock(url):
    """The bad one is named, and the version that is in no trouble is not; the bad hour is the last."""
    cohorts = check(url, "cohort")
    assert {name for name, row in cohorts.items() if row["worse"]} == {"eu"}
    assert cohorts["eu"]["low"] < cohorts["eu"]["ratio"]
    assert {name for name, row in check(url, "model").items() if row["worse"]} == {"claude"}
    versions = check(url, "prompt_version")
    assert set(versions) == {"v1", "v2"}
    assert not any(row["worse"] for row in versions.values())
    late = f"{datetime.fromtimestamp(filled.DROP, UTC):%H}:00"
    assert {name for name, row in check(url, "hour").items() if row["worse"]} == {late}
    assert len(check(url, "weekday")) == len({datetime.fromtimestamp(at, UTC).date() for at in (filled.START, filled.END - 1)})
    with pytest.raises(BadInput, match="have no label 'colour'; write one of model, cohort, snapshot"):
        check(url, "colour")
    with pytest.raises(BadInput, match="there is no event with a cohort"):
        check(url, "cohort", "--at", "2020-01-01")


def test_triage_names_the_slice_in_one_line(url):
    """Beside the true start that it was searched around; that nobody else answers changes nothing."""
    told = run(
        triage,
        "--prometheus-url",
        url,
        "--alertmanager-url",
        url,
        "--collector-url",
        url,
        *WHO,
        "--at",
        str(filled.END),
        "--slo",
        "grounding",
    )
    assert "slice: cohort=eu and model=claude: " in told
    assert told.count("slice: ") == 1
