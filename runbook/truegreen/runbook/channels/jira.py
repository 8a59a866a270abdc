"""Jira Cloud, REST API version 3: an issue that is found by its label before it is made.

https://developer.atlassian.com/cloud/jira/platform/rest/v3: POST /search/jql and POST /issue. The label `ALERT{sha256 of the group key}` is
the one that Alertmanager's own receiver searches for and writes.
"""

from __future__ import annotations

import json
from typing import Any, Final

from truegreen.core.clients.http import Server, bare
from truegreen.core.config.response import Tracker
from truegreen.runbook.channels import calls
from truegreen.runbook.channels.model import Undelivered

_HINTS: Final = {
    401: "check email and token",
    403: "let the user create issues in the project",
    404: "check the address of the site",
}


def ticket(tracker: Tracker, once: str, title: str, description: Any) -> tuple[str, str, bool]:
    """Key and address of the open issue with the label `once`, made where there is none; the third says whether it was there.

    Raises:
        BadInput: the token cannot be read.
        Undelivered: Jira does not take it.
    """
    token = calls.secret(tracker.secret_file, "incidents.tickets: secret_file")
    server = Server("Jira", tracker.url, "look at incidents.tickets", auth=(tracker.email, token), timeout=calls.TIMEOUT)
    query = f"statusCategory != Done AND project = {json.dumps(tracker.project)} AND labels = {json.dumps(once)} ORDER BY created DESC"
    found = _post(server, "/rest/api/3/search/jql", {"jql": query, "maxResults": 1, "fields": ["status"]}, 200)
    issues = found.get("issues")
    if isinstance(issues, list) and issues:
        return (*_named(server, issues[0]), True)
    fields = {
        "project": {"key": tracker.project}, "issuetype": {"name": tracker.issue_type}, "summary": title, "description": description,
        "labels": [once, *tracker.labels],
    }  # fmt: skip
    return (*_named(server, _post(server, "/rest/api/3/issue", {"fields": fields}, 201)), False)


def _named(server: Server, issue: Any) -> tuple[str, str]:
    key = issue.get("key") if isinstance(issue, dict) else None
    if not isinstance(key, str):
        raise Undelivered("Jira answers without the key of an issue: is its address the site's?", unsure=True)
    return calls.shown(key), f"{bare(server.url)}/browse/{calls.shown(key)}"


def _post(server: Server, path: str, body: Any, expected: int) -> dict[str, Any]:
    answer = calls.call(server, "POST", path, body=body)
    told = calls.told(answer)
    if answer.status_code != expected or not isinstance(told, dict):
        said = _said(told)
        hint = f" ({_HINTS[answer.status_code]})" if answer.status_code in _HINTS else ""
        raise Undelivered(f"Jira answers {answer.status_code} to {path}{f': {said}' if said else ''}{hint}")
    return told


def _said(told: Any) -> str:
    if not isinstance(told, dict):
        return ""
    messages, errors = told.get("errorMessages"), told.get("errors")
    parts = [str(one) for one in messages] if isinstance(messages, list) else []
    parts += [f"{name}: {said}" for name, said in errors.items()] if isinstance(errors, dict) else []
    return calls.shown("; ".join(parts))
