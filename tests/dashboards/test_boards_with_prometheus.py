"""Every panel asks a real Prometheus: it answers with data, and with the right data."""

from __future__ import annotations

import json
import math
import time
import urllib.parse
import urllib.request
from contextlib import contextmanager

import pytest
import synthetic

from truegreen.core.words import catalogue as c
from truegreen.core.words import records
from truegreen.dashboards import check, promql
from truegreen.dashboards import expressions as e
from truegreen.dashboards.known import SERIES

DURATIONS = {"$__rate_interval": "2m", "$__range": "30m", "$__interval": "1m"}
WHO = {"service": "agent", "environment": "production"}


@pytest.fixture(scope="module")
def serve(engine):
    """`serve(rows, folder, end)` is a Prometheus that holds these series."""
    engine("prometheus")
    promtool = engine("promtool")

    @contextmanager
    def serving(rows, folder, end):
        with synthetic.served(rows, folder, end, promtool) as url:
            yield lambda expression, instant=True: _ask(url, expression, end, instant)

    return serving


def _ask(url, expression, end, instant):
    query = {"query": promql.filled(expression, DURATIONS)}
    path, when = ("query", {"time": end}) if instant else ("query_range", {"start": end - 600, "end": end, "step": 60})
    address = f"{url}/api/v1/{path}?{urllib.parse.urlencode({**query, **when})}"
    with urllib.request.urlopen(address, timeout=30) as answer:
        result = json.load(answer)["data"]["result"]
    return [(one["metric"], [float(value) for _, value in one.get("values", [one.get("value")])]) for one in result]


@pytest.fixture(scope="module")
def end():
    """The time of the last sample: now, on a whole minute."""
    return int(time.time()) // 60 * 60


@pytest.fixture(scope="module")
def stocked(serve, plain, tmp_path_factory, end):
    """A Prometheus with series for every name that the boards read."""
    every = [text for board in _boards(plain) for _, text in check.expressions(board)]
    names, wanted = synthetic.asked(every)
    rows = [
        (name, labels, "counter" if SERIES[name].kind == "counter" else "gauge", value)
        for name in sorted(names)
        for labels, value in synthetic.series(name, wanted)
    ]
    with serve(rows, tmp_path_factory.mktemp("stocked"), end) as ask:
        yield ask


def _boards(generated):
    return [json.loads(text) for name, text in generated.files.items() if name.endswith(".json")]


def test_every_panel_returns_data(stocked, plain):
    """No label is misspelt, no join drops everything, no share divides by nothing."""
    empty, asked = [], 0
    for board in _boards(plain):
        for panel in check.panels(board):
            for target in panel.get("targets", []):
                asked += 1
                found = stocked(target["expr"], target["instant"])
                finite = [value for _, values in found for value in values if math.isfinite(value)]
                if not finite:
                    empty.append((board["uid"], panel["title"], target["expr"]))
    assert asked > 40
    assert empty == []


def test_every_annotation_and_variable_returns_data(stocked, plain):
    """Lines on the graphs and choices above them."""
    for board in _boards(plain):
        for where, expression in check.expressions(board):
            if not where.startswith("panel"):
                assert stocked(expression), where


def test_a_stat_reads_one_number_where_it_shows_one(stocked, plain):
    """A stat that gets a number for each process shows a wall of them."""
    for board in _boards(plain):
        for panel in check.panels(board):
            for target in panel["targets"] if panel["type"] == "stat" else ():
                if "{{" not in target["legendFormat"]:
                    assert len(stocked(target["expr"])) == 1, panel["title"]


def _answers(snapshot, passed, failed):
    common = {
        **WHO,
        "evaluation": "groundedness",
        "evaluator": "context-support",
        "reason": "",
        "model": "large",
        "cohort": "all",
        "sampled": "base",
    }
    rows = [(c.EVALUATIONS.prometheus, {**common, "snapshot": snapshot, "result": "pass"}, "counter", passed)]
    return rows + (
        [(c.EVALUATIONS.prometheus, {**common, "snapshot": snapshot, "result": "fail"}, "counter", failed)] if failed else []
    )


def _proved(service, budget, ratio, bound, events):
    labels = {**WHO, "service": service, "slo": "grounding", "failure_mode": "hallucination"}
    names = (records.bad_ratio("15m"), records.bad_lower_bound("15m"), records.events("15m"), records.ERROR_BUDGET)
    return [(name, labels, "gauge", value) for name, value in zip(names, (ratio, bound, events, budget), strict=True)]


