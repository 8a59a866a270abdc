"""A frozen baseline and its profiles as JSON, and back: every key is looked at, and what is wrong is named. Pure."""

from __future__ import annotations

import hashlib
import math
from array import array
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from truegreen.core.words.calibration import canonical
from truegreen.core.words.terms import STYLE
from truegreen.evaluation.model import EXPECTED, LIVE, Distribution, FrozenBaseline, Profile, Ratio, Retrievals, Rows

VERSION: Final = 1
SKETCHES: Final = ("style", "answer_vectors", "query_vectors")
_PLACES: Final = 6


class SerialError(ValueError):
    """The data is no baseline: says which key, what was found and what is expected."""


def rounded(rows: Sequence[Sequence[float]]) -> Rows:
    """Rows to six decimals: what is kept of an embedding, and what a 32-bit float gives back."""
    return tuple(tuple(round(float(value), _PLACES) for value in row) for row in rows)


def digest(frozen: FrozenBaseline) -> str:
    """The first 12 hex digits of SHA-256 over the canonical JSON of the baseline, each sketch in it by the SHA-256 of its numbers."""
    body = to_data(frozen)
    for data in body["profiles"]:
        for name in SKETCHES:
            rows = data[name]
            packed = array("d", [value for row in rows for value in row])
            data[name] = [len(rows), hashlib.sha256(packed.tobytes()).hexdigest()]
    return hashlib.sha256(canonical(body).encode()).hexdigest()[:12]


def to_data(frozen: FrozenBaseline) -> dict[str, Any]:
    """The baseline as JSON."""
    return {
        "version": VERSION, "service": frozen.service, "environment": frozen.environment, "taken": frozen.taken,
        "snapshot": frozen.snapshot, "days": float(frozen.days), "seed": frozen.seed,
        "numbers": {name: _number_data(one) for name, one in sorted(frozen.numbers.items())},
        "ratios": {
            name: {"bad": float(one.bad), "events": float(one.events), "design_effect": float(one.design_effect)}
            for name, one in sorted(frozen.ratios.items())
        },
        "profiles": [profile_data(one) for one in frozen.profiles],
    }  # fmt: skip


def profile_data(profile: Profile) -> dict[str, Any]:
    """A profile as JSON: also what the worker of `truegreen watch` answers at `/profiles`."""
    return {
        "template": profile.template, "answers": profile.answers, "style": [list(row) for row in profile.style],
        "answer_vectors": [list(row) for row in profile.answer_vectors],
        "query_vectors": [list(row) for row in profile.query_vectors], "embedder": profile.embedder, "source": profile.source,
        **({"retrievals": [list(row) for row in profile.retrievals]} if profile.retrievals else {}),
    }  # fmt: skip


def from_data(data: Any, where: str) -> FrozenBaseline:
    """Read a baseline.

    Raises:
        SerialError: a key is missing or wrong.
    """
    _object(data, where)
    if data.get("version") != VERSION:
        raise SerialError(f"{where}: version: found {data.get('version')!r}, expected {VERSION}")
    for key in ("service", "taken"):
        _text(data, key, where, filled=True)
    for key in ("environment", "snapshot"):
        _text(data, key, where)
    try:
        datetime.fromisoformat(data["taken"])
    except ValueError:
        raise SerialError(f"{where}: taken: found {data['taken']!r:.40}, expected an ISO 8601 time") from None
    numbers, ratios, profiles = (
        _of(data, key, kind, where) for key, kind in (("numbers", dict), ("ratios", dict), ("profiles", list))
    )
    return FrozenBaseline(
        service=data["service"], environment=data["environment"], taken=data["taken"], snapshot=data["snapshot"],
        numbers={name: _number(one, f"{where}: numbers.{name}") for name, one in numbers.items()},
        ratios={name: _ratio(one, f"{where}: ratios.{name}") for name, one in ratios.items()},
        profiles=tuple(profile(one, f"{where}: profiles[{place}]") for place, one in enumerate(profiles)),
        days=_float(data, "days", where, 0.0), seed=_whole(data, "seed", where),
    )  # fmt: skip


def profile(data: Any, where: str) -> Profile:
    """Read a profile.

    Raises:
        SerialError: a key is missing or wrong, or the rows of a sketch differ in length.
    """
    _object(data, where)
    for key in ("template", "embedder"):
        _text(data, key, where)
    source = data.get("source", LIVE)
    if source not in (LIVE, EXPECTED):
        raise SerialError(f"{where}: source: found {source!r:.40}, expected {LIVE} or {EXPECTED}")
    style, answers, queries = (_rows(data, key, where, len(STYLE) if key == "style" else None) for key in SKETCHES)
    retrievals = _retrievals(data, where) if "retrievals" in data else ()
    return Profile(
        data["template"], _whole(data, "answers", where), style, answers, queries, data["embedder"], source, retrievals
    )


