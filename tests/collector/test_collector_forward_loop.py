"""A collector that forwards to itself, by whatever way: each request is counted once, and somebody says why."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from collector_process import Running, count, until
from otlp_requests import llm, span, traces
from receivers import Both, both
from sink import Sink, threaded
from test_collector_forward_process import configured, number

from truegreen.collector.forward import HOPS, Forward, forwarding, not_itself
from truegreen.collector.refusals import Refused
from truegreen.core.config.forward import Destination
from truegreen.core.errors import BadInput
from truegreen.core.words import catalogue

Start = Callable[..., Running]
BODY = traces([span(llm())])
ONE, OTHER = "1" * 16, "2" * 16


@pytest.mark.parametrize(
    ("endpoint", "protocol", "own"),
    [
        ("http://localhost", "grpc", "127.0.0.1:4317"),
        ("http://127.0.0.1", "grpc", "127.0.0.1:4317"),
        ("http://127.0.0.1:4317", "grpc", "127.0.0.1:4317"),
        ("http://LOCALHOST:4318", "http", "127.0.0.1:4318"),
        ("http://localhost.:4318", "http", "LocalHost:4318"),
        ("http://127.0.0.1:04318", "http", "127.0.0.1:4318"),
        ("http://127.0.0.1:4318/otel", "http", "127.0.0.1:04318"),
        ("http://[::1]:4318", "http", "0.0.0.0:4318"),
        ("http://localhost:4318", "http", "[::]:4318"),
        ("http://Collector:4318", "http", "collector:4318"),
        ("http://localhost", "http", "0.0.0.0:80"),
        ("https://localhost", "http", "0.0.0.0:443"),
        ("https://localhost", "grpc", "0.0.0.0:443"),
    ],
)
def test_an_address_of_its_own_ends_the_start_however_it_is_written(endpoint: str, protocol: str, own: str) -> None:
    """Names in any case, ports that are left out or have a zero before them."""
    with pytest.raises(BadInput, match=r"forward a: .* is this collector itself; name another"):
        not_itself([Destination("a", endpoint, protocol)], "127.0.0.1:1", own)


@pytest.mark.parametrize(
    ("endpoint", "protocol", "own"),
    [
        ("http://localhost", "http", "127.0.0.1:4318"),
        ("http://localhost:4319", "http", "127.0.0.1:4318"),
        ("http://tempo:4318", "http", "127.0.0.1:4318"),
        ("http://tempo", "grpc", "0.0.0.0:4317"),
        ("https://localhost", "grpc", "127.0.0.1:4317"),
        ("http://localhost", "grpc", "127.0.0.1:no"),
    ],
)
def test_another_address_is_taken(endpoint: str, protocol: str, own: str) -> None:
    """The start goes on, and says of an endpoint that is none what it always says."""
    not_itself([Destination("a", endpoint, protocol)], own)


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_a_loop_that_no_address_shows_counts_a_request_once(protocol: str, caplog: pytest.LogCaptureFixture) -> None:
    """One request in: one span counted, one refusal `loop`, one request dropped as rejected, and one line of the log that says it."""

    async def whole() -> None:
        async with both() as one:
            await _looped(one, [one], protocol)
            assert (one.spans, one.refused("loop")) == (1, 1)

    asyncio.run(whole())
    (said,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "came back" in said.message and "collector.forward" in said.message


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_a_circle_of_two_ends_where_it_began(protocol: str) -> None:
    """Each counts the request once; the first one refuses it."""

    async def whole() -> None:
        async with both() as one, both() as two:
            await _looped(one, [two, one], protocol)
            assert [(each.spans, each.refused("loop")) for each in (one, two)] == [(1, 1), (1, 0)]

    asyncio.run(whole())


async def _looped(first: Both, then: list[Both], protocol: str) -> None:
    """Post one request to the first; each of the others is forwarded to by the one before it."""
    said: list[str] = []
    made: list[Forward] = []
    for n, (source, aim) in enumerate(zip([first, *then], then, strict=False)):
        address = f"http://127.0.0.1:{aim.http if protocol == 'http' else aim.grpc}"
        identity = f"{n:016x}"
        source.intake.forward = forwarding(
            [Destination("a", address, protocol)], source.intake.processor.store, said.append, identity
        )
        source.intake.forward.start()
        made.append(source.intake.forward)
    assert (await first.post(BODY))[0] == 200
    for forward in made:
        await forward.close(10, said.append)
    last = ([first, *then])[-2]
    assert last.counted(catalogue.COLLECTOR_FORWARD_DROPPED, reason="rejected") == 1 and not said


def test_a_request_of_other_collectors_is_taken_and_named_on() -> None:
    """Up to a number of them; what is no id of a collector is not passed on."""
    forward = Forward((), ONE)
    for via in ("", OTHER, ",".join([OTHER] * (HOPS - 1)), "a proxy; 1.1 x"):
        forward.came_back(via)
    for via in (ONE, f"{OTHER}, {ONE}", ",".join([OTHER] * HOPS)):
        with pytest.raises(Refused, match="leads back") as caught:
            forward.came_back(via)
        assert (caught.value.reason, caught.value.status, caught.value.retry_seconds) == ("loop", 508, 0)


def test_the_running_collector_names_itself_and_those_before_it(start: Start, tmp_path: Path) -> None:
    """By HTTP and gRPC; an id is another one in each process."""
    with threaded(Sink()) as web, threaded(Sink()) as rpc:
        configured(tmp_path, {"name": "a", "endpoint": web.http}, {"name": "b", "endpoint": rpc.grpc, "protocol": "grpc"})
        collector = start()
        assert collector.post(BODY, truegreen_via=f"{OTHER}, prompt")[0] == 200
        until(lambda: len(web.taken) == len(rpc.taken) == 1, "both have it")
        via = web.taken[0].headers["truegreen-via"]
        assert via == rpc.taken[0].headers["truegreen-via"]
        others, _, own = via.rpartition(",")
        assert others == OTHER and len(own) == 16 and set(own) <= set("0123456789abcdef") and own not in (ONE, "0" * 16)
        assert collector.post(BODY, truegreen_via=own)[0] == 508
        assert number(collector, "refused_requests_total", reason="loop") == 1
        assert count(collector, "truegreen_collector_accepted_spans_total") == 1
