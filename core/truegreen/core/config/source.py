"""YAML text to plain data that remembers the line of every key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

from truegreen.core.errors import BadInput

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """A parsed file: its name as the user gave it, its data, and where each path was written."""

    name: str
    data: Any
    lines: dict[Path, int]

    def at(self, path: Path) -> str:
        """`file:line: slos[0].objective`, with the line of the nearest thing that is there."""
        known = path
        while known and known not in self.lines:
            known = known[:-1]
        place = f"{self.name}:{self.lines.get(known, 1)}"
        return f"{place}: {dotted(path)}" if path else place


def dotted(path: Path) -> str:
    """`("slos", 0, "objective")` as `slos[0].objective`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def parse(text: str, name: str) -> Source:
    """Parse YAML.

    Raises:
        BadInput: the text is not YAML, has a key twice, or has an alias (which could grow without bound).
    """
    lines: dict[Path, int] = {}
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        data = _build(loader, node, (), lines, name) if node is not None else {}
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise BadInput(f"{name}:{mark.line + 1 if mark else 1}: not YAML: {error.problem or error}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise BadInput(f"{name}:1: not YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise BadInput(f"{name}:1: nested too deeply") from None
    finally:
        loader.dispose()
    return Source(name, data, lines)


def _build(loader: yaml.SafeLoader, node: yaml.Node, path: Path, lines: dict[Path, int], name: str) -> Any:
    if path in lines and path:
        raise BadInput(f"{name}:{node.start_mark.line + 1}: {dotted(path)} is written twice; the first is in line {lines[path]}")
    lines[path] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        made: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise BadInput(f"{name}:{key_node.start_mark.line + 1}: a key must be a text")
            key = str(key_node.value)
            below = (*path, key)
            if below in lines:
                raise BadInput(
                    f"{name}:{key_node.start_mark.line + 1}: {dotted(below)} is written twice; the first is in line {lines[below]}"
                )
            made[key] = _build(loader, value_node, below, lines, name)
            lines[below] = key_node.start_mark.line + 1
        return made
    if isinstance(node, yaml.SequenceNode):
        return [_build(loader, child, (*path, index), lines, name) for index, child in enumerate(node.value)]
    return loader.construct_object(node, deep=True)
