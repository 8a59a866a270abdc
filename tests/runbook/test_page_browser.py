"""The incident's page in a real Chromium: on a phone, with hostile texts, while the log grows."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from page_site import TOKEN, Site, serving
from runbook_world import END

from truegreen.runbook import log as store

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))  # the driver of the browser is a tool
READY = "document.documentElement.dataset.ready"
HOSTILE = (
    "<script>document.title='owned'</script>", "<img src=x onerror=\"document.title='owned'\">", "\"'><svg onload=document.title='owned'>",
    "{{ 7 * 7 }}", "x" * 3_900, "\u05e9\u05dc\u05d5\u05dd \u202ehostile\u202c \u0645\u0631\u062d\u0628\u0627", "javascript:document.title='owned'",
)  # fmt: skip
OVER = """return [...document.querySelectorAll("body *")].filter((one) => one.getBoundingClientRect().right > innerWidth + 0.5 && !one.closest("pre,svg"))
  .map((one) => one.outerHTML.slice(0, 120))"""
SMALL = """return [...document.querySelectorAll("a, button, summary, input:not([type=hidden]), textarea")].filter((one) => one.checkVisibility())
  .map((one) => [one.outerHTML.slice(0, 90), one.getBoundingClientRect()]).filter(([, box]) => box.height < 43.5 || box.width < 43.5).map(([text]) => text)"""


@pytest.fixture(scope="module")
def chromium(engine: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One window for all tests of this file."""
    import webdriver

    engine("chromium")
    engine("chromedriver")
    with webdriver.browser(tmp_path_factory.mktemp("chromium")) as window:
        yield window


@pytest.fixture
def phone(chromium: Any) -> Any:
    """A phone's window, its cookies and logs empty."""
    chromium.ask("DELETE", "/cookie")
    chromium.open("about:blank")
    chromium.size(375, 720)
    chromium.theme("light")
    chromium.log("browser")
    chromium.log("performance")
    return chromium


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """With a file of tokens; Prometheus is nobody."""
    (tmp_path / "tokens").write_text(TOKEN)
    with serving(Site(tmp_path, {"prometheus_url": "http://127.0.0.1:9", "serve": {"token_file": "tokens"}})) as made:
        yield made


def enter(phone: Any, site: Site, path: str) -> None:
    """Open a page, be asked who one is, and say it."""
    phone.open(site.url + path)
    phone.until("document.querySelector('[name=token]')")
    phone.run(
        "document.querySelector('[name=name]').value = 'Dana'; document.querySelector('[name=token]').value = arguments[0]", TOKEN
    )
    phone.click("form button")
    phone.until(f"location.pathname === arguments[0] && {READY}", path)


def triaged(text: str) -> dict[str, Any]:
    finding = {"says": text, "because": text, "state": "supported", "whose": "us"}
    return {
        "whose": "us", "because": text, "changes": [{"component": text, "old": text, "new": text, "time": END}],
        "findings": [finding, {**finding, "state": "ruled out"}], "affected": 57, "sessions": 61, "failing": [text, "ab" * 16],
        "commands": [f"truegreen rollback prompt --to {text[:60]}"], "slices": [text], "missing": [text], "failure_mode": "hallucination",
        "start": {"time": END - 600, "low": END - 660, "high": END - 540, "before": 0.03, "after": 0.5},
    }  # fmt: skip


def test_on_a_phone_nothing_overflows_and_everything_can_be_tapped_whatever_the_texts_are(phone: Any, site: Site) -> None:
    """375 pixels wide: hostile words stay words, no scroll to the side, targets of 44 pixels, in both themes."""
    site.open("".join(HOSTILE)[:190], text=HOSTILE[0])
    for text in HOSTILE:
        site.write(1, "triage", "note", text, {"by": text})
        site.write(1, "triage", "triaged", text, triaged(text))
    site.write(1, "detect", "owner set", "x", {"owner": HOSTILE[1]})
    check = {"name": HOSTILE[1], "state": "not ok", "number": HOSTILE[4], "bound": HOSTILE[2], "says": HOSTILE[5]}
    site.write(1, "validate", "validated", HOSTILE[0], {"ok": False, "checks": [check]})
    site.write(1, "detect", "ticket opened", "x", {"url": "javascript:alert(1)"})
    enter(phone, site, "/incidents/1")
    for theme in ("light", "dark"):
        phone.theme(theme)
        assert phone.run("return document.documentElement.scrollWidth") == 375
        assert phone.run(OVER) == []
        assert phone.run(SMALL) == []
    phone.run("for (const one of document.querySelectorAll('details')) one.open = true")
    assert (phone.run(OVER), phone.run(SMALL)) == ([], [])
    assert phone.run("return document.title").startswith("Sev 1: grounding")
    assert phone.run("return [...document.querySelectorAll('main script, main img, main [onerror], main [onload]')].length") == 0
    assert phone.run("return [...document.querySelectorAll('a')].filter((a) => !/^https?:$/.test(a.protocol)).length") == 0
    shown = phone.run("return [...document.querySelectorAll('.log .text')].map((one) => one.textContent)")
    assert HOSTILE[0] in shown
    phone.open(f"{site.url}/")
    phone.until(READY)
    assert phone.run("return document.documentElement.scrollWidth") == 375
    assert phone.run(SMALL) == []
    # The icon that a browser asks for by itself is ours too: nothing was asked of anybody else.
    assert {urlsplit(url).netloc for url in phone.requested() if url.startswith("http")} == {urlsplit(site.url).netloc}
    assert [said for said in phone.errors() if "401" not in said] == []


