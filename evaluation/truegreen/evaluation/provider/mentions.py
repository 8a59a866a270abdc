"""Which models an entry speaks of, and when they stop: read from its English words. Pure."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

MOST_TEXT: Final = 100_000
"""Characters of one entry that are looked at."""
MOST_MODELS: Final = 40
_DATED: Final = re.compile(r"\b[a-z][a-z0-9]*(?:[-.:/_][a-z0-9]+)+\b")
_SHORT: Final = re.compile(r"\bo[1-9]\b")
_SPOKEN: Final = re.compile(
    r"\b(gpt|claude|gemini|llama|mistral|command|grok|qwen|phi)[ -](\d+(?:\.\d+)?[a-z]?)"
    r"((?:[ -](?:turbo|mini|nano|pro|flash|opus|sonnet|haiku|instant|large|small))*)(?!-?\w)"
)
_ENDS: Final = re.compile(
    r"\b(deprecat\w*|retir\w*|sunset\w*|shut(?:s|ting)? ?down|shutdown|end[- ]of[- ]life|discontinu\w*|no longer (?:be )?(?:available|served)|turn(?:ed)? off)\b"
)
_NEXT: Final = re.compile(
    r"\b(?:use|using|migrat\w*|switch\w*|replac\w*|instead|recommend\w*|successor|upgrad\w*|move to|favor of|favour of)\b"
)
_MONTHS: Final = {
    name: number
    for number, names in enumerate(
        ("january jan", "february feb", "march mar", "april apr", "may", "june jun", "july jul", "august aug", "september sep sept",
         "october oct", "november nov", "december dec"), start=1)
    for name in names.split()
}  # fmt: skip
_NAME: Final = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DATES: Final = (
    re.compile(r"\b(?P<year>20\d\d)-(?P<month>\d\d)-(?P<day>\d\d)\b(?!-\d)"),
    re.compile(rf"\b(?P<month>{_NAME})\.? (?P<day>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<year>20\d\d)\b"),
    re.compile(rf"\b(?P<day>\d{{1,2}})(?:st|nd|rd|th)? (?P<month>{_NAME})\.?,? (?P<year>20\d\d)\b"),
)
_TAG: Final = re.compile(r"<(?:br|/?(?:p|li|h[1-6]|tr|div))\b[^<>]{0,200}>", re.IGNORECASE)
_ANY_TAG: Final = re.compile(r"<[^<>]{0,1000}>")
_SENTENCE: Final = re.compile(r"(?<=[.!?;])\s+(?=[^\s])|\n+")


def plain(text: str) -> str:
    """HTML as words; each paragraph and list item on a line of its own."""
    return html.unescape(_ANY_TAG.sub(" ", _TAG.sub("\n", text[:MOST_TEXT])))


def models(text: str) -> tuple[str, ...]:
    """Names that look like a model's, lower case, as requests write them: `GPT-4 Turbo` is `gpt-4-turbo`. Sorted."""
    low = text.lower()
    found = {"-".join((family, number, *more.replace("-", " ").split())) for family, number, more in _SPOKEN.findall(low)}
    # "gpt-4 turbo" is not about gpt-4.
    rest = _SPOKEN.sub(lambda match: " " if " " in match[0] else match[0], low)
    found |= {name for name in _DATED.findall(rest) if any(c.isdigit() for c in name)} | set(_SHORT.findall(rest))
    return tuple(sorted(name for name in found if len(name) <= 64)[:MOST_MODELS])


def retirement(text: str, published: float) -> tuple[bool, float | None, tuple[str, ...]]:
    """Whether something is said to end, when, and what.

    The date is the earliest one in such a sentence that lies after `published` (unix seconds); the models are those of such sentences,
    without what stands behind a word that names the successor.
    """
    ends, dates, leaving = False, [], ""
    for sentence in _SENTENCE.split(text.lower()):
        if _ENDS.search(sentence):
            ends = True
            dates += [date for date in _dates(sentence) if date > published]
            leaving += _NEXT.split(sentence, maxsplit=1)[0] + "\n"
    return ends, min(dates, default=None), models(leaving)


def named(entries_models: Iterable[str], model: str) -> bool:
    """Whether a requested or served model is one of those named: the same name, or a dated version of it."""
    wanted = model.lower()
    return any(
        wanted == name or wanted.startswith(f"{name}-20") or re.fullmatch(re.escape(name) + r"-\d{4}", wanted)
        for name in entries_models
    )


def _dates(sentence: str) -> Iterable[float]:
    for pattern in _DATES:
        for found in pattern.finditer(sentence):
            month = found["month"]
            try:
                number = _MONTHS.get(month) or int(month)
                yield datetime(int(found["year"]), number, int(found["day"]), tzinfo=UTC).timestamp()
            except ValueError:
                continue
