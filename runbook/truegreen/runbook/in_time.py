"""Asks many things at once and stops waiting when the time is over: what did not answer is named, not waited for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from queue import Empty, SimpleQueue
from typing import Any, Final

from truegreen.core.clients.http import Server
from truegreen.core.errors import BadInput, Failed

WHOLE: Final = 9.5
"""Seconds for a whole triage, which promises its answer within ten."""
ALERT: Final = 2.0
"""Seconds for finding out which alert is meant."""
NEEDED: Final = 3.5
REST: Final = 6.5
"""Seconds after which the counts, and then everything else about the target, are no longer waited for."""
EACH: Final = 3.0
"""Seconds for one answer."""
AT_ONCE: Final = 8
"""Questions at the same time: a Prometheus runs 20 queries at once by its default, and others ask it too."""
MOST: Final = 64_000_000
"""Bytes of one answer; that it is bounded makes the time-out that of the whole answer."""


def bounded(server: Server, ends: float) -> Server:
    """The server with a time-out of at most `EACH` seconds and no other attempt after `ends` (monotonic seconds)."""

    def pause(seconds: float) -> None:
        if time.monotonic() + seconds > ends:
            raise Failed(f"{server.name} did not answer in time: look at its load")
        time.sleep(seconds)

    return replace(server, timeout=min(server.timeout, EACH), most=MOST, sleep=pause)


def side_by_side(jobs: Mapping[str, Callable[[], Any]], ends: float) -> tuple[dict[str, Any], dict[str, BadInput | Failed]]:
    """What each job gives, and why the others gave nothing, in the order of `jobs`.

    Args:
        jobs: name to what asks; it may raise `BadInput` or `Failed`, anything else is raised here.
        ends: monotonic seconds; whatever has no answer then is given up.
    """
    answers: SimpleQueue[tuple[str, Any, BaseException | None]] = SimpleQueue()
    waiting: SimpleQueue[str] = SimpleQueue()
    for name in jobs:
        waiting.put(name)

    def work() -> None:
        while time.monotonic() < ends:
            try:
                name = waiting.get_nowait()
            except Empty:
                return
            try:
                answers.put((name, jobs[name](), None))
            except BaseException as error:  # it is raised again where it is waited for
                answers.put((name, None, error))

    for _ in range(min(AT_ONCE, len(jobs))):
        # A daemon: a question that nobody waits for any more must not hold up the end of the command.
        threading.Thread(target=work, daemon=True).start()
    found, failed = {}, {}
    for _ in jobs:
        try:
            name, answer, error = answers.get(timeout=max(0.0, ends - time.monotonic()))
        except Empty:
            break
        if error is None:
            found[name] = answer
        elif isinstance(error, BadInput | Failed):
            failed[name] = error
        else:
            raise error
    late = {name: Failed("no answer in time") for name in jobs if name not in found and name not in failed}
    failed |= late
    return {n: found[n] for n in jobs if n in found}, {n: failed[n] for n in jobs if n in failed}


def said(name: str, error: Exception) -> str:
    """Why there is no answer, with the name of what was asked where the words do not have it."""
    return str(error) if name in str(error) else f"{name}: {error}"
