"""Open files: each connection is one, and a process that has no more of them serves nobody, its own pages included."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from math import inf
from typing import Any, Final

from truegreen.core.config.receiver import Limits

BESIDE: Final = 200
"""Files beside connections of the receivers: listening sockets, scrapes, what is forwarded, libraries."""
QUIET_SECONDS: Final = 60.0


def fitted(limits: Limits, say: Callable[[str], None]) -> Limits:
    """The limits with as many connections as files may be open; the soft limit is raised as far as it is needed and may be.

    Args:
        say: told where there are fewer than asked for.
    """
    try:
        import resource
    except ImportError:  # not on Windows, which has no such limit
        return limits
    needed = 2 * limits.connections + BESIDE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return limits
    wanted = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):
        wanted = soft
    if wanted >= needed:
        return limits
    fewer = max(1, (wanted - BESIDE) // 2)
    say(
        f"warning: {wanted} files may be open, and {limits.connections} connections of each protocol need {needed}: {fewer} are taken; "
        f"raise the limit (ulimit -n, LimitNOFILE) or lower collector.limits.connections"
    )
    return replace(limits, connections=fewer)


def say_once(loop: asyncio.AbstractEventLoop) -> None:
    """Let the loop say at most once a minute that it cannot accept: it tries thousands of times."""
    before = [-inf]

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if str(context.get("message", "")).startswith("socket.accept()"):
            if loop.time() - before[0] < QUIET_SECONDS:
                return
            before[0] = loop.time()
        loop.default_exception_handler(context)

    loop.set_exception_handler(handle)
