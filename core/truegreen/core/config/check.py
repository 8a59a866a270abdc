"""JSON Schema over a source: defaults filled in, and errors that say where, what was found and what to write."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from truegreen.core.config.source import Path, Source
from truegreen.core.errors import BadInput

Schema = Mapping[str, Any]


@cache
def schema() -> dict[str, Any]:
    """The JSON Schema of `truegreen.yaml`, as shipped."""
    text = resources.files("truegreen.core.config").joinpath("truegreen.schema.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def validate(source: Source, against: Schema) -> None:
    """Check a source.

    Raises:
        BadInput: with one line for every error, in the order of the file.
    """
    errors = sorted(
        Draft202012Validator(against).iter_errors(source.data), key=lambda e: source.lines.get(tuple(e.absolute_path), 0)
    )
    messages = [line for error in errors for line in _describe(source, error)]
    if messages:
        raise BadInput("\n".join(dict.fromkeys(messages)))


def filled(data: Any, against: Schema, root: Schema | None = None) -> Any:
    """A copy of `data` with every default that the schema states."""
    root = root or against
    against = _resolve(against, root)
    if isinstance(data, dict) and isinstance(against.get("properties"), dict | Mapping):
        out = dict(data)
        for key, below in against["properties"].items():
            if key in out:
                out[key] = filled(out[key], below, root)
            elif "default" in below:
                out[key] = filled(below["default"], below, root)
        return out
    if isinstance(data, list) and isinstance(against.get("items"), dict):
        return [filled(item, against["items"], root) for item in data]
    extra = against.get("additionalProperties")
    if isinstance(data, dict) and isinstance(extra, dict):
        return {key: filled(value, extra, root) for key, value in data.items()}
    return data


def variables(against: Schema, path: Path = ()) -> Iterator[tuple[str, Path]]:
    """Every `TRUEGREEN_*` variable that the schema names, with the path that it sets."""
    for key, below in against.get("properties", {}).items():
        if "x-environment" in below:
            yield below["x-environment"], (*path, key)
        yield from variables(below, (*path, key))


def overridden(data: Any, environ: Mapping[str, str], against: Schema) -> Any:
    """A copy of `data` in which the environment's variables won."""
    out = json.loads(json.dumps(data))
    for variable, path in variables(against):
        if environ.get(variable):
            place = out
            for part in path[:-1]:
                place = place.setdefault(part, {})
            place[path[-1]] = environ[variable]
    return out


def _resolve(against: Schema, root: Schema) -> Schema:
    while "$ref" in against:
        target: Any = root
        for part in str(against["$ref"]).removeprefix("#/").split("/"):
            target = target[part]
        against = {**target, **{k: v for k, v in against.items() if k != "$ref"}}
    return against


def _describe(source: Source, error: ValidationError) -> Iterator[str]:
    path: Path = tuple(error.absolute_path)
    if "propertyNames" in error.absolute_schema_path:
        path = (*path, str(error.instance))
    words = _WORDS.get(str(error.validator))
    if words:
        yield from words(source, error, path)
    elif meant := _meant(error):
        yield from (line for each in meant for line in _describe(source, each))
    elif error.context and (inner := best_match(error.context)) and len(inner.absolute_path) > len(path):
        yield from _describe(source, inner)
    else:
        yield f"{source.at(path)}: found {_found(error)}{_write(error)}"


def _meant(error: ValidationError) -> list[ValidationError]:
    """Where one of several forms fails: the errors of the one whose keys are most like those that were written; none where no form is alone in that."""
    if error.validator not in {"oneOf", "anyOf"} or not isinstance(error.instance, Mapping):
        return []
    forms = [_keys(each) for each in cast(list[Any], error.validator_value)]
    alike = [sum(_like(str(key), keys) for key in error.instance) for keys in forms]
    most = max(alike)
    if not most or alike.count(most) > 1:
        return []
    inside = [each for each in error.context or () if each.relative_schema_path[0] == alike.index(most)]
    # A key that is written wrong is one that is missing too.
    unknown = [each for each in inside if each.validator == "additionalProperties"]
    return [each for each in inside if not unknown or each.validator not in {"required", "anyOf"}]


def _keys(form: Any) -> list[str]:
    return list(form.get("properties", ())) if isinstance(form, Mapping) else []


def _like(key: str, keys: list[str]) -> float:
    return 1.0 if key in keys else 0.5 if difflib.get_close_matches(key, keys, 1) else 0.0


def _found(error: ValidationError) -> str:
    hidden = isinstance(error.schema, Mapping) and error.schema.get("x-secret")
    return "what is not shown here, for it may be a secret" if hidden else short(error.instance)


def _unknown(source: Source, error: ValidationError, path: Path) -> Iterator[str]:
    known = list(error.schema.get("properties", {})) if isinstance(error.schema, Mapping) else []
    for key in cast(Mapping[str, Any], error.instance):
        if key not in known:
            near = difflib.get_close_matches(str(key), known, 1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
            yield f"{source.at((*path, key))}: unknown key; {hint}"


def _missing(source: Source, error: ValidationError, path: Path) -> Iterator[str]:
    for key in cast(list[str], error.validator_value):
        if key not in cast(Mapping[str, Any], error.instance):
            yield f"{source.at(path)}: {key} is missing; add it"


def _enumeration(source: Source, error: ValidationError, path: Path) -> Iterator[str]:
    values = list(dict.fromkeys(str(v) for v in cast(list[Any], error.validator_value)))
    near = difflib.get_close_matches(str(error.instance), values, 1)
    yield f"{source.at(path)}: found {short(error.instance)}; write {near[0] if near else ' or '.join(values)}"


def _repeated(source: Source, error: ValidationError, path: Path) -> Iterator[str]:
    given = [short(each) for each in cast(list[Any], error.instance)]
    twice = next((each for index, each in enumerate(given) if each in given[:index]), "one")
    yield f"{source.at(path)}: found {twice} more than once; write each once"


_WORDS: dict[str, Callable[[Source, ValidationError, Path], Iterator[str]]] = {
    "additionalProperties": _unknown,
    "required": _missing,
    "enum": _enumeration,
    "uniqueItems": _repeated,
}


def _write(error: ValidationError) -> str:
    at = error.schema if isinstance(error.schema, Mapping) else {}
    if at.get("x-write"):
        return f"; write {at['x-write']}"
    wanted = at.get("type")
    if error.validator == "type" and wanted:
        return f"; write {' or '.join(wanted) if isinstance(wanted, list) else f'a value of type {wanted}'}"
    return f"; {error.message.rsplit(' ', 1)[0] if len(error.message) > 200 else error.message}"


def short(value: Any) -> str:
    """What was found, in at most 60 characters."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "…"
