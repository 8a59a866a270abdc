"""`truegreen incident` where somebody or something else is at the same log: an alert joins a close, two close at once, work after the end."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from runbook_shop import serving

from truegreen.runbook import log as store

SHOP = ("--service", "shop", "--environment", "production", "--slo", "grounding")


@pytest.fixture
def healed(run: Callable[..., Any], tmp_path: Path) -> store.Log:
    """An open incident with a green validation of now."""
    assert run("incident", "open", *SHOP).code == 0
    log = store.open_log(f"sqlite:///{tmp_path / 'incidents.db'}")
    store.append(log, 1, time.time(), "validate", "validated", "6/6", {"ok": True, "time_scale": 1})
    return log


@pytest.mark.parametrize("more", [(), ("--override", "ann", "--reason", "it is late")])
def test_an_alert_that_joins_while_the_close_asks_keeps_the_incident_open(
    run: Callable[..., Any], healed: store.Log, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...]
) -> None:
    """Closed over it, every repeat of a sev 1 would be known, and nobody called. Whoever closes then knows of it."""
    joined: list[str] = []

    def asked(*_: Any) -> tuple[int, Any]:
        if not joined:
            joined.append("")
            store.append(healed, 1, time.time(), "detect", "alerted again", "it burns", {})
        return 200, []

    with serving(asked) as url:
        monkeypatch.setenv("TRUEGREEN_ALERTMANAGER_URL", url)
        ended = run("incident", "close", *more)
        assert (ended.code, "event 3 (alerted again) came while" in ended.err) == (1, True), ended.err
        assert store.incidents(healed)[0].closed is None
        store.append(healed, 1, time.time(), "validate", "validated", "6/6", {"ok": True, "time_scale": 1})
        assert run("incident", "close", *more).code == 0


def test_of_two_who_close_at_once_one_closes(run: Callable[..., Any], healed: store.Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other is told so, and the log has one end."""

    def asked(*_: Any) -> tuple[int, Any]:
        if store.incidents(healed)[0].closed is None:
            store.close_incident(healed, 1, time.time(), "closed by the other", {})
        return 200, []

    with serving(asked) as url:
        monkeypatch.setenv("TRUEGREEN_ALERTMANAGER_URL", url)
        ended = run("incident", "close")
    assert (ended.code, "is not open" in ended.err) == (1, True)
    assert [e.text for e in store.events(healed, 1) if e.kind == "incident closed"] == ["closed by the other"]
    assert store.verify(healed) == ""
