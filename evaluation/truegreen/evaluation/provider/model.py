"""An entry of a provider's changelog, a probe and what a round of probes found. No I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

CHANGE: Final = "change"
DEPRECATION: Final = "deprecation"

CHANGED: Final = "changed"
SAME: Final = "same"
TOO_FEW: Final = "too few"

MODEL: Final = re.compile(r"[a-z0-9._:/@-]{1,64}")
"""A model's name in an entry: it is printed, and becomes a label, a line of a postmortem and a row of a board."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a changelog.

    Args:
        id: 12 hex digits, of the provider and what the feed calls the entry.
        kind: `change` or `deprecation`.
        time: when it was published, unix seconds; when it was first read, where the feed does not say.
        models: the models that it names, as they are written in requests.
        retires: when those models stop, unix seconds; None where it says no date.
        source: the feed.
    """

    id: str
    provider: str
    kind: str
    title: str
    link: str
    time: float
    models: tuple[str, ...] = ()
    retires: float | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class Probe:
    """One fixed question to a provider, with the answers that it gave when all was well."""

    id: str
    prompt: str
    references: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """How far the answers of now lie from the references, by one measure: the statistic and its permutation p."""

    by: str
    distance: float
    p: float


@dataclass(frozen=True, slots=True)
class Round:
    """What one round of probes found; answers are not in it.

    Args:
        time: unix seconds.
        verdict: `changed`, `same`, or `too few` where no result could have been significant.
        found: one line for each measure, p adjusted for their number (Holm).
        model: as it was asked for; `served` and `fingerprints` as the provider answered.
        calls: requests that were sent; `failed` of them got no answer.
        seed: of the permutations.
    """

    time: float
    verdict: str
    provider: str
    model: str
    probes: int
    calls: int
    failed: int
    seed: int
    found: tuple[Seen, ...] = ()
    served: tuple[str, ...] = ()
    fingerprints: tuple[str, ...] = ()
