"""What truegreen tells its user on stderr: each thing once, through the logger `truegreen`."""

from __future__ import annotations

import logging
import sys

from truegreen.instrumentation import failures
from truegreen.instrumentation.text import encodable

logger = logging.getLogger("truegreen")
KEPT = 1_000
"""So many different things are said in one process; an application may name any number of wrong ones."""
LONGEST_KEY, LONGEST = 200, 2_000
"""Characters; what an application gives as a name may be a whole document."""
_said: set[str] = set()


class _Stderr(logging.Handler):
    """Writes to stderr as long as the application has not set up logging; then its own handlers get the record by propagation."""

    def emit(self, record: logging.LogRecord) -> None:
        if any(not type(handler).__module__.startswith("opentelemetry.") for handler in logging.getLogger().handlers):
            return  # the application shows its logs itself; a handler that only exports shows nobody anything
        try:
            sys.stderr.write(f"{record.getMessage()}\n")
        except (OSError, ValueError):  # a closed stderr must not reach the application
            return


_handler = _Stderr()


def open_() -> None:
    """Let notices of level INFO be seen; a level that the application set on the logger `truegreen` stays."""
    if _handler not in logger.handlers:
        logger.addHandler(_handler)
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)
        _said.add("level")


def close() -> None:
    """Take the handler and the level away again and forget what was said."""
    logger.removeHandler(_handler)
    if "level" in _said:
        logger.setLevel(logging.NOTSET)
    _said.clear()


def once(key: str, message: str, level: int = logging.WARNING) -> None:
    """Say `message` the first time that `key` comes up."""
    key = key[:LONGEST_KEY]
    if key in _said or len(_said) > KEPT:
        return
    _said.add(key)
    if len(_said) > KEPT:
        message = f"{KEPT} different notices were given: no others follow. The last one: {message}"
    try:
        logger.log(level, "truegreen: %s", encodable(message if len(message) <= LONGEST else f"{message[:LONGEST]}…"))
    except Exception as error:  # a filter or handler of the application raised
        failures.count("logging", error)
