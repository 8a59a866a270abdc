"""What the receivers take at once, and what they say when it is too much: behaviours 5, 6 and 7 of an honest OTLP citizen."""

from __future__ import annotations

import asyncio
import gzip
import re
import socket
import zlib
from pathlib import Path

import grpc
import grpc.aio
import pytest
from collector_process import Running, count
from google.rpc.status_pb2 import Status
from otlp_requests import llm, span, traces
from receivers import ALONE, DEADLINE, TRACES, both, post_head, retry_seconds, until

from truegreen.collector.inflate import inflated
from truegreen.collector.model import Limits
from truegreen.collector.refusals import Refused

BODY = traces([span(llm())])
MIB = 1 << 20


def zstd(body: bytes, window_log: int = 20) -> bytes:
    """A zstd frame that does not say how long it is inflated."""
    try:
        from compression import zstd as library
    except ImportError:
        from backports import zstd as library
    made = library.ZstdCompressor(
        options={library.CompressionParameter.window_log: window_log, library.CompressionParameter.content_size_flag: 0}
    )
    half = len(body) // 2
    return made.compress(body[:half]) + made.compress(body[half:]) + made.flush()


def peak(collector: Running) -> int:
    """The most memory that the process ever had, in MiB."""
    return int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{collector.process.pid}/status").read_text())[1]) // 1024  # type: ignore[index]


def test_behaviour_05_a_request_over_the_limit_of_requests_is_told_to_come_back() -> None:
    """While one request is read, a second is refused by either protocol before its body, with a delay in every place that exporters read."""

    async def run() -> None:
        async with both(Limits(requests=1)) as receivers:
            _, slow = await receivers.opened(post_head(len(BODY)), BODY[:5])
            await until(lambda: receivers.intake.held == 5)
            # 20 MiB are announced and none is sent: the answer does not wait for them.
            reader, writer = await receivers.opened(post_head(20 * MIB))
            async with asyncio.timeout(DEADLINE):
                head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 503 ") and b"\r\nRetry-After: 1\r\n" in head
            status, answer, _ = await receivers.post(BODY)
            assert (status, retry_seconds(answer)) == (503, 1)
            code, _, metadata = await receivers.call(BODY)
            assert code is grpc.StatusCode.UNAVAILABLE
            assert retry_seconds(metadata["grpc-status-details-bin"]) == 1 and metadata["google.rpc.retryinfo-bin"]
            assert (receivers.refused("overloaded"), receivers.spans) == (3, 0)
            slow.write(BODY[5:])
            await until(lambda: receivers.intake.active == 0)
            assert (await receivers.post(BODY))[0] == 200
            assert (await receivers.call(BODY))[0] is grpc.StatusCode.OK
            assert receivers.spans == 3
            for one in (slow, writer):
                one.close()

    asyncio.run(run())


def test_behaviour_05_json_says_when_to_come_back_too() -> None:
    """The RetryInfo of a JSON answer is in its details, by the mapping of protobuf."""

    async def run() -> None:
        async with both(Limits(requests=0)) as receivers:
            status, answer, headers = await receivers.post(b"{}", Content_Type="application/json")
            assert (status, headers["Retry-After"]) == (503, "1")
            assert b'"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1s"' in answer

    asyncio.run(run())


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_behaviour_06_compressed_requests_are_counted(collector: Running, encoding: str) -> None:
    """gzip and zstd, one frame or several."""
    packed = {"gzip": gzip.compress, "zstd": zstd}[encoding]
    before = count(collector, "truegreen_collector_accepted_spans_total")
    assert collector.post(packed(BODY), Content_Encoding=encoding)[0] == 200
    assert collector.post(packed(BODY) + packed(BODY), Content_Encoding=encoding)[0] == 200
    assert count(collector, "truegreen_collector_accepted_spans_total") == before + 3


