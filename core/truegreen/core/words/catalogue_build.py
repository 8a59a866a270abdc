"""Writes `catalogue.py` and `docs/metrics.md` from `catalogue.yaml`: `python -m truegreen.core.words.catalogue_build --write`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from truegreen.core.errors import BadInput
from truegreen.core.words.catalogue_check import problems
from truegreen.core.words.metric import Born, Case, Condition, External, Label, Metric, Part, Read, Value

HERE: Final = Path(__file__).parent
SOURCE: Final = HERE / "catalogue.yaml"
MODULE: Final = HERE / "catalogue.py"
PAGE: Final = HERE.parents[3] / "docs" / "metrics.md"
READS: Final = ("attribute", "resource", "evaluation", "computed", "item")
OPERATORS: Final = ("in", "contains", "has", "equals", "over", "under")


def load(text: str, where: str) -> Mapping[str, Any]:
    """Read and check the text of a catalogue.

    Args:
        where: the file's name for messages.

    Raises:
        BadInput: with file, line, key, what was found and what to write instead.
    """
    import yaml
    from jsonschema import Draft202012Validator

    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise BadInput(
            f"{where}:{line}: not YAML: {error.problem}; write a mapping with limits, spans, conditions, labels, metrics"
        ) from None
    errors = sorted(Draft202012Validator(schema()).iter_errors(data), key=lambda e: [str(p) for p in e.absolute_path])
    if errors:
        first = errors[0]
        _refuse(where, node, list(first.absolute_path), says(first), first.instance)
    for path, wrong, found in problems(data):
        _refuse(where, node, path, wrong, found)
    return data  # type: ignore[no-any-return]


@cache
def ours() -> Mapping[str, Any]:
    """The shipped catalogue, as it is written."""
    return load(SOURCE.read_text("utf-8"), SOURCE.name)


def schema() -> dict[str, Any]:
    """The JSON Schema of a catalogue."""
    return json.loads((HERE / "catalogue.schema.json").read_text("utf-8"))  # type: ignore[no-any-return]


def spans(data: Mapping[str, Any]) -> dict[str, Condition]:
    """The classes of spans of a checked catalogue."""
    return {key: _condition(gate, data) for key, gate in data["spans"].items()}


def metrics(data: Mapping[str, Any]) -> tuple[Metric, ...]:
    """The metrics of a checked catalogue, in its order."""
    return tuple(_metric(entry, data) for entry in data["metrics"])


def module_text(data: Mapping[str, Any]) -> str:
    """The text of `catalogue.py`."""
    made = metrics(data)
    identity = tuple(_label(name, data) for name in ("service", "environment"))
    used = {label for entry in data["metrics"] for label in entry["labels"]} | {"service", "environment"}
    names = {_label(key, data): f"_{key.upper()}" for key in data["labels"] if key in used}
    lines = [
        '"""The metric catalogue. Generated from `catalogue.yaml` by `python -m truegreen.core.words.catalogue_build --write`."""',
        "", "# fmt: off", "from __future__ import annotations", "", "from collections.abc import Mapping",
        "from typing import Final", "",
        "from truegreen.core.words.metric import Born, Case, Condition, External, Label, Metric, Part, Read, Value", "",
        f"SERIES_LIMIT: Final = {data['limits']['series']}", f"VALUE_LENGTH: Final = {data['limits']['value_length']}", "",
    ]  # fmt: skip
    lines += [f"{name} = {_source(label, {})}" for label, name in names.items()]
    lines += ["", "SERVICE: Final = " + names[identity[0]], "ENVIRONMENT: Final = " + names[identity[1]], ""]
    lines += ["SPANS: Final[Mapping[str, Condition]] = {"]
    lines += [f'    "{key}": {_source(gate, {})},' for key, gate in spans(data).items()]
    lines += ["}", '"""The classes of spans: each metric looks at one."""', ""]
    for metric in made:
        lines.append(f"{metric.constant}: Final = Metric(")
        for item in fields(metric):
            value = getattr(metric, item.name)
            if value != item.default:
                lines.append(f"    {item.name}={_source(value, names)},")
        lines.append(")")
    lines += ["", "ALL: Final[tuple[Metric, ...]] = ("]
    lines += [f"    {metric.constant}," for metric in made]
    lines += [")", "BY_NAME: Final[Mapping[str, Metric]] = {metric.prometheus: metric for metric in ALL}", ""]
    outside = [External(**entry) for entry in data["external"]]
    lines += [f"{entry.name.upper()}: Final = {_source(entry, {})}" for entry in outside]
    lines += ["", "EXTERNAL: Final[tuple[External, ...]] = ("]
    lines += [f"    {entry.name.upper()}," for entry in outside]
    return "\n".join([*lines, ")", ""])


def page_text(data: Mapping[str, Any]) -> str:
    """The text of `docs/metrics.md`."""
    from truegreen.core.words.catalogue_page import page

    identity = tuple(_label(name, data) for name in ("service", "environment"))
    return page(metrics(data), identity, spans(data), tuple(External(**e) for e in data["external"]), data["limits"])


def _metric(entry: Mapping[str, Any], data: Mapping[str, Any]) -> Metric:
    plain = {key: entry[key] for key in ("name", "unit", "kind", "description", "layer", "source", "stock")}
    optional = {
        key: entry[key]
        for key in ("failure_mode", "pillar", "span", "each", "keep", "expires", "identity", "nearest", "stock_why")
        if key in entry
    }
    return Metric(
        **plain,
        **optional,
        label_set=tuple(_label(name, data) for name in entry["labels"]),
        when=_condition(entry["when"], data) if "when" in entry else None,
        value=_value(entry["value"], data) if "value" in entry else None,
        parts=tuple(Part(_value(p["value"], data), tuple(p["labels"].items())) for p in entry.get("parts", ())),
        born=Born(_condition(entry["born"]["when"], data), entry["born"]["label"]) if "born" in entry else None,
        buckets=tuple(float(b) for b in entry.get("buckets", ())),
    )


def _label(key: str, data: Mapping[str, Any]) -> Label:
    entry = data["labels"][key]
    values = tuple(entry.get("values", ()))
    return Label(
        name=entry.get("label", key), read=_read(entry), cases=_cases(entry, "cases", data),
        default_cases=_cases(entry, "default_cases", data), default=entry.get("default"), values=values,
        limit=entry.get("limit", len(values) + 1),
    )  # fmt: skip


def _value(entry: Mapping[str, Any], data: Mapping[str, Any]) -> Value:
    low, high = entry.get("range", (None, None))
    return Value(
        _read(entry),
        _cases(entry, "cases", data),
        entry.get("default"),
        entry.get("minus", ""),
        entry.get("squared", False),
        low,
        high,
    )


def _cases(entry: Mapping[str, Any], key: str, data: Mapping[str, Any]) -> tuple[Case, ...]:
    return tuple(Case(_condition(case["when"], data), case["then"]) for case in entry.get(key, ()))


def _read(entry: Mapping[str, Any]) -> Read | None:
    for kind in READS:
        if kind in entry:
            names = entry[kind]
            return Read(kind, () if kind == "item" else (names,) if isinstance(names, str) else tuple(names))
    return None


def _condition(entry: Mapping[str, Any], data: Mapping[str, Any]) -> Condition:
    if "condition" in entry:
        return _condition(data["conditions"][entry["condition"]], data)
    for op in ("all", "any", "not"):
        if op in entry:
            parts = entry[op] if op != "not" else [entry[op]]
            return Condition(op, parts=tuple(_condition(part, data) for part in parts))
    for op in OPERATORS:
        if op in entry:
            values = entry[op]
            return Condition(op, _read(entry), tuple(values) if isinstance(values, list) else (values,))
    return Condition("present", _read(entry))


def _source(value: Any, names: Mapping[Label, str]) -> str:
    """Python source of a value: like `repr`, without fields at their default, labels by their constant."""
    if isinstance(value, Label) and value in names:
        return names[value]
    if is_dataclass(value) and not isinstance(value, type):
        shown = [f for f in fields(value) if getattr(value, f.name) != f.default]
        return f"{type(value).__name__}({', '.join(f'{f.name}={_source(getattr(value, f.name), names)}' for f in shown)})"
    if isinstance(value, tuple):
        return "(" + ", ".join(_source(item, names) for item in value) + ("," if len(value) == 1 else "") + ")"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def says(error: Any) -> str:
    """What is wrong with a value that does not fit the schema, and what to write instead."""
    if error.validator == "enum":
        return f"not one of the allowed values; write one of {', '.join(map(str, error.validator_value))}"
    if error.validator == "required":
        return f"{error.message}; write it"
    if error.validator == "additionalProperties":
        return f"{error.message}; write one of {', '.join(error.schema.get('properties', {}))}"
    if error.validator == "type":
        return f"of the wrong type; write {error.validator_value}"
    if error.validator == "maximum":
        return f"over the limit; write at most {error.validator_value}"
    if error.schema is False:
        return "does not go with the rest of this entry; leave it away"
    if error.validator == "anyOf" and "limit" in error.schema.get("properties", {}):
        return "has no bound; write limit: 20, or the values that it can have"
    if "x-write" in error.schema:
        return f"not in the expected form; write {error.schema['x-write']}"
    if error.validator == "pattern":
        return f"not in the expected form; write it to match {error.validator_value}"
    return f"{error.message[:200]}; write what catalogue.schema.json says of it"


def _refuse(where: str, node: Any, path: Sequence[Any], wrong: str, found: Any) -> None:
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".") or "(file)"
    shown = json.dumps(found, ensure_ascii=False, default=str)
    raise BadInput(f"{where}:{_line(node, path)}: {key}: found {shown if len(shown) < 80 else shown[:77] + '...'}: {wrong}")


def _line(node: Any, path: Sequence[Any]) -> int:
    import yaml

    for part in path:
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == part:
                    node = value
    return int(node.start_mark.line) + 1 if node is not None else 1


def main(arguments: Sequence[str]) -> int:
    """Write the module and the page (`--write`), or say whether they are equal to the catalogue; 0, 1 (not equal) or 2 (bad catalogue)."""
    try:
        data = load(SOURCE.read_text(), SOURCE.name)
    except BadInput as error:
        print(error, file=sys.stderr)
        return 2
    made = {MODULE: module_text(data), PAGE: page_text(data)}
    if "--write" in arguments:
        for path, text in made.items():
            path.write_text(text)
        return 0
    stale = [path.name for path, text in made.items() if not path.exists() or path.read_text() != text]
    for name in stale:
        print(f"{name} differs from catalogue.yaml; run python -m truegreen.core.words.catalogue_build --write", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
