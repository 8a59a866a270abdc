"""Which exceptions say that a provider is unwell. Pure, and by what an exception carries: no SDK is imported to ask."""

from __future__ import annotations

from typing import Any, Final

UNWELL: Final = frozenset((408, 425, 429))
"""Statuses below 500 that another provider, or a later moment, may well answer."""
_NAMES: Final = frozenset(("UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "INTERNAL", "ABORTED"))
"""gRPC's."""
_KINDS: Final = frozenset(
    (
        "APIConnectionError",
        "APITimeoutError",
        "ConnectionError",
        "TransportError",
        "Timeout",
        "ServiceUnavailableError",
        "RateLimitError",
    )
)
"""Classes of SDKs and HTTP clients, by name: openai, anthropic, httpx, httpx2, requests, litellm."""
_INSIDE: Final = ("source", "reason")
"""Where qdrant's client and urllib keep the error that theirs is about."""
_DEEP = 4


class CircuitOpen(Exception):
    """The breaker refused a call; nothing was sent.

    Args:
        name: the breaker's.
        retry_in: seconds until the next probe may pass, 0 when one is under way.
    """

    def __init__(self, name: str, retry_in: float = 0.0) -> None:
        super().__init__(f"circuit {name} is open; the next probe may pass in {retry_in:.0f} s")
        self.name = name
        self.retry_in = retry_in


def counts(error: BaseException) -> bool:
    """Whether an error counts against its provider: no connection, time-outs, 408, 425, 429 and 5xx do; 400, 401 and an application's own do not."""
    at: BaseException | None = error
    for _ in range(_DEEP):
        if at is None:
            return False
        if isinstance(at, CircuitOpen | TimeoutError | ConnectionError):
            return True
        found = status(at)
        if found is not None:
            return found in UNWELL or found >= 500
        if _grpc(at) in _NAMES or any(kind.__name__ in _KINDS for kind in type(at).__mro__):
            return True
        at = next(
            (one for one in (at.__cause__, *(getattr(at, name, None) for name in _INSIDE)) if isinstance(one, BaseException)),
            None,
        )
    return False


def status(error: BaseException) -> int | None:
    """The HTTP status that an error carries: `status_code` (openai, anthropic, qdrant), `code` (google-genai), `status` (pinecone), or its response's."""
    for holder, name in (
        (error, "status_code"),
        (error, "code"),
        (error, "status"),
        (getattr(error, "response", None), "status_code"),
    ):
        found: Any = getattr(holder, name, None)
        if isinstance(found, int) and not isinstance(found, bool) and 100 <= found <= 599:
            return found
    return None


def _grpc(error: BaseException) -> str:
    code = getattr(error, "code", None)
    try:
        return str(getattr(code(), "name", "")) if callable(code) else ""
    except Exception:  # a foreign method with arguments of its own
        return ""
