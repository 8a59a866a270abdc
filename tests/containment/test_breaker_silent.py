"""A shared circuit whose Redis falls silent while many calls are in flight."""

from __future__ import annotations

import threading

import fakeredis
import pytest
import redis

from truegreen import containment
from truegreen.instrumentation import failures


class _Falls:
    """A Redis that falls silent: what is asked then waits for `go`, and fails."""

    def __init__(self, client):
        self._client = client
        self.silent = False
        self.asked = []
        self.entered, self.go = threading.Event(), threading.Event()

    def __getattr__(self, name):
        def call(*args, **kwargs):
            if not self.silent:
                return getattr(self._client, name)(*args, **kwargs)
            self.asked.append(name)
            self.entered.set()
            assert self.go.wait(20)
            raise redis.TimeoutError

        return call


@pytest.mark.parametrize("from_the_start", [False, True])
def test_calls_in_flight_wait_for_a_redis_that_falls_silent_once_and_not_one_after_the_other(from_the_start):
    """One question of one call is lost; the others go by their own process."""
    falls = _Falls(fakeredis.FakeRedis())
    one = containment.breaker("x", redis=falls, clock=lambda: 1_000.0)
    if not from_the_start:
        assert one.call(lambda: 1) == 1
    together = threading.Barrier(9)

    def call():
        with one.calling():
            together.wait(20)
            together.wait(20)

    falls.silent = from_the_start
    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    if from_the_start:
        assert falls.entered.wait(20)
        falls.go.set()
    together.wait(20)
    falls.silent = True
    together.wait(20)
    assert falls.entered.wait(20)
    threads[0].join(0.2)  # the others come and wait
    falls.go.set()
    for thread in threads:
        thread.join(20)
    assert len(falls.asked) == 1
    assert set(failures.counted()) == {"breaker redis"}
    assert one.state == "closed"
