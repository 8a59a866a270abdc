"""Errors that are kept until all are known: one run shows every mistake."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from truegreen.core.errors import BadInput

_T = TypeVar("_T")
_LINE = re.compile(r"(.*?):([0-9]+):", re.DOTALL)


class Errors(list[str]):
    """Lines of what is wrong."""

    def tried(self, make: Callable[[], _T]) -> _T | None:
        """What `make` makes; None where it raises `BadInput`, whose lines are kept."""
        try:
            return make()
        except BadInput as error:
            self += str(error).splitlines()
            return None

    def end(self, name: str = "") -> None:
        """Raise what was kept, those in the file `name` first and by their lines.

        Raises:
            BadInput: there is something.
        """
        if self:
            raise BadInput("\n".join(sorted(dict.fromkeys(self), key=lambda line: _order(line, name))))


def _order(line: str, name: str) -> tuple[bool, str, int]:
    found = _LINE.match(line)
    return (True, "", 0) if found is None else (found[1] != name, found[1], int(found[2]))
