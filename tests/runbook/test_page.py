"""The incident's page over HTTP: who gets in, what it says, what its buttons write, and that no text becomes markup."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from page_site import TOKEN, Site, serving
from runbook_world import END

from truegreen.core.clients.http import Server
from truegreen.core.config import parse_text
from truegreen.runbook import log as store
from truegreen.runbook import selectors
from truegreen.runbook.model import Event, Incident, Target
from truegreen.runbook.page import access, clocks, html, routes, sli, svg
from truegreen.runbook.page.view import next_steps, phases, view

NOBODY = "http://127.0.0.1:9"
HTML = {"Accept": "text/html"}
BEARER = {"Authorization": f"Bearer {TOKEN}"}
CONFIG = parse_text("", "truegreen.yaml", {}, None)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """With a file of tokens."""
    (tmp_path / "tokens").write_text(f"another\n{TOKEN}\n")
    with serving(Site(tmp_path, {"prometheus_url": NOBODY, "serve": {"token_file": "tokens"}})) as made:
        yield made


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Site]:
    """Without tokens."""
    with serving(Site(tmp_path, {"prometheus_url": NOBODY})) as made:
        yield made


def entered(site: Site, **more: str) -> httpx.Client:
    """A browser whose person has signed in."""
    client = httpx.Client(base_url=site.url, headers=HTML, follow_redirects=True)
    answer = client.post("/login", data={"token": TOKEN, "name": "Dana", "to": "/", **more})
    assert answer.status_code == 200, answer.text
    return client


def test_nobody_looks_without_a_token_and_a_machine_or_a_person_with_one_does(site: Site) -> None:
    site.open()
    for path in ("/", "/incidents/1", "/incidents/1.json", "/incidents/1/charts"):
        bare = httpx.get(site.url + path)
        assert (bare.status_code, bare.headers["WWW-Authenticate"], "them" in bare.text) == (401, "Bearer", False)
        asked = httpx.get(site.url + path, headers=HTML)
        assert (asked.status_code, 'name="token"' in asked.text, "grounding" in asked.text) == (401, True, False)
        assert httpx.get(site.url + path, headers={"Authorization": "Bearer wrong"}).status_code == 401
        assert httpx.get(site.url + path, headers=BEARER).status_code == 200
    assert httpx.post(f"{site.url}/incidents/1/acknowledge", json={"by": "M"}).status_code == 401
    assert [e.kind for e in site.events()] == ["incident opened"]


def test_the_session_is_no_token_ends_by_itself_and_dies_with_its_token(site: Site) -> None:
    site.open()
    wrong = httpx.post(f"{site.url}/login", data={"token": "guess", "name": "Mallory"}, headers=HTML)
    assert (wrong.status_code, "set-cookie" in wrong.headers, "not known" in wrong.text) == (401, False, True)
    answer = httpx.post(f"{site.url}/login", data={"token": TOKEN, "name": "Dana", "to": "/incidents/1"})
    said = answer.headers["set-cookie"]
    assert (answer.status_code, answer.headers["location"]) == (303, "/incidents/1")
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= {part.strip() for part in said.split(";")}
    assert TOKEN not in said
    cookie = said.partition(";")[0]

    def asks(value: str) -> int:
        return httpx.get(f"{site.url}/incidents/1", headers={**HTML, "Cookie": value}).status_code

    assert asks(cookie) == 200
    assert asks(cookie[:-1] + ("0" if cookie[-1] != "0" else "1")) == 401
    assert asks(cookie.replace("=", "=A", 1)) == 401
    site.now += access.LASTS + 1
    assert asks(cookie) == 401
    site.now = END
    (site.folder / "tokens").write_text("another\n")
    assert asks(cookie) == 401
    (site.folder / "tokens").unlink()
    assert asks(cookie) == 401


@pytest.mark.parametrize(
    "to", ["https://evil.example/", "//evil.example", "/\\evil.example", "/incidents/\\\\x", "javascript:alert(1)", ""]
)
def test_signing_in_leads_nowhere_else(site: Site, to: str) -> None:
    answer = httpx.post(f"{site.url}/login", data={"token": TOKEN, "name": "D", "to": to})
    assert answer.headers["location"] == "/"


def test_a_form_that_does_not_end_is_given_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of who has no token yet, and of who is in; nothing is written."""
    monkeypatch.setattr(routes, "BODY_SECONDS", 0.05)
    site.open()
    where = ("127.0.0.1", urlsplit(site.url).port)
    for path in ("/login", "/incidents/1/acknowledge"):
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 100\r\n\r\ntok"
        with socket.create_connection(where, 20) as half:
            half.sendall(head.encode())
            answer = half.makefile("rb").read()
        assert answer.startswith(b"HTTP/1.1 408 "), answer
        assert b"set-cookie" not in answer.lower()
    assert [e.kind for e in site.events()] == ["incident opened"]


