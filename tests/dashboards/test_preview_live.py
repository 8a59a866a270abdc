"""One incident, live and recorded, looks the same: the page, its steps, the proxy and the recording agree on every number."""

from __future__ import annotations

import json
from contextlib import ExitStack
from itertools import zip_longest
from pathlib import Path

import pytest
import recorded
import tiny_recording as tiny

from truegreen.core.config import parse_text
from truegreen.core.words import boards as uids
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
def test_the_demos_incident_reads_the_same_live_and_recorded(both, browser, repo: Path):
    """All panels of boards that have every kind of panel."""
    raw, _ = recorded.read(repo / "dashboards" / "recorded" / "incident.json.gz")
    boards = site.generated(parse_text(json.dumps({"slos": recorded.slos(raw)}), "incident", {}, None), raw["time_scale"])
    shown = {uid: boards[uid] for uid in (uids.OVERVIEW, uids.BOARDS["hallucination"], uids.VERSIONS, uids.INCIDENT)}
    addresses, window = both(raw, shown)
    for uid in shown:
        live, kept = (_seen(browser, address, uid, window) for address in addresses)
        assert list(_differing(live, kept)) == [], uid


def _differing(live, kept):
    """Lines that differ by more than the last of three digits: a recording holds six, so that halves may be rounded either way."""
    assert live.keys() == kept.keys()
    for title, lines in live.items():
        for one, other in zip(lines, kept[title], strict=True):
            words = list(zip_longest(one.split(), other.split(), fillvalue=""))
            if any(a != b and _number(a) != pytest.approx(_number(b), rel=0.006) for a, b in words):
                yield title, one, other


def _number(word):
    try:
        return float(word.rstrip("%K"))
    except ValueError:
        return float("nan")
