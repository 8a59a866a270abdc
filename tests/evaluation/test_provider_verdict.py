"""Us, them, both or not sure: what each sign does, alone and with others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from truegreen.evaluation.provider import verdict, weights
from truegreen.evaluation.provider.model import Entry, Round, Seen
from truegreen.evaluation.provider.verdict import Sign, fuse
from truegreen.evaluation.provider.weights import Weight

HOUR, DAY = 3_600.0, 86_400.0
ONSET = 100 * DAY
SLACK = 600.0


def whose(*seen: Weight) -> str:
    """The verdict of these signs."""
    return fuse(Sign(weight, "seen") for weight in seen).whose


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ((), "not sure"),
        ((weights.SERVED_CHANGED,), "them"),
        ((weights.SERVED_CHANGED, weights.OURS_SAME), "them"),
        ((weights.FINGERPRINT_CHANGED,), "them"),
        ((weights.OURS_CHANGED, weights.SERVED_SAME), "us"),
        ((weights.OURS_CHANGED,), "us"),
        ((weights.SERVED_CHANGED, weights.OURS_CHANGED), "both"),
        ((weights.PROBES_CHANGED, weights.SERVED_SAME, weights.OURS_CHANGED), "both"),
        ((weights.PROBES_CHANGED, weights.SERVED_SAME), "them"),
        ((weights.SERVED_CHANGED, weights.PROBES_SAME), "not sure"),
        ((weights.FINGERPRINT_CHANGED, weights.PROBES_SAME, weights.OURS_CHANGED), "us"),
        ((weights.RETIRED, weights.SERVED_SAME), "not sure"),
        ((weights.RETIRED, weights.ENTRY_NAMES_MODEL), "them"),
        ((weights.ENTRY_NAMES_MODEL,), "not sure"),
        ((weights.ENTRY,), "not sure"),
        ((weights.SYMPTOM_US, weights.SERVED_SAME, weights.OURS_SAME), "us"),
        ((weights.SYMPTOM_THEM, weights.SERVED_SAME, weights.OURS_SAME), "them"),
        ((weights.SYMPTOM_US, weights.SYMPTOM_THEM), "not sure"),
        ((weights.SERVED_SAME, weights.OURS_SAME), "not sure"),
    ],
)
def test_what_signs_add_up_to(seen: tuple[Weight, ...], said: str) -> None:
    """An announcement alone blames nobody; probes that answer as before take the weight from a new name."""
    assert whose(*seen) == said


def test_a_sign_counts_once_and_the_heaviest_is_said_first() -> None:
    """Ten announcements are not ten times the evidence."""
    once, often = fuse([Sign(weights.ENTRY, "a")]), fuse([Sign(weights.ENTRY, str(i)) for i in range(10)])
    assert (once.them, len(often.signs)) == (often.them, 1)
    fused = fuse([Sign(weights.ENTRY, "openai: x"), Sign(weights.SERVED_CHANGED, "a -> b")])
    assert fused.lines() == (
        "another served model since the onset: a -> b (them +5, us -1)",
        "the provider announced something near the onset: openai: x (them +0.5, us +0)",
    )
    assert fused.because() == "another served model since the onset: a -> b"


def test_every_weight_is_in_the_table_and_moves_what_it_says() -> None:
    """A sign of a change of theirs never speaks for us, and the other way round."""
    named = [value for value in vars(weights).values() if isinstance(value, Weight)]
    assert sorted(w.name for w in named) == sorted(w.name for w in weights.WEIGHTS)
    for weight in weights.WEIGHTS:
        assert not (weight.them > 0 and weight.us > 0)


ROUND = Round(0.0, "same", "openai", "m", 20, 20, 0, 1, (Seen("style", 0.1, 0.5),))


def probed(*rounds: tuple[float, str], model: str = "m") -> str:
    """The sign of rounds at these hours from the onset."""
    made = [replace(ROUND, time=ONSET + hours * HOUR, verdict=said, model=model) for hours, said in rounds]
    found = verdict.of_probes(made, ["m", "m-0613"], ONSET - 300, ONSET + 300, SLACK)
    return found.weight.name if found else ""


@pytest.mark.parametrize(
    ("rounds", "said"),
    [
        ((), ""),
        (((-2, "same"),), ""),
        (((-2, "same"), (1, "same")), "probes_same"),
        (((-2, "same"), (1, "changed")), "probes_changed"),
        (((1, "changed"),), "probes_changed"),
        (((-2, "changed"), (1, "changed")), "probes_elsewhen"),
        (((1, "same"),), ""),
        (((-24 * 9, "same"), (1, "same")), ""),
        (((-2, "same"), (1, "same"), (30, "changed")), "probes_same"),
        (((-2, "same"), (0, "same")), ""),
        (((-2, "same"), (1, "too few")), ""),
    ],
)
def test_rounds_of_probes_speak_of_a_change_between_them(rounds: tuple[tuple[float, str], ...], said: str) -> None:
    """One before and one after; a change of another day is no sign, and one that was there before is said as that."""
    assert probed(*rounds) == said


def test_rounds_of_another_model_say_nothing() -> None:
    """Probes of a small model do not speak for the large one."""
    assert probed((-2, "same"), (1, "changed"), model="small") == ""


def entry(days: float, *models: str, retires: float | None = None) -> Entry:
    """An entry so many days from the onset."""
    stops = None if retires is None else ONSET + retires * DAY
    return Entry("0" * 12, "openai", "change", "news", "", ONSET + days * DAY, models, stops)


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (entry(-0.5, "gpt-4"), ["entry_names_model"]),
        (entry(-0.5, "other"), ["entry"]),
        (entry(-5, "gpt-4"), []),
        (entry(5, "gpt-4"), []),
        (entry(-90, "gpt-4-0613", retires=0), ["retired"]),
        (entry(-90, "gpt-4-0613", retires=3), []),
        (entry(-90, "other", retires=0), []),
    ],
)
def test_announcements_near_the_onset(one: Entry, said: list[str]) -> None:
    """What names the model weighs more; what stops then most."""
    found = verdict.of_entries([one], ["gpt-4-0613"], ONSET, ONSET + 60, SLACK)
    assert [sign.weight.name for sign in found] == said


def test_fourteen_days_back_and_what_stops_now() -> None:
    """The postmortem's part of the changelog."""
    every = [entry(-20), entry(-13), entry(0.5), entry(2), entry(-90, "m", retires=-1)]
    assert [(e.time - ONSET) / DAY for e in verdict.recent(every, ONSET, ONSET + DAY)] == [-90, -13, 0.5]
