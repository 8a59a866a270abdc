"""Names from spans, made safe for a terminal and for a picture: one line, bounded, no control characters. Pure."""

from __future__ import annotations

import unicodedata
from typing import Final

MOST: Final = 160
_UNSAFE: Final = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Terminal escapes, bidirectional overrides, lone surrogates, line and paragraph separators, what is no character."""


def plain(text: str, most: int = MOST) -> str:
    """The text with `?` for every character that could do more than be read; at most so many are kept."""
    shown = "".join("?" if unicodedata.category(one) in _UNSAFE else one for one in text[:most])
    return shown if len(text) <= most else shown[: most - 1] + "…"
