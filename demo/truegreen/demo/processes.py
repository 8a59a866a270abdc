"""The processes of the demo: started in their own sessions, watched, and stopped whatever happens."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

import httpx

from truegreen.core.clients import interrupts
from truegreen.core.errors import Failed

_READY_SECONDS: Final = 90.0
_STOP_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.05


@dataclass(slots=True)
class Process:
    """One running process: its name for people, the handle, and the file that holds what it printed."""

    name: str
    handle: subprocess.Popen[bytes]
    log: Path

    def last_words(self) -> str:
        """The last line that it printed."""
        lines = [line for line in self.log.read_text("utf-8", "replace").splitlines() if line.strip()]
        return lines[-1][:300] if lines else "it printed nothing"


@dataclass(slots=True)
class Supervisor:
    """Starts processes in `folder` and stops all of them on exit.

    Args:
        folder: where logs go.
        environ: the environment that processes start from.
    """

    folder: Path
    environ: Mapping[str, str]
    others: list[Callable[[], None]] = field(default_factory=list)
    """Further checks, each raises `Failed` when something ended (the engines have their own supervisor)."""
    processes: list[Process] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def python(self, name: str, module: str, arguments: Sequence[str], environ: Mapping[str, str] | None = None) -> Process:
        """Start `python -m module …`."""
        return self.start(name, [sys.executable, "-m", module, *arguments], environ)

    def start(self, name: str, argv: Sequence[str], environ: Mapping[str, str] | None = None) -> Process:
        """Start a process in a session of its own."""
        log = self.folder / f"{name}.log"
        with log.open("ab") as out, interrupts.held():
            handle = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                env={**self.environ, **(environ or {})}, cwd=self.folder, start_new_session=True,
            )  # fmt: skip
            process = Process(name, handle, log)
            self.processes.append(process)
        return process

    def ready(self, url: str, process: Process | None = None, seconds: float = _READY_SECONDS) -> None:
        """Wait until `url` answers 200.

        Raises:
            Failed: a process ended, or nothing answered in time.
        """
        deadline = time.monotonic() + seconds
        # One client: each new one reads the machine's certificates, which takes longer than the pause and slows what is waited for.
        with httpx.Client(timeout=1.0, trust_env=False) as client:
            while time.monotonic() < deadline:
                self.check()
                with contextlib.suppress(httpx.HTTPError):
                    if client.get(url).status_code == httpx.codes.OK:
                        return
                time.sleep(_POLL_SECONDS)
        name = process.name if process else url
        raise Failed(f"{name} did not become ready within {seconds:.0f} s at {url}")

    def check(self) -> None:
        """Raise when a process has ended.

        Raises:
            Failed: names the process, its exit code and its last words.
        """
        for process in self.processes:
            code = process.handle.poll()
            if code is not None:
                raise Failed(f"{process.name} ended with exit code {code}: {process.last_words()}")
        for other in self.others:
            other()

    def wait(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        """Poll `condition` until it holds, watching the processes.

        Raises:
            Failed: a process ended, or `seconds` passed.
        """
        deadline = time.monotonic() + seconds
        while not condition():
            self.check()
            if time.monotonic() > deadline:
                raise Failed(f"{what}: not seen within {seconds:.0f} s")
            time.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """End every process, newest first: politely, then not."""
        running = [p for p in reversed(self.processes) if p.handle.poll() is None]
        try:
            for process in running:
                _signal(process, signal.SIGTERM)
            deadline = time.monotonic() + _STOP_SECONDS
            for process in running:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.handle.wait(max(0.1, deadline - time.monotonic()))
        finally:  # a second interrupt does not stop this half way
            for process in running:
                _signal(process, signal.SIGKILL)
                process.handle.wait()
        self.processes.clear()


def _signal(process: Process, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.handle.pid, number)
