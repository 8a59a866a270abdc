"""Checks of a service that makes no guardrail decisions or no retrievals, against a real Prometheus."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from runbook_world import END, ONSET

from truegreen.runbook import log as store

FIXED_AT = END - 937


@pytest.mark.parametrize(
    ("service", "state"),
    [("plain", "ok"), ("muted", "unknown"), ("dead", "unknown"), ("newborn", "unknown"), ("never-seen", "unknown")],
)
def test_no_decisions_and_no_retrievals_are_fine_only_where_calls_were_seen_on_both_sides(
    run: Callable[..., Any], filled: str, tmp_path: Path, service: str, state: str
) -> None:
    """None ever; none any more; no telemetry since; none before; none at all."""
    log = store.open_log(f"sqlite:///{tmp_path / 'incidents.db'}")
    store.open_incident(log, store.Target(service, "production", "grounding"), "1", ONSET, "x", {})
    store.append(log, 1, FIXED_AT, "contain", "contain applied", "x",
                 {"flag": "pinned_model", "value": "m", "previous": "", "expires": END + 3_600})  # fmt: skip
    ended = run("validate", "--at", str(END), "--prometheus-url", filled, "--json")
    found = {c["name"]: c for c in json.loads(ended.out)["checks"]}
    for name, what in (("guardrail", "guardrail decisions"), ("retrieval relevance", "retrievals")):
        assert found[name]["state"] == state, found
        assert (found[name]["says"] == f"no {what}, before or since: nothing to compare") == (state == "ok")


def test_no_answer_of_prometheus_is_never_read_as_no_decisions(run: Callable[..., Any], tmp_path: Path) -> None:
    """Nobody to ask: exit 1, and nothing is logged as validated."""
    log = store.open_log(f"sqlite:///{tmp_path / 'incidents.db'}")
    store.open_incident(log, store.Target("plain", "production", "grounding"), "1", ONSET, "x", {})
    ended = run("validate", "--at", str(END))
    assert (ended.code, "Prometheus" in ended.err) == (1, True)
    assert not [e for e in store.events(log, 1) if e.kind == "validated"]


def test_retrievals_without_scores_stay_unknown() -> None:
    """They happened, and nothing says how good they were."""
    from truegreen.runbook import checks

    assert checks.relevance(None, None, 12.0, True).state == "unknown"
    assert checks.relevance(None, None, 0.0, True).state == "ok"


def test_a_baseline_is_a_sample_too():
    """4.1 % of 699 against 3 % of 600 is no news; the same against a truth of 3 %, or 4.9 % of 2,000, is."""
    from truegreen.runbook import checks

    assert checks.ratio(29, 699, 0.03, 0.05, "in the frozen baseline", 600).state == "ok"
    assert checks.ratio(29, 699, 0.03, 0.05, "before the onset").state == "not ok"
    assert checks.ratio(98, 2_000, 0.03, 0.05, "in the frozen baseline", 600).state == "not ok"
    assert checks.ratio(40, 699, 0.03, 0.05, "in the frozen baseline", 600).state == "not ok"


def test_the_number_of_answers_behind_the_frozen_baseline_decides_what_is_news(
    run: Callable[..., Any], filled: str, tmp_path: Path
) -> None:
    """29 of 699 against 3 % of 600, which the recording rules say: taken for a truth, the 3 % would keep the incident open."""
    log = store.open_log(f"sqlite:///{tmp_path / 'incidents.db'}")
    store.open_incident(log, store.Target("sampled", "production", "grounding"), "1", ONSET, "x", {})
    store.append(log, 1, FIXED_AT, "contain", "contain applied", "x",
                 {"flag": "pinned_model", "value": "m", "previous": "", "expires": END + 3_600})  # fmt: skip
    ended = run("validate", "--at", str(END), "--prometheus-url", filled, "--json")
    found = {c["name"]: c for c in json.loads(ended.out)["checks"]}["bad ratio"]
    assert found == {
        "name": "bad ratio",
        "state": "ok",
        "number": "4.1% (29 of 699)",
        "bound": "3.0% in the frozen baseline, budget 5.0%",
        "says": "z 1.1, at most 1.6, 95% interval 2.9% to 5.9%",
    }
