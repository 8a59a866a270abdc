"""PromQL and YAML as text: the same bytes for the same rules, numbers without floats."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

_PLAIN: Final = re.compile(r"[A-Za-z_/][A-Za-z0-9_./:-]*")
_WORDS: Final = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
_BRACES: Final = re.compile(r"\{{2,}|\{$")
_SPECIAL: Final = re.compile(r"[\\.+*?()|\[\]{}^$]")


def number(value: Decimal | int | str) -> str:
    """A number without exponent and without trailing zeros."""
    text = f"{Decimal(value):f}"
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text


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


def literal(text: str) -> str:
    """A user's text inside a Go template: braces that would open an action are printed as they are, also where one meets the next text's."""
    return _BRACES.sub(lambda found: f'{{{{ "{found[0]}" }}}}', text)


def selector(metric: str, *matchers: str) -> str:
    """A metric with its matchers; empty ones are left out."""
    inside = ",".join(m for m in matchers if m)
    return f"{metric}{{{inside}}}" if inside else metric


def to_yaml(value: Any, comment: str = "") -> str:
    """A YAML document of mappings, lists, texts, whole numbers and Decimals; `comment` goes on top, line by line."""
    head = "".join(f"# {line}".rstrip() + "\n" for line in comment.splitlines())
    return head + "\n".join(_lines(value)) + "\n"


def _lines(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [line for key, item in value.items() for line in _entry(f"{_scalar(key)}:", item, "  ")]
    if isinstance(value, (list, tuple)):
        return [line for item in value for line in _item(item)]
    return [_scalar(value)]


def _entry(head: str, item: Any, indent: str) -> list[str]:
    if isinstance(item, Mapping) and item:
        return [head, *(indent + line for line in _lines(item))]
    if isinstance(item, (list, tuple)) and item and not _short(item):
        return [head, *(indent + line for line in _lines(item))]
    if isinstance(item, str) and "\n" in item and item == item.strip() and all(line.isprintable() for line in item.split("\n")):
        return [f"{head} |-", *(indent + line for line in item.split("\n"))]
    return [f"{head} {_scalar(item)}"]


def _item(item: Any) -> list[str]:
    if isinstance(item, (Mapping, list, tuple)) and item and not _short(item):
        first, *rest = _lines(item)
        return [f"- {first}", *(f"  {line}" for line in rest)]
    return [f"- {_scalar(item)}"]


def _short(item: Any) -> bool:
    # A list of a few plain words fits on its line.
    return (
        isinstance(item, (list, tuple))
        and all(isinstance(i, (str, int)) for i in item)
        and sum(len(str(i)) + 2 for i in item) < 90
    )


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, Decimal)):
        return number(value)
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_scalar(item) for item in value) + "]"
    if not isinstance(value, str):
        raise TypeError(f"cannot write {type(value).__name__} as YAML")
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS and not value.endswith(":"):
        return value
    if '"' in value and "'" not in value and value.isprintable():
        return f"'{value}'"
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in json.dumps(value, ensure_ascii=False))
