"""The incident log: append-only and hash-chained, in one SQLite file by default. The only file that writes SQL."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar

import sqlalchemy as sql
from sqlalchemy.exc import ArgumentError, DatabaseError, IntegrityError, SQLAlchemyError

from truegreen.core.errors import BadInput, Failed
from truegreen.runbook import chain
from truegreen.runbook.clean import clean
from truegreen.runbook.model import Event, Incident, Target

_T = TypeVar("_T")
_META: Final = sql.MetaData()
_INCIDENTS: Final = sql.Table(
    "incidents", _META,
    sql.Column("id", sql.Integer, primary_key=True, autoincrement=False),
    sql.Column("service", sql.Text, nullable=False),
    sql.Column("environment", sql.Text, nullable=False),
    sql.Column("slo", sql.Text, nullable=False),
    sql.Column("sev", sql.Text, nullable=False),
    sql.Column("opened", sql.Double, nullable=False),
    sql.Column("closed", sql.Double),
)  # fmt: skip
_EVENTS: Final = sql.Table(
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
SEV_CHANGED: Final = "sev changed"
_SECRET: Final = re.compile("pass|secret|token|key", re.IGNORECASE)
_TRIES: Final = 5
"""On servers without a lock of ours two writers may pick one seq: the primary key refuses the second, which tries again."""
_LOCK: Final = 0x7472_7565_6C6F_67
"""The number of the advisory lock on a PostgreSQL: `truelog` in ASCII."""
_READS: Final = "truegreen_reads"


@dataclass(frozen=True, slots=True)
class Log:
    """An open store; `address` is for people, without secrets."""

    engine: sql.Engine
    address: str


def open_log(address: str) -> Log:
    """Open the store, making its tables where they are not there.

    Args:
        address: an SQLAlchemy address, such as `sqlite:///incidents.db`.

    Raises:
        BadInput: not an address, or a driver is missing.
        Failed: the store cannot be opened.
    """
    try:
        url = sql.make_url(address)
        if url.get_backend_name() == "sqlite":
            if url.database and url.database != ":memory:":
                Path(url.database).parent.mkdir(parents=True, exist_ok=True)
            engine = sql.create_engine(url, connect_args={"timeout": 10})
            _careful(engine)
        else:
            # With the advisory lock of `_alone`, each statement must see what the writer before has committed.
            engine = sql.create_engine(url, isolation_level="READ COMMITTED", pool_pre_ping=True)
    except (ArgumentError, ValueError, ImportError) as error:
        said = _line(error).replace(address, shown(address))
        raise BadInput(f"incidents.store: {shown(address)!r} cannot be used ({said}); write sqlite:///incidents.db") from None
    except OSError as error:
        raise Failed(f"{shown(address)}: cannot be opened: {error.strerror or error}") from None
    log = Log(engine, shown(address))
    with _telling(log):
        if not sql.inspect(engine).has_table(_EVENTS.name):
            with engine.begin() as connection:
                _alone(connection)
                _META.create_all(connection)
    return log


def shown(address: str) -> str:
    """The address without its secrets: the password, and whatever a driver takes in the query under a name that speaks of one."""
    try:
        url = sql.make_url(address)
    except (ArgumentError, ValueError):
        return re.sub(r"^([\w+]+://)?.*@", r"\1***@", address, flags=re.DOTALL)
    hidden = {key: "hidden" if _SECRET.search(key) else value for key, value in url.query.items()}
    return url.set(query=hidden).render_as_string(hide_password=True)


@dataclass(frozen=True, slots=True)
class Draft:
    """The log inside one transaction, with no other writer in it: what is read here is still so when it is written."""

    _connection: sql.Connection

    def incidents(self) -> tuple[Incident, ...]:
        """All incidents, oldest first."""
        return _incidents(self._connection)

    def events(self, incident: int) -> tuple[Event, ...]:
        """The events of one incident, in order."""
        return _events(self._connection, incident)

    def open(self, target: Target, sev: str, time: float, text: str, data: Mapping[str, Any]) -> Incident:
        """Begin an incident; its first event is `detect, incident opened`."""
        facts = {"service": target.service, "environment": target.environment, "slo": target.slo, "sev": sev, **data}
        number = (self._connection.execute(sql.select(sql.func.max(_INCIDENTS.c.id))).scalar() or 0) + 1
        made = Incident(number, target, sev, _ms(time))
        self._connection.execute(_INCIDENTS.insert().values(
            id=number, service=target.service, environment=target.environment, slo=target.slo, sev=sev, opened=made.opened))  # fmt: skip
        self.append(number, time, "detect", "incident opened", text, facts)
        return made

    def append(self, incident: int, time: float, phase: str, kind: str, text: str, data: Mapping[str, Any]) -> Event:
        """Add one event."""
        return _append(self._connection, incident, time, phase, kind, text, data)


def alone(log: Log, work: Callable[[Draft], _T]) -> _T:
    """Look and write in one step: all of it is on disk when this returns, or nothing is."""
    return _write(log, lambda connection: work(Draft(connection)))


def open_incident(log: Log, target: Target, sev: str, time: float, text: str, data: Mapping[str, Any]) -> Incident:
    """Begin an incident; its first event is `detect, incident opened`."""
    return alone(log, lambda draft: draft.open(target, sev, time, text, data))


def append(log: Log, incident: int, time: float, phase: str, kind: str, text: str, data: Mapping[str, Any]) -> Event:
    """Add one event; it is on disk when this returns."""
    return _write(log, lambda connection: _append(connection, incident, time, phase, kind, text, data))


def close_incident(log: Log, incident: int, time: float, text: str, data: Mapping[str, Any]) -> Event:
    """Add the closing event and mark the incident closed."""

    def write(connection: sql.Connection) -> Event:
        connection.execute(_INCIDENTS.update().where(_INCIDENTS.c.id == incident).values(closed=_ms(time)))
        return _append(connection, incident, time, "review", "incident closed", text, data)

    return _write(log, write)


def incidents(log: Log) -> tuple[Incident, ...]:
    """All incidents, oldest first."""
    with _reading(log) as connection:
        return _incidents(connection)


def events(log: Log, incident: int | None = None) -> tuple[Event, ...]:
    """The events of one incident, or of the whole log, in order."""
    with _reading(log) as connection:
        return _events(connection, incident)


def head(log: Log) -> str:
    """The newest hash, or the genesis hash of an empty log."""
    with _reading(log) as connection:
        return connection.execute(sql.select(_EVENTS.c.hash).order_by(_EVENTS.c.seq.desc()).limit(1)).scalar() or chain.GENESIS


@dataclass(frozen=True, slots=True)
class Verified:
    """What was looked at, in one state of the log: what is wrong (empty: nothing), how many events there are, and the newest hash."""

    wrong: str
    events: int
    head: str


def verify(log: Log, expected_head: str = "") -> str:
    """What is wrong with the log, in one line; empty when the chain holds and every incident's row says what its events say."""
    return verified(log, expected_head).wrong


