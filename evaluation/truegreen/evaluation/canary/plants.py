"""What is planted: one right answer and one wrong one, of a question with its passages."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from truegreen.core.errors import BadInput
from truegreen.core.words.shapes import ReplayRecord
from truegreen.core.words.terms import FAIL, PASS
from truegreen.evaluation.files import Broken, read_replay

RIGHT, WRONG = "planted-right", "planted-wrong"
"""The planted answers' model, by which they are told apart at the far end."""
EXPECTED: Final = {RIGHT: PASS, WRONG: FAIL}
_QUERY: Final = "How long may I return an item that I ordered, and who pays for the parcel?"
_PASSAGES: Final = (
    (
        "Returns. An item may be returned within 30 days of delivery, unused and in its packaging. We pay for the parcel when the item was "
        "damaged or wrong; in all other cases the customer pays for it."
    ),
    "Refunds. The refund is sent to the payment method of the order within 5 working days of the arrival of the parcel.",
)
_RIGHT: Final = (
    "An item may be returned within 30 days of delivery, unused and in its packaging. We pay for the parcel when the item was damaged or "
    "wrong; in all other cases the customer pays for it."
)
_WRONG: Final = (
    "Lieutenant Brockmann crossed the Zambezi twice in 1847 with eleven mules. Cathedral bells from Antwerp weigh 6,400 kilograms. "
    "Nobody repaired the observatory's copper dome until Helsinki hosted the regatta."
)


def built_in() -> tuple[ReplayRecord, ReplayRecord]:
    """A right answer, word for word from its passage, and one that has nothing to do with it."""
    return ReplayRecord(_QUERY, _PASSAGES, _RIGHT, RIGHT), ReplayRecord(_QUERY, _PASSAGES, _WRONG, WRONG)


def from_file(path: Path) -> tuple[ReplayRecord, ReplayRecord]:
    """The first right (`y` 0) and the first wrong (`y` 1) answer of a replay file.

    Raises:
        BadInput: it cannot be read, or one of the two is not in it.
    """
    right = wrong = None
    for record in read_replay(path, Broken()):
        if record.wrong is False and right is None:
            right = ReplayRecord(record.query, record.context, record.answer, RIGHT)
        if record.wrong is True and wrong is None:
            wrong = ReplayRecord(record.query, record.context, record.answer, WRONG)
        if right and wrong:
            return right, wrong
    lacking = "right answer (y 0)" if right is None else "wrong answer (y 1)"
    raise BadInput(f"{path}: has no {lacking}; the canary plants one of each")
