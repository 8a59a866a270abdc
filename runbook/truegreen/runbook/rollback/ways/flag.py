"""A flag that the application reads names the version: in the flagd file, or in the team's own system by `containment.command`."""

from __future__ import annotations

import os
from typing import Final

from filelock import FileLock, Timeout

from truegreen.core.errors import Failed
from truegreen.runbook import argv, flags
from truegreen.runbook.rollback.model import Kind, Place

WAIT: Final = 30.0
"""Seconds for whoever else changes the file."""


def current(place: Place) -> str:
    """What the flag says, empty while it is off.

    Raises:
        BadInput: the flag file is none.
    """
    return flags.state(flags.load(place.flags), place.name).value


def versions(_: Place) -> None:
    """A flag does not know them."""
    return


def ready(place: Place, _: str) -> str:
    """The file can be read and its folder written."""
    now = current(place)
    folder = place.flags.absolute().parent
    if not os.access(folder, os.W_OK):
        raise Failed(f"{folder}: is not a folder that can be written, and the flag {place.name} is kept there; make it writable")
    return f"{place.flags}: flag {place.name} is {now or 'off'}"


def move(place: Place, to: str, _: str) -> None:
    """Turn the flag; the file keeps it too where a command sets it elsewhere, so that what stands can be read."""
    if place.flag_command:
        command = argv.fill(place.flag_command, {"flag": place.name, "value": to, "expires": ""}, "containment.command")
        ended = argv.run(command)
        if ended.code != 0:
            raise Failed(f"containment.command: {command[0]} did not end with exit code 0: {ended.said}")
    try:
        # The lock that `truegreen contain` takes: two changes of two flags lose neither.
        with FileLock(place.flags.with_name(f".{place.flags.name}.lock"), timeout=WAIT):
            flags.save(place.flags, flags.turned(flags.load(place.flags), place.name, flags.Switch(to, None)))
    except Timeout:
        raise Failed(f"{place.flags}: another command has held it for {WAIT:g} s; nothing was changed, try again") from None
    except OSError as error:
        raise Failed(f"{place.flags}: cannot be locked: {error.strerror or error}; nothing was changed") from None


KIND: Final = Kind(current, versions, ready, move, empty=True)
