"""The application: five addresses to post to, the page that explains them, health and counters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, FastAPI, Header
from fastapi import Request as HttpRequest
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException

from truegreen.evaluation.server import bodies, metrics, model, page
from truegreen.evaluation.server.access import Tokens
from truegreen.evaluation.server.bodies import Accepted, Problem
from truegreen.evaluation.server.delivery import Health
from truegreen.evaluation.server.gate import Gate, Refused
from truegreen.evaluation.server.taking import Request, Taking

TOLD: Final = 10
"""So many problems of a body are told."""
TITLE: Final = "truegreen sampling endpoint"
_ABOUT: Final = "For systems that make no spans. What is accepted waits in memory, is judged here and leaves as OTLP; texts stay in this process."
_ROUTES: Final[tuple[tuple[str, str, Any, str], ...]] = (
    ("/v1/samples", model.SAMPLE, bodies.Samples, "Answers of a model, to be judged"),
    ("/v1/feedback", model.FEEDBACK, bodies.FeedbackBatch, "What users said of answers"),
    ("/v1/escalations", model.ESCALATION, bodies.Escalations, "Where a person took over"),
    ("/v1/downstream", model.DOWNSTREAM, bodies.DownstreamBatch, "Whether records made of answers were valid"),
    ("/v1/guardrail-reviews", model.REVIEW, bodies.Reviews, "Whether guardrails decided rightly"),
)
_SAID: Final = {
    400: "The body is not whole",
    401: "The token is missing or unknown",
    403: "The Host header names another machine",
    408: "The body came too slowly",
    409: "The Idempotency-Key was used for another request",
    413: "Body or batch too large",
    415: "Not plain JSON",
    422: "A key is wrong, or too many services were seen",
    429: "This token sends too fast; Retry-After says how long to wait",
    500: "This server failed; nothing was taken",
    503: "As much waits as may; Retry-After says how long to wait",
}
_RETRY: Final = {"Retry-After": {"description": "seconds", "schema": {"type": "integer"}}}
_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": Problem, "description": said, **({"headers": _RETRY} if status in (429, 503) else {})}
    for status, said in _SAID.items()
}


def made(
    taking: Taking,
    health: Health,
    *,
    tokens: Tokens | None = None,
    verdicts: Callable[[], int] = lambda: 0,
    routers: Sequence[APIRouter] = (),
    limits: Mapping[str, Any] | None = None,
) -> Gate:
    """The whole application, behind its gate.

    Args:
        taking: takes what is posted.
        health: of the delivery.
        tokens: who may send; None for everybody on this machine.
        verdicts: how many verdicts left as events of their own.
        routers: more addresses, which look after their own senders.
        limits: of `Gate`, where they are not the default.
    """
    refused: Counter[str] = Counter()
    app = FastAPI(title=TITLE, version="1", description=_ABOUT, docs_url=None, redoc_url=None)
    known = [Depends(HTTPBearer(auto_error=False))] if tokens else []
    for path, kind, body, summary in _ROUTES:
        app.post(path, status_code=202, summary=summary, responses=_RESPONSES, response_model=Accepted, dependencies=known)(
            _endpoint(kind, body, taking)
        )
    for router in routers:
        app.include_router(router)
    _pages(app, taking, health, refused, verdicts, tokens)
    _errors(app, refused)
    own = frozenset(getattr(route, "path", "") for router in routers for route in router.routes)
    return Gate(app, tokens, refused, own=own, **(limits or {}))


def _endpoint(kind: str, body: Any, taking: Taking) -> Callable[..., Any]:
    async def endpoint(
        batch: Any,
        request: HttpRequest,
        idempotency_key: Annotated[
            str | None,
            Header(
                min_length=1, max_length=200, description="Sent again with the same key, a request is counted once (for a day)"
            ),
        ] = None,
    ) -> Response:
        state = request.state
        answer, before = taking.take(kind, batch, Request(state.who, idempotency_key or "", state.digest, state.size))
        headers = {"Idempotency-Replayed": "true"} if before else {}
        return Response(answer.model_dump_json(), 202, headers, "application/json")

    endpoint.__annotations__.update(batch=body, request=HttpRequest)
    endpoint.__name__ = kind
    endpoint.__doc__ = body.__doc__
    return endpoint


def _pages(
    app: FastAPI, taking: Taking, health: Health, refused: Counter[str], verdicts: Callable[[], int], tokens: Tokens | None
) -> None:
    waiting = taking.waiting

    @app.get("/", include_in_schema=False)
    @app.get("/docs", include_in_schema=False)
    async def docs(request: HttpRequest) -> Response:
        return HTMLResponse(page.html(app.openapi(), str(request.base_url), guarded=tokens is not None), headers=page.HEADERS)

    @app.get("/metrics", include_in_schema=False)
    async def counters() -> Response:
        return Response(
            metrics.text(waiting, health, refused, verdicts(), stale=bool(tokens and tokens.stale)),
            media_type=metrics.CONTENT_TYPE,
        )

    @app.get("/healthz", include_in_schema=False)
    async def alive() -> Response:
        well = taking.alive() or waiting.closed
        return JSONResponse({"status": "ok" if well else "nobody works on what waits"}, 200 if well else 503)

    @app.get("/readyz", include_in_schema=False)
    async def ready() -> Response:
        takes = taking.alive() and not waiting.closed and waiting.held < waiting.limit
        said = {"ready": takes, "waiting": waiting.held, "limit": waiting.limit, "endpoint": health.why or "ok"}
        return JSONResponse(said, 200 if takes else 503)


def _errors(app: FastAPI, refused: Counter[str]) -> None:
    @app.exception_handler(Refused)
    async def not_taken(_: HttpRequest, error: Refused) -> Response:
        refused[error.reason] += 1
        return error.answer()

    @app.exception_handler(RequestValidationError)
    async def wrong(_: HttpRequest, error: RequestValidationError) -> Response:
        refused["body"] += 1
        found = error.errors()
        told = [_told(one) for one in found[:TOLD]] + ([f"{len(found)} problems in all"] if len(found) > TOLD else [])
        return Refused(422, "body", "the body, or a header, is not as /docs says").answer(told)

    @app.exception_handler(HTTPException)
    async def other(_: HttpRequest, error: HTTPException) -> Response:
        if error.status_code == 400:  # what FastAPI says of a body that it cannot parse
            refused["body"] += 1
            return Refused(422, "body", "the body is not JSON").answer()
        said = {404: "there is no such page; see /docs", 405: "this address does not take that method; see /docs"}
        answer = Refused(error.status_code, "", said.get(error.status_code, "see /docs")).answer()
        answer.headers.update(error.headers or {})
        return answer


def _told(problem: Mapping[str, Any]) -> str:
    """Where and what, without the value: a body's texts are not repeated to anybody."""
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem["loc"]).lstrip(".")
    said = str(problem["msg"]) if problem["type"] != "json_invalid" else "no JSON from this character on"
    return f"{where}: {said}"[:300]
