"""Kept answers: what is served while the flag is on, what is never younger than its moment, and how much is kept."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truegreen import containment
from truegreen.containment import caching
from truegreen.instrumentation import failures
from truegreen.instrumentation.testing import captured


def _stores():
    import fakeredis

    return {"memory": caching.Memory(spread=100), "redis": caching.Redis(fakeredis.FakeRedis(), spread=100), "text": caching.Redis(fakeredis.FakeRedis(decode_responses=True), spread=100)}  # fmt: skip


@pytest.mark.parametrize("kind", ["memory", "redis", "text"])
def test_an_answer_from_before_the_moment_is_served_and_a_younger_one_never(flagged, kind):
    """Although the same question was asked all the time: an older answer is kept beside the newest."""
    store = _stores()[kind]
    for at in range(0, 2_000, 10):
        got = containment.cached("q", lambda at=at: {"text": f"made at {at}"}, store=store, clock=lambda at=at: float(at))
        assert got == {"text": f"made at {at}"}
    with captured() as seen:
        for moment, latest in ((1_990, 1_989), (1_700, 1_699)):
            flagged(cached_response=str(moment))
            at = int(containment.cached("q", lambda: pytest.fail("asked"), store=store)["text"].split()[-1])
            assert latest - 200 <= at < moment
        flagged(cached_response="100")
        assert containment.cached("q", lambda: "asked", store=store, clock=lambda: 3_000.0) == "asked"
        assert containment.cached("other", lambda: "asked", store=store, clock=lambda: 3_000.0) == "asked"
    assert [span.attributes["truegreen.containment"] for span in seen.spans] == ["cached_response"] * 2


@given(times=st.lists(st.floats(0, 100_000), min_size=1, max_size=60), spread=st.floats(1, 5_000), most=st.integers(1, 8))
def test_what_is_kept_is_bounded_in_order_and_ends_with_the_newest(times, spread, most):
    """Whatever the times are."""
    entries = ()
    for at in sorted(times):
        entries = caching.kept(entries, caching.Entry(at, at), 50_000, spread, most)
        assert entries[-1].at == at
        assert len(entries) <= most
        assert [one.at for one in entries] == sorted(one.at for one in entries)
        assert all(later.at - earlier.at >= spread for earlier, later in zip(entries[:-1], entries[1:-1]))
        assert entries[0].at >= at - 50_000


def test_when_nothing_fits_the_application_chose_what_happens(flagged):
    """To ask, or the message of degraded mode."""
    flagged(cached_response="100", degraded_mode="Please call us.")
    store = caching.Memory()
    assert containment.cached("q", lambda: "asked", store=store) == "asked"
    assert containment.cached("q2", lambda: pytest.fail("asked"), store=store, otherwise="degraded") == "Please call us."
    flagged(cached_response="100")
    assert containment.cached("q3", lambda: "asked", store=store, otherwise="degraded") == "asked"


def test_awaited_answers(flagged):
    """The same."""
    store, asked = caching.Memory(), []

    async def ask():
        asked.append(1)
        return "a"

    async def run():
        first = await containment.acached("q", ask, store=store, clock=lambda: 5.0)
        flagged(cached_response="6")
        return first, await containment.acached("q", ask, store=store)

    assert asyncio.run(run()) == ("a", "a")
    assert asked == [1]


def test_memory_is_bounded_and_forgets_the_key_used_longest_ago():
    """And what is too old."""
    store = caching.Memory(keys=3, ttl=10)
    for n in range(5):
        store.put(f"k{n}", caching.Entry(float(n), n))
        store.get("k2")
    assert [bool(store.get(f"k{n}")) for n in range(5)] == [False, False, True, True, True]
    store.put("k4", caching.Entry(100.0, "new"))
    assert store.get("k4") == ((100.0, "new"),)


def test_a_store_that_fails_costs_no_answer(flagged):
    """Counted; what `ask` raises is raised."""
    import fakeredis

    store = caching.Redis(fakeredis.FakeRedis(server=_down()))
    assert containment.cached("q", lambda: "a", store=store) == "a"
    flagged(cached_response="100")
    assert containment.cached("q", lambda: "a", store=store) == "a"
    assert containment.cached("q", object, store=store) is not None
    assert failures.counted() == {"cache": 5}
    with pytest.raises(KeyError):
        containment.cached("q", lambda: {}["x"], store=store)


def _down():
    import fakeredis

    server = fakeredis.FakeServer()
    server.connected = False
    return server


def test_redis_holds_no_text_of_a_user_as_a_key():
    """Questions are keys of the application."""
    import fakeredis

    client = fakeredis.FakeRedis()
    containment.cached("ZEBRA question", lambda: "a", store=caching.Redis(client))
    assert b"ZEBRA" not in b"".join(client.keys())
    assert 0 < client.ttl(client.keys()[0]) <= 86_400


@pytest.mark.parametrize("value", ["yesterday", "-5", "inf", "nan", "99999999999999"])
def test_a_moment_that_is_none_serves_nothing_old(flagged, caplog, value):
    """Said once."""
    flagged(cached_response=value)
    store = caching.Memory()
    store.put("q", caching.Entry(1.0, "old"))
    assert containment.cached("q", lambda: "new", store=store) == "new"
    assert sum("flag cached_response" in r.getMessage() for r in caplog.records) == 1
