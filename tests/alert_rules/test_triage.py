"""The triage table: what an alert suspects first and the runbook asks."""

from __future__ import annotations

import re

import promql_parser
import pytest

from truegreen.core.words import catalogue, terms, triage
from truegreen.core.words.boards import ALL

ROWS = (*triage.BY_FAILURE_MODE.values(), *triage.BY_PILLAR.values())


def test_each_failure_mode_and_each_pillar_has_its_row():
    """None is left to guess."""
    assert set(triage.BY_FAILURE_MODE) == set(terms.FAILURE_MODES)
    assert set(triage.BY_PILLAR) == set(terms.PILLARS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.key)
def test_each_row_names_queries_and_a_board_that_exist(row):
    """A hypothesis without a question could not be ruled out."""
    assert {hypothesis.query for hypothesis in row.hypotheses} | set(row.queries) <= set(triage.QUERIES)
    assert row.board in ALL
    assert {hypothesis.whose for hypothesis in row.hypotheses} <= {triage.US, triage.THEM, triage.EITHER}
    assert row.contain.says
    assert row.rollback.says


@pytest.mark.parametrize("query", triage.QUERIES.values(), ids=lambda query: query.name)
def test_each_query_is_promql_over_catalogue_metrics(query):
    """Also for a service whose name holds quotes."""
    text = query.fill('odd"name\\', "production", "15m")
    promql_parser.parse(text)
    names = {re.sub(r"_(bucket|count|sum)$", "", name) for name in re.findall(r"\btruegreen_\w+", text)}
    assert names
    assert names <= set(catalogue.BY_NAME)


def test_the_pillar_is_asked_before_the_failure_mode():
    """It is the narrower one; nothing is said twice."""
    found = triage.first_hypotheses("retrieval", "memory", most=9)
    assert found[0] == triage.BY_PILLAR["memory"].hypotheses[0]
    assert len(set(found)) == len(found)
    assert triage.first_hypotheses("none") == ()
