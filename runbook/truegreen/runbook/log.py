"""The incident log: append-only and hash-chained, in one SQLite file by default. The only file that writes SQL of its tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

import sqlalchemy as sql

from truegreen.core.errors import Failed
from truegreen.runbook import chain, database
from truegreen.runbook.clean import clean
from truegreen.runbook.database import EVENTS, INCIDENTS, Log, open_log, shown
from truegreen.runbook.model import Event, Incident, Target

_T = TypeVar("_T")
__all__ = ["Draft", "Log", "Verified", "alone", "append", "close_incident", "events", "head", "incidents", "open_incident", "open_log",
           "recent", "shown", "verified", "verify"]  # fmt: skip
SEV_CHANGED: Final = "sev changed"
AFTERWARDS: Final = 4 * 86_400.0
"""Seconds after its last event for which an incident that is closed is still looked at: the law reminds 48 hours after what was
recorded, also of what is recorded after the end, and nothing may have run for two days."""
_TRIES: Final = 5
"""On servers without a lock of ours two writers may pick one seq: the primary key refuses the second, which tries again."""


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
        number = (self._connection.execute(sql.select(sql.func.max(INCIDENTS.c.id))).scalar() or 0) + 1
        made = Incident(number, target, sev, _ms(time))
        self._connection.execute(INCIDENTS.insert().values(
            id=number, service=target.service, environment=target.environment, slo=target.slo, sev=sev, opened=made.opened))  # fmt: skip
        self.append(number, time, "detect", "incident opened", text, facts)
        return made

    def append(self, incident: int, time: float, phase: str, kind: str, text: str, data: Mapping[str, Any]) -> Event:
        """Add one event."""
        return _append(self._connection, incident, time, phase, kind, text, data)

    def close(self, incident: int, time: float, text: str, data: Mapping[str, Any]) -> Event:
        """Add the closing event and mark the incident closed.

        Raises:
            Failed: it is not open.
        """
        is_open = (INCIDENTS.c.id == incident, INCIDENTS.c.closed.is_(None))
        if self._connection.execute(INCIDENTS.update().where(*is_open).values(closed=_ms(time))).rowcount != 1:
            raise Failed(f"incident {incident} is not open: somebody closed it meanwhile; see truegreen incident show {incident}")
        return self.append(incident, time, "review", "incident closed", text, data)


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
    """As `Draft.close`, where nothing has to be looked at before."""
    return alone(log, lambda draft: draft.close(incident, time, text, data))


def incidents(log: Log) -> tuple[Incident, ...]:
    """All incidents, oldest first."""
    with database.reading(log) as connection:
        return _incidents(connection)


def recent(log: Log, now: float) -> tuple[Incident, ...]:
    """Those that are open, and those of which something was written less than `AFTERWARDS` ago; oldest first."""
    query = sql.select(EVENTS.c.incident).group_by(EVENTS.c.incident).having(sql.func.max(EVENTS.c.time) > now - AFTERWARDS)
    with database.reading(log) as connection:
        touched = set(connection.execute(query).scalars())
        return tuple(one for one in _incidents(connection) if one.closed is None or one.id in touched)


def events(log: Log, incident: int | None = None) -> tuple[Event, ...]:
    """The events of one incident, or of the whole log, in order."""
    with database.reading(log) as connection:
        return _events(connection, incident)


def head(log: Log) -> str:
    """The newest hash, or the genesis hash of an empty log."""
    with database.reading(log) as connection:
        return connection.execute(sql.select(EVENTS.c.hash).order_by(EVENTS.c.seq.desc()).limit(1)).scalar() or chain.GENESIS


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
    with database.reading(log) as connection:
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
    query = sql.select(EVENTS.c.incident, EVENTS.c.data).where(EVENTS.c.kind == SEV_CHANGED).order_by(EVENTS.c.seq)
    now = {r.incident: str(sev) for r in connection.execute(query) if (sev := _data(r.data).get("sev"))}
    return tuple(replace(one, sev=now.get(one.id, one.sev)) for one in _rows(connection))


def _rows(connection: sql.Connection) -> tuple[Incident, ...]:
    rows = connection.execute(sql.select(INCIDENTS).order_by(INCIDENTS.c.id)).all()
    return tuple(
        Incident(r.id, Target(str(r.service), str(r.environment), str(r.slo)), str(r.sev), _time(r.opened), None if r.closed is None else _time(r.closed))
        for r in rows
    )  # fmt: skip


def _time(value: object) -> float:
    # SQLite keeps whatever somebody writes into a column; what is no time is the beginning of all, and verify says what was altered.
    return value if isinstance(value, float) else float(value) if isinstance(value, int) else 0.0


def _events(connection: sql.Connection, incident: int | None = None) -> tuple[Event, ...]:
    query = sql.select(EVENTS).order_by(EVENTS.c.seq)
    if incident is not None:
        query = query.where(EVENTS.c.incident == incident)
    rows = connection.execute(query).all()
    return tuple(
        Event(
            r.seq, r.incident, _time(r.time), str(r.phase), str(r.kind), str(r.text), _data(r.data), str(r.previous), str(r.hash)
        )
        for r in rows
    )


def _append(
    connection: sql.Connection, incident: int, time: float, phase: str, kind: str, text: str, data: Mapping[str, Any]
) -> Event:
    last = connection.execute(sql.select(EVENTS.c.seq, EVENTS.c.hash).order_by(EVENTS.c.seq.desc()).limit(1)).first()
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
    connection.execute(EVENTS.insert().values(
        seq=seq, incident=incident, time=time, phase=phase, kind=kind, text=text, data=json.dumps(body, sort_keys=True),
        previous=previous, hash=made.hash))  # fmt: skip
    return made


def _write(log: Log, work: Callable[[sql.Connection], _T]) -> _T:
    for left in reversed(range(_TRIES)):
        try:
            with database.telling(log), log.engine.begin() as connection:
                database.alone(connection)
                return work(connection)
        except database.Again as error:
            if not left:
                raise Failed(str(error)) from None
    raise AssertionError("unreachable")


def _data(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return {"not JSON": str(text)}
    return found if isinstance(found, dict) else {"not an object": found}


def _ms(time: float) -> float:
    return round(time, 3)