def verified(log: Log, expected_head: str = "") -> Verified:
    """As `verify`, with the number of events and the head that were looked at: a writer may be at it meanwhile."""
    with _reading(log) as connection:
        told, rows = _events(connection), _rows(connection)
    return Verified(_wrong(told, rows, expected_head), len(told), told[-1].hash if told else chain.GENESIS)


def _wrong(all_events: tuple[Event, ...], rows: tuple[Incident, ...], expected_head: str) -> str:
    wrong = chain.fault(all_events, expected_head)
    if wrong:
        return wrong
    opened = {e.incident: e for e in all_events if e.kind == "incident opened"}
    closed = {e.incident: e.time for e in all_events if e.kind == "incident closed"}
    for row in rows:
        event = opened.get(row.id)
        said = (row.target.service, row.target.environment, row.target.slo, row.sev, row.opened, row.closed)
        if event is None or said != (
            *(event.data.get(k) for k in ("service", "environment", "slo", "sev")),
            event.time,
            closed.get(row.id),
        ):
            return f"incident {row.id} does not say what its events say"
    gone = sorted(set(opened) - {row.id for row in rows})
    return f"incident {gone[0]} is missing, its events are there" if gone else ""


def _incidents(connection: sql.Connection) -> tuple[Incident, ...]:
    """All incidents with the severity that they have now: a row keeps that of the opening, an event says each change."""
    query = sql.select(_EVENTS.c.incident, _EVENTS.c.data).where(_EVENTS.c.kind == SEV_CHANGED).order_by(_EVENTS.c.seq)
    now = {r.incident: str(sev) for r in connection.execute(query) if (sev := _data(r.data).get("sev"))}
    return tuple(replace(one, sev=now.get(one.id, one.sev)) for one in _rows(connection))


