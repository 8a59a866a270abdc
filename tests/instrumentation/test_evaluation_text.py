"""What evaluators are shown and what becomes of it: no text in any exported byte, and no text that breaks an evaluation."""

from __future__ import annotations

import asyncio
import json
import logging
import time

import openai
import pytest
from openai_server import ANSWER
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from truegreen.collector.processor import Processor
from truegreen.core.words.shapes import Result
from truegreen.instrumentation import answer, evaluate, failures, retrieval, traffic
from truegreen.instrumentation.settings import Settings
from truegreen.instrumentation.testing import FakeEvaluator
from truegreen.instrumentation.testing import _log_exporter as log_exporter

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}
SECRET = "ZEBRA"


class Judge:
    """Fails in a way that has the text in it; remembers what it saw."""

    def __init__(self, how):
        self.how, self.samples = how, []

    def make(self, settings, calibration):
        return self.judge

    def judge(self, sample):
        self.samples.append(sample)
        text = f"{sample.query} {sample.answer} {sample.passages}"
        if self.how == "raises":
            raise ValueError(text)
        if self.how == "logs in its name":
            return Result("judge", text, raw=0.5)
        if self.how == "skips with it":
            return Result("judge", "j", skipped=text)
        if self.how == "leaves":
            raise SystemExit(text)
        return Result("judge", "j", 0.5, 0.5, "pass", "calibrated")


@pytest.mark.parametrize("slow", [False, True])
@pytest.mark.parametrize("how", ["judges", "raises", "logs in its name", "skips with it", "leaves"])
@pytest.mark.parametrize("streamed", [False, True])
def test_no_text_is_in_any_exported_byte(app, ask, monkeypatch, how, slow, streamed):
    """Spans, events, metrics, and the log of the process, as OTLP sends them; on the good path and on those of errors."""
    if how == "leaves" and not slow:
        pytest.skip("an evaluator that ends the thread of the call ends the call")
    judge = Judge(how)
    monkeypatch.setattr(evaluate, "find", lambda name: judge.make)
    logs, exported, metrics = LoggerProvider(), log_exporter(), InMemoryMetricReader()
    logs.add_log_record_processor(SimpleLogRecordProcessor(exported))
    handler = LoggingHandler(logger_provider=logs)
    ours = logging.getLogger("truegreen")
    ours.addHandler(handler)
    meter = MeterProvider([metrics])
    meter.get_meter("app").create_counter("calls").add(1)
    settings = Settings(evaluations={"judge": {"background": slow}}, rate=1.0)
    try:
        seen, client = app(settings=settings)
        with seen.provider.get_tracer("app").start_as_current_span("request"), traffic(cohort="gold"):
            retrieval(documents=["passage ZEBRA"], query="query ZEBRA", data_source="kb")
            result = ask(client, stream=streamed)
            if streamed:
                assert "".join(c.choices[0].delta.content or "" for c in result if c.choices) == ANSWER
        events = seen.events
    finally:
        ours.removeHandler(handler)
    assert len(judge.samples) == 1 and SECRET in judge.samples[0].answer and SECRET in judge.samples[0].passages[0]
    sent = [
        encode_spans(seen.spans).SerializeToString(), encode_logs(seen.log_exporter.get_finished_logs()).SerializeToString(),
        encode_logs(exported.get_finished_logs()).SerializeToString(), encode_metrics(metrics.get_metrics_data()).SerializeToString(),
    ]  # fmt: skip
    assert len(events) == slow and all(sent[i] for i in (0, 2, 3))
    assert [part.count(SECRET.encode()) for part in sent] == [0, 0, 0, 0]
    spoilt = sent[1] if slow else sent[0]
    assert (b"judge.skipped" in spoilt) == (how != "judges")
    assert bool(failures.counted()) == (how != "judges")


