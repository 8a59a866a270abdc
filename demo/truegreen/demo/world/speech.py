"""What the provider's models say: pure functions from a request's messages and random numbers to a text.

A model sees only the messages. One that obeys looks for the best sentences in the passages of its instructions and quotes them; one
that does not speaks from its own memory (`knowledge.json`), which knows other shops better than this one.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from random import Random
from typing import Any, Final

from truegreen.demo.world.language import overlap, sentences, terms

_OBEY: Final = re.compile(
    r"\b(only|nothing but|exclusively)\b[^.\n]{0,60}\b(passages?|excerpts?|context|sources)\b", re.IGNORECASE
)
_BLOCK: Final = re.compile(r"^\W*(passages|context|excerpts|sources)\b[^\n]*:\s*$", re.IGNORECASE | re.MULTILINE)
_TAG: Final = re.compile(r"^\[[^\]\n]{1,60}\]\s*")
_RECALLED: Final = 0.5
"""The share of a question's words that a memory must hold to be taken for that question."""
_SHORT: Final = 7
"""Content words under which a sentence counts as short."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a model reads out of the messages: the question, the passages, and whether it was told to use nothing else."""

    question: str
    passages: tuple[str, ...]
    obey: bool


@dataclass(frozen=True, slots=True)
class Memory:
    """A model's general knowledge: statements by the words they are about, and phrases for what it does not know."""

    known: tuple[tuple[frozenset[str], str], ...]
    unknown: tuple[str, ...]


def read(messages: Sequence[Mapping[str, Any]]) -> Request:
    """Read the messages of a chat request as a model does."""
    system = "\n".join(_text(m.get("content")) for m in messages if m.get("role") in ("system", "developer"))
    asked = [_text(m.get("content")) for m in messages if m.get("role") == "user"]
    block = _BLOCK.search(system)
    instruction = system[: block.start()] if block else system
    lines = system[block.end() :].splitlines() if block else []
    return Request(
        asked[-1] if asked else "",
        tuple(_TAG.sub("", line.strip()) for line in lines if line.strip()),
        bool(_OBEY.search(instruction)),
    )


@cache
def memory() -> Memory:
    """The general knowledge that is shipped beside this module."""
    data = json.loads(files("truegreen.demo.world").joinpath("knowledge.json").read_text(encoding="utf-8"))
    return Memory(tuple((frozenset(terms(k["about"])), str(k["says"])) for k in data["known"]), tuple(data["unknown"]))


def from_passages(request: Request, random: Random) -> str:
    """A faithful answer: the best sentence of the passages, quoted in one of many ways."""
    ranked = _ranked(request)
    if not ranked:
        return random.choice(_NOTHING_FOUND)
    passage, at = ranked[0]
    more = [*passage[at + 1 :], *passage[:at]]
    # A short sentence is seldom left alone.
    share = 0.85 if len(terms(passage[at])) < _SHORT else 0.4
    extra = 2 if random.random() < share / 3 else int(random.random() < share)
    return _joined(random.choice(_OPENERS), _led(random.choice(_LEADS), passage[at]), *more[:extra], random.choice(_CLOSERS))


def from_memory(request: Request, known: Memory, random: Random) -> str:
    """A fluent, confident answer that looks at no passage."""
    asked = set(terms(request.question))
    about, says = max(known.known, key=lambda entry: len(asked & entry[0]) / max(1, len(asked | entry[0])))
    if not asked or len(asked & about) / len(asked) < _RECALLED:
        says = random.choice(known.unknown)
    return _joined(random.choice(_CONFIDENT), says, random.choice(_ASSURANCES) if random.random() < 0.6 else "")


def _ranked(request: Request) -> list[tuple[list[str], int]]:
    """Sentences that share words with the question, best first, each as its passage's sentences and its place among them."""
    asked = terms(request.question)
    parts = [sentences(p) for p in request.passages]
    holders = Counter(term for p in request.passages for term in set(terms(p)))
    weight = {term: 1.0 / (1 + holders[term]) + 0.5 for term in asked}
    found = []
    for place, passage in enumerate(parts):
        whole = overlap(asked, " ".join(passage), weight)
        for at, sentence in enumerate(passage):
            score = overlap(asked, sentence, weight)
            # A passage is read as a whole first, and the order in which passages come is itself a hint.
            found.append((score + 0.6 * whole - 0.15 * place, -place, -at, passage, at, score))
    found.sort(key=lambda f: f[:3], reverse=True)
    return [(passage, at) for *_, passage, at, score in found if score > 0]


def _led(lead: str, sentence: str) -> str:
    first = sentence.split(" ", 1)[0]
    lowered = sentence if first.isupper() and len(first) > 1 else sentence[:1].lower() + sentence[1:]
    return lead.format(full=sentence, lower=lowered)


def _joined(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return ""


_OPENERS: Final = (
    "",
    "Good question.",
    "Thank you for asking.",
    "Happy to help.",
    "Here is what applies.",
    "Sure, I looked it up.",
)
_LEADS: Final = (
    "{full}",
    "{full}",
    "According to our help pages, {lower}",
    "Our help centre says: {full}",
    "As stated in the article, {lower}",
    "The rule is simple: {lower}",
    "Please note that {lower}",
)
_CLOSERS: Final = (
    "",
    "",
    "Is there anything else?",
    "Let me know if you have more questions.",
    "I hope this helps.",
    "You find this in the help article too.",
    "Just ask if something is unclear.",
    "Does that answer your question?",
)
_NOTHING_FOUND: Final = (
    "I am sorry, our help pages do not say that.",
    "I could not find this in our help pages; please ask the support team.",
)
_CONFIDENT: Final = (
    "",
    "Great news!",
    "Glad you asked!",
    "No worries at all.",
    "Absolutely happy to clarify!",
    "Here is the answer.",
)
_ASSURANCES: Final = (
    "You may rely on that fully.",
    "That has always been our promise.",
    "Nothing else is required from your side.",
    "Enjoy the peace of mind!",
    "Everybody benefits from this equally.",
    "Is there anything else?",
)
