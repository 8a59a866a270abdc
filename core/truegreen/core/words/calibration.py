"""The calibration file: what turns an evaluator's raw number into a score, a label and a scale."""

from __future__ import annotations

import hashlib
import json
import math
import re
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

from truegreen.core.words.terms import CALIBRATED, FAIL, PASS, RELATIVE

VERSION: Final = 1
MINIMUM_ANSWERS: Final = 500
"""With N healthy answers behind a floor, the chance that a healthy stream exceeds a 5 % budget for good is .11 at N = 128 and
.01 at N = 500 (measured on RAGTruth)."""
MINIMUM_LABELLED: Final = 50
"""The same where people labelled the answers: the curve from raw to the probability "right" is then known to some ten points."""
_ODD: Final = re.compile(r"[^A-Za-z0-9._-]|^_|_(?=_|\Z)|(?<=_)_")
_SHARES: Final = ("false_positive_rate", "false_negative_rate", "auroc", "auroc_low", "auroc_high")
QUANTILES: Final = tuple(round(i / 100, 2) for i in range(101))


class CalibrationError(ValueError):
    """The text is not a calibration; the message says which key, what was found and what to write instead."""


@dataclass(frozen=True, slots=True)
class ErrorRates:
    """How often an evaluator errs at the floor, on answers that people labelled. Every rate is from 0 to 1.

    Args:
        labelled: N, the labelled answers; `wrong` of them are wrong.
        false_positive_rate: share of the right answers that fail.
        false_negative_rate: share of the wrong answers that pass.
        auroc: the chance that a wrong answer has a lower raw value than a right one; `auroc_low` and `auroc_high` hold it in 95 of 100 files.
        seed: of the interval's bootstrap.
        measured: ISO 8601 time.
    """

    labelled: int
    wrong: int
    false_positive_rate: float
    false_negative_rate: float
    auroc: float
    auroc_low: float
    auroc_high: float
    seed: int = 0
    measured: str = ""


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
        curve: rising pairs of a raw value and the probability, 0 to 1, that such an answer is right; of a calibrated scale that was
            measured on labels, else empty.
        error_rates: measured at the floor; None without labels.
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
    curve: tuple[tuple[float, float], ...] = ()
    error_rates: ErrorRates | None = None

    @property
    def enough(self) -> bool:
        """Whether answers may be labelled by it: 500 answers are behind it, or 50 that people labelled."""
        labelled = self.error_rates.labelled if self.curve and self.error_rates else 0
        return self.answers >= MINIMUM_ANSWERS or labelled >= MINIMUM_LABELLED

    @property
    def digest(self) -> str:
        """The first 12 hex digits of SHA-256 over the canonical JSON of all other fields."""
        return hashlib.sha256(canonical(_body(self)).encode()).hexdigest()[:12]

    def label(self, raw: float) -> str:
        """`fail` when `raw` lies under the floor, else `pass`."""
        return FAIL if raw < self.floor else PASS

    def score(self, raw: float) -> float:
        """The probability that such an answer is right, where there is a curve; else its rank in the baseline. 0 to 1.

        The rank is the share of the baseline at or under `raw` (mid-rank among ties); both are linear between the points that are known.
        """
        if self.curve:
            return _along(self.curve, raw)
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


def _along(curve: tuple[tuple[float, float], ...], raw: float) -> float:
    at = bisect_right(curve, (raw, math.inf))
    if at in (0, len(curve)):
        return curve[max(0, at - 1)][1]
    (left, low), (right, high) = curve[at - 1], curve[at]
    gap = right / 2 - left / 2  # halves: the distance of two finite numbers may not be one
    return min(high, low + (high - low) * (raw / 2 - left / 2) / gap) if gap else low


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
    for key, (kind, fits, should) in _optional().items():
        if key in data and not (isinstance(data[key], kind) and fits(data[key])):
            raise CalibrationError(f"{where}:{line_of(text, key)}: {key}: found {data[key]!r:.60}, expected {should}")
    if "curve" in data and data["scale"] != CALIBRATED:
        raise CalibrationError(
            f"{where}:{line_of(text, 'curve')}: curve: found one on the scale {data['scale']}, expected {CALIBRATED}"
        )
    rates = data.get("error_rates")
    made = Calibration(
        **{key: data[key] for key in checks if key != "quantiles"},
        quantiles=tuple(float(q) for q in data["quantiles"]),
        snapshot=str(data.get("snapshot", "")),
        curve=tuple((float(raw), float(right)) for raw, right in data.get("curve", ())),
        error_rates=ErrorRates(**{f.name: rates[f.name] for f in fields(ErrorRates) if f.name in rates}) if rates else None,
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
        # Absent where there is none: the digest of a file without them is what it always was.
        **({"curve": [list(pair) for pair in c.curve]} if c.curve else {}),
        **({"error_rates": asdict(c.error_rates)} if c.error_rates else {}),
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


def _optional() -> Mapping[str, tuple[Any, Any, str]]:
    return {
        "curve": (list, _curve, "at least two pairs of a raw value that rises and a probability from 0 to 1 that does not fall"),
        "error_rates": (
            dict,
            _rates,
            "labelled and wrong (whole numbers of at least 1), and each rate and AUROC a number from 0 to 1",
        ),
    }


def _curve(pairs: list[Any]) -> bool:
    if len(pairs) < 2 or not all(isinstance(pair, list) and len(pair) == 2 and all(map(_number, pair)) for pair in pairs):
        return False
    return all(a[0] < b[0] and a[1] <= b[1] for a, b in pairwise(pairs)) and pairs[0][1] >= 0 and pairs[-1][1] <= 1


def _rates(found: dict[str, Any]) -> bool:
    counts = all(
        isinstance(found.get(key), int) and not isinstance(found[key], bool) and found[key] >= 1 for key in ("labelled", "wrong")
    )
    shares = all(_number(found.get(key)) and 0 <= found[key] <= 1 for key in _SHARES)
    return counts and shares and isinstance(found.get("seed", 0), int) and isinstance(found.get("measured", ""), str)


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
    return len(values) == len(QUANTILES) and all(map(_number, values)) and all(a <= b for a, b in pairwise(values))


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and _finite(value)


def _finite(value: float) -> bool:
    return abs(value) <= sys.float_info.max
