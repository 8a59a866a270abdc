"""Circuit breakers: when they open, who may probe, what counts, and what many processes share."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time

import pytest

from truegreen import containment
from truegreen.instrumentation import failures
from truegreen.instrumentation.testing import captured


class Clock:
    """Unix seconds that a test moves."""

    def __init__(self):
        self.ahead = 0.0

    def __call__(self):
        return time.time() + self.ahead


class Refused(Exception):
    """What an SDK raises on this status."""

    def __init__(self, status):
        super().__init__(status)
        self.status_code = status


def _raise(error):
    raise error


def _fail(one, times=1, status=503):
    for _ in range(times):
        with pytest.raises(Refused):
            one.call(_raise, Refused(status))


def test_it_opens_after_failures_probes_after_its_time_and_closes_after_successes():
    """The whole way, with an injected clock; transitions are events of the application's span."""
    clock = Clock()
    one = containment.breaker("openai", fail_max=3, reset_timeout=30, success_threshold=2, clock=clock)
    with captured() as seen, seen.provider.get_tracer("app").start_as_current_span("request"):
        _fail(one, 2)
        assert one.call(lambda: "ok") == "ok"
        _fail(one, 3)
        assert one.state == "open"
        with pytest.raises(containment.CircuitOpen) as refused:
            one.call(lambda: pytest.fail("it was called"))
        assert 0 < refused.value.retry_in <= 30
        clock.ahead = 31
        assert one.call(lambda: "ok") == "ok"
        assert one.state == "half-open"
        assert one.call(lambda: "ok") == "ok"
        assert one.state == "closed"
    (request,) = (span for span in seen.spans if span.name == "request")
    assert [(e.attributes["from"], e.attributes["to"]) for e in request.events] == [
        ("closed", "open"), ("open", "half-open"), ("half-open", "closed"),
    ]  # fmt: skip
    assert [span.attributes.get("truegreen.containment") for span in seen.spans if span.name != "request"] == ["circuit_open"]


def test_a_probe_that_fails_opens_it_for_another_while():
    """From that moment on."""
    clock = Clock()
    one = containment.breaker("openai", fail_max=1, reset_timeout=30, clock=clock)
    _fail(one)
    clock.ahead = 31
    assert one.call(lambda: 1) == 1
    _fail(one)
    assert one.state == "open"
    clock.ahead = 62
    assert one.call(lambda: 1) == 1


def test_only_so_many_probe_at_once():
    """A provider that comes back is not met by all waiting calls."""
    clock = Clock()
    one = containment.breaker("openai", fail_max=1, reset_timeout=30, success_threshold=2, clock=clock)
    _fail(one)
    clock.ahead = 31
    with one.calling(), one.calling(), pytest.raises(containment.CircuitOpen):
        one.call(lambda: pytest.fail("it was called"))
    assert one.state == "closed"


def test_a_probe_that_never_comes_back_does_not_keep_it_open():
    """A minute later others are tried."""
    clock = Clock()
    one = containment.breaker("openai", fail_max=1, reset_timeout=30, success_threshold=1, clock=clock)
    _fail(one)
    clock.ahead = 31
    lost = one.calling()
    lost.__enter__()
    with pytest.raises(containment.CircuitOpen):
        one.call(lambda: 1)
    clock.ahead = 95
    assert one.call(lambda: 1) == 1
    assert one.state == "closed"
    lost.__exit__(None, None, None)


