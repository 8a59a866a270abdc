"""The sampling endpoint as a sender sees it: what is taken, what is refused and why, and that nothing is taken by halves."""

import base64
import json
import shlex
import socket
import ssl
import subprocess
import time
from html import unescape

import httpx
import pytest
from click.testing import CliRunner
from endpoint_server import PASSAGE, SAMPLE, WHO, Sink, serving, tokens

from truegreen.core.errors import BadInput, Failed
from truegreen.evaluation.provider import signature, store, webhook
from truegreen.evaluation.server import gate, running
from truegreen.evaluation.server.access import address, listening
from truegreen.evaluation.server.commands import serve

SECRET = "xylophone-4711"


@pytest.fixture(scope="module")
def sink():
    """Takes all spans."""
    found = Sink()
    yield found
    found.stop()


@pytest.fixture(scope="module")
def server(sink):
    """The endpoint without tokens, with a small limit of a body."""
    with serving(sink.address, {}, limits={"body_bytes": 200_000, "body_seconds": 1.0}) as found:
        yield found


def test_each_example_of_the_page_is_taken_as_it_stands(server):
    """The commands on the page are run by curl, as a reader would; there are five."""
    page = server.client.get("/docs").text
    commands = [unescape(part.partition("</pre>")[0]) for part in page.split("<pre>")[1:]]
    assert [shlex.split(command)[2].removeprefix(server.running.url) for command in commands] == [
        "/v1/samples", "/v1/feedback", "/v1/escalations", "/v1/downstream", "/v1/guardrail-reviews",
    ]  # fmt: skip
    for command in commands:
        done = subprocess.run([*shlex.split(command), "-w", " %{http_code}"], capture_output=True, text=True, check=True)
        assert done.stdout.endswith(" 202") and '"accepted":1' in done.stdout, done.stdout
    assert "http" not in page.replace(server.running.url, "").replace("http-equiv", "")  # nothing of anybody else is loaded


def test_the_description_has_the_same_examples_and_every_answer(server):
    """OpenAPI: what may be posted, with an example, and each status that a sender meets."""
    described = server.client.get("/openapi.json").json()
    assert len(described["paths"]) == 5
    for path, methods in described["paths"].items():
        said = methods["post"]["responses"]
        assert {"202", "401", "409", "413", "415", "422", "429", "503"} <= set(said), path
        assert "Retry-After" in said["503"]["headers"]


def test_the_name_of_a_sample_leads_feedback_to_its_span(server):
    """The answer's traceparent is the same for the same name, another one for another service, and nothing of the name is in it."""
    body = {**WHO, "samples": [{**SAMPLE, "id": "m1"}, {**SAMPLE, "id": "m2"}, SAMPLE]}
    first, again = (server.post("/v1/samples", body).json()["traceparents"] for _ in range(2))
    other = server.post("/v1/samples", {**body, "service": "other"}).json()["traceparents"]
    assert first[:2] == again[:2] and first[2] != again[2] and len({*first, *again, *other}) == 7
    assert all(one.startswith("00-") and len(one) == 55 for one in first)


