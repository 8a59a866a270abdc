"""Text from outside, made safe to print, log and put into Markdown: one line, bounded, no control characters. Pure."""

from __future__ import annotations

import unicodedata


def clean(text: object, most: int = 500) -> str:
    """`text` on one line: control, format and surrogate characters become spaces, at most `most` characters are kept."""
    shown = str(text)[: most * 2]
    shown = " ".join("".join(" " if unicodedata.category(c) in _UNSAFE else c for c in shown).split())
    return shown if len(shown) <= most else shown[: most - 1] + "…"


_UNSAFE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Terminal escapes, bidirectional overrides, lone surrogates, line and paragraph separators."""
