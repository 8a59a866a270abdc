"""The background thread that probes what an open circuit refuses, until it is closed again."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, Protocol
from weakref import ref

from truegreen.containment.circuit import CLOSED
from truegreen.containment.errors import CircuitOpen
from truegreen.instrumentation import failures
from truegreen.instrumentation.locks import Lock

SECONDS = 1.0
"""Between looks while others are probing, and after a success that did not yet close the circuit."""


class Guarded(Protocol):
    """A breaker."""

    @property
    def state(self) -> str:
        """Its state."""
        ...

    def admit(self, *, user: bool) -> Any:
        """Begin a call under it."""
        ...


class Prober:
    """At most one thread of this process that probes.

    Args:
        of: the breaker; a thread does not keep it alive.
        probe: what is called.
        wait: sleeps.
    """

    def __init__(self, of: Guarded, probe: Callable[[], Any], wait: Callable[[float], Any]) -> None:
        self._of = ref(of)
        self._probe = probe
        self._wait = wait
        self._lock = Lock()
        self._running: tuple[int, threading.Thread] | None = None

    def begin(self) -> None:
        """Have a thread probe until the circuit is closed, if none does."""
        with self._lock:
            running = self._running
            if running is not None and running[0] == os.getpid() and running[1].is_alive():
                return
            thread = threading.Thread(target=_run, args=(self._of, self._probe, self._wait), name="truegreen-probe", daemon=True)
            self._running = (os.getpid(), thread)
            thread.start()


def _run(of: ref[Any], probe: Callable[[], Any], wait: Callable[[float], Any]) -> None:
    try:
        while True:
            one = of()
            if one is None or one.state == CLOSED:
                return
            pause = SECONDS
            try:
                turn = one.admit(user=False)
            except CircuitOpen as refused:
                pause = max(refused.retry_in, SECONDS)
            else:
                turn.ended(_called(probe))
                del turn
            del one
            wait(pause)
    except BaseException as error:
        failures.count("probe", error)


def _called(probe: Callable[[], Any]) -> Exception | None:
    try:
        probe()
    except Exception as error:  # how a provider fails is no failure of ours
        return error
    return None
