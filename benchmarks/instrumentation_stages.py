"""Where the time of one call goes: each stage timed by a wrapper, without the stages inside it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

import instrumentation_load as load

from truegreen.instrumentation import answers, completion, duplicates, enrich, later, model, processor, serving
from truegreen.instrumentation.settings import Settings

STAGES: Mapping[str, tuple[Any, str]] = {
    "start": (processor.TruegreenSpanProcessor, "on_start"),
    "start: is it a call of a model": (enrich.Enricher, "at_start"),
    "start: which calls are open": (duplicates.Duplicates, "opened"),
    "completion hook": (completion.Hook, "on_completion"),
    "end: the wrapper": (model.State, "__call__"),
    "end: what is decided now": (enrich.Enricher, "at_end"),
    "end: what serves": (serving.Serving, "note"),
    "end: is it in a sample": (answers.Answers, "samples"),
    "end: does it concern others": (duplicates.Duplicates, "alone"),
    "end: text": (enrich, "text_of"),
    "end: the rest is left": (later, "put"),
    "at the first look: the rest": (later, "_settle"),
}


def run(count: int, number: int) -> Mapping[str, float]:
    """Microseconds of each stage in one call."""
    own: dict[str, int] = dict.fromkeys(STAGES, 0)
    inside = [0]

    def timed(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            outside, inside[0] = inside[0], 0
            began = time.thread_time_ns()
            try:
                return original(*args, **kwargs)
            finally:
                took = time.thread_time_ns() - began
                own[name] += took - inside[0]
                inside[0] = outside + took

        return wrapper

    to, _ = load.batched()
    ask = load.call(load.client())
    with ExitStack() as stack:
        stack.callback(to.shutdown)
        stack.enter_context(load.truegreen(to, Settings(rate=0.0)))
        stack.enter_context(load.instrumented(load.available()[0], to, hook=True))
        for _ in range(number):
            ask()
        for name, (owner, attribute) in STAGES.items():
            stack.enter_context(patch.object(owner, attribute, timed(name, getattr(owner, attribute))))
        for _ in range(count * number):
            ask()
    return {name: took / (count * number) / 1e3 for name, took in own.items()}
