"""The one place where HTTP is spoken: time-outs, retries, what an error says, and secrets from files."""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit, urlunsplit

import httpx

from truegreen.core.errors import BadInput, Failed

TIMEOUT: Final = 5.0
"""Seconds for one attempt, connecting and reading."""
TRIES: Final = 3
"""Attempts of a GET; anything that changes something is sent once."""
PAUSE: Final = 0.2
"""Seconds before the second attempt, doubled for each one after it, when the server names none."""
LONGEST_PAUSE: Final = 30.0
"""A server that asks for a longer pause is taken at its word: the call fails and says so."""
RETRIED: Final = frozenset({429, 502, 503, 504})
UNAUTHORIZED: Final = 401
NOT_FOUND: Final = 404
TOO_MANY: Final = 429
_REDIRECT: Final = range(300, 400)
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")

Params = Sequence[tuple[str, str]]
T = TypeVar("T")


class HttpFailed(Failed):
    """A server answered with a status that is an error; `body` is its JSON, None where it is none."""

    def __init__(self, message: str, status: int, body: Any = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = body


class TooLong(Failed):
    """An answer is longer than its reader takes."""


class TimedOut(Failed):
    """A server was asked and did not answer in time: what was sent may have been done."""


@dataclass(frozen=True, slots=True)
class Server:
    """Whom to ask and how to speak of it.

    Args:
        name: for messages, such as `Prometheus`.
        url: the base address, with or without a path.
        hint: what to do when nobody answers there.
        auth: user and password for Basic authentication; a user in `url` is used when there is none.
        token: for `Authorization: Bearer`.
        headers: name and value of more of them, such as a key of the server's own.
        timeout: seconds for one attempt.
        most: bytes that are read of an answer, all within `timeout`; None is without bound.
        tries: attempts of a GET.
        sleep: called with the seconds between two attempts.
    """

    name: str
    url: str
    hint: str
    auth: tuple[str, str] | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    timeout: float = TIMEOUT
    most: int | None = None
    tries: int = TRIES
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)


def secret(name: str, environ: Mapping[str, str]) -> str | None:
    """The variable `name`, or the content of the file that `name`_FILE names; None when neither is set.

    Raises:
        BadInput: the file cannot be read or is empty.
    """
    if environ.get(name):
        return environ[name]
    path = environ.get(f"{name}_FILE")
    if not path:
        return None
    try:
        text = Path(path).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise BadInput(
            f"{name}_FILE names {path}, which cannot be read: {reason}; name a file that has the secret alone"
        ) from None
    if not text:
        raise BadInput(f"{name}_FILE names {path}, which is empty; write the secret into it")
    return text


def get(server: Server, path: str, params: Params = ()) -> Any:
    """The JSON at `path`; tried `server.tries` times on a lost connection and on 429, 502, 503 and 504 (with the server's Retry-After).

    Raises:
        Failed: nobody answers, or what answers is not JSON.
        HttpFailed: a status other than 2xx.
    """
    return _call(server, "GET", path, params, None, server.tries)


def send(server: Server, method: str, path: str, body: Any, tries: int = 1) -> Any:
    """Send JSON once, return the JSON that comes back (None when there is none); raises as `get`.

    Args:
        tries: attempts, as `get` makes them: more than 1 only where sending it twice changes nothing.
    """
    return _call(server, method, path, (), body, tries)


def shaped(server: Server, path: str, answer: Any, read: Callable[[Any], T]) -> T:
    """`read(answer)`; raises `Failed` when the JSON has another shape than `read` expects."""
    try:
        return read(answer)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        raise Failed(
            f"what {bare(server.url)}{path} answers is JSON, but not {server.name}'s: is it the address of {server.name}? ({server.hint})"
        ) from None


