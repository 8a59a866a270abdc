"""English text as words, stems, numbers and sentences: every pattern is linear in the length of the text."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Final

_LETTER = r"[^\W\d_]"
_WORD: Final = re.compile(rf"{_LETTER}+(?:['’]{_LETTER}+)*|\d+(?:[.,]\d+)*")
_NUMBERING: Final = re.compile(r"^[ \t]*\(?\d{1,3}[.)](?=[ \t])", re.MULTILINE)
_SENTENCE_END: Final = re.compile(r"(?<=[.!?])[\"'”’)\]]*\s+(?=[A-ZÀ-ÖØ-Þ0-9\"'“‘(\[*•–-])|\n+")
_SUFFIXES: Final = ("ies", "ing", "es", "ed", "ly", "s")
_STEM_LETTERS: Final = 4
_WORD_LETTERS: Final = 40
SENTENCE_WORDS: Final = 3
"""Pieces with fewer words are no sentence: headings, bullets, "Yes."."""

STOP_WORDS: Final = frozenset(
    """
    a about above according actually after again against all almost also although always am among an and another any are aren't around as
    at based be because been before being below between both but by can can't cannot could couldn't did didn't do does doesn't doing don't
    done down due during each either etc even ever every few first following for from further generally get given gives go goes had hadn't
    has hasn't have haven't having he her here hers herself him himself his how however i if i'm i've in include included includes
    including information instead into is isn't it it's its itself just like likely may maybe me might more most mostly much must my myself
    near need no nor not of off often on once one only onto or other others otherwise our ours ourselves out over own passage passages per
    perhaps provide provided provides quite rather really s said same say says see several shall she should shouldn't since so some such
    t than that that's the their theirs them themselves then there there's therefore these they they're this those though through thus to
    too toward towards under unless until up upon us use used using usually various very via was wasn't we well were weren't what when
    where whether which while who whom whose why will with within without won't would wouldn't yes yet you you're your yours yourself
    yourselves
    """.split()  # noqa: SIM905 (a page of words reads better than a list of literals)
)

_UNITS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
NUMBER_WORDS: Final = {
    **{word: str(value) for value, word in enumerate(_UNITS.split())},
    **{word: str(10 * value) for value, word in enumerate(_TENS.split(), start=2)},
    "hundred": "100", "thousand": "1000", "million": "1000000", "billion": "1000000000",
}  # fmt: skip


def words(text: str) -> list[str]:
    """The words as written: letters with inner apostrophes, or a number with inner commas and points; a hyphen parts two words."""
    return _WORD.findall(text)


def sentences(text: str) -> list[list[str]]:
    """The words of each sentence as written.

    A sentence ends at `.`, `!` or `?` before a capital, digit, quote or bullet, or at a line's end; list numbering is removed and
    pieces under `SENTENCE_WORDS` words are dropped.
    """
    pieces = (words(piece) for piece in split_sentences(text))
    return [piece for piece in pieces if len(piece) >= SENTENCE_WORDS]


def split_sentences(text: str) -> list[str]:
    """The text in pieces that end where `sentences` says, whatever their length."""
    return _SENTENCE_END.split(without_numbering(text))


def without_numbering(text: str) -> str:
    """The text without `1.`, `2)` or `(3)` at the head of its lines."""
    return _NUMBERING.sub("", text)


def is_number(word: str) -> bool:
    """Whether one of `words` is a number."""
    return word[0].isdigit()


@lru_cache(maxsize=16384)
def stem(word: str) -> str:
    """What the forms of a word have in common: lower case, without one light suffix and a last e or y; at least four letters stay.

    *provide*, *provides* and *providing* have one stem, as have *policy* and *policies*, *plan* and *planned*. A number, written in digits
    or as one word, is a number without commas and trailing zeros.
    """
    if word[0].isdigit():
        return number(word)
    low = word[:_WORD_LETTERS].lower().replace("’", "'").removesuffix("'s")
    if low in NUMBER_WORDS:
        return NUMBER_WORDS[low]
    for suffix in _SUFFIXES:
        if low.endswith(suffix) and len(low) - len(suffix) >= _STEM_LETTERS and not low.endswith("ss"):
            low = low[: -len(suffix)]
            if suffix in ("ing", "ed") and len(low) > _STEM_LETTERS and low[-1] == low[-2] and low[-1] not in "lsz":
                low = low[:-1]
            break
    for ending in ("ey", "i"):
        if len(low) > _STEM_LETTERS and low[-1] in ending:
            low = low[:-1]
    return low


@lru_cache(maxsize=16384)
def is_stop(word: str) -> bool:
    """Whether the word as written or its stem is a stop word: a list of whole words tested on stems alone misses *provided*."""
    return word[:_WORD_LETTERS].lower().replace("’", "'") in STOP_WORDS or stem(word) in _stop_stems()


@cache
def _stop_stems() -> frozenset[str]:
    return STOP_WORDS | frozenset(map(stem, STOP_WORDS))


def number(word: str) -> str:
    """A number in one form: `1,000.50` is `1000.5`, `3.0` is `3`, `007` is `7`."""
    whole, point, rest = word[:_WORD_LETTERS].replace(",", "").partition(".")
    rest = rest.rstrip("0") if "." not in rest else rest
    return (whole.lstrip("0") or "0") + (point + rest if rest else "")
