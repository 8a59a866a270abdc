"""YAML text to plain data that remembers the line of every key."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from truegreen.core.errors import BadInput

_libyaml: Any = getattr(getattr(yaml, "cyaml", None), "CParser", yaml.parser.Parser)
_PAIR = re.compile(r"\\u[dD][89a-fA-F]")
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """A parsed file: its name as the user gave it, its data, and where each path was written.

    Args:
        said: the whole place of a path, where the data was made from another document's.
    """

    name: str
    data: Any
    lines: dict[Path, int]
    said: Mapping[Path, str] = field(default_factory=dict)

    def at(self, path: Path) -> str:
        """`file:line: slos[0].objective`, with the line of the nearest thing that is there."""
        known = path
        while known and known not in (self.said or self.lines):
            known = known[:-1]
        if self.said:
            return self.said[known]
        place = f"{self.name}:{self.lines.get(known, 1)}"
        return f"{place}: {dotted(path)}" if path else place


def dotted(path: Path) -> str:
    """`("slos", 0, "objective")` as `slos[0].objective`."""
    text = ""
    for part in path:
        word = str(part) if str(part).isprintable() else repr(part)
        text += f"[{part}]" if isinstance(part, int) else f".{word}" if text else word
    return text


class _Composer(yaml.composer.Composer):
    # Aliases are refused before anything is built from them: ten lines of them stand for billions of nodes.
    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):  # type: ignore[attr-defined]
            event: yaml.AliasEvent = self.peek_event()  # type: ignore[attr-defined]
            said = f"found the alias *{event.anchor}; write out what it stands for"
            raise yaml.composer.ComposerError(None, None, said, event.start_mark)  # type: ignore[arg-type]
        return super().compose_node(parent, index)


class _Slow(_Composer, yaml.SafeLoader):
    pass


class _Fast(_Composer, _libyaml, yaml.constructor.SafeConstructor, yaml.resolver.Resolver):  # type: ignore[misc]
    def __init__(self, text: str) -> None:
        _libyaml.__init__(self, text)
        yaml.constructor.SafeConstructor.__init__(self)
        yaml.resolver.Resolver.__init__(self)
        _Composer.__init__(self)


def _loader(text: str) -> Any:
    # libyaml takes a fifth of the time, and knows nothing of the two escapes by which JSON writes one character.
    return _Slow(text) if _libyaml is yaml.parser.Parser or _PAIR.search(text) else _Fast(text)


def parse(text: str, name: str) -> Source:
    """Parse one YAML document to what JSON can hold: a date, a number that is not finite and bytes become the texts that were written.

    Raises:
        BadInput: the text is not YAML, has a key twice, or has an alias (which could grow without bound).
    """
    return _parsed(text, name, lambda loader: [loader.get_single_node()])[0]


def parse_all(text: str, name: str) -> list[Source]:
    """The documents of a YAML stream, each as by `parse`, without the empty ones; raises as it does."""
    return [each for each in _parsed(text, name, _nodes) if each.data is not None]


def _nodes(loader: Any) -> Iterator[yaml.Node | None]:
    while loader.check_node():
        yield loader.get_node()


def _parsed(text: str, name: str, nodes: Callable[[Any], Iterable[yaml.Node | None]]) -> list[Source]:
    made: list[Source] = []
    loader = None
    try:
        loader = _loader(text)
        for node in nodes(loader):
            lines: dict[Path, int] = {}
            data = _build(loader, node, (), lines, name) if node is not None else {}
            made.append(Source(name, data, lines))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise BadInput(f"{name}:{mark.line + 1 if mark else 1}: not YAML: {error.problem or error}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise BadInput(f"{name}:1: not YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise BadInput(f"{name}:1: nested too deeply") from None
    finally:
        if loader is not None:
            loader.dispose()
    return made


def _build(loader: Any, node: yaml.Node, path: Path, lines: dict[Path, int], name: str) -> Any:
    if path in lines and path:
        raise BadInput(f"{name}:{node.start_mark.line + 1}: {dotted(path)} is written twice; the first is in line {lines[path]}")
    lines[path] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        made: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise BadInput(f"{name}:{key_node.start_mark.line + 1}: a key must be a text")
            key = _whole(str(key_node.value), key_node, path, name)
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
    return _scalar(loader, node, path, name)


def _scalar(loader: Any, node: yaml.Node, path: Path, name: str) -> Any:
    try:
        made = loader.construct_object(node, deep=True)
    except (ValueError, LookupError, AttributeError):
        # What PyYAML raises for a tag that its text does not fit, and for a date in no calendar.
        if node.tag.endswith(":timestamp"):
            return node.value
        raise BadInput(f"{name}:{node.start_mark.line + 1}: {dotted(path)}: not YAML: {node.value!r} is no {node.tag}") from None
    if not isinstance(made, str | int | float | None) or (isinstance(made, float) and not math.isfinite(made)):
        return node.value
    return _whole(made, node, path, name) if isinstance(made, str) else made


def _whole(text: str, node: yaml.Node, path: Path, name: str) -> str:
    # JSON writes characters outside the basic plane as two escapes; one of them alone cannot be written to any file.
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        where = f"{name}:{node.start_mark.line + 1}: {dotted(path)}"
        raise BadInput(f"{where}: half a character (a surrogate); write the whole one") from None
