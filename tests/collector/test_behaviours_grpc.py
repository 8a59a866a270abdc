"""gRPC calls that bring no message, one too large, or none for long: behaviours 3, 6 and 7 of an honest OTLP citizen."""

from __future__ import annotations

import asyncio

import grpc
import grpc.aio
import pytest
from otlp_requests import llm, span, traces
from receivers import ALONE, DEADLINE, TRACES, both, retry_seconds, until

from truegreen.collector import turns
from truegreen.collector.model import Limits

BODY = traces([span(llm())])


async def no_message():
    return
    yield b""


async def silence():
    await asyncio.sleep(DEADLINE)
    yield b""


def test_behaviour_03_a_call_without_a_message_is_malformed() -> None:
    """It is half-closed at once: INVALID_ARGUMENT, not counted as one that is too large; an empty message is a request, and one over the limit too large."""

    async def run() -> None:
        async with both(Limits(request=1000)) as receivers:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{receivers.grpc}", options=ALONE) as channel:
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await channel.stream_unary(TRACES, lambda b: b, lambda b: b)(no_message(), timeout=DEADLINE)
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
            assert "no message" in (caught.value.details() or "")
            assert (receivers.refused("malformed"), receivers.refused("too_large")) == (1, 0)
            assert (await receivers.call(b""))[0] is grpc.StatusCode.OK
            for compression in (None, grpc.Compression.Gzip):
                code, _, _ = await receivers.call(b"\0" * 2000, compression=compression)
                assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
            await until(lambda: receivers.refused("too_large") == 2)
            assert (receivers.refused("malformed"), receivers.intake.active, receivers.spans) == (1, 0, 0)

    asyncio.run(run())


def test_behaviour_07_a_grpc_message_that_never_ends_is_given_up() -> None:
    """Its place is free again, the client is told to come back, and others are served meanwhile."""

    async def run() -> None:
        async with both(Limits(body_seconds=0.2, reading=2)) as receivers:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{receivers.grpc}", options=ALONE) as channel:
                hung = channel.stream_unary(TRACES, lambda b: b, lambda b: b)(silence())
                await until(lambda: receivers.intake.active == 1)
                assert (await receivers.call(BODY))[0] is grpc.StatusCode.OK
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await hung
                assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
                assert retry_seconds(dict(caught.value.trailing_metadata())["grpc-status-details-bin"]) == 1
            assert (receivers.refused("timed_out"), receivers.intake.active) == (1, 0)

    asyncio.run(run())


def test_behaviour_07_a_message_that_gets_no_turn_is_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """All places to read are taken by messages that do not come: the next one is not read, and is served when a place is free."""
    monkeypatch.setattr(turns, "WAIT_SECONDS", 0.05)

    async def run() -> None:
        async with both(Limits(reading=1)) as receivers:
            free = asyncio.Event()

            async def late():
                await free.wait()
                yield BODY

            async with grpc.aio.insecure_channel(f"127.0.0.1:{receivers.grpc}", options=ALONE) as channel:
                hung = channel.stream_unary(TRACES, lambda b: b, lambda b: b)(late())
                await until(lambda: receivers.intake.active == 1)
                code, _, metadata = await receivers.call(BODY)
                assert (code, retry_seconds(metadata["grpc-status-details-bin"])) == (grpc.StatusCode.UNAVAILABLE, 1)
                assert receivers.refused("overloaded") == 1
                free.set()
                assert await hung == b""
            assert (await receivers.call(BODY))[0] is grpc.StatusCode.OK

    asyncio.run(run())


def test_behaviour_03_calls_without_a_message_hold_no_place() -> None:
    """While gRPC is given the time to end them, if they were too large, others are served."""

    async def run() -> None:
        async with both(Limits(requests=2)) as receivers:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{receivers.grpc}", options=ALONE) as channel:
                call = channel.stream_unary(TRACES, lambda b: b, lambda b: b)
                empty = [asyncio.ensure_future(ended(call(no_message(), wait_for_ready=True))) for _ in range(6)]
                served = [(await receivers.call(BODY))[0] for _ in range(3)]
                assert served == [grpc.StatusCode.OK] * 3
                assert set(await asyncio.gather(*empty)) <= {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.UNAVAILABLE}
            assert receivers.refused("malformed") >= 2

    asyncio.run(run())


