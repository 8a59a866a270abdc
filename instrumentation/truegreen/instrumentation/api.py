"""What an application says of a request as a whole. Nothing here raises; it works in threads, tasks and generators as far as the context does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace

from truegreen.core.words import attributes as names
from truegreen.instrumentation import context, failures
from truegreen.instrumentation.model import state_of
from truegreen.instrumentation.passages import Passages
from truegreen.instrumentation.text import Text, encodable


@contextmanager
def traffic(*, session_id: str = "", user_id: str = "", cohort: str = "", boost: bool = False) -> Iterator[None]:
    """Say whose request the block serves; also joins `retrieval` and answers where no span of the application does.

    Args:
        session_id: becomes `session.id`.
        user_id: becomes `user.id`.
        cohort: becomes `truegreen.cohort`: a few values, such as the plan.
        boost: evaluate all answers in the block; those outside the base sample are marked `boost` and stay out of SLO counts.
    """
    stamps: dict[str, str] = {}
    for name, value in ((names.SESSION_ID, session_id), (names.USER_ID, user_id), (names.COHORT, cohort)):
        try:
            if value:
                stamps[name] = encodable(str(value))
        except Exception as error:
            failures.count("traffic", error)
    with context.carry(stamps_=stamps, request_=Passages(), boost=boost):
        yield


def answer(*, query: str = "", answer: str = "") -> None:
    """Show the text of the current GenAI span to the evaluators, for libraries that have no completion hook; call it inside the span."""
    try:
        found = state_of(trace.get_current_span())
        if found is not None:
            found.told = Text(answer=answer, query=query)
    except Exception as error:
        failures.count("answer", error)
