"""The database of the incident log: its tables, how it is opened, read and locked, and what its errors say."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sql
from sqlalchemy.exc import ArgumentError, DatabaseError, IntegrityError, SQLAlchemyError

from truegreen.core.errors import BadInput, Failed
from truegreen.runbook.clean import clean

_META: Final = sql.MetaData()
INCIDENTS: Final = sql.Table(
    "incidents", _META,
    sql.Column("id", sql.Integer, primary_key=True, autoincrement=False),
    sql.Column("service", sql.Text, nullable=False),
    sql.Column("environment", sql.Text, nullable=False),
    sql.Column("slo", sql.Text, nullable=False),
    sql.Column("sev", sql.Text, nullable=False),
    sql.Column("opened", sql.Double, nullable=False),
    sql.Column("closed", sql.Double),
)  # fmt: skip
EVENTS: Final = sql.Table(
    "events", _META,
    sql.Column("seq", sql.Integer, primary_key=True, autoincrement=False),
    sql.Column("incident", sql.Integer, nullable=False, index=True),
    sql.Column("time", sql.Double, nullable=False),
    sql.Column("phase", sql.Text, nullable=False),
    sql.Column("kind", sql.Text, nullable=False),
    sql.Column("text", sql.Text, nullable=False),
    sql.Column("data", sql.Text, nullable=False),
    sql.Column("previous", sql.String(64), nullable=False),
    sql.Column("hash", sql.String(64), nullable=False, unique=True),
)  # fmt: skip
_SECRET: Final = re.compile("pass|secret|token|key", re.IGNORECASE)
_LOCK: Final = 0x7472_7565_6C6F_67
"""The number of the advisory lock on a PostgreSQL: `truelog` in ASCII."""
_READS: Final = "truegreen_reads"
PATIENCE: Final = 10
"""Seconds that a command waits for a lock, or for a server to be reached; whole ones, as libpq takes them."""
_LIBPQ: Final = ("psycopg", "psycopg2")


@dataclass(frozen=True, slots=True)
class Log:
    """An open store; `address` is for people, without secrets."""

    engine: sql.Engine
    address: str


def open_log(address: str, *, make: bool = True) -> Log:
    """Open the store, making its tables where they are not there.

    Args:
        address: an SQLAlchemy address, such as `sqlite:///incidents.db`.
        make: whether a store that is not there is made; else that is a failure.

    Raises:
        BadInput: not an address, or a driver is missing.
        Failed: the store cannot be opened.
    """
    nothing = Failed(f"{shown(address)}: there is no incident log; name the one that is meant with --store or incidents.store")
    try:
        url = sql.make_url(address)
        if url.get_backend_name() == "sqlite":
            path = file(address)
            if path is not None and not path.exists():
                if not make:
                    raise nothing
                path.parent.mkdir(parents=True, exist_ok=True)
                # SQLite itself makes it 0644 whatever the umask lets: then the second responder of a group could write nothing.
                path.touch(0o666)
            engine = sql.create_engine(url, connect_args={"timeout": PATIENCE})
            _careful(engine)
        else:
            # With the advisory lock of `_alone`, each statement must see what the writer before has committed.
            own = url.get_driver_name() in _LIBPQ and "connect_timeout" not in url.query
            within = {"connect_timeout": PATIENCE} if own else {}
            engine = sql.create_engine(url, isolation_level="READ COMMITTED", pool_pre_ping=True, connect_args=within)
            _patient(engine)
    except (ArgumentError, ValueError, ImportError) as error:
        said = _line(error).replace(address, shown(address))
        raise BadInput(f"incidents.store: {shown(address)!r} cannot be used ({said}); write sqlite:///incidents.db") from None
    except OSError as error:
        raise Failed(f"{shown(address)}: cannot be opened: {error.strerror or error}") from None
    log = Log(engine, shown(address))
    with telling(log):
        if not sql.inspect(engine).has_table(EVENTS.name):
            if not make:
                raise nothing
            with engine.begin() as connection:
                alone(connection)
                _META.create_all(connection)
    return log


def file(address: str) -> Path | None:
    """The file of an SQLite store; None where it is in memory, another database, or no address."""
    try:
        url = sql.make_url(address)
    except (ArgumentError, ValueError):
        return None
    named = url.database if url.get_backend_name() == "sqlite" else None
    return Path(named) if named and named != ":memory:" and not named.startswith("file:") else None


def shown(address: str) -> str:
    """The address without its secrets: the password, and whatever a driver takes in the query under a name that speaks of one."""
    try:
        url = sql.make_url(address)
    except (ArgumentError, ValueError):
        return re.sub(r"^([\w+]+://)?.*@", r"\1***@", address, flags=re.DOTALL)
    hidden = {key: "hidden" if _SECRET.search(key) else value for key, value in url.query.items()}
    return url.set(query=hidden).render_as_string(hide_password=True)


def alone(connection: sql.Connection) -> None:
    """Wait until no other writer is at the log; SQLite does so at BEGIN IMMEDIATE, and the lock goes with the transaction."""
    if connection.dialect.name == "postgresql":
        connection.execute(sql.select(sql.func.pg_advisory_xact_lock(_LOCK)))


@contextmanager
def reading(log: Log) -> Iterator[sql.Connection]:
    """A connection that sees one state of the log and keeps no writer waiting."""
    level = {} if log.engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
    with (
        telling(log),
        log.engine.connect() as plain,
        plain.execution_options(**{_READS: True}, **level) as connection,
        connection.begin(),
    ):
        yield connection


_HINTS: Final = {
    "not a database": "; it is another file: name a new one in incidents.store",
    "lock timeout": f"; another session has held its lock for {PATIENCE} s: look for it in pg_stat_activity, end it, and try again",
}


class Again(Exception):
    """Another writer was faster."""


@contextmanager
def telling(log: Log) -> Iterator[None]:
    """Say in words what a database says in its own: another writer's turn is `Again`, all else `Failed`."""
    try:
        yield
    except IntegrityError as error:
        raise Again(f"{log.address}: cannot be written: {_line(error)}") from None
    except DatabaseError as error:
        said = _line(error)
        hint = next((hint for word, hint in _HINTS.items() if word in said), "")
        raise Failed(f"{log.address}: the incident log cannot be used: {said}{hint}") from None
    except (SQLAlchemyError, OSError) as error:
        raise Failed(f"{log.address}: the incident log cannot be used: {_line(error)}") from None


def _careful(engine: sql.Engine) -> None:
    # BEGIN IMMEDIATE: a writer holds the lock before it reads the newest event, so that two cannot follow the same one.
    @sql.event.listens_for(engine, "connect")
    def _(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        # Not WAL: there what was written last stands in a second file, and who copies the one file loses it. In a store that another
        # process still has open in that mode it stays so until it is let go of.
        with suppress(sqlite3.OperationalError):
            connection.execute("PRAGMA journal_mode=DELETE")
        connection.execute("PRAGMA synchronous=FULL")

    @sql.event.listens_for(engine, "begin")
    def _(connection: sql.Connection) -> None:
        # A reader shares the file with other readers; a writer waits for them only while it commits.
        connection.exec_driver_sql("BEGIN" if connection.get_execution_options().get(_READS) else "BEGIN IMMEDIATE")


def _patient(engine: sql.Engine) -> None:
    # For each transaction, not for the session: behind a pooler the session is not ours.
    @sql.event.listens_for(engine, "begin")
    def _(connection: sql.Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{PATIENCE}s'")


def _line(error: BaseException) -> str:
    return clean(str(getattr(error, "orig", None) or error).partition("\n")[0], 300)
