"""Which index serves: kept for seconds, never waited for, the last good value while the store is away."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from truegreen.instrumentation import failures, indexes, retrieval, snapshot
from truegreen.instrumentation.indexes import Index
from truegreen.instrumentation.settings import Settings
from truegreen.instrumentation.testing import captured

CALL = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}
ONE = Index("kb_v1", "kb", "", 1_000.0, "embed-1")
TWO = Index("kb_v2", "kb", "", 2_000.0, "embed-1")


class Store:
    """A store whose answer is set; `reads` counts how often it was asked."""

    def __init__(self, answer):
        self.answer = answer
        self.reads = 0

    def read(self):
        self.reads += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def clock():
    """Seconds that a test moves."""
    return SimpleNamespace(at=100.0)


@pytest.fixture
def watch(clock):
    """An index whose reads run at once, in the same thread."""
    return lambda store, **more: indexes.Watched(store, clock=lambda: clock.at, start=lambda run: run(), **more)


def index_of(seen):
    seen.provider.get_tracer("app").start_span("chat", attributes=CALL).end()
    return seen.attributes("chat").get("truegreen.version.retrieval_index")


def test_an_alias_that_is_moved_shows_within_the_period_on_every_call(watch, clock):
    """A rollback of the index; asked once in five seconds, however many calls there are."""
    store = Store(ONE)
    kb = watch(store)
    with captured(settings=Settings(fallback=False)) as seen:
        snapshot.default(retrieval_index=kb)
        try:
            assert index_of(seen) == "kb@kb_v1"
            first = seen.attributes("chat")["truegreen.snapshot.id"]
            store.answer = TWO
            clock.at += 4.9
            assert [index_of(seen) for _ in range(20)] == ["kb@kb_v1"] * 20
            assert store.reads == 1
            clock.at += 0.1
            assert index_of(seen) == "kb@kb_v2"
            assert seen.attributes("chat")["truegreen.snapshot.id"] != first
            listed = snapshot.record()["components"]["retrieval_index"]
            assert [(one["version"], "index" in one) for one in listed] == [("kb@kb_v1", False), ("kb@kb_v2", True)]
            assert listed[1]["index"] == {"name": "kb_v2", "alias": "kb", "rebuilt": 2_000.0, "embedding_model": "embed-1"}
        finally:
            snapshot.default(retrieval_index=None)


def test_a_block_takes_the_index_too(watch):
    """And a plain description, and a text."""
    with captured(settings=Settings(fallback=False)) as seen:
        for given, version in ((watch(Store(ONE)), "kb@kb_v1"), (TWO, "kb@kb_v2"), ("kb@7", "kb@7")):
            with snapshot.use(retrieval_index=given):
                assert index_of(seen) == version


@pytest.mark.parametrize(
    ("index", "text"),
    [
        (Index("kb"), "kb"),
        (Index("kb", version="7"), "kb@7"),
        (Index("kb_v2", "kb"), "kb@kb_v2"),
        (Index("kb_v2", "kb", "7"), "kb@kb_v2#7"),
        (Index("kb", "kb", "kb"), "kb"),
    ],
)
def test_the_version_says_alias_target_and_label(index, text):
    """The target stays in it: two collections may bear one label."""
    assert str(index) == text


def test_the_attributes_of_a_retrieval(watch):
    """All that the store said, under the names of the attribute table; nothing while nothing is known."""
    prefix = "truegreen.retrieval.index."
    assert indexes.facts(watch(Store(TWO))) == {
        prefix + "name": "kb_v2",
        prefix + "alias": "kb",
        prefix + "version": "kb_v2",
        prefix + "rebuilt": 2_000,
        prefix + "embedding_model": "embed-1",
    }
    assert indexes.facts("kb") == {prefix + "name": "kb"}
    assert indexes.facts(watch(Store(OSError()))) == indexes.facts(None) == {}


def test_a_retrieval_from_a_watched_index_says_which_one(watch):
    """`retrieval(index=…)`, and the calls that follow in its trace."""
    with captured(settings=Settings(fallback=False)) as seen, seen.provider.get_tracer("app").start_as_current_span("request"):
        with retrieval(data_source="kb", index=watch(Store(TWO))) as r:
            r.documents(["a"])
        assert index_of(seen) == "kb@kb_v2"
    assert seen.attributes("retrieval kb")["truegreen.retrieval.index.rebuilt"] == 2_000


def test_a_store_that_fails_is_counted_and_the_last_good_value_stays(watch, clock, caplog):
    """Said once, with what is kept."""
    store = Store(ONE)
    kb = watch(store)
    store.answer = ConnectionError("ZEBRA key=secret")
    for _ in range(3):
        clock.at += 5
        assert kb.current() == ONE
    assert failures.counted()["index"] == 3
    assert caplog.text.count("the store could not be read (ConnectionError); spans keep saying kb@kb_v1") == 1
    assert "secret" not in caplog.text
    store.answer = TWO
    clock.at += 5
    assert kb.current() == TWO


def test_a_store_that_hangs_holds_nobody_and_is_asked_by_one_thread_only(clock, caplog):
    """The real thread of the default, waiting for a store that never answers."""
    asked, released = threading.Semaphore(0), threading.Event()

    class Hangs(Store):
        def read(self):
            asked.release()
            released.wait(30)
            return super().read()

    store = Hangs(ONE)
    before = set(threading.enumerate())
    kb = indexes.Watched(store, clock=lambda: clock.at)
    assert asked.acquire(timeout=20)
    with captured(settings=Settings(fallback=False)) as seen, snapshot.use(retrieval_index=kb):
        for _ in range(50):
            clock.at += 5
            assert index_of(seen) is None
            assert kb.current() is None
        (asking,) = (t for t in set(threading.enumerate()) - before if t.name == "truegreen-index")
    assert "the store does not answer; spans do not say which index serves" in caplog.text
    released.set()
    asking.join(20)
    assert kb.current() == ONE


def test_a_forked_child_asks_for_itself(watch, clock):
    """The thread that was under way in the parent did not come along."""
    store = Store(ONE)
    kb = indexes.Watched(store, clock=lambda: clock.at, start=lambda run: None)  # never comes back, as after a fork
    kb._under_way = (kb._under_way[0] + 1, 0.0)  # another process began it
    kb._start = lambda run: run()
    clock.at += 5
    assert kb.current() == ONE


def test_an_asynchronous_client_and_a_bare_reader_are_said(watch, caplog):
    """Both are easily given."""

    class Asynchronous:
        async def read(self):
            return ONE

    assert watch(Asynchronous()).current() is None
    assert "could not be read (TypeError)" in caplog.text
    with pytest.raises(TypeError, match="give the reader a synchronous client"):
        indexes.Watched(Asynchronous(), start=lambda run: None).read()
    with captured(settings=Settings(fallback=False)) as seen, snapshot.use(retrieval_index=Store(ONE), guardrail="g"):
        assert index_of(seen) is None
    assert seen.attributes("chat")["truegreen.version.guardrail"] == "g"
    assert "wrap it once, snapshot.index(reader), and give that" in caplog.text


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        (1_700_000_000, 1.7e9), ("1700000000", 1.7e9), (1_700_000_000_000, 1.7e9), ("2023-11-14T22:13:20Z", 1.7e9), ("2023-11-14T22:13:20", 1.7e9),
        ("2023-11-14T23:13:20+01:00", 1.7e9), ("yesterday", None), (None, None), (float("nan"), None), (True, None), (-5, None), ({}, None),
    ],
)  # fmt: skip
def test_the_time_of_a_rebuild_is_read_as_teams_write_it(given, seconds):
    """Seconds, milliseconds, ISO 8601; anything else is no time."""
    assert indexes.unix(given) == seconds
