"""What each switch gives, what it says on spans, and that nonsense in a flag switches nothing and is said once."""

from __future__ import annotations

import asyncio
import json
import threading

import pytest
from opentelemetry import trace

from truegreen import containment
from truegreen.containment import applied, flags
from truegreen.core.words.catalogue import ALL, SPANS
from truegreen.instrumentation import failures
from truegreen.instrumentation.testing import captured

CHAT = {"gen_ai.operation.name": "chat"}


def _stamps(seen):
    return [span.attributes.get("truegreen.containment") for span in seen.spans]


def test_with_no_flag_everything_is_as_configured():
    """And nothing is recorded."""
    with captured() as seen:
        with containment.model("m") as model:
            pass
        assert (model, containment.context(["a", "b"]), containment.guardrail()) == ("m", ["a", "b"], "normal")
        assert (containment.feature("help"), containment.degraded(), containment.index("kb")) == (True, "", "kb")
        assert containment.rollout("model", "m", "user") == ("m", False, "")
    assert seen.spans == ()
    assert failures.counted() == {}


@pytest.mark.parametrize(
    ("turned", "given", "expected", "stamp"),
    [
        ({"pinned_model": "p", "fallback_model": "f"}, {}, "p", "pinned_model"),
        ({"fallback_model": "f"}, {}, "f", "fallback_model"),
        ({"fallback_model": "openai:f"}, {"provider": "openai"}, "f", "fallback_model"),
        ({"fallback_model": "ft:gpt-x:shop"}, {}, "ft:gpt-x:shop", "fallback_model"),
        ({"fallback_model": "anthropic:f"}, {"provider": "openai"}, "m", None),
        ({"fallback_model": "anthropic:f"}, {}, "m", None),
    ],
)  # fmt: skip
def test_a_pin_wins_over_a_fallback_and_another_providers_model_is_not_taken(flagged, turned, given, expected, stamp):
    """A client of OpenAI cannot serve a model of Anthropic."""
    flagged(**turned)
    with captured() as seen, containment.model("m", **given) as model:
        seen.provider.get_tracer("app").start_span("chat", attributes=CHAT).end()
    assert model == expected
    assert _stamps(seen) == [stamp]


def test_a_fallback_that_cannot_be_reached_is_said_once(flagged, caplog):
    """With what to write instead."""
    flagged(fallback_model="anthropic:f")
    for _ in range(3):
        with containment.model("m"):
            pass
    assert [r.getMessage().count("containment.route") for r in caplog.records] == [1]


def test_context_keeps_the_first_passages_of_any_sequence(flagged):
    """Also none."""
    flagged(reduced_context="2")
    with captured() as seen:
        assert containment.context(["a", "b", "c"]) == ["a", "b"]
        assert containment.context(("a",)) == ("a",)
        assert containment.context({1, 2}) == {1, 2}
    assert _stamps(seen) == ["reduced_context", "reduced_context"]
    assert failures.counted() == {"reduced context": 1}
    flagged(reduced_context="0")
    assert containment.context(["a"]) == []


@pytest.mark.parametrize("value", ["abc", "-1", "1.5", "nan", "inf", "1e400", "١٫", "9" * 5_000])
def test_nonsense_reduces_nothing_and_is_said_once(flagged, caplog, value):
    """With the flag's name and what to write."""
    flagged(reduced_context=value)
    assert containment.context(["a", "b"]) == ["a", "b"]
    assert containment.context(["a", "b"]) == ["a", "b"]
    (record,) = caplog.records
    assert "flag reduced_context" in record.getMessage()
    assert "a number from 0" in record.getMessage()
    assert len(record.getMessage()) < 300


@pytest.mark.parametrize(
    ("value", "expected"), [("on", "strict"), ("STRICT", "strict"), ("true", "strict"), ("off", "normal"), ("x", "normal")]
)
def test_guardrails_are_strict_while_the_flag_is_on(flagged, value, expected):
    """And by no other word."""
    flagged(strict_guardrail=value)
    with captured() as seen:
        assert containment.guardrail() == expected
    assert _stamps(seen) == (["strict_guardrail"] if expected == "strict" else [])


def test_features_are_off_by_name_or_all_together(flagged):
    """Spaces do not matter."""
    flagged(feature_disabled="refunds, summaries")
    with captured() as seen:
        assert [containment.feature(name) for name in ("refunds", "summaries", "search")] == [False, False, True]
        flagged(feature_disabled="*")
        assert not containment.feature("search")
    assert _stamps(seen) == ["feature_disabled"] * 3


def test_a_decorated_answer_is_not_made_while_degraded_or_off(flagged):
    """Plain and asynchronous; exceptions of the application pass."""
    calls = []

    @containment.contained("refunds", says=lambda text: {"text": text}, off="not now")
    def plain(question):
        calls.append(question)
        return {"text": "answer"}

    @containment.contained()
    async def asynchronous(question):
        calls.append(question)
        raise KeyError(question)

    assert plain("q") == {"text": "answer"}
    with pytest.raises(KeyError):
        asyncio.run(asynchronous("q"))
    flagged(feature_disabled="refunds")
    assert plain("q") == {"text": "not now"}
    with pytest.raises(KeyError):
        asyncio.run(asynchronous("q"))
    flagged(degraded_mode="Please call us.", feature_disabled="refunds")
    with captured() as seen:
        assert plain("q") == {"text": "Please call us."}
        assert asyncio.run(asynchronous("q")) == "Please call us."
    assert _stamps(seen) == ["degraded_mode"] * 2
    assert calls == ["q"] * 3


