"""What waits for a destination: bounded, counted, sent or told at the stop."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
from dataclasses import replace

import pytest
from forward_line import BODY, Line, run
from hypothesis import given, settings
from hypothesis import strategies as st
from otlp_requests import Clock, llm, span, traces
from sink import HALF, OK, RESET, Sink

from truegreen.collector.forward import Forward
from truegreen.collector.forward_exporter import OVERHEAD, Exporter
from truegreen.collector.forward_http import HttpSender
from truegreen.collector.forward_payload import PROTOBUF, Original
from truegreen.collector.forward_verdict import DELIVERED, Verdict
from truegreen.collector.refusals import Refused
from truegreen.collector.state import Store
from truegreen.core.clients.engines import free_port
from truegreen.core.config.forward import Destination
from truegreen.core.words import catalogue


def test_a_full_queue_drops_what_is_new_and_counts_it(caplog: pytest.LogCaptureFixture) -> None:
    """The bound is in bytes, with what is on its way; each request counts 512 more than it has."""

    async def body(sink: Sink) -> None:
        line = Line(sink, queue=3 * (len(BODY) + OVERHEAD))
        line.exporter.start()
        for _ in range(5):
            line.exporter.offer(Original("traces", BODY))
        assert line.dropped == {"queue_full": 2}
        assert (
            line.exporter.held
            == line.number(catalogue.COLLECTOR_FORWARD_QUEUE)
            == line.number(catalogue.COLLECTOR_FORWARD_QUEUE_LIMIT)
        )
        sink.gate = False
        await line.settled()
        assert (line.delivered, line.number(catalogue.COLLECTOR_FORWARD_QUEUE)) == (3, 0)
        line.exporter.offer(Original("traces", BODY))
        await line.settled()
        assert line.delivered == 4
        assert await line.exporter.close(1) == (0, 0)

    run(body, gate=True)
    assert caplog.text.count("queue_full") == 1


def test_a_destination_may_have_senders_refused_when_it_is_full() -> None:
    """`when_full: refuse` answers before anything is counted; another destination's full queue refuses nobody."""

    async def body(sink: Sink) -> None:
        strict, loose = (Line(sink, queue=len(BODY) + OVERHEAD, when_full=word).exporter for word in ("refuse", "drop"))
        both = Forward([strict, loose])
        both.check("traces", len(BODY))
        both.offer(Original("traces", BODY))
        with pytest.raises(Refused, match="queue of d is full; send again") as caught:
            both.check("traces", len(BODY))
        assert (caught.value.status, caught.value.reason) == (503, "forward_full")
        Forward([loose]).check("traces", len(BODY))
        both.check("traces", len(BODY) + 1)  # it would never find room: refused, its sender would send it for ever
        await asyncio.gather(strict.close(0), loose.close(0))

    run(body)


def test_a_stop_sends_what_waits_and_counts_what_is_left() -> None:
    """All is sent to a destination that takes it; to one that does not answer, what is left is counted and told."""

    async def body(sink: Sink) -> None:
        line = Line(sink)
        line.exporter.start()
        for _ in range(20):
            line.exporter.offer(Original("traces", BODY))
        assert await line.exporter.close(10) == (0, 0)
        assert (line.delivered, line.dropped) == (20, {})
        line.exporter.offer(Original("traces", BODY))
        assert line.dropped == {"shutdown": 1}

        stuck = Line(sink)
        stuck.exporter.start()
        sink.gate = True
        for _ in range(5):
            stuck.exporter.offer(Original("traces", BODY))
        said: list[str] = []
        await Forward([stuck.exporter]).close(0.3, said.append)
        assert (stuck.delivered, stuck.dropped, stuck.exporter.held) == (0, {"shutdown": 5}, 0)
        assert said == [
            f"5 requests for d were not delivered within 0.3 s ({5 * (len(BODY) + OVERHEAD)} bytes): they are lost there"
        ]

    run(body)


