"""More than a collector can take: behaviour 5 with the real SDK's retries, and 12 with a million values of a label."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import grpc
import grpc.aio
import pytest
from collector_process import Running, count
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as Grpc
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as Http
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from otlp_requests import HOLD, Clock, llm, span, total, traces
from receivers import ALONE, TRACES, post_head

from truegreen.collector.processor import Processor
from truegreen.core.words import catalogue

Start = Callable[..., Running]
MIB = 1 << 20


def peak(collector: Running) -> int:
    """The most memory that the process ever had, in MiB."""
    return int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{collector.process.pid}/status").read_text())[1]) // 1024  # type: ignore[index]


def batch_of(many: int) -> list[ReadableSpan]:
    """So many spans of the real SDK, of a size that takes time to send."""
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    for _ in range(many):
        provider.get_tracer("t").start_span("chat", attributes=llm() | {"gen_ai.output.messages": "x" * 2000}).end()
    return list(kept.get_finished_spans())


def test_behaviour_05_overload_is_refused_retried_and_nothing_is_lost(start: Start, tmp_path: Path) -> None:
    """Real exporters, twice as many as there are places, and clients that fill the places: each batch succeeds after its retries, and is counted once."""
    (tmp_path / "t.yaml").write_text("collector:\n  limits: {requests: 4}\n")
    collector = start("--config", "t.yaml")
    batch = batch_of(50)
    host, _, port = collector.http.rpartition(":")
    body = traces([span(llm())])
    # All places are taken by bodies of which half is here, until every exporter was refused once.
    slow = [socket.create_connection((host, int(port))) for _ in range(4)]
    for one in slow:
        one.sendall(post_head(len(body)).encode() + body[:10])
    results: list[SpanExportResult] = []

    def send(exporter: SpanExporter) -> None:
        results.extend(exporter.export(batch) for _ in range(5))
        exporter.shutdown()

    exporters: list[SpanExporter] = [
        *(Http(endpoint=f"http://{collector.http}/v1/traces", timeout=60) for _ in range(4)),
        *(Grpc(endpoint=collector.grpc, insecure=True, timeout=60) for _ in range(4)),
    ]
    threads = [threading.Thread(target=send, args=(exporter,)) for exporter in exporters]
    for thread in threads:
        thread.start()
    refused = 'truegreen_collector_refused_requests_total{reason="overloaded"}'
    while count(collector, refused) < len(exporters):
        assert any(thread.is_alive() for thread in threads)
    for one in slow:
        one.sendall(body[10:])
        assert one.recv(4096).startswith(b"HTTP/1.1 200 ")
        one.close()
    for thread in threads:
        thread.join()
    assert results == [SpanExportResult.SUCCESS] * 40
    assert count(collector, "truegreen_collector_accepted_spans_total") == 4 + 40 * 50


@pytest.mark.full
def test_behaviour_05_overload_for_a_minute(start: Start, tmp_path: Path) -> None:
    """Sixteen exporters that never pause, and one place that a slow client holds half of the time.

    Refused hundreds of times; what the exporters were told is what was counted, to the span.
    """
    batch, body = batch_of(200), traces([span(llm())])
    (tmp_path / "t.yaml").write_text("collector:\n  limits: {requests: 1}\n")
    collector = start("--config", "t.yaml")
    host, _, port = collector.http.rpartition(":")
    told: list[SpanExportResult] = []
    held: list[bytes] = []
    stop = threading.Event()

    def send(exporter: SpanExporter) -> None:
        while not stop.is_set():
            told.append(exporter.export(batch))
        exporter.shutdown()

    def hold() -> None:
        while not stop.wait(0.2):
            with socket.create_connection((host, int(port)), timeout=20) as one:
                one.sendall(post_head(len(body)).encode() + body[:10])
                stop.wait(0.2)
                one.sendall(body[10:])
                held.append(one.recv(4096)[9:12])

    exporters: list[SpanExporter] = [
        *(Http(endpoint=f"http://{collector.http}/v1/traces", timeout=120) for _ in range(8)),
        *(Grpc(endpoint=collector.grpc, insecure=True, timeout=120) for _ in range(8)),
    ]
    threads = [threading.Thread(target=hold), *(threading.Thread(target=send, args=(exporter,)) for exporter in exporters)]
    for thread in threads:
        thread.start()
    stop.wait(60)
    stop.set()
    for thread in threads:
        thread.join()
    refused = count(collector, 'truegreen_collector_refused_requests_total{reason="overloaded"}')
    taken = told.count(SpanExportResult.SUCCESS)
    assert refused > 100 and taken > len(told) * 0.9, (taken, len(told), refused)
    assert count(collector, "truegreen_collector_accepted_spans_total") == taken * 200 + held.count(b"200")
    assert peak(collector) < 250


def test_behaviour_05_many_large_bodies_at_once_stay_within_what_is_held(start: Start) -> None:
    """Sixty clients send 20 MiB each at the same moment: memory is what may be in flight and not 1.2 GB, and a good request is taken after it."""
    collector = start()
    host, _, port = collector.http.rpartition(":")
    statuses: list[bytes] = []

    async def large() -> None:
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            writer.write(post_head(20 * MIB).encode())
            for _ in range(20):
                writer.write(b"\0" * MIB)
                await writer.drain()
            statuses.append((await reader.readline()).split()[1])
        except ConnectionError:
            statuses.append(b"closed")
        finally:
            writer.close()

    async def run() -> None:
        async with asyncio.timeout(120):
            await asyncio.gather(*(large() for _ in range(60)))

    asyncio.run(run())
    assert set(statuses) <= {b"400", b"503", b"closed"} and len(statuses) == 60
    assert peak(collector) < 350
    assert collector.post(traces([span(llm())]))[0] == 200


@pytest.mark.full
def test_behaviour_05_many_large_messages_at_once_by_grpc_are_read_in_turn(start: Start) -> None:
    """Forty of 19 MiB: each is answered or told to come back, and memory is that of the few that are read at once."""
    collector = start()
    codes: list[str] = []

    async def large() -> None:
        async with grpc.aio.insecure_channel(collector.grpc, options=[*ALONE, ("grpc.max_send_message_length", -1)]) as channel:
            try:
                await channel.unary_unary(TRACES, lambda b: b, lambda b: b)(b"\0" * (19 * MIB), timeout=120)
            except grpc.aio.AioRpcError as error:
                codes.append(error.code().name)

    async def run() -> None:
        await asyncio.gather(*(large() for _ in range(40)))

    asyncio.run(run())
    assert set(codes) <= {"INVALID_ARGUMENT", "UNAVAILABLE"} and len(codes) == 40
    assert peak(collector) < 500


def test_behaviour_03_json_that_takes_long_does_not_stop_the_others(start: Start) -> None:
    """While seconds of JSON are read, requests by protobuf and a scrape are answered."""
    collector = start()
    empty = b'{"resourceSpans":[' + b"{}," * 300_000 + b"{}]}"
    done = threading.Event()
    answered: list[int] = []

    def slow() -> None:
        answered.append(collector.post(empty, Content_Type="application/json")[0])
        done.set()

    loading = threading.Thread(target=slow)
    loading.start()
    meanwhile = 0
    while not done.is_set():
        assert collector.post(traces([span(llm())]))[0] == 200
        meanwhile += not done.is_set()
    loading.join()
    assert answered == [200] and meanwhile > 3
    assert peak(collector) < 350


def flooded(processor: Processor, clock: Clock, values: int, per_request: int = 1000) -> float:
    """Give a processor this many calls, each with a model, a cohort and a user of its own; how many calls are shown."""
    template = traces(
        [
            span(llm(gen_ai__request__model=f"M{i:011d}", truegreen__cohort=f"C{i:011d}", user__id=f"U{i:011d}"))
            for i in range(per_request)
        ]
    )
    parts = re.split(rb"(?<=[MCU]0)(\d{10})", template)
    for first in range(0, values, per_request):
        parts[1::2] = [b"%010d" % (first + int(part) % per_request) for part in parts[1::2]]
        processor.traces(b"".join(parts))
    clock.advance(HOLD)
    return total(processor, catalogue.LLM_REQUESTS)


def test_behaviour_12_values_past_the_limit_fold_into_one_and_none_is_lost(processor: Processor, clock: Clock) -> None:
    """5,000 models, cohorts and users: the first of each are kept, the others are `__overflow__`, and the sum is exact."""
    assert flooded(processor, clock, 5_000) == 5_000
    assert processor.store.series <= catalogue.SERIES_LIMIT
    assert total(processor, catalogue.LLM_REQUESTS, model="__overflow__") == 5_000 - 100
    assert total(processor, catalogue.COLLECTOR_OVERFLOW, metric="truegreen_llm_requests_total") > 0


@pytest.mark.full
@pytest.mark.timeout(900)
def test_behaviour_12_a_million_values_cost_no_more_memory_than_twenty_thousand(start: Start) -> None:
    """A running collector, a new model, cohort and user in each span."""
    collector = start()
    template = traces(
        [
            span(llm(gen_ai__request__model=f"M{i:011d}", truegreen__cohort=f"C{i:011d}", user__id=f"U{i:011d}"))
            for i in range(1000)
        ]
    )
    parts = re.split(rb"(?<=[MCU]0)(\d{10})", template)
    peaks = []
    for first in range(0, 1_000_000, 1000):
        parts[1::2] = [b"%010d" % (first + int(part) % 1000) for part in parts[1::2]]
        assert collector.post(b"".join(parts))[0] == 200
        if first in (100_000, 999_000):
            peaks.append(peak(collector))
    assert count(collector, "truegreen_collector_accepted_spans_total") == 1_000_000
    assert count(collector, "truegreen_collector_series") <= catalogue.SERIES_LIMIT
    assert peaks[1] < 200 and peaks[1] - peaks[0] < 40, peaks
