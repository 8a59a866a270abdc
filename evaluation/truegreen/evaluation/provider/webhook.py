"""The webhook by which a provider, or whoever watches it, reports a change: a router for the application of `truegreen evaluator serve`."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from truegreen.core.errors import BadInput, Failed
from truegreen.evaluation.provider import feeds, screen, signature, store

LARGEST: Final = 65_536
"""Bytes of one message."""
PATH: Final = "/v1/provider-changes"
EXAMPLE: Final = {
    "provider": "openai",
    "items": [{
        "id": "2026-01-deprecations", "title": "gpt-4-0613 will be shut down", "url": "https://example.com/changelog",
        "date_published": "2026-01-15T00:00:00Z", "content_text": "gpt-4-0613 will be shut down on June 6, 2026.",
        feeds.OURS: {"models": ["gpt-4-0613"], "retires": "2026-06-06"},
    }],
}  # fmt: skip
_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {
            "schema": {"type": "object", "required": ["items"], "properties": {
                "provider": {"type": "string", "description": "whose changes they are"},
                "items": {"type": "array", "minItems": 1, "items": {"type": "object"}, "description": "as in a JSON Feed (jsonfeed.org)"}}},
            "example": EXAMPLE,
        }},
    },
    "parameters": [
        {"name": name, "in": "header", "required": True, "schema": {"type": "string"}}
        for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
    ],
}  # fmt: skip


def router(changes: Path, secret_file: Path, clock: Callable[[], float] = time.time) -> APIRouter:
    """`POST /v1/provider-changes`: items of a JSON Feed, signed by the Standard Webhooks specification, into the file of changes.

    A message that came before changes nothing (entries have ids of their own), so that a replay within the five minutes is harmless.

    Args:
        changes: the file that `truegreen provider changes` writes.
        secret_file: one `whsec_…` a line; read for each message, so that a new secret needs no restart.
        clock: unix seconds.

    Raises:
        BadInput: the secret's file cannot be read.
    """
    signature.secrets(secret_file)
    made = APIRouter()

    @made.post(
        PATH, summary="Changes of a provider", openapi_extra=_BODY, status_code=200,
        responses={400: {"description": "No items of a JSON Feed."}, 401: {"description": "The signature does not fit."},
                   413: {"description": f"Over {LARGEST} bytes."}, 503: {"description": "It cannot be written now."}},
    )  # fmt: skip
    async def report(request: Request) -> JSONResponse:
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > LARGEST:
                return _said(413, f"found over {LARGEST} bytes; send fewer items at once")
        headers = request.headers
        try:
            keys = await run_in_threadpool(signature.secrets, secret_file)
        except BadInput:
            return _said(503, "the webhook's secret cannot be read", {"Retry-After": "60"})
        wrong = signature.refusal(
            keys, headers.get("webhook-id", ""), headers.get("webhook-timestamp", ""), headers.get("webhook-signature", ""),
            bytes(body), clock(),
        )  # fmt: skip
        if wrong:
            return _said(401, wrong)
        try:
            new, kept = await run_in_threadpool(_taken, bytes(body), changes, clock())
        except BadInput as error:
            return _said(400, str(error))
        except (Failed, _Unwritable):
            return _said(503, "the file of changes cannot be written", {"Retry-After": "60"})
        return JSONResponse({"new": new, "kept": kept})

    return made


class _Unwritable(Exception):
    pass


def _taken(body: bytes, changes: Path, now: float) -> tuple[int, int]:
    text = screen.text_of(body, "body")
    entries = feeds.of_json(text, _provider(text), "webhook", now)
    if not entries:
        raise BadInput("body: items: found none, send at least one")
    try:
        new, kept = store.merge(changes, entries, now)
    except BadInput as error:  # the file's fault, not the sender's
        raise _Unwritable from error
    return len(new), kept


def _provider(text: str) -> str:
    import json

    try:
        data: Any = json.loads(text)
    except (ValueError, RecursionError):
        return "webhook"
    given = data.get("provider", "webhook") if isinstance(data, dict) else "webhook"
    name = feeds.line(given, 80) if isinstance(given, str) else ""
    if not name:
        raise BadInput("body: provider: found no text that can be shown, write a name such as openai or leave it out")
    return name


def _said(status: int, why: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": why}, status, headers)
