"""What an agent's run adds up to, on its own: loops, repeats, keys of arguments, bounds."""

from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace

from truegreen.instrumentation import tally
from truegreen.instrumentation.settings import Settings
from truegreen.instrumentation.tally import Runs, Tally, is_loop, key_of
from truegreen.instrumentation.testing import captured


def slow_loop(calls):
    """By the definition: a stretch of one to three calls, three times in a row."""
    return any(
        calls[at : at + period] == calls[at + period : at + 2 * period] == calls[at + 2 * period : at + 3 * period]
        for period in (1, 2, 3)
        for at in range(len(calls) - 3 * period + 1)
    )


@given(st.lists(st.sampled_from("abc"), max_size=25))
def test_a_loop_is_what_its_definition_says(calls):
    """Against a reading of the definition by brute force."""
    assert is_loop(calls) == slow_loop(calls)


@given(st.lists(st.sampled_from("abcd"), max_size=40), st.randoms())
def test_a_loop_is_found_in_whatever_order_the_calls_ended(calls, random):
    """They are taken in the order of their starts."""
    parts = [Tally(1, 0, {key.encode(): 1}, [(at, key.encode())]) for at, key in enumerate(calls)]
    random.shuffle(parts)
    whole = Tally()
    for part in parts:
        whole.add(part)
    assert whole.looped == slow_loop(calls)
    assert whole.steps == len(calls)
    assert whole.repeats == max((calls.count(key) for key in calls), default=0)


def test_a_loop_is_seen_however_long_the_run():
    """At its beginning, in the middle, at its end, across the places where old calls are dropped."""
    for start in (0, 100, 250, 255, 400, 990):
        whole = Tally()
        for at in range(1_000):
            key = b"same" if start <= at < start + 3 else str(at).encode()
            whole.add(Tally(1, 0, {key: 1}, [(at, key)]))
        assert whole.looped, start
        assert len(whole.calls) <= tally.CALLS
        assert len(whole.counts) <= tally.DIFFERENT
    whole = Tally()
    for at in range(1_000):
        whole.add(Tally(1, 0, {}, [(at, str(at).encode())]))
    assert not whole.looped


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=3), json_values, max_size=4))
def test_a_call_is_the_same_whatever_the_order_of_its_arguments(arguments):
    """And whether it comes as JSON or as objects."""
    import json

    backwards = dict(reversed(arguments.items()))
    assert key_of("t", arguments) == key_of("t", backwards) == key_of("t", json.dumps(arguments))
    assert key_of("t", arguments) != key_of("u", arguments)


class Hostile:
    """Code that must not run."""

    def __repr__(self):
        raise RuntimeError

    __str__ = __hash__ = __eq__ = __repr__


def test_arguments_of_any_form_make_a_key():
    """Circles, objects whose code raises, keys that cannot be sorted, broken text."""
    circle: list = []
    circle.append(circle)
    one = Hostile()
    for arguments in (circle, {"a": one}, {1: 2, "b": 3}, "\ud800", b"\xff\xfe", float("nan"), one):
        assert key_of("t", arguments) == key_of("t", arguments)
    assert key_of("t", {"a": one}) != key_of("t", {"a": Hostile()})


def test_parts_that_no_span_takes_are_bounded_and_the_newest_stay():
    """A parent that is not recorded never ends for us."""
    runs = Runs()
    for span in range(tally.OPEN_SPANS + 100):
        runs.give(span, Tally(1))
    assert len(runs) == tally.OPEN_SPANS
    assert runs.take(0) is None
    assert runs.take(tally.OPEN_SPANS + 99) == Tally(1)
    assert runs.take(tally.OPEN_SPANS + 99) is None


def test_a_run_whose_spans_end_late_and_elsewhere_still_adds_up():
    """As a library does that hands spans to a thread of its own: each has its parent by id only, and a child may end last but one."""
    with captured(Settings()) as seen:
        tracer = seen.provider.get_tracer("late")
        root = tracer.start_span("agent", attributes={"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "bot"})
        parent = trace.set_span_in_context(trace.NonRecordingSpan(root.get_span_context()))
        spans = [
            tracer.start_span("t", parent, attributes={
                "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "t", "gen_ai.tool.call.arguments": '{"q": 1}',
            })
            for _ in range(3)
        ]  # fmt: skip

        def end():
            for span in (*spans, root):
                span.end()

        thread = threading.Thread(target=end)
        thread.start()
        thread.join()
        found = seen.attributes("agent")
    assert (found["truegreen.agent.steps"], found["truegreen.agent.repeats"], found["truegreen.agent.loop"]) == (3, 3, True)