def test_without_tokens_only_this_machine_by_its_own_name(local: Site) -> None:
    """A page of another site that points its own name at the loopback is sent away."""
    local.open()
    assert httpx.get(f"{local.url}/incidents/1").status_code == 200
    foreign = httpx.get(f"{local.url}/incidents/1", headers={"Host": "evil.example"})
    assert (foreign.status_code, "them" in foreign.text) == (403, False)


def test_a_form_of_another_page_writes_nothing_and_ones_own_does(site: Site) -> None:
    site.open()
    with contextlib.closing(entered(site)) as client:
        forged = client.post("/incidents/1/acknowledge", data={"by": "Dana"})
        assert forged.status_code == 403
        assert len(site.events()) == 1
        form = re.search(r'name="form" value="([0-9a-f]{64})"', client.get("/incidents/1").text)
        assert form
        signed = {"form": form[1], "by": "Dana"}
        assert client.post("/incidents/1/acknowledge", data=signed).status_code == 200
        assert client.post("/incidents/1/own", data=signed).status_code == 200
        assert client.post("/incidents/1/note", data={**signed, "text": "the index\nlooks old"}).status_code == 200
        # Pressed again, it is so already.
        client.post("/incidents/1/acknowledge", data=signed)
        client.post("/incidents/1/own", data=signed)
    told = [(e.kind, e.text, e.data.get("by")) for e in site.events()[1:]]
    assert told == [
        ("acknowledged", "by Dana", "Dana"),
        ("owner set", "Dana owns it", "Dana"),
        ("note", "the index looks old", "Dana"),
    ]
    assert store.verify(site.log) == ""


def test_without_tokens_a_form_is_signed_too(local: Site) -> None:
    """Another page in the same browser can post to the loopback; it does not know the signature."""
    local.open()
    assert httpx.post(f"{local.url}/incidents/1/own", data={"by": "x"}, headers=HTML).status_code == 403
    form = re.search(r'name="form" value="([0-9a-f]{64})"', httpx.get(f"{local.url}/incidents/1").text)
    assert form
    assert httpx.post(f"{local.url}/incidents/1/own", data={"by": "Dana", "form": form[1]}).status_code == 303
    assert local.events()[-1].data["owner"] == "Dana"


def test_a_machine_says_it_in_json_and_bad_input_says_what_is_wrong(site: Site) -> None:
    site.open()
    post = lambda path, body: httpx.post(site.url + path, json=body, headers=BEARER)  # noqa: E731
    made = post("/incidents/1/note", {"by": "bot", "text": "from a script"})
    assert (made.status_code, made.json()["event"]) == (200, 2)
    assert post("/incidents/1/note", {"by": "bot", "text": " \u202e "}).status_code == 422
    assert post("/incidents/1/own", {"text": "x"}).json() == {"error": "Say who you are: fill in your name."}
    assert post("/incidents/1/dance", {"by": "bot"}).status_code == 422
    assert post("/incidents/7/own", {"by": "bot"}).status_code == 404
    assert post("/incidents/1/note", {"by": "bot", "text": "x" * 20_000}).status_code == 422
    assert (
        httpx.post(
            f"{site.url}/incidents/1/note", content=b"[" * 9_000, headers={**BEARER, "Content-Type": "application/json"}
        ).status_code
        == 422
    )
    store.close_incident(site.log, 1, site.now, "over", {})
    assert post("/incidents/1/acknowledge", {"by": "bot"}).status_code == 422
    assert post("/incidents/1/note", {"by": "bot", "text": "afterwards"}).status_code == 200
    assert [e.kind for e in site.events()] == ["incident opened", "note", "incident closed", "note"]


