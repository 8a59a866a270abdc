"""The class of an error, from what libraries write of it."""

from __future__ import annotations

import re
from typing import Any, Final

OTHER: Final = "_OTHER"
"""The conventions' word for an error that has no name of its own."""
LONGEST: Final = 500

_CLASS: Final = re.compile(r"(?:<class ')?((?:\w+\.)*(\w+))(?:'>)?")
_FORMATTED: Final = re.compile(r"(?:\w+\.)*([A-Za-z_]\w*)(?:\(|:\s)")
_STATUS: Final = re.compile(r"\b(?:[Ee]rror code|status code|status)[:=\s]+(\d{3})\b")
_OF_STATUS: Final = {
    "400": "BadRequestError", "401": "AuthenticationError", "403": "PermissionDeniedError", "404": "NotFoundError", "408": "APITimeoutError",
    "409": "ConflictError", "422": "UnprocessableEntityError", "429": "RateLimitError",
}  # fmt: skip
"""HTTP status to the class that the SDKs of OpenAI and Anthropic raise for it; 500 and above is `InternalServerError`."""


def class_of(value: Any) -> str | None:
    """The class without its module: of a class's name, its repr, a formatted exception, or a message of an HTTP client; else `_OTHER`."""
    if not isinstance(value, str) or not value:
        return None
    text = value[:LONGEST].strip()
    named = _CLASS.fullmatch(text)
    if named:
        return _OF_STATUS.get(named[2], "InternalServerError" if re.fullmatch(r"5\d\d", named[2]) else named[2])
    formatted = _FORMATTED.match(text)
    if formatted and (formatted[1].endswith(("Error", "Exception", "Timeout")) or formatted[0].endswith("(")):
        return formatted[1]
    status = _STATUS.search(text)
    if status:
        return _OF_STATUS.get(status[1], "InternalServerError" if status[1] >= "500" else status[1])
    return "APITimeoutError" if "timed out" in text.lower() else OTHER