def client(server: Server) -> httpx.Client:
    """A client with the server's credentials and time-out; it may be used by many threads and must be closed."""
    environment = (urlsplit(server.url).hostname or "") not in _LOOPBACK  # A proxy of the environment is not for the loopback.
    return httpx.Client(
        timeout=server.timeout,
        auth=server.auth or _user_of(server.url),
        headers={**({"Authorization": f"Bearer {server.token}"} if server.token else {}), **dict(server.headers)},
        trust_env=environment,
        verify=_trusted(environment, os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")),
    )


@cache
def _trusted(environment: bool, *_: str | None) -> ssl.SSLContext:
    # Reading the authorities takes tens of milliseconds, many times what a call to a server beside us takes: once for each place that they are in.
    return httpx.create_ssl_context(trust_env=environment)


def bare(url: str) -> str:
    """The address without user, password, query and closing slash: fit for a message."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))


def _call(server: Server, method: str, path: str, params: Params, body: Any, tries: int) -> Any:
    url = address(server, path)
    with client(server) as sender:
        for attempt in range(1, tries + 1):
            pause = PAUSE * 2 ** (attempt - 1)
            try:
                answer = _answer(sender, server, method, url, params, body)
            except httpx.TransportError as error:
                if attempt == tries:
                    raise unreached(server, error) from None
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise Failed(f"{server.name} at {bare(url)} cannot be asked: {error}") from None
            else:
                asked = retry_after(answer)
                if answer.status_code not in RETRIED or attempt == tries or (asked or 0) > LONGEST_PAUSE:
                    return _read(server, url, answer, asked)
                pause = pause if asked is None else asked
            server.sleep(pause)
    raise AssertionError("unreachable: the last attempt returns or raises")


def _answer(sender: httpx.Client, server: Server, method: str, url: str, params: Params, body: Any) -> httpx.Response:
    if server.most is None:
        return sender.request(method, url, params=list(params), json=body)
    # As it comes: what is packed may be a thousand times as long when it is unpacked.
    packed = {"Accept-Encoding": "identity"}
    end, content = time.monotonic() + server.timeout, bytearray()
    with sender.stream(method, url, params=list(params), json=body, headers=packed) as answer:
        for part in answer.iter_raw():
            content += part
            if len(content) > server.most:
                raise TooLong(
                    f"what {bare(url)} answers is longer than {server.most:,} bytes: ask it for less, or name another address"
                )
            if time.monotonic() > end:
                raise httpx.ReadTimeout("the answer did not end", request=answer.request)
        kept = [(name, value) for name, value in answer.headers.items() if name.lower() != "content-encoding"]
        return httpx.Response(answer.status_code, headers=kept, content=bytes(content), request=answer.request)


def address(server: Server, path: str) -> str:
    """Where `path` is on a server; raises `BadInput` when the server's own address is none."""
    parts = urlsplit(server.url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        said = server.url.rpartition("@")[2]  # Never a password.
        raise BadInput(f"the address of {server.name} is {said!r}; write it with its scheme, such as http://127.0.0.1:9090")
    return bare(server.url) + path


def _user_of(url: str) -> tuple[str, str] | None:
    parts = urlsplit(url)
    return (parts.username, parts.password or "") if parts.username else None


def unreached(server: Server, error: httpx.TransportError) -> Failed:
    """What to say when no answer came."""
    where = bare(server.url)
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return Failed(f"no {server.name} answers at {where} ({error or 'time-out'}): {server.hint}")
    if isinstance(error, httpx.TimeoutException):
        return TimedOut(f"{server.name} at {where} did not answer within {server.timeout:g} s: try again, or look at its load")
    return Failed(f"the connection to {server.name} at {where} broke ({error}): {server.hint}")


def retry_after(answer: httpx.Response) -> float | None:
    """Seconds that a Retry-After header asks for (RFC 9110 section 10.2.3: a number or a date)."""
    text = answer.headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


def _read(server: Server, url: str, answer: httpx.Response, asked: float | None) -> Any:
    where = bare(url)
    status = answer.status_code
    if status in _REDIRECT:
        raise HttpFailed(
            f"{where} sends on to {bare(answer.headers.get('Location', ''))}: name the address of {server.name} itself", status
        )
    if not answer.is_success:
        message = f"{server.name} at {where} answered {status}{_reason(answer)}{_advice(server, status, asked)}"
        raise HttpFailed(message, status, _json(answer))
    if not answer.content:
        return None
    try:
        return answer.json()
    except ValueError:
        kind = answer.headers.get("Content-Type", "no content type")
        raise Failed(
            f"{where} answered {status} with {kind} that is not JSON: is it the address of {server.name}? ({server.hint})"
        ) from None


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None


def _reason(answer: httpx.Response) -> str:
    """The server's own words, from the `error` or `message` of its JSON; a body of another kind is left out."""
    body = _json(answer)
    if isinstance(body, str):
        return f": {body[:300]}"
    if isinstance(body, dict):
        for key in ("error", "message"):
            if isinstance(body.get(key), str):
                return f": {body[key][:300]}"
    return f" {answer.reason_phrase}".rstrip()


def _advice(server: Server, status: int, asked: float | None) -> str:
    if status == UNAUTHORIZED:
        return "; give it credentials that it knows"
    if status == TOO_MANY:
        return f"; it asks to wait {asked:.0f} s, try again then" if asked else "; it is asked too often, try again later"
    return f"; it has trouble of its own, look at its log ({server.hint})" if status >= httpx.codes.INTERNAL_SERVER_ERROR else ""
