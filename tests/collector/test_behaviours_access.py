"""Who may send: behaviour 8 of an honest OTLP citizen. Loopback by default, TLS, client certificates, bearer tokens, all renewed while it runs."""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import grpc
import grpc.aio
import pytest
from certificates import Pair, authority, issued
from collector_process import Running, count, until
from google.rpc.status_pb2 import Status
from otlp_requests import Clock, llm, span, traces
from receivers import ALONE, DEADLINE, TRACES, both, post_head

from truegreen.collector import access
from truegreen.collector.model import Settings
from truegreen.collector.renewed import Renewed
from truegreen.core.clients.engines import free_port
from truegreen.core.config.receiver import Receiver, Tls
from truegreen.core.errors import BadInput

BODY = traces([span(llm())])
Start = Callable[..., Running]


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Pair]:
    """An authority with a server, a client and a client whose certificate is over, and a stranger with another authority."""
    folder = tmp_path_factory.mktemp("pki")
    ours, theirs = authority(folder, "ours"), authority(folder, "theirs")
    return {
        "ours": ours, "theirs": theirs, "server": issued(folder, "server", ours), "next": issued(folder, "next", theirs),
        "client": issued(folder, "client", ours), "over": issued(folder, "over", ours, days=-1), "stranger": issued(folder, "stranger", theirs),
    }  # fmt: skip


def by_http(
    collector: Running, ca: Path, client: Pair | None = None, newest: ssl.TLSVersion | None = None, token: str = ""
) -> int:
    """The status of a request over TLS; 0 where there is no connection."""
    context = ssl.create_default_context(cafile=ca)
    if client:
        context.load_cert_chain(client.cert, client.key)
    if newest:
        context.set_ciphers("ALL:@SECLEVEL=0")  # a client that still speaks what the server must refuse
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, newest
    named = {"Content-Type": "application/x-protobuf"} | ({"Authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(f"https://{collector.http}/v1/traces", data=BODY, headers=named)
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE, context=context) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def by_grpc(collector: Running, ca: Path, client: Pair | None = None, token: str = "") -> str:
    """The code of a request over TLS."""
    pair = (client.key.read_bytes(), client.cert.read_bytes()) if client else (None, None)
    with grpc.secure_channel(collector.grpc, grpc.ssl_channel_credentials(ca.read_bytes(), *pair), options=ALONE) as channel:
        try:
            metadata = [("authorization", f"Bearer {token}")] if token else []
            channel.unary_unary(TRACES, lambda b: b, lambda b: b)(BODY, timeout=DEADLINE, metadata=metadata)
        except grpc.RpcError as error:
            return error.code().name  # type: ignore[attr-defined, no-any-return]
        return "OK"


def server_options(pki: dict[str, Pair], name: str = "server") -> tuple[str, ...]:
    return ("--tls-cert", str(pki[name].cert), "--tls-key", str(pki[name].key))


def test_behaviour_08_tls_is_1_2_or_newer_and_nothing_else(start: Start, pki: dict[str, Pair]) -> None:
    """A client that trusts the authority is served; one that does not, one with TLS 1.1 and one without TLS are not, and each is counted."""
    collector = start(*server_options(pki))
    ca = pki["ours"].cert
    assert (by_http(collector, ca), by_grpc(collector, ca)) == (200, "OK")
    assert by_http(collector, ca, newest=ssl.TLSVersion.TLSv1_2) == 200
    assert by_http(collector, ca, newest=ssl.TLSVersion.TLSv1_1) == 0
    assert (by_http(collector, pki["theirs"].cert), by_grpc(collector, pki["theirs"].cert)) == (0, "UNAVAILABLE")
    host, _, port = collector.http.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=DEADLINE) as plain:
        plain.sendall(post_head(len(BODY)).encode() + BODY)
        assert b"200" not in plain.recv(1000)
    until(lambda: count(collector, 'truegreen_collector_refused_requests_total{reason="tls"}') == 3, "three handshakes failed")
    assert by_http(collector, ca) == 200


def test_behaviour_08_client_certificates_are_asked_for(start: Start, pki: dict[str, Pair]) -> None:
    """One of the authority is let in; none, one of another authority and one whose time is over are not, by either protocol."""
    collector = start(*server_options(pki), "--tls-client-ca", str(pki["ours"].cert))
    ca = pki["ours"].cert
    assert (by_http(collector, ca, pki["client"]), by_grpc(collector, ca, pki["client"])) == (200, "OK")
    for client in (None, pki["stranger"], pki["over"]):
        assert (by_http(collector, ca, client), by_grpc(collector, ca, client)) == (0, "UNAVAILABLE")
    assert count(collector, 'truegreen_collector_refused_requests_total{reason="tls"}') == 3
    assert count(collector, "truegreen_collector_accepted_spans_total") == 2


