"""Which two baselines are meant."""

from __future__ import annotations

from truegreen.core.errors import BadInput
from truegreen.evaluation.baselines import store

Named = tuple[str, str]
"""A place and a name in it."""


def pair(a: str | None, b: str | None, place: str | None, service: str | None, environment: str | None) -> tuple[Named, Named]:
    """The two that the command names: by their addresses, by names in one place, or a service's chosen and newest one.

    Raises:
        BadInput: they are not named, or there are not two.
    """
    if a and b:
        return _named(a, place), _named(b, place)
    if a or b or not (place and service and environment):
        raise BadInput(
            "A and B: found one or none; write two baselines, or --in FOLDER --service S --environment E for its chosen and its newest one"
        )
    names = store.names(place, service, environment)
    chosen = store.chosen(place, service, environment)
    if chosen is None or not names or names[-1] == chosen:
        raise BadInput(
            f"--in: {place} has {len(names)} baselines of {service!r} in {environment!r}, and none is newer than the chosen one; "
            "take another with `truegreen baseline take --daily`"
        )
    return (place, chosen), (place, names[-1])


def _named(address: str, place: str | None) -> Named:
    if place is not None and "/" not in address:
        return place, address
    folder, _, name = address.rpartition("/")
    return folder or ".", name
