"""Evaluators that a test makes, an answer for them, and what the span says of it."""

from __future__ import annotations

from truegreen.core.words.shapes import Result
from truegreen.instrumentation import answer, evaluate, retrieval
from truegreen.instrumentation.settings import Settings

WAIT = 10.0
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.response.id": "r1"}
JUDGE = "truegreen.evaluation.judge."
SLOW = Settings(evaluations={"judge": {"background": True}}, rate=1.0)


def verdict(**more):
    return Result(
        **{
            "evaluation": "judge",
            "evaluator": "judge-1",
            "raw": 0.4,
            "score": 0.4,
            "label": "fail",
            "scale": "calibrated",
            **more,
        }
    )


def judged_by(monkeypatch, judge, **attributes):
    """`judge(sample)` is what every evaluation finds; attributes are those of its factory."""

    def make(settings, calibration):
        return judge

    for name, value in attributes.items():
        setattr(make, name, value)
    monkeypatch.setattr(evaluate, "find", lambda name: make)


def answered(seen, name="chat", text="a", **attributes):
    with seen.provider.get_tracer("app").start_as_current_span(name, attributes={**CHAT, **attributes}):
        retrieval(documents=["passage"])
        answer(query="q", answer=text)
    return next(
        span.attributes for span in reversed(seen.spans) if span.name == name
    )  # without a look at the events, which waits


def part_of(attributes, start=JUDGE):
    return {k.removeprefix(start): v for k, v in attributes.items() if k.startswith(start)}
