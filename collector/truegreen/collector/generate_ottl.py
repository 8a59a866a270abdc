"""The catalogue's conditions and values as OTTL, the language of the OpenTelemetry Collector's processors. Pure; see `generate_metrics.py`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from truegreen.collector.plan import Facts, holds
from truegreen.core.words import attributes as names
from truegreen.core.words.metric import Condition, Label, Read, Value

LARGEST: Final = "1.7976931348623157e308"
_WHOLE: Final = re.compile(r"0|-?[1-9]\d{0,18}", re.ASCII)
_FRACTION: Final = re.compile(r"-?\d+(\.\d+)?(e[-+]\d+)?", re.ASCII)
NAME: Final = Read("evaluation", ("name",))
PARTS: Final = ("label", "evaluator", "scale", "calibration", "skipped", "sampled", "score", "raw")
"""Parts of an evaluation; one of them on a span means that the evaluation is there."""


@dataclass(frozen=True, slots=True)
class Item:
    """What a statement is about.

    Args:
        kind: `span` or `log`, the first word of its paths.
        evaluation: the evaluation at hand, empty where there is none.
    """

    kind: str = "span"
    evaluation: str = ""

    def attribute(self, name: str) -> str:
        """The path of an attribute."""
        return f"{self.kind}.attributes[{quoted(name)}]"

    def names(self, read: Read) -> tuple[str, ...]:
        """The attributes that a read of the catalogue looks at; empty for what is no attribute."""
        if read.kind == "attribute":
            return read.names
        if read.kind == "evaluation" and read.names != ("name",):
            return (names.evaluation(self.evaluation, read.names[0]),)
        return ()

    def key(self, read: Read) -> str:
        """The attribute of the item that has what is read; empty for what is no attribute of it."""
        if read.kind == "resource":
            return "" if len(read.names) == 1 else "first/resource/" + "/".join(read.names)
        found = self.names(read)
        return found[0] if len(found) == 1 else "first/" + "/".join(found) if found else ""

    def path(self, read: Read) -> str:
        """The path of what is read: of several attributes the one that `first` statements have set."""
        key = self.key(read)
        return self.attribute(key) if key else f"resource.attributes[{quoted(read.names[0])}]"

    def first(self, read: Read) -> list[str]:
        """The statements that look up the first of several attributes that is there; none for a read of one."""
        if len(read.names) < 2 or not self.key(read):
            return []
        of = "resource" if read.kind == "resource" else self.kind
        x, tried = self.path(read), [f"{of}.attributes[{quoted(name)}]" for name in reversed(read.names)]
        return [f"set({x}, {one}) where {one} != nil" for one in tried]


SPAN: Final = Item()


def quoted(text: str) -> str:
    """A text of OTTL."""
    return json.dumps(text, ensure_ascii=False)


def pattern(words: Iterable[str], whole: bool = True) -> str:
    """An RE2 pattern of one of these words; in any case of letters where it may stand anywhere in a text."""
    inner = "|".join(re.escape(word).replace("\\-", "-").replace("\\ ", " ") for word in words)
    return f"^({inner})$" if whole else f"(?i)({inner})"


def matches(path: str, words: Iterable[str], whole: bool = True) -> str:
    """A condition: the text is, or holds, one of these words."""
    return f"IsMatch({path}, {quoted(pattern(words, whole))})"


def one_of(path: str, values: Sequence[str]) -> str:
    """A condition: the value is one of these."""
    found = " or ".join(f"{path} == {quoted(value)}" for value in values)
    return f"({found})" if len(values) > 1 else found


def numeral(value: float) -> str:
    """A number of OTTL, where one with an exponent has a point and one past 64 bits is no integer."""
    if isinstance(value, int) and abs(value) < 1 << 63:
        return str(value)
    digits, exponent, power = repr(float(value)).partition("e")
    return digits + ("" if "." in digits else ".0") + exponent + power


def alike(text: str) -> str:
    """The number or boolean of OTTL that is written as this text in a label; empty where none is."""
    if text in ("true", "false"):
        return text
    if _WHOLE.fullmatch(text):
        return text if abs(int(text)) < 1 << 63 else ""
    return numeral(float(text)) if _FRACTION.fullmatch(text) and text == repr(float(text)) else ""


def written(path: str, texts: Sequence[str]) -> str:
    """A condition: the value is one of these texts, or a number or boolean that is written so."""
    found = []
    for text in texts:
        found.append(f"{path} == {quoted(text)}")
        same = alike(text)
        if same in ("true", "false"):
            found.append(f"{path} == {same}")
        elif same:
            found.append(f"{'IsDouble' if '.' in same else 'IsInt'}({path}) and {path} == {same}")
    return f"({' or '.join(found)})" if len(found) > 1 else found[0]


def in_class(c: Condition, item: Item) -> str:
    """The condition of a class of spans: of values, texts alone."""
    assert c.read is not None
    x = item.path(c.read)
    return one_of(x, [str(value) for value in c.values]) if c.values else f"{x} != nil"


def condition(c: Condition, item: Item) -> str:
    """A condition of the catalogue."""
    if c.op in ("all", "any"):
        return "(" + (" and " if c.op == "all" else " or ").join(condition(part, item) for part in c.parts) + ")"
    if c.op == "not":
        return f"not ({condition(c.parts[0], item)})"
    assert c.read is not None
    if c.read.names == ("status_error",):
        return "span.status.code == STATUS_CODE_ERROR"
    if c.read == NAME:
        return "true" if holds(c, Facts({}, name=item.evaluation)) else "false"
    x, texts = item.path(c.read), [str(value) for value in c.values]
    if c.op == "present":
        return f"{x} != nil"
    if c.op == "in":
        return written(x, texts)
    if c.op == "contains":
        # Of a list or a map it would look at the JSON.
        return f"({matches(x, texts, whole=False)} and not IsList({x}) and not IsMap({x}))"
    if c.op == "has":
        listed = " or ".join(f"ContainsValue({x}, {one})" for text in texts for one in (quoted(text), alike(text)) if one)
        return f"(IsList({x}) and ({listed}) or {written(x, texts)})"
    wanted = c.values[0]
    if isinstance(wanted, bool):
        return written(x, [str(wanted).lower()])
    assert isinstance(wanted, (int, float))
    sign = {"equals": "==", "over": ">", "under": "<"}[c.op]
    return f"{x} {sign} {numeral(wanted)}"


def number(value: Value, item: Item) -> tuple[str, str]:
    """The condition under which a measured value counts, and the value; a text, NaN and infinity are none, nor what is out of its range."""
    low = f"-{LARGEST}" if value.low is None else numeral(float(value.low))
    high = LARGEST if value.high is None else numeral(float(value.high))
    assert value.read is not None
    took = "(span.end_time_unix_nano - span.start_time_unix_nano) / 1000000000.0"
    if value.read.names == ("duration",):
        return "span.end_time_unix_nano >= span.start_time_unix_nano", took
    if value.read.names == ("time_per_output_token",):
        first, tokens = item.attribute(names.TIME_TO_FIRST_CHUNK), item.attribute(names.OUTPUT_TOKENS)
        made = f"({took} - {first}) / ({tokens} - 1)"
        return f"{tokens} > 1 and {tokens} <= {LARGEST} and {first} <= {LARGEST} and {took} - {first} >= 0", made
    x = item.path(value.read)
    if value.minus:
        y = item.attribute(value.minus)
        return f"{x} <= {high} and {y} <= {high} and {x} - {y} >= {low}", f"Double({x} - {y})"
    found = f"Double({x})"
    return f"{x} >= {low} and {x} <= {high}", f"{found} * {found}" if value.squared else found


def label_statements(label: Label, key: str, item: Item) -> list[str]:
    """The statements that put the value of a label with cases at `key`; its plain default is left to the connector."""
    x = item.attribute(key)
    made = []
    if label.read is not None and item.key(label.read):
        read = item.path(label.read)
        made.append(f'set({x}, {read}) where {read} != nil and {read} != ""')
    made += [
        f"set({x}, {quoted(str(case.then))}) where {x} == nil and {condition(case.when, item)}" for case in label.default_cases
    ]
    # The first case that holds wins, so the first is set last.
    made += [f"set({x}, {quoted(str(case.then))}) where {condition(case.when, item)}" for case in reversed(label.cases)]
    return made


def evaluated(item: Item) -> str:
    """A condition: the evaluation at hand is on the span."""
    return " or ".join(f"{item.attribute(names.evaluation(item.evaluation, part))} != nil" for part in PARTS)
