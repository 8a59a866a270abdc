"""Times and sizes as the schema lets them be written."""

from __future__ import annotations

from typing import Final

_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_BYTES: Final = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def seconds(text: str) -> int:
    """`30s`, `15m`, `24h`, `30d` in seconds."""
    return int(text[:-1]) * _SECONDS[text[-1]]


def size(text: str) -> int:
    """`512KiB`, `64MiB`, `1GiB` in bytes."""
    return int(text[:-3]) * _BYTES[text[-3:]]
