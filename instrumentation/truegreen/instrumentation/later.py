"""The attributes of a span that has ended, completed when somebody first looks at them: most often the exporter, in a thread of its own."""

from __future__ import annotations

import copy
import os
from collections import deque
from collections.abc import Callable, Mapping
from threading import RLock
from typing import Any

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.trace import Span

from truegreen.instrumentation import failures

Complete = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""A span's attributes to those that it lacks."""
WAITING = 2_048
"""So many spans wait, as many as an exporter has in its queue unless it is told otherwise; then the oldest is completed."""
PATIENCE = 1.0
"""Seconds for which who looks second waits for the first: who looks may hold a lock that the first one needs, such as a log handler's."""
_waiting: deque[list[Later]] = deque()
"""Each in a cell of its own, which is empty once somebody has looked."""


class Later(BoundedAttributes):
    """What a span's own attributes become until the first look.

    `_dict` is where the SDK's class keeps them, in every version from 1.30 to 1.45, and what each of its methods reads.
    """

    def __bool__(self) -> bool:
        """Whether there are any, without a look: the SDK asks."""
        return True

    def __copy__(self) -> BoundedAttributes:
        """A copy that has nothing to wait for."""
        _settle(self)
        return copy.copy(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> BoundedAttributes:
        """A copy that has nothing to wait for."""
        made = BoundedAttributes(self.maxlen, dict(self._dict), True, self.max_value_len)
        memo[id(self)], made.dropped = made, self.dropped
        return made

    @property
    def _dict(self) -> Any:
        _settle(self)
        return self.__dict__["_dict"]

    @_dict.setter
    def _dict(self, value: Any) -> None:
        self.__dict__["_dict"] = value

    @property
    def dropped(self) -> int:
        """How many did not fit."""
        _settle(self)
        return self.__dict__["dropped"]  # type: ignore[no-any-return]

    @dropped.setter
    def dropped(self, value: int) -> None:
        self.__dict__["dropped"] = value


def put(span: Span, complete: Complete) -> bool:
    """Have a span that is about to end get more attributes at the first look at them.

    Args:
        complete: gives them.

    Returns:
        Whether they wait.
    """
    own = getattr(span, "_attributes", None)
    if type(own) is not BoundedAttributes or "_dict" not in (held := own.__dict__):
        return False  # the SDK keeps them in another way
    held["_complete"], held["_cell"] = complete, (cell := [own])
    own.__class__ = Later
    _waiting.append(cell)  # type: ignore[arg-type]
    if len(_waiting) > WAITING:
        _look()
    return True


def settle_all() -> None:
    """Look at all spans that wait."""
    while _waiting:
        _look()


def _look() -> None:
    try:
        cell = _waiting.popleft()
        held = cell[0] if cell else None
    except IndexError:  # another thread was faster
        return
    if held is not None:
        _settle(held)


def _settle(held: Later) -> None:
    """Complete the attributes, which are plain ones from then on; a second thread waits for the first."""
    own = held.__dict__
    try:
        lock = own.setdefault("_settling", RLock())
        if not lock.acquire(timeout=PATIENCE):
            failures.count("completion of a span", TimeoutError())
            return
        try:
            complete = own.pop("_complete", None)
            if complete is None:  # it is done, or this is the same thread in the middle of it
                return
            try:
                made = BoundedAttributes(own["maxlen"], None, False, own["max_value_len"])
                made.__dict__["_dict"], made.dropped = dict(own["_dict"]), own["dropped"]
                for name, value in complete(own["_dict"]).items():
                    made[name] = value
                own["_dict"], own["dropped"] = made.__dict__["_dict"], made.dropped
            finally:
                own.pop("_cell").clear()
                held.__class__ = BoundedAttributes  # type: ignore[assignment]
        finally:
            lock.release()
            own.pop("_settling", None)
    except Exception as error:
        failures.count("completion of a span", error)


if hasattr(os, "register_at_fork"):  # what waits is the parent's to look at, and another thread may be in the middle of it
    os.register_at_fork(after_in_child=_waiting.clear)
