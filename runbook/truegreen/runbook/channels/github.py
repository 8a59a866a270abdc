"""GitHub issues: one that is found by a mark in its body before it is made.

https://docs.github.com/rest/issues/issues: GET and POST /repos/OWNER/NAME/issues. Labels are dropped without push access: the mark is what counts.
"""

from __future__ import annotations

import re
from typing import Any, Final

import httpx

from truegreen.core.clients import http
from truegreen.core.clients.http import Server
from truegreen.core.config.response import Tracker
from truegreen.core.errors import BadInput
from truegreen.runbook.channels import calls
from truegreen.runbook.channels.model import Undelivered
from truegreen.runbook.channels.words import marker

API: Final = "https://api.github.com"
PAGES: Final = 3
"""Of a hundred open issues, the newest first: as far as a mark is looked for."""
HEADERS: Final = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28", "User-Agent": "truegreen"}
_HINTS: Final = {
    401: "the token is not known",
    404: "the repository is not there for this token",
    410: "issues are switched off in the repository",
}
_LIMITED: Final = (403, 429)


def ticket(tracker: Tracker, once: str, title: str, body: str) -> tuple[str, str, bool]:
    """Number and address of the open issue with the mark `once`, made where there is none; the third says whether it was there.

    Raises:
        BadInput: the token cannot be read, or the repository is no OWNER/NAME.
        Undelivered: GitHub does not take it.
    """
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", tracker.repository):
        raise BadInput(f"incidents.tickets: repository: found {calls.shown(tracker.repository)!r}, expected OWNER/NAME")
    token = calls.secret(tracker.secret_file, "incidents.tickets: secret_file")
    server = Server("GitHub", tracker.url or API, "look at incidents.tickets", token=token, timeout=calls.TIMEOUT)
    path = f"/repos/{tracker.repository}/issues"
    if found := _find(server, path, marker(once)):
        return (*_named(found), True)
    answer = calls.call(
        server, "POST", path, body={"title": title, "body": body, "labels": list(tracker.labels)}, headers=HEADERS
    )
    return (*_named(_checked(answer, 201)), False)


def _find(server: Server, path: str, mark: str) -> Any:
    for page in range(1, PAGES + 1):
        params = {"state": "open", "sort": "created", "direction": "desc", "per_page": "100", "page": str(page)}
        issues = _checked(calls.call(server, "GET", path, params=params, headers=HEADERS), 200)
        if not isinstance(issues, list):
            raise Undelivered("what answers is not GitHub's list of issues: look at the url of incidents.tickets")
        for each in issues:
            if "pull_request" not in each and mark in str(each.get("body") or ""):
                return each
        if len(issues) < 100:
            break
    return None


def _named(issue: Any) -> tuple[str, str]:
    number = issue.get("number") if isinstance(issue, dict) else None
    if not isinstance(number, int):
        raise Undelivered("GitHub answers without the number of an issue", unsure=True)
    return f"#{number}", calls.shown(issue.get("html_url", ""))


def _checked(answer: httpx.Response, expected: int) -> Any:
    told = calls.told(answer)
    if answer.status_code == expected:
        return told
    said = calls.shown(told.get("message", "")) if isinstance(told, dict) else ""
    limited = answer.status_code in _LIMITED and "rate limit" in said.lower()
    wait = (http.retry_after(answer) or 60.0) if limited else 0.0
    hint = f" ({_HINTS[answer.status_code]})" if answer.status_code in _HINTS else ""
    raise Undelivered(f"GitHub answers {answer.status_code}{f': {said}' if said else ''}{hint}", wait)
