"""An alias of Qdrant moves to another collection: deleted and made in one call, which Qdrant does as one."""

from __future__ import annotations

from typing import Final

from truegreen.core.clients import http
from truegreen.core.clients.http import Server
from truegreen.core.errors import BadInput
from truegreen.runbook.rollback.model import Kind, Place
from truegreen.runbook.rollback.ways.secrets import of_file

ALIASES: Final = "/aliases"
COLLECTIONS: Final = "/collections"
CHANGE: Final = "/collections/aliases"


def current(place: Place) -> str:
    """The collection behind the alias.

    Raises:
        BadInput: there is no such alias.
        Failed: Qdrant does not answer.
    """
    server = _server(place)
    aliases = http.shaped(
        server, ALIASES, http.get(server, ALIASES),
        lambda told: {str(one["alias_name"]): str(one["collection_name"]) for one in told["result"]["aliases"]},
    )  # fmt: skip
    if place.name not in aliases:
        there = ", ".join(sorted(aliases)[:20]) or "none"
        raise BadInput(f"Qdrant has no alias {place.name!r}; aliases: {there} (incidents.rollback.{place.component}.name)")
    return aliases[place.name]


def versions(place: Place) -> tuple[str, ...]:
    """All collections; raises as `current`."""
    server = _server(place)
    return http.shaped(
        server, COLLECTIONS, http.get(server, COLLECTIONS),
        lambda told: tuple(str(one["name"]) for one in told["result"]["collections"]),
    )  # fmt: skip


def ready(place: Place, _: str) -> str:
    """The alias is there."""
    return f"Qdrant: alias {place.name} is on {current(place)}, of {len(versions(place))} collections"


def move(place: Place, to: str, _: str) -> None:
    """Put the alias on another collection; sent again where no answer came: twice changes nothing."""
    actions = [
        {"delete_alias": {"alias_name": place.name}},
        {"create_alias": {"collection_name": to, "alias_name": place.name}},
    ]
    http.send(_server(place), "POST", CHANGE, {"actions": actions}, tries=http.TRIES)


def _server(place: Place) -> Server:
    key = of_file(place)
    headers = (("api-key", key),) if key else ()
    return Server("Qdrant", place.way.url, f"look at incidents.rollback.{place.component}.url", headers=headers)


KIND: Final = Kind(current, versions, ready, move)
