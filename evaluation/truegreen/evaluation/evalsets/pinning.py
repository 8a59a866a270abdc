"""The lock file of models: which version each is pinned to, on what evidence, and what it takes to let go. Pure but for reading and writing it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from truegreen.core.errors import BadInput, Failed
from truegreen.core.words.calibration import canonical
from truegreen.evaluation.evalsets import files, keeping

LOCK: Final = "truegreen.lock"
FORMAT: Final = 1
FRESH: Final = timedelta(days=7)
"""An older run is no evidence: what a name stands for may have changed since."""
_TEXTS: Final = ("provider", "model", "version", "pinned", "evalset")
_EVIDENCE: Final[Mapping[str, Any]] = {"run": str, "evalset": str, "date": str, "passed": int, "cases": int, "ratio": (int, float)}
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
    keeping.write(path, json.dumps({**body, "digest": _digest(body)}, indent=1, ensure_ascii=False) + "\n")


def found(models: Sequence[Entry], provider: str, model: str) -> Entry | None:
    """The pin of a model."""
    return next((one for one in models if one["provider"] == provider and one["model"] == model), None)


def evidence(run: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a lock file keeps of a run."""
    return {
        "run": run["digest"], "evalset": run["evalset"], "date": run["ended"], "passed": run["pass"], "cases": run["cases"],
        "ratio": run["ratio"], "low": run["low"], "require": run["require"], "served": list(run["served"]),
    }  # fmt: skip


def entry(provider: str, model: str, version: str, pinned: str, evalset: str, run: Mapping[str, Any] | None) -> Entry:
    """A pin; without a run it holds no evidence."""
    return {
        "provider": provider, "model": model, "version": version, "pinned": pinned, "evalset": evalset,
        "evidence": evidence(run) if run else None,
    }  # fmt: skip


def of_version(run: Mapping[str, Any], provider: str, version: str, now: datetime) -> str:
    """Why a run is no evidence for a version; empty where it is.

    It passed, was whole, is at most `FRESH` old, and this version answered and no other.
    """
    served = set(run["served"]) or {run["model"]}
    other = (
        "" if served == {version} else f"it was answered by {', '.join(sorted(served)) or 'nobody knows whom'}, not by {version}"
    )
    return _passed(run, provider, now) or other


def of_alias(run: Mapping[str, Any], provider: str, model: str, now: datetime) -> str:
    """Why a run is no evidence for letting a model go: as `of_version`, but `model` was asked for as it is asked without the pin."""
    other = (
        ""
        if run["model"] == model
        else f"it asked for {run['model'] or 'no model by name'}, not for {model} as it is without the pin"
    )
    several = "more than one model answered it" if len(run["served"]) > 1 else ""
    return _passed(run, provider, now) or other or several


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
    runs: Sequence[Mapping[str, Any]], pin: Entry, evalset: str, now: datetime, version: str = ""
) -> tuple[Mapping[str, Any] | None, Mapping[str, str]]:
    """The newest run that lets a pin go, and by digest why each other does not.

    Args:
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
            reason = of_version(run, pin["provider"], version, now)
        else:
            reason = of_alias(run, pin["provider"], pin["model"], now)
        if not reason:
            return run, why
        why[run["digest"]] = reason
    return None, why


def refuse(path: Path, what: str, command: str) -> Failed:
    """Why the lock stays as it is, and the run that is missing."""
    return Failed(f"{path}: stays as it is: {what}. Run: {command}")


def _passed(run: Mapping[str, Any], provider: str, now: datetime) -> str:
    if not run["live"]:
        return "it judged recorded answers"
    if not run["complete"]:
        return "it is not whole"
    if not run["passed"]:
        return f"it did not pass ({run['pass']} of {run['cases']}, wanted {run['require']:.0%})"
    if run["provider"] and run["provider"] != provider:
        return f"it asked {run['provider']}"
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
        return isinstance(one, dict) and known and all(isinstance(one.get(key), str) for key in _TEXTS)

    return isinstance(value, list) and all(map(fits, value))


def _digest(data: Mapping[str, Any]) -> str:
    rest = {key: value for key, value in data.items() if key != "digest"}
    return hashlib.sha256(canonical(rest).encode("utf-8", "surrogatepass")).hexdigest()[:12]
