"""What a plugin in a production process must not do: keep memory, leave traces, hold up requests, break forks, ends and cancellations."""

from __future__ import annotations

import asyncio
import gc
import socket
import subprocess
import sys
import threading
import tracemalloc
import urllib.request
from importlib.util import find_spec
from pathlib import Path

import everyday
import holdings
import injection
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from truegreen.core.words.shapes import Result
from truegreen.instrumentation import (
    TruegreenInstrumentor,
    answer,
    call,
    completion,
    context,
    evaluate,
    failures,
    notices,
    retrieval,
    snapshot,
    traffic,
)
from truegreen.instrumentation.enrich import Enricher
from truegreen.instrumentation.served import Served
from truegreen.instrumentation.settings import Settings
from truegreen.instrumentation.testing import captured

HERE = str(Path(__file__).parent)


@pytest.fixture
def quiet():
    """An instrumented provider without any exporter."""
    provider = TracerProvider(shutdown_on_exit=False)
    made = TruegreenInstrumentor()
    made.instrument(tracer_provider=provider, settings=Settings(cohort_attribute="user.plan"))
    yield provider
    made.uninstrument()


# --- memory ---


BOUNDS = ("KEPT", "TRACES", "ENTRIES", "PLACES", "INDEXES", "OPEN_SPANS", "JOBS")


def _live(provider, start, number, size=0, few=False):
    """So many requests, of which no two have anything in common."""
    pad = "x" * size
    for n in range(start, start + number):
        (_few if few else _one)(provider, f"{n}{pad}")


def _few(provider, n):
    """The spans of the shortest request."""
    with traffic(session_id=f"s{n}", user_id=f"u{n}", cohort=f"c{n}"), snapshot.use(prompt=f"p{n}@1", model=f"v{n}"):
        retrieval(documents=[{"text": f"passage {n}", "score": 0.5, "id": f"d{n}"}], data_source=f"kb{n}", query=f"q{n}")
        with provider.get_tracer("app").start_as_current_span("chat", attributes=everyday.chat(n)):
            answer(query=f"q{n}", answer=f"a{n}")


def _one(provider, n):
    """All that the API has, a span that is never ended, a span outside of any trace, a failure and a notice."""
    tracer = provider.get_tracer("app")
    _few(provider, n)
    with tracer.start_as_current_span("request"):
        with tracer.start_as_current_span("chat", attributes=everyday.chat(n)):
            for say in everyday.said(n).values():
                say()
        with everyday.agent(f"bot{n}"), everyday.tool(f"tool{n}", arguments={"n": n}):
            pass
    retrieval(documents=[f"left {n}"], query=f"q{n}")
    tracer.start_span(f"abandoned {n}", attributes=everyday.chat(f"x{n}"))
    trace.get_tracer("x", tracer_provider=provider).start_span("chat alone", attributes=everyday.chat(f"y{n}")).end()
    failures.count(f"place {n[:20]}", ValueError())
    notices.once(f"key {n}", f"message {n}")


def _grown(before, after):
    """The containers that have grown by more than a twentieth and by more than what one request holds."""
    return {
        path: (before.get(path, 0), size)
        for path, size in after.items()
        if size > max(before.get(path, 0) * 1.05, before.get(path, 0) + 30)
    }


def _sizes(provider):
    provider.force_flush()
    gc.collect()
    return holdings.sizes()


@pytest.fixture
def silent(monkeypatch):
    """Thousands of notices are not shown."""
    monkeypatch.setattr(notices.logger, "disabled", True)


def test_no_container_grows_whatever_an_application_sends(quiet, fake, silent, monkeypatch):
    """Unique ids, prompts, sessions, tools, agents, errors: every container that can be reached stops at its bound; the bounds are lowered to 100 here."""
    _lower(monkeypatch)
    fake.samples = fake.calibrations = _Nothing()
    _live(quiet, 0, 150)
    before = _sizes(quiet)
    _live(quiet, 150, 300)
    assert _grown(before, _sizes(quiet)) == {}
    assert len(before) > 30  # it does look into them


@pytest.mark.parametrize("module", [notices, failures], ids=lambda m: m.__name__.rpartition(".")[2])
def test_a_bound_that_is_not_kept_is_found(quiet, fake, silent, monkeypatch, module):
    """Else the test above could not fail."""
    _lower(monkeypatch)
    for name in BOUNDS:
        if hasattr(module, name):
            monkeypatch.setattr(module, name, 10**9)
    fake.samples = fake.calibrations = _Nothing()
    _live(quiet, 0, 120)
    before = _sizes(quiet)
    _live(quiet, 120, 60)
    assert _grown(before, _sizes(quiet)) != {}


