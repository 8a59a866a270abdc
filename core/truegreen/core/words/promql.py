"""PromQL as text: numbers, strings, matchers, selectors."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache
from typing import Final

_SPECIAL: Final = re.compile(r"[\\.+*?()|\[\]{}^$]")


@lru_cache(65_536)
def number(value: Decimal | int | str) -> str:
    """A number without exponent and without trailing zeros."""
    text = str(value)
    if "E" in text or isinstance(value, str):
        text = f"{Decimal(value):f}"
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text


@lru_cache(65_536)
def quoted(text: str) -> str:
    """A PromQL string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def any_of(values: Iterable[str]) -> str:
    """A regular expression (RE2) that matches one of the values, literally."""
    return "|".join(_SPECIAL.sub(r"\\\g<0>", value) for value in values)


def matcher(label: str, values: Iterable[str], negate: bool = False) -> str:
    """One matcher for the values: `=` for one, `=~` for more; negated `!=` and `!~`."""
    wanted = tuple(values)
    if len(wanted) == 1:
        return f"{label}{'!=' if negate else '='}{quoted(wanted[0])}"
    return f"{label}{'!~' if negate else '=~'}{quoted(any_of(wanted))}"


def selector(metric: str, *matchers: str) -> str:
    """A metric with its matchers; empty ones are left out."""
    inside = ",".join(filter(None, matchers))
    return f"{metric}{{{inside}}}" if inside else metric
