"""Whether the response would work tonight: ways back, flag file, evidence folder, log."""

from __future__ import annotations

import os
from pathlib import Path

from truegreen.runbook import database, flags
from truegreen.runbook import log as store
from truegreen.runbook.doctor.model import OK, UNKNOWN, WRONG, Env, Finding


def rollback(env: Env) -> Finding:
    """Every way back that is configured, by its dry run."""
    from truegreen.runbook.rollback import dry_run

    found = dry_run(env.config, environ=env.environ)
    if not found:
        return Finding(
            "rollback", UNKNOWN, "no way back is configured", "incidents: {prompt: NAME, rollback: {…}}   # docs/rollback.md"
        )
    bad = [one for one in found if not one.ok]
    if bad:
        return Finding("rollback", WRONG, "; ".join(f"{one.component}: {one.says}" for one in bad), "truegreen rollback check")
    return Finding("rollback", OK, f"{', '.join(one.component for one in found)}: the dry run works")


def flag_file(env: Env) -> Finding:
    """Whether the command can write the file, and it reads as one."""
    if env.config.containment.command:
        return Finding("flags", OK, "switches are set by containment.command")
    flags.load(env.flags)
    folder = env.flags.absolute().parent
    if not _writable(folder):
        return Finding("flags", WRONG, f"{folder}: cannot be written, so no switch can be turned", f"chmod u+w {folder}")
    if not env.flags.exists():
        return Finding("flags", UNKNOWN, f"{env.flags} does not exist yet: the first switch makes it",
                       f"start the application with TRUEGREEN_FLAGS={env.flags.absolute()}")  # fmt: skip
    return Finding("flags", OK, f"{env.flags} can be read and written")


def evidence(env: Env) -> Finding:
    """Whether evidence can be written: without it no change is made."""
    folder = Path(env.config.incidents.evidence).absolute()
    there = next(place for place in (folder, *folder.parents) if place.exists())
    if not _writable(there):
        return Finding("evidence", WRONG, f"{folder}: cannot be written, and no change is made without evidence", "incidents: {evidence: DIR}")  # fmt: skip
    return Finding("evidence", OK, f"evidence goes to {folder}")


def log(env: Env) -> Finding:
    """Whether the log can be opened and written, and is as it was written."""
    address = env.config.incidents.store
    file = database.file(address)
    held = (file.absolute(), file.absolute().parent) if file is not None and file.exists() else ()
    locked = next((path for path in held if not os.access(path, os.W_OK)), None)
    if locked:
        return Finding("log", WRONG, f"{locked}: cannot be written, so nothing can be logged or changed", f"chmod g+w {locked}   # by its owner, in a group that you share")  # fmt: skip
    wrong = store.verify(store.open_log(address))
    if wrong:
        return Finding("log", WRONG, f"the log was altered: {wrong}", "keep the file, and restore the last good copy of it under another name: incidents.store")  # fmt: skip
    return Finding("log", OK, "the log can be written, and is as it was written")


def _writable(folder: Path) -> bool:
    return folder.is_dir() and os.access(folder, os.W_OK)
