"""A local server that speaks the part of the Langfuse public API that the demo needs: prompts, labels, projects, scores, traces.

`python -m truegreen.demo.world.prompts --port N`. Keys come from LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY. Errors on demand:
`POST /admin/fault {"status": 500, "count": 3}`; counts: `GET /admin/state`.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

import click
from aiohttp import web

from truegreen.demo.world import serve, templates

PUBLIC_KEY: Final = "pk-lf-demo"
SECRET_KEY: Final = "sk-lf-demo"
PRODUCTION: Final = "production"
LATEST: Final = "latest"
_NAMES: Final = {
    400: "InvalidRequestError", 401: "UnauthorizedError", 403: "ForbiddenError", 404: "LangfuseNotFoundError",
    405: "MethodNotAllowedError", 409: "LangfuseConflictError", 429: "TooManyRequestsError",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Version:
    """One immutable version of a prompt; only its labels move."""

    name: str
    version: int
    kind: str
    prompt: Any
    labels: frozenset[str]
    config: Any = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    message: str | None = None
    updated: str = "2024-01-01T00:00:00.000Z"


@dataclass
class State:
    """What the running server holds."""

    public_key: str
    secret_key: str
    prompts: dict[str, list[Version]]
    fault_status: int = 500
    fault_count: int = 0
    scores: int = 0
    exports: int = 0
    exported_bytes: int = 0


class Refused(Exception):
    """A request that is answered with an error in Langfuse's form."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


_STATE: Final = web.AppKey("state", State)


def seeded() -> dict[str, list[Version]]:
    """The prompt as the shop's team left it: three versions, the second in production."""
    made = [
        Version(templates.NAME, number, "text", text, frozenset(), {"temperature": 0.2}, ("support",), message)
        for number, (text, message) in enumerate(templates.VERSIONS, start=1)
    ]
    return {templates.NAME: relabelled(relabelled(made, 2, {PRODUCTION}), len(made), {LATEST})}


def relabelled(versions: list[Version], number: int, labels: set[str]) -> list[Version]:
    """Give a version more labels; a label stands on one version only, so the others lose them."""
    return [replace(v, labels=v.labels | labels if v.version == number else v.labels - labels) for v in versions]


def application(public_key: str = PUBLIC_KEY, secret_key: str = SECRET_KEY) -> web.Application:
    """The server, with the demo's prompt in it."""
    app = web.Application(middlewares=[_guarded], client_max_size=16 * 2**20)
    app[_STATE] = State(public_key, secret_key, seeded())
    app.add_routes([
        web.get("/api/public/v2/prompts", _list),
        web.post("/api/public/v2/prompts", _create),
        web.get("/api/public/v2/prompts/{name}", _get),
        web.patch("/api/public/v2/prompts/{name}/versions/{version}", _update),
        web.get("/api/public/projects", _projects),
        web.get("/api/public/health", _health),
        web.post("/api/public/scores", _scores),
        web.post("/api/public/otel/v1/traces", _traces),
        web.post("/admin/fault", _fault),
        web.get("/admin/state", _state),
    ])  # fmt: skip
    return app