@pytest.mark.parametrize("slow", [False, True])
def test_a_streamed_call_of_the_async_sdk_is_judged(app, ask, monkeypatch, server, slow):
    """The span ends when the last chunk has been read; the loop is not held."""
    fake = FakeEvaluator()
    monkeypatch.setattr(evaluate, "find", fake.find)
    seen, _ = app(settings=Settings(evaluations={"groundedness": {"background": slow}}, rate=1.0))

    async def one(n):
        with traffic(cohort=f"c{n}"):
            retrieval(documents=[f"passage {n}"])
            async with openai.AsyncOpenAI(base_url=server.url, api_key="k", max_retries=0) as client:
                stream = await ask(client, f"model-{n}", stream=True)
                return "".join([c.choices[0].delta.content or "" async for c in stream if c.choices])

    async def all_of():
        return await asyncio.gather(*(one(n) for n in range(8)))

    assert asyncio.run(all_of()) == [ANSWER] * 8
    judged = len(seen.events)
    assert {(s.model, s.passages, s.answer) for s in fake.samples} == {
        (f"model-{n}", (f"passage {n}",), ANSWER) for n in range(8)
    }
    assert judged == (8 if slow else 0)


LONE = "caf\ud800 \udfff\x00 ZEBRA"


def _span(seen, **attributes):
    return seen.provider.get_tracer("app").start_as_current_span("chat", attributes={**CHAT, **attributes})


@pytest.mark.parametrize("slow", [False, True])
def test_a_text_that_no_encoding_holds_is_judged_as_it_is(app, fake, slow):
    """Lone surrogates come out of broken JSON; everything is there, and the span can be exported."""
    seen, _ = app(settings=Settings(evaluations={"groundedness": {"background": slow}}, rate=1.0))
    with traffic(cohort="gold"), _span(seen):
        retrieval(documents=[LONE], query=LONE)
        answer(query=LONE, answer=LONE)
    got = seen.attributes("chat")
    seen.exports_no_text("ZEBRA")
    assert (fake.samples[0].answer, fake.samples[0].passages) == (LONE, (LONE,))
    assert (got["truegreen.cohort"], got["truegreen.evaluation.sampled"], len(got["truegreen.answer.style"])) == (
        "gold",
        "base",
        10,
    )
    assert failures.counted() == {}


@pytest.mark.parametrize("messages", [500])
def test_500_messages_on_a_span_are_read_for_the_last_question_and_the_answer(app, fake, messages):
    """Captured content of a long conversation, a lone surrogate in its system message among it."""
    seen, _ = app()
    said = [
        {"role": "user" if n % 2 == 0 else "assistant", "parts": [{"type": "text", "content": f"m{n} " * 200}]}
        for n in range(messages)
    ]
    said.append({"role": "user", "parts": [{"type": "text", "content": "the last question"}]})
    content = {
        "gen_ai.system_instructions": json.dumps([{"type": "text", "content": LONE}]),
        "gen_ai.input.messages": json.dumps(said),
        "gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": "the answer"}]}]),
    }
    with _span(seen, **content):
        retrieval(documents=["p"])
    (sample,) = fake.samples
    assert (sample.query, sample.answer) == ("the last question", "the answer")
    assert seen.attributes("chat")["truegreen.prompt.template"].startswith("system:")
    assert failures.counted() == {}


def test_an_event_of_an_sdk_before_1_35_is_counted_as_well():
    """Its records have no field for the name of an event: it is an attribute there."""
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

    request = ExportLogsServiceRequest()
    record = (
        request.resource_logs.add()
        .scope_logs.add()
        .log_records.add(trace_id=b"t" * 16, span_id=b"s" * 8, time_unix_nano=time.time_ns())
    )
    given = {"event.name": "gen_ai.evaluation.result", "gen_ai.evaluation.name": "judge", "gen_ai.evaluation.score.label": "fail"}
    for key, value in given.items():
        record.attributes.add(key=key).value.string_value = value
    assert Processor(lambda: 1_000.0, 30.0).logs(request.SerializeToString()) == 1
    record.attributes[0].value.string_value = "something.else"
    assert Processor(lambda: 1_000.0, 30.0).logs(request.SerializeToString()) == 0
