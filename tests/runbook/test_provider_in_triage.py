"""What is kept of a provider, in triage and in the postmortem, on a real Prometheus; and the true start beside the alert's time."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from runbook_shop import serving
from runbook_world import END, ONSET, STEP

from truegreen.evaluation.provider import probes, store
from truegreen.evaluation.provider.model import Entry, Round, Seen

DAY = 86_400
ROUND = Round(0.0, "same", "openai", "support-large", 20, 20, 0, 1, (Seen("style", 0.01, 0.6),))


@pytest.fixture
def triage(run: Callable[..., Any], filled: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """`triage("neither")` is what the command says of that service, as JSON; `triage("neither", json=False)` as text."""
    monkeypatch.setenv("TRUEGREEN_PROMETHEUS_URL", filled)

    def asked(service: str, *more: str, machine: bool = True) -> Any:
        words = ("triage", "--service", service, "--environment", "production", "--slo", "grounding", "--at", str(END), *more)
        return run(*words, "--json").facts if machine else run(*words).out

    return asked


def announced(folder: Path, *entries: Entry) -> None:
    """Write the changelog that a folder has."""
    store.merge(folder / "provider" / "changes.json", entries, END)


def entry(number: int, days: float, title: str, *models: str, retires: float | None = None) -> Entry:
    """An entry so many days from the onset."""
    return Entry(f"{number:012x}", "openai", "change", title, "https://example.com/changes", ONSET + days * DAY, models, retires)


def test_probes_find_what_no_name_tells(triage: Callable[..., Any], tmp_path: Path) -> None:
    """Nothing that we can see changed, and fixed questions are answered otherwise since: THEM. Another name, and answers as before: not sure."""
    history = tmp_path / "provider" / "probes.jsonl"
    probes.append(history, replace(ROUND, time=ONSET - 3_600))
    probes.append(history, replace(ROUND, time=ONSET + 600, verdict="changed", found=(Seen("style", 0.9, 0.0003),)))
    found = triage("neither")
    assert found["whose"] == "them"
    assert found["because"].startswith("fixed questions are answered otherwise since the onset: support-large: style p 0.0003")
    history.unlink()
    probes.append(history, replace(ROUND, time=ONSET - 3_600))
    probes.append(history, replace(ROUND, time=ONSET + 600))
    weakened = triage("them")
    assert weakened["whose"] == "not sure", "another name that answers as before is no culprit by itself"
    assert any(line.startswith("fixed questions are answered as before the onset") for line in weakened["signs"])


def test_both_are_named_with_a_command_for_each(triage: Callable[..., Any]) -> None:
    """The provider's model and our prompt changed at once."""
    found = triage("both")
    assert found["whose"] == "both"
    assert found["commands"] == [
        "truegreen contain pin-model support-large-0613 --expires 60m", "truegreen rollback prompt --name support --to 4",
    ]  # fmt: skip
    assert "BOTH, them and us: the provider's model and our prompt changed" in triage("both", machine=False)


def test_signs_are_printed_with_their_weights(triage: Callable[..., Any], tmp_path: Path) -> None:
    """What speaks for it, the heaviest first, the changelog with it."""
    announced(tmp_path, entry(1, -0.2, "support-large moved to 1106", "support-large"))
    shown = triage("them", machine=False)
    assert "THEM, not us: served model changed: support-large-0613 -> support-large-1106" in shown
    signs = [line.strip() for line in shown.splitlines() if line.startswith("  sign: ")]
    assert signs[0].startswith("sign: another served model since the onset: ") and signs[0].endswith("(them +5, us -1)")
    assert any(
        "announced something about this model near the onset: support-large: support-large moved" in line for line in signs
    )


def test_the_postmortem_has_fourteen_days_of_the_changelog(
    triage: Callable[..., Any], run: Callable[..., Any], tmp_path: Path
) -> None:
    """What was said before, and what stopped then; text from outside is no Markdown."""
    run("incident", "open", "--service", "them", "--environment", "production", "--slo", "grounding")
    announced(tmp_path, entry(1, -13, "| [faster](javascript:x) <b>", "support-large"), entry(2, -20, "too old"), entry(3, 5, "later"),
              entry(4, -90, "support-large-0613 stops", "support-large-0613", retires=ONSET - DAY))  # fmt: skip
    triage("them")
    assert run("postmortem", "--out", "postmortem.md").code == 0
    page = (tmp_path / "postmortem.md").read_text()
    part = page.split("## The provider's changelog")[1].split("\n## ")[0]
    day = f"{datetime.fromtimestamp(ONSET - 13 * DAY, UTC):%Y-%m-%d}"
    assert f"- {day} openai: \\| \\[faster\\](javascript:x) &lt;b> (support-large), https:/\\/example.com/changes" in part
    assert "support-large-0613 stops" in part and "; stops " in part
    assert "too old" not in part and "later" not in part


@pytest.mark.full
def test_without_a_changelog_the_postmortem_says_so(triage: Callable[..., Any], run: Callable[..., Any], tmp_path: Path) -> None:
    """Nothing is made up."""
    run("incident", "open", "--service", "them", "--environment", "production", "--slo", "grounding")
    triage("them")
    assert run("postmortem", "--out", "postmortem.md").code == 0
    assert "None was kept (`truegreen provider changes --feed URL`)" in (tmp_path / "postmortem.md").read_text()


def test_a_file_that_cannot_be_read_is_said_and_the_rest_is_used(triage: Callable[..., Any], tmp_path: Path) -> None:
    """Named, and left as it is."""
    folder = tmp_path / "provider"
    folder.mkdir()
    (folder / "changes.json").write_text("{")
    (folder / "probes.jsonl").write_text("nonsense\n")
    found = triage("them")
    assert found["whose"] == "them"
    assert any("changes.json" in lack for lack in found["missing"]) and any(
        "1 lines are no rounds" in lack for lack in found["missing"]
    )
    assert (folder / "changes.json").read_text() == "{"


def test_scores_that_fell_without_a_failure_have_a_true_start(triage: Callable[..., Any]) -> None:
    """By the bound of the histogram that tells before from after best."""
    start = triage("sinking")["start"]
    assert start["of"] == "share of scores up to 0.9"
    assert start["low"] <= ONSET <= start["high"] <= start["low"] + 20 * STEP
    assert start["before"] < 0.2 < 0.5 < start["after"]


def test_the_true_start_is_printed_beside_the_alerts_time(triage: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """How long it went unseen."""
    fired = datetime.fromtimestamp(ONSET + 420, UTC).isoformat()
    labels = {"alertname": "TruegreenBudgetBurn", "sev": "1", "service": "them", "environment": "production", "slo": "grounding"}
    alert = {"labels": labels, "annotations": {}, "startsAt": fired, "endsAt": fired, "receivers": [], "fingerprint": "f",
             "status": {"state": "active", "silencedBy": [], "inhibitedBy": []}}  # fmt: skip
    with serving(lambda method, path, body, auth: (200, [alert])) as url:
        monkeypatch.setenv("TRUEGREEN_ALERTMANAGER_URL", url)
        shown = triage("them", machine=False)
    at = datetime.fromtimestamp(ONSET + 420, UTC).strftime("%H:%M:%S")
    assert f"alert fired {at} UTC, " in shown and " after the true start" in shown


@pytest.mark.full
def test_json_of_the_entries_is_whole(triage: Callable[..., Any], tmp_path: Path) -> None:
    """Machines read what people read."""
    announced(tmp_path, entry(1, -1, "news", "m"))
    (found,) = triage("them")["changelog"]
    assert json.loads(json.dumps(found))["title"] == "news"
