"""The background queue: what waits is bounded, a job that hangs is given up, nothing that was accepted is lost without a word."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading

import pytest

from truegreen.instrumentation import background as module
from truegreen.instrumentation import failures
from truegreen.instrumentation.background import Background, Job

WAIT = 10.0


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def queue(clock):
    """A queue of its own; what still hangs is let go at the end."""
    made = Background(clock)
    yield made
    made.stop(0.0)


class Hangs:
    """Work that hangs until it is let go."""

    def __init__(self, gives="late"):
        self.gives, self.began, self.go = gives, threading.Event(), threading.Event()

    def __call__(self):
        self.began.set()
        self.go.wait(WAIT)
        return self.gives


def test_jobs_are_done_one_after_the_other_by_one_daemon_thread(queue):
    """In the order in which they were added."""
    threads, done = set(), []
    for n in range(20):
        assert queue.submit(Job(lambda n=n: threads.add(threading.current_thread()) or n, done.append))
    assert queue.flush(WAIT)
    assert done == list(range(20))
    assert [t.daemon for t in threads] == [True]


def test_no_thread_is_started_before_the_first_job():
    """An application without slow evaluators never sees one; nothing happens at import."""
    code = "import threading, truegreen.instrumentation.background as b; print(threading.active_count(), b.flush(1.0), threading.active_count())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["1", "True", "1"]


def test_what_is_over_the_number_or_the_bytes_is_refused(queue, monkeypatch):
    """The running one counts too; when it is done there is room again."""
    monkeypatch.setattr(module, "JOBS", 3)
    monkeypatch.setattr(module, "BYTES", 100)
    hung, done = Hangs(), []
    assert queue.submit(Job(hung, done.append, 40))
    assert hung.began.wait(WAIT)
    assert not queue.submit(Job(lambda: "large", done.append, 61))
    assert queue.submit(Job(lambda: "fits", done.append, 60))
    assert queue.submit(Job(lambda: "third", done.append))
    assert not queue.submit(Job(lambda: "fourth", done.append))
    hung.go.set()
    assert queue.flush(WAIT)
    assert done == ["late", "fits", "third"]
    assert queue.submit(Job(lambda: "again", done.append, 100))


def test_what_raises_gives_none_and_the_next_one_runs(queue):
    """Also what is no Exception: an evaluator is foreign code."""
    done = []

    def leaves():
        raise SystemExit

    def fails():
        raise ValueError("ZEBRA")

    for work in (leaves, fails, lambda: 1):
        queue.submit(Job(work, done.append))
    assert queue.flush(WAIT)
    assert done == [None, None, 1]
    assert failures.counted() == {"background": 2}


def test_a_job_that_hangs_is_given_up_when_the_next_one_comes(queue, clock):
    """Its thread is left behind; what it gives later is not taken, and it takes no job any more."""
    hung, done, threads = Hangs(), [], []
    queue.submit(Job(hung, done.append))
    assert hung.began.wait(WAIT)
    clock.now = module.SECONDS - 1
    queue.submit(Job(lambda: threads.append(threading.current_thread()) or "second", done.append))
    assert done == []
    clock.now = module.SECONDS
    queue.submit(Job(lambda: "third", done.append))
    assert queue.flush(WAIT)
    assert done == [None, "second", "third"]
    hung.go.set()
    queue.submit(Job(lambda: threads.append(threading.current_thread()) or "fourth", done.append))
    assert queue.flush(WAIT)
    assert done == [None, "second", "third", "fourth"]
    assert threads[0] is threads[1]


def test_a_flush_gives_up_what_hangs_as_well(queue, clock):
    """Where no further answer comes."""
    hung, done = Hangs(), []
    queue.submit(Job(hung, done.append))
    queue.submit(Job(lambda: "next", done.append))
    assert hung.began.wait(WAIT)
    assert not queue.flush(0.0)
    clock.now = module.SECONDS
    assert queue.flush(WAIT)
    assert done == [None, "next"]
    hung.go.set()


def test_only_so_many_threads_are_left_behind(queue, clock, caplog):
    """Then the queue fills, and it is said."""
    hung = [Hangs() for _ in range(module.LEFT_BEHIND + 1)]
    done = []
    for n, one in enumerate(hung):
        clock.now = n * module.SECONDS
        queue.submit(Job(one, done.append))
        assert one.began.wait(WAIT)
    before = threading.active_count()
    clock.now += module.SECONDS
    queue.submit(Job(lambda: "waits", done.append))
    assert not queue.flush(0.0)
    assert threading.active_count() == before
    assert done == [None] * module.LEFT_BEHIND
    assert "have not come back" in caplog.text
    for one in hung:
        one.go.set()
    assert queue.flush(WAIT)
    assert done == [None] * module.LEFT_BEHIND + ["late", "waits"]


def test_stop_gives_up_what_is_not_done_in_time_and_the_queue_can_be_used_again(queue):
    """No accepted job goes without its `done`."""
    hung, done = Hangs(), []
    queue.submit(Job(hung, lambda result: done.append(("hung", result))))
    assert hung.began.wait(WAIT)
    queue.submit(Job(lambda: 1, lambda result: done.append(("waits", result))))
    queue.stop(0.0)
    assert done == [("hung", None), ("waits", None)]
    queue.submit(Job(lambda: 2, lambda result: done.append(("new", result))))
    assert queue.flush(WAIT)
    hung.go.set()
    assert done[2:] == [("new", 2)]


def test_a_job_that_flushes_does_not_wait_for_itself(queue):
    """A judge may flush the provider."""
    done = []
    queue.submit(Job(lambda: queue.flush(WAIT), done.append))
    assert queue.flush(WAIT)
    assert done == [False]


def test_a_short_call_goes_before_the_jobs_that_wait(queue):
    """A flag is looked up although the judge has much to do."""
    hung, order = Hangs(), []
    queue.submit(Job(hung, order.append))
    assert hung.began.wait(WAIT)
    queue.submit(Job(lambda: "job", order.append))
    queue.first(lambda: order.append("call"))
    hung.go.set()
    assert queue.flush(WAIT)
    assert order == ["late", "call", "job"]


def test_a_job_added_by_a_garbage_collection_while_the_queue_is_used(queue):
    """The lock is held by the same thread."""
    done = []

    class Inner(int):
        def __add__(self, other):
            if not done:
                done.append("in")
                queue.submit(Job(lambda: "inner", done.append))
            return int(self) + other

        __radd__ = __add__

    queue.submit(Job(lambda: "outer", done.append, Inner(1)))
    assert queue.flush(WAIT)
    assert sorted(done) == ["in", "inner", "outer"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
def test_a_forked_child_begins_with_an_empty_queue_and_a_thread_of_its_own(tmp_path):
    """What the parent had accepted is done once, by the parent; also when the fork comes while it works."""
    code = """
        import os, sys, threading
        from truegreen.instrumentation.background import Job, background
        out = open(sys.argv[1], "a", buffering=1)
        go, began = threading.Event(), threading.Event()
        def say(what):
            out.write(f"{what} {'child' if os.getpid() != parent else 'parent'}\\n")
        parent = os.getpid()
        background.submit(Job(lambda: began.set() or go.wait(10), lambda _: say("running")))
        began.wait(10)
        background.submit(Job(lambda: None, lambda _: say("waiting")))
        child = os.fork()
        if child == 0:
            assert background.flush(10)
            background.submit(Job(lambda: None, lambda _: say("own")))
            assert background.flush(10)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        go.set()
        assert background.flush(10)
    """
    path = tmp_path / "said"
    subprocess.run([sys.executable, "-c", textwrap.dedent(code), str(path)], check=True, timeout=60)
    assert path.read_text().splitlines() == ["own child", "running parent", "waiting parent"]


def test_the_end_of_the_process_waits_for_what_is_queued(tmp_path):
    """And gives up what hangs, with a word."""
    code = """
        import sys, threading
        from truegreen.instrumentation import background as module
        from truegreen.instrumentation.background import Job, background
        module.Background.stop.__defaults__ = (1.0,)
        out = open(sys.argv[1], "a", buffering=1)
        background.submit(Job(lambda: "done", lambda r: out.write(f"{r}\\n")))
        background.submit(Job(lambda: threading.Event().wait(60), lambda r: out.write(f"hung {r}\\n")))
        background.submit(Job(lambda: "never", lambda r: out.write(f"behind {r}\\n")))
    """
    path = tmp_path / "said"
    subprocess.run([sys.executable, "-c", textwrap.dedent(code), str(path)], check=True, timeout=30)
    assert path.read_text().splitlines() == ["done", "hung None", "behind None"]
