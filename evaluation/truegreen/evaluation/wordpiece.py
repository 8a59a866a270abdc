"""WordPiece tokens of BERT's uncased English vocabulary, as MiniLM was trained on. Standard library only.

Wu et al., 2016 (arXiv:1609.08144); the rules are those of BERT's `tokenization.py`. A special token that is written in a text, such as
`[SEP]`, is text here: a reader cannot put one into the model.
"""

from __future__ import annotations

import gzip
import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Final

FILE: Final = "bert_uncased.txt.gz"
UNKNOWN, START, END = "[UNK]", "[CLS]", "[SEP]"
LONGEST_WORD: Final = 100
"""A word of more characters is unknown."""
LONGEST_RUN: Final = 20_000
"""A run of characters without a space is read so far."""
_RUN: Final = re.compile(r"(?:\S|[\x0b\x0c\x1c-\x1f\x85])+")
"""Control characters that Python takes for spaces are dropped, as BERT does, and part no words."""
_CJK: Final = (
    (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F), (0x2B920, 0x2CEAF),
    (0xF900, 0xFAFF), (0x2F800, 0x2FA1F),
)  # fmt: skip
_DROPPED: Final = ("Cc", "Cf", "Co", "Cs")
_PLAIN: Final = re.compile(r"[a-z0-9]+|[!-/:-@\[-`{-~]")


@cache
def vocabulary() -> Mapping[str, int]:
    """The 30,522 pieces of BERT's uncased vocabulary and their ids."""
    packed = (resources.files("truegreen.evaluation") / FILE).read_bytes()
    return {piece: at for at, piece in enumerate(gzip.decompress(packed).decode("utf-8").removesuffix("\n").split("\n"))}


def ids(text: str, most: int) -> list[int]:
    """The ids of a text between those of `[CLS]` and `[SEP]`.

    Args:
        text: of any length; no more of it is read than is needed.
        most: ids in all, at least 2; what is over is cut off.
    """
    known = vocabulary()
    found: list[int] = []
    for word in _words(text):
        found += _pieces(word, known)
        if len(found) >= most - 2:
            break
    return [known[START], *found[: most - 2], known[END]]


def _words(text: str) -> Iterator[str]:
    """Lower-case words and single punctuation marks, without accents and control characters; each CJK character is a word."""
    for run in _RUN.finditer(text):
        part = run[0][:LONGEST_RUN]
        if part.isascii() and part.isprintable():
            yield from _PLAIN.findall(part.lower())
        else:
            yield from _other(part)


def _other(run: str) -> Iterator[str]:
    word: list[str] = []
    shown = "".join(f" {c} " if _is_cjk(c) else c for c in run if c != "�" and unicodedata.category(c) not in _DROPPED)
    for c in unicodedata.normalize("NFD", shown):
        if unicodedata.category(c) == "Mn":
            continue
        if c == " " or _is_mark(c):
            if word:
                yield "".join(word)
                word = []
            if c != " ":
                yield c
        else:
            word.append(c.lower())
    if word:
        yield "".join(word)


def _pieces(word: str, known: Mapping[str, int]) -> list[int]:
    """The longest known pieces from the left; one unknown where the word cannot be put together."""
    whole = known.get(word)
    if whole is not None:
        return [whole]
    if len(word) > LONGEST_WORD:
        return [known[UNKNOWN]]
    found, at = [], 0
    while at < len(word):
        for end in range(len(word), at, -1):
            piece = known.get(word[at:end] if at == 0 else f"##{word[at:end]}")
            if piece is not None:
                found.append(piece)
                at = end
                break
        else:
            return [known[UNKNOWN]]
    return found


def _is_cjk(character: str) -> bool:
    code = ord(character)
    return code >= 0x2E80 and any(low <= code <= high for low, high in _CJK)


def _is_mark(character: str) -> bool:
    return character in "$+<=>^`|~" or unicodedata.category(character)[0] == "P"
