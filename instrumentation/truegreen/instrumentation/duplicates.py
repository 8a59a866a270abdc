"""Two instrumentors in one process make two spans of one call; only one of them may be counted."""

from __future__ import annotations

from collections import OrderedDict
from time import time_ns

from opentelemetry.sdk.trace import Span

from truegreen.core.words import attributes as names
from truegreen.core.words.normalise import View, read, select
from truegreen.instrumentation.call import Call, scope_of
from truegreen.instrumentation.locks import Lock

KEPT = 2_048


class Duplicates:
    """The response ids of the last 2,048 calls."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, tuple[str, int]] = OrderedDict()
        self._lock = Lock()

    def is_one(self, call: Call) -> bool:
        """Whether a span repeats a call that another span of this process stands for.

        It does when its parent, ended or not, is an LLM span with the same model, or when a span of another library that overlaps it in time had
        the same response id.
        """
        above = call.state.parent
        if isinstance(above, Span) and _same_call(above, call):
            return True
        identity = call.read("response_id")
        if not identity:
            return False
        now, start, scope = time_ns(), call.span.start_time or 0, scope_of(call.span)
        with self._lock:
            known = self._seen.get(identity)
            if known is not None and known[0] != scope and start <= known[1]:
                return True
            self._seen[identity] = (scope, now)
            while len(self._seen) > KEPT:
                self._seen.popitem(last=False)
        return False


def _same_call(parent: Span, call: Call) -> bool:
    attributes = parent.attributes or {}
    other = select(scope_of(parent), attributes)
    if other is None:
        return False
    above = View(attributes)
    if read(other, "operation", above) not in names.LLM_OPERATIONS:
        return False
    asked = {read(other, "request_model", above), read(other, "response_model", above)} - {None}
    return bool(asked & {call.read("request_model"), call.read("response_model")})
