"""A flag file as a hand writes it: what JSON has a type for is obeyed where it makes sense, and is said once where it does not."""

from __future__ import annotations

import json

import pytest

from truegreen import containment
from truegreen.containment import flags
from truegreen.containment.caching import Entry, Memory
from truegreen.containment.model import FLAGS
from truegreen.instrumentation import failures


def _natural(tmp_path, monkeypatch, **values):
    """A flag file with these values."""
    made = {name: {"state": "ENABLED", "variants": {"on": value}, "defaultVariant": "on"} for name, value in values.items()}
    file = tmp_path / "flags.json"
    file.write_text(json.dumps({"flags": made}))
    monkeypatch.setenv(flags.VARIABLE, str(file))


def test_numbers_booleans_and_objects_are_as_good_as_strings_where_the_flag_is_of_that_kind(tmp_path, monkeypatch, caplog):
    """In flagd's own file."""
    rollout = {"component": "model", "to": "n", "percent": 100}
    _natural(tmp_path, monkeypatch, reduced_context=3, cached_response=1.5, strict_guardrail=True, rollout=rollout)
    store = Memory()
    store.put("q", Entry(1.0, "kept"))
    assert containment.context(list(range(8))) == [0, 1, 2]
    assert containment.cached("q", lambda: "new", store=store) == "kept"
    assert containment.guardrail() == "strict"
    assert containment.rollout("model", "m", "user").version == "n"
    assert (caplog.records, failures.counted()) == ([], {})


@pytest.mark.parametrize("value", [True, 3, 3.5, {"a": 1}, ["a"], None])
def test_a_value_of_a_wrong_type_switches_nothing_and_is_said_once(tmp_path, monkeypatch, caplog, value):
    """No user reads `True`, and no provider is asked for model `3`."""
    _natural(tmp_path, monkeypatch, degraded_mode=value, pinned_model=value)
    for _ in range(2):
        assert containment.degraded() == ""
        with containment.model("m") as model:
            assert model == "m"
    said = [record.getMessage() for record in caplog.records if record.name == "truegreen"]
    assert [("flag degraded_mode" in each, "nothing is switched" in each) for each in said].count((True, True)) == 1
    assert len(said) == 2


def test_false_is_off_for_every_flag_and_says_nothing(tmp_path, monkeypatch, caplog):
    """As the empty string is."""
    _natural(tmp_path, monkeypatch, **dict.fromkeys(FLAGS, False))
    assert (containment.degraded(), containment.guardrail(), containment.feature("x")) == ("", "normal", True)
    assert containment.context([1, 2]) == [1, 2]
    assert (caplog.records, failures.counted()) == ([], {})


def test_a_flag_whose_default_variant_is_missing_is_said_once(tmp_path, monkeypatch, caplog):
    """With what the provider says of it."""
    _natural(tmp_path, monkeypatch, degraded_mode="sorry")
    file = tmp_path / "flags.json"
    file.write_text(file.read_text().replace('"defaultVariant": "on"', '"defaultVariant": "yes"'))
    assert [containment.degraded() for _ in range(2)] == ["", ""]
    (said,) = [record.getMessage() for record in caplog.records if record.name == "truegreen"]
    assert "flag degraded_mode: it cannot be read" in said


def test_a_number_that_has_expired_is_off(flagged):
    """Also where it is no string."""
    from openfeature import api
    from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider

    flagged()
    api.set_provider(InMemoryProvider({"reduced_context": InMemoryFlag("on", {"on": 1}, {"expires_unix": 1_000.0})}))
    assert [flags.string("reduced_context", clock=lambda at=at: at) for at in (999.0, 1_000.0)] == ["1", ""]
