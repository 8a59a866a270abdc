"""A local server that speaks the OpenAI chat-completions contract, with a model alias that can be moved to another model.

`python -m truegreen.demo.world.provider --port N`. Moving the alias: `POST /admin/alias {"alias": ..., "model": ...}`; errors on demand:
`POST /admin/fault {"status": 500, "count": 3}`, slowness: `POST /admin/slow {"model": ..., "share": 0.4, "seconds": 4}`; counts: `GET /admin/state`. What it announces, as a JSON feed: `GET /changelog.json`.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from random import Random
from typing import Any, Final

import click
from aiohttp import web

from truegreen.demo.world import serve, speech

ALIAS: Final = "support-large"
FAITHFUL: Final = "support-large-0613"
CARELESS: Final = "support-large-1106"
SPARE: Final = "support-small-0301"
"""Another faithful model, for when the first one is slow."""
FINGERPRINTS: Final = {FAITHFUL: "fp_5c1d0e613a", CARELESS: "fp_9e7b41106b", SPARE: "fp_2a40c0301d"}
IGNORES: Final = 0.54
"""The share of requests in which the careless model does not look at the passages."""
_BORN: Final = {FAITHFUL: 1686588896, CARELESS: 1698957206, SPARE: 1709251200}
_ANNOUNCED_DAYS: Final = 10
_STOPS_DAYS: Final = 60
_SLOWEST: Final = 60
_KINDS: Final = {401: "invalid_request_error", 429: "rate_limit_error"}


@dataclass
class State:
    """What the running server remembers: aliases, how often a model was asked what, faults to come. Texts only as digests."""

    seed: int
    latency: float
    jitter: float
    aliases: dict[str, str] = field(default_factory=lambda: {ALIAS: FAITHFUL})
    asked: Counter[tuple[str, bytes]] = field(default_factory=Counter)
    served: Counter[str] = field(default_factory=Counter)
    fault_status: int = 500
    fault_count: int = 0
    slow_model: str = ""
    slow_share: float = 0.0
    slow_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """One completion: the served model, its text, and how long it takes in seconds."""

    model: str
    text: str
    prompt_tokens: int
    seconds: float
    key: str


_STATE: Final = web.AppKey("state", State)


def application(seed: int = 7, latency: float = 0.004, jitter: float = 0.006) -> web.Application:
    """The server.

    Args:
        seed: of all variety; equal requests in equal number get equal answers.
        latency: least seconds an answer takes.
        jitter: mean of the exponential share on top, in seconds; the same for both models.
    """
    app = web.Application(client_max_size=8 * 2**20)
    app[_STATE] = State(seed, latency, jitter)
    app.add_routes([
        web.post("/v1/chat/completions", _chat),
        web.get("/v1/models", _models),
        web.get("/v1/models/{model}", _model),
        web.post("/admin/alias", _alias),
        web.post("/admin/fault", _fault),
        web.post("/admin/slow", _slow),
        web.get("/admin/state", _state),
        web.get("/changelog.json", _changelog),
        web.route("*", "/v1/{rest:.*}", _unknown),
    ])  # fmt: skip
    return app


def changelog(now: float) -> dict[str, Any]:
    """The provider's JSON feed: what it said ten days ago of a model that stops in two months. Of moving an alias it says nothing."""
    said, stops = (datetime.fromtimestamp(now + days * 86_400, UTC) for days in (-_ANNOUNCED_DAYS, _STOPS_DAYS))
    title = f"{FAITHFUL} will be retired on {stops:%Y-%m-%d}"
    item = {"id": f"retire-{FAITHFUL}", "title": title, "content_text": title, "date_published": said.isoformat()}
    return {"version": "https://jsonfeed.org/version/1.1", "title": "Model changes", "items": [
        {**item, "_truegreen": {"models": [FAITHFUL], "retires": f"{stops:%Y-%m-%d}"}}]}  # fmt: skip


