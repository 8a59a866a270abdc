"""SIGTERM and SIGINT end the demo in the main thread, so that everything is stopped on the way out."""

from __future__ import annotations

import signal

from truegreen.core.clients.interrupts import SIGNALS


def install() -> None:
    """Let both signals raise `KeyboardInterrupt`; a shell's background job inherits an ignored SIGINT."""
    for number in SIGNALS:
        signal.signal(number, _interrupt)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
