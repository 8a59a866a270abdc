"""The reference page of dialects, written from the table, from what is declared as left out, and from the versions that were recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from truegreen.core.words import dialect as shapes
from truegreen.core.words.dialects import DIALECTS, Dialect, Source
from truegreen.core.words.not_carried import CASES, DRIVERS, Driver, Left, Without

_INTRO = """\
# Dialects

Written from `core/truegreen/core/words/dialect*.py` and `not_carried.py` by `make generate`. A span of any of these libraries is read into one
normalised record, by the instrumentation and by the collector; a source attribute is never overwritten. Every library below was recorded
(`tests/dialects/recorded`), and its record is compared field by field with the one that all must give.

Token counts follow the GenAI conventions: cache reads and writes are part of the input, reasoning of the output. A finish reason is OpenAI's
word (`stop`, `length`, `tool_calls`, `content_filter`), an error the name of its class without the module. Fields that hold text
({content}) are read for evaluators in the process; they are neither labels nor copied to another attribute.

On spans of calls, embeddings, retrievals, tools and agents that lack them, the instrumentation puts the conventions' attributes that the metrics
read, so that every backend sees one vocabulary; where the span is near its limit of attributes, operation, provider, model and error alone.
"""

_SELECTED = """\
## How a dialect is selected

By the start of the instrumentation scope's name, the longest start of all dialects first, where one of the markers is on the span; without them the
conventions' names alone are read (`manual`). In a scope that no dialect names, the first dialect of this table whose own vocabulary is on the span,
so a span with the names of OpenInference and of the conventions is read as OpenInference. The instrumentation and the collector select alike.

| dialect | scopes that start with | markers | in any other scope with |
|---|---|---|---|
"""

_MATRIX = """\
## Which attribute holds which field

In this order, the first that gives a value. `a -> b.0` is a key inside the JSON of an attribute, `*` an index, `+ x*` what is added to it;
`mapped` says that the dialect's words are put into those of the conventions, `= chat` that any value there stands for this one. What has no attribute is not carried.

"""

_TWICE = (
    "Two libraries at once: two spans of each call. The instrumentation in the application marks one of them, and the other is counted; "
    "without it the collector counts both."
)

_RECORDED = """\
## Recorded libraries, and what they leave out

Each was asked for {cases}.
Where a case gave no span, or was not played, the library's table says why; no metric counts what no span tells.
"""


def dialects_page(versions: Mapping[str, Mapping[str, str]]) -> str:
    """`docs/dialects.md`.

    Args:
        versions: a recording's name to the packages that were recorded, with their versions.
    """
    content = ", ".join(f"`{field}`" for field in shapes.CONTENT_FIELDS)
    parts = [
        _INTRO.replace("{content}", content),
        _SELECTED + "\n".join(_selected(one) for one in DIALECTS) + "\n",
        _MATRIX + _matrix(),
    ]
    parts += [
        _RECORDED.replace("{cases}", _codes(CASES)),
        *(_library(name, DRIVERS.get(name), versions.get(name)) for name in sorted({*versions, *DRIVERS})),
    ]
    return "\n".join(parts)


def _selected(dialect: Dialect) -> str:
    others = dialect.anywhere if dialect.scopes else dialect.markers
    cells = (_codes(dialect.scopes), _codes(dialect.markers), _codes(others))
    return f"| {dialect.name} | " + " | ".join(cells) + " |"


def _matrix() -> str:
    lines = [f"| field | {' | '.join(one.name for one in DIALECTS)} |", "|---" * (len(DIALECTS) + 1) + "|"]
    for field in shapes.FIELDS:
        cells = [_cell(one, field) for one in DIALECTS]
        lines.append(f"| {field} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(dialect: Dialect, field: str) -> str:
    return "<br>".join(dict.fromkeys(map(_source, dialect.fields.get(field, ())))) or "not carried"


def _source(source: Source) -> str:
    if source.kind == shapes.SPAN_NAME:
        text = "the span's name"
    elif source.kind == shapes.EVENT:
        text = f"time of the first event `{source.name}`"
    elif source.kind == shapes.EVENT_ATTRIBUTE:
        text = f"`{source.path[0]}` of the event `{source.name}`"
    else:
        path = " -> " + ".".join(map(str, source.path)) if source.path else ""
        text = f"`{source.name}{path}`" + "".join(f" + `{key}`" for key in source.add)
    if source.when:
        text += f" where `{source.when[0]}` is {_codes(source.when[1])}"
    return text + (" (mapped)" if source.values else "") + (f" = `{source.says}`" if source.says else "")


def _library(name: str, driver: Driver | None, versions: Mapping[str, str] | None) -> str:
    packages = "Recorded beside another library only"
    if versions is not None:
        packages = ", ".join(f"{package} {version}" for package, version in sorted(versions.items()))
    lines = [f"### {name}", "", f"{packages}.", ""]
    if driver is None:
        return "\n".join([*lines, _TWICE, ""])
    lines[2] = f"Dialect `{driver.dialect}`. {packages}."
    if driver.left:
        lines += ["| field | | reason |", "|---|---|---|", *map(_left, driver.left), ""]
    if driver.without:
        lines += ["| case | | reason |", "|---|---|---|", *map(_without, driver.without), ""]
    return "\n".join(lines)


def _without(without: Without) -> str:
    return f"| {_codes(without.cases)} | {_kind(without)} | {without.reason} |"


def _kind(without: Without) -> str:
    if not without.played:
        return "not played"
    return "no span" if without.read else "not counted"


def _left(left: Left) -> str:
    where = f" ({', '.join(left.cases)})" if left.cases else f" (but not {', '.join(left.but)})" if left.but else ""
    return f"| {_codes(left.fields)} | {'differs' if left.differs else 'not carried'}{where} | {left.reason} |"


def _codes(values: Sequence[str]) -> str:
    return ", ".join(f"`{value}`" for value in values)
