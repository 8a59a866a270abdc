"""What each sign says for and against a change of the provider's and of our own: data.

Two questions are asked apart: did the provider cause it, did we? Each sign moves the log odds of both (natural logarithm of the ratio of the
chances of seeing it where the answer is yes and where it is no; 2.3 is ten to one). The numbers are judgement, not measurement: they say in which
order signs outweigh each other, and a table that a shop mends when its own postmortems disagree is what they are for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PRIOR: Final = -1.0
"""Log odds of each cause before anything was looked at: about one incident in four."""
BOUND: Final = 2.0
"""Log odds from which on a cause is named: seven to one."""


@dataclass(frozen=True, slots=True)
class Weight:
    """One sign: what it is, and how it moves the log odds of `them` and of `us`."""

    name: str
    says: str
    them: float
    us: float


SERVED_CHANGED: Final = Weight("served_changed", "another served model since the onset", 5.0, -1.0)
FINGERPRINT_CHANGED: Final = Weight(
    "fingerprint_changed", "another fingerprint behind the same served model since the onset", 3.5, -0.5
)
SERVED_SAME: Final = Weight("served_same", "the same served models as before", -1.0, 0.0)
PROBES_CHANGED: Final = Weight("probes_changed", "fixed questions are answered otherwise since the onset", 5.0, -1.0)
PROBES_SAME: Final = Weight("probes_same", "fixed questions are answered as before the onset", -4.0, 0.0)
PROBES_ELSEWHEN: Final = Weight(
    "probes_elsewhen", "fixed questions were answered otherwise long before the onset already", 0.0, 0.0
)
ENTRY_NAMES_MODEL: Final = Weight(
    "entry_names_model", "the provider announced something about this model near the onset", 2.0, 0.0
)
ENTRY: Final = Weight("entry", "the provider announced something near the onset", 0.5, 0.0)
RETIRED: Final = Weight("retired", "the provider stopped this model near the onset", 3.5, -0.5)
OURS_CHANGED: Final = Weight("ours_changed", "a component of ours changed near the onset", -1.0, 5.0)
OURS_SAME: Final = Weight("ours_same", "no component of ours changed", 0.0, -3.0)
SYMPTOM_THEM: Final = Weight("symptom_them", "what is seen is what a provider causes", 4.0, -3.5)
SYMPTOM_US: Final = Weight("symptom_us", "what is seen is what we cause", -1.5, 6.0)

WEIGHTS: Final = (
    SERVED_CHANGED, FINGERPRINT_CHANGED, SERVED_SAME, PROBES_CHANGED, PROBES_SAME, PROBES_ELSEWHEN, ENTRY_NAMES_MODEL, ENTRY, RETIRED,
    OURS_CHANGED, OURS_SAME, SYMPTOM_THEM, SYMPTOM_US,
)  # fmt: skip
"""Each counts once, however often it is seen."""
