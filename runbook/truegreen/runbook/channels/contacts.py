"""A person who is told by a webhook: an incoming one whose address is the secret, or one that takes JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from truegreen.core.clients.http import Server
from truegreen.core.config.response import Contact
from truegreen.core.errors import BadInput
from truegreen.runbook.channels import calls
from truegreen.runbook.channels.model import Undelivered


def incoming(contact: Contact, where: str, text: str) -> None:
    """Post `{"text": …}`, as incoming webhooks of Slack, Mattermost, Rocket.Chat and Google Chat take it.

    Raises:
        BadInput: the file with the address cannot be read.
        Undelivered: it was not taken; the address is in no message.
    """
    _posted(Server("the webhook", address(contact, where), "", timeout=calls.TIMEOUT), {"text": text}, "the address in the file")


def address(contact: Contact, where: str) -> str:
    """The address that a contact's file holds; raises `BadInput` when it holds none."""
    url = calls.secret(contact.secret_file, f"{where}: secret_file")
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise BadInput(f"{where}: {contact.secret_file} holds no address; write one that begins with https:// into it")
    return url


def plain(contact: Contact, text: str, facts: Mapping[str, Any]) -> None:
    """Post the text and the facts as JSON; raises as `incoming`."""
    _posted(Server("the webhook", contact.url, "", timeout=calls.TIMEOUT), {"text": text, **facts}, "")


def _posted(server: Server, body: Mapping[str, Any], said: str) -> None:
    answer = calls.call(server, "POST", "", body=body, said=said)
    if not answer.is_success:
        raise Undelivered(f"{server.name}{f' at {said}' if said else ''} answers {answer.status_code}")
