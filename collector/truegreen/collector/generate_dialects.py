"""The dialect table as OTTL statements: spans of every library get the conventions' names before they are counted. Pure.

What OTTL cannot say is named by `left_out`: of sums over keys that match a pattern only the keys that the table names are added. Sources are tried in order and the
first that yields a value wins, so they are written in reverse: the last that sets a field is the first of the table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Final

from truegreen.collector import aliases
from truegreen.collector.generate_ottl import LARGEST, SPAN, matches, one_of, quoted
from truegreen.collector.overlay import DECIDED
from truegreen.core.words import dialect as shapes
from truegreen.core.words.dialects import CANONICAL, Dialect, Source
from truegreen.core.words.normalise import marks
from truegreen.core.words.view import SMALL

DIALECT: Final = 'scope.attributes["dialect"]'
Group = tuple[str, list[str], list[str]]
"""A context, the conditions of which one must hold, and the statements."""
TOOL_WORDS: Final = "(?i)^(" + "|".join(word for word, made in shapes.FINISH_WORDS.items() if made == shapes.TOOL_FINISH) + ")$"
NAMED: Final = r"^(<class ')?(\w+\.)*\w+('>)?$"
FORMATTED: Final = r"^(?:\w+\.)*([A-Za-z_]\w*(?:Error|Exception|Timeout))(?:\(|:\s).*$|^(?:\w+\.)*([A-Za-z_]\w*)\(.*$"
QUOTES: Final = quoted('^"(.*)"$')
FIRST: Final = quoted("$1")
EITHER: Final = quoted("$1$2")
STATUS: Final = r"\b([Ee]rror code|status code|status)[:=\s]+"


def groups(table: Sequence[Dialect], wanted: frozenset[str]) -> list[Group]:
    """The statements that bring spans of all dialects to the conventions' names.

    Args:
        table: dialects in their order.
        wanted: the attributes that are looked at afterwards.
    """
    made = [_scopes(table), *_events(table, wanted)]
    marked = marks(table)
    for dialect in table:
        if dialect.canonical:
            continue
        present = " or ".join(f"{SPAN.attribute(marker)} != nil" for marker in dialect.markers)
        conditions = [f"{DIALECT} == {quoted(dialect.name)} and ({present})"]
        earlier: list[str] = []
        for mark, of in marked:
            if of is dialect:
                none = "".join(f" and {SPAN.attribute(other)} == nil" for other in earlier)
                conditions.append(f"{DIALECT} == nil and {SPAN.attribute(mark)} != nil{none}")
            elif not of.canonical:
                earlier.append(mark)
        made.append(("span", conditions, _statements(dialect, wanted, table)))
    others = aliases.of(table)
    statements = [
        f"set({SPAN.attribute(name)}, {SPAN.attribute(other)}) where {SPAN.attribute(name)} == nil and {SPAN.attribute(other)} != nil"
        for name, found in others.items()
        if name in wanted
        for other in found
    ]
    made.append(("span", [], statements))
    return made


def left_out(table: Sequence[Dialect], wanted: frozenset[str]) -> list[tuple[str, str, str]]:
    """What is not read: the dialect, the field, the source with the reason."""
    found = []
    for dialect in table:
        for field, source in _sources(dialect, wanted):
            if source.add:
                known = ", ".join(f"`{key}`" for key in (source.path[-1], *_added(source, dialect)))
                patterns = ", ".join(f"`{pattern}`" for pattern in source.add)
                found.append((dialect.name, field, f"`{source.name}`: of {patterns} only {known} are added"))
    return found


def marks_of(table: Sequence[Dialect]) -> tuple[str, ...]:
    """The attributes of which a span of some dialect has one."""
    return tuple(dict.fromkeys(marker for dialect in table for marker in dialect.markers))


def _added(source: Source, dialect: Dialect) -> list[str]:
    """The keys beside the last of `path` that some source of the dialect names and a pattern of `add` matches."""
    named = dict.fromkeys(
        str(other.path[0])
        for sources in dialect.fields.values()
        for other in sources
        if other.name == source.name and len(other.path) == 1
    )
    return [key for key in named if key != source.path[-1] and any(fnmatchcase(key, pattern) for pattern in source.add)]


def _sources(dialect: Dialect, wanted: frozenset[str]) -> Iterator[tuple[str, Source]]:
    for field, sources in dialect.fields.items():
        if not dialect.canonical and CANONICAL.get(field) in wanted:
            yield from ((field, source) for source in sources)


def _scopes(table: Sequence[Dialect]) -> Group:
    statements = []
    for dialect in table:
        for other in table:
            nested = [(a, b) for a in dialect.scopes for b in other.scopes if dialect is not other and a.startswith(b)]
            if nested:
                raise ValueError(f"scopes of two dialects begin alike: {nested[0]}")
        if dialect.scopes:
            starts = "|".join(re.escape(start).replace("\\-", "-") for start in dialect.scopes)
            statements.append(f"set({DIALECT}, {quoted(dialect.name)}) where IsMatch(scope.name, {quoted(f'^({starts})')})")
    return "scope", [], statements


def _events(table: Sequence[Dialect], wanted: frozenset[str]) -> list[Group]:
    """The first event of a name leaves its time, or its attribute, on the span: a statement on spans cannot look at events."""
    made: dict[str, str] = {}
    for dialect in table:
        for _, source in _sources(dialect, wanted):
            if source.kind == shapes.EVENT:
                made.setdefault(_event(source), f"spanevent.time_unix_nano) where spanevent.name == {quoted(source.name)}")
            if source.kind == shapes.EVENT_ATTRIBUTE:
                value = f"spanevent.attributes[{quoted(str(source.path[0]))}]"
                made.setdefault(_event(source), f"{value}) where spanevent.name == {quoted(source.name)} and {value} != nil")
    statements = [f"set({SPAN.attribute(key)}, {rest} and {SPAN.attribute(key)} == nil" for key, rest in made.items()]
    return [("spanevent", [], statements)] if statements else []


def _event(source: Source) -> str:
    return f"as/event/{source.name}" + (f"/{source.path[0]}" if source.kind == shapes.EVENT_ATTRIBUTE else "")


def _statements(dialect: Dialect, wanted: frozenset[str], table: Sequence[Dialect]) -> list[str]:
    parsed: dict[str, None] = {}
    found: list[str] = []
    fields: dict[str, list[Source]] = {}
    for field, source in _sources(dialect, wanted):
        fields.setdefault(field, []).append(source)
        if source.path and source.kind == shapes.ATTRIBUTE:
            parsed.setdefault(source.name)
    for name in parsed:
        x = SPAN.attribute(name)
        found.append(
            f"set({_cache('json ' + name)}, ParseJSON({x})) where IsMatch({x}, {quoted('^[{[]')}) and Len({x}) <= {SMALL}"
        )
    for field, sources in fields.items():
        for position, source in reversed(list(enumerate(sources))):
            found += _source(source, _cache(field), _cache(f"{field} {position}"), _added(source, dialect))
    old = aliases.of(table)
    for field in fields:
        name = CANONICAL[field]
        x = SPAN.attribute(name)
        if field in DECIDED:
            found += [f"delete_key(span.attributes, {quoted(gone)})" for gone in (name, *old.get(name, ()))]
        found.append(f"set({x}, {_cache(field)}) where {_cache(field)} != nil")
    return found


def _source(source: Source, field: str, word: str, added: Sequence[str]) -> list[str]:
    """Statements that set `field` where the source yields a value; `word` is a place for steps between."""
    found, guards = _found(source)
    if source.when:
        name, allowed = source.when
        guards.insert(0, one_of(SPAN.attribute(name), allowed))
    if source.needs:
        guards.append(f"IsMatch({SPAN.attribute(source.name)}, {quoted(re.escape(source.needs))})")
    transform = source.transform
    if transform == shapes.NUMBER:
        guards.append(f"{found} >= -{LARGEST} and {found} <= {LARGEST}")
    elif transform == shapes.FINISHES:
        guards.append(f"{found} != nil")
    else:
        guards.append(f'IsString({found}) and {found} != ""')
    if source.says:
        return [f"set({field}, {quoted(source.says)}) where {' and '.join(guards)}"]
    if transform == shapes.NUMBER and source.kind == shapes.EVENT:
        return [f"set({field}, ({found} - span.start_time_unix_nano) / 1000000000.0) where {' and '.join(guards)}"]
    if added:
        holder = found.removesuffix(f"[{quoted(str(source.path[-1]))}]")
        more = [f"{holder}[{quoted(key)}]" for key in added]
        made = [f"set({word}, {found}) where {' and '.join(guards)}"]
        made += [f"set({word}, {word} + {x}) where {word} != nil and {x} >= -{LARGEST} and {x} <= {LARGEST}" for x in more]
        return [*made, f"set({field}, {word}) where {word} != nil"]
    steps = _steps(transform, word)
    if not steps and not source.values:
        return [f"set({field}, {found}) where {' and '.join(guards)}"]
    made = [f"set({word}, {found}) where {' and '.join(guards)}", *steps]
    if transform == shapes.SECONDS_SINCE_START:
        # The zone as Z or as an offset, with or without a fraction.
        layouts = ("%Y-%m-%dT%H:%M:%S.%f%j", "%Y-%m-%dT%H:%M:%S%j")
        seconds = "(UnixNano(Time({word}, {layout})) - span.start_time_unix_nano) / 1000000000.0"
        tests = (r"T[\d:]+\.\d", r"T[\d:]+[Z+-]")
        made += [
            f"set({field}, {seconds.format(word=word, layout=quoted(layout))}) where IsMatch({word}, {quoted(test)})"
            for layout, test in zip(layouts, tests, strict=True)
        ]
        return made
    if not source.values:
        return [*made, f"set({field}, {word}) where {word} != nil"]
    by_word: dict[str, list[str]] = {}
    for said, meant in source.values.items():
        by_word.setdefault(meant, []).append(said)
    if source.rest:
        made.append(f"set({field}, {word}) where {word} != nil and not ({_says(word, source.values)})")
    made += [f"set({field}, {quoted(meant)}) where {_says(word, said)}" for meant, said in by_word.items() if meant]
    return made


def _found(source: Source) -> tuple[str, list[str]]:
    """The path of what a source holds, and what must hold for it."""
    if source.kind in (shapes.EVENT, shapes.EVENT_ATTRIBUTE):
        return SPAN.attribute(_event(source)), []
    if source.kind == shapes.SPAN_NAME:
        return "span.name", []
    if source.path:
        root = _cache("json " + source.name)
        return root + "".join(f"[{part}]" if isinstance(part, int) else f"[{quoted(part)}]" for part in source.path), [
            f"{root} != nil"
        ]
    return SPAN.attribute(source.name), []


def _steps(transform: str, word: str) -> list[str]:
    if transform == shapes.ERROR:
        return [
            f'set({word}, "InternalServerError") where IsMatch({word}, {quoted("^5[0-9][0-9]$")})',
            f"replace_pattern({word}, {quoted(FORMATTED)}, {EITHER})",
            f'set({word}, "RateLimitError") where not IsMatch({word}, {quoted(NAMED)}) and IsMatch({word}, {quoted(STATUS + "429")})',
            f'set({word}, "APITimeoutError") where not IsMatch({word}, {quoted(NAMED)}) and IsMatch({word}, {quoted("(?i)timed out|(?-i)" + STATUS + "408")})',
            f'set({word}, "_OTHER") where {word} != nil and not IsMatch({word}, {quoted(NAMED)})',
        ]
    if transform in (shapes.UNQUOTED, shapes.SECONDS_SINCE_START):
        return [f"replace_pattern({word}, {QUOTES}, {FIRST})"]
    if transform == shapes.FINISHES:
        return [
            f"replace_pattern({word}, {QUOTES}, {FIRST}) where IsString({word})",
            f"set({word}, {quoted(shapes.TOOL_FINISH)}) where IsString({word}) and IsMatch({word}, {quoted(TOOL_WORDS)})",
            f"set({word}[0], {quoted(shapes.TOOL_FINISH)}) where IsList({word}) and Len({word}) > 0 and IsMatch({word}[0], {quoted(TOOL_WORDS)})",
        ]
    return []


def _says(word: str, said: Iterable[str]) -> str:
    """One of these words: those in lower case in any case of letters, others as they are."""
    given = list(said)
    any_case = [one for one in given if one == one.lower()]
    exact = [one for one in given if one != one.lower()]
    tests = [matches(word, any_case).replace('"^(', '"(?i)^(')] if any_case else []
    return " or ".join(tests + ([one_of(word, exact)] if exact else []))


def _cache(key: str) -> str:
    return f"span.cache[{quoted(key)}]"
