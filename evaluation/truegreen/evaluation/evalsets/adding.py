"""A question that went wrong in an incident becomes a case: what the incident's log knows, the question's text, and what to check."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final

from truegreen.core import whole
from truegreen.core.errors import BadInput
from truegreen.core.words.calibration import CalibrationError, canonical, file_name, from_text
from truegreen.evaluation.evalsets import files, judging, keeping

GROUP: Final = "truegreen_incident"
"""Entry points `facts(incident, store, config_path) -> Mapping`: what a log of incidents knows of one. Keys: `id`, `service`,
`environment`, `slo`, `evaluation` (that the SLO judges; empty where it judges none), `traces` (failing ones, newest first)."""


_ADVICE: Final = "write what a right answer is: --expected TEXT, --contains TEXT, --not-contains TEXT or --floor NAME=RAW"


def facts(incident: int, store: str | None, config_path: Path | None) -> Mapping[str, Any]:
    """What the installed log of incidents knows of one.

    Raises:
        BadInput: nothing that keeps incidents is installed, or it knows no such incident.
    """
    found = next(iter(entry_points(group=GROUP)), None)
    if found is None:
        raise BadInput("--from-incident: no log of incidents is installed; run: pip install 'truegreen[runbook]'")
    try:
        read = found.load()
    except ModuleNotFoundError as error:
        raise BadInput(f"--from-incident needs the package {error.name}; run: pip install 'truegreen[runbook]'") from None
    made: Mapping[str, Any] = read(incident, store, config_path)
    return made


def question(told: Mapping[str, Any], trace: str, query: str, recorded: Path | None) -> Mapping[str, Any]:
    """The question of the case: `query`, `context` where its passages are known, `trace` where one is.

    Args:
        told: the incident's facts; empty without one.
        trace: the trace it is to come from; empty: the first of the incident's that is found.
        query: the question itself; empty: it is looked up.
        recorded: a replay file with the trace's id as the id of its record.

    Raises:
        BadInput: it is nowhere.
    """
    traces = [trace] if trace else list(told.get("traces", ()))
    if query:
        return {"query": query} | ({"trace": traces[0]} if trace else {})
    if not traces:
        raise BadInput(
            f"incident {told.get('id', '(none)')}: its log names no failing trace; write the question: --query TEXT, or its trace: --trace ID"
        )
    found = _recorded(recorded, traces) if recorded else _langfuse(traces)
    if found is None:
        raise BadInput(
            f"{recorded or 'Langfuse'}: has none of the traces {', '.join(traces[:5])}; write the question: --query TEXT"
        )
    return found


def case(
    told: Mapping[str, Any], asked: Mapping[str, Any], expected: str, wanted: Mapping[str, Any], calibrations: Path, *, identity: str,
    note: str, added: str,
) -> Mapping[str, Any]:  # fmt: skip
    """The case as its line has it.

    Without a check of its own it is checked by what found it wrong: the incident's evaluation, at the floor of the service's calibration.

    Raises:
        BadInput: nothing says what to check.
    """
    if not expected and not wanted:
        wanted = {"floors": _floor(told, calibrations)}
    number = told.get("id")
    kept = {**asked} | ({"expected": expected} if expected else {}) | ({"checks": wanted} if wanted else {})
    kept |= ({"incident": number} if number else {}) | ({"note": note} if note else {})
    tail = str(asked.get("trace", ""))[:8] or _short(asked["query"])
    made = {"id": identity or (f"incident-{number}-{tail}" if number else f"case-{tail}"), **kept, "added": added}
    try:
        files.case_of(made, 0)
    except ValueError as error:
        raise BadInput(f"the case cannot be added: {error}") from None
    return made


def add(path: Path, made: Mapping[str, Any]) -> tuple[str, str]:
    """Write the case at the end of a set; gives the version before (empty for a new file) and after. The file is whole at any moment.

    Raises:
        BadInput: the set is broken as it is, or has the id already.
        Failed: it cannot be written.
    """
    with keeping.alone(path):
        before, text = "", ""
        if path.exists():
            before = files.read(path).version
            text = path.read_text("utf-8")
            text += "" if text.endswith("\n") or not text else "\n"
        text += json.dumps(made, ensure_ascii=False) + "\n"
        after = files.parse(text.encode(), path).version
        whole.write(path, text)
    return before, after


def check(made: Mapping[str, Any], config_path: Path | None) -> None:
    """Whether an answer can pass the floor that nobody wrote.

    Raises:
        BadInput: its evaluator skips the case for what it is itself, or is not installed here.
    """
    case = files.case_of(made, 0)
    found = next(judging.hopeless(case, judging.judges([case], "the incident's evaluation", config_path)), None)
    if found is not None:
        name, reason = found
        raise BadInput(
            f"no answer could pass: {name} found it wrong and is its only check, and it skips this case ({reason}). {_ADVICE}, or take the "
            "question with its passages from a replay file: --recorded FILE"
        )


def floors(given: Sequence[str]) -> Mapping[str, float]:
    """From `groundedness=0.5`; raises `BadInput` where it is none."""
    found: dict[str, float] = {}
    for text in given:
        name, _, number = text.partition("=")
        try:
            found[name] = float(number)
        except ValueError:
            name = ""
        if not name or not math.isfinite(found[name]):
            raise BadInput(f"--floor: found {text!r}; write NAME=RAW such as groundedness=0.5")
    return found


def what(made: Mapping[str, Any]) -> list[str]:
    """What a case checks, in words, without its texts."""
    checked = dict(made.get("checks", {}))
    said = ["expected answer"] if "expected" in made else []
    said += [f"{name} at least {floor:g}" for name, floor in checked.pop("floors", {}).items()]
    return said + sorted(checked)


def _floor(told: Mapping[str, Any], calibrations: Path) -> Mapping[str, float]:
    name = str(told.get("evaluation", ""))
    if not name:
        raise BadInput(f"the case checks nothing; {_ADVICE}")
    path = calibrations / file_name(str(told["service"]), str(told["environment"]), name)
    try:
        return {name: from_text(path.read_text("utf-8"), str(path)).floor}
    except (OSError, UnicodeDecodeError, CalibrationError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise BadInput(f"{path}: its floor would be the check, and it cannot be read ({reason}); {_ADVICE}") from None


def _recorded(path: Path, traces: Sequence[str]) -> Mapping[str, Any] | None:
    from truegreen.evaluation.files import Broken, read_replay

    wanted = {trace: at for at, trace in enumerate(traces)}
    found = {record.id: record for record in read_replay(path, Broken()) if record.id in wanted and record.query}
    if not found:
        return None
    record = found[min(found, key=wanted.__getitem__)]
    return {"query": record.query, "trace": record.id} | ({"context": list(record.context)} if record.context else {})


def _langfuse(traces: Sequence[str]) -> Mapping[str, Any] | None:
    from truegreen.core.clients import langfuse, langfuse_traces

    server = langfuse.connect()
    found = ((trace, langfuse_traces.question(server, trace)) for trace in traces)
    return next(({"query": text, "trace": trace} for trace, text in found if text), None)


def _short(text: str) -> str:
    return hashlib.sha256(canonical(text).encode("utf-8", "surrogatepass")).hexdigest()[:8]