@pytest.mark.parametrize("number", ["0", "2", "99999999999999999999", "-1", "1e1", "%00", "x", "١"])
def test_what_is_not_there_is_said_plainly(site: Site, number: str) -> None:
    site.open()
    for end in ("", ".json", "/charts"):
        assert httpx.get(f"{site.url}/incidents/{number}{end}", headers=BEARER).status_code == 404


def test_every_answer_has_its_policy_and_no_script_or_style_stands_in_a_page(site: Site) -> None:
    site.open()
    asked = [
        httpx.get(site.url + path, headers=BEARER)
        for path in ("/", "/incidents/1", "/incidents/1.json", "/incidents/1/charts", "/incidents/9", "/static/page.css", "/static/page.js", "/static/x")
    ] + [httpx.get(site.url, headers=HTML)]  # fmt: skip
    for answer in asked:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        if "html" in answer.headers["content-type"]:
            assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=|javascript:", answer.text)
            assert set(re.findall(r'(?:src|href)="(https?://[^/"]+)', answer.text)) <= {
                "https://truegreen.github.io",
                "http://localhost:3000",
            }
    ours = (Path(html.__file__).parent / "static").glob("*")
    assert not [p for p in ours if re.search(r"innerHTML|insertAdjacentHTML|document\.write|\beval\b", p.read_text())]


def test_the_page_and_its_json_change_with_the_log_and_else_cost_nothing(site: Site) -> None:
    site.open(text="Answers are not grounded.")
    for path in ("/incidents/1", "/incidents/1.json"):
        first = httpx.get(site.url + path, headers=BEARER)
        site.now += 1
        same = httpx.get(site.url + path, headers={**BEARER, "If-None-Match": first.headers["etag"]})
        assert (same.status_code, same.content) == (304, b"")
        site.write(1, "triage", "note", f"look at {path}")
        fresh = httpx.get(site.url + path, headers={**BEARER, "If-None-Match": first.headers["etag"]})
        assert (fresh.status_code, f"look at {path}" in fresh.text) == (200, True)
    facts = httpx.get(f"{site.url}/incidents/1.json", headers=BEARER).json()
    assert (facts["service"], facts["sev"], facts["summary"]) == ("them", "1", "Answers are not grounded.")
    assert [e["seq"] for e in facts["events"]] == [3, 2, 1]
    assert facts["head"] == site.events()[-1].hash
    assert "groundedness" in facts["asks"][0]["promql"]
    board = urlsplit(facts["links"]["board"])
    asked = dict(parse_qsl(board.query))
    assert (board.path, asked["var-service"], asked["from"]) == ("/d/truegreen-overview", "them", f"{(END - 1_800) * 1_000:.0f}")


def test_a_prometheus_that_is_down_takes_only_the_charts_away(site: Site) -> None:
    site.open()
    answer = httpx.get(f"{site.url}/incidents/1/charts", headers=BEARER)
    assert (answer.status_code, "Prometheus does not answer" in answer.text, "detected" in answer.text) == (200, True, True)
    assert httpx.get(f"{site.url}/incidents/1", headers=BEARER).status_code == 200


def test_a_store_that_cannot_be_read_is_said(site: Site) -> None:
    site.log.engine.dispose()
    (site.folder / "incidents.db").write_bytes(b"no database at all" * 100)
    answer = httpx.get(f"{site.url}/incidents/1", headers=BEARER)
    assert (answer.status_code, "The log cannot be read" in answer.text, "Traceback" in answer.text) == (503, True, False)


def test_the_charts_are_those_of_prometheus(tmp_path: Path, filled: str) -> None:
    """The bad ratio before and since, the budget, the marks in order."""
    with serving(Site(tmp_path, {"prometheus_url": filled})) as site:
        site.now = END - 900
        site.open("them")
        site.write(
            1,
            "triage",
            "triaged",
            "them",
            {"whose": "them", "start": {"time": END - 1_237, "low": 0, "high": 0, "before": 0, "after": 0}},
        )
        site.now = END - 600
        site.write(1, "contain", "contain applied", "pinned", {"flag": "pinned_model", "value": "m"})
        site.now = END
        answer = httpx.get(f"{site.url}/incidents/1/charts").text
        assert re.findall(r"<b>([ABC])</b> ([a-z ]+) <time>", answer) == [
            ("A", "true start"),
            ("B", "detected"),
            ("C", "contained"),
        ]
        assert "budget 5.0 %" in answer
        assert 40 <= int(re.search(r'big bad">(\d+) %', answer)[1]) <= 65
        desk = site.desk()
        slo = selectors.slo_named("grounding", desk.config.slos)
        chart = sli.gather(desk.sources().prometheus, slo, store.incidents(site.log)[0], site.events(), END)
        before = [v for t, v in chart.ratio if t < END - 1_600]
        assert max(before) < 0.15
        assert min(t for t, _ in chart.ratio) <= END - 1_237 - sli.BEFORE + 60


