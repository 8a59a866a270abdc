"""Signatures of webhooks by the Standard Webhooks specification (standardwebhooks.com, 1.0.0), which OpenAI's webhooks follow too. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from truegreen.core.errors import BadInput

TOLERANCE: Final = 300
"""Seconds by which a message's time may differ from ours."""
LEAST: Final = 24
"""Bytes of a secret, the specification's least."""
PREFIX: Final = "whsec_"
MOST_SIGNATURES: Final = 20


def secrets(path: Path) -> tuple[bytes, ...]:
    """The keys in a file, one `whsec_…` a line; two while one replaces the other.

    Raises:
        BadInput: the file cannot be read, or a line is no such key.
    """
    try:
        lines = [text for line in path.read_text("utf-8").splitlines() if (text := line.strip()) and not text.startswith("#")]
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read ({type(error).__name__}); name the file that has the webhook's secret") from None
    if not lines:
        raise BadInput(f"{path}: it is empty; write the webhook's secret into it, {PREFIX} and base64")
    made = []
    for at, text in enumerate(lines, start=1):
        try:
            key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) < LEAST:
            raise BadInput(
                f"{path}: line {at}: found {len(text)} characters that are no key; write {PREFIX} and at least {LEAST} bytes in base64"
            )
        made.append(key)
    return tuple(made)


def sign(key: bytes, name: str, time: int, body: bytes) -> str:
    """The signature of one message: HMAC-SHA256 over `name.time.body`."""
    made = hmac.new(key, f"{name}.{time}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(made).decode()


def refusal(keys: Sequence[bytes], name: str, time: str, given: str, body: bytes, now: float) -> str:
    """Why a message is not let in; empty when it is.

    Args:
        name, time, given: the headers `webhook-id`, `webhook-timestamp` and `webhook-signature` (several, by spaces).
        now: unix seconds.
    """
    if not name or not time or not given:
        return "webhook-id, webhook-timestamp and webhook-signature are needed"
    if not (time.isascii() and time.isdecimal() and len(time) <= 12) or abs(now - int(time)) > TOLERANCE:
        return f"webhook-timestamp is not within {TOLERANCE} s of our clock"
    offered = [text.encode() for text in given.split(" ")[:MOST_SIGNATURES]]
    # Every key is compared with every signature, each in constant time.
    right = [hmac.compare_digest(sign(key, name, int(time), body).encode(), one) for key in keys for one in offered]
    return "" if any(right) else "webhook-signature does not fit"
