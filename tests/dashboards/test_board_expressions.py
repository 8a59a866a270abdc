"""What boards are written with refuses a mistake where it is made."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truegreen.core.words import catalogue as c
from truegreen.core.words import records, slo
from truegreen.core.words.metric import Metric
from truegreen.core.words.ready_made import BY_NAME
from truegreen.dashboards import expressions as e
from truegreen.dashboards import frame, kit, lint_queries
from truegreen.dashboards.model import Board, budget

WHY = "A sentence that says what it is for."
GOOD = e.rate(c.LLM_REQUESTS)
SNAPSHOT = ("service", "environment", "snapshot")


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (lambda: e.rate(c.LLM_REQUESTS, ("modle",)), "has no label 'modle'"),
        (lambda: e.rate(c.LLM_REQUESTS, where={"outcome": "failed"}), "one of ok, error, throttled, timeout"),
        (lambda: e.share(c.EVALUATIONS, {"result": ("fail", "bad")}), "result='bad' does not occur"),
        (lambda: e.rate(c.AFFECTED_USERS), "rate is for counters; write gauge"),
        (lambda: e.gauge(c.LLM_REQUESTS, ("service",)), "write rate, share or quantile"),
        (lambda: e.record("truegreen:slo_bad:ratio14d", ("service",)), "no generated recording rule"),
        (lambda: e.record(records.STATE, ("slo",)), "has no label 'slo'"),
        (lambda: e.with_versions(e.rate(c.EVALUATIONS, ("service",))), "versions join on service, environment, snapshot"),
        (lambda: e.external(c.PROCESS_CPU_SECONDS_TOTAL, ("service",)), "write one of job, instance"),
        (lambda: e.ratio(GOOD, e.rate(c.LLM_REQUESTS, ("model",))), "by the same labels"),
        (lambda: e.with_versions(e.rate(c.ANSWERS, SNAPSHOT), ("eval_dataset_version",)), "write some of model_version"),
        (lambda: e.serving("model"), "write one of model_version"),
        (lambda: kit.stat("Title", ("x", GOOD), unit="percentunit", why=WHY), "written by ratio()"),
        (
            lambda: kit.graph("Title", ("{{service}}", e.rate(c.LLM_REQUESTS, SNAPSHOT[:2])), unit="cpm", why=WHY),
            "write {{environment}} in it too",
        ),
        (lambda: kit.graph("Title", *[("x", GOOD)] * 9, unit="cpm", why=WHY), "at most 8 queries"),
        (lambda: e.label_values("tool", (c.LLM_REQUESTS.prometheus,)), "has no label 'tool'"),
        (lambda: kit.stat("Title", ("x", GOOD), unit="pints", why=WHY), "unit: found 'pints'"),
        (lambda: kit.stat("Title", ("x", GOOD), unit="short", why="Calls."), "say in a sentence"),
    ],
)
def test_a_mistake_fails_where_it_is_written(write, says):
    """The message names what was found and what to write instead."""
    with pytest.raises(ValueError, match=re.escape(says)):
        write()


def test_a_quantile_of_a_counter_is_refused():
    """The catalogue itself knows what is a histogram."""
    with pytest.raises(AttributeError, match="is a counter"):
        e.quantile(0.99, c.LLM_REQUESTS)


def test_a_panel_takes_no_plain_text_for_an_expression():
    """Only what was built from catalogue entries and records can be drawn."""
    with pytest.raises(TypeError, match=r"truegreen\.dashboards\.expressions"):
        kit.graph("Title", ("x", "sum(rate(my_metric[5m]))"), unit="short", why=WHY)  # type: ignore[arg-type]


def test_a_panel_without_a_unit_or_a_reason_cannot_be_written():
    """They are keywords without a default."""
    with pytest.raises(TypeError, match="unit"):
        kit.stat("Title", ("x", GOOD), why=WHY)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="why"):
        kit.stat("Title", ("x", GOOD), unit="short")  # type: ignore[call-arg]


COUNTERS = [metric for metric in c.ALL if metric.kind == "counter" and metric.identity]


@given(st.sampled_from(COUNTERS), st.data())
def test_every_share_and_rate_of_a_catalogue_counter_is_sound(metric: Metric, data):
    """Whatever labels are chosen, the PromQL keeps the rules."""
    by = tuple(data.draw(st.lists(st.sampled_from(metric.labels), unique=True)))
    closed = [label for label in metric.label_set if label.values]
    where = {label.name: data.draw(st.sampled_from(label.values)) for label in closed}
    one, other = e.rate(metric, by), e.increase(metric, by, where)
    for made in (one, e.share(metric, where, by=by), other, e.ratio(other, one), e.rest(one)):
        assert lint_queries.problems(made.text) == ()


def test_a_budget_is_one_number_only_where_it_holds_for_all():
    """A baseline objective or a service's own objective has no single line."""
    grounding = BY_NAME["grounding"]
    assert budget(grounding) == pytest.approx(0.05)
    assert budget(BY_NAME["relevance"]) is None
    other = slo.Slo(
        **{
            **{name: getattr(grounding, name) for name in slo.Slo.__dataclass_fields__},
            "objectives": {"x": BY_NAME["latency"].objective},
        }
    )
    assert budget(other) is None


@given(st.lists(st.tuples(st.integers(1, 24), st.integers(1, 12)), min_size=1, max_size=12), st.integers(1, 3), st.booleans())
def test_panels_never_overlap_and_never_leave_the_grid(sizes, columns, collapsed):
    """Whatever the sizes, places are computed."""
    tiles = [kit.stat("Title", ("x", GOOD), unit="short", why=WHY, width=w, height=h) for w, h in sizes]
    rows = (kit.side_by_side("One", *([tiles] * columns)), kit.row("Two", *tiles, collapsed=collapsed), kit.row("Three", *tiles))
    placed = frame.placed(Board("truegreen-test", "Test", "Does everything fit on the board?", rows), frame.clock(30, 1))
    cells: set[tuple[int, int]] = set()
    for panel in placed:
        at = panel["gridPos"]
        mine = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not mine & cells
        cells |= mine
    identities = [panel["id"] for row in placed for panel in (row, *row.get("panels", []))]
    assert sorted(identities) == list(range(1, len(identities) + 1))