def _lower(monkeypatch):
    for module in injection.modules():
        for name in BOUNDS:
            if hasattr(module, name):
                monkeypatch.setattr(module, name, 100)
    # Emptied when it is full: of a larger one two looks may differ by more than a request.
    monkeypatch.setattr(call, "SCOPES", 20)


@pytest.mark.full
@pytest.mark.timeout(3_000)
def test_memory_is_flat_over_100_000_requests(quiet, fake, silent, monkeypatch):
    """With the bounds as they are; the last 5,000 requests leave no bytes behind."""
    # All in one minute: of several the oldest is let go whole, so how much is left would be a matter of the machine's speed.
    monkeypatch.setattr(Served, "note", lambda self, ran, _, note=Served.note: note(self, ran, 0.0))
    fake.samples = fake.calibrations = _Nothing()
    _live(quiet, 0, 15_000, few=True)
    before = _sizes(quiet)
    _live(quiet, 15_000, 80_000, few=True)
    assert _grown(before, _sizes(quiet)) == {}
    tracemalloc.start()
    try:
        _live(quiet, 95_000, 1_000, few=True)
        base = tracemalloc.get_traced_memory()[0]
        _live(quiet, 96_000, 4_000, few=True)
        gc.collect()
        added = tracemalloc.get_traced_memory()[0] - base
    finally:
        tracemalloc.stop()
    assert (
        added < 8_000_000
    )  # what is kept was made before the tracing began, and is replaced within it: at most the 2,048 and 10,000 entries


class _Nothing(list):
    """A list that keeps nothing: the fake evaluator is not what is measured."""

    def append(self, _):
        """Forget it."""


def test_texts_of_megabytes_are_not_kept(quiet, fake, silent):
    """60 requests with 300 kB in every text: a gigabyte of text goes through, and less than the passages' 20 million characters stay."""
    fake.samples = fake.calibrations = _Nothing()
    tracemalloc.start()
    try:
        _live(quiet, 0, 60, size=300_000)
        _sizes(quiet)
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert held < 30_000_000


# --- traces of us ---

WORLD = """
import atexit, gc, logging, os, sys, threading, warnings
sys.path.insert(0, sys.argv[1])
import everyday, injection
injection.modules()
import langchain_core.callbacks.manager as manager
from opentelemetry.sdk.trace import TracerProvider
from truegreen.instrumentation import TruegreenInstrumentor, evaluate
from truegreen.instrumentation.testing import FakeEvaluator
evaluate.find = FakeEvaluator().find
atexit_of_the_sdk = TracerProvider(); atexit_of_the_sdk.shutdown()

def world():
    loggers = [logging.getLogger(), *(logging.getLogger(name) for name in ("truegreen", "opentelemetry"))]
    return {
        "class": {name: id(one) for name, one in vars(TracerProvider).items()}, "environment": dict(os.environ), "threads": sorted(t.name for t in threading.enumerate()),
        "logging": [(list(one.handlers), one.level, list(one.filters), one.propagate) for one in loggers],
        "patched": sorted(f"{k.__module__}.{k.__qualname__}.{n}" for k in vars(manager).values() if isinstance(k, type) for n, v in vars(k).items() if "wrapt" in type(v).__module__),
        "import hooks": list(sys.meta_path), "exit": atexit._ncallbacks(), "gc": list(gc.callbacks),
        "hooks": [sys.excepthook, threading.excepthook, sys.unraisablehook, warnings.showwarning, sys.getprofile(), sys.gettrace()],
    }

everyday.day()  # what the libraries themselves do once
def ran():
    made = TruegreenInstrumentor()
    made.instrument()
    during = world()
    provider = TracerProvider(shutdown_on_exit=False)
    everyday.request(provider)
    provider.get_tracer("x").start_span("open across", attributes=everyday.chat())
    made.uninstrument()
    provider.shutdown()
    return during

before = world()
during = ran()
after = world()
print("during", sorted(k for k in before if before[k] != during[k]))
print("left", {k: (before[k], after[k]) for k in before if before[k] != after[k]})
"""


@pytest.mark.skipif(find_spec("langchain_core") is None, reason="langchain-core is not installed")
def test_uninstrument_leaves_the_process_as_it_was():
    """Class, environment, threads, logging, LangChain, import hooks, exit functions, and all other hooks of the interpreter."""
    done = subprocess.run([sys.executable, "-c", WORLD, HERE], capture_output=True, text=True, timeout=120, check=True)
    during, left = done.stdout.splitlines()
    assert "class" in during
    assert "environment" in during
    assert "logging" in during
    assert left == "left {}"


# --- requests are not held up ---


