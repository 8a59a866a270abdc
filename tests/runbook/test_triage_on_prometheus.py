"""`truegreen triage` against a real Prometheus that holds two hours of several services."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from runbook_shop import serving
from runbook_world import END, ONSET, STEP


@pytest.fixture
def triage(run: Callable[..., Any], filled: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """`triage("them")` is what the command says of that service, as JSON."""
    monkeypatch.setenv("TRUEGREEN_PROMETHEUS_URL", filled)

    def asked(service: str, *more: str) -> dict[str, Any]:
        found: dict[str, Any] = run(
            "triage", "--service", service, "--environment", "production", "--slo", "grounding", "--at", str(END), "--json", *more
        ).facts
        return found

    return asked


def test_another_model_behind_the_alias_is_the_providers_doing_and_the_old_one_is_named(triage: Callable[..., Any]) -> None:
    """THEM, with the pin command filled in and the true start found within ten scrapes."""
    found = triage("them")
    assert found["whose"] == "them"
    assert found["commands"] == ["truegreen contain pin-model support-large-0613 --expires 60m"]
    assert found["start"]["low"] <= ONSET <= found["start"]["high"] <= found["start"]["low"] + 10 * STEP
    assert {"prompt", "retrieval_index", "guardrail"} <= set(found["same"])
    states = {f["says"]: f["state"] for f in found["findings"]}
    assert states["the provider serves another model behind the same name"] == "supported"
    assert states["retrieval gives the wrong passages"] == "ruled out"
    assert states["a new prompt version began to serve"] == "ruled out"
    assert found["relevance"][0] == pytest.approx(0.80, abs=0.02)
    assert found["failure_mode"] == "hallucination"
    assert found["pillar"] == "none"
    assert found["failing"] == ["ab" * 16]
    assert found["sessions"] == 61
    assert 90 < found["affected"] < 160


def test_a_model_version_that_only_mirrors_what_was_served_is_not_our_change(triage: Callable[..., Any]) -> None:
    """The snapshot got a new id because the provider changed: still THEM."""
    found = triage("mirror")
    assert (found["whose"], [c["component"] for c in found["changes"]]) == ("them", ["served_model"])


def test_a_new_prompt_version_is_ours_and_the_old_one_is_named(triage: Callable[..., Any]) -> None:
    """US, with the rollback command filled in."""
    found = triage("us-prompt")
    assert found["whose"] == "us", found
    assert found["commands"] == ["truegreen rollback prompt --name support --to 4"]
    assert [(c["old"], c["new"]) for c in found["changes"]] == [("support@4", "support@5")]
    assert "served_model" in found["same"]


def test_another_requested_model_is_ours(triage: Callable[..., Any]) -> None:
    """The team itself asked for another model."""
    found = triage("us-model")
    assert (found["whose"], found["commands"]) == ("us", ["truegreen contain pin-model support-large --expires 60m"])


def test_an_index_change_is_ours_and_no_command_of_another_component_is_given(triage: Callable[..., Any]) -> None:
    """Relevance fell and the index version changed."""
    found = triage("index")
    assert (found["whose"], [c["component"] for c in found["changes"]]) == ("us", ["retrieval_index"])
    assert found["commands"][0].startswith("truegreen rollback index") and "kb@7" in found["commands"][0]
    assert found["findings"][0]["state"] == "supported"


@pytest.mark.parametrize("service", ["neither", "healthy", "alibi"])
def test_evidence_that_does_not_separate_is_called_not_sure(triage: Callable[..., Any], service: str) -> None:
    """Nothing changed, nothing is wrong, or the change was long before."""
    assert triage(service)["whose"] == "not sure"


def test_a_healthy_service_has_no_true_start(triage: Callable[..., Any]) -> None:
    """No moment is made up."""
    assert triage("healthy")["start"] is None


def test_a_new_fingerprint_under_the_same_name_gives_no_command_that_cannot_work(triage: Callable[..., Any]) -> None:
    """There is no name to pin."""
    found = triage("fingerprint")
    assert found["whose"] == "them"
    assert not [c for c in found["commands"] if c.startswith("truegreen contain")]


@pytest.mark.parametrize("service", ["nobody", ".*", "All", "u_s-prompt"])
def test_a_service_that_nobody_knows_is_refused_with_the_names_that_are_known(run: Any, filled: str, service: str) -> None:
    """Nothing found for a name that does not exist reads as an all-clear."""
    ended = run("triage", "--service", service, "--environment", "production", "--slo", "grounding", "--prometheus-url", filled)
    assert ended.code == 2
    assert f"no series of service '{service}' in environment 'production'" in ended.err
    assert "us-prompt" in ended.err
    assert not ended.out


def test_the_text_names_the_verdict_the_ruled_out_and_the_next_command(run: Callable[..., Any], filled: str) -> None:
    """What a person reads at 3 AM."""
    shown = run(
        "triage",
        "--service",
        "them",
        "--environment",
        "production",
        "--slo",
        "grounding",
        "--at",
        str(END),
        "--prometheus-url",
        filled,
    )
    assert shown.code == 0, shown.err
    assert "THEM, not us" in shown.out
    assert "ruled out: retrieval gives the wrong passages" in shown.out
    assert "next: truegreen contain pin-model support-large-0613 --expires 60m" in shown.out
    assert "not asked: no Alertmanager answers" in shown.out


def test_triage_of_the_open_incident_is_logged(run: Callable[..., Any], filled: str) -> None:
    """The log gets the verdict."""
    run("incident", "open", "--service", "them", "--environment", "production", "--slo", "grounding")
    assert run("triage", "--at", str(END), "--prometheus-url", filled, "--json").facts["incident"] == 1
    told = run("incident", "log", "--json").facts["events"]
    assert [e["kind"] for e in told] == ["incident opened", "triaged"]
    assert told[1]["data"]["whose"] == "them"


def test_triage_without_prometheus_is_one_line_and_exit_1(run: Callable[..., Any]) -> None:
    """No traceback, and what to do."""
    ended = run("triage", "--service", "s", "--environment", "e", "--slo", "grounding")
    assert ended.code == 1
    assert "no Prometheus answers" in ended.err
    assert "Traceback" not in ended.err


def test_an_alert_is_named_by_its_name_or_its_fingerprint(run: Callable[..., Any], filled: str) -> None:
    """One that does not fire is refused with those that do, harmless on a terminal; two of one name and sev want more words."""
    burns = {"alertname": "TruegreenBudgetBurn", "environment": "production", "slo": "grounding", "sev": "1"}

    def answer(_: str, path: str, _body: Any, _auth: str) -> tuple[int, Any]:
        alerts = [{**burns, "service": "them"}, {**burns, "service": "us-model"},
                  {**burns, "alertname": "Other\x1b[31m", "service": "healthy", "sev": "2"}]  # fmt: skip
        made = [
            {"labels": labels, "annotations": {}, "status": {"state": "active", "silencedBy": [], "inhibitedBy": []}, "receivers": [],
             "startsAt": "2026-01-02T03:00:00Z", "endsAt": "2026-01-02T04:00:00Z", "fingerprint": f"f{n}"} for n, labels in enumerate(alerts)
        ]  # fmt: skip
        return (200, made) if path.startswith("/api/v2/alerts") else (404, {})

    with serving(answer) as url:
        where = ("--prometheus-url", filled, "--alertmanager-url", url, "--at", str(END))
        assert run("triage", "f1", *where, "--json").facts["service"] == "us-model"
        both = run("triage", "TruegreenBudgetBurn", *where)
        assert (both.code, "say which" in both.err) == (2, True)
        gone = run("triage", "TruegreenDrift", *where)
        assert (gone.code, "TruegreenBudgetBurn" in gone.err, "\x1b" in gone.err) == (2, True, False)
        assert run("triage", "f1", "--service", "them", *where).code == 2