@pytest.mark.parametrize(
    ("item", "says"),
    [
        ({"score": SECRET}, "body.feedback[1].score: Input should be a valid number"),
        ({"score": True}, "body.feedback[1].score"),
        ({"score": 1e12}, "less than or equal to"),
        ({"skore": 1}, "body.feedback[1].skore: Extra inputs are not permitted"),
        ({"score": 1, "task": ""}, "body.feedback[1].task"),
        ({"score": 1, "task": f"{SECRET}\n"}, "body.feedback[1].task"),
        ({"score": 1, "traceparent": SECRET}, "body.feedback[1].traceparent"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_by_its_key_and_never_quoted_and_nothing_of_the_request_is_taken(server, item, says):
    """One item of two is broken: 422, the key, and no counter moves."""
    before = server.count("accepted_total")
    answer = server.post("/v1/feedback", {**WHO, "feedback": [{"score": 1}, item]})
    assert answer.status_code == 422 and any(says in one for one in answer.json()["problems"]), answer.text
    assert SECRET not in answer.text and server.count("accepted_total") == before


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", {}, 422),
        (b"\xff\xfe", {}, 422),
        (b'{"service": "a", "environment": "b", "feedback": [{"score": NaN}]}', {}, 422),
        (b'{"service": "\\ud800", "environment": "b", "feedback": [{"score": 1}]}', {}, 422),
        (b"[" * 100_000, {}, 422),
        (b"1" * 10_000, {}, 422),
        (b'{"service": "a", "environment": "b", "feedback": []}', {}, 422),
        (b"{}" + b" " * 200_000, {}, 413),
        (b"{}", {"Content_Type": "text/plain"}, 415),
        (b"{}", {"Content_Encoding": "gzip"}, 415),
        (b"{}", {"Host": "evil.example"}, 403),
    ],
)
def test_nonsense_is_refused_in_words_and_the_server_lives_on(server, body, headers, status):
    """Each gets its status and one sentence; the next request is answered."""
    answer = server.post("/v1/feedback", body, **headers)
    assert answer.status_code == status and answer.json()["error"]
    assert server.feedback(1).status_code == 202


def test_a_body_of_a_million_keys_is_described_in_one_sentence(server):
    """What is wrong with it is not listed key by key, nor worked out."""
    answer = server.post("/v1/feedback", dict.fromkeys(map(str, range(10_000)), 1))
    assert answer.status_code == 422 and "over 32 keys" in answer.json()["error"] and not answer.json()["problems"]


@pytest.mark.parametrize("item", ["1", "[]", '"a,"'])
def test_a_body_of_very_many_values_is_refused_before_it_is_read(server, item):
    """Commas in texts are none of them."""
    many = f'{{"service": "a", "environment": "b", "feedback": [{",".join([item] * 300)}, {{"score": 1}}]}}'.encode()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(gate, "VALUES", 100)
        answer = server.post("/v1/feedback", many)
        assert answer.status_code == 422 and "over 100 values" in answer.json()["error"]
        texts = {**WHO, "samples": [{**SAMPLE, "answer": 'a, "b\\", ' * 300}]}
        assert server.post("/v1/samples", texts).status_code == 202


def test_a_body_without_a_length_is_counted_while_it_comes(server):
    """Chunked: refused as soon as it is too large; one that never ends is refused after a while."""
    large = server.client.post(
        "/v1/feedback", content=(b" " * 10_000 for _ in range(30)), headers={"Content-Type": "application/json"}
    )
    assert large.status_code == 413
    host, port = server.running.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as line:
        line.sendall(
            b"POST /v1/feedback HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
        )
        assert line.recv(100).startswith(b"HTTP/1.1 408 ")


def test_texts_are_limited_and_so_are_passages_and_batches(server):
    """Each limit is said with its key."""
    for change, says in (
        ({"context": ["x"] * 65}, "samples[0].context"),
        ({"context": ["x", 1, 2]}, "samples[0].context[1]"),
        ({"latency_seconds": -1}, "latency_seconds"),
        ({"retrieval": {"data_source": "kb", "latency_seconds": 0.1, "scores": [0.1] * 65}}, "samples[0].retrieval.scores"),
    ):
        answer = server.post("/v1/samples", {**WHO, "samples": [{**SAMPLE, **change}]})
        assert answer.status_code == 422 and any(says in one for one in answer.json()["problems"]), answer.text
    assert server.feedback(*[1] * 1_001).status_code == 422
    assert "latency_seconds" in server.post("/v1/samples", {**WHO, "samples": [{"answer": "a", "model": "m"}]}).text


def test_other_methods_and_pages_are_answered_by_their_status(server):
    """405 with what is allowed, 404."""
    wrong = server.client.get("/v1/feedback")
    assert wrong.status_code == 405 and wrong.headers["Allow"] == "POST"
    assert server.client.get("/v1/nothing").status_code == 404


def test_a_request_with_a_key_is_counted_once_however_often_it_comes(server):
    """The same answer again, and a header that says so; another request under the key is refused."""
    body = {**WHO, "samples": [SAMPLE, {**SAMPLE, "id": "named"}]}
    before = server.count("accepted_total")
    first, again = (server.post("/v1/samples", body, Idempotency_Key="k1") for _ in range(2))
    assert first.json() == again.json() and again.status_code == 202
    assert "Idempotency-Replayed" not in first.headers and again.headers["Idempotency-Replayed"] == "true"
    assert server.count("accepted_total") == before + 2
    other = server.post("/v1/samples", {**body, "environment": "staging"}, Idempotency_Key="k1")
    assert other.status_code == 409 and "key of its own" in other.json()["error"]
    assert server.feedback(1, Idempotency_Key="k2").status_code == server.feedback(1).status_code == 202


def test_a_sample_with_a_name_is_counted_once_in_whatever_request_it_comes(server):
    """An export that is sent again, wholly or in part, adds what is new; one without a name is another one each time."""
    before = server.count("accepted_total")
    one, two, unnamed = {**SAMPLE, "id": "export-1"}, {**SAMPLE, "id": "export-2"}, SAMPLE
    posted = [
        server.post("/v1/samples", {**WHO, "samples": items}, Idempotency_Key=key).json()
        for key, items in (("e1", [one, one]), ("e2", [one, two, unnamed]), ("e2", [one, two, unnamed]), ("e3", [one]))
    ]
    assert [(said["accepted"], said["repeated"]) for said in posted] == [(1, 1), (2, 1), (2, 1), (0, 1)]
    assert posted[0]["traceparents"] == [posted[1]["traceparents"][0]] * 2 and posted[1] == posted[2]
    assert server.count("accepted_total") == before + 3


def test_only_who_has_a_token_may_send_and_a_renewed_file_counts_at_once(sink, tmp_path):
    """401 without and with a wrong one, on the counters' page too; the pages that explain are open; keys of two tokens are two."""
    path = tokens(tmp_path, "first", "", "second")
    with serving(sink.address, {}, token_file=path) as server:
        for header in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "first"}, {"Authorization": "Basic first"}):
            refused = server.feedback(1, **header)
            assert refused.status_code == 401 and refused.headers["WWW-Authenticate"] == "Bearer"
        assert server.client.get("/metrics").status_code == 401
        assert [server.client.get(page).status_code for page in ("/docs", "/openapi.json", "/healthz", "/readyz")] == [200] * 4
        assert "Authorization: Bearer TOKEN" in server.client.get("/docs").text
        bearers = [{"Authorization": f"Bearer {token}"} for token in ("first", "second")]
        assert [server.feedback(1, Idempotency_Key="k", **one).status_code for one in bearers] == [202, 202]
        assert server.count("accepted_total", **bearers[0]) == 2
        path.write_text("third\n")
        assert server.feedback(1, **bearers[0]).status_code == 401
        assert server.feedback(1, Authorization="Bearer third").status_code == 202
        assert server.count("token_file_stale", Authorization="Bearer third") == 0
        path.write_text("")  # half written: what was read before stays
        assert server.feedback(1, Authorization="Bearer third").status_code == 202
        assert server.count("token_file_stale", Authorization="Bearer third") == 1
        assert len(server.said) == 1 and "there is no token in it" in server.said[0]
        path.write_text("fourth\n")
        assert server.count("token_file_stale", Authorization="Bearer fourth") == 0 and "read again" in server.said[1]


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0", "collector.internal:0"])
def test_others_than_this_machine_reach_it_only_with_tokens(listen):
    """The command ends before it listens, and says what to give."""
    with (
        pytest.raises(BadInput, match="--token-file"),
        running.serving(running.Asked(address(listen), "http://127.0.0.1:1", {}), print),
    ):
        pass


