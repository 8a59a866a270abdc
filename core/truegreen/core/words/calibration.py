"""The calibration file: what turns an evaluator's raw number into a score, a label and a scale."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

from truegreen.core.words.terms import CALIBRATED, FAIL, PASS, RELATIVE

VERSION: Final = 1
MINIMUM_ANSWERS: Final = 500
"""With N healthy answers behind a floor, the chance that a healthy stream exceeds a 5 % budget for good is .11 at N = 128 and
.01 at N = 500 (measured on RAGTruth)."""
_ODD: Final = re.compile(r"[^A-Za-z0-9._-]|^_|_(?=_|\Z)|(?<=_)_")
QUANTILES: Final = tuple(round(i / 100, 2) for i in range(101))


class CalibrationError(ValueError):
    """The text is not a calibration; the message says which key, what was found and what to write instead."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """A frozen baseline for one service, environment and signal.

    Args:
        signal: the evaluation's name, such as `groundedness`.
        scale: `relative` (a quantile of the baseline) or `calibrated` (labels were there).
        floor: raw values under it fail.
        quantiles: 101 raw values, the 0th to 100th percentile of the baseline.
        bad_ratio: share of the baseline that fails, 0 to 1.
        design_effect: variance inflation of correlated answers, at least 1.
        answers: N, the number of judged answers behind it.
        taken: ISO 8601 time at which it was frozen.
        snapshot: snapshot id that served while it was taken, empty when unknown.
    """

    service: str
    environment: str
    signal: str
    evaluator: str
    scale: str
    floor: float
    quantiles: tuple[float, ...]
    bad_ratio: float
    design_effect: float
    answers: int
    taken: str
    snapshot: str = ""
    version: int = VERSION

    @property
    def digest(self) -> str:
        """The first 12 hex digits of SHA-256 over the canonical JSON of all other fields."""
        return hashlib.sha256(canonical(_body(self)).encode()).hexdigest()[:12]

    def label(self, raw: float) -> str:
        """`fail` when `raw` lies under the floor, else `pass`."""
        return FAIL if raw < self.floor else PASS

    def score(self, raw: float) -> float:
        """The share of the baseline, 0 to 1, that lies at or under `raw` (mid-rank among ties, linear between percentiles)."""
        q = self.quantiles
        if raw <= q[0]:
            return 0.0
        if raw >= q[-1]:
            return 1.0
        low, high = bisect_left(q, raw), bisect_right(q, raw)
        if high > low:
            return (low + high - 1) / 2 / (len(q) - 1)
        below, above = q[low - 1], q[low]
        return (low - 1 + (raw - below) / (above - below)) / (len(q) - 1)


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces: the same bytes for the same value everywhere."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def to_text(calibration: Calibration) -> str:
    """The file's text, with its digest."""
    return json.dumps({**_body(calibration), "digest": calibration.digest}, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def from_text(text: str, where: str) -> Calibration:
    """Read a calibration.

    Raises:
        CalibrationError: not JSON, a key is missing or wrong, or the digest does not fit the content.
    """
    try:
        data = json.loads(text)
    except ValueError as error:
        raise CalibrationError(
            f"{where}:{getattr(error, 'lineno', 1)}: not JSON ({error}); write it anew with `truegreen baseline take`"
        ) from None
    if not isinstance(data, dict):
        raise CalibrationError(f"{where}:1: found {type(data).__name__}, expected a JSON object")
    checks = _checks()
    for key, (kind, fits, should) in checks.items():
        if key not in data:
            raise CalibrationError(f"{where}:1: {key} is missing; write {should}")
        value = data[key]
        if isinstance(value, bool) or not isinstance(value, kind) or not fits(value):
            raise CalibrationError(f"{where}:{line_of(text, key)}: {key}: found {value!r:.60}, expected {should}")
    fields: dict[str, Any] = {key: data[key] for key in checks}
    made = Calibration(
        **{**fields, "quantiles": tuple(float(q) for q in data["quantiles"]), "snapshot": str(data.get("snapshot", ""))}
    )
    if data.get("digest") != made.digest:
        raise CalibrationError(
            f"{where}:{line_of(text, 'digest')}: digest: found {data.get('digest')!r}, the content gives {made.digest!r}: the file was edited; "
            "write it anew with `truegreen baseline take`"
        )
    return made


def file_name(service: str, environment: str, signal: str) -> str:
    """The name of the file below the calibration folder, `service__environment__signal.json`; no two have the same.

    In each part ASCII letters, digits, `.`, `-` and a single `_` between two of them stay; every other character, and an `_` at an
    end of the part or beside another one, becomes `%` and two hex digits for each of its UTF-8 bytes.
    """
    return "__".join(_ODD.sub(_escaped, part) for part in (service, environment, signal)) + ".json"


def _escaped(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "surrogatepass"))


def _body(c: Calibration) -> Mapping[str, Any]:
    return {
        "version": c.version, "service": c.service, "environment": c.environment, "signal": c.signal, "evaluator": c.evaluator,
        "scale": c.scale, "floor": c.floor, "quantiles": list(c.quantiles), "bad_ratio": c.bad_ratio,
        "design_effect": c.design_effect, "answers": c.answers, "taken": c.taken, "snapshot": c.snapshot,
    }  # fmt: skip


def _checks() -> Mapping[str, tuple[Any, Any, str]]:
    text = (str, bool, "a text that is not empty")
    return {
        "version": (int, lambda v: v == VERSION, f"{VERSION}"),
        "service": text,
        "environment": (str, lambda _: True, "a text"),
        "signal": text,
        "evaluator": text,
        "scale": (str, lambda v: v in (RELATIVE, CALIBRATED), f"{RELATIVE} or {CALIBRATED}"),
        "floor": ((int, float), _finite, "a finite number"),
        "quantiles": (list, _rising, "101 finite numbers that do not fall"),
        "bad_ratio": ((int, float), lambda v: 0 <= v <= 1, "a number from 0 to 1"),
        "design_effect": ((int, float), lambda v: v >= 1, "a number of at least 1"),
        "answers": (int, lambda v: v >= 1, "a whole number of at least 1"),
        "taken": (str, _moment, "an ISO 8601 time such as 2026-11-01T12:00:00+00:00"),
    }


def line_of(text: str, key: str) -> int:
    """The line of a key in the file's text, 1 where it is not there."""
    return next((at for at, line in enumerate(text.splitlines(), 1) if f'"{key}"' in line), 1)


def _moment(value: str) -> bool:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _rising(values: list[Any]) -> bool:
    numbers = all(isinstance(v, (int, float)) and not isinstance(v, bool) and _finite(v) for v in values)
    return len(values) == len(QUANTILES) and numbers and all(a <= b for a, b in pairwise(values))


def _finite(value: float) -> bool:
    return abs(value) <= sys.float_info.max