def test_a_decorated_stream_gives_the_message_as_its_one_item(flagged):
    """Of both kinds; else it is read as it is, and closed when its reader stops."""
    closed = []

    @containment.contained("chat", off="not now")
    def stream():
        try:
            yield "a"
            yield "b"
        finally:
            closed.append("plain")

    @containment.contained("chat", off="not now")
    async def asynchronous():
        try:
            yield "a"
            yield "b"
        finally:
            closed.append("asynchronous")

    async def read(most=9):
        found = []
        made = asynchronous()
        async for item in made:
            found.append(item)
            if len(found) == most:
                await made.aclose()
        return found

    assert (list(stream()), asyncio.run(read())) == (["a", "b"], ["a", "b"])
    assert (next(stream()), asyncio.run(read(1))) == ("a", ["a"])
    assert closed == ["plain", "asynchronous"] * 2
    flagged(feature_disabled="chat")
    assert (list(stream()), asyncio.run(read())) == (["not now"], ["not now"])


def test_a_feature_without_a_name_is_on(flagged):
    """Unless all are off; an empty part of the flag names nothing."""
    assert containment.feature("")
    flagged(feature_disabled=" , ,x")
    assert containment.feature("")
    flagged(feature_disabled="*")
    assert not containment.feature("")


def test_index_and_degraded_come_as_the_flag_says(flagged):
    """The index is a rollback, not a containment: no stamp."""
    flagged(retrieval_index="kb-2026-10")
    with captured() as seen:
        assert containment.index("kb") == "kb-2026-10"
    assert seen.spans == ()


def test_what_takes_the_place_of_a_call_is_counted_as_contained_and_as_no_call(flagged):
    """One metric looks at it: the collector's counter of contained requests."""
    flagged(degraded_mode="sorry")
    with captured() as seen:
        containment.degraded()
    (span,) = seen.spans
    classes = {name for name, condition in SPANS.items() if _holds(condition, span.attributes)}
    assert classes == {"containable"}
    assert [metric.name for metric in ALL if metric.span == "containable"] == ["truegreen.contained.requests"]
    seen.counts_calls(0)


def _holds(condition, attributes):
    value = attributes.get(condition.read.names[0])
    return value in condition.values if condition.op == "in" else value is not None


def test_stamps_stay_in_their_thread_and_task(flagged):
    """Two requests at once, one of them pinned."""
    with captured() as seen:
        tracer = seen.provider.get_tracer("app")

        async def ask(name, default):
            with containment.model(default) as model:
                await asyncio.sleep(0)
                tracer.start_span(f"{name} {model}", attributes=CHAT).end()

        async def both():
            flagged(pinned_model="p")
            first = asyncio.create_task(ask("first", "m"))
            await asyncio.sleep(0)
            flagged()
            await asyncio.gather(first, ask("second", "m"))

        asyncio.run(both())
        flagged(pinned_model="p")
        inside, done = threading.Event(), threading.Event()

        def pinned():
            with containment.model("m"):
                inside.set()
                done.wait(20)

        thread = threading.Thread(target=pinned)
        thread.start()
        assert inside.wait(20)
        tracer.start_span("beside", attributes=CHAT).end()
        done.set()
        thread.join()
    assert {span.name: span.attributes.get("truegreen.containment") for span in seen.spans} == {
        "first p": "pinned_model", "second m": None, "beside": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    "content",
    [
        "{ broken",
        "[]",
        "x" * 3_000_000,
    ],
)
def test_a_broken_or_huge_file_switches_nothing(tmp_path, monkeypatch, content):
    """Whatever is in it: no exception, no switch."""
    file = tmp_path / "flags.json"
    file.write_text(content)
    monkeypatch.setenv(flags.VARIABLE, str(file))
    assert containment.context([1, 2, 3, 4]) == [1, 2, 3, 4]
    assert containment.degraded() == ""
    with containment.model("m") as model:
        assert model == "m"
    assert containment.feature("x")


def test_a_file_of_many_flags_is_obeyed(tmp_path, monkeypatch):
    """Other people's flags may be in it."""
    from truegreen.containment.document import document

    file = tmp_path / "flags.json"
    file.write_text(json.dumps(document({**{f"flag{n}": "x" * 100 for n in range(5_000)}, "degraded_mode": "sorry"})))
    monkeypatch.setenv(flags.VARIABLE, str(file))
    assert containment.degraded() == "sorry"


def test_a_fallback_that_is_told_after_the_request_is_counted_and_adds_no_event_to_a_span_that_is_over(caplog):
    """OpenTelemetry would log a warning in the application for each."""
    with captured() as seen:
        request = seen.provider.get_tracer("app").start_span("request")
        with trace.use_span(request):
            applied.fell_back("m", "spare")
            request.end()
            applied.fell_back("m", "spare")
        assert [event.name for event in request.events] == ["truegreen.failover"]
        assert _stamps(seen).count("fallback_model") == 2
    assert [record for record in caplog.records if record.name.startswith("opentelemetry")] == []