def _rows(connection: sql.Connection) -> tuple[Incident, ...]:
    rows = connection.execute(sql.select(_INCIDENTS).order_by(_INCIDENTS.c.id)).all()
    return tuple(Incident(r.id, Target(r.service, r.environment, r.slo), r.sev, r.opened, r.closed) for r in rows)


def _events(connection: sql.Connection, incident: int | None = None) -> tuple[Event, ...]:
    query = sql.select(_EVENTS).order_by(_EVENTS.c.seq)
    if incident is not None:
        query = query.where(_EVENTS.c.incident == incident)
    rows = connection.execute(query).all()
    return tuple(Event(r.seq, r.incident, r.time, r.phase, r.kind, r.text, _data(r.data), r.previous, r.hash) for r in rows)


def _append(
    connection: sql.Connection, incident: int, time: float, phase: str, kind: str, text: str, data: Mapping[str, Any]
) -> Event:
    last = connection.execute(sql.select(_EVENTS.c.seq, _EVENTS.c.hash).order_by(_EVENTS.c.seq.desc()).limit(1)).first()
    seq, previous = (last.seq + 1, last.hash) if last else (1, chain.GENESIS)
    # What is hashed is what comes back from the database: JSON and milliseconds.
    body = json.loads(json.dumps(data, allow_nan=False))
    text, time = clean(text, 4_000), _ms(time)
    made = Event(
        seq,
        incident,
        time,
        phase,
        kind,
        text,
        body,
        previous,
        chain.digest(previous, seq, incident, time, phase, kind, text, body),
    )
    connection.execute(_EVENTS.insert().values(
        seq=seq, incident=incident, time=time, phase=phase, kind=kind, text=text, data=json.dumps(body, sort_keys=True),
        previous=previous, hash=made.hash))  # fmt: skip
    return made


def _write(log: Log, work: Callable[[sql.Connection], _T]) -> _T:
    for left in reversed(range(_TRIES)):
        try:
            with _telling(log), log.engine.begin() as connection:
                _alone(connection)
                return work(connection)
        except _Again as error:
            if not left:
                raise Failed(str(error)) from None
    raise AssertionError("unreachable")


def _alone(connection: sql.Connection) -> None:
    """Wait until no other writer is at the log; SQLite does so at BEGIN IMMEDIATE, and the lock goes with the transaction."""
    if connection.dialect.name == "postgresql":
        connection.execute(sql.select(sql.func.pg_advisory_xact_lock(_LOCK)))


@contextmanager
def _reading(log: Log) -> Iterator[sql.Connection]:
    """A connection that sees one state of the log and keeps no writer waiting."""
    level = {} if log.engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
    with (
        _telling(log),
        log.engine.connect() as plain,
        plain.execution_options(**{_READS: True}, **level) as connection,
        connection.begin(),
    ):
        yield connection


class _Again(Exception):
    """Another writer was faster."""


@contextmanager
def _telling(log: Log) -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        raise _Again(f"{log.address}: cannot be written: {_line(error)}") from None
    except DatabaseError as error:
        said = _line(error)
        hint = "; it is another file: name a new one in incidents.store" if "not a database" in said else ""
        raise Failed(f"{log.address}: the incident log cannot be used: {said}{hint}") from None
    except (SQLAlchemyError, OSError) as error:
        raise Failed(f"{log.address}: the incident log cannot be used: {_line(error)}") from None


def _careful(engine: sql.Engine) -> None:
    # BEGIN IMMEDIATE: a writer holds the lock before it reads the newest event, so that two cannot follow the same one.
    @sql.event.listens_for(engine, "connect")
    def _(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")

    @sql.event.listens_for(engine, "begin")
    def _(connection: sql.Connection) -> None:
        # Of the file's journal a reader has a state of its own without any lock.
        connection.exec_driver_sql("BEGIN" if connection.get_execution_options().get(_READS) else "BEGIN IMMEDIATE")


def _data(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {"not JSON": text}
    return found if isinstance(found, dict) else {"not an object": found}


def _ms(time: float) -> float:
    return round(time, 3)


def _line(error: BaseException) -> str:
    return clean(str(getattr(error, "orig", None) or error).partition("\n")[0], 300)
