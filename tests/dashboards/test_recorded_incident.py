"""The incident of the demo on our boards: every panel has data, what should show it turns red in time, and the golden signals stay green."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from dataclasses import replace

import pytest
from incident_reading import lines, panel, without_data

from truegreen.core.config import parse_text
from truegreen.core.words import boards as uids
from truegreen.core.words import catalogue
from truegreen.dashboards import check
from truegreen.dashboards.preview import recording, site

SHIPPED = "dashboards/truegreen/dashboards/preview/recorded.json.gz"
HALLUCINATION, LATENCY = uids.BOARDS["hallucination"], uids.BOARDS["latency"]
GROUNDING = {"slo": "grounding"}
BAD_MODEL = {"model": "support-large"}

SHOW_IT = [
    (uids.OVERVIEW, "Ungrounded answers, 1 h", {}),
    (HALLUCINATION, "Ungrounded, 15 min", {}),
    (HALLUCINATION, "Ungrounded, 15 min, at least", {}),
    (HALLUCINATION, "Burn rate, 15 min and 1 h", GROUNDING),
    (HALLUCINATION, "Ungrounded by model", BAD_MODEL),
    (uids.BUDGETS, "Burn rate, 15 min", GROUNDING),
    (uids.INCIDENT, "Budget left", GROUNDING),
    (uids.INCIDENT, "Burn rate, 15 min and 1 h", GROUNDING),
    (uids.INCIDENT, "Ungrounded by model", BAD_MODEL),
]
"""Board, panel, labels of the line: green before the onset, red between onset and containment."""

STAY_GREEN = [
    (uids.OVERVIEW, "Calls too slow"),
    (uids.OVERVIEW, "Calls failed"),
    (uids.OVERVIEW, "Call duration"),
    (LATENCY, "Calls too slow"),
    (LATENCY, "First chunks too late"),
    (LATENCY, "Calls failed"),
    (uids.BOARDS["retrieval"], "Chunks below the floor"),
    (uids.BOARDS["retrieval"], "Empty or failed"),
]
"""What every board of others shows, all night."""

EXTERNAL = {metric.name for metric in catalogue.EXTERNAL}
"""Series of node and GPU exporters, which the demo has none of."""
LATE = 20
"""Seconds of the demo, which are minutes of the incident, within which what shows it is red: the page comes within them."""


@pytest.fixture(scope="module")
def found(repo):
    """The recording that the preview ships."""
    return recording.load((repo / SHIPPED).read_bytes(), SHIPPED)


@pytest.fixture(scope="module")
def shown(found):
    """Our boards as they are now, of the SLOs that were recorded."""
    text = json.dumps({"slos": list(found.slos)})
    return site.generated(parse_text(text, "recorded", {}, None), found.time_scale)


def _at(found, name):
    return next(mark["at"] for mark in found.marks if mark["name"] == name)


def _wrong(boards, found):
    """Which panels do not show the incident when they should."""
    onset, contain = _at(found, "onset"), _at(found, "contain")
    for uid, title, labels in SHOW_IT:
        kept = [line for line in lines(boards, found, uid, title) if labels.items() <= line.labels.items()]
        before = [colour for line in kept for colour in line.colours(found.start, onset)]
        during = [colour for line in kept for colour in line.colours(onset, min(onset + LATE, contain))]
        if "red" in before:
            yield uid, title, "red before the onset"
        if "green" not in before:
            yield uid, title, "not green before the onset"
        if "red" not in during:
            yield uid, title, "not red soon after the onset"


def test_it_answers_all_that_the_boards_ask_now(found, shown):
    """A board that was changed asks something else."""
    asked = {(uid, query.key) for uid, board in shown.items() for query in recording.asked(board)}
    answered = {(uid, key) for uid, board in found.boards.items() for key in board["queries"]}
    assert asked - answered == set(), "run: make recorded"


def test_every_question_has_data(found, shown):
    """But those about metrics of other exporters."""
    assert list(without_data(shown, found, EXTERNAL)) == []


def test_every_variable_has_a_choice(found, shown):
    """A board without its service shows nothing."""
    for uid, board in shown.items():
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                assert found.boards[uid]["variables"][variable["name"]], (uid, variable["name"])


def test_what_should_show_it_is_red_from_the_onset_and_not_before(found, shown):
    """The story of the page can be read from the boards alone."""
    assert list(_wrong(shown, found)) == []


def test_the_golden_signals_stay_green(found, shown):
    """Which is why nobody would have known."""
    for uid, title in STAY_GREEN:
        colours = [colour for line in lines(shown, found, uid, title) for colour in line.colours(found.start, found.end)]
        assert set(colours) == {"green"}, (uid, title)


def test_containment_ends_it(found, shown):
    """The lower bound is green again within half a minute and stays so; the ratio alone may still flicker with a single answer."""
    (line,) = lines(shown, found, HALLUCINATION, "Ungrounded, 15 min, at least")
    assert set(line.colours(_at(found, "contain") + 30, found.end)) == {"green"}


def test_the_timeline_says_burning_while_it_burns(found, shown):
    """2 is burning: not before the onset, and from the page to the containment."""
    (line,) = [
        line for line in lines(shown, found, uids.OVERVIEW, "State of each failure mode")
        if line.labels["failure_mode"] == "hallucination"
    ]  # fmt: skip
    onset, page, contain = (_at(found, name) for name in ("onset", "page", "contain"))
    assert all(value < 2 for at, value in line.points if at < onset)
    assert {value for at, value in line.points if page + 2 <= at <= contain} == {2}


def test_the_served_model_changes_at_the_mark(found, shown):
    """Another model answers under the same alias: the versions board shows it within five seconds of the onset, and never before."""
    served: dict[str, float] = {}
    for line in lines(shown, found, uids.VERSIONS, "Served model"):
        times = [at for at, value in line.points if value > 0]
        if BAD_MODEL.items() <= line.labels.items() and times:
            name = line.labels["served"]
            served[name] = min(times[0], served.get(name, times[0]))
    first, *later = sorted(served.values())
    marked = _at(found, "onset")
    assert first < marked - 10
    assert later
    assert [at for at in later if marked <= at <= marked + 5] == later


def test_a_page_fires(found):
    """The line on every graph: the alert of severity 1, between onset and containment."""
    queries = found.boards[HALLUCINATION]["queries"]
    (answer,) = [queries[key] for key in queries if "ALERTS{" in key and key.endswith("|range")][:1]
    pages = [one for one in answer["series"] if one["labels"].get("sev") == "1" and one["labels"]["slo"] == "grounding"]
    times = [answer["start"] + i * answer["step"] for one in pages for i, value in enumerate(one["values"]) if value is not None]
    assert _at(found, "onset") < min(times) <= _at(found, "page") + 1


@pytest.mark.parametrize("planted", ["onset later", "onset earlier", "step", "series"])
def test_a_board_or_a_story_that_does_not_fit_is_seen(found, shown, planted):
    """The gate can fail: a mark that is moved, a threshold that is none, a line that is not drawn."""
    boards, told = copy.deepcopy(dict(shown)), found
    if planted.startswith("onset"):
        by = {"onset later": LATE, "onset earlier": -2 * LATE}[planted]
        told = replace(found, marks=tuple({**mark, "at": mark["at"] + by * (mark["name"] == "onset")} for mark in found.marks))
    elif planted == "step":
        panel(boards, HALLUCINATION, "Ungrounded, 15 min")["fieldConfig"]["defaults"]["thresholds"]["steps"][1]["value"] = 0.9
    else:
        queries = {key: {**answer, "series": []} for key, answer in found.boards[HALLUCINATION]["queries"].items()}
        told = replace(found, boards={**found.boards, HALLUCINATION: {**found.boards[HALLUCINATION], "queries": queries}})
    assert (HALLUCINATION, "Ungrounded, 15 min") in {(uid, title) for uid, title, _ in _wrong(boards, told)}


def test_a_metric_that_nothing_makes_is_seen(found, shown):
    """Rename what a panel reads, and it has no data."""
    name = catalogue.RETRIEVALS.prometheus
    boards = json.loads(json.dumps(shown).replace(name, "truegreen_retrieved_total"))
    lost = {uid for uid, expr in without_data(boards, found, EXTERNAL) if "truegreen_retrieved_total" in expr}
    read = {uid for uid, board in shown.items() if any(name in expr for _, expr in check.expressions(board))}
    assert lost == read != set()


@pytest.mark.full
def test_a_prometheus_answers_the_same_today(engine, repo, found):
    """`make recorded` on the kept series writes what is shipped, to a millionth."""
    engine("promtool")
    assert found
    told = subprocess.run(
        [sys.executable, "tools/recorded.py", "--check"], cwd=repo, capture_output=True, text=True, timeout=300, check=False
    )
    assert told.returncode == 0, told.stdout + told.stderr
