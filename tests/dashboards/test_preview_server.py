"""The preview's own server: what it gives, to whom, and what it says when Prometheus does not answer."""

from __future__ import annotations

import gzip
import http.client
import http.server
import json
import socket
import threading
from contextlib import contextmanager

import pytest

from truegreen.core.clients import engines
from truegreen.dashboards.preview import server, site
from truegreen.dashboards.preview.recording import Recording

BOARD = {
    "uid": "one",
    "title": "One",
    "description": "Why?",
    "panels": [],
    "annotations": {"list": []},
    "templating": {"list": []},
}
BOARDS = {"one": BOARD, "two": {**BOARD, "uid": "two", "title": "Two"}}


def ask(url, path, method="GET", headers=None):
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=20)
    try:
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def error(answer):
    return answer[0], json.loads(answer[2])["error"]


@pytest.fixture
def recorded(preview):
    answers = {"queries": {"up|1s|range": {"start": 1, "step": 1, "series": []}}, "variables": {}, "exemplars": {}}
    marks = ({"at": 2.0, "name": "onset", "text": "it begins"},)
    found = Recording("", 1.0, 9.0, 1.0, 60, marks, (), {"one": answers})
    return preview(site.recorded(BOARDS, found, "a recording"))


def test_the_first_address_opens_the_first_board(recorded):
    """A board's address is Grafana's, so that an alert's link works; another uid is answered with those there are."""
    status, headers, _ = ask(recorded, "/")
    assert (status, headers["Location"]) == (302, "/d/one")
    status, _, body = ask(recorded, "/d/three/some-title?var-service=a")
    assert status == 404
    assert b"there is no board 'three'; there is\n  /d/one\n  /d/two" in body


def test_a_recording_is_given_with_its_marks_and_its_range(recorded):
    """What the page needs to know before it draws, and what each board asks."""
    about = json.loads(ask(recorded, "/boards.json")[2])
    assert (about["mode"], about["time_scale"], about["scrape"], about["range"]) == (
        "recorded",
        60,
        1.0,
        {"start": 1.0, "end": 9.0},
    )
    assert about["marks"] == [{"at": 2.0, "name": "onset", "text": "it begins"}]
    assert about["boards"] == [{"uid": uid, "title": board["title"], "question": "Why?"} for uid, board in BOARDS.items()]
    assert about["waiting"]["DCGM_FI_DEV_GPU_UTIL"] == "waiting for dcgm-exporter"
    assert "truegreen_canary_probes_total" in about["waiting"]
    assert json.loads(ask(recorded, "/boards/two.json")[2]) == BOARDS["two"]
    _, headers, body = ask(recorded, "/recorded/one.json", headers={"Accept-Encoding": "gzip, br"})
    assert headers["Content-Encoding"] == "gzip"
    plain = ask(recorded, "/recorded/one.json")[2]
    assert json.loads(gzip.decompress(body)) == json.loads(plain) == {
        "queries": {"up|1s|range": {"start": 1, "step": 1, "series": []}}, "variables": {}, "exemplars": {},
    }  # fmt: skip
    assert json.loads(ask(recorded, "/recorded/two.json")[2])["queries"] == {}
    assert ask(recorded, "/api/v1/query?query=up")[0] == 404


@pytest.mark.parametrize(
    "host", ["attacker.example", "attacker.example:9466", "127.0.0.1.attacker.example", "192.168.0.7", "0.0.0.0", "", "[::1"]
)
def test_a_foreign_name_that_points_here_reads_nothing(recorded, host):
    """DNS rebinding: a browser writes the name of the page that asks."""
    for path in ("/boards.json", "/d/one", "/static/main.js"):
        assert ask(recorded, path, headers={"Host": host})[0] == 403


@pytest.mark.parametrize("host", ["127.0.0.1:1", "localhost", "LOCALHOST:9", "[::1]:9466"])
def test_every_name_of_the_loopback_is_answered(recorded, host):
    """Also through a forwarded port."""
    assert ask(recorded, "/boards.json", headers={"Host": host})[0] == 200


def test_another_page_may_open_a_board_and_read_nothing(recorded):
    """A link of an alert works; a picture or a script of another page that asks for data does not even reach Prometheus."""
    for fetched, path, status in (
        ("cross-site", "/boards.json", 403), ("same-site", "/recorded/one.json", 403), ("cross-site", "/", 302),
        ("same-origin", "/boards.json", 200), ("none", "/boards.json", 200),
    ):  # fmt: skip
        found, headers, _ = ask(recorded, path, headers={"Sec-Fetch-Site": fetched, "Origin": "http://attacker.example"})
        assert found == status, (fetched, path)
        assert headers["Access-Control-Allow-Origin"] is None
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    [
        "/static/../server.py",
        "/static/%2e%2e/server.py",
        "/static//etc/passwd",
        "/static/",
        "/static",
        "/d",
        "/recorded/..json",
        "/nothing",
        "/boards/.json",
    ],
)
def test_nothing_else_is_read_from_the_disk(recorded, path):
    """Only what the package has below `static`, by its exact name."""
    assert ask(recorded, path)[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "NONSENSE"])
def test_only_get_is_answered(recorded, method):
    """Nothing can be changed through it."""
    status, headers, body = ask(recorded, "/boards.json", method)
    assert status == 501
    assert b"only GET is answered" in body
    assert headers["Connection"] == "close"


