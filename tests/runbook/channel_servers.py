"""Local servers that hold us to what Slack, Jira, GitHub and webhooks document, and that fail as they are told to.

Slack: https://docs.slack.dev/reference/methods; Jira: https://developer.atlassian.com/cloud/jira/platform/rest/v3;
GitHub: https://docs.github.com/rest/issues/issues.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "xoxb-1-slack-token"
JIRA_TOKEN, JIRA_EMAIL = "jira-token-9", "bot@example.com"
GITHUB_TOKEN = "ghp_githubtoken"
ALL_SCOPES = {"channels:manage", "chat:write", "channels:read", "channels:history"}


@dataclass
class Asked:
    """One request."""

    method: str
    path: str
    query: dict[str, str]
    headers: Any
    body: Any


@dataclass
class Vendor:
    """What is wrong with the requests that came, and how the next ones fail.

    `faults` are taken one for each request: a status, `hang` (no answer until the server ends), `cut` (it is done, and the answer is lost), `late` (it is done,
    and no answer comes until the server ends), or a
    tuple of a status, headers and, where it is not `{"message": "no"}`, JSON.
    """

    faults: list[Any] = field(default_factory=list)
    calls: list[Asked] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def answer(self, asked: Asked) -> tuple[int, Any]:
        """A status and JSON."""
        raise NotImplementedError


@contextmanager
def serving(vendor: Vendor) -> Iterator[str]:
    """The address of a vendor."""

    class Handler(BaseHTTPRequestHandler):
        def _go(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            raw = self.rfile.read(length)
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            body = json.loads(raw) if raw else None
            asked = Asked(self.command, parts.path, query, self.headers, body)
            vendor.calls.append(asked)
            fault = vendor.faults.pop(0) if vendor.faults else None
            if fault == "hang":
                vendor.over.wait()
                return
            if fault == "late":
                vendor.answer(asked)
                vendor.over.wait()
                return
            if fault == "cut":
                vendor.answer(asked)
                self.close_connection = True
                self.connection.close()
                return
            status, headers, *body_told = fault if isinstance(fault, tuple) else (fault, {})
            said: Any = body_told[0] if body_told else {"message": "no"}
            if status is None:
                status, said = vendor.answer(asked)
            content = (said if isinstance(said, str) else json.dumps(said)).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _go

        def log_message(self, *_: Any) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """A connection that was cut on purpose is nobody's error."""

    server = Quiet(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        vendor.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _no(error: str, **more: Any) -> tuple[int, Any]:
    return 200, {"ok": False, "error": error, **more}


@dataclass
class Slack(Vendor):
    """A workspace: `scopes` are the token's; channels by id, messages by channel."""

    scopes: set[str] = field(default_factory=lambda: set(ALL_SCOPES))
    channels: dict[str, str] = field(default_factory=dict)
    invited: list[str] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    page: int = 2

    def answer(self, asked: Asked) -> tuple[int, Any]:
        """One method."""
        if asked.headers.get("Authorization") != f"Bearer {TOKEN}":
            return _no("invalid_auth")
        method = asked.path.removeprefix("/api/")
        needed, act = {
            "conversations.create": ("channels:manage", self._create), "conversations.invite": ("channels:manage", self._invite),
            "conversations.list": ("channels:read", self._list), "conversations.history": ("channels:history", self._history),
            "conversations.replies": ("channels:history", self._history), "chat.postMessage": ("chat:write", self._post),
        }.get(method, ("", None))  # fmt: skip
        if act is None:
            return _no("unknown_method")
        if needed not in self.scopes:
            return _no("missing_scope", needed=needed, provided=",".join(sorted(self.scopes)))
        if method in ("conversations.create", "conversations.invite", "chat.postMessage"):
            if asked.method != "POST" or not asked.headers.get("Content-Type", "").startswith("application/json"):
                return _no("invalid_post_type")
            return act(asked.body)
        if asked.body is not None:
            return _no("invalid_arguments")
        return act(asked.query)

    def _create(self, body: dict[str, Any]) -> tuple[int, Any]:
        name = body.get("name", "")
        if not name:
            return _no("invalid_name_required")
        if len(name) > 80:
            return _no("invalid_name_maxlength")
        if not re.fullmatch("[a-z0-9_-]+", name):
            return _no("invalid_name_specials")
        if name in self.channels.values():
            return _no("name_taken")
        made = f"C{len(self.channels) + 1:08}"
        self.channels[made] = name
        return 200, {"ok": True, "channel": {"id": made, "name": name}}

    def _invite(self, body: dict[str, Any]) -> tuple[int, Any]:
        if body.get("channel") not in self.channels:
            return _no("channel_not_found")
        users = body.get("users", "").split(",")
        if not all(re.fullmatch("[UW][A-Z0-9]+", user) for user in users):
            return _no("user_not_found")
        if set(users) <= set(self.invited):
            return _no("already_in_channel")
        self.invited += users
        return 200, {"ok": True, "channel": {"id": body["channel"]}}

    def _list(self, query: dict[str, str]) -> tuple[int, Any]:
        start = int(query.get("cursor", "0"))
        rows = [{"id": key, "name": name} for key, name in self.channels.items()]
        end = start + self.page
        return 200, {
            "ok": True,
            "channels": rows[start:end],
            "response_metadata": {"next_cursor": str(end) if end < len(rows) else ""},
        }

    def _history(self, query: dict[str, str]) -> tuple[int, Any]:
        if query.get("channel") not in self.channels:
            return _no("channel_not_found")
        kept = [m for m in self.messages if m["channel"] == query["channel"] and float(m["ts"]) >= float(query["oldest"])]
        if query.get("ts"):
            kept = [m for m in kept if query["ts"] in (m["ts"], m.get("thread_ts"))]
        if query.get("include_all_metadata") != "true":
            kept = [{k: v for k, v in m.items() if k != "metadata"} for m in kept]
        return 200, {"ok": True, "messages": kept[::-1]}

    def _post(self, body: dict[str, Any]) -> tuple[int, Any]:
        where = body.get("channel", "")
        known = {**self.channels, **{u: u for u in ("U0LEGAL",)}}
        if where not in known:
            return _no("channel_not_found")
        if not body.get("text"):
            return _no("no_text")
        blocks = body.get("blocks", [])
        if len(blocks) > 50 or any(_wrong_block(one) for one in blocks):
            return _no("invalid_blocks", response_metadata={"messages": [w for one in blocks if (w := _wrong_block(one))]})
        meta = body.get("metadata")
        if meta is not None and not (
            isinstance(meta.get("event_payload"), dict) and re.fullmatch("[a-z_]+", meta.get("event_type", ""))
        ):
            return _no("invalid_metadata_format")
        if re.search(r"<(!|@|#)", body["text"]):
            return _no("a mention of our own making")
        ts = f"{2_000_000_000 + len(self.messages)}.000100"
        self.messages.append({**body, "ts": ts})
        return 200, {"ok": True, "channel": where, "ts": ts}

    def lines(self, channel: str = "") -> list[str]:
        """The texts that stand in a channel."""
        return [m["text"] for m in self.messages if channel in ("", m["channel"])]


def _wrong_block(block: dict[str, Any]) -> str:
    kind = block.get("type")
    if kind == "header":
        text = block["text"]
        return "" if text["type"] == "plain_text" and 0 < len(text["text"]) <= 150 else "header"
    if kind == "section":
        text = block["text"]
        return "" if text["type"] in ("plain_text", "mrkdwn") and 0 < len(text["text"]) <= 3_000 else "section"
    if kind == "context":
        parts = block["elements"]
        return "" if 0 < len(parts) <= 10 and all(0 < len(p["text"]) <= 3_000 for p in parts) else "context"
    return f"unknown block {kind}"


@dataclass
class Jira(Vendor):
    """A site: issues with their labels; `done` are the keys of finished ones."""

    issues: dict[str, dict[str, Any]] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)

    def answer(self, asked: Asked) -> tuple[int, Any]:
        """One request."""
        basic = base64.b64encode(f"{JIRA_EMAIL}:{JIRA_TOKEN}".encode()).decode()
        if asked.headers.get("Authorization") != f"Basic {basic}":
            return 401, "Client must be authenticated to access this resource."
        if (asked.method, asked.path) == ("POST", "/rest/api/3/search/jql"):
            return self._search(asked.body)
        if (asked.method, asked.path) == ("POST", "/rest/api/3/issue"):
            return self._create(asked.body)
        return 404, {"errorMessages": ["dead link"], "errors": {}}

    def _search(self, body: dict[str, Any]) -> tuple[int, Any]:
        if set(body) - {
            "jql",
            "maxResults",
            "fields",
            "nextPageToken",
            "expand",
            "properties",
            "fieldsByKeys",
            "failFast",
            "reconcileIssues",
        }:
            return 400, {"errorMessages": ["Invalid request payload"], "errors": {}}
        found = re.fullmatch(
            r'statusCategory != Done AND project = ("(?:[^"\\]|\\.)+") AND labels = ("(?:[^"\\]|\\.)+") ORDER BY created DESC', body["jql"]
        )  # fmt: skip
        if not found:
            return 400, {"errorMessages": [f"Error in the JQL Query: {body['jql']}"], "errors": {}}
        project, label = json.loads(found[1]), json.loads(found[2])
        keys = [
            key for key, fields in self.issues.items()
            if key not in self.done and fields["project"]["key"] == project and label in fields["labels"]
        ]  # fmt: skip
        return 200, {"issues": [{"id": "1", "key": key} for key in keys[: body["maxResults"]]], "isLast": True}

    def _create(self, body: dict[str, Any]) -> tuple[int, Any]:
        fields, errors = body["fields"], {}
        if fields["project"].get("key") != "OPS":
            errors["project"] = "valid project is required"
        if fields["issuetype"].get("name") not in ("Task", "Incident"):
            errors["issuetype"] = "Specify a valid issue type"
        if not 0 < len(fields.get("summary", "")) <= 255 or "\n" in fields["summary"]:
            errors["summary"] = "The summary is invalid because it contains newline characters or is too long."
        for label in fields.get("labels", []):
            if " " in label or len(label) > 255:
                errors["labels"] = f"The label '{label}' contains spaces which is invalid."
        if not _is_document(fields.get("description")):
            errors["description"] = "Operation value must be an Atlassian Document"
        if errors:
            return 400, {"errorMessages": [], "errors": errors}
        key = f"OPS-{len(self.issues) + 1}"
        self.issues[key] = fields
        return 201, {"id": "10000", "key": key, "self": "https://example/rest/api/3/issue/10000"}