async def ended(call: grpc.aio.StreamUnaryCall) -> grpc.StatusCode:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def test_behaviour_07_a_place_is_not_kept_by_who_sends_nothing_while_others_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """All places of gRPC are taken by calls without a message, whose time is long: the next request is served, and they are told to come back."""
    monkeypatch.setattr(turns, "KEEP_SECONDS", 0.1)

    async def run() -> None:
        async with both(Limits(reading=2, body_seconds=1000)) as receivers:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{receivers.grpc}", options=ALONE) as channel:
                call = channel.stream_unary(TRACES, lambda b: b, lambda b: b)
                hung = [asyncio.ensure_future(ended(call(silence()))) for _ in range(2)]
                await until(lambda: receivers.intake.active == 2)
                for _ in range(3):
                    assert (await receivers.call(traces([span(llm())])))[0] is grpc.StatusCode.OK
                assert (receivers.refused("timed_out"), receivers.intake.active) == (1, 1)
                done, left = await asyncio.wait(hung, timeout=DEADLINE, return_when=asyncio.FIRST_COMPLETED)
                assert [one.result() for one in done] == [grpc.StatusCode.UNAVAILABLE]
                for one in left:
                    one.cancel()

    asyncio.run(run())


def test_behaviour_07_calls_that_hang_one_after_the_other_do_not_keep_the_rest_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """More of them than there are places, before the calls that bring a message, all from the address of one proxy: the latter are all served."""
    monkeypatch.setattr(turns, "KEEP_SECONDS", 0.3)
    monkeypatch.setattr(turns, "WAIT_SECONDS", DEADLINE)

    async def run() -> None:
        async with both(Limits(reading=2, requests=40, body_seconds=1000)) as receivers:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{receivers.grpc}", options=ALONE) as channel:
                call = channel.stream_unary(TRACES, lambda b: b, lambda b: b)
                hung = [asyncio.ensure_future(ended(call(silence()))) for _ in range(6)]
                await until(lambda: receivers.intake.active == 6)
                whole = channel.unary_unary(TRACES, lambda b: b, lambda b: b)
                assert await asyncio.gather(*(whole(BODY, timeout=DEADLINE) for _ in range(25))) == [b""] * 25
                assert (receivers.spans, receivers.refused("overloaded")) == (25, 0)
                for one in hung:
                    one.cancel()
                await asyncio.gather(*hung, return_exceptions=True)

    asyncio.run(run())


def test_behaviour_07_one_address_does_not_keep_all_places_from_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """It opens calls without end that bring no message: an eighth of all requests is left to others, and another address is read within its wait."""
    monkeypatch.setattr(turns, "KEEP_SECONDS", 0.1)
    monkeypatch.setattr(turns, "WAIT_SECONDS", 1.0)

    async def run() -> None:
        async with both(Limits(reading=2, requests=40, body_seconds=1000)) as receivers:

            async def again(call) -> None:
                while True:
                    await ended(call(silence()))

            async with grpc.aio.insecure_channel(f"127.0.0.1:{receivers.grpc}", options=ALONE) as channel:
                call = channel.stream_unary(TRACES, lambda b: b, lambda b: b)
                hung = [asyncio.ensure_future(again(call)) for _ in range(60)]
                await until(lambda: receivers.refused("overloaded") > 0)
                assert receivers.intake.active <= 2 + 35
                async with grpc.aio.insecure_channel(receivers.socket, options=ALONE) as other:
                    for _ in range(5):
                        assert await other.unary_unary(TRACES, lambda b: b, lambda b: b)(BODY, timeout=DEADLINE) == b""
                assert receivers.spans == 5
                for one in hung:
                    one.cancel()
                await asyncio.gather(*hung, return_exceptions=True)

    asyncio.run(run())
