"""One server process on the loopback: started, waited for, ended with its whole group, whatever happens to this process."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from truegreen.core.clients import interrupts
from truegreen.core.errors import Failed

LOOPBACK: Final = "127.0.0.1"
READY_SECONDS: Final = 30.0
STOP_SECONDS: Final = 10.0

# Holds the reading end of a pipe whose other end only this process has. However this process ends, SIGKILL included, the pipe
# closes and the engine's process group is ended. (A parent-death signal would follow the thread that started the engine.)
_WATCHER: Final = """
read -r group || exit 0
read -r _
kill -s TERM -- "-$group" 2>/dev/null || exit 0
n=0
while [ $n -lt 50 ] && kill -s 0 -- "-$group" 2>/dev/null; do sleep 0.1; n=$((n + 1)); done
kill -s KILL -- "-$group" 2>/dev/null
"""


@dataclass(frozen=True, slots=True)
class Engine:
    """A server that was started here.

    Args:
        name: `prometheus` or `alertmanager`.
        url: its address, such as `http://127.0.0.1:34567`, with no slash at the end.
        process: the process; it leads a process group of its own.
        log: the file that has its output.
    """

    name: str
    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def alive(self) -> bool:
        """True while the process runs."""
        return self.process.poll() is None

    def check(self) -> None:
        """Raise `Failed`, with the last words of its log, when the engine has ended by itself."""
        if not self.alive():
            raise Failed(f"{self.name} ended with code {self.process.returncode}: {last_words(self.log)} (log: {self.log})")

    def reload(self) -> None:
        """Read the configuration again; raises `Failed` with the engine's reason when it refuses."""
        self.check()
        status, text = _ask(self.url, "POST", "/-/reload", timeout=READY_SECONDS)
        if status != http.client.OK:
            raise Failed(f"{self.name} did not take the new configuration ({status or 'no answer'}): {text.strip()}")


def free_port() -> int:
    """A TCP port of the loopback that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def last_words(log: Path) -> str:
    """The line of a log that says why its engine ended: the last error, else the last line."""
    try:
        lines = [line.strip() for line in log.read_text("utf-8", "replace").splitlines() if line.strip()]
    except OSError as error:
        return f"its log cannot be read ({error.strerror})"
    telling = [
        line for line in lines if line.startswith(("panic:", "fatal error:")) or "level=error" in line or "level=ERROR" in line
    ]
    return (telling or lines or ["it said nothing"])[-1]


@contextmanager
def served(
    name: str,
    command: Callable[[int], list[str]],
    data: Path,
    port: int | None,
    ready: str = "/-/ready",
    seconds: float = READY_SECONDS,
) -> Iterator[Engine]:
    """Run `command(port)` with its output in `data/name.log` until the block is left; raises `Failed` when it does not get ready.

    It is ready when the path `ready` answers 200, within `seconds`.
    """
    try:
        data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Failed(f"{name} cannot have {data} as its folder: {error.strerror}") from None
    tries = 1 if port else 3  # A free port may be taken by another before the engine binds it.
    while True:
        tries -= 1
        chosen = port or free_port()
        if port:
            _refuse_taken(name, port)
        with ExitStack() as stack:
            with interrupts.held():
                engine, watcher = _start(name, command(chosen), data / f"{name}.log", chosen)
                stack.callback(_stop, engine, watcher)
            try:
                _wait_ready(engine, ready, seconds)
            except Failed:
                if tries and "address already in use" in last_words(engine.log):
                    continue
                raise
            yield engine
            return


def run(name: str, command: list[str], log: Path, seconds: float) -> int | None:
    """Run a tool with its output in `log`, ended with this process: its exit code, None where it took longer than `seconds`.

    Its temporary files are made beside the log, so that they go with that folder when it is ended.
    """
    with ExitStack() as stack:
        with interrupts.held():
            tool, watcher = _start(name, command, log, 0, {**os.environ, "TMPDIR": str(log.parent)})
            stack.callback(_stop, tool, watcher)
        with suppress(subprocess.TimeoutExpired):
            return tool.process.wait(seconds)
    return None


def _refuse_taken(name: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            raise Failed(
                f"{name} cannot listen on {LOOPBACK}:{port}: {error.strerror}; name another port or end what has it"
            ) from None


def _start(
    name: str, command: list[str], log: Path, port: int, environ: Mapping[str, str] | None = None
) -> tuple[Engine, subprocess.Popen[bytes]]:
    watcher = subprocess.Popen(
        ["/bin/sh", "-c", _WATCHER],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert watcher.stdin is not None
    try:
        with log.open("wb") as out:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True, env=environ
            )
    except OSError as error:
        watcher.stdin.close()
        watcher.wait()
        raise Failed(f"{name} cannot be started: {error.strerror} ({error.filename or command[0]})") from None
    engine = Engine(name, f"http://{LOOPBACK}:{port}", process, log)
    try:
        watcher.stdin.write(b"%d\n" % process.pid)
        watcher.stdin.flush()
    except BaseException:
        _stop(engine, watcher)
        raise
    return engine, watcher


def _wait_ready(engine: Engine, ready: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        engine.check()
        if _ask(engine.url, "GET", ready, timeout=1.0)[0] == http.client.OK and engine.alive():
            return
        time.sleep(0.05)
    raise Failed(f"{engine.name} was not ready within {seconds:.0f} s: {last_words(engine.log)} (log: {engine.log})")


def _ask(url: str, method: str, path: str, timeout: float) -> tuple[int, str]:
    """Status and text; status 0 and the reason when nobody answers."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=timeout)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        return 0, str(error)
    finally:
        connection.close()


def _stop(engine: Engine, watcher: subprocess.Popen[bytes]) -> None:
    """End the whole group, politely and then not, and the watcher after it; a second interrupt does not stop this halfway."""
    try:
        _signal(engine, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            engine.process.wait(STOP_SECONDS)
    finally:
        _signal(engine, signal.SIGKILL)
        engine.process.wait()
        watcher.kill()
        watcher.wait()
        if watcher.stdin is not None:
            with suppress(OSError):
                watcher.stdin.close()


def _signal(engine: Engine, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(engine.process.pid, number)
