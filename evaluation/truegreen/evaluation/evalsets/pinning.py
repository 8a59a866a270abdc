"""The lock file of models: which version each is pinned to, on what evidence, and what it takes to let go. Pure but for reading and writing it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from truegreen.core import whole
from truegreen.core.errors import BadInput, Failed
from truegreen.core.words.calibration import canonical
from truegreen.evaluation.evalsets import files, result

LOCK: Final = "truegreen.lock"
FORMAT: Final = 1
FRESH: Final = timedelta(days=7)
"""An older run is no evidence: what a name stands for may have changed since."""
ALL: Final = 1.0
"""The share of cases that must pass where a pin asks for no other."""
_TEXTS: Final = ("provider", "model", "version", "pinned", "evalset")
_EVIDENCE: Final[Mapping[str, Any]] = {
    "run": str,
    "evalset": str,
    "date": str,
    "passed": int,
    "cases": int,
    "ratio": (int, float),
}
Entry = Mapping[str, Any]


def load(path: Path) -> tuple[list[Entry], list[Entry]]:
    """The pins of a lock file and those that were let go; both empty where there is no file.

    Raises:
        BadInput: it is no lock file, or it was edited by hand. It is never written over then.
    """
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return [], []
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}") from None
    advice = "take the last good one from version control"
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path}:{getattr(error, 'lineno', 1)}: found no JSON; {advice}") from None
    if (
        not isinstance(data, dict)
        or data.get("format") != FORMAT
        or not all(_is_list(data.get(key)) for key in ("models", "history"))
    ):
        raise BadInput(f"{path}:1: found no lock file of format {FORMAT}; {advice}")
    if data.get("digest") != _digest(data):
        raise BadInput(
            f"{path}: digest: found {str(data.get('digest'))[:12]!r}, the content gives {_digest(data)!r}: it was edited; {advice}"
        )
    return data["models"], data["history"]


def save(path: Path, models: Sequence[Entry], history: Sequence[Entry]) -> None:
    """Write the lock file whole or not at all; raises `Failed`."""
    ordered = sorted(models, key=lambda one: (one["provider"], one["model"]))
    body = {"format": FORMAT, "models": ordered, "history": list(history)}
    whole.write(path, json.dumps({**body, "digest": _digest(body)}, indent=1, ensure_ascii=False) + "\n")


def found(models: Sequence[Entry], provider: str, model: str) -> Entry | None:
    """The pin of a model."""
    return next((one for one in models if one["provider"] == provider and one["model"] == model), None)


def bound(pin: Entry | None, given: float | None, reason: str) -> float:
    """The share of its cases that a run must pass to be evidence, whatever the run itself was content with: the pin's, else all.

    Raises:
        BadInput: a lower one is given, and no reason for the lock file.
    """
    kept = float(pin.get("require", ALL)) if pin else ALL
    if given is not None and given < kept and not reason.strip():
        raise BadInput(
            f"--require: {given:.0%} is less than the {kept:.0%} that count here; say why, for the lock file: --reason TEXT"
        )
    return kept if given is None else given


def evidence(run: Mapping[str, Any], require: float) -> Mapping[str, Any]:
    """What a lock file keeps of a run, and the share that was asked of it."""
    return {
        "run": run["digest"], "evalset": run["evalset"], "date": run["ended"], "passed": run["pass"], "cases": run["cases"],
        "ratio": run["ratio"], "low": run["low"], "require": require, "served": list(run["served"]),
    }  # fmt: skip


def entry(
    provider: str, model: str, version: str, pinned: str, evalset: str, run: Mapping[str, Any] | None, require: float, reason: str
) -> Entry:
    """A pin; without a run it holds no evidence.

    Args:
        require: the share of cases that a run must pass to let it go.
        reason: why that is less than it was.
    """
    return {
        "provider": provider, "model": model, "version": version, "pinned": pinned, "evalset": evalset, "require": require,
        "evidence": evidence(run, require) if run else None, **({"reason": reason} if reason else {}),
    }  # fmt: skip


def of_version(run: Mapping[str, Any], provider: str, version: str, require: float, now: datetime) -> str:
    """Why a run is no evidence for a version; empty where it is.

    Enough of it passed, it was whole, is at most `FRESH` old, and every answer said that this version served it.
    """
    served = set(run["served"])
    other = "" if served == {version} else f"it was answered by {', '.join(sorted(served))}, not by {version}"
    return _passed(run, provider, require, now) or other


def of_alias(run: Mapping[str, Any], provider: str, model: str, require: float, now: datetime) -> str:
    """Why a run is no evidence for letting a model go: as `of_version`, but `model` was asked for as it is asked without the pin."""
    other = (
        ""
        if run["model"] == model
        else f"it asked for {run['model'] or 'no model by name'}, not for {model} as it is without the pin"
    )
    several = "more than one model answered it" if len(run["served"]) > 1 else ""
    return _passed(run, provider, require, now) or other or several


def missing(runs: Sequence[Mapping[str, Any]], evalset: str, since: str, why: Mapping[str, str]) -> str:
    """What to say where no run lets a model go.

    Args:
        runs: all that there are, newest first; why: by digest, why each is no evidence.
        evalset: the version of the set that must pass.
        since: when it was pinned.
    """
    newest = next(iter(runs), None)
    nearest = (
        f"; the newest, {newest['digest']} of {newest['ended'][:16]}: {why[newest['digest']]}" if newest else "; there is none"
    )
    return f"no passing run of {evalset} since the pin of {since[:16]}{nearest}"


def wanted_version(path: str) -> str:
    """The version of a set as its file is now.

    Raises:
        BadInput: it cannot be read.
    """
    return files.read(Path(path)).version


def judged(
    runs: Sequence[Mapping[str, Any]], pin: Entry, evalset: str, require: float, now: datetime, version: str = ""
) -> tuple[Mapping[str, Any] | None, Mapping[str, str]]:
    """The newest run that lets a pin go, and by digest why each other does not.

    Args:
        require: the share of cases that must have passed.
        version: the version that is pinned next; empty: none.
    """
    why: dict[str, str] = {}
    for run in runs:
        reason = ""
        if run["evalset"] != evalset:
            reason = f"it is of {run['evalset']}"
        elif run["started"] <= pin["pinned"]:
            reason = "it is older than the pin"
        elif version:
            reason = of_version(run, pin["provider"], version, require, now)
        else:
            reason = of_alias(run, pin["provider"], pin["model"], require, now)
        if not reason:
            return run, why
        why[run["digest"]] = reason
    return None, why


def refuse(path: Path, what: str, command: str) -> Failed:
    """Why the lock stays as it is, and the run that is missing."""
    return Failed(f"{path}: stays as it is: {what}. Run: {command}")


def _passed(run: Mapping[str, Any], provider: str, require: float, now: datetime) -> str:
    if not run["live"]:
        return "it judged recorded answers"
    if not run["complete"]:
        return "it is not whole"
    if not result.enough(run["pass"], run["cases"], require):
        return f"it did not pass ({run['pass']} of {run['cases']}, wanted {require:.0%})"
    if run["provider"] != provider:
        return f"it asked {run['provider']}" if run["provider"] else f"it does not say whom it asked (--provider {provider})"
    if not run["served"] or not all(one.get("model") for one in run["verdicts"]):
        return "not every answer says which model served it"
    try:
        age = now - datetime.fromisoformat(run["ended"])
    except (ValueError, TypeError):
        return "nobody knows when it ended"
    return "" if age <= FRESH else f"it is older than {FRESH.days} days"


def _is_list(value: Any) -> bool:
    def fits(one: Any) -> bool:
        shown = one.get("evidence") if isinstance(one, dict) else ()
        known = shown is None or (
            isinstance(shown, dict) and all(isinstance(shown.get(key), kind) for key, kind in _EVIDENCE.items())
        )
        return (
            isinstance(one, dict)
            and known
            and _is_share(one.get("require", ALL))
            and all(isinstance(one.get(key), str) for key in _TEXTS)
        )

    return isinstance(value, list) and all(map(fits, value))


def _is_share(value: Any) -> bool:
    return isinstance(value, int | float) and 0 < value <= 1


def _digest(data: Mapping[str, Any]) -> str:
    rest = {key: value for key, value in data.items() if key != "digest"}
    return hashlib.sha256(canonical(rest).encode("utf-8", "surrogatepass")).hexdigest()[:12]
