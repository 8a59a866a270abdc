"""Mirrors a call to the candidate of a rollout: in the background, bounded, and never in the way of the user's answer."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from inspect import iscoroutinefunction
from queue import SimpleQueue
from typing import Any

from opentelemetry import context as otel
from opentelemetry.context import Context

from truegreen.instrumentation import TruegreenInstrumentor, failures, mirrored, notices
from truegreen.instrumentation.locks import Lock

WAITING = 32
"""Mirrored calls that wait or run at once; one more is dropped."""
WORKERS = 4
Job = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any], Context]


class Pool:
    """Threads that make mirrored calls; daemons, so that the process ends without them.

    Args:
        waiting: calls that wait or run at once.
        workers: threads.
    """

    def __init__(self, waiting: int = WAITING, workers: int = WORKERS) -> None:
        self._most = waiting
        self._workers = workers
        self._lock = Lock()
        self._forget()

    def _forget(self) -> None:
        self._pid = os.getpid()
        self._queue: SimpleQueue[Job] = SimpleQueue()
        self._threads = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self.pending = 0
        self.dropped = 0

    def submit(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], context: Context) -> bool:
        """Take a call; False when there are too many."""
        if not self._taken():
            return False
        try:
            if iscoroutinefunction(function) and (loop := _loop()) is not None:
                task = loop.create_task(_awaited(function, args, kwargs, context))
                self._tasks.add(task)  # the loop holds it weakly
                task.add_done_callback(self._over)
                return True
            with self._lock:
                if self._threads < min(self._workers, self.pending):
                    threading.Thread(target=self._run, args=(self._queue,), name="truegreen-shadow", daemon=True).start()
                    self._threads += 1
            self._queue.put((function, args, kwargs, context))
        except BaseException:
            self._done()
            raise
        return True

    def _taken(self) -> bool:
        with self._lock:
            if self._pid != os.getpid():  # the threads are the parent's
                self._forget()
            if self.pending >= self._most:
                self.dropped += 1
                return False
            self.pending += 1
            return True

    def _done(self) -> None:
        with self._lock:
            self.pending -= 1

    def _run(self, queue: SimpleQueue[Job]) -> None:
        while True:
            function, args, kwargs, context = queue.get()
            token = otel.attach(context)
            try:
                if iscoroutinefunction(function):
                    asyncio.run(function(*args, **kwargs))
                else:
                    function(*args, **kwargs)
            except BaseException as error:
                _failed(error)
            finally:
                otel.detach(token)
                self._done()
            del function, args, kwargs, context, token

    def _over(self, task: asyncio.Task[Any]) -> None:
        """A task is done, or was cancelled before it began."""
        if task in self._tasks:  # else it is one of the parent process
            self._tasks.discard(task)
            self._done()


pool = Pool()
"""The one of this process."""


def shadow(function: Callable[..., Any], *args: Any, **kwargs: Any) -> bool:
    """Call the candidate of a rollout for its score alone; at once, True when the call was taken.

    `if choice.shadow: containment.shadow(ask, messages, model=choice.candidate)`

    The call runs in a thread, or as a task where the function is a coroutine function and a loop runs; what it gives is thrown away, what it raises
    is said once. Its spans are in environment `NAME-shadow`: judged by the same baseline and the same sample, and in no SLO of environment `NAME`.
    It is dropped when too many wait, and when the instrumentation is not on, for it would then count as a user's call. Give it a call of a model
    and nothing that acts: it is made a second time for one user's request.
    """
    try:
        if not TruegreenInstrumentor().is_instrumented_by_opentelemetry:
            notices.once(
                "shadow", "no call is mirrored while truegreen's instrumentation is off: its spans would count as users' calls"
            )
            return False
        taken = pool.submit(function, args, kwargs, mirrored.context())
        if not taken:
            notices.once(
                "shadow full", f"{WAITING} mirrored calls wait or run: others are dropped until some are done; lower the share"
            )
    except Exception as error:
        failures.count("shadow", error)
        return False
    return taken


async def _awaited(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], context: Context) -> None:
    token = otel.attach(context)
    try:
        await function(*args, **kwargs)
    except Exception as error:
        _failed(error)
    finally:
        otel.detach(token)


def _failed(error: BaseException) -> None:
    notices.once(
        f"shadow:{type(error).__qualname__}",
        f"a mirrored call failed ({type(error).__qualname__}); users' calls are not affected",
    )


def _loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