def test_what_is_no_http_ends_its_own_connection_only(recorded):
    """The others are served."""
    with socket.create_connection(("127.0.0.1", int(recorded.rpartition(":")[2]))) as raw:
        raw.sendall(b"\x16\x03\x01 nonsense\r\n\r\n")
        raw.settimeout(10)
        assert b"only GET is answered" in raw.recv(200)
    with socket.create_connection(("127.0.0.1", int(recorded.rpartition(":")[2]))) as raw, raw.makefile("rb") as answer:
        raw.settimeout(10)
        raw.sendall(b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert answer.read().endswith(b"\r\n\r\n"), "HTTP allows no body here"
    assert ask(recorded, "/d/" + "x" * 70_000)[0] == 414
    assert ask(recorded, "/boards.json")[0] == 200


class _Prometheus(http.server.BaseHTTPRequestHandler):
    """Answers as it is told, and keeps what it was asked."""

    def do_GET(self):
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        status, kind, body = self.server.reply
        if status == 0:
            self.server.released.wait(20)
            return
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Location", "http://elsewhere.example/login")
        self.send_header("WWW-Authenticate", "Basic")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@contextmanager
def upstream(reply):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Prometheus) as listening:
        listening.reply, listening.asked, listening.released = reply, [], threading.Event()
        listening.url = f"http://127.0.0.1:{listening.server_port}"
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield listening
        finally:
            listening.released.set()
            listening.shutdown()
            thread.join()


def test_questions_are_passed_on_with_the_parameters_that_are_known(preview, live):
    """Five paths and their parameters, with the credentials of the environment or the address, which the page never sees."""
    body = b'{"status":"success","data":[]}'
    with upstream((200, "application/json; charset=utf-8", body)) as prometheus:
        url = preview(live(prometheus.url.replace("//", "//me:hidden@") + "/prom/", BOARDS))
        for path in (
            "/api/v1/query?query=up%7Ba%3D%22%2B%20%26%22%7D&time=1.5", "/api/v1/query_range?query=up&start=1&end=2&step=1",
            "/api/v1/series?match[]=up&match[]=down", "/api/v1/label/service/values?match[]=up&start=1&end=2",
            "/api/v1/query_exemplars?query=up&start=1&end=2",
        ):  # fmt: skip
            status, headers, got = ask(url, path)
            assert (status, headers["Content-Type"], got) == (200, "application/json", body)
        assert [path for path, _ in prometheus.asked] == [
            "/prom/api/v1/query?query=up%7Ba%3D%22%2B+%26%22%7D&time=1.5", "/prom/api/v1/query_range?query=up&start=1&end=2&step=1",
            "/prom/api/v1/series?match%5B%5D=up&match%5B%5D=down", "/prom/api/v1/label/service/values?match%5B%5D=up&start=1&end=2",
            "/prom/api/v1/query_exemplars?query=up&start=1&end=2",
        ]  # fmt: skip
        assert {credentials for _, credentials in prometheus.asked} == {"Basic bWU6aGlkZGVu"}
        about = ask(url, "/boards.json")[2]
        assert json.loads(about)["source"] == prometheus.url + "/prom"
        assert b"hidden" not in about
        del prometheus.asked[:]
        for path in (
            "/api/v1/admin/tsdb/delete_series?match[]=up",
            "/api/v1/status/config",
            "/api/v1/query/../../../-/quit",
            "/api/v1/label/%2e%2e/values",
            "/api/v1/",
            "/api/v2/query",
        ):
            assert ask(url, path)[0] == 404, path
        for path in ("/api/v1/query?query=up&timeout=9h", "/api/v1/label/a/values?limit=3", "/api/v1/series?query=up"):
            assert error(ask(url, path))[0] == 400, path
        assert prometheus.asked == []


@pytest.mark.parametrize(
    ("reply", "status", "words"),
    [
        ((400, "application/json", b'{"status":"error","errorType":"bad_data","error":"parse error"}'), 400, "parse error"),
        ((401, "text/plain", b"Unauthorized"), 401, "answered 401; give it credentials: TRUEGREEN_PROMETHEUS_TOKEN"),
        ((401, "application/json", b'{"message":"nope"}'), 401, "answered 401; give it credentials: TRUEGREEN_PROMETHEUS_TOKEN"),
        ((302, "text/html", b""), 502, "answered 302, and not as Prometheus does"),
        ((200, "text/html", b"<html>login</html>"), 502, "answered 200, and not as Prometheus does: is it its address?"),
        ((503, "text/plain", b"starting"), 502, "answered 503"),
        ((200, "application/json", b" " * 3000), 502, "choose a shorter time or fewer series"),
        ((0, "", b""), 504, "did not answer within 0.2 s"),
    ],
)
def test_what_is_wrong_with_prometheus_is_said_as_prometheus_says_it(preview, live, monkeypatch, reply, status, words):
    """The page has one way to read an error; nothing is asked twice, no login page is followed, nobody's browser asks for a password."""
    monkeypatch.setattr("truegreen.dashboards.preview.proxy.LONGEST_ANSWER", 2000)
    with upstream(reply) as prometheus:
        patience = 0.2 if reply[0] == 0 else 10
        answer = ask(preview(live(prometheus.url, BOARDS, timeout=patience)), "/api/v1/query?query=up")
        found, said = error(answer)
        assert (found, answer[1]["WWW-Authenticate"], len(prometheus.asked)) == (status, None, 1)
        assert words in said


def test_a_prometheus_that_has_gone_is_said(preview, live):
    """And when it is back the page reads on."""
    url = preview(live(f"http://127.0.0.1:{engines.free_port()}", BOARDS))
    found, said = error(ask(url, "/api/v1/query?query=up"))
    assert found == 502
    assert "no Prometheus answers at http://127.0.0.1:" in said


def test_a_taken_port_names_a_free_one():
    """Two previews side by side."""
    what = server.Site({}, BOARDS)
    with server.serve(what, 0) as first, pytest.raises(server.Failed, match="in use; write --port ([0-9]+)") as told:
        server.serve(what, first.server_port)
    with server.serve(what, int(str(told.value).rpartition(" ")[2])):
        pass