def test_behaviour_08_renewed_certificates_are_used_without_a_restart(start: Start, pki: dict[str, Pair], tmp_path: Path) -> None:
    """Certificate, key and client authority are replaced on disk: new connections get the new ones, and the old authority is out."""
    for name, source in (("s.crt", pki["server"].cert), ("s.key", pki["server"].key), ("ca.crt", pki["ours"].cert)):
        shutil.copy(source, tmp_path / name)
    files = (
        "--tls-cert",
        str(tmp_path / "s.crt"),
        "--tls-key",
        str(tmp_path / "s.key"),
        "--tls-client-ca",
        str(tmp_path / "ca.crt"),
    )
    collector = start(*files)
    old, new = pki["ours"].cert, pki["theirs"].cert
    assert (by_http(collector, old, pki["client"]), by_grpc(collector, old, pki["client"])) == (200, "OK")
    # Half of a renewal: the certificate is not the key's. What was read before stays in use.
    shutil.copy(pki["next"].cert, tmp_path / "s.crt")
    for _ in range(3):
        assert (by_http(collector, old, pki["client"]), by_grpc(collector, old, pki["client"])) == (200, "OK")
    shutil.copy(pki["next"].key, tmp_path / "s.key")
    shutil.copy(new, tmp_path / "ca.crt")
    until(lambda: by_http(collector, new, pki["stranger"]) == 200, "HTTP has the new certificate")
    until(lambda: by_grpc(collector, new, pki["stranger"]) == "OK", "gRPC has the new certificate")
    assert (by_http(collector, new, pki["client"]), by_grpc(collector, new, pki["client"])) == (0, "UNAVAILABLE")
    collector.process.send_signal(signal.SIGTERM)
    said = collector.process.communicate(timeout=DEADLINE)[1]
    assert said.count("read anew: ") == 1 and "Traceback" not in said


def test_behaviour_08_a_token_is_asked_for_and_renewed(start: Start, tmp_path: Path, pki: dict[str, Pair]) -> None:
    """Any of the tokens in the file; when it changes, the new ones; an empty file locks nobody out. No token reaches the log."""
    tokens = tmp_path / "tokens"
    tokens.write_text("first-token\nsecond-token\n")
    collector = start("--token-file", str(tokens), *server_options(pki))
    ca = pki["ours"].cert

    def codes(token: str) -> tuple[int, str]:
        return by_http(collector, ca, token=token), by_grpc(collector, ca, token=token)

    yes, no = (200, "OK"), (401, "UNAUTHENTICATED")
    assert [codes(token) for token in ("first-token", "second-token", "", "third-token", "first-toke")] == [yes, yes, no, no, no]
    assert count(collector, 'truegreen_collector_refused_requests_total{reason="unauthenticated"}') == 6
    tokens.write_text("third-token")
    until(lambda: codes("third-token") == yes, "the new token is let in")
    assert codes("first-token") == no
    tokens.write_text("")
    tried = [codes("third-token") for _ in range(5)]
    assert set(tried) == {yes}
    collector.process.send_signal(signal.SIGTERM)
    said = collector.process.communicate(timeout=DEADLINE)[1]
    assert "-token" not in said.replace("--token-file", "") and "Traceback" not in said


def test_behaviour_08_who_may_not_send_is_answered_before_the_body() -> None:
    """401 with a google.rpc.Status while 20 MiB are announced and not sent; UNAUTHENTICATED while no message was sent."""

    def nobody(_header: str) -> None:
        raise access.Refused("unauthenticated", 401, access.UNAUTHENTICATED, "no")

    async def run() -> None:
        async with both(allow=nobody) as receivers:
            reader, writer = await receivers.opened(post_head(20 << 20))
            async with asyncio.timeout(DEADLINE):
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                answer = Status.FromString(await reader.readexactly(length))
            assert head.startswith(b"HTTP/1.1 401 ") and b"\r\nWWW-Authenticate: Bearer\r\n" in head
            assert (answer.code, answer.message) == (16, "no")
            writer.close()

            async def never():
                await asyncio.sleep(DEADLINE)
                yield b""

            async with grpc.aio.insecure_channel(f"127.0.0.1:{receivers.grpc}", options=ALONE) as channel:
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await channel.stream_unary(TRACES, lambda b: b, lambda b: b)(never(), timeout=DEADLINE)
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
            assert Status.FromString(dict(caught.value.trailing_metadata())["grpc-status-details-bin"]).code == 16
            assert (receivers.intake.held, receivers.refused("unauthenticated")) == (0, 2)

    asyncio.run(run())


@pytest.mark.parametrize(
    "header",
    ["", "secret", "Basic secret", "Bearer", "Bearer ", "Bearer secre", "Bearer secrets", "Bearer sécret", "Bearer \x00"],
)
def test_behaviour_08_only_the_whole_token_counts(header: str, tmp_path: Path) -> None:
    """Scheme and token; the scheme in any case, as RFC 9110 has it."""
    file = tmp_path / "token"
    file.write_text(" secret \n\n")
    allow = access.by_token(file, print)
    for right in ("Bearer secret", "bearer secret", "BEARER  secret"):
        allow(right)
    with pytest.raises(access.Refused):
        allow(header)