def test_an_evaluator_that_never_comes_back_delays_no_request(monkeypatch):
    """It runs in the background; requests go on while it is stuck, every span is exported, and what the queue refuses is counted."""
    stuck, go = threading.Event(), threading.Event()

    def find(name):
        def judge(sample):
            stuck.set()
            go.wait(60)
            return Result(name, "stuck", raw=1.0, skipped="no_baseline")

        return lambda settings, calibration: judge

    monkeypatch.setattr(evaluate, "find", find)
    with captured(Settings(evaluations={"groundedness": {"background": True}}, sampling={"groundedness": 1.0})) as seen:
        try:
            for n in range(2_000):
                with seen.provider.get_tracer("app").start_as_current_span(f"chat {n}", attributes=everyday.chat(n)):
                    retrieval(documents=["p"])
                    answer(query="q", answer="a")
            assert stuck.is_set() or stuck.wait(30)
            assert not seen.provider.force_flush(10)
            chats = [span for span in seen.spans if span.name.startswith("chat")]
            skipped = [span.attributes.get("truegreen.evaluation.groundedness.skipped") for span in chats]
        finally:
            go.set()
        assert seen.provider.force_flush(30_000)
    assert len(chats) == 2_000
    assert skipped.count("queue_full") >= 900
    assert failures.counted() == {}


# --- fork, end of the process ---

FORK = """
import os, sys, threading
sys.path.insert(0, sys.argv[1])
import everyday
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs import export as log_export
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from truegreen.instrumentation import TruegreenInstrumentor, answer, evaluate, failures, testing
from truegreen.instrumentation.settings import Settings

go = threading.Event()
judged = []
def find(name):
    def judge(sample):
        if os.getpid() == parent:
            go.wait(30)
        judged.append(sample)
        return testing.Result(name, "fake", raw=1.0, skipped="no_baseline")
    return lambda settings, calibration: judge

parent = os.getpid()
evaluate.find = find
provider = TracerProvider()
exporter = InMemorySpanExporter()
provider.add_span_processor(BatchSpanProcessor(exporter))
logs = LoggerProvider()
logs.add_log_record_processor(log_export.SimpleLogRecordProcessor(testing._log_exporter()))
TruegreenInstrumentor().instrument(tracer_provider=provider, logger_provider=logs, settings=Settings(evaluations={"groundedness": {"background": True}}, sampling={"groundedness": 1.0}))

def ask(n):
    with provider.get_tracer("app").start_as_current_span("chat", attributes=everyday.chat(n)):
        answer(query="q", answer="a")

threads = [threading.Thread(target=ask, args=(n,)) for n in range(8)]
for thread in threads: thread.start()
children = []
for _ in range(3):
    child = os.fork()
    if not child:
        import signal
        signal.alarm(30)
        exporter.clear(); judged.clear()
        ask("child")
        whole = provider.force_flush() and len(judged) == 1 and len(exporter.get_finished_spans()) >= 1 and not failures.counted()
        os._exit(0 if whole else 1)
    children.append(child)
status = [os.waitpid(child, 0)[1] for child in children]
go.set()
for thread in threads: thread.join()
print(status, provider.force_flush(), len(judged))
"""


def test_workers_that_were_forked_while_judgements_ran_judge_their_own():
    """A child has an empty queue and a thread of its own; the parent's judgements are the parent's."""
    done = subprocess.run([sys.executable, "-c", FORK, HERE], capture_output=True, text=True, timeout=120)
    assert done.stdout == "[0, 0, 0] True 8\n", done.stderr[-2000:]


GUNICORN = """
import os
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor
from truegreen.instrumentation import TruegreenInstrumentor, answer, retrieval
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter()))
trace.set_tracer_provider(provider)
TruegreenInstrumentor().instrument()
with trace.get_tracer("app").start_as_current_span("chat of the master", attributes={"gen_ai.operation.name": "chat"}):
    answer(query="q", answer="a")

def app(environ, start_response):
    retrieval(documents=["Returns within 30 days."], query="May I return it?")
    with trace.get_tracer("app").start_as_current_span("chat of a worker", attributes={"gen_ai.operation.name": "chat"}):
        answer(query="May I return it?", answer="Returns within 30 days.")
    start_response("200 OK", [("content-type", "text/plain")])
    return [str(os.getpid()).encode()]
"""


@pytest.mark.skipif(find_spec("gunicorn") is None, reason="gunicorn is not installed")
def test_gunicorn_with_preloaded_workers_serves_and_stops(tmp_path):
    """The master is instrumented and forks; each worker answers, and all stop when told."""
    (tmp_path / "bot.py").write_text(GUNICORN)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "--preload", "-w", "2", "-b", f"127.0.0.1:{port}", "bot:app"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        lines = []
        while "Booting worker" not in (line := server.stderr.readline()):
            assert line, "".join(lines)
            lines.append(line)
        workers = set()
        for _ in range(20):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as reply:
                workers.add(reply.read())
        server.terminate()
        out, err = server.communicate(timeout=60)
    assert workers
    assert server.returncode == 0, err
    assert out.count('"name": "chat of a worker"') == 20
    assert "Traceback" not in "".join(lines) + err


