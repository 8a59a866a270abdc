"""What Grafana (10 to 13) is asked: its boards and folders, by the HTTP API that all of these have (`/api`, deprecated since 13)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from truegreen.core.clients import http
from truegreen.core.clients.http import Server
from truegreen.core.errors import BadInput, Failed

HINT: Final = "start it or name another with --grafana-url"
LONGEST_UID: Final = 40
TOKEN: Final = "TRUEGREEN_GRAFANA_TOKEN"  # the name of a variable
_CONFLICTS: Final = frozenset({409, 412})
"""412 by the documents; boards in unified storage answer 409."""
_FORBIDDEN: Final = 403
_SAID: Final = {
    "version-mismatch": "somebody saved it since it was read; run push again and look at the difference",
    "name-exists": "another board of that folder has its title; rename that one or take it away",
    "plugin-dashboard": "it belongs to a plugin, which would lay it over again; take it out of the plugin first",
}


@dataclass(frozen=True, slots=True)
class Kept:
    """A board as Grafana keeps it.

    Args:
        model: its JSON, with Grafana's own `id` and `version`.
        version: grows by one with each save.
        folder: the uid of its folder; empty for the root.
        provisioned: the file of the provisioning that it comes from; empty for none.
        may_save: whether these credentials may save it.
        is_folder: the uid is that of a folder.
    """

    model: Mapping[str, Any]
    version: int
    folder: str
    provisioned: str
    may_save: bool
    is_folder: bool


class Conflict(http.HttpFailed):
    """Grafana refuses a board as it is there in another version, or its title or uid is taken."""


def connect(url: str, environ: Mapping[str, str] = os.environ, timeout: float = http.TIMEOUT) -> Server:
    """The Grafana at `url` (with user and password in it, or the token of TRUEGREEN_GRAFANA_TOKEN or the file of its _FILE).

    Raises:
        BadInput: the token's file cannot be read.
    """
    token = http.secret(TOKEN, environ)
    if token is not None and not (token.isascii() and token.isprintable()):
        raise BadInput(f"{TOKEN} has characters that no header can have; write the token alone, as Grafana showed it")
    return Server("Grafana", url, HINT, token=token, timeout=timeout)


def version(server: Server) -> str:
    """Its version, such as `11.6.0`; empty where it does not tell.

    Raises:
        Failed: no Grafana answers there.
    """
    path = "/api/health"
    try:
        answer = http.get(server, path)
    except http.HttpFailed as error:
        if error.status == http.NOT_FOUND:
            raise http.HttpFailed(
                f"{http.bare(server.url)}{path} answered 404: name the address of Grafana itself, with the path that it is served under and without that "
                "of a board, such as https://host/grafana", error.status, error.body,
            ) from None  # fmt: skip
        raise _explained(server, error, "its health") from None
    return http.shaped(server, path, answer, lambda found: str(found.get("version") or "") if found["database"] else "")


def folder(server: Server, uid: str) -> str | None:
    """The title of a folder; None where there is none of that uid."""
    path = f"/api/folders/{uid}"
    try:
        answer = http.get(server, path)
    except http.HttpFailed as error:
        if error.status == http.NOT_FOUND:
            return None
        raise _explained(server, error, f"folder {uid}") from None
    return http.shaped(server, path, answer, lambda found: str(found["title"]))


def make_folder(server: Server, uid: str, title: str) -> None:
    """Make a folder; one that somebody made in between is as good.

    Raises:
        Failed: it may not, or another folder has the title.
    """
    try:
        http.send(server, "POST", "/api/folders", {"uid": uid, "title": title})
    except http.HttpFailed as error:
        if error.status not in _CONFLICTS:
            raise _explained(server, error, f"folder {uid}") from None
        if folder(server, uid) is None:
            raise Conflict(
                f"Grafana at {http.bare(server.url)} has a folder {title!r} with another uid ({_words(error)}): give that uid, which is in the folder's "
                "address (/dashboards/f/UID), with --folder, or rename that folder", error.status, error.body,
            ) from None  # fmt: skip


def board(server: Server, uid: str) -> Kept | None:
    """The board of that uid; None where there is none.

    Raises:
        Failed: these credentials may not read it, or Grafana does not answer.
    """
    path = f"/api/dashboards/uid/{uid}"
    try:
        answer = http.get(server, path)
    except http.HttpFailed as error:
        if error.status == http.NOT_FOUND:
            return None
        raise _explained(server, error, f"board {uid}") from None
    return http.shaped(server, path, answer, _kept)


def save(server: Server, model: Mapping[str, Any], folder_uid: str, message: str) -> int:
    """Save a board, sent once; the version that it has then.

    Args:
        server: from `connect`.
        model: with the `id` and `version` that were read, where there is such a board; Grafana refuses it when another version is there.
        folder_uid: where it belongs, empty for the root (never an id: Grafana 13 moves such a board to the root).
        message: what the board's history says.

    Raises:
        Conflict: another version is there, or its title or uid is taken.
        HttpFailed: refused for another reason.
        Failed: no answer came: it may be saved, or not.
    """
    path = "/api/dashboards/db"
    body = {"dashboard": dict(model), "folderUid": folder_uid, "message": message, "overwrite": False}
    try:
        answer = http.send(server, "POST", path, body)
    except http.HttpFailed as error:
        raise _explained(server, error, f"board {model.get('uid')}") from None
    return http.shaped(server, path, answer, lambda saved: int(saved["version"]))


def delete(server: Server, uid: str) -> None:
    """Delete a board; one that is gone already is as good."""
    try:
        http.send(server, "DELETE", f"/api/dashboards/uid/{uid}", None)
    except http.HttpFailed as error:
        if error.status != http.NOT_FOUND:
            raise _explained(server, error, f"board {uid}") from None


def _kept(answer: Any) -> Kept:
    model, meta = answer["dashboard"], answer["meta"]
    return Kept(
        model=dict(model),
        version=int(model["version"]),
        folder=str(meta.get("folderUid") or ""),
        provisioned=str(meta.get("provisionedExternalId") or "a file") if meta.get("provisioned") else "",
        may_save=bool(meta.get("canSave", True)),
        is_folder=bool(meta.get("isFolder", False)),
    )


def _explained(server: Server, error: http.HttpFailed, what: str) -> Failed:
    where = http.bare(server.url)
    if error.status == http.UNAUTHORIZED:
        return http.HttpFailed(
            f"Grafana at {where} answered 401 for {what}: it does not know the credentials; set {TOKEN} to the token of a service account "
            "with the role Editor, or name the file that has it with TRUEGREEN_GRAFANA_TOKEN_FILE", error.status, error.body,
        )  # fmt: skip
    if error.status == _FORBIDDEN:
        return http.HttpFailed(
            f"Grafana at {where} answered 403 for {what}: its token may not do this; give the service account the role Editor (or "
            "folders:create, dashboards:create and dashboards:write)", error.status, error.body,
        )  # fmt: skip
    if error.status in _CONFLICTS:
        status = error.body.get("status", "") if isinstance(error.body, Mapping) else ""
        said = _SAID.get(status, f"{_words(error)}; run push again and look at the difference")
        return Conflict(f"Grafana at {where} refused {what}: {said}", error.status, error.body)
    return error


def _words(error: http.HttpFailed) -> str:
    # What Grafana itself said.
    message = error.body.get("message") if isinstance(error.body, Mapping) else None
    return message[:300] if isinstance(message, str) else f"status {error.status}"
