"""The one background thread of the process: a bounded queue for what may be slow, drained at a flush and at the end of the process.

It is started by the first job, is a daemon, and is not there in a forked child: that one has an empty queue and starts a thread of its own.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any
from weakref import WeakSet

from truegreen.instrumentation import failures, notices
from truegreen.instrumentation.locks import Lock
from truegreen.instrumentation.shared import undo

JOBS = 1_000
BYTES = 16_000_000
"""What waits and what runs, together: so many jobs and so many bytes of their texts; one more is refused."""
SECONDS = 30.0
"""A job that runs longer is given up, and its thread left behind; it is looked at when a job is added, and during a flush."""
LEFT_BEHIND = 3
"""So many threads that were left behind may be running at once; then the next one is waited for, and the queue fills."""
EXIT_SECONDS = 5.0
"""How long the end of the process, a provider's shutdown and `uninstrument()` wait for what is queued."""


@dataclass(eq=False, slots=True)
class Job:
    """Something slow.

    Args:
        work: runs in the background thread; what it raises is counted.
        done: gets what `work` gave, None when it raised or was given up; called once for each job that was accepted.
        bytes: the size of the texts that it holds.
    """

    work: Callable[[], Any]
    done: Callable[[Any], None]
    bytes: int = 0
    settled: bool = False


class Background:
    """A queue and its thread.

    Args:
        clock: seconds that only rise.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        _all.add(self)
        self.forget()

    def forget(self) -> None:
        """Begin anew without thread and jobs: in a forked child they belong to the parent."""
        self._queue: SimpleQueue[Job | threading.Event | None] = SimpleQueue()  # its put may come from a garbage collection
        self._first: deque[Callable[[], None]] = deque()
        self._thread: threading.Thread | None = None
        self._left: list[threading.Thread] = []
        self._running: tuple[Job, float] | None = None
        self._jobs = 0
        self._bytes = 0

    def submit(self, job: Job) -> bool:
        """Add a job; False when it was refused, for the queue is full or no thread can be started."""
        with self._lock:
            if self._jobs >= JOBS or self._bytes + job.bytes > BYTES:
                self._see_to_the_thread()
                return False
            self._see_to_the_thread()
            self._jobs += 1
            self._bytes += job.bytes
        self._queue.put(job)
        return True

    def first(self, call: Callable[[], None]) -> None:
        """Have the thread make a short call before its next job."""
        with self._lock:
            self._see_to_the_thread()
        self._first.append(call)
        self._queue.put(None)

    def flush(self, seconds: float) -> bool:
        """Wait until all that was added before is done; whether it is.

        Args:
            seconds: the longest wait; 0 only looks.
        """
        if threading.current_thread() is self._thread:
            return False  # a judge that flushes would wait for itself
        if self._thread is None and not self._jobs:
            return True
        deadline = time.monotonic() + seconds
        passed = threading.Event()
        self._queue.put(passed)
        while not passed.wait(max(0.0, min(0.1, deadline - time.monotonic()))):
            if time.monotonic() >= deadline:
                return not self._jobs
            with self._lock:
                self._see_to_the_thread()
        return True

    def stop(self, seconds: float = EXIT_SECONDS) -> None:
        """Flush, then give up what is left; a job that is added later starts a thread anew."""
        if self is background:
            atexit.unregister(self.stop)
        if self._thread is None:
            return
        self.flush(seconds)
        with self._lock:
            thread, running, old = self._thread, self._running, self._queue
            self._thread = self._running = None
            self._queue = SimpleQueue()
        given_up: list[Any] = [running[0]] if running else []
        try:
            while True:
                given_up.append(old.get_nowait())
        except Empty:
            old.put(None)
        for one in given_up:
            if isinstance(one, Job):
                self._settle(one, None)
            elif one is not None:
                one.set()
        if not running and thread is not threading.current_thread():
            thread.join(1.0)

    def _see_to_the_thread(self) -> None:
        """Start the thread where there is none, and another one where a job has run for too long; the lock is held."""
        if self._thread is None or not self._thread.is_alive():
            self._start()
            return
        running = self._running
        if running is None or self._clock() - running[1] < SECONDS:
            return
        self._left = [thread for thread in self._left if thread.is_alive()]
        if len(self._left) >= LEFT_BEHIND:
            notices.once(
                "background stuck",
                f"{LEFT_BEHIND + 1} judgements have not come back within {SECONDS:.0f} s each: no more threads are started, the queue fills and "
                "answers are `skipped: queue_full`. Give the judge's own calls a time-out",
            )
            return
        self._left.append(self._thread)
        self._running = None
        self._first.appendleft(partial(self._settle, running[0], None))
        self._start()

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, args=(self._queue,), name="truegreen", daemon=True)
        self._thread = thread
        try:
            thread.start()
        except BaseException:
            self._thread = None
            raise
        self._queue.put(None)
        if self is background:
            atexit.unregister(self.stop)
            undo(self.stop)
            atexit.register(self.stop)  # late, so that it runs before the providers of the application shut down

    def _run(self, queue: SimpleQueue[Job | threading.Event | None]) -> None:
        me = threading.current_thread()
        while self._thread is me:
            item = queue.get()
            while self._first and self._thread is me:
                _guarded(self._first.popleft())
            if isinstance(item, Job):
                self._do(item, me)
            elif item is not None:
                item.set()

    def _do(self, job: Job, me: threading.Thread) -> None:
        with self._lock:
            if job.settled:
                return
            self._running = (job, self._clock())
        result = None
        try:
            result = job.work()
        except BaseException as error:  # SystemExit too: it is foreign code
            failures.count("background", error)
        with self._lock:
            if self._thread is me:
                self._running = None
        self._settle(job, result)

    def _settle(self, job: Job, result: Any) -> None:
        with self._lock:
            if job.settled:
                return
            job.settled = True
        _guarded(partial(job.done, result))
        with self._lock:
            self._jobs -= 1
            self._bytes -= job.bytes


def _guarded(call: Callable[[], None]) -> None:
    try:
        call()
    except BaseException as error:
        failures.count("background", error)


_all: WeakSet[Background] = WeakSet()
background = Background()
"""The one of this process."""


def flush(seconds: float) -> bool:
    """Wait at most `seconds` until the judgements asked for so far are emitted; whether they are. Never raises."""
    try:
        return background.flush(seconds)
    except Exception as error:
        failures.count("background flush", error)
        return False


def _forget() -> None:
    for each in tuple(_all):
        each.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
