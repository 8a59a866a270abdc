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
MOST_ATTRIBUTES: Final = 64
"""Of one element, and name spaces of a feed: what reads them takes a time that grows with their square. A feed has a handful."""
MOST_IN_ENTRY: Final = 2_000
"""Elements of one entry, or of what stands outside of entries."""
MOST_ELEMENTS: Final = 20_000
"""No entry begins after so many elements: some two seconds of reading."""
MOST_ENTRIES: Final = 1_000
"""Entries of one feed that are read, in its order: the newest first in nearly all of them."""
_ENCODINGS: Final = {"utf-8", "utf-16", "utf-16-le", "utf-16-be", "ascii", "iso8859-1", "cp1252"}
_DECLARED: Final = re.compile(rb"""^\s*<\?xml[^>]{0,100}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_TAG: Final = re.compile(rb"<([^\s/>]+)")
_AMPERSAND: Final = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9A-Fa-f]{1,6});)")
_BOMS: Final = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


class _Hostile(Exception):
    pass


class _Enough(Exception):
    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at


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
    """The XML as UTF-8 that says so itself; a bare ampersand or an entity of HTML is mended, and it ends after its first entries.

    Raises:
        BadInput: it is not well-formed (what reads tag soup takes a time that grows with the square of its size), or has what a feed does not need
            and an attack does: a document type, and with it entities of its own, a tower or a crowd of elements, or a crowd of attributes.
    """
    text = _undeclared(text)
    try:
        kept = _parsed(text, where)
    except expat.ExpatError:
        try:
            kept = _parsed(_AMPERSAND.sub("&amp;", text), where)
        except expat.ExpatError as error:
            raise BadInput(f"{where}: no well-formed XML ({str(error)[:80]}); tell its owner, or name another feed") from None
    return b'<?xml version="1.0" encoding="utf-8"?>' + kept


def _parsed(text: str, where: str) -> bytes:
    try:
        data = text.encode()
    except UnicodeError:
        raise BadInput(f"{where}: no well-formed XML (half a surrogate pair); tell its owner, or name another feed") from None
    opened: list[int] = []
    spaces: set[tuple[object, ...]] = set()
    entries = elements = since = 0

    def begin(name: str, attributes: list[str]) -> None:
        nonlocal entries, elements, since
        elements, since = elements + 1, since + 1
        if name.rpartition(" ")[2] in ("item", "entry"):
            if entries == MOST_ENTRIES or elements > MOST_ELEMENTS:
                raise _Enough(parser.CurrentByteIndex)
            entries, since = entries + 1, 0
        opened.append(parser.CurrentByteIndex)
        if len(opened) > DEEPEST:
            raise _Hostile(f"elements lie more than {DEEPEST} deep in each other")
        if since > MOST_IN_ENTRY:
            raise _Hostile(f"one entry, or what stands outside of them, has more than {MOST_IN_ENTRY:,} elements")
        if len(attributes) > 2 * MOST_ATTRIBUTES:
            raise _Hostile(f"an element has more than {MOST_ATTRIBUTES} attributes")

    def end(*_: object) -> None:
        opened.pop()

    def space(*named: object) -> None:
        spaces.add(named)
        if len(spaces) > MOST_ATTRIBUTES:
            raise _Hostile(f"it has more than {MOST_ATTRIBUTES} name spaces")

    def refused(*_: object) -> None:
        raise _Hostile(
            "it declares a document type, and a feed needs none: entities of its own are how a small file becomes a large one"
        )

    parser = expat.ParserCreate("utf-8", " ")
    parser.ordered_attributes = True
    parser.StartElementHandler, parser.EndElementHandler, parser.StartNamespaceDeclHandler = begin, end, space
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refused
    try:
        parser.Parse(data, True)
    except _Hostile as error:
        raise BadInput(f"{where}: refused: {error}") from None
    except _Enough as enough:
        names = [found[1] for at in reversed(opened) if (found := _TAG.match(data, at))]
        return data[: enough.at] + b"".join(b"</%s>" % name for name in names)
    return data


def _undeclared(text: str) -> str:
    return re.sub(r"^\s*<\?xml[^>]*\?>", "", text.lstrip("\ufeff"), count=1).lstrip()
