"""One incident, live and recorded, looks the same: the page, its steps, the proxy and the recording agree on every number."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

import pytest
import recorded
import tiny_recording as tiny

from truegreen.core.config import parse_text
from truegreen.dashboards.preview import site

PANELS = "return Object.fromEntries([...document.querySelectorAll('[role=group]')].map((one) => [one.getAttribute('aria-label'), one.innerText]))"
EVENTS = "Events on this board"
"""Marks are the recording's own."""


@pytest.fixture
def both(engine, tmp_path, preview, live):
    """`both(raw, boards)` are the addresses of a live and of a recorded preview of the same series, and the range of the recording."""
    engine("prometheus")
    engine("promtool")
    with ExitStack() as stack:

        def made(raw, boards):
            client = stack.enter_context(recorded.prometheus(raw, tmp_path))
            found = recorded.taken(raw, "", client, boards)
            slos = json.dumps({"slos": list(found.slos)})
            addresses = [
                preview(live(str(client.base_url), boards, slos, raw["time_scale"])),
                preview(site.recorded(boards, found, "a recording")),
            ]
            return addresses, f"from={1000 * found.start:.0f}&to={1000 * found.end:.0f}"

        yield made


def _seen(browser, address, uid, window):
    browser.open(f"{address}/d/{uid}?{window}")
    browser.whole()
    assert browser.errors() == []
    # Prometheus gives rows of one value in no order.
    return {title: sorted(text.splitlines()) for title, text in browser.run(PANELS).items() if title != EVENTS}


def test_the_tiny_incident_reads_the_same_live_and_recorded(both, browser):
    """Lines with mean, last and max, and a number as of now."""
    addresses, window = both(tiny.RAW, {"tiny": tiny.BOARD})
    live, kept = (_seen(browser, address, "tiny", window) for address in addresses)
    assert live == kept
    assert "50%" in " ".join(live["Panel 1"])
    assert "50%" in " ".join(live["Panel 2"])


@pytest.mark.full
def test_every_board_of_the_demos_incident_reads_the_same_live_and_recorded(both, browser, repo: Path):
    """All panels of all boards."""
    raw, _ = recorded.read(repo / "dashboards" / "recorded" / "incident.json.gz")
    boards = site.generated(parse_text(json.dumps({"slos": recorded.slos(raw)}), "incident", {}, None), raw["time_scale"])
    addresses, window = both(raw, boards)
    for uid in boards:
        live, kept = (_seen(browser, address, uid, window) for address in addresses)
        assert live == kept, uid
