"""The life of the background: flush, shutdown, fork, event loops, calibrations that come and go, providers that are global."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
import threading

import pytest
from judging import JUDGE, SLOW, WAIT, answered, judged_by, part_of, verdict

from truegreen.core.words.calibration import QUANTILES, Calibration, to_text
from truegreen.instrumentation import background as module
from truegreen.instrumentation import evaluate
from truegreen.instrumentation.calibrations import Calibrations
from truegreen.instrumentation.settings import Settings
from truegreen.instrumentation.testing import FakeEvaluator, captured

# --- flush, shutdown, fork, asyncio ---


def test_force_flush_and_shutdown_of_a_provider_wait_for_judgements(monkeypatch):
    """As long as the caller says; a judge that hangs is not waited for any longer."""
    go, began = threading.Event(), threading.Event()
    judged_by(monkeypatch, lambda sample: began.set() or go.wait(WAIT) and verdict())
    with captured(SLOW) as seen:
        answered(seen)
        assert began.wait(WAIT)
        assert seen.provider.force_flush(0) is False
        go.set()
        assert seen.provider.force_flush(10_000) is True
        assert len(seen.log_exporter.get_finished_logs()) == 1
        answered(seen)
        seen.provider.shutdown()
        assert len(seen.log_exporter.get_finished_logs()) == 2


def test_uninstrument_leaves_no_thread(monkeypatch):
    """And every judgement that was asked for is emitted or given up before."""
    judged_by(monkeypatch, lambda sample: verdict())
    before = set(threading.enumerate())
    with captured(SLOW) as seen:
        answered(seen)
    assert len(seen.log_exporter.get_finished_logs()) == 1
    assert set(threading.enumerate()) <= before


def test_an_event_loop_goes_on_while_a_judge_is_stuck(hung):
    """A thousand answers are given in the meantime."""

    async def served():
        with captured(SLOW) as seen:
            for n in range(1_000):
                answered(seen, name=f"chat {n}")
                await asyncio.sleep(0)
            module.Background.stop.__defaults__ = (0.0,)
            return len([s for s in seen.spans if s.name.startswith("chat")])

    before = module.Background.stop.__defaults__
    try:
        assert asyncio.run(served()) == 1_000
    finally:
        module.Background.stop.__defaults__ = before


APPLICATION = """
import os, sys
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import ConsoleLogExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from truegreen.core.words.shapes import Result
from truegreen.instrumentation import TruegreenInstrumentor, answer, evaluate
from truegreen.instrumentation.settings import Settings

def line(record):
    attributes = getattr(record, "log_record", record).attributes
    return f"{attributes['user.id']} {attributes['gen_ai.evaluation.score.label']} {os.getpid()}\\n"

logs = LoggerProvider()
class Out:  # a file object of Python has a lock, which a fork may copy while it is held
    fd = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    def write(self, text):
        os.write(self.fd, text.encode())
    def flush(self):
        pass

logs.add_log_record_processor(SimpleLogRecordProcessor(ConsoleLogExporter(Out(), line)))
provider = TracerProvider()
evaluate.find = lambda name: lambda settings, calibration: lambda sample: Result(name, "j", 0.1, 0.1, "fail", "calibrated")
TruegreenInstrumentor().instrument(
    tracer_provider=provider, logger_provider=logs, settings=Settings(evaluations={"judge": {"background": True}}, rate=1.0)
)

def ask(user):
    attributes = {"gen_ai.operation.name": "chat", "user.id": user}
    with provider.get_tracer("app").start_as_current_span("chat", attributes=attributes):
        answer(query="q", answer="a")
