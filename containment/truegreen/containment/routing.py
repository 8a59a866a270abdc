"""One way to ask a model whose provider may change: by a flag, or because the provider fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from inspect import iscoroutinefunction
from typing import Any

from truegreen.containment import applied, errors, switches
from truegreen.containment.breaking import Breaker
from truegreen.containment.model import FALLBACK_MODEL, Target
from truegreen.instrumentation import notices

Call = Callable[..., Any]


def route(
    calls: Mapping[str, Call],
    *,
    default: str,
    fallback: str = "",
    breakers: Mapping[str, Breaker] | None = None,
    fails_over: Callable[[BaseException], bool] = errors.counts,
) -> Callable[..., Any]:
    """A function `ask(messages, *, model="", **options)` that calls the right provider with the right model.

    The pinned model, else the flag's fallback, else `default` is called. When that fails, or its circuit is open, `fallback` is called, stamped
    `fallback_model`. What the last one raises is raised. `model` replaces the default in one call, as `rollout` says it.

    Args:
        calls: provider to `call(model, messages, **options)`, all plain or all coroutine functions; `containment.sdks` has those of three SDKs.
        default: `PROVIDER:MODEL`, the provider being one of `calls`.
        fallback: the same, or empty for none but the flag's.
        breakers: provider to its circuit breaker.
        fails_over: whether an exception makes the fallback be asked; a streamed answer has failed only where the call itself raises.

    Raises:
        ValueError: a model names no provider of `calls`, or plain and coroutine functions are mixed.
    """
    providers = tuple(calls)
    first = _known(default, providers, "default")
    second = _known(fallback, providers, "fallback") if fallback else None
    kinds = {_is_async(call) for call in calls.values()}
    if len(kinds) > 1:
        raise ValueError("route: found plain and coroutine functions; give all calls of one kind")
    guards = dict(breakers or {})

    def plan(model: str) -> list[tuple[Target, str]]:
        given = switches.target(model, providers) if model else first
        found, by = switches.asked(Target(given.provider or first.provider, given.model), providers)
        spare = [(second, FALLBACK_MODEL)] if second is not None and second != found else []
        return [(found, by), *spare]

    def goes_on(at: int, steps: Sequence[tuple[Target, str]], error: Exception) -> bool:
        if at + 1 >= len(steps) or not fails_over(error):
            return False
        _say(steps[at][0], steps[at + 1][0], error)
        return True

    if kinds == {True}:

        async def asynchronous(messages: Any, *, model: str = "", **options: Any) -> Any:
            steps = plan(model)
            for at, (target, by) in enumerate(steps):
                call, guard = calls[target.provider], guards.get(target.provider)
                try:
                    with applied.inside(by):
                        if guard is None:
                            return await call(target.model, messages, **options)
                        return await guard.acall(call, target.model, messages, **options)
                except Exception as error:
                    if not goes_on(at, steps, error):
                        raise
            raise AssertionError  # the last step returned or raised

        return asynchronous

    def plain(messages: Any, *, model: str = "", **options: Any) -> Any:
        steps = plan(model)
        for at, (target, by) in enumerate(steps):
            call, guard = calls[target.provider], guards.get(target.provider)
            try:
                with applied.inside(by):
                    if guard is None:
                        return call(target.model, messages, **options)
                    return guard.call(call, target.model, messages, **options)
            except Exception as error:
                if not goes_on(at, steps, error):
                    raise
        raise AssertionError  # the last step returned or raised

    return plain


def _known(value: str, providers: Sequence[str], what: str) -> Target:
    found = switches.target(value, providers)
    if not found.provider:
        raise ValueError(
            f"route: {what}: found {value!r}; write PROVIDER:MODEL with a provider of {', '.join(providers) or 'calls'}"
        )
    return found


def _is_async(call: Call) -> bool:
    return iscoroutinefunction(call) or iscoroutinefunction(getattr(call, "__call__", None))  # noqa: B004 - an object that is called


def _say(before: Target, after: Target, error: Exception) -> None:
    asked, served = f"{before.provider}:{before.model}", f"{after.provider}:{after.model}"
    applied.failed_over(asked, served, error)
    notices.once(f"failover:{asked}", f"{asked} failed ({type(error).__name__}); {served} is asked in its place")
