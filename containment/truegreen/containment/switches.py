"""The switches: each reads its flag, gives what to do, and says on spans that it was in force."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from functools import wraps
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from typing import Any, TypeVar, cast

from truegreen.containment import applied, flags
from truegreen.containment.model import (
    CACHED_RESPONSE,
    DEGRADED_MODE,
    EVERY,
    FALLBACK_MODEL,
    FEATURE_DISABLED,
    PINNED_MODEL,
    PROVIDERS,
    REDUCED_CONTEXT,
    RETRIEVAL_INDEX,
    STRICT_GUARDRAIL,
    Target,
)
from truegreen.instrumentation import failures, notices

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])
STRICT, NORMAL = "strict", "normal"
ON, OFF = ("on", "true", "1", "yes"), ("off", "false", "0", "no")
MOST_PASSAGES = 1_000_000


@contextmanager
def model(default: str, provider: str = "") -> Iterator[str]:
    """The model to call inside the block: `default`, the pinned one, or the fallback, by flags `pinned_model` and `fallback_model`.

    A pin wins over a fallback. While either is in force, the GenAI spans that start in the block carry `truegreen.containment`.

    Args:
        default: the configured model.
        provider: `openai`, `anthropic` or `google`, where the block's client is of that provider: a fallback to another provider is not taken
            then, for the client could not serve it (`route` can). Empty takes any model that names no provider.
    """
    found, by = asked(Target(provider, default), (provider,) if provider else ())
    if not by:
        yield default
        return
    with applied.inside(by):
        yield found.model


def asked(default: Target, within: Sequence[str]) -> tuple[Target, str]:
    """What the flags say of the model, and the switch that says it; the default and an empty switch while none does.

    Args:
        within: the providers that can be called; a flag that names another one is not obeyed, and that is said once.
    """
    for flag in (PINNED_MODEL, FALLBACK_MODEL):
        value = flags.string(flag).strip()
        if not value:
            continue
        found = target(value, (*PROVIDERS, *within))
        if found.provider and found.provider not in within:
            notices.once(
                f"provider:{flag}:{value}",
                f"flag {flag}: {value!r} names provider {found.provider}, which this call cannot reach; nothing was switched. "
                f"Use containment.route with a client of it, or set a model of the same provider",
            )
            continue
        return Target(found.provider or default.provider, found.model), flag
    return default, ""


def target(value: str, providers: Sequence[str]) -> Target:
    """`PROVIDER:MODEL` or `MODEL` taken apart; a colon after anything but a provider belongs to the model (`ft:gpt-x:shop`)."""
    head, colon, rest = value.partition(":")
    return Target(head, rest) if colon and head in providers and rest else Target("", value)


def context(passages: Sequence[T]) -> Sequence[T]:
    """The passages to put into the prompt, best first: all of them, or the first N while flag `reduced_context` says N.

    Args:
        passages: any sequence, also a string's; what cannot be cut comes back as it is.
    """
    most = number(REDUCED_CONTEXT, MOST_PASSAGES)
    if most is None:
        return passages
    try:
        kept = passages[: int(most)]
    except Exception as error:
        failures.count("reduced context", error)
        return passages
    applied.moment(REDUCED_CONTEXT)
    return kept


def guardrail() -> str:
    """`strict` while flag `strict_guardrail` is on, else `normal`."""
    value = flags.string(STRICT_GUARDRAIL).strip().lower()
    if not value or value in OFF:
        return NORMAL
    if value not in (*ON, STRICT):
        flags.nonsense(STRICT_GUARDRAIL, value, "on")
        return NORMAL
    applied.moment(STRICT_GUARDRAIL)
    return STRICT


def feature(name: str) -> bool:
    """Whether a feature may run: not while flag `feature_disabled` names it, or every one by `*`."""
    off = {each.strip() for each in flags.string(FEATURE_DISABLED).split(",")} - {""}
    if name not in off and EVERY not in off:
        return True
    applied.moment(FEATURE_DISABLED)
    return False


def degraded() -> str:
    """What to tell the user in place of calling a model while flag `degraded_mode` is set; empty while it is not."""
    message = flags.string(DEGRADED_MODE)
    if message:
        applied.moment(DEGRADED_MODE)
    return message


def index(default: str) -> str:
    """The index, collection or namespace to search: `default`, or what flag `retrieval_index` names.

    It is no containment but a rollback, so nothing is stamped: the retrieval's span names the index itself.
    """
    return flags.string(RETRIEVAL_INDEX).strip() or default


def contained(name: str = "", *, says: Callable[[str], Any] = str, off: str = "") -> Callable[[F], F]:
    """Decorate what answers a user: while degraded mode is on, or its feature is off, it is not called.

    A function, a coroutine or a stream of either kind; a stream gives the message as its one item.

    Args:
        name: the feature; empty looks at degraded mode alone.
        says: makes the function's kind of answer from the message, such as `Reply`.
        off: the message while the feature is off.
    """

    def decorate(function: F) -> F:
        def instead() -> str | None:
            return degraded() or (None if not name or feature(name) else off)

        if iscoroutinefunction(function):

            @wraps(function)
            async def asynchronous(*args: Any, **kwargs: Any) -> Any:
                message = instead()
                return await function(*args, **kwargs) if message is None else says(message)

            return cast("F", asynchronous)
        if isasyncgenfunction(function):

            @wraps(function)
            async def stream(*args: Any, **kwargs: Any) -> Any:
                message = instead()
                if message is not None:
                    yield says(message)
                    return
                async with aclosing(function(*args, **kwargs)) as made:
                    async for item in made:
                        yield item

            return cast("F", stream)
        if isgeneratorfunction(function):

            @wraps(function)
            def generator(*args: Any, **kwargs: Any) -> Any:
                message = instead()
                if message is None:
                    return (yield from function(*args, **kwargs))
                yield says(message)
                return None

            return cast("F", generator)

        @wraps(function)
        def plain(*args: Any, **kwargs: Any) -> Any:
            message = instead()
            return function(*args, **kwargs) if message is None else says(message)

        return cast("F", plain)

    return decorate


def number(flag: str, most: float) -> float | None:
    """A flag's number, 0 to `most`; None while it is off, and where it is none, which is said once."""
    value = flags.string(flag).strip()
    if not value:
        return None
    try:
        found = float(value)
    except ValueError:
        found = -1.0
    whole = flag == CACHED_RESPONSE or found == int(found) if 0 <= found <= most else False
    if not whole:
        flags.nonsense(flag, value, f"a number from 0 to {most:g}")
        return None
    return found
