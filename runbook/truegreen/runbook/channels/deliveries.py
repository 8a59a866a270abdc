"""What was delivered, in a table beside the log: so that two processes do not tell the same twice. The second file that writes SQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import sqlalchemy as sql
from sqlalchemy.exc import IntegrityError, OperationalError, SQLAlchemyError

from truegreen.core.errors import Failed
from truegreen.runbook.channels.model import BEGUN, DONE, Delivery
from truegreen.runbook.clean import clean
from truegreen.runbook.log import Log

LEASE: Final = 60.0
"""Seconds for which nobody else tries what was begun: longer than all requests of one delivery may take."""
_META: Final = sql.MetaData()
_TABLE: Final = sql.Table(
    "deliveries", _META,
    sql.Column("key", sql.String(200), primary_key=True),
    sql.Column("incident", sql.Integer, nullable=False, index=True),
    sql.Column("state", sql.Text, nullable=False),
    sql.Column("attempts", sql.Integer, nullable=False),
    sql.Column("due", sql.Double, nullable=False),
    sql.Column("ref", sql.Text, nullable=False),
    sql.Column("said", sql.Text, nullable=False),
)  # fmt: skip


def prepare(log: Log) -> None:
    """Make the table where it is not there."""
    try:
        with _telling(log):
            _META.create_all(log.engine)
    except (Failed, _Taken):
        # Two that begin at once both make it: for the slower one it is there the second time.
        with _telling(log):
            _META.create_all(log.engine)


def known(log: Log, incident: int) -> Mapping[str, Delivery]:
    """Key to how it stands, of one incident."""
    with _telling(log), log.engine.connect() as connection:
        rows = connection.execute(sql.select(_TABLE).where(_TABLE.c.incident == incident)).all()
    return {row.key: Delivery(row.key, row.state, row.attempts, row.due, row.ref, row.said) for row in rows}


def claim(log: Log, incident: int, key: str, now: float) -> Delivery | None:
    """Take an item to deliver it; how it stood before, or None when it is done, not due, or somebody else's.

    Returns:
        A state of `BEGUN` says that an attempt before this one stopped in the middle, and may have arrived.
    """
    try:
        with _telling(log), log.engine.begin() as connection:
            row = connection.execute(sql.select(_TABLE).where(_TABLE.c.key == key)).first()
            if row is None:
                connection.execute(_TABLE.insert().values(
                    key=key, incident=incident, state=BEGUN, attempts=1, due=now + LEASE, ref="", said=""))  # fmt: skip
                return Delivery(key, "", 0, now)
            if row.state == DONE or row.due > now:
                return None
            same = (_TABLE.c.key == key) & (_TABLE.c.state == row.state) & (_TABLE.c.due == row.due)
            taken = connection.execute(
                _TABLE.update().where(same).values(state=BEGUN, attempts=row.attempts + 1, due=now + LEASE)
            )
            return Delivery(key, row.state, row.attempts, row.due, row.ref, row.said) if taken.rowcount else None
    except _Taken:
        return None


def settle(log: Log, key: str, state: str, due: float, ref: str = "", said: str = "") -> None:
    """Write down what became of a claimed item."""
    with _telling(log), log.engine.begin() as connection:
        connection.execute(
            _TABLE.update().where(_TABLE.c.key == key).values(state=state, due=due, ref=clean(ref, 500), said=clean(said, 500))
        )


class _Taken(Exception):
    """Another process was faster."""


@contextmanager
def _telling(log: Log) -> Iterator[None]:
    try:
        yield
    except IntegrityError:
        raise _Taken from None
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", "") == "40001":  # PostgreSQL: could not serialize, the other one has it.
            raise _Taken from None
        raise Failed(f"{log.address}: what was delivered cannot be looked up: {clean(error.orig, 300)}") from None
    except (SQLAlchemyError, OSError) as error:
        raise Failed(f"{log.address}: what was delivered cannot be looked up: {clean(error, 300)}") from None
