"""Patterns that RE2 and Python read alike: what a user may write to match names, and a name that matches."""

from __future__ import annotations

import re
from typing import Final

_MOST: Final = 1000
"""RE2 repeats nothing more often."""
_TOKEN: Final = re.compile(
    r"""(?P<literal>[\w\-/:@ ,#%~=<>!&;'"])
    |(?P<escaped>\\[!-/:-@\[-^`{-~])
    |(?P<any>\.)
    |(?P<set>\[(?P<not>\^?)(?P<members>(?![^\]]*--)[\w./:@%-]+)\])
    |(?P<open>\((?:\?:)?(?!\?))
    |(?P<close>\))
    |(?P<or>\|)
    |(?P<times>[*+?]|\{(?P<least>[0-9]{1,4})(?P<most>,[0-9]{0,4})?\})""",
    re.VERBOSE,
)
WRITE: Final = (
    "write names, `.`, [a-z], groups, `|` and repetitions, such as checkout-(eu|us)-.+; "
    "no look-around, no back references, no flags, no anchors (the whole name must match)"
)


def refused(text: str) -> str | None:
    """What is wrong with a pattern, and what to write; None where RE2 and Python's `re.fullmatch` find the same with it."""
    at, repeated, product = 0, True, 1
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            return f"{text[at]!r} at character {at + 1} is not taken; {WRITE}"
        if found["times"]:
            if repeated:
                return f"{found[0]!r} at character {at + 1} repeats nothing, or a repetition; {WRITE}"
            if found["least"]:
                product *= max(int(found["least"]), int((found["most"] or ",")[1:] or 0), 1)
        repeated = bool(found["times"] or found["open"] or found["or"])
        at = found.end()
    try:
        re.compile(text)
    except re.error as error:
        return f"{error}; {WRITE}"
    if product > _MOST:
        return f"it repeats more than {_MOST} times; {WRITE}"
    return None if example(text) else f"it matches nothing but the empty name; {WRITE}"


def example(text: str) -> str:
    """A short name that a pattern matches; the pattern is one that `refused` takes."""
    return _alternatives(list(_TOKEN.finditer(text)), 0)[0]


def _alternatives(tokens: list[re.Match[str]], at: int) -> tuple[str, int]:
    # The first of the alternatives, and where they end.
    first, at = _row(tokens, at)
    while at < len(tokens) and tokens[at]["or"]:
        other, at = _row(tokens, at + 1)
        first = first or other
    return first, at


def _row(tokens: list[re.Match[str]], at: int) -> tuple[str, int]:
    made = ""
    while at < len(tokens) and not tokens[at]["or"] and not tokens[at]["close"]:
        token = tokens[at]
        if token["open"]:
            part, at = _alternatives(tokens, at + 1)
        else:
            part = _one(token)
        at += 1
        if at < len(tokens) and tokens[at]["times"]:
            part *= _times(tokens[at])
            at += 1
        made += part
    return made, at


def _times(token: re.Match[str]) -> int:
    if not token["least"]:
        return 1
    least, most = int(token["least"]), (token["most"] or ",0")[1:]
    return least or int(not most or int(most) > 0)


def _one(token: re.Match[str]) -> str:
    if token["escaped"]:
        return token[0][1:]
    if token["any"]:
        return "x"
    if token["set"]:
        return next((sign for sign in "abcxyzABC0123456789_-./:@%~!" if re.fullmatch(token[0], sign)), token["members"][0])
    return token[0]
