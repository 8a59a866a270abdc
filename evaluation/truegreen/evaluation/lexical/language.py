"""Whether a text is plainly not English. Standard library only; what is not plain counts as English.

The lexical evaluators know English stop words, suffixes, number words and capitals; on another language their numbers mean nothing, so
that they say `unsupported_language` there and do not guess.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

WORDS: Final = 60
"""The first words of a text are looked at."""
LETTERS: Final = 600
FEW: Final = 4
"""Under so many function words of other languages a text in Latin letters is too short to tell."""
FOREIGN_SHARE: Final = 0.2
"""Function words are 30 to 45 % of running text in the languages listed."""
ENGLISH_SHARE: Final = 0.15
"""Where so many words are English function words, it is English, whatever else is quoted in it."""
LONG: Final = 20
"""Words from which on English has function words."""
LEAST: Final = 0.05
"""Where fewer of a long text's words are English function words, it is not English, whichever language it is."""
_WORD: Final = re.compile(r"[^\W\d_]+")
_END: Final = re.compile(r"[.!?][\"'”)]*(?:\s|$)")
_MARKUP: Final = ("{", "[", "<")
_ENGLISH: Final = frozenset(
    """
    a the of and to in is that it for on was with as are be this by have from or an at not you which but they his her we can if their
    has will would there when more what so your who been do no i he she my all were one had its these into may
    """.split()  # noqa: SIM905 (a page of words reads better than a list of literals)
)
_OTHERS: Final = {
    "de": "der die das und ist nicht ein eine einen dem den zu von mit für auf sich auch sie wird werden bei nach oder wenn dass kann sind im es wie",
    "fr": "le la les des et est une un du en dans que qui pour pas sur au avec ce sont par plus vous il elle nous être ou ne à cette votre peut",
    "es": "el la los las de que y en un una es por con para del se no su lo como más o al si está son pero este puede sus",
    "it": "il la di che e un una per non con del della è sono in gli le dei da si nel alla come anche più questo può i lo",
    "pt": "o a os as de que e em um uma é do da para com não por se no na mais como dos das ou ao são pode seu",
    "nl": "de het een en van is dat niet te op met voor zijn aan er ook als bij naar of wordt kan worden uit maar deze je",
    "sv": "och att det som en är på för med av till den har inte ett om kan du eller från vi ska när",
    "da": "og at det som en er på for med af til den har ikke et om kan du eller fra vi skal når",
    "pl": "i w na z się nie do że jest to o jak po co za od dla są przez może tego lub oraz ale",
    "tr": "ve bir bu için ile olarak da de ne daha çok olan gibi kadar sonra en var her ya değil",
    "id": "yang dan di ke dari untuk dengan ini itu tidak pada adalah dapat atau anda akan juga bisa oleh",
    "vi": "và là của có không được cho một các trong với để này người khi những đã từ bạn",
}
_FOREIGN: Final = {name: frozenset(word for word in words.split() if len(word) > 1) - _ENGLISH for name, words in _OTHERS.items()}


def not_english(text: str) -> bool:
    """Whether most letters are of another script, the function words are those of another language, or a long text has none of English.

    Told by letters: any script but Latin. Told by words, from four function words on: German, French, Spanish, Italian, Portuguese,
    Dutch, Swedish, Danish and Norwegian, Polish, Turkish, Indonesian, Vietnamese. Told by what lacks: any language from 20 words on, where
    under 5 % are English function words of two letters or more; a list of names, headings or keywords, JSON and HTML are no running text
    and count as English. A short text in another language in Latin letters is not told.
    """
    words = _WORD.findall(text[:LETTERS])[:WORDS]
    if not words:
        return False
    letters = "".join(words)
    if not letters.isascii() and 2 * sum(_is_latin(c) for c in letters) < len(letters):
        return True
    if len(words) >= LONG and _is_running(text[:LETTERS]) and _lacks_english(words):
        return True
    english = sum(word.lower() in _ENGLISH for word in words)
    if english > ENGLISH_SHARE * len(words):
        return False
    # As written: the function words of names, such as Los Angeles, have capitals.
    most = max(sum(word in known for word in words) for known in _FOREIGN.values())
    return most >= FEW and most > 2 * english and most >= FOREIGN_SHARE * len(words)


def unsupported(*texts: str) -> bool:
    """Whether one of the texts is plainly not English."""
    return any(not_english(text) for text in texts)


def _is_running(text: str) -> bool:
    return text.lstrip()[:1] not in _MARKUP and _END.search(text) is not None


def _lacks_english(words: Sequence[str]) -> bool:
    small = sum(word[0].islower() for word in words)
    return 3 * small > 2 * len(words) and sum(len(word) > 1 and word.lower() in _ENGLISH for word in words) < LEAST * len(words)


def _is_latin(character: str) -> bool:
    code = ord(character)
    return code < 0x250 or 0x1E00 <= code < 0x1F00 or 0xFF21 <= code <= 0xFF5A
