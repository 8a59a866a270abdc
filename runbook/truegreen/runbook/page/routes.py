"""The addresses of the page: the list, one incident as HTML and JSON, its charts, what its buttons do, the way in and out."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from truegreen.core.errors import BadInput, Failed
from truegreen.runbook import log as store
from truegreen.runbook import selectors
from truegreen.runbook.clean import clean
from truegreen.runbook.commands.common import Desk, owned_by
from truegreen.runbook.log import Log
from truegreen.runbook.model import Event, Incident
from truegreen.runbook.page import access, acts, clocks, html, sli, svg
from truegreen.runbook.page.view import view

MOST_BODY: Final = 16_384
"""Bytes of a form."""
BODY_SECONDS: Final = 10.0
"""A browser sends a form at once; who sends one byte at a time, without a token, holds a connection no longer than this."""
LISTED: Final = 200
"""Incidents on the first page, the newest."""


def router(desk: Desk) -> APIRouter:
    """The page's addresses, to be included below `/`.

    Args:
        desk: whose configuration, log, Prometheus and clock it uses.
    """
    made = APIRouter(include_in_schema=False)
    door = access.Door(desk.config.incidents.serve.token_file, secrets.token_bytes(32))
    opened = functools.cache(desk.log)

    def guarded(work: Callable[[Request, access.Visitor], Response]) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            visitor = _visitor(door, request, desk.clock())
            if visitor is None:
                return _stranger(door, request)
            return await run_in_threadpool(_told, work, request, visitor)

        return answer

    async def static(name: str) -> Response:
        if name not in html.STATIC:
            return _page("said", 404, title="Nothing here", text="There is no such file.")
        headers = {**html.HEADERS, "Cache-Control": "max-age=300"}
        return Response(html.static(name), media_type=html.STATIC[name], headers=headers)

    async def enter(request: Request) -> Response:
        form = await _body(request)
        if form is None:
            return _late()
        nonce = secrets.token_urlsafe(12)
        cookie = door.enter(form.get("token", ""), form.get("name", ""), nonce, desk.clock()) if door.file else ""
        if not cookie:
            return _page("login", 401, wrong=True, to=_inside(form.get("to", "")), name=clean(form.get("name", ""), 100))
        answer = RedirectResponse(_inside(form.get("to", "")), 303, headers=html.HEADERS)
        answer.set_cookie(
            access.COOKIE, cookie, max_age=int(access.LASTS), httponly=True, samesite="strict", secure=_secure(desk)
        )
        return answer

    async def leave(_: Request) -> Response:
        answer = RedirectResponse("/", 303, headers=html.HEADERS)
        answer.delete_cookie(access.COOKIE, httponly=True, samesite="strict", secure=_secure(desk))
        return answer

    async def act(request: Request, number: int, deed: str) -> Response:
        visitor = _visitor(door, request, desk.clock())
        if visitor is None:
            return _stranger(door, request)
        given = await _body(request)
        if given is None:
            return _late()
        plain = request.headers.get("content-type", "").startswith("application/json")
        # A page of another site can post a form; it cannot post JSON without asking, and nothing here says yes.
        if not plain and not access.genuine(visitor, given.get("form", "")):
            return _page(
                "said", 403, title="Not done", text="This form is old or not of this page. Go back, reload, and press again."
            )
        return await run_in_threadpool(
            _told, lambda _, v: _do(desk, opened(), number, deed, given, v, as_json=plain), request, visitor
        )

    made.add_api_route("/static/{name}", static, methods=["GET"])
    made.add_api_route("/login", enter, methods=["POST"])
    made.add_api_route("/logout", leave, methods=["POST"])
    made.add_api_route("/", guarded(lambda _, v: _list(desk, opened(), v)), methods=["GET"])
    made.add_api_route("/incidents/{number}.json", guarded(lambda r, _: _json(desk, opened(), _number(r), r)), methods=["GET"])
    made.add_api_route("/incidents/{number}/charts", guarded(lambda r, _: _charts(desk, opened(), _number(r))), methods=["GET"])
    made.add_api_route("/incidents/{number}", guarded(lambda r, v: _one(desk, opened(), _number(r), r, v)), methods=["GET"])
    made.add_api_route("/incidents/{number}/{deed}", act, methods=["POST"])
    return made


def _list(desk: Desk, log: Log, visitor: access.Visitor) -> Response:
    now = desk.clock()
    rows = []
    for one in reversed(store.incidents(log)[-LISTED:]):
        # Of a closed one the row says enough.
        events = store.events(log, one.id) if one.closed is None else ()
        last = events[-1] if events else None
        rows.append({"id": one.id, "open": one.closed is None, "sev": one.sev, "target": one.target, "opened": one.opened,
                     "closed": one.closed, "owner": owned_by(desk.config, one, events), "last": last})  # fmt: skip
    return _page("list", 200, rows=rows, now=now, visitor=visitor)


def _one(desk: Desk, log: Log, number: int, request: Request, visitor: access.Visitor) -> Response:
    facts = _facts(desk, log, number)
    tag = _tag(facts, visitor.form)
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={**html.HEADERS, "ETag": tag})
    return _page("incident", 200, {"ETag": tag}, **facts, visitor=visitor)


def _json(desk: Desk, log: Log, number: int, request: Request) -> Response:
    facts = _facts(desk, log, number)
    tag = _tag(facts, "json")
    headers = {**html.HEADERS, "ETag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return JSONResponse(facts, headers=headers)


def _charts(desk: Desk, log: Log, number: int) -> Response:
    incident, events = _found(log, number)
    slo = selectors.slo_named(incident.target.slo, desk.config.slos)
    chart = sli.gather(desk.sources().prometheus, slo, incident, events, desk.clock())
    return _page("charts", 200, chart=chart, drawing=svg.drawing(chart), incident=incident.id, target=incident.target)


def _do(
    desk: Desk, log: Log, number: int, deed: str, given: Mapping[str, str], visitor: access.Visitor, *, as_json: bool
) -> Response:
    by = clean(given.get("by", "") or visitor.name, 100)
    incident, events = _found(log, number)
    event = acts.act(log, incident, events, deed, by, given.get("text", ""), desk.clock())
    if as_json:
        return JSONResponse({"incident": number, "event": event.seq, "text": event.text}, headers=html.HEADERS)
    return RedirectResponse(f"/incidents/{number}", 303, headers=html.HEADERS)


def _facts(desk: Desk, log: Log, number: int) -> dict[str, Any]:
    incident, events = _found(log, number)
    now = desk.clock()
    return view(
        desk.config,
        incident,
        events,
        clocks.of_sev(incident, events, now),
        clocks.of_law(incident, events, desk.config.incidents.law, now),
        now,
    )


class _Nothing(Exception):
    """There is no such incident."""


def _found(log: Log, number: int) -> tuple[Incident, tuple[Event, ...]]:
    incident = next((i for i in store.incidents(log) if i.id == number), None)
    if incident is None:
        raise _Nothing(f"There is no incident {number}.")
    return incident, store.events(log, number)


def _told(work: Callable[[Request, access.Visitor], Response], request: Request, visitor: access.Visitor) -> Response:
    try:
        return work(request, visitor)
    except _Nothing as error:
        status, title, text = 404, "Nothing here", str(error)
    except BadInput as error:
        status, title, text = 422, "Not done", str(error)
    except Failed as error:
        status, title, text = 503, "The log cannot be read", str(error)
    if request.headers.get("content-type", "").startswith("application/json") or request.url.path.endswith(".json"):
        return JSONResponse({"error": text}, status, html.HEADERS)
    return _page("said", status, title=title, text=text)


def _stranger(door: access.Door, request: Request) -> Response:
    if door.file is None:
        return _page(
            "said",
            403,
            title="Not from there",
            text="Without a token file this page answers its own machine alone: open it as localhost.",
        )
    wanted = request.headers.get("accept", "")
    if request.method == "GET" and "text/html" in wanted and "authorization" not in request.headers:
        return _page("login", 401, wrong=False, to=_inside(request.url.path), name="")
    return JSONResponse(
        {"error": "a bearer token of the token file is wanted"}, 401, {**html.HEADERS, "WWW-Authenticate": "Bearer"}
    )


def _visitor(door: access.Door, request: Request, now: float) -> access.Visitor | None:
    asked = request.headers
    return door.visitor(asked.get("host", ""), asked.get("authorization", ""), request.cookies.get(access.COOKIE, ""), now)


def _number(request: Request) -> int:
    text = str(request.path_params["number"])
    if not text.isascii() or not text.isdecimal() or len(text) > 9:
        raise _Nothing("There is no such incident.")
    return int(text)


async def _body(request: Request) -> dict[str, str] | None:
    """What a form or JSON says, nothing of what is too long or neither, and None where it did not come in time."""
    content = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                content += part
                if len(content) > MOST_BODY:
                    return {}
    except TimeoutError:
        return None
    text = content.decode("utf-8", "replace")
    if request.headers.get("content-type", "").startswith("application/json"):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            return {}
        return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}
    return {name: values[-1] for name, values in parse_qs(text, max_num_fields=20).items()} if text.count("&") < 20 else {}


def _late() -> Response:
    return _page(
        "said",
        408,
        {"Connection": "close"},
        title="Not done",
        text=f"The form was not whole within {BODY_SECONDS:g} s. Send it again.",
    )


def _inside(path: str) -> str:
    # Never another site, also where a browser takes a backslash for a slash.
    return path if path.startswith("/incidents/") and "\\" not in path and path.isprintable() else "/"


def _secure(desk: Desk) -> bool:
    return desk.config.incidents.serve.url.startswith("https://")


def _tag(facts: Mapping[str, Any], whose: str) -> str:
    # What a second changes is counted down in the browser; what a clock's end changes is in its state.
    kept = {
        **facts,
        "now": 0,
        "clocks": _still(facts["clocks"]),
        "law": [_still(facts["law"][part]) for part in ("running", "waiting")],
    }
    return f'"{hashlib.sha256(json.dumps([kept, whose], sort_keys=True, default=str).encode()).hexdigest()[:32]}"'


def _still(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "left": 0} for row in rows]


def _page(template: str, status: int, more: Mapping[str, str] | None = None, **context: Any) -> Response:
    return HTMLResponse(html.page(template, **context), status, {**html.HEADERS, **(more or {})})
