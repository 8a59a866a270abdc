"""What is known of a guardrail's decisions. Frozen, no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

VERDICTS: Final = {
    "true_positive": (True, False),
    "false_positive": (True, True),
    "true_negative": (False, False),
    "false_negative": (False, True),
}
"""A review's word: whether the decision was a block, and whether it was wrong."""


@dataclass(frozen=True, slots=True)
class Review:
    """One reviewer's word on one decision.

    Args:
        decision: which one; reviews of the same decision belong together.
        blocked: whether the guardrail blocked.
        wrong: whether the reviewer says that this was wrong.
        reviewer: who; empty when unknown.
        session: empty when unknown.
        rate: the share, 1e-9 to 1, of such decisions that were reviewed; None when unknown.
        time: Unix seconds, None when unknown.
    """

    guardrail: str
    decision: str
    blocked: bool
    wrong: bool
    reviewer: str = ""
    session: str = ""
    rate: float | None = None
    time: float | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """One reviewed decision: what its reviewers say together.

    Args:
        wrong: None where they disagree and none of the two words has more voices.
        voices: how many reviewed it.
        weight: 1 / rate; 1 when unknown.
    """

    blocked: bool
    wrong: bool | None
    voices: int
    session: str
    weight: float
    time: float | None


@dataclass(frozen=True, slots=True)
class Share:
    """A share, 0 to 1, with its 95 % interval; `value` is None where nothing was reviewed."""

    value: float | None
    low: float
    high: float

    @property
    def other(self) -> Share:
        """The share of the rest."""
        return Share(None if self.value is None else 1 - self.value, 1 - self.high, 1 - self.low)


@dataclass(frozen=True, slots=True)
class Side:
    """The blocks, or the passes, of one guardrail.

    Args:
        reviewed: decisions, not reviews; of them `wrong` are wrong and on `disputed` the reviewers disagree.
        total: all such decisions, reviewed or not; None when unknown.
        share: of such decisions that are wrong; its interval holds both readings.
        readings: the same where disputes are read as right, and where they are read as wrong.
        spread: the relative standard error of `total` where it was reckoned from the rates of reviews; 0 where it was counted.
    """

    reviewed: float
    wrong: float
    disputed: float
    total: float | None
    share: Share
    readings: tuple[Share, Share]
    spread: float = 0.0


@dataclass(frozen=True, slots=True)
class Measured:
    """One guardrail.

    Args:
        over: share of the harmless inputs that are blocked; None where the numbers of all blocks and passes are unknown.
        under: share of the harmful inputs that pass; None with it.
        decisions: share of all decisions that are wrong; None with it.
    """

    guardrail: str
    blocks: Side
    passes: Side
    over: Share | None
    under: Share | None
    decisions: Share | None
