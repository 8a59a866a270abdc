"""What the preview's page asks and of when, and what it says where the answer is none, is late, or is of something else."""

from __future__ import annotations

import http.server
import json
import re
import threading
import time
from contextlib import suppress
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import page_boards as b
import pytest
from page_boards import shown, words

from truegreen.dashboards.preview import site

RANGE = "return document.querySelector('#time summary').innerText"
RENEWAL = "return document.querySelector('#refresh summary').innerText.split(' · ')[0]"
SAID = "return [...document.querySelectorAll('#events .error')].map((one) => one.innerText)"


@pytest.fixture
def refusing():
    """A Prometheus that answers by what a query holds: `refused`, `broken`, `late` (not before `over` is set), else 0.5; `asked` are its queries."""
    over, asked = threading.Event(), []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            asked.append({name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()})
            query = asked[-1].get("query", "")
            if "late" in query:
                over.wait(30)
            fine = {"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, "0.5"]}]}}
            status, body = (
                (401, "who are you?") if "refused" in query
                else (500, json.dumps({"status": "error", "errorType": "internal", "error": "the disk is full"})) if "broken" in query
                else (200, json.dumps(fine if "/query" in self.path else {"status": "success", "data": []}))
            )  # fmt: skip
            self.send_response(status)
            self.send_header("Content-Type", "text/plain" if status == 401 else "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(BrokenPipeError, ConnectionResetError):
                self.wfile.write(body.encode())

        do_POST = do_GET

        def log_message(self, *_):
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield SimpleNamespace(url=f"http://127.0.0.1:{server.server_port}", asked=asked, over=over)
    over.set()
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_question_that_fails_says_so_in_its_panel_and_the_others_live(browser, preview, live, refusing):
    """The server's own words for a refusal, an error and an answer that does not come."""
    panels = [
        b.panel(n, "stat", name, [b.target(name, instant=True)]) for n, name in enumerate(("refused", "broken", "late", "fine"))
    ]
    shown(browser, preview(live(refusing.url, {"tiny": b.board(*panels)}, timeout=1)))
    said = [words(browser, n) for n in range(4)]
    assert [text.startswith("Not answered.") for text in said] == [True, True, True, False], said
    assert ("401" in said[0], "the disk is full" in said[1], said[3]) == (True, True, "50%")
    assert re.search(r"504|did not answer|timed out|within 1 s", said[2]), said[2]


def test_the_range_of_the_address_is_the_range_that_is_asked(browser, preview, live, refusing):
    """On the first load too, and after a reload; an ended range is not renewed, and one that is none is said."""
    board = b.board(b.panel(0, "timeseries", "Lines", [b.target("up")])) | {"refresh": "1m"}
    url = preview(live(refusing.url, {"tiny": board}))
    for text, said, seconds in (("now-24h", "last 24 h", 86_400), ("now-30d", "last 30 d", 2_592_000)):
        shown(browser, url, query=f"?from={text}&to=now")
        assert (browser.run(RANGE), browser.run(RENEWAL), browser.run(SAID)) == (said, "↻ 1m", [])
        assert f"from={text}&to=now" in browser.url()
        starts = [float(one["start"]) for one in refusing.asked if one.get("query") == "up"]
        assert starts[-1] == pytest.approx(time.time() - seconds, abs=seconds / 50)
    later = int(time.time() + 3600) * 1000
    for query, renewal in ((f"?from={b.WINDOW[0]}&to={b.WINDOW[1]}", "↻ off"), (f"?from={later - 7_200_000}&to={later}", "↻ 1m")):
        shown(browser, url, query=query)
        assert browser.run(RENEWAL) == renewal
    shown(browser, url, query="?from=yesterday&to=now")
    assert browser.run(SAID) == ["From yesterday to now is no time range: the board's own is shown."]
    assert browser.run(RANGE) == "last 5 min"
    for _ in range(20):
        browser.press("-")
    assert 0 < int(parse_qs(urlsplit(browser.url()).query)["from"][0]) < time.time() * 1000


@pytest.mark.full
def test_a_board_that_is_answered_slowly_is_waited_for(browser, preview, live, refusing):
    """A renewal that gave up what is asked would never draw it."""
    panels = [b.panel(n, "stat", name, [b.target(name, instant=True)]) for n, name in enumerate(("fine", "late"))]
    browser.open(preview(live(refusing.url, {"tiny": b.board(*panels) | {"refresh": "1s"}})) + "/d/tiny")
    late = lambda: sum(one.get("query") == "late" for one in refusing.asked)  # noqa: E731
    browser.until("performance.now() > 2200")
    assert late() == 1
    refusing.over.set()
    browser.until("document.querySelector(`[data-id='1'] .number`)?.innerText === '50%'")
    browser.until("performance.now() > 3800")
    assert late() > 1


def test_what_a_choice_cannot_narrow_in_a_recording_says_so(browser, preview):
    """A sum over all models is no number of one model; what was not recorded is said and left out; the only value that there is is no choice."""
    both = {"steps": b.LIMIT, "options": {"colorMode": "value"}}
    panels = [
        b.panel(0, "stat", "Sum", [b.target('sum (bad{model=~"$model",service=~"$service"})', instant=True)], **both),
        b.panel(1, "stat", "By model", [b.target('bad{model=~"$model"}', "{{model}}", instant=True)], **both),
    ]  # fmt: skip
    answers = {
        panels[0]["targets"][0]["expr"]: b.answer(({}, [0.3] * 121)),
        panels[1]["targets"][0]["expr"]: b.answer(
            *[({"model": name}, [share] * 121) for name, share in (("small", 0.1), ("large", 0.2))]
        ),
    }
    board = b.board(*panels, variables=("service", "model"))
    url = preview(b.recorded(answers, board, service=["shop"], model=["large", "small"]))
    notes = "return [...document.querySelectorAll('.panel')].map((one) => [one.querySelector('.note').innerText, one.querySelector('.body').innerText.split('\\n')[0], getComputedStyle(one.querySelector('.number')).color])"
    shown(browser, url, query="?var-service=other&var-model=small&var-model=gone")
    (note, number, dim), (clean, own, red) = browser.run(notes)
    assert (note, number, clean, own) == ("all models", "30%", "", "10%")
    assert dim != red
    assert browser.run(SAID) == ["service other was not recorded: left out.", "model gone was not recorded: left out."]
    menus = "return [...document.querySelectorAll('.variable')].map((one) => [one.firstChild.innerText, one.querySelectorAll('input').length])"
    assert browser.run(menus) == [["Service shop", 1], ["Model small", 3]]
    shown(browser, url)
    assert [note for note, *_ in browser.run(notes)] == ["", ""]
    assert browser.run(SAID) == []


def test_a_board_of_ones_own_is_drawn_with_what_it_leaves_out(browser, preview, live, refusing, tmp_path):
    """Grafana's defaults; a number that asks over time is its last, and what cannot be drawn is not called unanswered."""
    broken = {"overrides": [{"matcher": {"id": "byRegexp", "options": "/(/"}, "properties": []}]}
    panels = [{"type": "stat", "id": 0, "title": "A", "targets": [{"expr": "up"}]}, {"type": "stat", "id": 1, "title": "B", "targets": [{"expr": "up"}], "fieldConfig": broken}]  # fmt: skip
    (tmp_path / "Überblick.json").write_text(json.dumps({"panels": panels}), "utf-8-sig")
    shown(browser, preview(live(refusing.url, site.own(tmp_path))), "-berblick")
    assert words(browser, 0) == "0.500"
    browser.run("scrollTo(0, document.body.scrollHeight)")
    assert browser.until("document.querySelector(`[data-id='1'] .body`).innerText").startswith("It cannot be drawn.")
