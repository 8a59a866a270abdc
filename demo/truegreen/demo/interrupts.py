"""Ctrl-C and a polite kill: an exception in the main thread, but never between the fork of a process and the moment that we hold it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

_state = {"held": 0, "waiting": False}


def install() -> None:
    """Let both signals raise `KeyboardInterrupt`; a shell's background job inherits an ignored SIGINT."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)


@contextmanager
def held() -> Iterator[None]:
    """Keep an interrupt back until the block ends: raised inside of `Popen` it would leave a process that nobody knows."""
    _state["held"] += 1
    try:
        yield
    finally:
        _state["held"] -= 1
    if _state["waiting"] and not _state["held"]:
        _state["waiting"] = False
        raise KeyboardInterrupt


def _interrupt(*_: object) -> None:
    if _state["held"]:
        _state["waiting"] = True
        return
    raise KeyboardInterrupt