def test_with_tokens_and_without_tls_it_warns_and_listens(sink, tmp_path):
    """The token can be read on the way."""
    said = []
    asked = running.Asked(address("0.0.0.0:0"), sink.address, {}, tokens(tmp_path, "t"), drain=1.0)
    with running.serving(asked, said.append):
        pass
    assert "plain text" in said[0]


@pytest.mark.parametrize("wrong", ["8085", "127.0.0.1", "127.0.0.1:x", "::1:8085", ":8085", "127.0.0.1:99999"])
def test_an_address_that_is_none_is_refused(wrong):
    """It shows how one looks."""
    with pytest.raises(BadInput, match="HOST:PORT"):
        address(wrong)


def test_a_port_that_is_taken_is_said():
    """One line, with what to do."""
    with listening(address("127.0.0.1:0")) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Failed, match="cannot listen there: .*name another port"):
            listening(address(f"127.0.0.1:{port}"))


def test_a_token_that_sends_too_fast_waits_and_others_do_not(sink, tmp_path):
    """429 with the seconds after which it may; ten seconds' worth may come at once."""
    with serving(sink.address, {}, token_file=tokens(tmp_path, "a", "b"), rate=0.5) as server:
        mine, others = {"Authorization": "Bearer a"}, {"Authorization": "Bearer b"}
        assert server.feedback(1, 1, 1, 1, 1, **mine).status_code == 202
        late = server.feedback(1, 1, **mine)
        assert late.status_code == 429 and 1 <= int(late.headers["Retry-After"]) <= 4
        assert server.feedback(1, **others).status_code == 202
        assert server.count("accepted_total", **mine) == 6


