"""What a catalogue's schema cannot judge: references, and rules that one part of an entry sets for another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from truegreen.core.words.metric import IDENTITY

SPAN_SOURCES: Final = ("span", "agent span", "span, evaluation event")
EVALUATION: Final = "evaluation"
NUMBERS: Final = ("score", "raw")
"""The parts of an evaluation that are numbers."""
RESERVED: Final = ("le", "quantile", "job", "instance")
"""Labels that Prometheus writes itself."""
MOST: Final = 2**53
"""The largest whole number that a counter adds for one span: past it doubles have gaps."""
RESOURCE: Final = ("service.name", "deployment.environment.name", "deployment.environment")
"""The attributes of a resource that the collector keeps."""

Problem = tuple[list[Any], str, Any]
"""Path of the key, what is wrong and what to write instead, what was found."""


def problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    """All that is wrong with a catalogue that fits its schema."""
    seen: set[str] = set()
    for position, entry in enumerate(data["metrics"]):
        path = ["metrics", position]
        if entry["name"] in seen:
            yield [*path, "name"], "a metric of this name stands above; write another name", entry["name"]
        seen.add(entry["name"])
        known = [name for name in entry["labels"] if name in data["labels"]]
        for index, name in enumerate(entry["labels"]):
            if name not in data["labels"]:
                yield [*path, "labels", index], f"no such label; write one of {', '.join(data['labels'])}", name
        shown = [_shown(name, data["labels"][name]) for name in known]
        if len(set(shown)) < len(shown):
            yield [*path, "labels"], "two of them have one name in Prometheus; write one of them", shown
        if entry["source"] in SPAN_SOURCES:
            if entry["span"] not in data["spans"]:
                yield [*path, "span"], f"no such class of spans; write one of {', '.join(data['spans'])}", entry["span"]
            labels = [(_shown(name, data["labels"][name]), data["labels"][name]) for name in known]
            for below, wrong, found in (*_rules(entry, labels), *_judged(entry, labels, data["conditions"])):
                yield [*path, *below], wrong, found
        buckets = entry.get("buckets", [])
        if buckets != sorted(set(buckets)):
            yield [*path, "buckets"], "bounds must rise; write them in rising order, each once", buckets
    for name, entry in data["labels"].items():
        shown_as = _shown(name, entry)
        if shown_as in RESERVED or (shown_as in IDENTITY and name not in IDENTITY) or shown_as.startswith("exported_"):
            yield (
                ["labels", name],
                f"a label that Prometheus or every metric has already; write another, such as own_{shown_as}",
                shown_as,
            )
    for path, name in _references(data, []):
        if name not in data["conditions"]:
            yield path, f"no such condition; write one of {', '.join(data['conditions'])}", name
    for name, entry in data["conditions"].items():
        if name in _meant(entry, data["conditions"]):
            yield ["conditions", name], "this condition stands on itself; write one that ends at attributes", entry


def _shown(name: str, entry: Mapping[str, Any]) -> str:
    return str(entry.get("label", name))


def _rules(entry: Mapping[str, Any], labels: list[tuple[str, Mapping[str, Any]]]) -> Iterator[Problem]:
    values: list[tuple[list[Any], Any]] = [
        (["parts", i, "value"], part["value"]) for i, part in enumerate(entry.get("parts", []))
    ]
    values += [(["value"], entry["value"])] if "value" in entry else []
    measured = [(path, value) for path, value in values if _measured(value)]
    each = entry.get("each", "")
    if each == EVALUATION and entry["span"] != "llm":
        yield ["span"], "evaluations stand on calls to a model; write llm", entry["span"]
    if "expires" in entry and entry["kind"] != "gauge":
        yield ["expires"], "a gauge alone may leave; a counter or histogram stays", entry["expires"]
    if entry["kind"] == "histogram" and len(measured) < max(1, len(values)):
        yield ["value"], "a histogram observes a number; write value: {attribute: NAME}", entry.get("value")
    for path, value in values:
        low, high = value.get("range", (None, None))
        if low is not None and high is not None and low > high:
            yield [*path, "range"], f"no number is in it; write range: [{high}, {low}]", value["range"]
        if entry["kind"] == "counter" and _measured(value) and not value.get("squared") and (low is None or low < 0):
            yield path, "a counter never falls; write range: [0, null] beside it", value
        if entry["kind"] == "counter" and any(not _whole(case["then"]) for case in value.get("cases", [])):
            yield [*path, "cases"], "a counter counts whole events; write whole numbers from 0", value["cases"]
        if "default" in value and _measured(value):
            yield [*path, "default"], "a span without the number counts nothing; leave it away", value["default"]
        elif entry["kind"] == "counter" and not _whole(value.get("default", 0)):
            yield [*path, "default"], "a counter counts whole events; write a whole number from 0", value["default"]
        if value.get(EVALUATION, "score") not in NUMBERS:
            yield [*path, EVALUATION], f"is no number; write one of {', '.join(NUMBERS)}", value[EVALUATION]
        if entry["kind"] == "gauge" and not _measured(value):
            yield path, "a gauge without a measured number shows 1; leave value away, or write value: {attribute: NAME}", value
        if _measured(value) and "cases" in value:
            yield path, "either cases or a number that is read; write one of them", value
    yield from _fixed(entry, labels)
    for path, read in [*values, *((["labels"], label) for _, label in labels)]:
        if "item" in read and each in ("", EVALUATION):
            yield path, "an item is an element of a list; write each: NAME, the attribute that has the list", read
        if EVALUATION in read and each != EVALUATION:
            yield path, "a part of an evaluation; write each: evaluation", read


def _judged(
    entry: Mapping[str, Any], labels: list[tuple[str, Mapping[str, Any]]], conditions: Mapping[str, Any]
) -> Iterator[Problem]:
    """Conditions on an evaluation where none is at hand, which would never hold; and what is computed of a span where an evaluation is, which may come as an event."""
    values = [*(part["value"] for part in entry.get("parts", [])), entry.get("value", {})]
    tested: list[tuple[str, Any]] = [
        ("when", entry.get("when")),
        ("born", entry.get("born", {}).get("when")),
        ("parts" if "parts" in entry else "value", [value.get("cases") for value in values]),
        ("labels", [label[key] for _, label in labels for key in ("cases", "default_cases") if key in label]),
    ]
    key, wrong = EVALUATION, "a condition on an evaluation; write each: evaluation"
    if entry.get("each") == EVALUATION:
        key, wrong = (
            "computed",
            "computed is of a span, and an evaluation may come as an event, which has no status and no duration; write attribute or evaluation",
        )
        tested.append(("parts" if "parts" in entry else "value", values))
    for place, tests in tested:
        if any(_has(key, test) for test in (tests, *(conditions[name] for name in _meant(tests, conditions)))):
            yield [place], wrong, tests


def _has(key: str, value: Any) -> bool:
    if isinstance(value, list):
        return any(_has(key, one) for one in value)
    return isinstance(value, dict) and (key in value or any(_has(key, one) for one in value.values()))


def _meant(value: Any, conditions: Mapping[str, Any]) -> set[str]:
    """The named conditions that a condition, or anything that has some, stands on."""
    found: set[str] = set()
    waiting = [value]
    while waiting:
        new = {name for _, name in _references(waiting.pop(), []) if name in conditions} - found
        found |= new
        waiting += [conditions[name] for name in new]
    return found


def _fixed(entry: Mapping[str, Any], labels: list[tuple[str, Mapping[str, Any]]]) -> Iterator[Problem]:
    named = dict(labels)
    if "born" in entry and not named.get(entry["born"]["label"], {}).get("values"):
        yield ["born", "label"], f"no label of this metric with values; its labels are {', '.join(named)}", entry["born"]["label"]
    parts = entry.get("parts", [])
    for index, part in enumerate(parts):
        for name, value in part["labels"].items():
            if value not in named.get(name, {}).get("values", [value] if name in named else []):
                yield ["parts", index, "labels", name], "no label of this metric, or none of its values; write one that is", value
    for name, label in labels:
        source = any(kind in label for kind in ("attribute", "resource", EVALUATION, "item", "cases", "default"))
        if not source and not entry.get("keep") and not (parts and all(name in part["labels"] for part in parts)):
            yield ["labels"], "has no source that a span could give; write a label with attribute: NAME", name


def _measured(value: Mapping[str, Any]) -> bool:
    return any(kind in value for kind in ("attribute", EVALUATION, "computed", "item"))


def _whole(number: Any) -> bool:
    return isinstance(number, (int, float)) and 0 <= number <= MOST and number == int(number)


def _references(value: Any, path: list[Any]) -> list[tuple[list[Any], str]]:
    if isinstance(value, list):
        return [found for index, item in enumerate(value) for found in _references(item, [*path, index])]
    if isinstance(value, dict):
        here = [([*path, "condition"], value["condition"])] if isinstance(value.get("condition"), str) else []
        return here + [found for key, item in value.items() for found in _references(item, [*path, key])]
    return []