EXIT = """
import atexit, os, sys, threading
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from truegreen.instrumentation import TruegreenInstrumentor, answer, retrieval, traffic
provider = TracerProvider()
TruegreenInstrumentor().instrument(tracer_provider=provider)
tracer = provider.get_tracer("x")
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}

def late():
    with traffic(cohort="gold"):
        retrieval(documents=["p"])
        with tracer.start_as_current_span("chat", attributes=CHAT):
            answer(query="q", answer="a")

class Late:
    def __del__(self):
        late()

kept = Late()
sys.modules["kept"] = Late()
open_ = tracer.start_span("never ended", attributes=CHAT)
atexit.register(late)
stop = threading.Event()
def forever():
    while True:
        late()
for _ in range(2):
    threading.Thread(target=forever, daemon=True).start()
late()
if sys.argv[1] == "raise": raise SystemExit(3)
"""


@pytest.mark.parametrize(("way", "code"), [("return", 0), ("raise", 3)])
def test_the_end_of_the_interpreter_is_quiet(way, code):
    """Spans that end in exit functions, in finalizers and in threads that nobody stops."""
    done = subprocess.run([sys.executable, "-c", EXIT, way], capture_output=True, text=True, timeout=120)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert "failed in" not in done.stderr


# --- interruptions ---


@pytest.mark.parametrize(
    "raised", [KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError], ids=lambda e: e.__name__
)
@pytest.mark.parametrize("place", [(Enricher, "at_start"), (Enricher, "at_end"), (completion, "Messages")], ids=lambda p: p[1])
def test_an_interruption_inside_of_us_goes_on_to_the_application_and_every_span_ends(app, monkeypatch, place, raised):
    """It is meant for the application; what is in the context afterwards is what was there before."""
    seen, _ = app()
    tracer = seen.provider.get_tracer("x")
    before = trace.get_current_span()

    def interrupted(*args, **kwargs):
        raise raised

    with monkeypatch.context() as patch:
        patch.setattr(*place, interrupted)
        with pytest.raises(raised), traffic(cohort="gold"), tracer.start_as_current_span("chat", attributes=everyday.chat()):
            completion.hook().on_completion(
                inputs=[], outputs=everyday.OUTPUTS, system_instruction=[], span=trace.get_current_span()
            )
    tracer.start_span("chat after", attributes=everyday.chat("after")).end()
    assert trace.get_current_span() is before
    assert context.carried().request is None
    assert "truegreen.cohort" not in seen.attributes("chat after")
    ended = [span.name for span in seen.spans]
    assert ended == (["chat after"] if place[1] == "at_start" else ["chat", "chat after"])


def test_a_task_that_is_cancelled_in_a_stream_ends_its_span_and_touches_no_other(app, fake):
    """The generator is closed by the cancellation; the other task goes on in its own block."""
    seen, _ = app()
    tracer = seen.provider.get_tracer("x")

    async def stream(name, reached, go):
        with traffic(cohort=name), tracer.start_as_current_span(f"chat {name}", attributes=everyday.chat(name)):
            retrieval(documents=[f"passage of {name}"])
            reached.set()
            await go.wait()
            answer(query="q", answer=name)

    async def main():
        reached, go = [asyncio.Event(), asyncio.Event()], asyncio.Event()
        tasks = [asyncio.create_task(stream(name, event, go)) for name, event in zip(("one", "two"), reached, strict=True)]
        for event in reached:
            await event.wait()
        tasks[0].cancel()
        await asyncio.wait([tasks[0]])
        go.set()
        await tasks[1]
        return tasks[0].cancelled()

    assert asyncio.run(main())
    assert seen.attributes("chat one")["truegreen.cohort"] == "one"
    assert seen.attributes("chat two")["truegreen.cohort"] == "two"
    assert [sample.passages for sample in fake.samples if sample.answer == "two"] == [("passage of two",)]
    assert failures.counted() == {}


def test_a_stack_that_is_nearly_full_ends_the_span_all_the_same(app, fake):
    """Where the SDK's own end has room, ours does not raise: what is too deep for us is counted."""
    seen, _ = app()
    tracer = seen.provider.get_tracer("x")

    def depth(n):
        if n:
            return depth(n - 1)
        span.end()
        return None

    ended = 0
    for room in range(20, 220, 4):
        span = tracer.start_span("chat", attributes=everyday.chat(f"r{room}"))
        try:
            depth(sys.getrecursionlimit() - room - len(_stack()))
            ended += 1
        except RecursionError:
            assert room < 60, f"the end raised with {room} frames left"
    assert ended >= 40
    assert len(seen.spans) >= ended


def _stack():
    frame, found = sys._getframe(), []
    while frame:
        found.append(frame)
        frame = frame.f_back
    return found