def test_a_signed_report_of_a_provider_needs_no_token_and_an_unsigned_one_gets_nowhere(sink, tmp_path):
    """Whoever signs is let in under whatever name this machine has out there; the entries are in the file that triage reads."""
    key, body = b"k" * 24, json.dumps(webhook.EXAMPLE).encode()
    secret, changes = tmp_path / "secret", tmp_path / "changes.json"
    secret.write_text(f"whsec_{base64.b64encode(key).decode()}\n")
    now = int(time.time())
    signed = {
        "webhook-id": "m1",
        "webhook-timestamp": str(now),
        "webhook-signature": signature.sign(key, "m1", now, body),
        "Host": "hooks.example",
    }
    with serving(sink.address, {}, token_file=tokens(tmp_path, "t"), routers=(webhook.router(changes, secret),)) as server:
        assert server.post(webhook.PATH, body, **signed | {"webhook-timestamp": str(now - 1)}).status_code == 401
        assert server.post(webhook.PATH, body, **signed).json() == {"new": 1, "kept": 1}
        assert server.post(webhook.PATH, body, **signed | {"Content_Type": "text/xml"}).status_code == 415
        assert server.feedback(1).status_code == 401
        page = unescape(server.client.get("/docs").text)
        section = page.partition(f"<h2>POST {webhook.PATH}")[2].partition("<script>")[0]
        assert "-H 'webhook-signature: WEBHOOK-SIGNATURE'" in section and "gpt-4-0613" in section
        assert "<form" not in section and "Bearer" not in section
    assert [entry.provider for entry in store.read(changes)] == ["openai"]


@pytest.mark.parametrize(
    "options",
    [["--tls-cert", "{file}"], ["--tls-key", "{file}"], ["--changes", "{file}"], ["--webhook-secret", "{file}"], ["--listen", "here"],
     ["--endpoint", "ftp://x"], ["--tls-cert", "{file}", "--tls-key", "{file}"]],
)  # fmt: skip
def test_options_that_need_each_other_or_cannot_be_used_are_said_before_it_listens(tmp_path, options):
    """Each names the option; nothing is taken meanwhile."""
    file = tmp_path / "file"
    file.write_text("nothing")
    with pytest.raises(BadInput, match=r"--(tls-cert|tls-key|changes|webhook-secret|listen|endpoint)"):
        CliRunner().invoke(
            serve, [one.format(file=file) for one in ("--listen", "127.0.0.1:0", *options)], catch_exceptions=False
        )


@pytest.mark.full
def test_with_a_certificate_it_speaks_tls_and_others_may_send_with_a_token(sink, tmp_path):
    """A client that trusts the certificate gets through; plain text does not; nothing is warned of."""
    cert, key, said = tmp_path / "cert", tmp_path / "key", []
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=t",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)],
        capture_output=True, check=True,
    )  # fmt: skip
    asked = running.Asked(address("0.0.0.0:0"), sink.address, {}, tokens(tmp_path, "t"), (cert, key), drain=5.0)
    with running.serving(asked, said.append) as one:
        url = one.url.replace("0.0.0.0", "127.0.0.1")
        trusts = ssl.create_default_context(cafile=str(cert))
        with httpx.Client(verify=trusts, trust_env=False, headers={"Authorization": "Bearer t"}) as client:
            assert client.post(f"{url}/v1/feedback", json={**WHO, "feedback": [{"score": 1}]}).status_code == 202
        with pytest.raises(httpx.HTTPError):
            httpx.get(url.replace("https", "http"), trust_env=False)
    assert not said and running.lost(one) is None


def test_no_more_services_than_a_collector_tells_apart(sink, monkeypatch):
    """A name made up anew each time does not fill the memory."""
    from truegreen.evaluation.server import taking

    monkeypatch.setattr(taking, "SERVICES", 2)
    with serving(sink.address, {}) as server:
        answers = [
            server.post("/v1/feedback", {"service": name, "environment": "e", "feedback": [{"score": 1}]}) for name in "aabac"
        ]
        assert [answer.status_code for answer in answers] == [202, 202, 202, 202, 422]


def test_an_error_of_ours_says_nothing_of_the_body(sink, monkeypatch, caplog):
    """Whatever breaks, the sender gets 500, and neither log nor answer has a word of what was sent."""
    from truegreen.evaluation.server.taking import Taking

    def broken(_self, _kind, batch, _request):
        raise RuntimeError(batch.items[0].answer)

    monkeypatch.setattr(Taking, "take", broken)
    with serving(sink.address, {}) as server:
        answer = server.post("/v1/samples", {**WHO, "samples": [{**SAMPLE, "answer": SECRET}]})
        assert answer.status_code == 500 and SECRET not in answer.text
        assert server.client.get("/healthz").status_code == 200
    assert SECRET not in caplog.text and "RuntimeError" in caplog.text
    assert PASSAGE not in json.dumps(server.said)