def _is_document(node: Any) -> bool:
    def inline(one: Any) -> bool:
        marks = one.get("marks", [])
        return one["type"] == "text" and bool(one["text"]) and all(m["type"] == "link" and m["attrs"]["href"] for m in marks)

    def block(one: Any) -> bool:
        if one["type"] == "codeBlock":
            return all(part["type"] == "text" and "marks" not in part and part["text"] for part in one["content"])
        return one["type"] == "paragraph" and all(inline(part) for part in one["content"])

    return isinstance(node, dict) and (node["type"], node["version"]) == ("doc", 1) and all(block(one) for one in node["content"])


@dataclass
class GitHub(Vendor):
    """A repository: `push` is whether the token may label, `off` whether issues are switched off."""

    issues: list[dict[str, Any]] = field(default_factory=list)
    push: bool = True
    off: bool = False

    def answer(self, asked: Asked) -> tuple[int, Any]:
        """One request."""
        if asked.headers.get("Authorization") != f"Bearer {GITHUB_TOKEN}":
            return 401, {"message": "Bad credentials"}
        if not asked.headers.get("User-Agent"):
            return 403, {"message": "Request forbidden by administrative rules."}
        if (
            asked.headers.get("Accept") != "application/vnd.github+json"
            or asked.headers.get("X-GitHub-Api-Version") != "2022-11-28"
        ):
            return 415, {"message": "Unsupported media type"}
        if asked.path != "/repos/acme/shop/issues":
            return 404, {"message": "Not Found"}
        if asked.method == "GET":
            size, page = int(asked.query["per_page"]), int(asked.query["page"])
            kept = [i for i in self.issues[::-1] if i["state"] == asked.query["state"]]
            return 200, kept[(page - 1) * size : page * size]
        if self.off:
            return 410, {"message": "Issues are disabled for this repo"}
        body = asked.body
        if not 0 < len(body.get("title", "")) <= 256 or len(body.get("body", "")) > 65_536:
            return 422, {"message": "Validation Failed"}
        number = len(self.issues) + 1
        made = {"number": number, "title": body["title"], "body": body["body"], "labels": body.get("labels", []) if self.push else [],
                "state": "open", "html_url": f"https://github.com/acme/shop/issues/{number}"}  # fmt: skip
        self.issues.append(made)
        return 201, made


@dataclass
class Hook(Vendor):
    """Any incoming webhook; `takes` says what of a body is refused."""

    told: list[Any] = field(default_factory=list)
    takes: Callable[[Any], bool] = lambda body: isinstance(body.get("text"), str) and bool(body["text"])

    def answer(self, asked: Asked) -> tuple[int, Any]:
        """One post."""
        if asked.method != "POST" or not self.takes(asked.body):
            return 400, "invalid_payload"
        self.told.append((asked.path, asked.query, asked.body))
        return 200, "ok"
