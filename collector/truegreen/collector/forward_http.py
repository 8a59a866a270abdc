"""Sends requests to one destination by OTLP/HTTP."""

from __future__ import annotations

import time
from importlib.metadata import version
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

from truegreen.collector import forward_files as files
from truegreen.collector.forward_payload import IDENTITY, LOOPBACK, VIA, Original
from truegreen.collector.forward_verdict import RETRY, Verdict, of_http
from truegreen.core.config.forward import Destination

ANSWER_BYTES: Final = 64 * 1024
"""What is read of an answer: a partial success, or nothing."""


class HttpSender:
    """One session with a destination; made in the loop that uses it.

    Raises:
        BadInput: a file of headers or certificates cannot be used.
    """

    def __init__(self, destination: Destination, say: files.Say) -> None:
        self._headers = files.headers(destination, say)
        self._tls = files.tls(destination, say) if destination.endpoint.startswith("https://") else None
        self._urls = {signal: f"{destination.endpoint}/v1/{signal}" for signal in destination.signals}
        self._destination = destination
        self._proxy = _proxy(destination.endpoint)
        self._session: ClientSession | None = None

    async def send(self, request: Original) -> Verdict:
        """One attempt; a redirect is not followed, for it would carry the headers elsewhere."""
        headers = {**self._headers(), VIA: request.via, "Content-Type": request.content_type}
        if request.encoding != IDENTITY:
            headers["Content-Encoding"] = request.encoding
        try:
            async with self._opened().post(
                self._urls[request.signal], data=request.body, headers=headers, proxy=self._proxy, allow_redirects=False,
                ssl=self._tls() if self._tls else True,
            ) as answer:  # fmt: skip
                return of_http(answer.status, answer.headers, await _body(answer), time.time())
        except TimeoutError:
            return Verdict(RETRY, "no answer in time")
        except (ClientError, OSError) as error:
            return Verdict(RETRY, type(error).__name__)

    async def close(self) -> None:
        """End the connections."""
        if self._session:
            await self._session.close()

    def _opened(self) -> ClientSession:
        if self._session is None:
            self._session = ClientSession(
                connector=TCPConnector(limit=self._destination.in_flight),
                cookie_jar=DummyCookieJar(),
                timeout=ClientTimeout(total=self._destination.timeout),
                auto_decompress=False,
                headers={"User-Agent": f"truegreen-collector/{version('truegreen')}", "Accept-Encoding": IDENTITY},
            )
        return self._session


def _proxy(endpoint: str) -> str | None:
    """The proxy that the environment names for an address; one on the loopback has none."""
    address = urlsplit(endpoint)
    host = address.hostname or ""
    return None if host in LOOPBACK or proxy_bypass(host) else getproxies().get(address.scheme)


async def _body(answer: ClientResponse) -> bytes:
    """The beginning of the body; the status has decided, so one that breaks off or does not end is only not read."""
    parts: list[bytes] = []
    left = ANSWER_BYTES
    try:
        while left and (part := await answer.content.read(left)):
            parts.append(part)
            left -= len(part)
    except (ClientError, OSError):
        return b""
    return b"".join(parts)
