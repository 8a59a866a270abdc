"""Whoever says nothing to the sampling endpoint, or says it slowly, costs nobody else an answer."""

import base64
import socket
from contextlib import ExitStack, contextmanager, suppress

import httpx
import pytest
from endpoint_server import WHO, Sink, serving, tokens, until

from truegreen.evaluation.provider import webhook
from truegreen.evaluation.server import connections

GET = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
# The answer says that the place is taken; without it a question beside it may get the place, and the line is turned away.
EXPECT = b"Expect: 100-continue\r\n"


def post(path, length, kind=b"application/json", more=b""):
    """The headers of a request, and the first byte of its body."""
    return b"POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: %s\r\nContent-Length: %d\r\n%s\r\n{" % (
        path,
        kind,
        length,
        more,
    )


@pytest.fixture(scope="module")
def sink():
    """Takes all spans."""
    found = Sink()
    yield found
    found.stop()


def ended(line):
    """Read until the other side closes; a test that waits for that in vain fails by its timeout."""
    try:
        while line.recv(1_000):
            pass
    except ConnectionResetError:
        pass
    return True


@contextmanager
def lines(server, count, said=b"", source="127.0.0.1"):
    """So many connections, each of which has said so much."""
    host, port = server.running.url.removeprefix("http://").split(":")
    with ExitStack() as open_:
        found = [
            open_.enter_context(socket.create_connection((host, int(port)), timeout=10, source_address=(source, 0)))
            for _ in range(count)
        ]
        for line in found:
            with suppress(OSError):  # it had to make room
                line.sendall(said)
        yield found


def test_more_idle_connections_than_may_be_open_shut_nobody_out(sink):
    """Silent from the start, in the middle of the headers, or after an answer: the longest idle make room, whoever asks is answered."""
    with serving(sink.address, {}, connections={"most": 10, "seconds": 600.0}) as server:
        for said in (b"", b"POST /v1/feedb", GET):
            with lines(server, 15, said):
                asked = httpx.post(f"{server.running.url}/v1/feedback", json={**WHO, "feedback": [{"score": 1}]}, trust_env=False)
                assert asked.status_code == 202


def test_headers_that_do_not_come_and_bytes_after_an_answer_end_the_connection(sink):
    """Nothing at all, half of the headers, half of a second request's, a body that trickles on behind its refusal."""
    refused = post(b"/v1/feedback", 99, b"text/xml")
    with serving(sink.address, {}, connections={"seconds": 0.5}) as server:
        with (
            lines(server, 1) as silent,
            lines(server, 1, GET[:20]) as half,
            lines(server, 1, GET) as twice,
            lines(server, 1, refused) as late,
        ):
            for (line,), answer, then in ((twice, b"200", GET[:20]), (late, b"415", b" ")):
                assert line.recv(1_000)[9:12] == answer
                line.sendall(then)
            assert all(ended(line) for (line,) in (silent, half, twice, late))
        assert server.feedback(1).status_code == 202


@pytest.mark.full
def test_one_machine_takes_no_more_than_its_share_of_connections(sink, monkeypatch):
    """Busy ones too: the next of it is closed at once, another machine's is answered; a place that becomes free is given again."""
    monkeypatch.setattr(connections, "_here", lambda _: False)

    def answered(source):
        try:
            with lines(server, 1, GET, source) as (line,):
                return b" 200 " in line.recv(100)
        except OSError:
            return False

    with serving(sink.address, {}, connections={"per_peer": 3}) as server:
        with lines(server, 3, post(b"/v1/feedback", 99, more=EXPECT), "127.0.0.2") as busy:
            assert all(line.recv(100).startswith(b"HTTP/1.1 100 ") for line in busy)
            assert not answered("127.0.0.2") and answered("127.0.0.3")
        until(lambda: answered("127.0.0.2"), "its places are free again")


def test_whoever_holds_up_the_webhook_holds_up_nobody_else_and_sends_little(sink, tmp_path):
    """Its bodies are read before the signature is known: few bytes, and places of its own."""
    (tmp_path / "secret").write_text(f"whsec_{base64.b64encode(b'k' * 24).decode()}\n")
    router = webhook.router(tmp_path / "changes.json", tmp_path / "secret")
    path = webhook.PATH.encode()
    known = {"Authorization": "Bearer t"}
    with serving(sink.address, {}, token_file=tokens(tmp_path, "t"), routers=(router,), limits={"at_once": 2}) as server:
        with lines(server, 2, post(path, 99, more=EXPECT)) as busy:
            assert all(line.recv(100).startswith(b"HTTP/1.1 100 ") for line in busy)
            until(lambda: server.post(webhook.PATH, {}).status_code == 503, "both places are taken")
            assert server.post("/v1/feedback", {**WHO, "feedback": [{"score": 1}]}, **known).status_code == 202
        with lines(server, 1, post(path, 65_537)) as (large,):
            assert large.recv(100).startswith(b"HTTP/1.1 413 ")
        with lines(server, 2, post(b"/v1/feedback", 99, more=b"Authorization: Bearer t\r\n" + EXPECT)) as busy:
            assert all(line.recv(100).startswith(b"HTTP/1.1 100 ") for line in busy)
            until(lambda: server.feedback(1, **known).status_code == 503, "the places of those with a token are taken")
            assert server.post(webhook.PATH, {}).status_code == 401
