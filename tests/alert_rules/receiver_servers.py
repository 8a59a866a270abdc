"""A local server that holds Alertmanager to what each receiver documents: a request that breaks a contract is answered as the vendor would, and said.

PagerDuty: https://developer.pagerduty.com/docs/send-alert-event; Opsgenie: https://docs.opsgenie.com/docs/alert-api;
incident.io: https://api-docs.incident.io (Alert Events V2); Rootly: https://docs.rootly.com/integrations/alertmanager;
Slack: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks and .../chat.postMessage.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

SLACK_SECRET = "/services/T0/B0/slack-secret"
HOOK_SECRET = "/hooks/hook-secret"
ROOTLY = "/webhooks/incoming/alertmanager_webhooks"
INCIDENTIO = "/v2/alert_events/alertmanager/source1"
SECONDS = 40


@dataclass(frozen=True)
class Told:
    """One request that a vendor took.

    Args:
        state: `firing` or `resolved`.
        key: by which the vendor knows that two requests are of one incident; empty where there is none.
        text: all that a person may read of it.
        credential: the key or token that came with it.
    """

    vendor: str
    state: str
    key: str
    text: str
    credential: str
    body: Mapping[str, Any]


@dataclass
class Receivers:
    """What arrived, and what was wrong with it; `first_fails` are the vendors whose next request meets a server that is down."""

    url: str = ""
    told: list[Told] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    first_fails: set[str] = field(default_factory=set)
    failed: list[str] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def of(self, vendor: str, state: str) -> list[Told]:
        """What a vendor took."""
        return [each for each in self.told if (each.vendor, each.state) == (vendor, state)]

    def wait(self, reached: Callable[[], bool]) -> None:
        """Until something holds; the test fails, with what came instead, when it does not."""
        with self.changed:
            if not self.changed.wait_for(reached, SECONDS):
                came = [(each.vendor, each.state) for each in self.told]
                raise AssertionError(f"waited {SECONDS} s; came: {came}; problems: {self.problems}")


class _Wrong(Exception):
    # A request that breaks the contract, with the answer that the vendor gives.
    def __init__(self, said: str, status: int = 400, answer: str = "{}") -> None:
        super().__init__(said)
        self.status, self.answer = status, answer


def _ask(holds: object, said: str, status: int = 400) -> None:
    if not holds:
        raise _Wrong(said, status)


def _bearer(headers: Mapping[str, str], scheme: str = "Bearer") -> str:
    found = headers.get("Authorization") or ""
    _ask(found.startswith(f"{scheme} "), f"Authorization: {found!r}", 401)
    return found.removeprefix(f"{scheme} ")


def _pagerduty(_path: str, _headers: Mapping[str, str], body: Mapping[str, Any]) -> tuple[Told, int, str]:
    action = body.get("event_action")
    _ask(action in {"trigger", "acknowledge", "resolve"}, f"event_action {action!r}")
    _ask(body.get("routing_key"), "no routing_key")
    _ask(0 < len(body.get("dedup_key", "")) <= 255, "dedup_key")
    payload = body.get("payload") or {}
    if action == "trigger":
        _ask(0 < len(payload.get("summary", "")) <= 1_024, "payload.summary")
        _ask(payload.get("source"), "payload.source")
        _ask(payload.get("severity") in {"critical", "error", "warning", "info"}, f"payload.severity {payload.get('severity')!r}")
    for link in body.get("links", []):
        _ask(re.match("https?://", link["href"]), f"link {link}")
    told = Told(
        "pagerduty",
        "firing" if action == "trigger" else "resolved",
        body["dedup_key"],
        json.dumps(body),
        body["routing_key"],
        body,
    )
    return told, 202, json.dumps({"status": "success", "message": "Event processed", "dedup_key": body["dedup_key"]})


def _opsgenie(path: str, headers: Mapping[str, str], body: Mapping[str, Any]) -> tuple[Told, int, str]:
    key = _bearer(headers, "GenieKey")
    done = json.dumps({"result": "Request will be processed", "took": 0.1, "requestId": "r"})
    if closed := re.fullmatch(r"/v2/alerts/([^/]+)/close", path):
        return Told("opsgenie", "resolved", closed[1], json.dumps(body), key, body), 202, done
    _ask(path == "/v2/alerts", f"path {path}", 404)
    for name, most in {"message": 130, "alias": 512, "description": 15_000, "entity": 512, "source": 100}.items():
        _ask(0 < len(body.get(name, "")) <= most, f"{name}: {len(body.get(name, ''))} characters")
    _ask(body.get("priority") in {"P1", "P2", "P3", "P4", "P5"}, f"priority {body.get('priority')!r}")
    _ask(len(body.get("tags", [])) <= 20, "tags")
    _ask(all(0 < len(tag) <= 50 for tag in body.get("tags", [])), "a tag's length")
    details = body.get("details", {})
    _ask(sum(len(name) + len(value) for name, value in details.items()) <= 8_000, "details")
    return Told("opsgenie", "firing", body["alias"], json.dumps(body), key, body), 202, done


def _alertmanager_body(body: Mapping[str, Any], version: set[str]) -> str:
    _ask(body.get("version") in version, f"version {body.get('version')!r}")
    _ask(body.get("status") in {"firing", "resolved"}, f"status {body.get('status')!r}")
    _ask(body.get("groupKey"), "groupKey")
    _ask(body.get("alerts"), "alerts")
    for each in body["alerts"]:
        _ask({"status", "labels", "annotations", "startsAt", "fingerprint"} <= set(each), f"an alert with {sorted(each)}")
    return json.dumps(body)


def _posted(vendor: str, version: set[str], answer: int) -> Callable[..., tuple[Told, int, str]]:
    def check(_path: str, headers: Mapping[str, str], body: Mapping[str, Any]) -> tuple[Told, int, str]:
        token = _bearer(headers)
        return Told(vendor, body["status"], body["groupKey"], _alertmanager_body(body, version), token, body), answer, "{}"

    return check


def _open(vendor: str) -> Callable[..., tuple[Told, int, str]]:
    def check(_path: str, _headers: Mapping[str, str], body: Mapping[str, Any]) -> tuple[Told, int, str]:
        return Told(vendor, body["status"], body["groupKey"], _alertmanager_body(body, {"4"}), "", body), 200, ""

    return check


def _slack_message(vendor: str, body: Mapping[str, Any], credential: str) -> Told:
    (shown,) = body.get("attachments") or [{}]
    _ask(shown.get("fallback") and shown.get("text"), "an attachment needs text and fallback")
    _ask(len(shown["text"]) <= 8_000, f"text of {len(shown['text'])} characters")
    for part in (shown["text"], shown["fallback"], shown.get("title", "")):
        # Outside our own links, an angle bracket is a mention or a link of somebody else's.
        left = re.sub(r"<https?://[^|<>\s]+\|[^<>|]+>", "", part)
        _ask(not re.search("[<>]", left), f"not escaped: {left!r}")
    state = "resolved" if shown.get("title", "").startswith("[RESOLVED]") else "firing"
    return Told(vendor, state, "", json.dumps(body), credential, body)


def _slack(_path: str, _headers: Mapping[str, str], body: Mapping[str, Any]) -> tuple[Told, int, str]:
    return _slack_message("slack", body, ""), 200, "ok"


def _slack_bot(_path: str, headers: Mapping[str, str], body: Mapping[str, Any]) -> tuple[Told, int, str]:
    refused = json.dumps({"ok": False, "error": "invalid_auth"})
    try:
        token = _bearer(headers)
        _ask(body.get("channel"), "no channel")
    except _Wrong as error:
        raise _Wrong(str(error), 200, refused) from None
    return _slack_message("slack bot", body, token), 200, json.dumps({"ok": True, "channel": "C1", "ts": "1.2"})


CONTRACTS = (
    (re.compile("/v2/enqueue"), "pagerduty", _pagerduty),
    (re.compile("/v2/alerts(/.*)?"), "opsgenie", _opsgenie),
    (re.compile(re.escape(INCIDENTIO)), "incidentio", _posted("incidentio", {"1", "4"}, 202)),
    (re.compile(re.escape(ROOTLY)), "rootly", _posted("rootly", {"4"}, 200)),
    (re.compile(re.escape(SLACK_SECRET)), "slack", _slack),
    (re.compile("/api/chat.postMessage"), "slack bot", _slack_bot),
    (re.compile("/hook"), "webhook", _posted("webhook", {"4"}, 200)),
    (re.compile(re.escape(HOOK_SECRET)), "secret webhook", _open("secret webhook")),
    (re.compile("/notify"), "notify", _open("notify")),
    (re.compile("/alive"), "watchdog", _open("watchdog")),
)


def _answered(state: Receivers, path: str, headers: Mapping[str, str], raw: bytes) -> tuple[int, str]:
    vendor, check = next(((name, check) for pattern, name, check in CONTRACTS if pattern.fullmatch(path)), ("", None))
    if check is None:
        state.problems.append(f"nobody listens at {path}")
        return 404, "{}"
    if vendor in state.first_fails:
        state.first_fails.discard(vendor)
        state.failed.append(vendor)
        return 500, "{}"
    try:
        _ask(
            (headers.get("Content-Type") or "").startswith("application/json"),
            f"Content-Type {headers.get('Content-Type')!r}",
            415,
        )
        told, status, answer = check(path, headers, json.loads(raw))
    except _Wrong as error:
        state.problems.append(f"{vendor}: {error}")
        return error.status, error.answer
    state.told.append(told)
    return status, answer


@contextmanager
def listening() -> Iterator[Receivers]:
    """All vendors at one address of the loopback."""
    state = Receivers()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # noqa: N802
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            with state.changed:
                status, answer = _answered(state, urlsplit(self.path).path, self.headers, raw)
                state.changed.notify_all()
            self.send_response(status)
            self.send_header("Content-Type", "application/json" if answer.startswith("{") else "text/plain")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
