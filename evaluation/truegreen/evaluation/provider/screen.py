"""Bytes of a feed to text that is safe to parse: bounded, of a known encoding, without a document type. Pure."""

from __future__ import annotations

import codecs
import re
from typing import Final
from xml.parsers import expat

from truegreen.core.errors import BadInput

MOST: Final = 4 * 1024 * 1024
"""Bytes of one feed; a provider's changelog of years has some hundred thousand."""
DEEPEST: Final = 200
"""Elements within each other; a feed has a dozen."""
_ENCODINGS: Final = {"utf-8", "utf-16", "utf-16-le", "utf-16-be", "ascii", "iso8859-1", "cp1252"}
_DECLARED: Final = re.compile(rb"""^\s*<\?xml[^>]{0,100}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_AMPERSAND: Final = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9A-Fa-f]{1,6});)")
_BOMS: Final = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


class _Hostile(Exception):
    pass


def text_of(data: bytes, where: str) -> str:
    """The text of a feed.

    Args:
        where: its address or file, for messages.

    Raises:
        BadInput: it is too large, or not in an encoding that is read.
    """
    if len(data) > MOST:
        raise BadInput(f"{where}: a feed over {MOST // 1024 // 1024} MiB is not read; name the feed of changes alone")
    bom, encoding = next(((bom, name) for bom, name in _BOMS if data.startswith(bom)), (b"", "utf-8"))
    declared = _DECLARED.match(data[len(bom) :])
    if declared and not bom:
        encoding = declared[1].decode("ascii")
    try:
        name = codecs.lookup(encoding).name
    except LookupError:
        name = ""
    if name not in _ENCODINGS:
        raise BadInput(f"{where}: its encoding is {encoding!r}; write the feed in UTF-8")
    try:
        return data[len(bom) :].decode(name)
    except UnicodeError:
        raise BadInput(f"{where}: it has bytes that are not {encoding}; write the feed in UTF-8") from None


def checked(text: str, where: str) -> bytes:
    """The XML as UTF-8 that says so itself; a bare ampersand or an entity of HTML is mended, nothing else is.

    Raises:
        BadInput: it is not well-formed (what reads tag soup takes a time that grows with the square of its size), or has what a feed does not need
            and an attack does: a document type, and with it entities of its own, or a tower of elements.
    """
    text = _undeclared(text)
    first = _parsed(text, where)
    if first is not None:
        text = _AMPERSAND.sub("&amp;", text)
        again = _parsed(text, where)
        if again is not None:
            raise BadInput(f"{where}: no well-formed XML ({again}); tell its owner, or name another feed")
    return ('<?xml version="1.0" encoding="utf-8"?>' + text).encode()


def _parsed(text: str, where: str) -> str | None:
    depth = 0

    def begin(*_: object) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST:
            raise _Hostile(f"elements lie more than {DEEPEST} deep in each other")

    def end(*_: object) -> None:
        nonlocal depth
        depth -= 1

    def refused(*_: object) -> None:
        raise _Hostile(
            "it declares a document type, and a feed needs none: entities of its own are how a small file becomes a large one"
        )

    parser = expat.ParserCreate("utf-8", " ")
    parser.StartElementHandler, parser.EndElementHandler = begin, end
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refused
    try:
        parser.Parse(text.encode(), True)
    except _Hostile as error:
        raise BadInput(f"{where}: refused: {error}") from None
    except expat.ExpatError as error:
        return str(error)[:80]
    except UnicodeError:
        return "half a surrogate pair"
    return None


def _undeclared(text: str) -> str:
    return re.sub(r"^\s*<\?xml[^>]*\?>", "", text.lstrip("\ufeff"), count=1).lstrip()
