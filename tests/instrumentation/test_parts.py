"""The parts on their own: settings, sampling, calibrations, passages, snapshots, markers, the generated settings."""

from __future__ import annotations

import contextvars
import json
import os
import random
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from truegreen.core.config import load as load_config
from truegreen.core.words.calibration import Calibration, file_name, to_text
from truegreen.core.words.shapes import Sample
from truegreen.instrumentation import context, documents, generate, notices, snapshot
from truegreen.instrumentation.calibrations import Calibrations
from truegreen.instrumentation.evaluate import Evaluators
from truegreen.instrumentation.markers import markers
from truegreen.instrumentation.passages import CHARACTERS, PASSAGES, TRACES, Passages, Store
from truegreen.instrumentation.sampling import chosen
from truegreen.instrumentation.settings import Settings, load
from truegreen.instrumentation.testing import FakeEvaluator
from truegreen.instrumentation.text import Messages, Text

CALIBRATION = Calibration(
    "app", "prod", "groundedness", "fake", "relative", 0.5, tuple(i / 100 for i in range(101)), 0.05, 1.0, 600, "2026-01-01"
)


@pytest.fixture(autouse=True)
def _silence():
    notices.close()
    yield
    notices.close()


# --- settings ---


def test_without_file_and_variables_everything_is_evaluated():
    """The defaults."""
    assert load({}) == Settings()
    assert load({}).rate_of("groundedness") == 1.0


def test_variables_win_over_the_file_and_the_file_over_the_defaults(tmp_path):
    """In this order, component by component."""
    path = tmp_path / "truegreen.json"
    path.write_text(json.dumps({
        "version": 1, "sampling": {"groundedness": 0.2}, "evaluations": {"groundedness": {"words": 7}}, "cohorts": {"attribute": "user.plan"},
        "snapshot": {"prompt": "p@1", "guardrail": "g@1"}, "calibration": "cal",
    }))  # fmt: skip
    from_file = load({"TRUEGREEN_CONFIG": str(path)})
    assert from_file == Settings(
        sampling={"groundedness": 0.2},
        evaluations={"groundedness": {"words": 7}},
        cohort_attribute="user.plan",
        snapshot={"prompt": "p@1", "guardrail": "g@1"},
        calibration=tmp_path / "cal",
    )
    told = load({
        "TRUEGREEN_CONFIG": str(path), "TRUEGREEN_SAMPLING": "5%", "TRUEGREEN_CALIBRATION": "/c", "TRUEGREEN_SNAPSHOT_PROMPT": "p@2",
    })  # fmt: skip
    assert told.rate_of("groundedness") == 0.05
    assert told.calibration == Path("/c")
    assert told.snapshot == {"prompt": "p@2", "guardrail": "g@1"}


