"""One rollback of a component at a time: on one machine by a file, in a shared PostgreSQL by its own lock. Both end with the process."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sql
from filelock import FileLock, Timeout
from sqlalchemy.exc import SQLAlchemyError

from truegreen.core.errors import Failed
from truegreen.runbook.log import Log


@contextmanager
def alone(log: Log, component: str) -> Iterator[None]:
    """Hold the component from the first look to the last line of the log.

    Raises:
        Failed: somebody else holds it, or the lock cannot be had: nothing was changed.
    """
    busy = f"somebody else moves the {component} just now; nothing was changed: look at truegreen incident log, then try again"
    if log.engine.dialect.name == "postgresql":
        with _of_postgresql(log, zlib.crc32(f"truegreen rollback {component}".encode()), busy):
            yield
        return
    named = log.engine.url.database
    store = Path(named) if log.engine.dialect.name == "sqlite" and named and named != ":memory:" else Path("truegreen")
    path = store.with_name(f".{store.name}.rollback-{component}.lock")
    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise Failed(busy) from None
    except OSError as error:
        raise Failed(f"{path}: cannot be locked: {error.strerror or error}; nothing was changed") from None
    with lock:
        lock.release()  # `with` has taken it a second time.
        yield


@contextmanager
def _of_postgresql(log: Log, key: int, busy: str) -> Iterator[None]:
    try:
        connection = log.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        got = connection.execute(sql.text("SELECT pg_try_advisory_lock(:key)"), {"key": key}).scalar()
    except SQLAlchemyError as error:
        raise Failed(f"{log.address}: cannot be locked ({type(error).__name__}); nothing was changed") from None
    try:
        if not got:
            raise Failed(busy)
        yield
    finally:
        # Closed for good: a pooled connection would keep the lock.
        connection.invalidate()
        connection.close()