def _retrievals(data: Mapping[str, Any], where: str) -> Retrievals:
    rows = _rows(data, "retrievals", where, 2)
    for place, (below, documents) in enumerate(rows):
        if not below.is_integer() or not documents.is_integer() or not 0 <= below <= documents or documents < 1:
            raise SerialError(
                f"{where}: retrievals[{place}]: found {below:g} of {documents:g}, expected so many documents of at least one"
            )
    return tuple((int(below), int(documents)) for below, documents in rows)


def _number_data(one: Distribution) -> dict[str, Any]:
    return {
        "count": one.count, "mean": float(one.mean), "variance": float(one.variance), "quantiles": [*map(float, one.quantiles)],
        "bounds": [*map(float, one.bounds)], "counts": [*map(float, one.counts)], "design_effect": float(one.design_effect),
    }  # fmt: skip


def _number(data: Any, where: str) -> Distribution:
    _object(data, where)
    quantiles, bounds, counts = (_floats(data, key, where) for key in ("quantiles", "bounds", "counts"))
    if list(quantiles) != sorted(quantiles) or list(bounds) != sorted(set(bounds)):
        raise SerialError(f"{where}: quantiles, bounds: found numbers that fall, expected rising ones")
    if len(counts) != (len(bounds) + 1 if bounds else 0) or any(count < 0 for count in counts):
        raise SerialError(
            f"{where}: counts: found {len(counts)}, expected {len(bounds) + 1} numbers of at least 0, or none of both"
        )
    return Distribution(
        _whole(data, "count", where), _float(data, "mean", where), _float(data, "variance", where, 0.0), quantiles, bounds, counts,
        _float(data, "design_effect", where, 1.0),
    )  # fmt: skip


def _ratio(data: Any, where: str) -> Ratio:
    _object(data, where)
    made = Ratio(*(_float(data, key, where, least) for key, least in (("bad", 0.0), ("events", 0.0), ("design_effect", 1.0))))
    if made.bad > made.events:
        raise SerialError(f"{where}: bad: found {made.bad:g} of {made.events:g} events")
    return made


def _object(data: Any, where: str) -> None:
    if not isinstance(data, Mapping):
        raise SerialError(f"{where}: found {type(data).__name__}, expected a JSON object")


def _of(data: Mapping[str, Any], key: str, kind: type, where: str) -> Any:
    if not isinstance(data.get(key), kind):
        raise SerialError(f"{where}: {key}: found {_found(data, key)}, expected {'an object' if kind is dict else 'a list'}")
    return data[key]


def _text(data: Mapping[str, Any], key: str, where: str, *, filled: bool = False) -> None:
    if not isinstance(data.get(key), str) or (filled and not data[key]):
        raise SerialError(f"{where}: {key}: found {_found(data, key)}, expected a text{' that is not empty' if filled else ''}")


def _whole(data: Mapping[str, Any], key: str, where: str) -> int:
    value = data.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise SerialError(f"{where}: {key}: found {_found(data, key)}, expected a whole number of at least 0")
    return value


def _float(data: Mapping[str, Any], key: str, where: str, least: float = -math.inf) -> float:
    value = data.get(key)
    if not _is_number(value) or value < least:  # type: ignore[operator]
        at_least = "" if math.isinf(least) else f" of at least {least:g}"
        raise SerialError(f"{where}: {key}: found {_found(data, key)}, expected a finite number{at_least}")
    return float(value)  # type: ignore[arg-type]


def _floats(data: Mapping[str, Any], key: str, where: str) -> tuple[float, ...]:
    values = data.get(key)
    if not isinstance(values, list) or not all(map(_is_number, values)):
        raise SerialError(f"{where}: {key}: found {_found(data, key)}, expected a list of finite numbers")
    return tuple(float(value) for value in values)


def _rows(data: Mapping[str, Any], key: str, where: str, width: int | None) -> Rows:
    rows = data.get(key)
    if not isinstance(rows, list):
        raise SerialError(f"{where}: {key}: found {_found(data, key)}, expected a list of rows")
    wide = width or (len(rows[0]) if rows and isinstance(rows[0], list) else 0)
    for place, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != wide or not wide or not all(map(_is_number, row)):
            raise SerialError(f"{where}: {key}[{place}]: expected {wide or 'some'} finite numbers, as in every row")
    return tuple(tuple(float(value) for value in row) for row in rows)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _found(data: Mapping[str, Any], key: str) -> str:
    return f"{data[key]!r:.40}" if key in data else "nothing"
