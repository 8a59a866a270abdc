"""Slack's Web API: a channel for an incident, people invited, messages.

https://docs.slack.dev/reference/methods: conversations.create, .list, .invite, .history, .replies and chat.postMessage.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from truegreen.core.clients import http
from truegreen.core.clients.http import Server
from truegreen.runbook.channels import calls
from truegreen.runbook.channels.model import Undelivered

PAGES: Final = 20
"""Of a thousand channels, looked through for a name that is taken."""
EVENT_TYPE: Final = "truegreen_event"
"""Of a message's metadata, which holds the hash of the event."""
_HINTS: Final = {
    "missing_scope": "give the app that scope and install it again",
    "not_in_channel": "invite the bot into the channel",
    "channel_not_found": "name a channel that the bot can see",
    "is_archived": "unarchive the channel, or name another",
    "invalid_auth": "write a bot token (xoxb-…) of this workspace into the file of incidents.slack.token_file",
    "token_revoked": "write a new bot token into the file of incidents.slack.token_file",
    "restricted_action": "let the bot post and create channels in the workspace's settings",
}
_THERE: Final = {"already_in_channel", "cant_invite_self"}


class Refused(Undelivered):
    """Slack answered `"ok": false`; `error` is its word."""

    def __init__(self, message: str, error: str) -> None:
        super().__init__(message)
        self.error = error


def connect(url: str, token_file: Path | None) -> Server:
    """Slack with the bot token of a file; raises `BadInput` when it cannot be read."""
    token = calls.secret(token_file, "incidents.slack.token_file")
    return Server("Slack", url, "look at incidents.slack.url", token=token, timeout=calls.TIMEOUT)


def open_channel(server: Server, name: str) -> str:
    """The id of a new public channel of that name, or of the one that an attempt before this one made.

    Raises:
        Undelivered: it cannot be made, or is there and cannot be found.
    """
    try:
        made = _method(server, "conversations.create", {"name": name, "is_private": False}).get("channel")
    except Refused as error:
        if error.error != "name_taken":
            raise
        return _find(server, name)
    channel = made.get("id") if isinstance(made, dict) else None
    if not isinstance(channel, str):
        raise Undelivered("Slack answers without the id of the channel", unsure=True)
    return channel


def invite(server: Server, channel: str, users: tuple[str, ...]) -> None:
    """Invite people by their ids; who is there already is fine, and one whom Slack does not know keeps no other out."""
    try:
        _method(server, "conversations.invite", {"channel": channel, "users": ",".join(users), "force": True})
    except Refused as error:
        if error.error not in _THERE:
            raise


def post(server: Server, channel: str, message: Mapping[str, Any], once: str, thread: str = "") -> tuple[str, str]:
    """Write a message: the id of its channel and its `ts`.

    Args:
        once: kept in the message's metadata, so that `find` finds it.
        thread: the `ts` of the message that it answers.
    """
    body = {
        "channel": channel, **message, "unfurl_links": False, "unfurl_media": False,
        "metadata": {"event_type": EVENT_TYPE, "event_payload": {"hash": once}}, **({"thread_ts": thread} if thread else {}),
    }  # fmt: skip
    answer = _method(server, "chat.postMessage", body)
    return str(answer.get("channel", channel)), str(answer.get("ts", ""))


def find(server: Server, channel: str, once: str, since: float, thread: str = "") -> str:
    """The `ts` of the message with that key among those since a time (unix seconds); empty when there is none, or when it may not be looked."""
    asked = {"channel": channel, "oldest": f"{since:.6f}", "inclusive": "true", "limit": "200", "include_all_metadata": "true"}
    method = "conversations.replies" if thread else "conversations.history"
    try:
        messages = _method(server, method, params={**asked, **({"ts": thread} if thread else {})}).get("messages")
    except Refused:
        # Without the scope to look (or in a channel named by a word), better told twice than not at all.
        return ""
    for each in messages if isinstance(messages, list) else ():
        payload = (each.get("metadata") or {}).get("event_payload") or {}
        if payload.get("hash") == once:
            return str(each.get("ts", ""))
    return ""


def _find(server: Server, name: str) -> str:
    cursor = ""
    for _ in range(PAGES):
        params = {
            "types": "public_channel",
            "exclude_archived": "true",
            "limit": "1000",
            **({"cursor": cursor} if cursor else {}),
        }
        answer = _method(server, "conversations.list", params=params)
        for each in answer.get("channels") or ():
            if each.get("name") == name:
                return str(each["id"])
        cursor = str((answer.get("response_metadata") or {}).get("next_cursor") or "")
        if not cursor:
            break
    raise Undelivered(f"Slack says that a channel {calls.shown(name)} is there, and does not list it: unarchive it, or rename it")


def _method(server: Server, method: str, body: Any = None, params: Mapping[str, str] | None = None) -> dict[str, Any]:
    answer = calls.call(server, "GET" if params else "POST", f"/{method}", params=params, body=body)
    told = calls.told(answer)
    if not isinstance(told, dict) or "ok" not in told:
        raise Undelivered(f"what answers at incidents.slack.url ({answer.status_code}) is not Slack's API")
    if told["ok"] is True:
        return told
    error = calls.shown(told.get("error", "no reason"))
    if error in ("ratelimited", "rate_limited"):
        raise Undelivered("Slack is asked too often", http.retry_after(answer) or 30.0)
    needed = f" (the token lacks {calls.shown(told['needed'])})" if told.get("needed") else ""
    hint = f": {_HINTS[error]}" if error in _HINTS else ""
    raise Refused(f"Slack refuses {method}: {error}{needed}{hint}", error)