@web.middleware
async def _guarded(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
    state = request.app[_STATE]
    try:
        if request.path.startswith("/api/public/") and request.path != "/api/public/health":
            _check(request, state)
        return await handler(request)
    except Refused as error:
        return _error(error.status, str(error))
    except web.HTTPException as error:
        return _error(error.status, error.reason)


def _check(request: web.Request, state: State) -> None:
    user, password = (part.encode() for part in serve.basic(request.headers))
    known = hmac.compare_digest(user, state.public_key.encode()) & hmac.compare_digest(password, state.secret_key.encode())
    if not known:
        raise Refused(401, "Invalid credentials. Confirm that you've configured the correct host.")
    if state.fault_count > 0:
        state.fault_count -= 1
        raise Refused(state.fault_status, "Fault on demand")


async def _get(request: web.Request) -> web.Response:
    name = request.match_info["name"]
    label, number = request.query.get("label"), request.query.get("version")
    if label and number:
        raise Refused(400, "Cannot specify both version and label")
    versions = request.app[_STATE].prompts.get(name, [])
    if number is not None:
        found = [v for v in versions if v.version == _number(number)]
        sought = f"version {number}"
    else:
        found = [v for v in versions if (label or PRODUCTION) in v.labels]
        sought = f"label '{label or PRODUCTION}'"
    if not found:
        raise Refused(404, f"Prompt not found: '{name}' with {sought}")
    return web.json_response(_reply(found[0]))


async def _list(request: web.Request) -> web.Response:
    name, label, tag = (request.query.get(key) for key in ("name", "label", "tag"))
    page, limit = _number(request.query.get("page", "1")), _number(request.query.get("limit", "10"))
    rows = [
        _meta(versions)
        for key, versions in sorted(request.app[_STATE].prompts.items())
        if (not name or key == name)
        and (not label or any(label in v.labels for v in versions))
        and (not tag or tag in versions[-1].tags)
    ]
    meta = {"page": page, "limit": limit, "totalItems": len(rows), "totalPages": -(-len(rows) // max(1, limit))}
    return web.json_response({"data": rows[(page - 1) * limit : page * limit], "meta": meta})


async def _create(request: web.Request) -> web.Response:
    data = await _object(request)
    name, prompt, labels = data.get("name"), data.get("prompt"), data.get("labels") or []
    kind = data.get("type") or "text"
    if not isinstance(name, str) or not name or not isinstance(prompt, list if kind == "chat" else str):
        raise Refused(400, "Invalid request data: name and prompt are needed; a chat prompt is a list, a text prompt a string")
    _check_labels(labels)
    prompts = request.app[_STATE].prompts
    versions = prompts.get(name, [])
    if versions and versions[-1].kind != kind:
        raise Refused(400, "Previous versions have different prompt type. Create a new prompt with a different name.")
    tags = tuple(data.get("tags") or (versions[-1].tags if versions else ()))
    made = Version(
        name, len(versions) + 1, kind, prompt, frozenset(), data.get("config") or {}, tags, data.get("commitMessage"), _now()
    )
    prompts[name] = relabelled([*versions, made], made.version, {*labels, LATEST})
    return web.json_response(_reply(prompts[name][-1]), status=201)


async def _update(request: web.Request) -> web.Response:
    name, number = request.match_info["name"], _number(request.match_info["version"])
    data = await _object(request)
    labels = data.get("newLabels")
    _check_labels(labels)
    prompts = request.app[_STATE].prompts
    if not any(v.version == number for v in prompts.get(name, [])):
        raise Refused(404, f"Prompt not found: {name}")
    prompts[name] = [
        replace(v, updated=_now()) if v.version == number else v for v in relabelled(prompts[name], number, set(labels or ()))
    ]
    return web.json_response(_reply(prompts[name][number - 1]))


async def _projects(_: web.Request) -> web.Response:
    project = {
        "id": "demo",
        "name": "demo",
        "organization": {"id": "demo", "name": "demo"},
        "metadata": {},
        "retentionDays": None,
    }
    return web.json_response({"data": [project]})


async def _health(_: web.Request) -> web.Response:
    return web.json_response({"status": "OK", "version": "contract"})


async def _scores(request: web.Request) -> web.Response:
    data = await serve.body(request)
    if not isinstance(data, list) or not all(isinstance(s, dict) and s.get("name") and "value" in s for s in data):
        raise Refused(400, "Invalid request data: a list of scores, each with name and value, is needed")
    request.app[_STATE].scores += len(data)
    return web.json_response({"message": "Accepted"}, status=202)


async def _traces(request: web.Request) -> web.Response:
    state = request.app[_STATE]
    state.exports += 1
    state.exported_bytes += len(await request.read())
    return web.Response(body=b"", content_type="application/x-protobuf")


async def _fault(request: web.Request) -> web.Response:
    data = await _object(request)
    status, count = data.get("status"), data.get("count", 1)
    if not isinstance(status, int) or not 400 <= status <= 599 or not isinstance(count, int) or count < 0:
        raise Refused(400, 'write {"status": 400 to 599, "count": a whole number}')
    request.app[_STATE].fault_status, request.app[_STATE].fault_count = status, count
    return web.json_response({"status": status, "count": count})


async def _state(request: web.Request) -> web.Response:
    state = request.app[_STATE]
    labels = {name: {label: v.version for v in versions for label in v.labels} for name, versions in state.prompts.items()}
    return web.json_response({
        "labels": labels, "scores": state.scores, "exports": state.exports, "exported_bytes": state.exported_bytes,
    })  # fmt: skip


async def _object(request: web.Request) -> dict[str, Any]:
    data = await serve.body(request)
    if not isinstance(data, dict):
        raise Refused(400, "Invalid request data: a JSON object is needed")
    return data


def _check_labels(labels: Any) -> None:
    if not isinstance(labels, list) or not all(isinstance(label, str) and label for label in labels):
        raise Refused(400, "Invalid request data: labels must be a list of texts")
    if LATEST in labels:
        raise Refused(400, "Label 'latest' is reserved and managed by Langfuse")


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise Refused(400, f"Invalid request data: {text!r} is not a whole number of at least 1")
    return int(text)


def _reply(v: Version) -> Mapping[str, Any]:
    return {
        "id": f"{v.name}-{v.version}", "name": v.name, "version": v.version, "type": v.kind, "prompt": v.prompt, "config": v.config,
        "labels": sorted(v.labels), "tags": list(v.tags), "commitMessage": v.message, "updatedAt": v.updated,
    }  # fmt: skip


def _meta(versions: list[Version]) -> Mapping[str, Any]:
    return {
        "name": versions[0].name, "type": versions[-1].kind, "versions": [v.version for v in versions],
        "labels": sorted({label for v in versions for label in v.labels}), "tags": list(versions[-1].tags),
        "lastUpdatedAt": max(v.updated for v in versions), "lastConfig": versions[-1].config,
    }  # fmt: skip


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"message": message, "error": _NAMES.get(status, "InternalServerError")}, status=status)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@click.command()
@click.option("--port", type=int, required=True, help="Port to listen on; 0 lets the system choose.")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--public-key", envvar="LANGFUSE_PUBLIC_KEY", default=PUBLIC_KEY, show_default=True)
@click.option("--secret-key", envvar="LANGFUSE_SECRET_KEY", default=SECRET_KEY)
def main(port: int, host: str, public_key: str, secret_key: str) -> None:
    """Serve the Langfuse prompt contract with the demo's prompt."""
    serve.run(application(public_key, secret_key), "prompts", host, port)


if __name__ == "__main__":
    main()