def test_a_stop_does_not_wait_for_what_cannot_come_in_time() -> None:
    """A destination that asked for a minute is not waited for: the stop ends at once, with a deadline of an hour."""

    async def body(sink: Sink) -> None:
        line = Line(sink)
        real = Exporter(line.destination, HttpSender(line.destination, line.said.append), line.store)
        real.start()
        for _ in range(3):
            real.offer(Original("traces", BODY))
        async with asyncio.timeout(10):
            while not sink.got:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            assert (await real.close(30))[0] == 3
        assert line.dropped == {"shutdown": 3} and len(sink.got) == 1

    run(body, then="503:60")


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_what_is_made_of_requests_is_not_kept_while_they_wait(protocol: str) -> None:
    """Twelve bodies of 4 MiB that came in 4 kB, and nobody takes them: none is held inflated, and at most one, and what the queue may hold, while it is sent."""
    big = traces([span(llm(big="x" * (4 << 20)))])
    packed = Original("traces", gzip.compress(big), PROTOBUF, "gzip")

    async def body(sink: Sink) -> None:
        nobody = replace(sink, grpc=f"http://127.0.0.1:{free_port()}")  # the library's server would hold them in this process
        line = Line(nobody, protocol, queue=1 << 20, in_flight=8, compression="none")
        waiting, gate = set[object](), asyncio.Event()

        async def pause(_seconds: float, _stopping: asyncio.Event) -> None:
            waiting.add(asyncio.current_task())
            await gate.wait()

        line.time.pause = pause  # type: ignore[method-assign]
        exporter = Exporter(line.destination, line.exporter._sender, line.store, line.time.timing())
        tracemalloc.start()
        try:
            exporter.start()
            for _ in range(12):
                exporter.offer(packed)
            async with asyncio.timeout(20):
                while len(waiting) < 8:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            sink.got.clear()
            assert tracemalloc.get_traced_memory()[0] < 4 << 20
        finally:
            tracemalloc.stop()
        line.time.now = 1e9
        gate.set()
        await exporter._queue.join()
        await exporter.close(1)

    run(body, then="503")


def test_what_is_made_of_requests_at_once_is_bounded_by_the_queue() -> None:
    """Eight on their way would be 8 MB: three fit into 3.5 MB, and a body that is larger than all of it goes alone."""
    packed, giant = (Original("traces", gzip.compress(bytes(size)), PROTOBUF, "gzip") for size in (1_000_000, 5_000_000))
    most: list[int] = []

    class Slow:
        """A sender that notes how much is on its way."""

        def __init__(self) -> None:
            self.now = 0

        async def send(self, request: Original) -> Verdict:
            self.now += len(request.body)
            most.append(self.now)
            await asyncio.sleep(0.01)
            self.now -= len(request.body)
            return Verdict(DELIVERED)

        async def close(self) -> None:
            """It has no connections."""

    async def body() -> None:
        destination = Destination("d", "http://127.0.0.1:9", compression="none", queue=3_500_000, in_flight=8)
        exporter = Exporter(destination, Slow(), Store(Clock(), 30.0))
        exporter.start()
        for one in (*[packed] * 12, giant, packed):
            exporter.offer(one)
        async with asyncio.timeout(20):
            await exporter._queue.join()
        await exporter.close(1)

    asyncio.run(body())
    assert (len(most), sorted(most)[-2:]) == (14, [3_000_000, 5_000_000])


FAULTS = st.sampled_from([OK, OK, OK, "503", "503:3", "429", "400", "500", "401", RESET, HALF])


@settings(max_examples=30, deadline=None)
@given(
    st.lists(FAULTS, max_size=25),
    st.sampled_from([OK, "503", "400"]),
    st.lists(st.integers(1, 2000), min_size=1, max_size=20),
    st.integers(1, 5),
    st.integers(1, 30_000),
)
def test_behaviour_10_every_request_is_delivered_or_dropped_for_a_reason_or_still_there(
    script: list[str], then: str, sizes: list[int], in_flight: int, queue: int
) -> None:
    """At every moment the sums are exact, and in the end the destination has what is counted as delivered, each request once."""

    async def body(sink: Sink) -> None:
        line = Line(sink, queue=queue, in_flight=in_flight)
        line.exporter.start()
        for n, size in enumerate(sizes):
            line.exporter.offer(Original("traces", bytes((n,)) * size))
            assert line.exporter.held <= queue
            if n % 3 == 0:
                await asyncio.sleep(0)
            waiting = len(sizes[: n + 1]) - line.delivered - sum(line.dropped.values())
            assert waiting >= 0 and (waiting == 0) == (line.exporter.held == 0)
            assert line.number(catalogue.COLLECTOR_FORWARD_QUEUE_REQUESTS) == waiting
        await line.settled()
        await line.exporter.close(1)
        assert line.delivered + sum(line.dropped.values()) == len(sizes)
        assert sorted(one.body for one in sink.taken) == sorted({one.body for one in sink.taken})
        assert len(sink.taken) == line.delivered
        assert line.exporter.held == 0

    run(body, script=list(script), then=then)
