"""A flag that the application reads names the version: in the flagd file, or in the team's own system by `containment.command`."""

from __future__ import annotations

import os
from typing import Final

from truegreen.core.errors import Failed
from truegreen.runbook import flags
from truegreen.runbook.rollback.model import Kind, Place


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
    """Turn the flag; the file keeps it too where a command sets it elsewhere, so that what stands can be read.

    Raises:
        flags.Unanswered: the command did not end in time; the file is as it was.
    """
    switch = flags.Switch(to, None)
    if place.flag_command:
        flags.ran(flags.elsewhere(place.flag_command, place.name, switch), "containment.command", place.name)
    # The lock that `truegreen contain` takes: two changes of two flags lose neither.
    with flags.alone(place.flags):
        flags.save(place.flags, flags.turned(flags.load(place.flags), place.name, switch))


KIND: Final = Kind(current, versions, ready, move, empty=True)
