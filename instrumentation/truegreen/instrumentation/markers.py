"""Marks on an answer that its wording alone gives away. Word lists, English; shown, and never paged on."""

from __future__ import annotations

import re
from collections.abc import Iterable

REFUSALS = (
    "i can't help", "i cannot help", "i can't assist", "i cannot assist", "i'm unable to", "i am unable to", "i'm not able to", "i am not able to",
    "i can't answer", "i cannot answer", "i can't provide", "i cannot provide", "i won't be able to", "i must decline", "i don't have enough information",
    "i do not have enough information", "i'm sorry, but i can", "as an ai",
)  # fmt: skip
"""An answer is a `refusal` when one of these stands in its first 200 characters."""
CONFIDENT = (
    "certainly", "definitely", "absolutely", "without a doubt", "undoubtedly", "guaranteed", "100%", "of course", "always", "never", "for sure",
    "there is no question",
)  # fmt: skip
HEDGES = (
    "might",
    "may",
    "could",
    "perhaps",
    "possibly",
    "probably",
    "likely",
    "i think",
    "it seems",
    "not sure",
    "appears to",
    "generally",
    "usually",
)
"""An answer is `overconfident` when it has a confident phrase and no hedge. It does not predict a wrong answer."""
CUT = frozenset({"length", "max_tokens", "MAX_TOKENS", "max_output_tokens"})
"""Finish reasons that make an answer `truncated`."""


LONGEST = 24_000
"""The wording of so many characters is looked at: the time is bounded whatever the answer is."""


def _has(text: str, phrases: Iterable[str]) -> bool:
    """Whether a phrase stands in the text as words of its own; a plain search first, for it is twenty times as fast as a pattern."""
    return any(phrase in text and re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", text) for phrase in phrases)


def markers(answer: str, finish_reasons: Iterable[str]) -> tuple[str, ...]:
    """The markers of an answer, of `overconfident, refusal, empty, truncated`, in that order."""
    text = answer.strip()[:LONGEST].lower().replace("\u2019", "'")
    found = []
    if _has(text, CONFIDENT) and not _has(text, HEDGES):
        found.append("overconfident")
    start = text[:200]
    if any(phrase in start for phrase in REFUSALS):
        found.append("refusal")
    if not text:
        found.append("empty")
    if CUT.intersection(finish_reasons):
        found.append("truncated")
    return tuple(found)
