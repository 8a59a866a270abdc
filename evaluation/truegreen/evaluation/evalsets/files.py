"""Reads an evaluation set (JSONL), whole or not at all: a case that is left out would make the set greener than it is."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final

from truegreen.core.errors import BadInput
from truegreen.core.words.calibration import canonical
from truegreen.evaluation.evalsets.model import Case, EvalSet
from truegreen.instrumentation import dataset

NAMED: Final = 5
"""So many broken lines are named."""
SCHEMA: Final = "evalset.schema.json"


def read(path: Path) -> EvalSet:
    """The set in a file; its version is the number that `snapshot: {eval_dataset: {file: …}}` puts on spans.

    Raises:
        BadInput: it cannot be read, a line of it is no case, two cases have one id, or it is empty. No text of the file is quoted.
    """
    if path.suffix not in dataset.LINES:
        raise BadInput(f"{path}: an evaluation set is JSON lines; name it {path.stem}.jsonl")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror or error}") from None
    return parse(data, path)


def parse(data: bytes, path: Path) -> EvalSet:
    """The set in these bytes, raising as `read`; `path` is for messages and for the name."""
    cases: list[Case] = []
    wrong: list[str] = []
    lines: dict[str, int] = {}
    for line, text in enumerate(io.BytesIO(data), start=1):
        if not text.strip():
            continue
        try:
            case = _case(text, line)
        except _BrokenCase as broken:
            wrong.append(f"{path}:{line}: {broken}")
            continue
        if case.id in lines:
            twice = _BrokenCase("id", f"the id of line {lines[case.id]}", "an id that no other case has")
            wrong.append(f"{path}:{line}: {twice}")
        lines[case.id] = line
        cases.append(case)
    if wrong:
        more = f"; {len(wrong)} lines are wrong" if len(wrong) > NAMED else ""
        raise BadInput("\n".join(wrong[:NAMED]) + more)
    if not cases:
        raise BadInput(f'{path}: found no case; write one JSON object a line, such as {{"query": "…", "expected": "…"}}')
    return EvalSet(str(path), f"{path.stem}@{dataset.lines_digest(io.BytesIO(data))}", tuple(cases))


def case_of(data: Mapping[str, Any], line: int) -> Case:
    """One case from its JSON.

    Raises:
        ValueError: it is none; the message says which key, what was found and what to write.
    """
    error = min(_validator().iter_errors(data), key=lambda one: (len(one.absolute_path), str(one.absolute_path)), default=None)
    if error is not None:
        raise _broken(error, data)
    checks = data.get("checks", {})
    for pattern in listed(checks.get("regex")):
        try:
            re.compile(pattern)
        except (re.error, OverflowError, RecursionError) as reason:
            raise _BrokenCase(
                "checks.regex", f"a pattern that is none ({reason})", "a regular expression of Python's re"
            ) from None
    if "json_schema" in checks:
        _check_schema(checks["json_schema"])
    if "expected_recall" in checks and "expected" not in data:
        raise _BrokenCase("checks.expected_recall", "no expected answer", "expected too, or leave it out")
    identity = data.get("id") or hashlib.sha256(canonical(data).encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return Case(identity, data["query"], tuple(data.get("context", ())), data.get("expected", ""), checks, line)


def listed(value: str | Sequence[str] | None) -> tuple[str, ...]:
    """One text or a list of them as a tuple; empty for None."""
    return () if value is None else (value,) if isinstance(value, str) else tuple(value)


class _BrokenCase(ValueError):
    def __init__(self, key: str, found: str, write: str) -> None:
        super().__init__(f"{key + ': ' if key else ''}found {found}; write {write}")


def _case(text: bytes, line: int) -> Case:
    try:
        data = json.loads(text.decode("utf-8"), parse_constant=_refuse)
        json.dumps(data, ensure_ascii=False).encode()  # half a surrogate pair cannot be sent
    except UnicodeError:
        raise _BrokenCase("", "bytes or characters that are not UTF-8", "the line in UTF-8") from None
    except (ValueError, RecursionError) as error:
        reason = f"{error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else "out of range"
        raise _BrokenCase("", f"no JSON ({reason})", "one JSON object a line") from None
    return case_of(data, line)


def _broken(error: Any, data: Any) -> _BrokenCase:
    known = _validator().schema["properties"]
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path).lstrip(".")
    if error.validator == "anyOf":
        return _BrokenCase("", "neither expected nor checks", "one of them: a case that checks nothing passes always")
    if error.validator == "required":
        name = next(name for name in error.validator_value if name not in data)
        return _BrokenCase(name, "nothing", known[name]["description"])
    if error.validator == "additionalProperties":
        there = error.schema["properties"]
        unknown = ", ".join(sorted(str(name)[:40] for name in error.instance if name not in there))
        return _BrokenCase(key, f"the unknown {unknown}", f"some of {', '.join(there)}")
    return _BrokenCase(key, _kind(error.instance), error.schema.get("description", "one JSON object a line"))


def _kind(value: Any) -> str:
    """What a value is, without the text in it."""
    if isinstance(value, str):
        return f"a text of {len(value)} characters"
    if isinstance(value, list | dict):
        return f"{'a list' if isinstance(value, list) else 'an object'} of {len(value)}"
    return json.dumps(value)[:40]


def _check_schema(schema: Any) -> None:
    from jsonschema import Draft202012Validator, SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = ".".join(str(part) for part in error.absolute_path)
        raise _BrokenCase(
            "checks.json_schema", f"no JSON Schema ({where or 'at its top'}: {error.validator})", "one of draft 2020-12"
        ) from None
    if outside := next((one for one in _references(schema) if not one.startswith("#")), None):
        raise _BrokenCase(
            "checks.json_schema", f"a $ref to elsewhere of {len(outside)} characters", "a $ref within it, #/$defs/…"
        )


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        for key, value in schema.items():
            if key in ("$ref", "$dynamicRef") and isinstance(value, str):
                yield value
            else:
                yield from _references(value)
    elif isinstance(schema, list):
        for one in schema:
            yield from _references(one)


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


@cache
def _validator() -> Any:
    from jsonschema import Draft202012Validator

    text = (resources.files("truegreen.core.words") / SCHEMA).read_text(encoding="utf-8")
    return Draft202012Validator(json.loads(text))
