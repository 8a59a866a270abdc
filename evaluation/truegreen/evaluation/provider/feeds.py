"""A changelog as RSS, Atom or JSON Feed, to entries. Pure."""

from __future__ import annotations

import calendar
import hashlib
import io
import json
import math
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from truegreen.core.errors import BadInput
from truegreen.evaluation.provider import mentions, screen
from truegreen.evaluation.provider.model import CHANGE, DEPRECATION, MODEL, Entry

OURS: Final = "_truegreen"
"""An extension of a JSON Feed's item (they begin with an underscore): `models` and `retires`, where the words need not be read."""
_DAY: Final = 86_400
_LATEST: Final = 4_102_444_800.0
"""2100: a time beyond it is a mistake."""


def read(data: bytes, provider: str, source: str, now: float) -> tuple[Entry, ...]:
    """The entries of a feed, in its order.

    Args:
        data: as it was fetched.
        provider: whose changelog it is.
        source: its address or file, for messages and in the entries.
        now: unix seconds: the time of an entry that has none, or one in the future.

    Raises:
        BadInput: it is too large, hostile, or no feed.
    """
    text = screen.text_of(data, source)
    if text.lstrip("\ufeff \t\r\n")[:1] in ("{", "["):
        return of_json(text, provider, source, now)
    xml = screen.checked(text, source)
    import feedparser

    try:
        found = feedparser.parse(io.BytesIO(xml), sanitize_html=False, resolve_relative_uris=False)
    except Exception as error:  # what a parser of tag soup raises on soup is its own
        raise BadInput(f"{source}: it cannot be read as RSS or Atom ({type(error).__name__}); name a feed") from None
    if not found.get("version") and not found.get("entries"):
        raise BadInput(f"{source}: it is no RSS, Atom or JSON feed; name the address of the feed, not of the page about it")
    made = []
    for item in found.entries[: screen.MOST_ENTRIES]:
        when = item.get("published_parsed") or item.get("updated_parsed")
        content = " \n".join(str(part.get("value", "")) for part in item.get("content", ()))
        made.append(_entry(
            provider, source, str(item.get("id") or ""), str(item.get("title") or ""), str(item.get("link") or ""),
            calendar.timegm(when) if when else None, f"{item.get('summary', '')}\n{content}", {}, now,
        ))  # fmt: skip
    return tuple(made)


def of_json(text: str, provider: str, source: str, now: float) -> tuple[Entry, ...]:
    """The entries of a JSON Feed (jsonfeed.org, version 1.1) or of a bare list of its items.

    Raises:
        BadInput: with the place of what is wrong.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{source}: no JSON ({str(error)[:80]}); write a JSON Feed or name an RSS or Atom feed") from None
    items = data.get("items") if isinstance(data, dict) else data
    if not isinstance(items, list):
        raise BadInput(f"{source}: items: found {type(items).__name__}, write the list of entries of a JSON Feed")
    return tuple(_of_item(item, at, provider, source, now) for at, item in enumerate(items[: screen.MOST_ENTRIES]))


def _of_item(item: Any, at: int, provider: str, source: str, now: float) -> Entry:
    if not isinstance(item, dict):
        raise BadInput(f"{source}: items[{at}]: found {type(item).__name__}, write an object with id and title")

    def word(key: str) -> str:
        value = item.get(key, "")
        if not isinstance(value, str | int | float) or (isinstance(value, float) and not math.isfinite(value)):
            raise BadInput(f"{source}: items[{at}].{key}: found {type(value).__name__}, write a text")
        return str(value)

    ours = item.get(OURS, {})
    if not isinstance(ours, dict):
        raise BadInput(f"{source}: items[{at}].{OURS}: found {type(ours).__name__}, write an object with models and retires")
    if not (word("id") or word("url") or word("title")):
        raise BadInput(f"{source}: items[{at}]: it has no id, url or title; an entry needs one of them")
    when = _date(word("date_published") or word("date_modified"), f"{source}: items[{at}].date_published")
    text = "\n".join((word("summary"), word("content_text"), word("content_html")))
    return _entry(
        provider, source, word("id"), word("title"), word("url"), when, text, _ours(ours, f"{source}: items[{at}].{OURS}"), now
    )


def _ours(ours: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    models = ours.get("models", [])
    if not isinstance(models, list) or not all(isinstance(name, str) for name in models):
        raise BadInput(f"{where}.models: found {type(models).__name__}, write a list of model names")
    names = tuple(name.lower() for name in models[: mentions.MOST_MODELS])
    for at, name in enumerate(names):
        if not MODEL.fullmatch(name):
            raise BadInput(f"{where}.models[{at}]: found a text of {len(name)} characters, write a model's name as requests do: at most 64 of "
                           "a-z, 0-9 and . _ : / @ -")  # fmt: skip
    return {"models": names,
            "retires": _date(str(ours.get("retires") or ""), f"{where}.retires")}  # fmt: skip


def _entry(
    provider: str,
    source: str,
    name: str,
    title: str,
    link: str,
    time: float | None,
    text: str,
    ours: Mapping[str, Any],
    now: float,
) -> Entry:
    known = time if time is not None and 0 < time <= now + _DAY else now
    words = f"{title}.\n{mentions.plain(text)}"
    ends, retires, leaving = mentions.retirement(words, known)
    retires = ours.get("retires") or retires
    models = ours.get("models") or (leaving if ends else ()) or mentions.models(words)
    link = line(link, 500) if link.startswith(("https://", "http://")) else ""
    key = json.dumps([provider, name or link or title])
    return Entry(
        hashlib.sha256(key.encode(errors="replace")).hexdigest()[:12], provider, DEPRECATION if ends or retires else CHANGE,
        line(mentions.plain(title), 200) or "(no title)", link, float(known), models, retires, line(source, 200),
    )  # fmt: skip


def _date(text: str, where: str) -> float | None:
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
        stamp = (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise BadInput(f"{where}: found a text of {len(text)} characters, write a date such as 2026-01-31T00:00:00Z") from None
    return stamp if 0 < stamp < _LATEST else None


def line(text: str, most: int) -> str:
    """Text from outside on one line, without control and format characters, at most `most` characters."""
    kept = "".join(" " if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") else c for c in text[: 2 * most])
    kept = " ".join(kept.split())
    return kept if len(kept) <= most else kept[: most - 1] + "…"


def version(entries: Sequence[Entry]) -> str:
    """What the component `provider_changelog` of a snapshot is after these entries: the newest one's day and id; empty without any."""
    newest = max(entries, key=lambda entry: (entry.time, entry.id), default=None)
    return f"{datetime.fromtimestamp(newest.time, UTC):%Y-%m-%d}-{newest.id}" if newest else ""
