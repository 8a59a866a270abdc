"""What a run says of itself: pass ratio with its interval, verdict by case, and a digest over all of it. Pure."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from truegreen.core.errors import BadInput
from truegreen.core.words.calibration import canonical
from truegreen.evaluation.evalsets.model import PASSED, VERDICTS, EvalSet, Verdict

FORMAT: Final = 1
Z: Final = 1.959964
"""Two-sided 95 %."""
_KEYS: Final[Mapping[str, Any]] = {
    "format": int, "evalset": str, "file": str, "endpoint": str, "provider": str, "model": str, "served": list, "started": str, "ended": str,
    "cases": int, "asked": int, "verdicts": list, "ratio": (int, float), "low": (int, float), "high": (int, float), "require": (int, float),
    "complete": bool, "live": bool, "passed": bool, "digest": str, **dict.fromkeys(VERDICTS, int),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Target:
    """Who was asked.

    Args:
        endpoint: its address without user and query, or the name of the recorded file.
        provider: as the user names it; empty when not said.
        model: what was asked for; empty where the endpoint knows by itself.
        how: how it was asked: the digest of system message, parameters, template.
        live: somebody answered now; else what was recorded before.
    """

    endpoint: str
    provider: str
    model: str
    how: str
    live: bool = True

    @property
    def digest(self) -> str:
        """8 hex digits: who was asked, and how."""
        return hashlib.sha256(canonical([self.endpoint, self.provider, self.model, self.how]).encode()).hexdigest()[:8]


def wilson(passed: int, cases: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927), 0 to 1; (0, 1) for no cases."""
    if not cases:
        return 0.0, 1.0
    share, square = passed / cases, Z * Z / cases
    middle = (share + square / 2) / (1 + square)
    spread = Z * math.sqrt(share * (1 - share) / cases + square / (4 * cases)) / (1 + square)
    return max(0.0, middle - spread), min(1.0, middle + spread)


def result(
    evalset: EvalSet, target: Target, verdicts: Sequence[Verdict], *, started: str, ended: str, require: float, stopped: str = ""
) -> Mapping[str, Any]:
    """The JSON of a run; what was not asked, or has no answer, has not passed.

    Args:
        started, ended: ISO 8601.
        require: the least pass ratio, 0 to 1.
        stopped: what ended it early: `calls`, `tokens`, `seconds`, `errors`; else empty.
    """
    order = {case.id: at for at, case in enumerate(evalset.cases)}
    told = sorted(verdicts, key=lambda one: order[one.id])
    counts = {name: sum(one.verdict == name for one in told) for name in VERDICTS}
    cases, passed = len(evalset.cases), counts[PASSED]
    low, high = wilson(passed, len(told))
    complete = len(told) == cases and not counts["error"]
    body = {
        "format": FORMAT, "evalset": evalset.version, "file": evalset.path, "endpoint": target.endpoint, "live": target.live, "provider": target.provider,
        "model": target.model, "how": target.how, "served": sorted({one.model for one in told if one.model}), "started": started,
        "ended": ended, "stopped": stopped, "cases": cases, "asked": len(told), **counts,
        "ratio": round(passed / len(told), 6) if told else 0.0, "low": round(low, 6), "high": round(high, 6), "require": require,
        "complete": complete, "passed": complete and enough(passed, cases, require), "tokens": sum(one.tokens for one in told),
        "verdicts": [_told(one) for one in told],
    }  # fmt: skip
    return {**body, "digest": digest(body)}


def enough(passed: int, cases: int, require: float) -> bool:
    """Whether so many of so many cases are at least this share of them."""
    return passed >= require * cases - 1e-9


def digest(body: Mapping[str, Any]) -> str:
    """12 hex digits over the canonical JSON of a run without its digest."""
    rest = {key: value for key, value in body.items() if key != "digest"}
    return hashlib.sha256(canonical(rest).encode("utf-8", "surrogatepass")).hexdigest()[:12]


def parse(text: str, where: str) -> Mapping[str, Any]:
    """A run's JSON.

    Raises:
        BadInput: it is no run, or it was edited.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict) or not all(isinstance(data.get(key), kind) for key, kind in _KEYS.items()):
        raise BadInput(f"{where}: found no result of a run; write one with `truegreen evalset run`")
    if not all(_is_moment(data[key]) for key in ("started", "ended")):
        raise BadInput(f"{where}: found no moment in started or ended; write a run with `truegreen evalset run`")
    if data["format"] != FORMAT:
        raise BadInput(f"{where}: format: found {data['format']}, this version reads {FORMAT}; run the set again")
    if data["digest"] != digest(data):
        raise BadInput(
            f"{where}: digest: found {data['digest'][:12]}, the content gives {digest(data)}: it was edited; run the set again"
        )
    return data


def _is_moment(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def lines(run: Mapping[str, Any], failed: int = 10) -> list[str]:
    """A run for people; the last line says it all.

    Args:
        failed: so many cases that did not pass are named.
    """
    wrong = [one for one in run["verdicts"] if one["verdict"] != PASSED]
    said = [f"{one['verdict']:<8}{one['id']}: {_reasons(one)}" for one in wrong[:failed]]
    said += [f"… {len(wrong) - failed} more"] if len(wrong) > failed else []
    served = ", ".join(run["served"]) or "an unknown model"
    said.append(f"evalset  {run['evalset']}, answered by {served}, run {run['digest']}")
    rest = ", ".join(f"{run[name]} {name}" for name in VERDICTS[1:] if run[name])
    left = run["cases"] - run["asked"]
    parts = [
        rest,
        f"{left} not asked (budget: {run['stopped']})"
        if left and run["stopped"] != "errors"
        else f"{left} not asked"
        if left
        else "",
    ]
    verdict = "passed" if run["passed"] else "NOT passed"
    return [*said, f"{verdict} {run['pass']}/{run['asked']} ({run['ratio']:.1%}, 95% {run['low']:.1%} to {run['high']:.1%}; "
                   f"wanted {run['require']:.0%} of {run['cases']})" + "".join(f"; {part}" for part in parts if part)]  # fmt: skip


def _reasons(one: Mapping[str, Any]) -> str:
    """What failed, then why something could not be judged."""
    why = one.get("why", "")
    return "; ".join(filter(None, (", ".join(name for name in one["failed"] if f"{name}:" not in why), why)))


def _told(one: Verdict) -> Mapping[str, Any]:
    told: dict[str, Any] = {"id": one.id, "verdict": one.verdict, "failed": list(one.failed), "milliseconds": one.milliseconds}
    more = {"why": one.why, "model": one.model, "tokens": one.tokens, "raw": dict(one.raw), "answer": one.answer}
    return told | {key: value for key, value in more.items() if value or (key == "answer" and value is not None)}