@pytest.mark.full
def test_a_new_line_of_the_log_appears_by_itself_and_what_was_typed_stays(phone: Any, site: Site) -> None:
    """Nobody reloads: the line is marked as new, an open detail stays open, a half-written note is not lost."""
    site.open()
    site.write(1, "triage", "triaged", "us", triaged("prompt 5"))
    enter(phone, site, "/incidents/1")
    phone.run(
        "window.stays = 1; document.getElementById('ruled').open = true; document.querySelector('textarea').value = 'half a th'"
    )
    made = site.write(1, "contain", "contain applied", "pinned_model = m", {"flag": "pinned_model", "value": "m"})
    phone.until(f"document.querySelector('#e{made.seq}.new')")
    assert phone.run(
        "return [window.stays, document.getElementById('ruled').open, document.querySelector('textarea').value]"
    ) == [1, True, "half a th"]
    assert "truegreen validate --incident 1" in phone.run("return document.getElementById('next').innerText")
    assert phone.run("return document.querySelector('.phases .done:nth-child(3) .state').textContent") == "done"
    store.close_incident(site.log, 1, site.now, "over", {})
    phone.until(
        "document.title.startsWith('Closed') && document.querySelector('#headline .chip:not(.sev)').textContent === 'Closed'"
    )
    assert [said for said in phone.errors() if "401" not in said] == []


def test_the_buttons_write_what_they_say_and_a_line_is_copied(phone: Any, site: Site) -> None:
    """Acknowledge, own, a note: each stands in the log under the name that was given on entering."""
    site.open()
    enter(phone, site, "/incidents/1")
    phone.click("button.primary")
    phone.until(f"{READY} && document.getElementById('headline').innerText.includes('seen by Dana')")
    assert phone.run("return document.querySelector('button.primary')") is None
    phone.click("[formaction$='/own']")
    phone.until(f"{READY} && document.querySelector('.numbers .word').textContent === 'Dana'")
    phone.run("document.querySelector('textarea').value = 'the index looks <b>old</b>'")
    phone.click(".note button")
    phone.until(f"{READY} && document.querySelector('.log .text').textContent === 'the index looks <b>old</b>'")
    assert [(e.kind, e.data.get("by")) for e in site.events()[1:]] == [
        ("acknowledged", "Dana"),
        ("owner set", "Dana"),
        ("note", "Dana"),
    ]
    phone.cdp("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    phone.click("[data-copy]")
    phone.until("document.querySelector('[data-copy]').textContent === 'Copied'")
    assert phone.run("return navigator.clipboard.readText()") == "truegreen triage --incident 1"
    before = phone.run("return document.querySelector('[data-since]').textContent")
    phone.until("document.querySelector('[data-since]').textContent !== arguments[0]", before)


def test_without_a_script_all_of_it_is_there(phone: Any, site: Site) -> None:
    """The server says it whole: times, next command, log and buttons; the charts are a link."""
    site.open()
    enter(phone, site, "/incidents/1")
    phone.cdp("Emulation.setScriptExecutionDisabled", value=True)
    try:
        phone.open(f"{site.url}/incidents/1")
        text = phone.run("return document.body.innerText")
        assert phone.run("return document.documentElement.dataset.ready") is None
    finally:
        phone.cdp("Emulation.setScriptExecutionDisabled", value=False)
    assert all(
        word in text for word in ("Acknowledge", "truegreen triage --incident 1", "Open the charts", "incident opened", "0:00")
    )


@pytest.mark.full
def test_a_server_that_is_gone_is_said_and_a_session_that_ended_asks_again(phone: Any, site: Site) -> None:
    site.open()
    enter(phone, site, "/incidents/1")
    site.now += 50_000
    phone.until("document.querySelector('[name=token]')")
    site.now = END
    phone.open(f"{site.url}/incidents/1")
    phone.until(READY)
    phone.cdp("Network.enable")
    phone.cdp("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=-1, uploadThroughput=-1)
    try:
        phone.until("!document.getElementById('lost').hidden")
    finally:
        phone.cdp("Network.emulateNetworkConditions", offline=False, latency=0, downloadThroughput=-1, uploadThroughput=-1)
    phone.until("document.getElementById('lost').hidden")


@pytest.mark.full
def test_a_new_incident_appears_in_the_list_by_itself(phone: Any, site: Site) -> None:
    site.open()
    enter(phone, site, "/")
    site.open("index", sev="2")
    phone.until("document.querySelector('a[href=\"/incidents/2\"]')")
    phone.click("a[href='/incidents/2']")
    phone.until(f"location.pathname === '/incidents/2' && {READY}")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_can_be_told_from_its_ground(phone: Any, site: Site, theme: str) -> None:
    """WCAG 2.2: 4.5:1, measured on the words that stand there."""
    site.open()
    site.write(1, "triage", "triaged", "us", triaged("prompt 5"))
    checks = [{"name": name, "state": name, "number": "1", "bound": "2", "says": ""} for name in ("ok", "not ok", "unknown")]
    site.write(1, "validate", "validated", "x", {"ok": False, "checks": checks})
    phone.theme(theme)
    enter(phone, site, "/incidents/1")
    weak = phone.run(
        """const number = (c) => { const [r, g, b] = c.match(/[\\d.]+/g).map(Number); return [r, g, b].map((v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); };
        const light = (c) => { const [r, g, b] = number(c); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
        const ground = (one) => { for (; one; one = one.parentElement) { const c = getComputedStyle(one).backgroundColor; if (!/, 0\\)$/.test(c)) return c; } return "rgb(255,255,255)"; };
        return [...document.querySelectorAll("body *")].filter((one) => one.checkVisibility() && [...one.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()))
          .map((one) => { const [a, b] = [light(getComputedStyle(one).color), light(ground(one))]; return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), one.outerHTML.slice(0, 80)]; })
          .filter(([ratio]) => ratio < 4.5)"""
    )
    assert weak == []
