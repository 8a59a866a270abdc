"""The generated boards in the preview, on a real Prometheus: all of them draw, variables narrow, nothing leaves the machine."""

from __future__ import annotations

import time

import pytest
import synthetic

from truegreen.dashboards import check
from truegreen.dashboards.known import SERIES
from truegreen.dashboards.preview import site

READY = "document.documentElement.dataset.ready"
STATES = "return [...document.querySelectorAll('.panel')].map((one) => [one.getAttribute('aria-label'), one.dataset.state, one.querySelector('.body').innerText])"
STAGING = {
    "service": "billing",
    "environment": "staging",
    "model": "small",
    "provider": "other",
    "operation": "chat",
    "outcome": "ok",
}
PRODUCTION = {**STAGING, "service": "shop", "environment": "production"}
EMPTY = {"Firing alerts", "Watchdog", "Alerts about the watching", "What would have paged"}
"""Alerts whose labels no two panels share: the filled series have one set for each name."""


@pytest.fixture(scope="module")
def shown(engine, tmp_path_factory):
    """(address of a Prometheus with series for all that the boards ask, the boards by uid)."""
    engine("prometheus")
    promtool, folder = engine("promtool"), tmp_path_factory.mktemp("page")
    from truegreen.core.config import parse_text

    boards = site.generated(parse_text("routes: {trace_url: 'https://traces.example/{trace_id}'}", "truegreen.yaml", {}, None), 1)
    names, wanted = synthetic.asked([text for board in boards.values() for _, text in check.expressions(board)])
    rows = [
        (name, labels, "counter" if SERIES[name].kind == "counter" else "gauge", value)
        for name in sorted(names)
        for labels, value in synthetic.series(name, wanted)
    ]
    rows += [("truegreen_llm_requests_total", labels, "counter", 3.0) for labels in (STAGING, PRODUCTION)]
    with synthetic.served(rows, folder, int(time.time()) // 60 * 60, promtool) as url:
        yield url, boards


def opened(browser, url, uid, width=1280, query="?from=now-30m&to=now"):
    """A whole board: every row unfolded, the window as high as the page."""
    browser.open(f"{url}/d/{uid}{query}")
    browser.until(READY)
    browser.run("for (const one of document.querySelectorAll('h2 [aria-expanded=false]')) one.click()")
    browser.whole(width)
    return browser.run(STATES)


def drawn(browser, url, uid, **more):
    """What is not drawn of a board, and what the console says."""
    states = opened(browser, url, uid, **more)
    return [one for one in states if one[1] != "data" and one[0] not in EMPTY], browser.errors()


def test_the_first_boards_that_one_opens_are_drawn_and_ask_nobody_else(browser, preview, live, shown):
    """Overview, hallucination, incident: each panel ends in data, the console is silent, no request leaves this machine."""
    prometheus, boards = shown
    url = preview(live(prometheus, boards))
    for uid in ("truegreen-overview", "truegreen-hallucination", "truegreen-incident"):
        assert drawn(browser, url, uid) == ([], [])
    asked = browser.requested()
    assert len(asked) > 60
    assert [one for one in asked if not one.startswith((url, "data:", "about:"))] == []


def test_a_service_offers_its_own_environments_and_narrows_what_is_drawn(browser, preview, live, shown):
    """By the list and by the address alike, which is an alert's link."""
    prometheus, boards = shown
    url = preview(live(prometheus, boards))
    environments = "[...document.querySelectorAll('[data-name=environment] input')].map((one) => one.dataset.value)"
    rows = "[...document.querySelectorAll('.data')].map((one) => one.innerText).join()"
    opened(browser, url, "truegreen-latency", query="?from=now-30m&to=now&var-service=billing")
    assert browser.run(f"return {environments}") == ["$__all", "staging"]
    assert ("billing" in browser.run(f"return {rows}"), "shop" in browser.run(f"return {rows}")) == (True, False)
    browser.click("[data-name=service] summary")
    browser.click("[data-name=service] [data-value='$__all']")
    browser.until(f"{READY} && {environments}.length > 2")
    assert "var-service=%24__all" in browser.url()
    assert "shop" in browser.run(f"return {rows}")
    browser.click("[data-name=service] [data-value=billing]")
    browser.until(f"{READY} && {environments}.length === 2")
    assert "var-service=billing" in browser.url()


@pytest.mark.full
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 640])
def test_every_board_is_drawn_in_both_themes_and_at_twice_the_size(browser, preview, live, shown, theme, width):
    """No panel fails, nothing is wider than the window, the console is silent."""
    prometheus, boards = shown
    url = preview(live(prometheus, boards))
    browser.theme(theme)
    wide = {}
    for uid in boards:
        assert drawn(browser, url, uid, width=width) == ([], []), uid
        wide[uid] = browser.run("return document.documentElement.scrollWidth")
    assert {uid: found for uid, found in wide.items() if found > width} == {}


@pytest.mark.full
def test_a_board_that_is_open_all_night_grows_no_bigger(browser, preview, live, shown):
    """Eighty renewals of a fixed hour: plots that are drawn anew are given back."""
    prometheus, boards = shown
    end = int(time.time()) // 60 * 60 * 1000
    opened(browser, preview(live(prometheus, boards)), "truegreen-hallucination", query=f"?from={end - 1_800_000}&to={end}")

    def used(times):
        for _ in range(times):
            browser.press("r")
            browser.until(READY)
        browser.cdp("HeapProfiler.collectGarbage")
        return browser.run("return performance.memory.usedJSHeapSize"), browser.run(
            "return document.querySelectorAll('*').length"
        )

    used(10)
    (before, elements), (after, still) = used(10), used(60)
    assert still == elements
    assert after < 1.2 * before, (before, after)
