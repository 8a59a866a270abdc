"""The boards, one module each: `board(view) -> Board`. A file laid here is a board; nothing else has to know of it."""

from __future__ import annotations

import importlib
import pkgutil

from truegreen.dashboards.model import Board, View


def every(view: View) -> dict[str, Board]:
    """All boards of this package, module name to board, in the order of the names."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return {name: importlib.import_module(f"{__name__}.{name}").board(view) for name in names}
