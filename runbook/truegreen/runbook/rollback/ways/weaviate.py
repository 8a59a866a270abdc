"""An alias of Weaviate (1.32 or newer) moves to another collection, in one call."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from truegreen.core.clients import http
from truegreen.core.clients.http import NOT_FOUND, HttpFailed, Server
from truegreen.core.errors import BadInput
from truegreen.runbook.rollback.model import Kind, Place
from truegreen.runbook.rollback.ways.secrets import of_file

ALIASES: Final = "/v1/aliases"
SCHEMA: Final = "/v1/schema"


def current(place: Place) -> str:
    """The collection behind the alias.

    Raises:
        BadInput: there is no such alias.
        Failed: Weaviate does not answer.
    """
    server, path = _server(place), _alias(place)
    try:
        return http.shaped(server, path, http.get(server, path), lambda told: str(told["class"]))
    except HttpFailed as error:
        if error.status != NOT_FOUND:
            raise
        raise BadInput(f"Weaviate has no alias {place.name!r}: name one that the application asks for (incidents.rollback.{place.component}.name)") from None  # fmt: skip


def versions(place: Place) -> tuple[str, ...]:
    """All collections; raises as `current`."""
    server = _server(place)
    return http.shaped(server, SCHEMA, http.get(server, SCHEMA), lambda told: tuple(str(one["class"]) for one in told["classes"]))


def ready(place: Place, _: str) -> str:
    """The alias is there."""
    return f"Weaviate: alias {place.name} is on {current(place)}, of {len(versions(place))} collections"


def move(place: Place, to: str, _: str) -> None:
    """Put the alias on another collection; sent again where no answer came: twice changes nothing."""
    http.send(_server(place), "PUT", _alias(place), {"class": to}, tries=http.TRIES)


def _alias(place: Place) -> str:
    return f"{ALIASES}/{quote(place.name, safe='')}"


def _server(place: Place) -> Server:
    return Server("Weaviate", place.way.url, f"look at incidents.rollback.{place.component}.url", token=of_file(place))


KIND: Final = Kind(current, versions, ready, move)
