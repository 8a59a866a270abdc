"""The attributes of a span that has ended, completed when somebody first looks at them: most often the exporter, in a thread of its own."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.trace import Span

from truegreen.instrumentation import failures
from truegreen.instrumentation.locks import Lock

Complete = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""A span's attributes to those that it lacks."""
_lock = Lock()
WAITING = 2_048
"""So many spans wait, as many as an exporter has in its queue unless it is told otherwise; then the oldest is completed."""
_waiting: deque[weakref.ref[Later]] = deque()


class Later(BoundedAttributes):
    """What a span's own attributes become until the first look.

    `_dict` is where the SDK's class keeps them, in every version from 1.30 to 1.45, and what each of its methods reads.
    """

    def __bool__(self) -> bool:
        """Whether there are any, without a look: the SDK asks."""
        return True

    def __deepcopy__(self, memo: dict[int, Any]) -> BoundedAttributes:
        """A copy that has nothing to wait for."""
        return BoundedAttributes(self.maxlen, dict(self._dict), True, self.max_value_len)

    @property
    def _dict(self) -> Any:
        if "_complete" in self.__dict__:
            _settle(self.__dict__)
        return self.__dict__["_dict"]

    @_dict.setter
    def _dict(self, value: Any) -> None:
        self.__dict__["_dict"] = value

    @property
    def dropped(self) -> int:
        """How many did not fit."""
        if "_complete" in self.__dict__:
            _settle(self.__dict__)
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
    if type(own) is BoundedAttributes and "_dict" in own.__dict__:
        own.__dict__["_complete"] = complete
        own.__class__ = Later
        _waiting.append(weakref.ref(own))  # type: ignore[arg-type]
        if len(_waiting) > WAITING:
            _look()
        return True
    return False  # the SDK keeps them in another way


def settle_all() -> None:
    """Look at all spans that wait."""
    while _waiting:
        _look()


def _look() -> None:
    try:
        held = _waiting.popleft()()
    except IndexError:  # another thread was faster
        return
    if held is not None and "_complete" in held.__dict__:
        _settle(held.__dict__)


def _settle(own: dict[str, Any]) -> None:
    """Complete the attributes; a second thread waits for the first."""
    try:
        with _lock:
            complete = own.get("_complete")
            if complete is None:
                return
            try:
                made = BoundedAttributes(own["maxlen"], None, False, own["max_value_len"])
                made.__dict__["_dict"], made.dropped = dict(own["_dict"]), own["dropped"]
                for name, value in complete(own["_dict"]).items():
                    made[name] = value
                own["_dict"], own["dropped"] = made.__dict__["_dict"], made.dropped
            finally:
                own.pop("_complete", None)
    except Exception as error:
        failures.count("completion of a span", error)