def test_behaviour_08_files_are_looked_at_once_a_second_and_a_bad_one_is_said_once(tmp_path: Path) -> None:
    """On a clock of the test: no look within the second; one line for each new complaint; the last good content stays."""
    file, clock, said = tmp_path / "f", Clock(0.0), []

    def make() -> str:
        text = file.read_text() if file.exists() else ""
        if not text.startswith("good"):
            raise BadInput(f"{file.name}: no good")
        return text

    file.write_text("good one")
    held = Renewed([file], make, said.append, clock)
    for step, (text, expected) in enumerate(
        [("good two!", "good two!"), ("bad", "good two!"), ("worse", "good two!"), ("good three", "good three")]
    ):
        before = held()
        file.write_text(text)
        clock.advance(0.9)
        assert held() == before, step
        clock.advance(0.2)
        assert held() == expected, step
    file.unlink()
    clock.advance(2)
    assert held() == "good three"
    assert said == [f"read anew: {file}", "f: no good; what was read before stays in use", f"read anew: {file}",
                    "f: no good; what was read before stays in use"]  # fmt: skip


SAFE = Tls(Path("c"), Path("k"))
MUTUAL = Tls(Path("c"), Path("k"), Path("ca"))


@pytest.mark.parametrize(
    ("endpoint", "receiver", "says"),
    [
        ("127.0.0.1:4318", Receiver(), ""),
        ("[::1]:4318", Receiver(), ""),
        ("localhost:4318", Receiver(), ""),
        ("0.0.0.0:4318", Receiver(), "takes spans from whoever reaches it"),
        ("[::]:4318", Receiver(tls=SAFE), "takes spans from whoever reaches it"),
        ("10.0.0.7:4318", Receiver(), "takes spans from whoever reaches it"),
        ("collector.internal:4318", Receiver(), "takes spans from whoever reaches it"),
        ("0.0.0.0:4318", Receiver(token_file=Path("t")), "the token can be read on the way"),
        ("0.0.0.0:4318", Receiver(token_file=Path("t"), tls=SAFE), ""),
        ("0.0.0.0:4318", Receiver(tls=MUTUAL), ""),
    ],
)
def test_behaviour_08_an_open_door_is_said(endpoint: str, receiver: Receiver, says: str) -> None:
    """One line for a receiver that others can reach and that asks for nothing."""
    said = list(access.warnings(Settings(http_endpoint=endpoint, receiver=receiver)))
    assert [says in line and endpoint in line for line in said] == ([True] if says else [])


def test_behaviour_08_pages_that_others_reach_are_said() -> None:
    """They ask for nothing, whatever the receivers ask for."""
    said = list(access.warnings(Settings(metrics_endpoint="0.0.0.0:9465", receiver=Receiver(token_file=Path("t"), tls=SAFE))))
    assert len(said) == 1 and said[0].startswith("warning: --metrics-endpoint 0.0.0.0:9465 ")


def test_behaviour_08_nothing_beyond_loopback_by_default_and_a_warning_when_told_so(start: Start) -> None:
    """The defaults are 127.0.0.1; `--http-endpoint 0.0.0.0:PORT` says what it means."""
    default = Settings()
    assert {end.rpartition(":")[0] for end in (default.http_endpoint, default.grpc_endpoint, default.metrics_endpoint)} == {
        "127.0.0.1"
    }
    quiet, loud = start(), start("--http-endpoint", f"0.0.0.0:{free_port()}")
    for collector in (quiet, loud):
        collector.process.send_signal(signal.SIGTERM)
    assert "warning" not in quiet.process.communicate(timeout=DEADLINE)[1]
    assert "warning: --http-endpoint 0.0.0.0:" in loud.process.communicate(timeout=DEADLINE)[1]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--tls-cert", "server.crt"), "--tls-key: found nothing; TLS needs --tls-cert and --tls-key"),
        (("--tls-cert", "server.crt", "--tls-key", "client.key"), "key values mismatch"),
        (("--tls-cert", "server.crt", "--tls-key", "server.crt"), "write a PEM certificate chain and its key"),
        (
            ("--tls-cert", "server.crt", "--tls-key", "server.key", "--tls-client-ca", "server.key"),
            "write PEM certificates of authorities",
        ),
    ],
)
def test_behaviour_08_files_that_do_not_fit_are_named_at_the_start(
    pki: dict[str, Pair], options: tuple[str, ...], says: str
) -> None:
    """Exit 2 and one line, no traceback."""

    folder = pki["server"].cert.parent
    done = subprocess.run(
        [sys.executable, "-m", "truegreen.core", "collect", *options], capture_output=True, text=True, timeout=60, cwd=folder
    )
    assert done.returncode == 2 and says in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr
