"""Reads the boards that a Grafana keeps, and writes a plan: all of it, or what was written is put back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

from truegreen.core.clients import grafana, http
from truegreen.core.clients.grafana import Kept
from truegreen.core.clients.http import Server
from truegreen.core.errors import Failed
from truegreen.dashboards import push
from truegreen.dashboards.model import Json
from truegreen.dashboards.push import Step

PAUSE: Final = 0.25
"""Seconds between two looks at a board that may still be written."""
_GATEWAY_TIMEOUT: Final = 504
WRITTEN, BACK, STUCK, UNTOUCHED, UNKNOWN = "written", "put back", "could not be put back", "not touched", "unknown"


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one board of a push, and why where that is not plain."""

    uid: str
    became: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a push: of every board that it would have written, and what stopped it (empty: nothing)."""

    results: tuple[Result, ...]
    stopped: str = ""


def read(server: Server, uids: Sequence[str]) -> Mapping[str, Kept | None]:
    """What Grafana keeps under each uid.

    Raises:
        Failed: one of them cannot be read; nothing has been written then.
    """
    return {uid: grafana.board(server, uid) for uid in uids}


def write(server: Server, steps: Sequence[Step], folder: str, message: str, make: str = "") -> Outcome:
    """Write the boards of a plan, one after the other. When one fails, or somebody interrupts, those before it are put back.

    Args:
        server: from `grafana.connect`.
        steps: from `push.plan`; only what writes is looked at.
        folder: the uid of the folder.
        message: what the boards' history says.
        make: the title of the folder, which is made first; empty where it is there.
    """
    wanted = [step for step in steps if step.writes]
    try:
        if make:
            grafana.make_folder(server, folder, make)
    except (Failed, KeyboardInterrupt) as error:
        return Outcome(tuple(Result(step.uid, UNTOUCHED) for step in wanted), f"{_said(error)}; {_folder_after(server, folder)}")
    done: list[tuple[Step, int]] = []
    for step in wanted:
        failed: int | Result = Result(step.uid, UNTOUCHED, "nothing was sent")
        try:
            model = _model(server, step)
            try:
                done.append((step, grafana.save(server, model, folder, message)))
            except (Failed, KeyboardInterrupt) as error:
                failed = _after(server, step, error)
                raise
        except (Failed, KeyboardInterrupt) as error:
            if isinstance(failed, int):
                done.append((step, failed))
            return Outcome(_undone(server, wanted, done, failed if isinstance(failed, Result) else None, message), _said(error))
    return Outcome(tuple(Result(step.uid, WRITTEN, f"version {version}") for step, version in done))


def _said(error: BaseException) -> str:
    return "interrupted" if isinstance(error, KeyboardInterrupt) else str(error)


def _folder_after(server: Server, uid: str) -> str:
    try:
        there = grafana.folder(server, uid) is not None
    except Failed as error:
        return f"whether folder {uid} was made is unknown: {error}"
    return f"folder {uid} was made and is empty" if there else f"there was no folder {uid} right after"


def _model(server: Server, step: Step) -> Json:
    # Grafana 12.0.0 does not compare versions, so they are compared here as well, right before.
    theirs = step.theirs
    if theirs is not None:
        now = grafana.board(server, step.uid)
        if now is None or now.version != theirs.version:
            found = "is gone" if now is None else f"has version {now.version}, which was {theirs.version}"
            raise grafana.Conflict(f"board {step.uid} {found} since it was read: push again and look at the difference", 412)
    return {**step.ours, **({"id": theirs.model.get("id"), "version": theirs.version} if theirs else {"id": None})}


def _after(server: Server, step: Step, error: BaseException) -> int | Result:
    # A refusal is one. Where no answer came, the board says whether it was written: its version grew, and it has our content. What nobody
    # waited for may come late, so it is looked for as long as an answer was.
    if isinstance(error, http.HttpFailed) and error.status < 500:
        return Result(step.uid, UNTOUCHED, "refused")
    late = isinstance(error, http.TimedOut | KeyboardInterrupt) or getattr(error, "status", 0) == _GATEWAY_TIMEOUT
    before = step.theirs.version if step.theirs else 0
    try:
        now = grafana.board(server, step.uid)
        for _ in range(ceil(server.timeout / PAUSE) if late else 0):
            if now is not None and now.version > before:
                break
            server.sleep(PAUSE)
            now = grafana.board(server, step.uid)
    except Failed as second:
        return Result(step.uid, UNKNOWN, f"no answer came, and it cannot be read: {second}")
    if now is None or now.version <= before:
        found = "it was not there when it was looked at" if now is None else f"still version {now.version}"
        return Result(step.uid, UNKNOWN, f"{found}, and it may still be written") if late else Result(step.uid, UNTOUCHED, found)
    if push.contained(now.model, step.ours):
        return now.version
    return Result(step.uid, UNTOUCHED, f"version {now.version} is somebody else's")


def _undone(
    server: Server, wanted: Sequence[Step], done: Sequence[tuple[Step, int]], failed: Result | None, message: str
) -> tuple[Result, ...]:
    results = {step.uid: Result(step.uid, UNTOUCHED) for step in wanted}
    if failed:
        results[failed.uid] = failed
    for step, version in reversed(done):
        try:
            results[step.uid] = _put_back(server, step, version, f"{message}: put back, as another board failed")
        except (Failed, KeyboardInterrupt) as error:
            results[step.uid] = Result(step.uid, STUCK, str(error) or "interrupted")
    return tuple(results.values())


def _put_back(server: Server, step: Step, version: int, message: str) -> Result:
    now = grafana.board(server, step.uid)
    if now is None or now.version != version:
        found = "it is gone" if now is None else f"it has version {now.version}, and {version} was written"
        return Result(step.uid, STUCK, f"{found}: somebody changed it since")
    try:
        if step.theirs is None:
            grafana.delete(server, step.uid)
        else:
            grafana.save(server, {**step.theirs.model, "version": version}, step.theirs.folder, message)
    except Failed:
        if not _is_back(step, grafana.board(server, step.uid), version):
            raise
    if step.theirs is None:
        return Result(step.uid, BACK, "it was new and is deleted")
    return Result(step.uid, BACK, f"as it was in version {step.theirs.version}")


def _is_back(step: Step, now: Kept | None, version: int) -> bool:
    # After an error: whether what was sent was done all the same.
    if step.theirs is None or now is None:
        return step.theirs is None and now is None
    return now.version > version and push.contained(now.model, step.theirs.model)
