"""Circuit breakers: after some failures a call is refused at once, until probes succeed.

The states are pybreaker's. It keeps its lock while a call runs, so it is only told how a call ended: calls run side by side, and a coroutine
is nothing special.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from typing import Any, TypeVar, cast

from opentelemetry import trace

from truegreen.containment import applied, errors
from truegreen.containment.circuit import CLOSED, OPEN, Circuit
from truegreen.containment.errors import CircuitOpen
from truegreen.containment.probing import Prober
from truegreen.core.words.terms import CIRCUIT_EVENT
from truegreen.instrumentation import failures
from truegreen.instrumentation.blocks import decorated
from truegreen.instrumentation.locks import Lock

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])
KINDS = ("llm", "embedding", "retrieval")
LOST_SECONDS = 60.0
"""A probe that has not come back in this time no longer keeps others from being tried."""
Excluded = type[BaseException] | Callable[[BaseException], bool]


def breaker(
    name: str,
    kind: str = "llm",
    *,
    fail_max: int = 5,
    reset_timeout: float = 30.0,
    success_threshold: int = 2,
    exclude: Sequence[Excluded] = (),
    counts: Callable[[BaseException], bool] = errors.counts,
    redis: Any = None,
    probe: Callable[[], Any] | None = None,
    clock: Callable[[], float] = time.time,
    wait: Callable[[float], Any] = time.sleep,
) -> Breaker:
    """A circuit breaker: `with b.calling(): ...`, `b.call(f, ...)`, `await b.acall(f, ...)`, or `@b` on a function, coroutine or stream.

    Args:
        name: what is called, such as `openai`; with Redis it is the key that processes share.
        kind: `llm`, `embedding` or `retrieval`: said in the span event of a transition.
        fail_max: consecutive failures that open it, 1 or more.
        reset_timeout: seconds that it stays open before a probe may pass.
        success_threshold: successful probes that close it; so many may run at once.
        exclude: exception classes, or functions of an exception, that say nothing of the provider.
        counts: whether an exception counts as a failure.
        redis: a client of redis-py (without `decode_responses`) through which processes share the state; while it does not answer, each
            process goes by its own. Give it short `socket_timeout`s: it is asked before and after each call.
        probe: a cheap call that a background thread makes while the circuit is open, so that it closes without users' calls.
        clock: unix seconds.
        wait: sleeps for so many seconds, in the thread of the probe.

    Raises:
        ValueError: a limit is out of its range, or the kind is none of the three.
    """
    if kind not in KINDS or fail_max < 1 or success_threshold < 1 or reset_timeout < 0:
        raise ValueError(
            f"breaker({name!r}): found kind={kind!r}, fail_max={fail_max}, success_threshold={success_threshold}, reset_timeout={reset_timeout}; "
            f"write a kind of {', '.join(KINDS)}, and at least 1, 1 and 0"
        )
    circuit = Circuit(name, fail_max, reset_timeout, success_threshold, redis, clock)
    return Breaker(name, kind, circuit, success_threshold, tuple(exclude), counts, probe, clock, wait)


class Breaker:
    """What `breaker` made; use it from any thread, task and forked process."""

    def __init__(
        self,
        name: str,
        kind: str,
        circuit: Circuit,
        probes: int,
        exclude: tuple[Excluded, ...],
        counts: Callable[[BaseException], bool],
        probe: Callable[[], Any] | None,
        clock: Callable[[], float],
        wait: Callable[[float], Any],
    ) -> None:
        self.name = name
        self.kind = kind
        self._circuit = circuit
        self._most = probes
        self._exclude = exclude
        self._counts = counts
        self._clock = clock
        self._lock = Lock()
        self._probes: dict[object, float] = {}
        self._prober = Prober(self, probe, wait) if probe else None
        circuit.listen(self._changed)

    @property
    def state(self) -> str:
        """`closed`, `open` or `half-open`; `closed` where pybreaker is not installed."""
        return self._circuit.look()[0]

    @contextmanager
    def calling(self) -> Iterator[None]:
        """A block that is one call; it may await. With Redis its state is asked in the caller's thread: in a coroutine `acall` is better.

        Raises:
            CircuitOpen: the circuit is open, and nothing was called.
        """
        turn = self.admit()
        try:
            yield
        except BaseException as error:
            turn.ended(error)
            raise
        turn.ended(None)

    def call(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Call a function; raises `CircuitOpen` while the circuit is open, and what the function raises."""
        with self.calling():
            return function(*args, **kwargs)

    async def acall(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Await a coroutine function; with Redis its state is asked in a thread, so that the loop does not wait for it."""
        apart = self._circuit.is_shared
        turn = await asyncio.to_thread(self.admit) if apart else self.admit()
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:
            if apart and isinstance(error, Exception):
                await asyncio.to_thread(turn.ended, error)
            else:
                turn.ended(error)
            raise
        if apart:
            await asyncio.to_thread(turn.ended, None)
        else:
            turn.ended(None)
        return result

    def __call__(self, function: F) -> F:
        """Decorate a function, coroutine or generator of either kind; a stream has succeeded when it has been read to its end."""
        if iscoroutinefunction(function):

            @wraps(function)
            async def awaited(*args: Any, **kwargs: Any) -> Any:
                return await self.acall(function, *args, **kwargs)

            return cast("F", awaited)
        if isgeneratorfunction(function) or isasyncgenfunction(function):
            return decorated(function, lambda _args, _kwargs: self.admit())

        @wraps(function)
        def called(*args: Any, **kwargs: Any) -> Any:
            return self.call(function, *args, **kwargs)

        return cast("F", called)

    def admit(self, *, user: bool = True) -> Turn:
        """Begin a call, whose end is told to the turn; raises `CircuitOpen`, which is stamped where a user waits for it."""
        turn = Turn(self)
        try:
            state, left = self._circuit.look()
            if state == CLOSED:
                return turn
            with self._lock:
                now = self._clock()
                self._probes = {one: since for one, since in self._probes.items() if now - since < LOST_SECONDS}
                if left <= 0 and len(self._probes) < self._most:
                    self._probes[turn] = now
                    turn.probe = True
                    return turn
        except Exception as error:
            failures.count("breaker", error)
            return turn
        if user:
            if self._prober is not None:
                self._prober.begin()
            applied.moment("circuit_open")
        raise CircuitOpen(self.name, max(0.0, left))

    def settle(self, turn: Turn, error: BaseException | None) -> None:
        """Tell the circuit how an admitted call ended; what says nothing of the provider is not told."""
        try:
            with self._lock:
                self._probes.pop(turn, None)
            verdict = self._verdict(error)
            if verdict is not None:
                self._circuit.tell(ok=verdict, probe=turn.probe)
        except Exception as failure:
            failures.count("breaker", failure)

    def _verdict(self, error: BaseException | None) -> bool | None:
        """True: the provider is well, False: it is not, None: nobody can say, as of a cancelled call."""
        if error is None:
            return True
        if not isinstance(error, Exception) or any(_excluded(one, error) for one in self._exclude):
            return None
        if self._counts(error):
            return False
        return True if errors.status(error) is not None else None

    def _changed(self, before: str, after: str) -> None:
        """A transition becomes an event of the current span; an opened circuit is probed."""
        try:
            found = {"circuit": self.name, "kind": self.kind, "from": before, "to": after}
            trace.get_current_span().add_event(CIRCUIT_EVENT, found)
        except Exception as error:  # a span of the application's own making
            failures.count("breaker event", error)
        if after == OPEN and self._prober is not None:
            self._prober.begin()


class Turn:
    """One admitted call."""

    keeps = 0

    def __init__(self, of: Breaker) -> None:
        self._of = of
        self.probe = False

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Nothing is around it."""
        yield

    def returned(self, result: Any) -> None:
        """What it gave is not looked at."""

    def ended(self, error: BaseException | None) -> None:
        """It is over."""
        self._of.settle(self, error)


def _excluded(one: Excluded, error: BaseException) -> bool:
    return isinstance(error, one) if isinstance(one, type) else bool(one(error))
