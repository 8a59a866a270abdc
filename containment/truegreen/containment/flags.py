"""Reads OpenFeature flags: from the flagd file named by `TRUEGREEN_FLAGS`, else from the application's own provider."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from truegreen.instrumentation import failures, notices
from truegreen.instrumentation.locks import Lock

VARIABLE = "TRUEGREEN_FLAGS"
DOMAIN = "truegreen"
DEADLINE_MS = 100
"""How often the file provider looks at its file, and the longest wait for it."""
REPEAT_SECONDS = 60.0
EXPIRES = "expires_unix"
"""The key of a flag's metadata that says until when it holds."""

_lock = Lock()
_clients: dict[tuple[int, str], Any] = {}
"""By process too: the thread that looks at the file does not live on in a forked worker."""


def string(flag: str, default: str = "", clock: Callable[[], float] = time.time) -> str:
    """The value of a string flag.

    The default when it is missing, when its `expires_unix` (flag metadata, unix seconds) has passed, when OpenFeature is not
    installed, and when anything fails: a switch that nobody renews goes off by itself.
    """
    try:
        path = os.environ.get(VARIABLE, "")
        client = _of_file(path) if path else _of_application()
        if client is None:
            return default
        details = client.get_string_details(flag, default)
        expires = details.flag_metadata.get(EXPIRES)
        if isinstance(expires, int | float) and clock() >= expires:
            return default
        return str(details.value)
    except Exception as error:
        failures.count("flags", error)
        return default


def close() -> None:
    """Stop reading files; the next flag that is read starts anew."""
    with _lock:
        if _clients:
            from openfeature import api
            from openfeature.provider.no_op_provider import NoOpProvider

            api.set_provider(NoOpProvider(), DOMAIN)
        _clients.clear()


def _of_application() -> Any:
    """A client of the provider that the application has set; an application that uses OpenFeature has imported it."""
    api = sys.modules.get("openfeature.api")
    return None if api is None else api.get_client()


def _of_file(path: str) -> Any:
    key = (os.getpid(), path)
    client = _clients.get(key)
    if client is not None:
        return client
    if not os.path.exists(path):  # noqa: PTH110 - a string is what the provider takes; the provider would log an error ten times a second
        notices.once(f"flags:{path}", f"{VARIABLE}: {path} does not exist yet; all switches are off until it does", logging.INFO)
        return None
    with _lock:
        if key not in _clients:
            _clients[key] = _opened(path)
        return _clients[key]


def _opened(path: str) -> Any:
    try:
        from openfeature import api
        from openfeature.contrib.provider.flagd import FlagdProvider
        from openfeature.contrib.provider.flagd.config import ResolverType
    except ImportError:
        notices.once(
            "openfeature",
            f"{VARIABLE} is set and OpenFeature's flagd provider is not installed; pip install 'truegreen[containment]'",
        )
        return None
    logger = logging.getLogger("openfeature.contrib")
    if not any(isinstance(f, _Seldom) for f in logger.filters):
        logger.addFilter(_Seldom())
    provider = FlagdProvider(resolver_type=ResolverType.FILE, offline_flag_source_path=path, deadline_ms=DEADLINE_MS)
    try:
        api.set_provider_and_wait(provider, DOMAIN)
    except Exception as error:  # a file that is broken now may be mended: the provider keeps looking
        failures.count("flag file", error)
    return api.get_client(DOMAIN)


class _Seldom(logging.Filter):
    """Lets a message of the file provider pass once a minute: it repeats an error each time that it looks at the file."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is new, or a minute has passed."""
        now = time.monotonic()
        if now - self._last.get(record.msg, -REPEAT_SECONDS) < REPEAT_SECONDS:
            return False
        if len(self._last) < 100:
            self._last[record.msg] = now
        return True
