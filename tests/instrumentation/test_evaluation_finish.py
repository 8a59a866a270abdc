"""What an evaluator is told of how an answer ended, and an evaluator that says by its settings where it runs."""

from __future__ import annotations

import pytest
from judging import answered, judged_by, verdict

from truegreen.core.words.shapes import Result
from truegreen.evaluation.evaluators import form, wording
from truegreen.instrumentation import notices
from truegreen.instrumentation.settings import Settings
from truegreen.instrumentation.testing import captured

ON = {"judge": {}}


@pytest.mark.parametrize(
    ("attributes", "finish"),
    [
        ({"gen_ai.response.finish_reasons": ("length",)}, ("length",)),
        ({"gen_ai.response.finish_reasons": ("stop", "length")}, ("stop", "length")),
        ({}, ()),
    ],
)
def test_an_evaluator_knows_the_finish_reasons(monkeypatch, attributes, finish):
    """As the span has them."""
    found = []
    judged_by(monkeypatch, lambda sample: found.append(sample.finish) or verdict())
    with captured(Settings(evaluations=ON, rate=1.0)) as seen:
        answered(seen, **attributes)
    assert found == [finish]


def test_an_answer_that_the_provider_cut_fails_without_a_baseline(monkeypatch):
    """From the span's finish reason to its label."""
    judged_by(monkeypatch, form.make_truncated({}, None))
    with captured(Settings(evaluations={"truncated": {}}, rate=1.0)) as seen:
        cut = answered(seen, "cut", **{"gen_ai.response.finish_reasons": ("length",)})
        whole = answered(seen, "whole", **{"gen_ai.response.finish_reasons": ("stop",)})
    name = "truegreen.evaluation.truncated.label"
    assert (cut[name], whole[name]) == ("fail", "pass")


@pytest.mark.parametrize("slow", [True, False])
def test_a_function_of_the_settings_says_whether_an_evaluator_is_slow(monkeypatch, slow):
    """One factory may be fast with one setting and slow with another."""
    judged_by(monkeypatch, lambda sample: verdict(), background=lambda settings: settings["model"] == "large")
    with captured(Settings(evaluations={"judge": {"model": "large" if slow else "small"}}, rate=1.0)) as seen:
        said = answered(seen)
        assert len(seen.events) == slow
    assert ("truegreen.evaluation.judge.deferred" in said) == slow


def test_what_is_shown_only_asks_for_no_baseline(monkeypatch):
    """Confident wording has a number and no verdict, and says why."""
    said = []
    monkeypatch.setattr(notices, "once", lambda key, message, *more: said.append(message))
    judged_by(monkeypatch, wording.make_confident({}, None))
    with captured(Settings(evaluations={"confident_wording": {}}, rate=1.0)) as seen:
        got = answered(seen, text="It is certainly, definitely so.")
    parts = {name.rpartition(".")[2]: got[name] for name in got if name.startswith("truegreen.evaluation.confident_wording.")}
    assert parts == {"raw": 0.25, "score": 0.25, "skipped": "shown_only", "evaluator": "phrases", "sampled": "base"}
    assert not [line for line in said if "baseline" in line]
    judged_by(monkeypatch, lambda sample: Result("tone", "other", raw=0.5))
    with captured(Settings(evaluations={"tone": {}}, rate=1.0)) as seen:
        answered(seen, text="So it is.")
    assert [line for line in said if "no baseline" in line and "tone" in line]
