"""JSON bodies that are large once they are inflated, or whose sender leaves: behaviours 3, 5 and 6 of an honest OTLP citizen."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
import tracemalloc
from pathlib import Path

import pytest
from receivers import DEADLINE, Both, both, post_head, retry_seconds, until

from truegreen.collector import receiver, turns
from truegreen.core.config import load

MIB = 1 << 20
ONE = {"name": "chat", "attributes": [{"key": "note", "value": {"stringValue": "x" * 1000}}]}
LONG = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [ONE] * 100}]}]}).encode()
"""A hundred spans, over what is read at once."""


def json_head(length: int, *more: str) -> str:
    return post_head(length, *more).replace(receiver.PROTOBUF, receiver.JSON)


async def leaving(receivers: Both) -> asyncio.StreamWriter:
    """The long JSON is sent whole, and the connection still open."""
    _, writer = await receivers.opened(json_head(len(LONG)), LONG)
    await until(lambda: receivers.intake.held == len(LONG))
    return writer


def test_behaviour_06_json_waits_for_its_turn_before_it_is_inflated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty bodies of 20 kB that inflate to 20 MiB each, while another is read: no memory, and all are told to come back."""
    monkeypatch.setattr(turns, "WAIT_SECONDS", 0.5)
    bomb = gzip.compress(b'{"x":"' + b"a" * (20 * MIB - 100) + b'"}')

    async def run() -> None:
        async with both() as receivers:
            tracemalloc.start()
            try:
                async with receivers.intake.converting.one():
                    posts = [receivers.post(bomb, Content_Type=receiver.JSON, Content_Encoding="gzip") for _ in range(20)]
                    answers = await asyncio.gather(*posts)
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
            assert {(status, headers["Retry-After"]) for status, _, headers in answers} == {(503, "1")}
            assert peak < 40 * MIB
            assert receivers.refused("overloaded") == 20
            assert (await receivers.post(bomb, Content_Type=receiver.JSON, Content_Encoding="gzip"))[0] == 200
            assert (receivers.intake.held, receivers.intake.active) == (0, 0)

    asyncio.run(run())


def test_behaviour_06_inflated_json_is_part_of_what_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """While it is read, others are refused for it; when it is counted, its bytes are given back."""
    going, read = threading.Event(), receiver.from_json

    def slow(signal: str, data: bytes) -> bytes:
        going.wait(DEADLINE)
        return read(signal, data)

    monkeypatch.setattr(receiver, "from_json", slow)
    padded = b" " * MIB + LONG

    async def run() -> None:
        async with both(in_flight=len(padded) + 100_000) as receivers:
            reading = asyncio.ensure_future(
                receivers.post(gzip.compress(padded), Content_Type=receiver.JSON, Content_Encoding="gzip")
            )
            await until(lambda: receivers.intake.held > len(padded))
            status, answer, _ = await receivers.post(b"\0" * 100_000)
            assert (status, retry_seconds(answer)) == (503, 1)
            going.set()
            assert (await reading)[0] == 200
            assert (receivers.spans, receivers.intake.held) == (100, 0)

    asyncio.run(run())


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_behaviour_06_the_smallest_limit_that_may_be_written_takes_a_full_request(tmp_path: Path, encoding: str) -> None:
    """As many bytes as `request` says, both as sent and inflated, with the least `in_flight` that is not refused: taken when it comes alone."""
    (tmp_path / "t.yaml").write_text("collector: {limits: {request: 256KiB, in_flight: 512KiB}}\n")
    limits = load(tmp_path / "t.yaml", {}).collector.receiver.limits
    padded = LONG + b" " * (limits.request - 1000 - len(LONG))
    # A gzip body of stored blocks; a zstd frame of one raw block after another.
    body = gzip.compress(padded, 0) if encoding == "gzip" else stored(padded)
    assert limits.request - 1000 < len(body) <= limits.request

    async def run() -> None:
        async with both(limits, limits.in_flight) as receivers:
            assert (await receivers.post(body, Content_Type=receiver.JSON, Content_Encoding=encoding))[0] == 200
            assert (receivers.spans, receivers.intake.held) == (100, 0)

    asyncio.run(run())


def stored(body: bytes) -> bytes:
    """A zstd frame (RFC 8878, 3.1.1) of raw blocks: magic, no flags, a window of 1 MiB, then blocks of at most 100 kB."""
    blocks = [body[at : at + 100_000] for at in range(0, len(body), 100_000)]
    heads = [(len(block) << 3 | (block is blocks[-1])).to_bytes(3, "little") for block in blocks]
    return b"\x28\xb5\x2f\xfd\x00\x50" + b"".join(map(bytes.__add__, heads, blocks))


def test_behaviour_05_json_whose_sender_has_left_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """It gave up, and sends again: whether it left while it waited for its turn or while its body was read."""
    going, reading, read = threading.Event(), threading.Event(), receiver.from_json

    def slow(signal: str, data: bytes) -> bytes:
        reading.set()
        going.wait(DEADLINE)
        return read(signal, data)

    monkeypatch.setattr(receiver, "from_json", slow)

    async def run() -> None:
        async with both() as receivers:
            async with receivers.intake.converting.one():
                writer = await leaving(receivers)
                writer.transport.abort()
                await asyncio.sleep(0.05)
            await until(lambda: receivers.refused("disconnected") == 1)
            assert not reading.is_set()
            writer = await leaving(receivers)
            await until(reading.is_set)
            writer.transport.abort()
            await asyncio.sleep(0.05)
            going.set()
            await until(lambda: receivers.refused("disconnected") == 2)
            assert receivers.spans == 0
            assert (await receivers.post(LONG, Content_Type=receiver.JSON))[0] == 200
            assert (receivers.spans, receivers.intake.held, receivers.intake.active) == (100, 0, 0)

    asyncio.run(run())
