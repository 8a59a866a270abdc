"""A block around calls: as a decorator of functions, coroutines and generators, and for a thread that has to get its context handed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator
from contextlib import AbstractContextManager
from functools import wraps
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from typing import Any, TypeVar, cast

from opentelemetry import context as otel

_Function = TypeVar("_Function", bound=Callable[..., Any])


def decorated(function: Callable[..., Any], block: Callable[[], AbstractContextManager[Any]]) -> Callable[..., Any]:
    """`function` with every call inside a block of its own.

    A generator is inside it from one `yield` to the next, and its caller is not in between; what is sent or thrown into it is passed on.

    Args:
        block: makes a new context manager.
    """
    if iscoroutinefunction(function):

        @wraps(function)
        async def coroutine(*args: Any, **kwargs: Any) -> Any:
            with block():
                return await function(*args, **kwargs)

        return coroutine
    if isasyncgenfunction(function):

        @wraps(function)
        async def stream(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            made = function(*args, **kwargs)
            step, given = made.asend, None
            try:
                while True:
                    try:
                        with block():
                            item = await step(given)
                    except StopAsyncIteration:
                        return
                    try:
                        step, given = made.asend, (yield item)
                    except Exception as error:
                        step, given = made.athrow, error
            finally:
                with block():
                    await made.aclose()

        return stream
    if isgeneratorfunction(function):

        @wraps(function)
        def generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            made = function(*args, **kwargs)
            step, given = made.send, None
            try:
                while True:
                    try:
                        with block():
                            item = step(given)
                    except StopIteration as end:
                        return end.value
                    try:
                        step, given = made.send, (yield item)
                    except Exception as error:
                        step, given = made.throw, error
            finally:
                with block():
                    made.close()

        return generator

    @wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        with block():
            return function(*args, **kwargs)

    return called


def carried(function: _Function) -> _Function:
    """`function` for another thread, with the OpenTelemetry context of this place: `pool.submit(snapshot.carried(ask), question)`.

    Needed for `threading.Thread` and thread pools, unless opentelemetry-instrumentation-threading is installed, which does the same.
    `asyncio.to_thread`, tasks and callbacks of asyncio have the context by themselves; `loop.run_in_executor` has not.
    """
    here = otel.get_current()

    @wraps(function)
    def inside(*args: Any, **kwargs: Any) -> Any:
        token = otel.attach(here)
        try:
            return function(*args, **kwargs)
        finally:
            otel.detach(token)

    return cast("_Function", inside)