def test_calls_run_side_by_side():
    """Two threads are inside at once: the breaker's lock is not held while a provider answers."""
    one = containment.breaker("openai")
    both = threading.Barrier(2, timeout=20)
    threads = [threading.Thread(target=one.call, args=(both.wait,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not both.broken


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_mistakes_of_the_application_do_not_open_it(status):
    """The provider answered."""
    one = containment.breaker("openai", fail_max=2)
    _fail(one, 5, status)
    _fail(one, 1)
    _fail(one, 1, status)
    _fail(one, 1)
    assert one.state == "closed"


def test_what_says_nothing_of_the_provider_neither_opens_nor_heals():
    """An application's own error, an excluded one, a cancelled task."""
    one = containment.breaker("openai", fail_max=2, exclude=[ConnectionError, lambda error: "spare" in str(error)])
    for error in (ValueError("x"), ConnectionError(), TimeoutError("spare me"), KeyboardInterrupt(), GeneratorExit()):
        _fail(one, 1)
        with pytest.raises(type(error)):
            one.call(_raise, error)
        one.call(lambda: None)
    _fail(one, 1)
    with pytest.raises(asyncio.CancelledError):
        one.call(_raise, asyncio.CancelledError())
    _fail(one, 1)
    assert one.state == "open"


def test_the_callers_error_keeps_its_traceback():
    """No frame of a library of ours is between."""
    one = containment.breaker("openai", fail_max=1)
    try:
        one.call(_raise, Refused(500))
    except Refused as error:
        frames, at = [], error.__traceback__
        while at:
            frames.append(at.tb_frame.f_code.co_filename)
            at = at.tb_next
    assert not any("pybreaker" in name for name in frames)


def test_decorated_functions_coroutines_and_streams():
    """A stream counts when it is read."""
    one = containment.breaker("openai", fail_max=4)

    @one
    def plain():
        raise Refused(500)

    @one
    async def coroutine():
        raise TimeoutError

    @one
    def stream():
        yield 1
        raise Refused(500)

    @one
    async def asynchronous():
        yield 1
        raise Refused(529)

    async def read():
        return [item async for item in asynchronous()]

    with pytest.raises(Refused):
        plain()
    with pytest.raises(TimeoutError):
        asyncio.run(coroutine())
    with pytest.raises(Refused):
        list(stream())
    assert one.state == "closed"
    with pytest.raises(Refused):
        asyncio.run(read())
    assert one.state == "open"
    for call in (plain, stream, lambda: asyncio.run(read()), lambda: asyncio.run(coroutine())):
        with pytest.raises(containment.CircuitOpen):
            list(call() or [])


def test_a_health_check_closes_it_without_any_users_call():
    """In the background, from the moment it opens; a failing one leaves it open."""
    clock, waits, answers = Clock(), [], [TimeoutError(), None, None]
    closed = threading.Event()

    def wait(seconds):
        waits.append(seconds)
        clock.ahead += seconds + 0.001

    def probe():
        error = answers.pop(0)
        if not answers:
            closed.set()
        if error:
            raise error

    one = containment.breaker("kb", "retrieval", fail_max=1, reset_timeout=30, probe=probe, clock=clock, wait=wait)
    with captured() as seen:
        _fail(one)
        assert closed.wait(20)
        for thread in threading.enumerate():
            if thread.name == "truegreen-probe":
                thread.join(20)
        assert one.state == "closed"
    assert max(waits) <= 30
    assert sum(waits) > 60
    assert not any(span.attributes.get("truegreen.containment") for span in seen.spans)


def test_wrong_limits_are_refused_where_it_is_made():
    """With what to write."""
    for wrong in ({"kind": "x"}, {"fail_max": 0}, {"success_threshold": 0}, {"reset_timeout": -1}):
        with pytest.raises(ValueError, match="write a kind of llm, embedding, retrieval"):
            containment.breaker("b", **wrong)


def test_without_pybreaker_calls_go_through(monkeypatch, caplog):
    """And it is said once."""

    monkeypatch.setitem(sys.modules, "pybreaker", None)
    one = containment.breaker("openai", fail_max=1)
    _fail(one, 3)
    assert one.state == "closed"
    assert sum("truegreen[containment]" in r.getMessage() for r in caplog.records) == 1


def test_processes_share_the_state_through_redis():
    """Two breakers of the same name, as in two processes; a third one of another name is not concerned."""
    import fakeredis

    client = fakeredis.FakeRedis()
    clock = Clock()
    made = {"fail_max": 4, "success_threshold": 1, "redis": client, "clock": clock}
    first, second, other = (containment.breaker(name, **made) for name in ("shared", "shared", "other"))
    _fail(first, 2)
    _fail(second, 2)
    assert (first.state, second.state, other.state) == ("open", "open", "closed")
    with pytest.raises(containment.CircuitOpen):
        first.call(lambda: 1)
    clock.ahead = 31
    assert asyncio.run(second.acall(asyncio.sleep, 0, "ok")) == "ok"
    assert (first.state, second.state) == ("closed", "closed")
    assert first.call(lambda: 1) == 1
    assert failures.counted() == {}


def test_while_redis_is_down_each_process_goes_by_its_own(caplog):
    """Counted, said once, never raised; and it is asked again later."""
    import fakeredis

    server = fakeredis.FakeServer()
    clock = Clock()
    one = containment.breaker("x", fail_max=2, success_threshold=1, redis=fakeredis.FakeRedis(server=server), clock=clock)
    assert one.call(lambda: 1) == 1
    server.connected = False
    _fail(one, 2)
    assert one.state == "open"
    with pytest.raises(containment.CircuitOpen):
        one.call(lambda: 1)
    assert set(failures.counted()) == {"breaker redis"}
    assert sum("its Redis failed" in r.getMessage() for r in caplog.records) == 1
    assert not any(r.exc_info for r in caplog.records)
    server.connected = True
    clock.ahead = 6
    assert one.state == "closed"


def test_a_redis_that_answers_in_text_is_said_and_not_raised(caplog):
    """A client made with decode_responses."""
    import fakeredis

    one = containment.breaker("x", fail_max=1, redis=fakeredis.FakeRedis(decode_responses=True))
    _fail(one, 1)
    assert one.state == "open"
    assert any("decode_responses" in r.getMessage() for r in caplog.records)


def test_a_forked_process_goes_on_with_its_own_copy():
    """Also when another thread held the lock at that moment."""
    one = containment.breaker("openai", fail_max=1)
    one.call(lambda: 1)
    child = os.fork()
    if not child:
        code = 1
        try:
            try:
                one.call(_raise, Refused(500))
            except Refused:
                code = 0 if one.state == "open" else 2
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    assert one.state == "closed"


def test_nothing_is_held_after_many_calls():
    """Of calls, errors and probes."""
    clock = Clock()
    one = containment.breaker("openai", fail_max=2, reset_timeout=0, success_threshold=1, clock=clock)
    for n in range(500):
        try:
            one.call(_raise if n % 3 else (lambda _: 1), Refused(500))
        except (Refused, containment.CircuitOpen):
            pass
    assert one._probes == {}


PROCESS = """
import redis, sys
from truegreen import containment
one = containment.breaker("shared", fail_max=4, redis=redis.Redis(port=int(sys.argv[1]), socket_timeout=5))
def fails():
    raise TimeoutError
for _ in range(2):
    try:
        one.call(fails)
    except TimeoutError:
        pass
print(one.state)
"""


def test_two_processes_open_it_together_over_a_connection():
    """Each has seen half of the failures; fakeredis speaks Redis' protocol on a port of the loopback."""
    from fakeredis import TcpFakeServer

    from truegreen.core.clients.engines import free_port

    port = free_port()
    server = TcpFakeServer(("127.0.0.1", port), server_type="redis")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        states = [
            subprocess.run(
                [sys.executable, "-c", PROCESS, str(port)], capture_output=True, text=True, timeout=60, check=True
            ).stdout
            for _ in range(2)
        ]
    finally:
        server.shutdown()
        server.server_close()
    assert states == ["closed\n", "open\n"]
