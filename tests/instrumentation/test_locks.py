"""A garbage collection inside a lock of ours may end a span in the same thread, and a fork may happen while another thread holds one."""

from __future__ import annotations

import subprocess
import sys

import pytest

COMMON = """
import gc, os, sys, threading
from pathlib import Path
from opentelemetry import trace
from truegreen.instrumentation import answer, calibrations, duplicates, evaluate, passages, retrieval, snapshot, testing
from truegreen.instrumentation.settings import Settings

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.response.finish_reasons": ("stop",)}

def start(seen, n):
    return seen.provider.get_tracer("app").start_span(
        "chat", attributes={**CHAT, "gen_ai.request.model": f"m{n}", "gen_ai.response.id": f"r{n}"})
"""

COLLECTS = (
    COMMON
    + """
closed = []

def abandon(seen):
    def stream():
        span = start(seen, f"abandoned {len(closed)}")
        try:
            yield
        finally:
            with trace.use_span(span, end_on_exit=True):
                retrieval(documents=["p"])
                answer(query="q", answer="a")
            closed.append(1)
    class Holder: pass
    holder = Holder(); holder.me = holder; holder.stream = stream(); next(holder.stream)

place, folder = sys.argv[1], Path(sys.argv[2])
fake = testing.FakeEvaluator()
evaluate.find = fake.find
with testing.captured(Settings(calibration=folder)) as seen:
    left = [3]
    def collect():
        if left[0]:
            left[0] -= 1
            abandon(seen)
            gc.collect()

    class Bound(int):
        def __lt__(self, other):
            collect()
            return int(self) < other

    def before(owner, name):
        original = getattr(owner, name)
        def collecting(*args, **kwargs):
            collect()
            return original(*args, **kwargs)
        setattr(owner, name, collecting)

    gc.disable()
    if place == "snapshot": snapshot.KEPT = Bound(1000)
    elif place == "duplicates": duplicates.KEPT = Bound(1000)
    elif place == "passages": before(passages.Passages, "add")
    elif place == "calibrations":
        (folder / calibrations.file_name("app", "unknown", "groundedness")).write_text("{}")
        before(calibrations, "from_text")
    elif place == "evaluate": before(testing.FakeEvaluator, "make")
    with seen.provider.get_tracer("app").start_as_current_span("request"):
        retrieval(documents=["p"])
        span = start(seen, 1)
        with trace.use_span(span, end_on_exit=True):
            answer(query="q", answer="a")
assert closed, "no stream was closed inside"
print("through", len([s for s in seen.spans if s.name == "chat"]) == len(closed) + 1)
"""
)

FORKS = (
    COMMON
    + """
holds, go = threading.Event(), threading.Event()

def find(name):
    def make(settings, calibration):
        if threading.current_thread() is not threading.main_thread():
            holds.set(); go.wait(30)
        return lambda sample: testing.Result(name, "fake", raw=1.0, skipped="no_baseline")
    return make

evaluate.find = find
with testing.captured() as seen:
    def ask():
        with seen.provider.get_tracer("app").start_as_current_span("chat", attributes=CHAT):
            answer(query="q", answer="a")
    thread = threading.Thread(target=ask); thread.start()
    assert holds.wait(30)
    child = os.fork()
    if not child:
        import signal
        signal.alarm(20)  # a child that hangs is killed, and says so by its status
        ask()
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    go.set(); thread.join()
print("through", status == 0)
"""
)


def _run(script, *args):
    done = subprocess.run([sys.executable, "-c", script, *args], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["through", "True"], done.stdout + done.stderr[-2000:]


@pytest.mark.parametrize("place", ["snapshot", "duplicates", "passages", "calibrations", "evaluate"])
def test_a_stream_that_a_collection_ends_inside_a_lock_does_not_stop_the_thread(place, tmp_path):
    """The abandoned stream is in a cycle, so only the collector closes it."""
    _run(COLLECTS, place, str(tmp_path))


def test_a_worker_that_was_forked_while_a_lock_was_held_does_not_wait_for_it():
    """The thread that held it exists in the parent only."""
    _run(FORKS)


AT_THE_END = """
import sys, threading
from truegreen.instrumentation.locks import Lock
lock, held = Lock(), threading.Event()

def forever():
    with lock:
        held.set()
        threading.Event().wait()

threading.Thread(target=forever, daemon=True).start()
held.wait()

class Late:
    def __del__(self, lock=lock, finalizing=sys.is_finalizing, write=sys.stdout.write, flush=sys.stdout.flush):
        with lock, lock:
            write(f"through {finalizing()}\\n")
            flush()

sys.modules["kept"] = Late()
"""


def test_a_finalizer_does_not_wait_for_a_lock_of_a_thread_that_never_runs_again():
    """At the interpreter's end a daemon thread is stopped wherever it is; a span that ends in a finalizer comes after that."""
    _run(AT_THE_END)
