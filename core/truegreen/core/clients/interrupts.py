"""Keeps an interrupt back between the fork of a process and the moment that somebody holds it, and lets a command clean up after one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def held() -> Iterator[None]:
    """Keep SIGTERM and SIGINT back until the block ends: raised inside of `Popen` they would leave a process that nobody knows.

    Only the main thread is interrupted; in another the block is left alone. Whoever is in charge of the process after the block must be told
    inside of it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    waiting: list[int] = []
    before = {number: handler for number in SIGNALS if (handler := signal.getsignal(number)) not in (signal.SIG_IGN, None)}
    try:
        for number in before:
            signal.signal(number, lambda late, _: waiting.append(late))
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for late in dict.fromkeys(waiting):
            signal.raise_signal(late)


@contextmanager
def raised(again: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Until the block ends, let SIGTERM, SIGINT and SIGHUP raise `KeyboardInterrupt`, so that all is cleaned up on the way out.

    The first one only: what comes after it does not stop the cleaning. One that is ignored stays so (a background job, nohup).

    Args:
        again: called for each later one, in the midst of whatever the main thread does.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        number: handler
        for number in (*SIGNALS, signal.SIGHUP)
        if (handler := signal.getsignal(number)) not in (signal.SIG_IGN, None)
    }
    over: list[int] = []

    def interrupt(number: int, _: object) -> None:
        over.append(number)
        if len(over) == 1:
            raise KeyboardInterrupt
        again()

    try:
        for number in before:
            signal.signal(number, interrupt)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