@pytest.mark.parametrize(
    ("encoding", "body", "status", "reason"),
    [
        ("gzip", gzip.compress(b"\0" * 300 * MIB), 413, "too_large"),
        ("zstd", zstd(b"\0" * 300 * MIB), 413, "too_large"),
        ("zstd", zstd(bytes(range(256)) * 8192 * 32, window_log=26), 400, "undecodable"),
        ("zstd", zstd(BODY)[:-3], 400, "undecodable"),
        ("zstd", b"not zstd", 400, "undecodable"),
        ("zstd", zstd(b"") * 17, 400, "undecodable"),
        ("gzip", gzip.compress(BODY)[:-3], 400, "undecodable"),
        ("deflate", zlib.compress(BODY), 415, "encoding"),
        ("snappy", b"x", 415, "encoding"),
    ],
    ids=["gzip-bomb", "zstd-bomb", "zstd-window", "zstd-cut", "no-zstd", "zstd-frames", "gzip-cut", "deflate", "snappy"],
)
def test_behaviour_06_a_compressed_body_costs_no_more_than_the_limit(
    collector: Running, encoding: str, body: bytes, status: int, reason: str
) -> None:
    """A clear status, a counted reason, the process alive, and memory that a bomb of 300 MiB does not move."""
    before = count(collector, f'truegreen_collector_refused_requests_total{{reason="{reason}"}}')
    got, answer, _ = collector.post(body, Content_Encoding=encoding)
    assert got == status and Status.FromString(answer).message
    assert count(collector, f'truegreen_collector_refused_requests_total{{reason="{reason}"}}') == before + 1
    assert peak(collector) < 220
    assert collector.post(BODY)[0] == 200


def test_behaviour_06_inflation_stops_at_the_limit_whatever_the_ratio() -> None:
    """Exactly the limit is taken, one byte more is not."""
    for encoding, packed in (("gzip", gzip.compress), ("zstd", zstd)):
        assert inflated(packed(b"a" * 1000), encoding, 1000) == b"a" * 1000
        with pytest.raises(Refused, match="over 1000 bytes") as caught:
            inflated(packed(b"a" * 1001), encoding, 1000)
        assert caught.value.status == 413


@pytest.mark.parametrize("body", [b"\0" * (21 * MIB), b"\0" * (300 * MIB)], ids=["21 MiB", "gzip-bomb"])
def test_behaviour_06_grpc_has_the_same_limit(collector: Running, body: bytes) -> None:
    """Over 20 MiB as sent or inflated is RESOURCE_EXHAUSTED; the refusal is counted, the next request is taken."""
    refused = 'truegreen_collector_refused_requests_total{reason="too_large"}'
    before = count(collector, refused)
    compression = grpc.Compression.Gzip if len(body) > 100 * MIB else None
    with grpc.insecure_channel(
        collector.grpc, options=[*ALONE, ("grpc.max_send_message_length", -1)], compression=compression
    ) as channel:
        call = channel.unary_unary(TRACES, lambda b: b, lambda b: b)
        with pytest.raises(grpc.RpcError) as caught:
            call(body, timeout=DEADLINE)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED  # type: ignore[attr-defined]
        assert call(BODY, timeout=DEADLINE) == b""
    assert count(collector, refused) == before + 1
    assert peak(collector) < 220


def test_behaviour_06_a_length_that_lies_harms_nobody() -> None:
    """More than was announced is no HTTP; less is given up; a length that is no number, or two, are refused."""

    async def run() -> None:
        async with both(Limits(body_seconds=0.1)) as receivers:
            reader, writer = await receivers.opened(post_head(len(BODY)), BODY + b"SECRET MORE\r\n\r\n")
            async with asyncio.timeout(DEADLINE):
                assert b"HTTP/1.0 400 " in await reader.read()
            writer.close()
            reader, writer = await receivers.opened(post_head(len(BODY) + 1), BODY)
            async with asyncio.timeout(DEADLINE):
                assert (await reader.read()).startswith(b"HTTP/1.1 503 ")
            writer.close()
            for head in (
                post_head(5).replace("5\r\n", "-5\r\n"),
                post_head(5, "Content-Length: 6"),
                post_head(5).replace("5\r\n", "x\r\n"),
            ):
                reader, writer = await receivers.opened(head, b"12345")
                async with asyncio.timeout(DEADLINE):
                    assert (await reader.read()).startswith(b"HTTP/1.0 400 "), head
                writer.close()
            assert (receivers.refused("malformed"), receivers.refused("timed_out")) == (4, 1)
            assert (receivers.intake.held, receivers.intake.active) == (0, 0)

    asyncio.run(run())


