"""The team's own commands: one prints the version, one moves it, one shows that the move would work. Never through a shell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from truegreen.runbook import argv
from truegreen.runbook.rollback.model import Kind, Place, version


def current(place: Place) -> str:
    """The last line that the command prints.

    Raises:
        Failed: it does not end with exit code 0, or prints nothing that is a version.
    """
    said = _run(place, "current", place.way.current, {})
    return version(f"what incidents.rollback.{place.component}.current prints", said)


def versions(_: Place) -> None:
    """Nobody can list them."""
    return


def ready(place: Place, to: str) -> str:
    """What the command of the dry run says, for the version that is set now where none is meant."""
    now = current(place)
    return f"now {now}; " + _run(place, "dry_run", place.way.dry_run, {"to": to or now, "from": now})


def move(place: Place, to: str, old: str) -> None:
    """Run the command."""
    _run(place, "apply", place.way.apply, {"to": to, "from": old})


def _run(place: Place, key: str, command: Sequence[str], values: Mapping[str, str]) -> str:
    where = f"incidents.rollback.{place.component}.{key}"
    ended = argv.run(argv.fill(command, values, where))
    if ended.code != 0:
        how = "did not end with exit code 0" if ended.code is None else f"ended with exit code {ended.code}"
        raise argv.CommandFailed(f"{where}: {command[0]} {how}: {ended.said}", f"{where}: {command[0]} {how}")
    return ended.said


KIND: Final = Kind(current, versions, ready, move)