def answer(state: State, served: str, messages: list[Mapping[str, Any]]) -> Answer:
    """Let a model answer; the random numbers depend on the seed, the model, the question and how often it was asked, nothing else."""
    request = speech.read(messages)
    question = sha256(request.question.encode()).digest()
    state.asked[served, question] += 1
    state.served[served] += 1
    key = f"{state.seed}/{served}/{question.hex()}/{state.asked[served, question]}"
    random = Random(key)
    seconds = state.latency + min(random.expovariate(1.0), 5.0) * state.jitter
    ignores = not request.obey or not request.passages or (served == CARELESS and random.random() < IGNORES)
    text = speech.from_memory(request, speech.memory(), random) if ignores else speech.from_passages(request, random)
    if served == state.slow_model and random.random() < state.slow_share:
        seconds += state.slow_seconds
    prompt = sum(_tokens(str(m.get("content", ""))) + 4 for m in messages)
    return Answer(served, text, prompt, seconds, sha256(key.encode()).hexdigest()[:24])


async def _chat(request: web.Request) -> web.StreamResponse:
    state = request.app[_STATE]
    refused = _refused(request)
    if refused is not None:
        return refused
    data = await serve.body(request)
    if not isinstance(data, dict):
        return _error(400, "We could not parse the JSON body of your request.")
    messages = data.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(m, dict) and m.get("role") for m in messages):
        return _error(400, "Missing required parameter: 'messages'.", param="messages", code="missing_required_parameter")
    wanted = data.get("model")
    served = state.aliases.get(str(wanted), str(wanted))
    if served not in FINGERPRINTS:
        return _error(404, f"The model `{wanted}` does not exist or you do not have access to it.", code="model_not_found")
    made = answer(state, served, messages)
    if data.get("stream"):
        return await _stream(request, made, bool((data.get("stream_options") or {}).get("include_usage")))
    await asyncio.sleep(made.seconds)
    return web.json_response({
        **_head(made, "chat.completion"),
        "choices": [{
            "index": 0,
            "message": {"role": "assistant", "content": made.text, "refusal": None, "annotations": []},
            "logprobs": None,
            "finish_reason": "stop",
        }],
        "usage": _usage(made),
    })  # fmt: skip


async def _stream(request: web.Request, made: Answer, usage: bool) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache"})
    await response.prepare(request)
    words = made.text.split(" ")
    pieces = [" ".join(words[i : i + 3]) + (" " if i + 3 < len(words) else "") for i in range(0, len(words), 3)]
    head = _head(made, "chat.completion.chunk")
    deltas: list[tuple[dict[str, Any], str | None]] = [({"role": "assistant", "content": "", "refusal": None}, None)]
    deltas += [({"content": piece}, None) for piece in pieces]
    deltas += [({}, "stop")]
    for delta, reason in deltas:
        choices = [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]
        await response.write(_event({**head, "choices": choices, **({"usage": None} if usage else {})}))
        await asyncio.sleep(made.seconds / len(deltas))
    if usage:
        await response.write(_event({**head, "choices": [], "usage": _usage(made)}))
    await response.write(b"data: [DONE]\n\n")
    await response.write_eof()
    return response


async def _models(request: web.Request) -> web.Response:
    names = [*request.app[_STATE].aliases, *FINGERPRINTS]
    return _refused(request) or web.json_response({"object": "list", "data": [_model_entry(name) for name in names]})


async def _model(request: web.Request) -> web.Response:
    name = request.match_info["model"]
    if name not in (*request.app[_STATE].aliases, *FINGERPRINTS):
        return _error(404, f"The model '{name}' does not exist", param="model", code="model_not_found")
    return _refused(request) or web.json_response(_model_entry(name))


async def _alias(request: web.Request) -> web.Response:
    data = await serve.body(request)
    if not isinstance(data, dict) or data.get("model") not in FINGERPRINTS or not isinstance(data.get("alias"), str):
        return _error(400, f'write {{"alias": "{ALIAS}", "model": one of {", ".join(FINGERPRINTS)}}}')
    request.app[_STATE].aliases[data["alias"]] = data["model"]
    return web.json_response(request.app[_STATE].aliases)