"""


def _said(tmp_path, code):
    path = tmp_path / "events"
    subprocess.run([sys.executable, "-c", APPLICATION + textwrap.dedent(code), str(path)], check=True, timeout=60)
    return [line.split() for line in path.read_text().splitlines()]


def test_the_end_of_an_application_emits_what_was_asked_for(tmp_path):
    """Without a word of the application: it asks and ends."""
    assert [line[:2] for line in _said(tmp_path, "[ask(str(n)) for n in range(50)]")] == [[str(n), "fail"] for n in range(50)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
def test_forked_workers_judge_their_own_answers_once(tmp_path):
    """A server that loads the application before it forks; the parent has asked as well."""
    said = _said(
        tmp_path,
        """
        ask("before")
        children = []
        for n in range(3):
            child = os.fork()
            if not child:
                ask(f"worker{n}"); provider.force_flush(); os._exit(0)
            children.append(child)
        assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
        ask("after")
        """,
    )
    assert sorted(line[0] for line in said) == ["after", "before", "worker0", "worker1", "worker2"]
    assert len({line[2] for line in said}) == 4


# --- calibrations, seen from the background ---


def _calibration(path, floor, service="app", environment="unknown", evaluation="judge"):
    made = Calibration(
        service, environment, evaluation, "fake", "relative", floor, tuple(QUANTILES), 0.03, 1.0, 500, "2026-01-01T00:00:00Z"
    )
    file = path / f"{service}__{environment}__{evaluation}.json"
    new = file.with_suffix(".new")
    new.write_text(to_text(made))
    os.replace(new, file)
    return made.digest, file


@pytest.mark.parametrize("slow", [False, True])
def test_a_calibration_that_is_missing_then_there_then_swapped_then_broken_then_gone(tmp_path, monkeypatch, slow, caplog):
    """While answers come: the verdict names the file that it was made with, and the last good one stays."""
    fake, now = FakeEvaluator(raw=0.5), [0.0]
    monkeypatch.setattr(evaluate, "find", fake.find)
    monkeypatch.setattr(Calibrations.__init__, "__defaults__", (lambda: now[0],))

    def asked(seen):
        now[0] += 2.0
        got = part_of(answered(seen))
        if slow:
            got = part_of(seen.events[-1].attributes)
        return got.get("label") or got["skipped"], got.get("calibration")

    with captured(Settings(evaluations={"judge": {"background": slow}}, rate=1.0, calibration=tmp_path)) as seen:
        assert asked(seen) == ("no_baseline", None)
        first, file = _calibration(tmp_path, 0.4)
        assert asked(seen) == ("pass", first)
        second, _ = _calibration(tmp_path, 0.6)
        assert asked(seen) == ("fail", second)
        file.write_text("{")
        assert asked(seen) == ("fail", second)
        file.unlink()
        assert asked(seen) == ("fail", second)
    assert "the last good one stays in use" in caplog.text


def test_spans_of_another_service_in_the_same_process_have_its_calibration(tmp_path, monkeypatch):
    """The service is that of the span's resource, also in the background."""
    fake = FakeEvaluator(raw=0.5)
    monkeypatch.setattr(evaluate, "find", fake.find)
    digest, _ = _calibration(tmp_path, 0.4, service="other", environment="production")
    resource = {"service.name": "other", "deployment.environment.name": "production"}
    with captured(
        Settings(evaluations={"judge": {"background": True}}, rate=1.0, calibration=tmp_path), resource=resource
    ) as seen:
        answered(seen)
        assert seen.events[0].attributes[JUDGE + "calibration"] == digest


def test_the_global_providers_are_taken_where_none_are_given():
    """As under `opentelemetry-instrument`: in a process of its own, for a global provider can be set once."""
    code = """
from opentelemetry import _logs, trace
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import ConsoleLogExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
import sys
from truegreen.core.words.shapes import Result
from truegreen.instrumentation import TruegreenInstrumentor, answer, evaluate
from truegreen.instrumentation.settings import Settings
evaluate.find = lambda name: lambda settings, calibration: lambda sample: Result(name, "j", 0.1, 0.1, "fail", "calibrated")
TruegreenInstrumentor().instrument(settings=Settings(evaluations={"judge": {"background": True}}, rate=1.0))
trace.set_tracer_provider(TracerProvider())
logs = LoggerProvider()
logs.add_log_record_processor(SimpleLogRecordProcessor(ConsoleLogExporter(sys.stdout, lambda r: "event\\n")))
_logs.set_logger_provider(logs)
with trace.get_tracer("app").start_as_current_span("chat", attributes={"gen_ai.operation.name": "chat"}):
    answer(query="q", answer="a")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "event\n"
