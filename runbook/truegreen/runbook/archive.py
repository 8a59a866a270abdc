"""One archive of an incident: everything that is known of it, with the SHA-256 of each part. Pure, except for reading the bundles."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from truegreen.runbook import freeze
from truegreen.runbook.actions import actions
from truegreen.runbook.law.model import AWARENESS, DECISION, DRAFT, REMINDER
from truegreen.runbook.model import Event, Incident

MOST: Final = 64 * 1024 * 1024
"""Bytes of a bundle that is taken in."""


def parts(
    incident: Incident, events: Sequence[Event], evidence: Path, pages: Mapping[str, str]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The files of the archive, and what is missing or not as it was frozen, in words.

    Args:
        events: of this incident, oldest first.
        evidence: the folder of evidence bundles.
        pages: name to text of postmortem and drafts.
    """
    triaged = [e for e in events if e.kind == "triaged"]
    closed = [e for e in events if e.kind == "incident closed"]
    made: dict[str, Any] = {
        "incident.json": asdict(incident),
        "log.json": [asdict(e) for e in events],
        "snapshots.json": {
            "at triage": [{"event": e.seq, "time": e.time, **e.data.get("versions", {})} for e in triaged],
            "at closing": [{"event": e.seq, "time": e.time, "versions": e.data.get("versions", {})} for e in closed],
        },
        "law.json": [asdict(e) for e in events if e.kind in (AWARENESS, DECISION, REMINDER, DRAFT)],
        "actions.json": [asdict(item) for item in actions(events)],
        **{name: text.encode("utf-8", "replace") for name, text in pages.items()},
    }
    wrong = []
    for e in events:
        if e.kind != "evidence frozen":
            continue
        # The name comes from the log: only its last part may lead anywhere.
        name, digest = Path(str(e.data.get("file", ""))).name, str(e.data.get("sha256", ""))
        content = _read(evidence / name) if name else None
        if content is None:
            wrong.append(f"evidence/{name or '(none)'}: not in {evidence}, or larger than {MOST} bytes")
        elif hashlib.sha256(content).hexdigest() != digest:
            wrong.append(f"evidence/{name}: not the one that was frozen (its SHA-256 is another than event {e.seq} says)")
        else:
            made[f"evidence/{name}"] = content
    return made, tuple(wrong)


def pack(incident: Incident, made: Mapping[str, Any], missing: Sequence[str], head: str, when: str) -> bytes:
    """The bytes of the archive; the same for the same content."""
    about = {"format": 1, "kind": "incident archive", "incident": incident.id, **asdict(incident.target), "written": when,
             "missing": list(missing), "log_head": head}  # fmt: skip
    return freeze.pack(made, about)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes() if path.is_file() and path.stat().st_size <= MOST else None
    except OSError:
        return None
