"""The log of a collector: one line for each event, as text or as JSON, and nothing of what was received in it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

OURS: Final = "truegreen"
LOG: Final = logging.getLogger("truegreen.collector")


class _Lines(logging.Handler):
    """Gives each line to `write`."""

    def __init__(self, write: Callable[[str], None], as_json: bool) -> None:
        super().__init__()
        self._write = write
        self._as_json = as_json

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; an error while doing so is dropped, as `logging` does with `raiseExceptions` off."""
        try:
            message = _message(record)
            if self._as_json:
                time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
                level = record.levelname.lower()
                message = json.dumps({"time": time, "level": level, "logger": record.name, "message": message})
            elif record.levelno > logging.INFO:
                message = f"{record.levelname.lower()}: {message}"
            self._write(message)
        except (OSError, ValueError, TypeError):
            pass


def _message(record: logging.LogRecord) -> str:
    # Errors and arguments of other libraries may quote a request: of theirs, the first line as it stands in their code.
    own = record.name == OURS or record.name.startswith(OURS + ".")
    message = record.getMessage() if own else str(record.msg).partition("\n")[0]
    error = record.exc_info[0] if record.exc_info else None
    return message + (f" ({error.__name__})" if error else "")


def begin(write: Callable[[str], None], as_json: bool) -> Callable[[str], None]:
    """Send the log of this process to `write`, line by line; ours from INFO, other libraries' from WARNING.

    Returns:
        What says a line at INFO.
    """
    root = logging.getLogger()
    root.handlers[:] = [_Lines(write, as_json)]
    root.setLevel(logging.WARNING)
    LOG.setLevel(logging.INFO)
    return lambda said: LOG.info("%s", said)
