"""Keeps an interrupt back between the fork of a process and the moment that somebody holds it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
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
