"""PromQL and YAML as text: the same bytes for the same rules, numbers without floats."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from truegreen.core.words.promql import any_of, matcher, number, quoted, selector

__all__ = ["any_of", "entry", "literal", "matcher", "number", "quoted", "scalar", "selector", "to_yaml"]

_PLAIN: Final = re.compile(r"[A-Za-z_/][A-Za-z0-9_./:-]*")
_WORDS: Final = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
_BRACES: Final = re.compile(r"\{{2,}|\{$")
_JSON: Final = json.JSONEncoder(ensure_ascii=False).encode
_LONG: Final = 80
"""Characters from which a text is hardly written twice: it is not remembered."""


def literal(text: str) -> str:
    """A user's text inside a Go template: braces that would open an action are printed as they are, also where one meets the next text's."""
    return _BRACES.sub(lambda found: f'{{{{ "{found[0]}" }}}}', text)


def to_yaml(value: Any, comment: str = "") -> str:
    """A YAML document of mappings, lists, texts, whole numbers and Decimals; `comment` goes on top, line by line."""
    out = [f"# {line}".rstrip() for line in comment.splitlines()]
    if value and isinstance(value, (Mapping, list, tuple)):
        _container(value, "", "", out)
    else:
        out.append(scalar(value))
    out.append("")
    return "\n".join(out)


def _container(value: Any, indent: str, lead: str, out: list[str]) -> None:
    # Every line starts with `indent`, the first one with `lead`: dashes of the lists that it is in.
    deeper = indent + "  "
    if isinstance(value, (dict, Mapping)):
        for key, item in value.items():
            head = f"{lead}{_remembered(key) if type(key) is str else scalar(key)}:"
            if type(item) is str and "\n" not in item:
                out.append(f"{head} {scalar(item)}")
            else:
                entry(head, item, deeper, out)
            lead = indent
        return
    for item in value:
        if isinstance(item, (dict, list, tuple, Mapping)) and item and not _short(item):
            _container(item, deeper, lead + "- ", out)
        else:
            out.append(f"{lead}- {scalar(item)}")
        lead = indent


def entry(head: str, item: Any, indent: str, out: list[str]) -> None:
    """The lines of one entry of a mapping, after `head`, which ends in a colon; what does not fit on that line is at `indent`."""
    if isinstance(item, str):
        if "\n" in item and item == item.strip() and item.replace("\n", "").isprintable():
            block = item.replace("\n", "\n" + indent)
            out.append(f"{head} |-\n{indent}{block}")
        else:
            out.append(f"{head} {scalar(item)}")
    elif isinstance(item, (dict, list, tuple, Mapping)) and item and not _short(item):
        out.append(head)
        _container(item, indent, indent, out)
    else:
        out.append(f"{head} {scalar(item)}")


def _short(item: Any) -> bool:
    # A list of a few plain words fits on its line.
    return (
        isinstance(item, (list, tuple))
        and all(isinstance(i, (str, int)) for i in item)
        and sum(len(str(i)) + 2 for i in item) < 90
    )


def scalar(value: Any) -> str:
    """A text, number or empty container in one line."""
    if isinstance(value, str):
        return _remembered(value) if len(value) < _LONG else _text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, Decimal)):
        return number(value)
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(scalar(item) for item in value) + "]"
    raise TypeError(f"cannot write {type(value).__name__} as YAML")


def _text(value: str) -> str:
    if '"' in value:
        if "'" not in value and value.isprintable():
            return f"'{value}'"
    elif _PLAIN.fullmatch(value) and value.lower() not in _WORDS and not value.endswith(":"):
        return value
    escaped = _JSON(value)
    return escaped if escaped.isprintable() else "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in escaped)


_remembered = lru_cache(8_192)(_text)
