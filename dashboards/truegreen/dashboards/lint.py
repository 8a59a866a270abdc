"""Boards from files: an export, an answer of Grafana's API or a file of a sidecar, with the line of everything in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path as File
from typing import Any, Final

from truegreen.core.errors import BadInput
from truegreen.dashboards import check, lint_board, lint_rules, own_rules
from truegreen.dashboards.lint_board import Found, Path, World, mapping
from truegreen.dashboards.model import Json

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+|\n')
LARGEST: Final = 32 * 1_048_576
"""Bytes of a file that are read at most."""


@dataclass(frozen=True, slots=True)
class BoardFile:
    """A board of a file.

    Args:
        path: where in the file's JSON the board is.
        lines: every path of the JSON to its line.
    """

    name: str
    board: Json
    path: Path = ()
    lines: dict[Path, int] = field(default_factory=dict, repr=False)

    def at(self, path: Path) -> str:
        """`FILE:LINE` of a place in the board, or of the nearest thing around it that is there."""
        known = (*self.path, *path)
        while known and known not in self.lines:
            known = known[:-1]
        return f"{self.name}:{self.lines.get(known, 1)}"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong in a file; `level` is `error` or `warning`."""

    file: str
    line: int
    rule: str
    level: str
    where: str
    says: str

    def text(self) -> str:
        """For people, on one line."""
        return f"{self.file}:{self.line}: {self.where}: {self.says} ({'warning, ' if self.level == 'warning' else ''}{self.rule})"


def read(path: File) -> BoardFile:
    """The board in a file.

    Raises:
        BadInput: it cannot be read, is not JSON, or is no board of a kind that can be looked at.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise BadInput(f"{path}: has {path.stat().st_size} bytes; a board has at most {LARGEST}")
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}:1: not UTF-8 at byte {error.start}; save it as UTF-8") from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror or error}") from None
    return parsed(text, str(path))


def parsed(text: str, name: str) -> BoardFile:
    """The board in a text; `name` is what findings call it, errors are as those of `read`."""
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise BadInput(f"{name}:{error.lineno}: not JSON: {error.msg}; export the board as JSON (Share, Export)") from None
    except RecursionError:
        raise BadInput(f"{name}:1: nested too deeply to be a board") from None
    path, board = _board(data, name)
    return BoardFile(name, board, path, lines(text))


def _board(data: Any, name: str) -> tuple[Path, Json]:
    for path in ((), ("dashboard",), ("spec",)):
        found = data
        for part in path:
            found = mapping(found).get(part)
        if isinstance(found, dict) and isinstance(found.get("panels"), list):
            return path, found
    outer = mapping(data)
    if (
        "elements" in mapping(outer.get("spec"))
        or "elements" in outer
        or "elements" in mapping(mapping(outer.get("dashboard")).get("spec"))
    ):
        raise BadInput(
            f"{name}:1: is a board of Grafana's v2 schema, which is not read; export it as the classic model (schemaVersion 42)"
        )
    if "rows" in outer or "rows" in mapping(outer.get("dashboard")):
        raise BadInput(
            f"{name}:1: has rows instead of panels, as Grafana before 5 wrote it; open and save it in a newer one, and export that"
        )
    raise BadInput(f"{name}:1: is JSON, but no board: it has no panels; give an export, or what /api/dashboards/uid/UID answers")


def lines(text: str) -> dict[Path, int]:
    """The line of every key and element of a JSON text, which must parse."""
    found: dict[Path, int] = {}
    at: list[Any] = []  # the key or index in each container that is open; None where a key comes next
    line = 1
    for token in _TOKEN.findall(text):
        if token == "\n":
            line += 1
        elif token in "{[":
            found.setdefault(tuple(at), line)
            at.append(None if token == "{" else 0)
        elif token in "}]":
            at.pop()
        elif token == ",":
            at[-1] = at[-1] + 1 if isinstance(at[-1], int) else None
        elif token != ":":
            if at and at[-1] is None:
                at[-1] = json.loads(token)
            found.setdefault(tuple(at), line)
    return found


def findings(file: BoardFile, world: World, skip: frozenset[str] = frozenset()) -> Iterator[Finding]:
    """What is wrong with a board, in the order of the file: for one of ours, also what leaves the profile schema and our own rules."""
    found = list(lint_rules.problems(file.board, world, skip))
    if world.ours:
        found += own_rules.problems(file.board, world)
        found += [("profile", Found(path, says)) for path, says in check.profile(file.board)]
    made = [
        Finding(file.name, int(file.at(one.path).rpartition(":")[2]), rule, "warning" if one.warning else "error",
                lint_board.place(file.board, one.path), one.says)
        for rule, one in found
    ]  # fmt: skip
    yield from sorted(made, key=lambda each: each.line)


def skipped(file: BoardFile) -> Iterator[str]:
    """What was not looked at, for people."""
    for one in lint_board.skipped(file.board):
        yield f"{file.at(one.path)}: {lint_board.place(file.board, one.path)}: {one.says}"
