"""Locks for code that runs in the ends of spans: the same thread may come in twice, and a forked process begins with free ones.

A garbage collection may run wherever an object is made, also while a lock is held; it may close an abandoned stream whose `finally`
ends a span, and that comes back here in the same thread.
"""

from __future__ import annotations

import os
import sys
import threading
from weakref import WeakSet


class Lock:
    """A reentrant lock that is free again in a forked child, and at the interpreter's end: the thread that held it is not there, or never runs again."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        _made.add(self)

    def __enter__(self) -> None:
        if self._lock.acquire(blocking=False):
            return
        if sys.is_finalizing():
            self.renew()  # a daemon thread was stopped for good while it held the lock, and a finalizer ends a span
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def renew(self) -> None:
        """Forget who holds it."""
        self._lock = threading.RLock()


_made: WeakSet[Lock] = WeakSet()


def _renew() -> None:
    for lock in tuple(_made):
        lock.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