def test_behaviour_06_a_client_that_asks_first_is_told_to_go_on_or_not() -> None:
    """`Expect: 100-continue`, as curl sends it: 100 for what is taken, the refusal at once for what is not."""

    async def run() -> None:
        async with both() as receivers:
            reader, writer = await receivers.opened(post_head(len(BODY), "Expect: 100-continue"))
            async with asyncio.timeout(DEADLINE):
                assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
                writer.write(BODY)
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
            writer.close()
            reader, writer = await receivers.opened(post_head(21 * MIB, "Expect: 100-continue"))
            async with asyncio.timeout(DEADLINE):
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 413 ")
            writer.close()

    asyncio.run(run())


def test_behaviour_07_slow_headers_and_silence_are_closed() -> None:
    """A connection that sends nothing, one that sends headers letter by letter, and one that is idle after a request."""

    async def run() -> None:
        async with both(Limits(header_seconds=0.2)) as receivers:
            silent, one = await asyncio.open_connection("127.0.0.1", receivers.http)
            slow, two = await receivers.opened("POST /v1/traces HTTP/1.1\r\nHost: x\r\nX-Slow: ")
            idle, three = await receivers.opened(post_head(len(BODY)), BODY)
            async with asyncio.timeout(DEADLINE):
                assert (await silent.read(), await slow.read()) == (b"", b"")
                assert (await idle.read()).startswith(b"HTTP/1.1 200 ")
            for each in (one, two, three):
                each.close()

    asyncio.run(run())


def test_behaviour_07_connections_over_the_limit_are_turned_away() -> None:
    """By HTTP with 503 and a delay; by gRPC the connection ends and the client tries again; both serve when one of the first has left."""

    async def run() -> None:
        async with both(Limits(connections=2)) as receivers:
            first = [await asyncio.open_connection("127.0.0.1", receivers.http) for _ in range(2)]
            reader, writer = await receivers.opened(post_head(len(BODY)), BODY)
            async with asyncio.timeout(DEADLINE):
                answer = await reader.read()
            assert answer.startswith(b"HTTP/1.1 503 ") and b"\r\nRetry-After: 1\r\n" in answer
            status, _, headers = await receivers.post(BODY)
            assert (status, headers["Retry-After"], receivers.spans) == (503, "1", 0)
            assert receivers.refused("connections") == 2
            for _, each in (*first, (reader, writer)):
                each.close()
            async with asyncio.timeout(DEADLINE):
                while (await receivers.post(BODY))[0] != 200:  # noqa: ASYNC110  # the server has no event for it
                    await asyncio.sleep(0.005)
            channels = [grpc.aio.insecure_channel(f"127.0.0.1:{receivers.grpc}", options=ALONE) for _ in range(3)]
            calls = [channel.unary_unary(TRACES, lambda b: b, lambda b: b) for channel in channels]
            assert [await call(BODY, timeout=DEADLINE) for call in calls[:2]] == [b"", b""]
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await calls[2](BODY, timeout=DEADLINE)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
            await channels[0].close()
            assert await calls[2](BODY, timeout=DEADLINE, wait_for_ready=True) == b""
            for channel in channels[1:]:
                await channel.close()

    asyncio.run(run())


def test_behaviour_07_who_does_not_read_its_answers_is_closed() -> None:
    """Requests are sent on and on and no answer is read: the connection ends, and others are served."""

    async def run() -> None:
        async with both(Limits(body_seconds=0.2)) as receivers:
            one = post_head(0).encode() * 500
            unread = socket.socket()
            unread.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            unread.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(unread, ("127.0.0.1", receivers.http))
            async with asyncio.timeout(DEADLINE):
                with pytest.raises(ConnectionError):
                    while True:
                        await loop.sock_sendall(unread, one)
            unread.close()
            assert (await receivers.post(BODY))[0] == 200

    asyncio.run(run())