async def _fault(request: web.Request) -> web.Response:
    data = await serve.body(request)
    status, count = (data.get("status"), data.get("count", 1)) if isinstance(data, dict) else (None, None)
    if not isinstance(status, int) or not 400 <= status <= 599 or not isinstance(count, int) or count < 0:
        return _error(400, 'write {"status": 400 to 599, "count": a whole number}')
    state = request.app[_STATE]
    state.fault_status, state.fault_count = status, count
    return web.json_response({"status": status, "count": count})


async def _slow(request: web.Request) -> web.Response:
    data = await serve.body(request)
    asked = data if isinstance(data, dict) else {}
    try:
        model, share, seconds = str(asked["model"]), float(asked["share"]), float(asked["seconds"])
    except (KeyError, TypeError, ValueError):
        model, share, seconds = "", -1.0, -1.0
    if model not in FINGERPRINTS or not 0 <= share <= 1 or not 0 <= seconds <= _SLOWEST:
        return _error(400, f'write {{"model": one of ours, "share": 0 to 1, "seconds": 0 to {_SLOWEST}}}')
    state = request.app[_STATE]
    state.slow_model, state.slow_share, state.slow_seconds = model, share, seconds
    return web.json_response({"model": model, "share": share, "seconds": seconds})


async def _changelog(_: web.Request) -> web.Response:
    return web.json_response(changelog(time.time()))


async def _state(request: web.Request) -> web.Response:
    state = request.app[_STATE]
    return web.json_response({"aliases": state.aliases, "served": dict(state.served)})


async def _unknown(request: web.Request) -> web.Response:
    return _error(404, f"Invalid URL ({request.method} {request.path})")


def _refused(request: web.Request) -> web.Response | None:
    state = request.app[_STATE]
    if not request.headers.get("Authorization", "").startswith("Bearer "):
        return _error(401, "You didn't provide an API key.", code="invalid_api_key")
    if state.fault_count > 0:
        state.fault_count -= 1
        return _error(state.fault_status, "The server had an error while processing your request.")
    return None


def _error(status: int, message: str, param: str | None = None, code: str | None = None) -> web.Response:
    kind = _KINDS.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return web.json_response({"error": {"message": message, "type": kind, "param": param, "code": code}}, status=status)


def _head(made: Answer, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{made.key}",
        "object": kind,
        "created": int(time.time()),
        "model": made.model,
        "service_tier": "default",
        "system_fingerprint": FINGERPRINTS[made.model],
    }


def _usage(made: Answer) -> dict[str, Any]:
    out = _tokens(made.text)
    return {
        "prompt_tokens": made.prompt_tokens,
        "completion_tokens": out,
        "total_tokens": made.prompt_tokens + out,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def _model_entry(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": _BORN.get(name, _BORN[FAITHFUL]), "owned_by": "demo"}


def _event(data: Mapping[str, Any]) -> bytes:
    return b"data: " + json.dumps(data, separators=(",", ":")).encode() + b"\n\n"


def _tokens(text: str) -> int:
    return max(1, round(len(text) / 4))


@click.command()
@click.option("--port", type=int, required=True, help="Port to listen on; 0 lets the system choose.")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--seed", default=7, show_default=True, help="Seed of the answers' variety.")
@click.option("--latency-ms", default=4.0, show_default=True, help="Least time an answer takes.")
@click.option("--jitter-ms", default=6.0, show_default=True, help="Mean of the random time on top.")
def main(port: int, host: str, seed: int, latency_ms: float, jitter_ms: float) -> None:
    """Serve the OpenAI chat-completions contract with the demo's two models."""
    serve.run(application(seed, latency_ms / 1000, jitter_ms / 1000), "provider", host, port)


if __name__ == "__main__":
    main()
