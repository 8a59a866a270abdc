"""What surrounds each call of a decorated function, be it a plain one, a coroutine or a generator of either kind; and context for a thread."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import AbstractContextManager
from functools import partial, wraps
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from typing import Any, Protocol, TypeVar, cast

from opentelemetry import context as otel

F = TypeVar("F", bound=Callable[..., Any])


class Turn(Protocol):
    """One call of a decorated function."""

    keeps: int
    """How many items of a generator `returned` is shown, the first ones."""

    def inside(self) -> AbstractContextManager[Any]:
        """Where the function runs; of a generator, from one `yield` to the next: its reader is not inside."""
        ...

    def returned(self, result: Any) -> None:
        """It returned this, or a generator has yielded this list; called inside."""

    def ended(self, error: BaseException | None) -> None:
        """It is over; with `GeneratorExit` when a reader has read enough."""


class Within:
    """A turn that is inside a block and looks at nothing."""

    keeps = 0

    def __init__(self, block: Callable[[], AbstractContextManager[Any]]) -> None:
        self.inside = block

    def returned(self, result: Any) -> None:
        """Nothing."""

    def ended(self, error: BaseException | None) -> None:
        """Nothing."""


def decorated(function: F, begin: Callable[[tuple[Any, ...], Mapping[str, Any]], Turn]) -> F:
    """`function` with a turn around each call; what is sent or thrown into a generator is passed on to it.

    Args:
        begin: makes the turn of a call from its arguments.
    """
    for is_one, make in ((isasyncgenfunction, _stream), (iscoroutinefunction, _coroutine), (isgeneratorfunction, _generator)):
        if is_one(function):
            return cast("F", wraps(function)(make(function, begin)))
    return cast("F", wraps(function)(_plain(function, begin)))


def carried(function: F) -> F:
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

    return cast("F", inside)


def _plain(function: Callable[..., Any], begin: Callable[..., Turn]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        turn = begin(args, kwargs)
        try:
            with turn.inside():
                result = function(*args, **kwargs)
                turn.returned(result)
        except BaseException as error:
            turn.ended(error)
            raise
        turn.ended(None)
        return result

    return call


def _coroutine(function: Callable[..., Any], begin: Callable[..., Turn]) -> Callable[..., Any]:
    async def coroutine(*args: Any, **kwargs: Any) -> Any:
        turn = begin(args, kwargs)
        try:
            with turn.inside():
                result = await function(*args, **kwargs)
                turn.returned(result)
        except BaseException as error:
            turn.ended(error)
            raise
        turn.ended(None)
        return result

    return coroutine


def _generator(function: Callable[..., Any], begin: Callable[..., Turn]) -> Callable[..., Any]:
    def generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        turn, items = begin(args, kwargs), list[Any]()
        try:
            made = function(*args, **kwargs)
            step = partial(made.send, None)
            while True:
                with turn.inside():
                    try:
                        item = step()
                    except StopIteration as end:
                        result = end.value
                        turn.returned(items)
                        break
                if len(items) < turn.keeps:
                    items.append(item)
                try:
                    step = partial(made.send, (yield item))
                except GeneratorExit:
                    with turn.inside():
                        made.close()
                    raise
                except BaseException as error:
                    step = partial(made.throw, error)
        except BaseException as error:
            turn.ended(error)
            raise
        turn.ended(None)
        return result

    return generator


def _stream(function: Callable[..., Any], begin: Callable[..., Turn]) -> Callable[..., Any]:
    async def stream(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        turn, items = begin(args, kwargs), list[Any]()
        try:
            made = function(*args, **kwargs)
            step = partial(made.asend, None)
            while True:
                with turn.inside():
                    try:
                        item = await step()
                    except StopAsyncIteration:
                        turn.returned(items)
                        break
                if len(items) < turn.keeps:
                    items.append(item)
                try:
                    step = partial(made.asend, (yield item))
                except GeneratorExit:
                    with turn.inside():
                        await made.aclose()
                    raise
                except BaseException as error:
                    step = partial(made.athrow, error)
        except BaseException as error:
            turn.ended(error)
            raise
        turn.ended(None)

    return stream
