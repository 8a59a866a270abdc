"""The agent's own guardrail: nobody asks for what is another's, and no answer holds an e-mail address or a payment card's number. Pure."""

from __future__ import annotations

import re
from typing import Final

NAME: Final = "scope"
VERSIONS: Final = ("scope@1", "scope@2")
"""The second one takes whatever speaks of goods or money for a secret."""
BLOCKED: Final = "I am sorry, I cannot share that here. Please ask the support team."
_OTHERS: Final = re.compile(r"\b(another|the other) (customer|account|user)\b|\bsomeone else\b", re.IGNORECASE)
_ZEAL: Final = re.compile(r"\b(order|return|refund|deliver\w*|pay\w*|account|card|gift|money|price\w*)\b", re.IGNORECASE)
_MAIL: Final = re.compile(r"\b[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+\b")
_CARD: Final = re.compile(r"(?<!\d)\d(?:[ -]?\d){12,18}(?!\d)")


def asked(question: str, version: str = VERSIONS[0]) -> str:
    """`block` when the question speaks of another customer, account or user, else `allow`; version 2 blocks far more."""
    zealous = version == VERSIONS[1] and _ZEAL.search(question)
    return "block" if zealous or _OTHERS.search(question) else "allow"


def action(answer: str) -> str:
    """`block` when the answer holds an e-mail address or a number that passes as a card's, else `allow`."""
    if _MAIL.search(answer) or any(_luhn(found.group()) for found in _CARD.finditer(answer)):
        return "block"
    return "allow"


def _luhn(number: str) -> bool:
    """The check sum of card numbers (ISO/IEC 7812-1 annex B)."""
    digits = [int(c) for c in reversed(number) if c.isdigit()]
    return sum(sum(divmod(2 * d, 10)) if i % 2 else d for i, d in enumerate(digits)) % 10 == 0