def test_the_clocks_of_the_law_wait_for_a_person_and_are_advice(site: Site) -> None:
    """Nothing runs before somebody recorded since when it is known; then the clock counts, with its source and what it is worth."""
    site.open()
    before = httpx.get(f"{site.url}/incidents/1.json", headers=BEARER).json()["law"]
    waiting = [one for one in before["waiting"] if "Art. 73(2)" in one["source"]]
    assert waiting
    assert not [one for one in before["running"] if "Art. 73" in one["source"]]
    site.write(1, "review", "law awareness", "aware", {"at": END - 3_600, "by": "Lee"})
    law = httpx.get(f"{site.url}/incidents/1.json", headers=BEARER).json()["law"]
    fifteen = next(one for one in law["running"] if "Art. 73(2)" in one["source"])
    assert (fifteen["due"], fifteen["status"]) == (END - 3_600 + 15 * 86_400, "advisory")
    shown = httpx.get(f"{site.url}/incidents/1", headers=BEARER).text
    assert "14 d 23 h" in shown
    assert "no legal opinion" in shown
    assert "not required" not in shown


def _event(seq: int, phase: str, kind: str, **data: Any) -> Event:
    return Event(seq, 1, END + seq, phase, kind, kind, data, "", f"{seq:064}")


def test_the_next_command_follows_from_the_log() -> None:
    """Triage, then what triage said, then validate, then close, then the postmortem."""
    incident = Incident(1, Target("s", "production", "grounding"), "1", END)
    log = [_event(1, "detect", "incident opened", sev="1")]
    asked = lambda: [step["command"] for step in next_steps(incident, log)]  # noqa: E731
    assert asked() == ["truegreen triage --incident 1"]
    log.append(_event(2, "triage", "triaged", commands=["truegreen contain pin-model m --expires 60m"]))
    assert asked() == ["truegreen contain pin-model m --expires 60m", "truegreen triage --incident 1"]
    log.append(_event(3, "contain", "contain applied"))
    assert asked()[0] == "truegreen validate --incident 1"
    log.append(_event(4, "validate", "validated", ok=True))
    assert asked() == ["truegreen incident close 1"]
    assert [row["state"] for row in phases(incident, log)] == ["done", "done", "done", "skipped", "done", "now"]
    log.append(_event(5, "mitigate", "rollback applied"))
    assert asked()[0] == "truegreen validate --incident 1"
    assert [row["state"] for row in phases(incident, log)] == ["done", "done", "done", "done", "now", "todo"]
    closed = Incident(1, incident.target, "1", END, END + 60)
    assert next_steps(closed, log)[0]["command"] == "truegreen postmortem 1 --out postmortem.md"