def test_the_file_that_truegreen_generate_app_writes_is_read_as_the_configuration_says(tmp_path):
    """From YAML through the generator to the application; and the YAML itself where there is a reader for it."""
    source = tmp_path / "truegreen.yaml"
    source.write_text("sampling: 25%\ncohorts: {attribute: user.plan}\nsnapshot: {guardrail: g1}\n")
    made = generate.files(load_config(source, {}), 1)
    path = tmp_path / generate.FILE
    path.write_text(made.files[generate.FILE])
    by_json, by_yaml = load({"TRUEGREEN_CONFIG": str(path)}), load({"TRUEGREEN_CONFIG": str(source)})
    for settings in (by_json, by_yaml):
        assert settings.rate_of("groundedness") == 0.25
        assert (settings.cohort_attribute, settings.snapshot, settings.calibration) == (
            "user.plan",
            {"guardrail": "g1"},
            tmp_path / "calibration",
        )
        assert settings.problems == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "cannot be read"), ("{", "cannot be read"), ("[]", "found list"), ('{"version": 1, "sampling": {"groundedness": 5}}', "sampling.groundedness: found 5"),
        ('{"snapshot": {"colour": "x"}}', "snapshot.colour"), ('{"evaluations": 3}', "evaluations: found int"), ('{"evaluations": {"groundedness": {"words": "many"}}}', "words: found 'many'"), ('{"snapshot": []}', None), ('{"snapshot": "x"}', "snapshot: found str"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_named_and_its_default_used(tmp_path, text, says):
    """An application must start all the same."""
    path = tmp_path / "truegreen.json"
    if text is not None:
        path.write_text(text)
    settings = load({"TRUEGREEN_CONFIG": str(path)})
    assert settings.rate_of("groundedness") == 1.0
    assert settings.evaluations == {"groundedness": {}}
    assert (says is None and settings.problems == ()) or any(says in p for p in settings.problems)


@pytest.mark.parametrize("text", ["0.05", "150%", "many", "-1%", "nan"])
def test_a_sampling_variable_that_could_mean_two_things_is_refused(text):
    """As in truegreen.yaml."""
    settings = load({"TRUEGREEN_SAMPLING": text})
    assert settings.rate_of("groundedness") == 1.0
    assert "TRUEGREEN_SAMPLING" in settings.problems[0]


# --- sampling ---


def test_the_sample_is_the_same_for_a_trace_and_of_the_size_asked_for():
    """20,000 trace ids from seed 1: within five standard deviations."""
    traces = [random.Random(1).getrandbits(128) for _ in range(1)] + [random.Random(i).getrandbits(128) for i in range(20_000)]
    picked = [chosen(t, "groundedness", 0.05) for t in traces]
    assert picked == [chosen(t, "groundedness", 0.05) for t in traces]
    assert abs(sum(picked) / len(picked) - 0.05) < 5 * (0.05 * 0.95 / len(picked)) ** 0.5


def test_the_sample_does_not_follow_the_bits_that_a_head_sampler_uses():
    """Behind a 10 % head sampler, which keeps small low bits, 5 % are still 5 % of what is kept."""
    kept = [t for t in (random.Random(i).getrandbits(128) for i in range(100_000)) if (t & ((1 << 64) - 1)) < 0.1 * (1 << 64)]
    share = sum(chosen(t, "groundedness", 0.05) for t in kept) / len(kept)
    assert abs(share - 0.05) < 5 * (0.05 * 0.95 / len(kept)) ** 0.5


@given(st.integers(1, (1 << 128) - 1), st.floats(0, 1), st.floats(0, 1))
def test_a_higher_rate_keeps_what_a_lower_one_keeps(trace, one, other):
    """So that raising a rate loses nothing."""
    low, high = sorted((one, other))
    assert chosen(trace, "e", high) or not chosen(trace, "e", low)
    assert chosen(trace, "e", 1.0)
    assert not chosen(trace, "e", 0.0)


def test_two_evaluations_look_at_samples_of_their_own():
    """The hash is salted with the name: else every evaluation would look at the same few answers."""
    traces = [random.Random(i).getrandbits(128) for i in range(5_000)]
    both = sum(chosen(t, "groundedness", 0.1) and chosen(t, "politeness", 0.1) for t in traces)
    assert both < 0.03 * len(traces)


# --- calibrations ---


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def _write(path, calibration, when):
    path.write_text(calibration if isinstance(calibration, str) else to_text(calibration))
    os.utime(path, (when, when))


def test_a_new_calibration_is_in_use_a_second_later_and_a_broken_one_never(tmp_path, caplog):
    """Looked at once a second; the last good one stays, with one warning for each broken file."""
    clock = Clock()
    calibrations = Calibrations(tmp_path, clock)
    path = tmp_path / file_name("app", "prod", "groundedness")
    assert calibrations.get("app", "prod", "groundedness") is None
    _write(path, CALIBRATION, 100)
    clock.now = 0.9
    assert calibrations.get("app", "prod", "groundedness") is None
    clock.now = 1.0
    assert calibrations.get("app", "prod", "groundedness") == CALIBRATION
    second = replace(CALIBRATION, floor=0.7)
    _write(path, second, 200)
    clock.now = 2.0
    assert calibrations.get("app", "prod", "groundedness") == second
    for clock.now, broken in ((3.0, "{"), (4.0, "{"), (5.0, "{")):
        _write(path, broken, 300)
        assert calibrations.get("app", "prod", "groundedness") == second
    assert sum("last good one stays" in r.getMessage() for r in caplog.records) == 1
    path.unlink()
    clock.now = 6.0
    assert calibrations.get("app", "prod", "groundedness") == second


def test_services_and_environments_have_calibrations_of_their_own(tmp_path):
    """One file each."""
    _write(tmp_path / file_name("app", "prod", "groundedness"), CALIBRATION, 1)
    calibrations = Calibrations(tmp_path, Clock())
    assert calibrations.get("app", "prod", "groundedness") == CALIBRATION
    assert calibrations.get("app", "staging", "groundedness") is None
    assert calibrations.get("other", "prod", "groundedness") is None


# --- passages ---


@given(st.lists(st.lists(st.integers(0, CHARACTERS * 2), max_size=5), max_size=60))
def test_the_passages_of_a_request_are_bounded_and_the_newest_stay(batches):
    """Whatever an application hands over."""
    kept = Passages()
    for batch in batches:
        kept.add("x" * size for size in batch)
    texts = kept.texts()
    assert len(texts) <= PASSAGES
    assert kept.characters == sum(map(len, texts)) <= CHARACTERS
    flat = [size for batch in batches for size in batch]
    if flat:
        assert len(texts[-1]) == min(flat[-1], CHARACTERS)


def test_the_store_keeps_a_bounded_number_of_traces_and_characters():
    """A trace whose root never ends is forgotten in the end."""
    store = Store()
    for trace in range(1, TRACES + 11):
        store.add(trace, ["p"])
    assert len(store) == TRACES
    assert store.of(1) == ((), "")
    assert store.of(TRACES + 10) == (("p",), "")
    for trace in range(1, 400):
        store.add(trace, ["x" * CHARACTERS])
    assert len(store) < 250
    store.add(0, ["nowhere"])
    assert store.of(0) == ((), "")


# --- snapshots ---


def test_the_id_is_over_the_five_that_serve_only():
    """A changelog entry or a new evaluation set is no deploy."""
    base = {"model": "m", "prompt": "p@1", "retrieval_index": "i", "tool_schema": "t", "guardrail": "g"}
    same = snapshot.digest(base | {"eval_dataset": "e2", "provider_changelog": "c9"})
    assert same == snapshot.digest(base)
    assert len({snapshot.digest(base | {k: "other"}) for k in base} | {same}) == 6


def test_since_is_when_this_process_first_served_a_snapshot():
    """Also after another has served in between."""
    snapshots = snapshot.Snapshots()
    first = snapshots.of({"model": "a"}, 100_500_000_000)
    second = snapshots.of({"model": "b"}, 200_000_000_000)
    again = snapshots.of({"model": "a", "eval_dataset": "e"}, 300_000_000_000)
    assert [made.attributes["truegreen.snapshot.since"] for made in (first, second, again)] == [100, 200, 100]
    assert first.identity == again.identity != second.identity


def test_a_prompt_is_named_by_text_or_by_a_langfuse_object():
    """`name@version`."""
    assert snapshot.version_of("support@3") == "support@3"
    assert snapshot.version_of(SimpleNamespace(name="support", version=4)) == "support@4"
    assert snapshot.version_of(None) == ""


# --- markers and text ---


@pytest.mark.parametrize(
    ("answer", "finishes", "expected"),
    [
        ("Certainly, within 90 days.", (), ("overconfident",)), ("Certainly, but it may differ.", (), ()), ("I’m sorry, but I can't help with that.", (), ("refusal",)),
        ("  ", (), ("empty",)), ("The return window", ("length",), ("truncated",)), ("Within 30 days.", ("stop",), ()), ("The uncertainly worded text.", (), ()),
    ],
)  # fmt: skip
def test_markers_are_found_by_wording_and_finish(answer, finishes, expected):
    """Documented word lists, whole words."""
    assert markers(answer, finishes) == expected


def test_text_is_read_from_objects_and_from_json_alike():
    """The last user message is the query; reasoning is not part of the answer."""
    part = lambda kind, content: {"type": kind, "content": content}  # noqa: E731
    inputs = [
        {"role": "user", "parts": [part("text", "old")]},
        {"role": "system", "parts": [part("text", "sys")]},
        {"role": "user", "parts": [part("text", "q")]},
    ]
    outputs = [{"role": "assistant", "parts": [part("reasoning", "hm"), part("text", "a"), part("text", "b")]}]
    by_json = Text(messages=[Messages(inputs, outputs)])
    objects = lambda ms: [SimpleNamespace(role=m["role"], parts=[SimpleNamespace(**p) for p in m["parts"]]) for m in ms]  # noqa: E731
    by_object = Text(messages=[Messages(objects(inputs), objects(outputs))])
    for text in (by_json, by_object):
        assert (text.query, text.answer, text.system, text.tools) == ("q", "a\nb", "sys", False)
    assert Text(messages=[Messages(None, [{"role": "assistant", "parts": [{"type": "tool_call", "name": "f"}]}])]).tools
    assert Text(messages=[Messages()]).answer is None


# --- names of calibration files ---

PARTS = st.text(st.sampled_from("aB1._-%/é "), max_size=5)


@given(st.tuples(PARTS, PARTS, PARTS), st.tuples(PARTS, PARTS, PARTS))
def test_no_two_calibrations_have_the_same_file(one, other):
    """Also those whose names hold the separator or what is not allowed in a file's name."""
    assert (file_name(*one) == file_name(*other)) == (one == other)
    assert re.fullmatch(r"[A-Za-z0-9._%-]+", file_name(*one))


def test_ordinary_names_stay_readable_in_a_file_name():
    """So that an operator finds it."""
    assert file_name("support-bot.v2", "prod-eu", "answer_relevance") == "support-bot.v2__prod-eu__answer_relevance.json"
    assert file_name("a__b", "c", "_d") == "a%5F%5Fb__c__%5Fd.json"


@pytest.mark.parametrize(
    "changed", [{"service": "other"}, {"environment": "staging"}, {"signal": "tone"}], ids=lambda c: next(iter(c))
)
def test_a_calibration_that_was_taken_for_something_else_is_refused(tmp_path, caplog, changed):
    """A file that was copied or renamed leaves the last good one in use, with one notice that says what it is."""
    clock = Clock()
    calibrations = Calibrations(tmp_path, clock)
    path = tmp_path / file_name("app", "prod", "groundedness")
    _write(path, CALIBRATION, 100)
    assert calibrations.get("app", "prod", "groundedness") == CALIBRATION
    _write(path, replace(CALIBRATION, floor=0.9, **changed), 200)
    for clock.now in (1.0, 2.0):
        assert calibrations.get("app", "prod", "groundedness") == CALIBRATION
    ((key, value),) = changed.items()
    assert [r.getMessage() for r in caplog.records if f"{key}: found {value!r}" in r.getMessage()] != []
    assert sum("last good one stays" in r.getMessage() for r in caplog.records) == 1


def test_a_calibration_by_another_evaluator_judges_nothing(tmp_path, caplog):
    """A number of one evaluator has no place on the scale of another."""
    _write(tmp_path / file_name("app", "prod", "groundedness"), replace(CALIBRATION, evaluator="other"), 1)
    fake = FakeEvaluator()
    evaluators = Evaluators(Settings(), Calibrations(tmp_path, Clock()), fake.find)
    got = evaluators.judge("groundedness", "app", "prod", Sample("q", "a", ("p",)))
    assert (got.raw, got.skipped, got.label, got.score) == (0.9, "no_baseline", "", None)
    assert "by evaluator 'other'" in caplog.text


# --- documents ---


def test_documents_are_read_as_retrievers_give_them(caplog):
    """LangChain's documents and its pairs, numbers of numpy, mappings; what is no document is left out alone, with a notice."""
    langchain, llama = SimpleNamespace(page_content="a", id="1"), SimpleNamespace(text="b", score=np.float32(0.5))
    hits = [
        langchain,
        (langchain, np.float64(0.25)),
        llama,
        "c",
        {"text": "d", "score": 1},
        {"text": "e", "score": float("nan")},
        None,
    ]
    found = documents.read(hits)
    assert [(d.text, d.score, d.id) for d in found] == [
        ("a", None, "1"),
        ("a", 0.25, "1"),
        ("b", 0.5, None),
        ("c", None, None),
        ("d", 1.0, None),
        ("e", None, None),
    ]
    assert "a document of type NoneType was left out" in caplog.text
    got = documents.relevance(found, 0.4, listed=False)
    assert got == {
        "truegreen.retrieval.documents.count": 6,
        "truegreen.retrieval.relevance.scores": [0.25, 0.5, 1.0],
        "truegreen.retrieval.relevance.max": 1.0,
        "truegreen.retrieval.relevance.mean": 1.75 / 3,
        "truegreen.retrieval.relevance.below_floor": 1,
    }


@pytest.mark.parametrize("text", ["You are\na bot.", "x" * 129, "You are a bot and you answer from documents only."])
def test_a_prompt_that_is_a_text_is_hashed(text, caplog):
    """Prompts never go on spans."""
    got = snapshot.version_of(text)
    assert got.startswith("system:")
    assert len(got) == len("system:") + 12
    assert "keeps its hash only" in caplog.text
    assert snapshot.version_of(SimpleNamespace(name=text, version=1)).startswith("system:")


# --- passages without a trace ---


def test_passages_wait_five_minutes_for_their_answer_and_no_longer():
    """Those of a request that never got to its call must not judge a later one."""
    clock = Clock()

    def wait():
        context.leave(["p"], "q", clock)
        clock.now = 299.9
        assert context.waiting(clock).texts() == ("p",)
        clock.now = 300.0
        assert context.waiting(clock) is None
        context.leave(["new"], "q", clock)
        assert context.waiting(clock).texts() == ("new",)

    contextvars.Context().run(wait)


def test_snapshots_are_bounded():
    """An application that makes model names by the request must not grow."""
    snapshots = snapshot.Snapshots()
    for n in range(snapshot.KEPT + 5):
        snapshots.served(f"asked {n}", "served")
        snapshots.of({"model": f"m{n}"}, n)
    assert [len(kept) for kept in (snapshots._made, snapshots.models, snapshots._since)] == [snapshot.KEPT] * 3
