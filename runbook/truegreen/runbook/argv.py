"""Runs a command of the team's: a list of arguments, never a shell, limited in time, what it prints made harmless."""

from __future__ import annotations

import os
import re
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from truegreen.core.clients import interrupts
from truegreen.core.errors import BadInput, Failed
from truegreen.runbook.clean import clean

SECONDS: Final = 120.0
"""The longest that a command may take."""
TAIL: Final = 65_536
"""Bytes that are kept of what a command prints: its last line is wanted."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended.

    Args:
        code: its exit code; None when it did not end by itself in time (`late`), or could not be started.
        said: its last line, or why there is none.
        late: it ran and was ended: what it did is not known.
    """

    code: int | None
    said: str
    late: bool = False


class CommandFailed(Failed):
    """A command of the team's ended badly. What it prints may quote an answer: it is shown, and `kept` is without it."""

    def __init__(self, message: str, kept: str) -> None:
        super().__init__(message)
        self.kept = kept


def kept(error: Exception) -> str:
    """What the log keeps of an error."""
    return error.kept if isinstance(error, CommandFailed) else str(error)


def fill(command: Sequence[str], values: Mapping[str, str], where: str) -> list[str]:
    """The arguments with `{name}` replaced by its value: each argument stays one argument.

    Args:
        values: name to value; a name that is not among them stays as it is written.
        where: the key of the configuration, for the message.

    Raises:
        BadInput: a value would become an option of the command, or holds a NUL.
    """
    made = []
    for argument in command:
        filled = re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], found[0]), argument)
        if "\0" in filled or (filled.startswith("-") and not argument.startswith("-")):
            raise BadInput(
                f"{where}: {argument!r} would become {clean(filled, 100)!r}, which the command takes for an option; "
                f"write --name={argument} or put -- before it"
            )
        made.append(filled)
    return made


def run(command: Sequence[str], timeout: float | None = None) -> Ended:
    """Run it; its whole process group is ended when the time is up or somebody interrupts.

    Args:
        timeout: seconds, SECONDS without.
    """
    timeout = timeout or SECONDS
    try:
        with ExitStack() as stack:
            with interrupts.held():
                running = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
                )
                stack.callback(_end, running)
            output = _tail(running, time.monotonic() + timeout)
            running.wait(timeout)
    except subprocess.TimeoutExpired:
        return Ended(None, f"ended after {timeout:g} s without a result", late=True)
    except (OSError, ValueError) as error:
        return Ended(None, f"{clean(command[0], 100)}: {getattr(error, 'strerror', None) or error}")
    lines = output.decode("utf-8", "replace").strip().splitlines()
    return Ended(running.returncode, clean(lines[-1], 200) if lines else "it printed nothing")


def _tail(running: subprocess.Popen[bytes], until: float) -> bytes:
    """The end of what it prints, read until it prints no more; raises `TimeoutExpired`."""
    kept = b""
    with selectors.DefaultSelector() as ready:
        assert running.stdout is not None
        ready.register(running.stdout, selectors.EVENT_READ)
        while (left := until - time.monotonic()) > 0 and ready.select(left):
            part = os.read(running.stdout.fileno(), TAIL)
            if not part:
                return kept
            kept = (kept + part)[-TAIL:]
    raise subprocess.TimeoutExpired(running.args, left)


def _end(running: subprocess.Popen[bytes]) -> None:
    """End the whole group of a command that has not ended by itself; in a session of its own, it hears no Ctrl-C."""
    if running.poll() is None:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    if running.stdout is not None:
        running.stdout.close()  # not read to its end: a grandchild in a session of its own may hold it open