class _Shape(HTMLParser):
    """The tags of a page with the names of their attributes, and its words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[Any] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if (tag, attrs) != ("span", []):  # around each word of a command
            self.tags.append((tag, tuple(sorted(name for name, _ in attrs))))


def _page(text: str) -> str:
    incident = Incident(1, Target(text, text, text), text, END)
    finding = {"says": text, "because": text, "state": "supported", "whose": text}
    triaged = {
        "whose": text, "because": text, "changes": [{"component": text, "old": text, "new": text, "time": None}], "findings": [finding],
        "affected": 1, "sessions": None, "failing": ["<" + text], "commands": [text], "slices": [text], "missing": [text],
    }  # fmt: skip
    check = {"name": text, "state": text, "number": text, "bound": text, "says": text or "."}
    log = (
        Event(
            1,
            1,
            END,
            "detect",
            "incident opened",
            text,
            {"labels": {"alertname": "<" + text}, "drill": text or "."},
            "",
            "a" * 64,
        ),
        Event(2, 1, END, text, "triaged", text, triaged, "", "b" * 64),
        Event(3, 1, END, "detect", "owner set", text, {"owner": text}, "", "c" * 64),
        Event(4, 1, END, "detect", "acknowledged", text, {"by": text}, "", "c" * 64),
        Event(5, 1, END, "validate", "validated", text, {"ok": False, "checks": [check], "url": text}, "", "c" * 64),
    )
    return html.page(
        "incident",
        **view(CONFIG, incident, log, (), clocks.of_law(incident, log, CONFIG.incidents.law, END), END),
        visitor=access.Visitor(text or "n", text),
    )


PLAIN = _Shape(_page("x")).tags


@settings(max_examples=60)
@given(st.text(alphabet=st.sampled_from("<>\"'&`=/ \\{}%#!-script oneralt\u202e\u0000\u2028é")) | st.text(max_size=200))
def test_no_text_becomes_markup(text: str) -> None:
    """Whatever stands in the log, the page has the tags and attributes that it has with harmless words."""
    assert _Shape(_page(text)).tags == PLAIN


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["time", "state", "says", "low", "name"]), inner, max_size=4), max_leaves=8)  # fmt: skip
KEYS = st.sampled_from(["start", "changes", "findings", "affected", "failing", "commands", "slices", "checks", "ok", "url", "whose", "by", "owner", "labels",
                        "sev", "failure_mode", "pillar", "drill"])  # fmt: skip


@pytest.mark.full
@settings(max_examples=80)
@given(st.lists(st.tuples(st.sampled_from(["triaged", "validated", "owner set", "acknowledged", "sev changed", "contain applied"]), st.dictionaries(KEYS, JSON)), max_size=4))  # fmt: skip
def test_whatever_data_an_event_has_the_page_stands(given_events: list[Any]) -> None:
    """Another version wrote the log: what is not as expected is left out, and the page is there."""
    incident = Incident(1, Target("s", "production", "grounding"), "1", END)
    log = [_event(1, "detect", "incident opened"), *(Event(n, 1, END, "triage", kind, "t", data, "", f"{n:064}") for n, (kind, data) in enumerate(given_events, 2))]  # fmt: skip
    facts = view(CONFIG, incident, log, (), clocks.of_law(incident, log, CONFIG.incidents.law, END), END)
    assert "</html>" in html.page("incident", **facts, visitor=access.Visitor("n", "f"))
    svg.drawing(sli.gather(Server("Prometheus", NOBODY, "x"), None, incident, log, END))


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.floats(0, 4e9), st.floats(0, 1)), max_size=30),
    st.floats(0, 4e9),
    st.floats(0, 1e7),
    st.none() | st.floats(0, 1),
    st.lists(st.floats(0, 4e9), max_size=6),
)
def test_whatever_prometheus_answers_the_drawing_stays_in_its_frame(
    points: Any, start: float, length: float, budget: Any, marks: Any
) -> None:
    end = start + length
    inside = tuple(sorted((t, v) for t, v in points if start <= t <= end))
    made = tuple(sli.Mark("A", "x", t) for t in sorted(marks))
    drawn = svg.drawing(sli.Chart(start, end, 15.0, inside, inside, budget, made))
    for key, low, high in (("line", svg.TOP - 1, svg.HEIGHT), ("area", svg.TOP - 1, svg.HEIGHT), ("bars", 0, svg.VOLUME)):
        places = [tuple(map(float, pair.split(","))) for pair in re.findall(r"[-\d.e+]+,[-\d.e+]+", drawn[key])]
        assert all(svg.LEFT - 1 <= x <= svg.WIDTH and low <= y <= high for x, y in places)
    assert all(svg.LEFT - 1 <= mark["at"] <= svg.WIDTH for mark in drawn["marks"])
    assert len(drawn["xs"]) <= 6


def test_a_clock_that_was_met_late_says_so_and_counts_no_more(site: Site) -> None:
    """One that ran out counts on, until somebody comes."""
    site.open()
    site.now += 400

    def at() -> str:
        shown = httpx.get(f"{site.url}/incidents/1", headers={**HTML, **BEARER}).text
        return shown.partition('id="clocks"')[2].partition("</section>")[0]

    assert at().count("data-due") == 3
    site.write(1, "detect", "acknowledged", "by Dana", {"by": "Dana"})
    assert (at().count("data-due"), ">late<" in at()) == (2, True)