@pytest.fixture(scope="module")
def incident(serve, tmp_path_factory, end):
    """Three versions: one is bad, one never failed, of one the info is not known; two processes serve the bad one."""
    info = {**WHO, "snapshot": "bad1", "model_version": "m-2", "prompt_version": "p-7", "retrieval_index_version": "i-1"}
    rows = [
        *_answers("bad1", 3, 1),
        *_answers("good", 4, 0),
        *_answers("lost", 9, 1),
        *((c.SNAPSHOT_INFO.prometheus, {**info, "instance": name}, "gauge", 1) for name in ("a", "b")),
        (c.SNAPSHOT_INFO.prometheus, {**info, "snapshot": "good", "prompt_version": "p-6"}, "gauge", 1),
        (c.SNAPSHOT_SINCE_TIMESTAMP.prometheus, {**WHO, "snapshot": "bad1"}, "gauge", end - 300),
        *(
            (c.ANSWERS.prometheus, {**WHO, "model": "large", "snapshot": name}, "counter", growth)
            for name, growth in (("bad1", 5), ("good", 0))
        ),
        *(
            (c.EVALUATION_SCORE.count, {**WHO, "service": name, "evaluation": "groundedness", "scale": scale}, "counter", 1)
            for name, scale in (("agent", "relative"), ("bulk", "calibrated"))
        ),
        *_proved("agent", 0.05, 0.1, 0.08, 400),
        *_proved("rarely-asked", 0.05, 0.33, 0.01, 3),
        *_proved("bulk", 0.3, 0.2, 0.19, 5_000),
        *(
            (
                c.AFFECTED_SESSIONS.prometheus,
                {**WHO, "service": name, "evaluation": "groundedness", "instance": instance},
                "gauge",
                value,
            )
            for name, instance, value in (("agent", "a", 40), ("agent", "b", 30), ("bulk", "a", 50))
        ),
    ]
    with serve(rows, tmp_path_factory.mktemp("incident"), end) as ask:
        yield ask


def _panel(plain, title):
    board = next(board for board in _boards(plain) if board["uid"] == "truegreen-hallucination")
    return next(panel for panel in check.panels(board) if panel["title"] == title)


def test_the_where_table_names_the_bad_version(incident, plain):
    """Versions join through the snapshot, also where two processes serve it; a version without info keeps its row."""
    ratio, judged = (target["expr"] for target in _panel(plain, "Ungrounded by model and version")["targets"])
    shares = {labels["snapshot"]: (labels.get("prompt_version", ""), round(values[0], 3)) for labels, values in incident(ratio)}
    assert shares == {"bad1": ("p-7", 0.25), "good": ("p-6", 0.0), "lost": ("", 0.1)}
    assert {labels["snapshot"] for labels, _ in incident(judged)} == {"bad1", "good", "lost"}


def test_quality_by_version_is_that_of_all_its_processes(incident):
    """Two processes of one version are one line; a version that never failed is at 0."""
    found = incident(e.by_version(c.EVALUATIONS, {"result": "fail"}, {"result": ("pass", "fail")}, "prompt_version").text)
    assert {labels["prompt_version"]: round(values[0], 3) for labels, values in found} == {"p-7": 0.25, "p-6": 0.0}


def test_a_version_that_no_longer_answers_does_not_serve(incident):
    """The info gauge lingers for a day after the last answer."""
    assert [labels["prompt_version"] for labels, _ in incident(e.serving("prompt_version").text)] == ["p-7"]


def test_a_sample_size_says_on_which_scale_and_stays_where_none_is_known(incident):
    """It is that of the service whose number it is; an evaluator may judge without a score."""
    judged = e.of_worst(records.events("15m"), "15m", {"slo": ("grounding",)})
    assert incident(e.scaled(judged, {"grounding": "groundedness"}).text) == [({"scale": "relative"}, [400])]
    assert incident(e.scaled(judged, {"grounding": "toxicity"}).text) == [({}, [400])]
    assert incident(e.scaled(judged, {"other": "groundedness"}).text) == [({}, [400])]


def test_who_is_affected_is_all_of_them(incident, plain):
    """The services together, and of each the replica that knows most."""
    (sessions, _) = _panel(plain, "Sessions and users affected")["targets"]
    assert incident(sessions["expr"]) == [({"evaluation": "groundedness"}, [90])]


def test_the_worst_service_is_the_one_whose_counts_prove_it(incident):
    """1 bad of 3 is a higher ratio than 40 of 400 and proves less, and 20 % are within a budget of 30 %: what is shown together is of the same answers."""
    found = [
        incident(e.of_worst(make("15m"), "15m", {"slo": ("grounding",)}).text)
        for make in (records.bad_ratio, records.bad_lower_bound, records.events)
    ]
    whose = {**WHO, "slo": "grounding"}
    assert found == [[(whose, [0.1])], [(whose, [0.08])], [(whose, [400])]]


def test_a_version_line_stands_at_the_moment_of_the_change(incident, plain, end):
    """The annotation's value is that time, in milliseconds."""
    board = _boards(plain)[0]
    ((labels, values),) = incident(board["annotations"]["list"][0]["expr"])
    assert values == [(end - 300) * 1000]
    assert labels["prompt_version"] == "p-7"


def test_a_share_without_events_is_absent_and_one_without_bad_events_is_0(incident):
    """Absence must not look like health, and health must not look like absence."""
    healthy = e.share(c.EVALUATIONS, {"result": "fail"}, {"result": ("pass", "fail")}, ("snapshot",))
    assert {labels["snapshot"]: round(values[0], 3) for labels, values in incident(healthy.text)}["good"] == 0
    nothing = e.share(c.EVALUATIONS, {"result": "fail"}, {"result": ("pass", "fail"), "evaluation": "toxicity"})
    assert incident(nothing.text) == []
