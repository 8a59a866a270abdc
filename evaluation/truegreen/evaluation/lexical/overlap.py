"""How many words two texts share. Pure, standard library only."""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

from truegreen.evaluation.lexical.text import is_stop, stem, words

TERM: Final = re.compile(r"[⺀-鿿가-힯豈-﫿぀-ヿ]|[^\W_]+")
"""A word of any language that writes spaces, or one character of Chinese, Japanese or Korean."""


def terms(text: str) -> list[str]:
    """The words of a text of any language, without case and punctuation; each CJK character is one."""
    return TERM.findall(text.casefold())


def found(query: str, text: str) -> float:
    """The share of the question's content words, 0 to 1, that stand in the text (English: stems, without stop words); 0 where it has none."""
    wanted = {stem(word) for word in words(query) if not is_stop(word)}
    return len(wanted & {stem(word) for word in words(text)}) / len(wanted) if wanted else 0.0


def f1(first: str, second: str) -> float:
    """The harmonic mean of the shares of words that each text has in the other, 0 to 1, as SQuAD scores answers (Rajpurkar et al., 2016).

    Each word as often as it comes, articles and all; two texts without a word are alike.
    """
    a, b = Counter(terms(first)), Counter(terms(second))
    if not a or not b:
        return float(not a and not b)
    return 2 * (a & b).total() / (a.total() + b.total())
