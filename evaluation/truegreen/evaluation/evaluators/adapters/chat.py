"""One question to a chat completions endpoint of OpenAI's contract: time-outs, retries, and why there was no answer.

The contract: https://platform.openai.com/docs/api-reference/chat. What was asked and answered is in no error and no notice.
"""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from truegreen.core.clients import http

PATH: Final = "/chat/completions"
BYTES: Final = 1_000_000
"""More than this of an answer is not read: it is `unreadable`."""
PAUSE: Final = 0.5
"""Seconds before the second attempt where the server names none, doubled for each one after it, give or take a quarter."""
AGAIN: Final = 60.0
"""Seconds for which nothing is asked after an answer that will be the same next time, such as a key that is not known."""
RETRIED: Final = frozenset({408, 409, 429, 500, 502, 503, 504})
NO_QUOTA: Final = "insufficient_quota"
"""The error code that OpenAI gives with 429 when there is no money left: it does not pass by waiting."""
_CODE: Final = re.compile(r"[a-z_]{1,60}")


class Unanswered(Exception):
    """Nothing that can be read came back.

    Args:
        reason: one of `terms.SKIP_REASONS`.
        says: what is wrong, for a person, where somebody has to do something; never a text of the call.
        hold: for so many seconds nothing is to be asked.
    """

    def __init__(self, reason: str, says: str = "", hold: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.says = says
        self.hold = hold


@dataclass(frozen=True, slots=True)
class Answered:
    """What came back: the text, the model that served, and the tokens that it cost."""

    text: str
    model: str
    tokens_in: int
    tokens_out: int


@dataclass(frozen=True, slots=True)
class Patience:
    """How long an answer is waited for.

    Args:
        timeout: seconds for one attempt, its whole body included.
        deadline: seconds for all attempts and the pauses between them.
        tries: attempts.
    """

    timeout: float = 10.0
    deadline: float = 25.0
    tries: int = 3
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)
    chance: Callable[[], float] = field(default=random.random, repr=False)


def ask(
    server: http.Server,
    body: Mapping[str, Any],
    patience: Patience,
    before: Callable[[], bool] = lambda: True,
    after: Callable[[Answered | None], None] = lambda _: None,
) -> Answered:
    """The answer to one request, tried again where another attempt may help.

    Args:
        before: called before each attempt; False where it may not be paid for.
        after: called with what an attempt cost, None where the server charges nothing for it; not at all where nobody knows.

    Raises:
        Unanswered: with the reason.
    """
    import httpx

    url = http.address(server, PATH)
    end = patience.clock() + patience.deadline
    with http.client(server) as client:
        for attempt in range(1, patience.tries + 1):
            if not before():
                raise Unanswered("budget")
            pause = PAUSE * 2 ** (attempt - 1) * (0.75 + patience.chance() / 2)
            try:
                reply, content = _post(client, url, body, min(patience.timeout, end - patience.clock()), patience.clock)
            except (httpx.TimeoutException, TimeoutError):
                failure = Unanswered("timeout")
            except httpx.TransportError as error:
                if isinstance(error, httpx.ConnectError):
                    after(None)  # one that broke later may have been paid for
                failure = Unanswered("error", f"no answer from {http.bare(server.url)} ({type(error).__name__}): {server.hint}")
            except httpx.HTTPError as error:
                raise Unanswered("error", f"{http.bare(server.url)} cannot be asked ({type(error).__name__})", AGAIN) from None
            else:
                if reply.is_success:
                    return _read(content, after)
                after(None)
                failure, asked = _refused(server, reply, content)
                if reply.status_code not in RETRIED or failure.hold:
                    raise failure
                pause = pause if asked is None else asked
                failure.hold = asked or 0.0
            if attempt == patience.tries or patience.clock() + pause >= end:
                raise failure
            patience.sleep(pause)
    raise AssertionError("unreachable: the last attempt returns or raises")


def _post(client: Any, url: str, body: Mapping[str, Any], seconds: float, clock: Callable[[], float]) -> tuple[Any, bytes]:
    """The reply and its body; the time-outs of httpx are for one read, so the whole is watched here."""
    if seconds <= 0:
        raise TimeoutError
    end, content = clock() + seconds, bytearray()
    with client.stream("POST", url, json=dict(body), timeout=seconds, headers={"Accept-Encoding": "identity"}) as reply:
        for part in reply.iter_raw():
            content += part
            if len(content) > BYTES:
                raise Unanswered("unreadable")
            if clock() > end:
                raise TimeoutError
        return reply, bytes(content)


def _read(content: bytes, after: Callable[[Answered | None], None]) -> Answered:
    try:
        data = json.loads(content)
        choice, usage = data["choices"][0], data.get("usage") or {}
        message = choice["message"]
        text = message.get("content")
        cost = Answered(
            text if isinstance(text, str) else "", _text(data.get("model")), _count(usage, "prompt"), _count(usage, "completion")
        )
        refused = bool(message.get("refusal")) or choice.get("finish_reason") == "content_filter"
        cut = choice.get("finish_reason") == "length"
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        raise Unanswered("unreadable") from None
    after(cost)
    if refused:
        raise Unanswered("refused")
    if cut or not cost.text:
        raise Unanswered("unreadable", "the answer was cut: give it more tokens" if cut else "")
    return cost


def _refused(server: http.Server, reply: Any, content: bytes) -> tuple[Unanswered, float | None]:
    """What a status that is an error means, and the seconds that the server asks to wait."""
    status, code, where = reply.status_code, _code(content), http.bare(server.url)
    if status == http.TOO_MANY:
        if code == NO_QUOTA:
            return Unanswered(
                "throttled", f"{where} answers that the quota of this key is used up: look at its billing", AGAIN
            ), None
        return Unanswered("throttled"), _wait(reply)
    said = f"{where} answered {status}{f' ({code})' if code else ''}"
    if status in RETRIED:
        return Unanswered("error", f"{said}: {server.hint}"), _wait(reply)
    advice = {
        401: "the key is not known there: check the variable that holds it",
        403: "the key may not do this: check the project that it is of",
        404: "check the address and the model's name",
        400: "it does not take the request: check the model, and format, temperature and tokens in its settings",
    }.get(status, server.hint)
    return Unanswered("error", f"{said}: {advice}", AGAIN), None


def _wait(reply: Any) -> float | None:
    """Seconds from `retry-after-ms`, which OpenAI sends beside `retry-after`, else from that one (RFC 9110)."""
    milliseconds = reply.headers.get("retry-after-ms", "").strip()
    if milliseconds.isdecimal():
        return int(milliseconds) / 1000
    return http.retry_after(reply)


def _code(content: bytes) -> str:
    """The error's code or type where it is one word: the message may quote what was asked."""
    try:
        error = json.loads(content)["error"]
        found = error.get("code") or error.get("type")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return ""
    return found if isinstance(found, str) and _CODE.fullmatch(found) else ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _count(usage: Mapping[str, Any], kind: str) -> int:
    value = usage.get(f"{kind}_tokens", 0)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0
