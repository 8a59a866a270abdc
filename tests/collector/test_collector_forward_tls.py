"""Forwarding over TLS: an authority of one's own, client certificates, what is renewed, what cannot be used."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from pathlib import Path

import grpc
import pytest
from otlp_requests import Clock, llm, span, traces
from sink import Sink

from truegreen.collector import renewed
from truegreen.collector.forward_exporter import Exporter
from truegreen.collector.forward_grpc import GrpcSender
from truegreen.collector.forward_http import HttpSender
from truegreen.collector.forward_payload import Original
from truegreen.collector.state import Store
from truegreen.core.config.forward import Destination
from truegreen.core.errors import BadInput
from truegreen.core.words import catalogue

BODY = traces([span(llm())])
pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates: install it")


def openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def authority(folder: Path, name: str) -> None:
    """NAME.pem and NAME.key."""
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", f"/CN={name}",
            "-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem"))  # fmt: skip


def certificate(folder: Path, name: str, by: str) -> None:
    """NAME.pem and NAME.key, signed by an authority, for localhost."""
    (folder / "ext").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}",
            "-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.csr"))  # fmt: skip
    openssl("x509", "-req", "-in", str(folder / f"{name}.csr"), "-CA", str(folder / f"{by}.pem"), "-CAkey", str(folder / f"{by}.key"),
            "-CAcreateserial", "-days", "2", "-extfile", str(folder / "ext"), "-out", str(folder / f"{name}.pem"))  # fmt: skip


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two authorities, a server and a client of the first, a client of the second."""
    folder = tmp_path_factory.mktemp("certs")
    for name in ("ca", "other"):
        authority(folder, name)
    certificate(folder, "server", "ca")
    certificate(folder, "client", "ca")
    certificate(folder, "stranger", "other")
    return folder


async def tls_sink(certs: Path) -> tuple[Sink, object]:
    """A sink that wants a client certificate of `ca`."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certs / "ca.pem")
    context.load_cert_chain(certs / "server.pem", certs / "server.key")
    context.verify_mode = ssl.CERT_REQUIRED
    pair = ((certs / "server.key").read_bytes(), (certs / "server.pem").read_bytes())
    credentials = grpc.ssl_server_credentials([pair], (certs / "ca.pem").read_bytes(), require_client_auth=True)
    sink = Sink()
    return sink, await sink.serve(context, credentials)


def outcome(certs: Path, protocol: str, ca: Path | None, client: str | None) -> tuple[float, dict[str, float]]:
    """Delivered, and dropped by reason, of one request with these files and a life of two seconds."""

    async def body() -> tuple[float, dict[str, float]]:
        sink, end = await tls_sink(certs)
        store = Store(Clock(), 30.0)
        destination = Destination(
            "d", sink.http if protocol == "http" else sink.grpc, protocol, timeout=5.0, max_age=2.0, ca=ca,
            cert=certs / f"{client}.pem" if client else None, key=certs / f"{client}.key" if client else None,
        )  # fmt: skip
        exporter = Exporter(destination, (HttpSender if protocol == "http" else GrpcSender)(destination, print), store)
        exporter.start()
        exporter.offer(Original("traces", BODY))
        async with asyncio.timeout(30):
            await exporter._queue.join()
        await exporter.close(1)
        await end()  # type: ignore[operator]
        dropped = store.families[catalogue.COLLECTOR_FORWARD_DROPPED.prometheus].cells
        return len(sink.taken), {reason: cell[0] for (_, reason), cell in dropped.items() if cell[0]}

    return asyncio.run(body())


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_an_authority_and_a_client_certificate_of_ones_own(certs: Path, protocol: str) -> None:
    """With both the request arrives."""
    assert outcome(certs, protocol, certs / "ca.pem", "client") == (1, {})


@pytest.mark.parametrize("protocol", ["http", "grpc"])
@pytest.mark.parametrize(("ca", "client"), [(None, "client"), ("other", "client"), ("ca", None), ("ca", "stranger")])
def test_without_the_right_certificates_nothing_is_sent(certs: Path, protocol: str, ca: str | None, client: str | None) -> None:
    """A server that is not known, or that does not know us: tried until the request is too old, never sent in the clear."""
    assert outcome(certs, protocol, certs / f"{ca}.pem" if ca else None, client) == (0, {"expired": 1})


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_certificates_that_are_renewed_are_used(
    certs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: str
) -> None:
    """A client begins with a certificate that the server does not take; when its files change, what waited is delivered."""
    monkeypatch.setattr(renewed, "CHECK_SECONDS", 0.0)

    def put(name: str) -> None:
        for end in ("pem", "key"):
            shutil.copy(certs / f"{name}.{end}", tmp_path / f"mine.{end}")

    async def body() -> None:
        sink, end = await tls_sink(certs)
        put("stranger")
        destination = Destination(
            "d",
            sink.http if protocol == "http" else sink.grpc,
            protocol,
            ca=certs / "ca.pem",
            cert=tmp_path / "mine.pem",
            key=tmp_path / "mine.key",
        )
        store = Store(Clock(), 30.0)
        exporter = Exporter(destination, (HttpSender if protocol == "http" else GrpcSender)(destination, print), store)
        retries = store.families[catalogue.COLLECTOR_FORWARD_RETRIES.prometheus].cells[("d",)]
        exporter.start()
        exporter.offer(Original("traces", BODY))
        async with asyncio.timeout(30):
            while not retries[0]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            put("client")
            await exporter._queue.join()
        await exporter.close(1)
        await end()  # type: ignore[operator]
        assert [one.body for one in sink.taken] == [BODY]

    asyncio.run(body())


def test_files_that_cannot_be_used_end_the_start(certs: Path, tmp_path: Path) -> None:
    """One line with destination and files: not there, no PEM, a key of another certificate."""
    (tmp_path / "no.pem").write_text("no pem")
    for given in (
        {"ca": tmp_path / "none"},
        {"ca": tmp_path / "no.pem"},
        {"cert": certs / "client.pem", "key": certs / "stranger.key"},
        {"cert": certs / "client.pem", "key": tmp_path / "no.pem"},
    ):
        for protocol, sender in (("http", HttpSender), ("grpc", GrpcSender)):
            with pytest.raises(BadInput, match="collector.forward d: tls: cannot load .*name files in PEM"):
                sender(Destination("d", "https://localhost:1", protocol, **given), print)
