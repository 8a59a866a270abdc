"""Reads OpenFeature flags: from the flagd file named by `TRUEGREEN_FLAGS`, else from the application's own provider."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from truegreen.containment.model import FLAGS, NATURAL
from truegreen.instrumentation import failures, notices
from truegreen.instrumentation.locks import Lock

VARIABLE = "TRUEGREEN_FLAGS"
DOMAIN = "truegreen"
DEADLINE_MS = 100
"""How often the file provider looks at its file, and the longest wait for it."""
REPEAT_SECONDS = 60.0
EXPIRES = "expires_unix"
"""The key of a flag's metadata that says until when it holds."""

MISMATCH = "TYPE_MISMATCH"
USUAL = ("FLAG_NOT_FOUND", "PROVIDER_NOT_READY", "PROVIDER_FATAL")
"""OpenFeature's words for a flag that nobody has set, and for a provider that has nothing yet: a broken file is logged where it is read."""

_log = logging.getLogger("openfeature.contrib")
_lock = Lock()
_clients: dict[tuple[int, str], Any] = {}
"""By process too: the thread that looks at the file does not live on in a forked worker."""


def string(flag: str, default: str = "", clock: Callable[[], float] = time.time) -> str:
    """The value of a string flag.

    The default when it is missing, when its `expires_unix` (flag metadata, unix seconds) has passed, when OpenFeature is not
    installed, and when anything fails: a switch that nobody renews goes off by itself. A number, a boolean or an object comes as the
    string that says the same where the flag is of that kind (`model.NATURAL`); what is not obeyed is said once.
    """
    try:
        path = os.environ.get(VARIABLE, "")
        client = _of_file(path) if path else _of_application()
        if client is None:
            return default
        details = client.get_string_details(flag, default)
        if _trouble(details) == MISMATCH:
            details = _natural(client, flag) or details
        trouble = _trouble(details)
        if trouble:
            _cannot(flag, trouble, details.error_message)
            return default
        expires = details.flag_metadata.get(EXPIRES)
        if isinstance(expires, int | float) and clock() >= expires:
            return default
        return _said(flag, details.value, default)
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
            for each in tuple(_log.filters):
                if isinstance(each, _Seldom):
                    _log.removeFilter(each)
        _clients.clear()


def nonsense(flag: str, value: Any, write: str) -> None:
    """Say once that a flag's value is not obeyed."""
    shown = repr(value)[:60]
    notices.once(f"flag:{flag}:{shown}", f"flag {flag}: found {shown}, nothing is switched; write {write}", logging.WARNING)


def _trouble(details: Any) -> str:
    """OpenFeature's error code; empty where there is none."""
    code = details.error_code
    return "" if code is None else str(getattr(code, "value", code))


def _cannot(flag: str, trouble: str, message: Any) -> None:
    """Say once that a flag is set and cannot be read."""
    if trouble not in USUAL:
        told = " ".join(str(message or "").split())[:200]
        notices.once(f"flag:{flag}:{trouble}", f"flag {flag}: it cannot be read ({trouble}: {told}); nothing is switched")


def _natural(client: Any, flag: str) -> Any:
    """The flag as what it is instead of a string: OpenFeature has no way to ask for any type."""
    asks: tuple[tuple[Callable[..., Any], Any], ...] = (
        (client.get_boolean_details, False),
        (client.get_integer_details, 0),
        (client.get_float_details, 0.0),
        (client.get_object_details, {}),
    )
    return next((found for ask, nothing in asks if not _trouble(found := ask(flag, nothing))), None)


def _said(flag: str, value: Any, default: str) -> str:
    """A value as the string that says the same."""
    if isinstance(value, str):
        return value
    if value is False:
        return ""
    if type(value) not in NATURAL.get(flag, ()):
        nonsense(flag, value, f"a string: {FLAGS.get(flag, 'or nothing')}")
        return default
    return json.dumps(value)


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
    if not any(isinstance(each, _Seldom) for each in _log.filters):
        _log.addFilter(_Seldom())
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
