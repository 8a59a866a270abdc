"""The state behind a breaker: pybreaker's, in this process and, where there is a Redis, in all of them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from truegreen.instrumentation import failures, notices
from truegreen.instrumentation.locks import Lock

CLOSED: Final = "closed"
OPEN: Final = "open"
HALF_OPEN: Final = "half-open"
AGAIN_SECONDS = 5.0
"""So long a Redis that did not answer is left alone."""
Changed = Callable[[str, str], None]


class Circuit:
    """Two of pybreaker's breakers: this process's own, which sees this process's calls only, and the shared one, which counts while Redis answers.

    Args:
        name, fail_max, reset_timeout, success_threshold: as `breaker` says.
        redis: a client, or None.
        clock: unix seconds.
    """

    def __init__(
        self, name: str, fail_max: int, reset_timeout: float, success_threshold: int, redis: Any, clock: Callable[[], float]
    ) -> None:
        self._name = name
        self._limits: dict[str, Any] = {
            "fail_max": fail_max,
            "reset_timeout": reset_timeout,
            "success_threshold": success_threshold,
        }
        self._redis = redis
        self._clock = clock
        self._lock = Lock()
        self._line = Lock()
        """Before the shared state, which may take its time: who looks at our own does not wait for it."""
        self._own: Any = None
        self._shared: Any = None
        self._watched: _Watched | None = None
        self._silent_until = float("-inf")
        self._told: Changed | None = None
        self._last = CLOSED

    @property
    def is_shared(self) -> bool:
        """Whether a Redis is asked."""
        return self._redis is not None

    def listen(self, changed: Changed) -> None:
        """Have `changed(before, after)` called on each transition that this process sees."""
        self._told = changed

    def look(self) -> tuple[str, float]:
        """The state, and the seconds until a probe may pass."""
        own = self._mine()
        if own is None:
            return CLOSED, 0.0
        found = self._asked(self._read)
        state, left = found if found is not None else self._read(own)
        self._note(state)
        return state, left

    def tell(self, *, ok: bool, probe: bool) -> None:
        """Count how a call ended."""
        own = self._mine()
        if own is None:
            return
        with self._lock:
            self._report(own, ok, probe)

        def report(shared: Any) -> tuple[str, float]:
            with self._line:
                self._report(shared, ok, probe)
            return self._read(shared)

        told = self._asked(report)
        self._note((told if told is not None else self._read(own))[0])

    def _read(self, one: Any) -> tuple[str, float]:
        storage = one._state_storage
        state = storage.state
        if state != OPEN:
            return state, 0.0
        opened: datetime | None = storage.opened_at
        since = opened.timestamp() if opened else 0.0
        return state, max(0.0, since + one.reset_timeout - self._clock())

    def _report(self, one: Any, ok: bool, probe: bool) -> None:
        if one.current_state == OPEN:
            if not probe:
                return  # a call that began before it opened says nothing new
            one.half_open()
        try:
            one.call(_outcome, ok)
        except _Outcome:
            if one.current_state == OPEN:  # by our clock, which says when a probe may pass
                one._state_storage.opened_at = datetime.fromtimestamp(self._clock(), UTC)

    def _asked(self, ask: Callable[[Any], Any]) -> Any:
        """What the shared state says; None without a Redis, and while it does not answer."""
        if self._redis is None or self._is_silent():
            return None
        try:
            shared = self._ours()
            watched = self._watched
            found = ask(shared)
            broken = watched.failed if watched is not None else None
        except Exception as error:
            found, broken = None, (self._watched.failed if self._watched is not None else None) or error
        if broken is None:
            return found
        if self._watched is not None:
            self._watched.failed = None
        self._silence()
        failures.count("breaker redis", broken)
        notices.once(
            f"breaker redis:{self._name}",
            f"breaker {self._name}: its Redis failed ({type(broken).__name__}); each process goes by its own calls, and asks again every "
            f"{AGAIN_SECONDS:.0f} s. The client must be one without decode_responses",
        )
        return None

    def _is_silent(self) -> bool:
        return self._clock() < self._silent_until

    def _silence(self) -> None:
        self._silent_until = self._clock() + AGAIN_SECONDS

    def _mine(self) -> Any:
        if self._own is None:
            pybreaker = _pybreaker()
            if pybreaker is None:
                return None
            with self._lock:
                if self._own is None:
                    self._own = pybreaker.CircuitBreaker(name=self._name, throw_new_error_on_trip=False, **self._limits)
        return self._own

    def _ours(self) -> Any:
        if self._shared is None:
            pybreaker = _pybreaker()
            with self._line:
                if self._shared is None:
                    watched = _Watched(self._redis, self._is_silent, self._silence)
                    storage = pybreaker.CircuitRedisStorage(CLOSED, watched, namespace=f"truegreen:{self._name}")
                    storage.logger = _silent  # it logs each failure with a traceback: they are counted here
                    made = pybreaker.CircuitBreaker(
                        name=self._name, state_storage=storage, throw_new_error_on_trip=False, **self._limits
                    )
                    self._watched, self._shared = watched, made
        return self._shared

    def _note(self, state: str) -> None:
        with self._lock:
            before, self._last = self._last, state
        if before != state and self._told is not None:
            self._told(before, state)


class _Outcome(Exception):
    """A failure, for pybreaker."""


def _outcome(ok: bool) -> None:
    if not ok:
        raise _Outcome


class _Watched:
    """A Redis client that remembers its last failure: pybreaker's storage swallows them. After one it fails at once, also for who waited meanwhile."""

    def __init__(self, client: Any, silent: Callable[[], bool], silence: Callable[[], None]) -> None:
        self._client = client
        self._silent = silent
        self._silence = silence
        self.failed: Exception | None = None

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            if self._silent():
                raise ConnectionError(name)
            try:
                return method(*args, **kwargs)
            except Exception as error:
                self.failed = error
                self._silence()
                raise

        return call


_silent = logging.Logger("truegreen.breaker")  # noqa: LOG001 - it belongs to no tree, so that nothing is shown
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


def _pybreaker() -> Any:
    try:
        import pybreaker
    except ImportError:
        notices.once("pybreaker", "pybreaker is not installed: circuits stay closed; pip install 'truegreen[containment]'")
        return None
    return pybreaker
