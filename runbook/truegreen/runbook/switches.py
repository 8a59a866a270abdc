"""The switches of `truegreen contain`, as data: which flag, which value, and what shows on spans that it is in force."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from truegreen.containment.model import (
    CACHED_RESPONSE,
    DEGRADED_MODE,
    EVALUATION_BOOST,
    FALLBACK_MODEL,
    FEATURE_DISABLED,
    PINNED_MODEL,
    REDUCED_CONTEXT,
    STRICT_GUARDRAIL,
)
from truegreen.core.config.response import Containment
from truegreen.core.errors import BadInput
from truegreen.instrumentation.rates import percentage
from truegreen.runbook.clean import clean
from truegreen.runbook.model import Event
from truegreen.runbook.times import iso

OWN: Final = "run:"
"""Before the name of a switch of the team's own, where the log names a flag."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a switch's value is made from.

    Args:
        given: the word of the command line, empty where there is none.
        config: what `truegreen.yaml` says.
        triaged: the last triage of the incident, None without one.
        now: unix seconds.
    """

    given: str
    config: Containment
    triaged: Event | None
    now: float


@dataclass(frozen=True, slots=True)
class Switch:
    """One switch.

    Args:
        value: the word given to the flag's value; raises `BadInput`.
        says: the change in words, with `{}` for the value.
        metric: the counter that shows it, `contained` (by its stamp, named as the flag) or `boosted`.
        served: whether requests must be seen on the model named too.
        adds: whether the value joins those that the flag has already.
    """

    name: str
    flag: str
    value: Callable[[Asked], str]
    says: str
    metric: str = "contained"
    served: bool = False
    adds: bool = False


def _model(asked: Asked) -> str:
    return _line("MODEL", asked.given, 200)


def _fallback(asked: Asked) -> str:
    found = asked.given or asked.config.fallback
    if not found:
        raise BadInput("fallback to what? give MODEL or PROVIDER:MODEL, or set containment.fallback in truegreen.yaml")
    return _line("PROVIDER:MODEL", found, 200)


def _passages(asked: Asked) -> str:
    if not asked.given.isdecimal() or not 1 <= int(asked.given) <= 10_000:
        raise BadInput(f"N: found {clean(asked.given, 60)!r}, expected how many passages a prompt may have at most, such as 3")
    return str(int(asked.given))


def _before(asked: Asked) -> str:
    if not asked.given:
        start = asked.triaged.data.get("start") if asked.triaged else None
        if not start:
            raise BadInput(
                "from when on are answers in doubt? the last triage names no true start: give --before 2026-01-31T03:04:05Z"
            )
        return f"{float(start['low']):.3f}"
    try:
        moment = datetime.fromisoformat(asked.given)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise BadInput(
            f"--before: found {clean(asked.given, 60)!r}, expected a moment with its zone, such as 2026-01-31T03:04:05Z"
        )
    if moment.timestamp() > asked.now:
        raise BadInput(f"--before: {iso(moment.timestamp())} lies ahead: nothing in the cache would be left out")
    return f"{moment.timestamp():.3f}"


def _on(_: Asked) -> str:
    return "on"


def _feature(asked: Asked) -> str:
    name = _line("NAME", asked.given, 200)
    if "," in name:
        raise BadInput(f"NAME: found {name!r}, expected one feature, without a comma; run it once for each")
    return name.strip()


def _message(asked: Asked) -> str:
    return _line("--message", asked.given or asked.config.degraded_message, 1_000)


def _share(asked: Asked) -> str:
    share = percentage(asked.given or "100%")
    if not share:
        raise BadInput(f"PERCENT: found {clean(asked.given, 60)!r}, expected more than 0% and at most 100%, such as 100%")
    return f"{share * 100:g}%"


def _line(what: str, text: str, most: int) -> str:
    if not text.strip() or text != clean(text, most):
        raise BadInput(f"{what}: found {clean(text, 100)!r}, expected one line of at most {most} characters")
    return text


TABLE: Final = (
    Switch("pin-model", PINNED_MODEL, _model, "pin {}", served=True),
    Switch("fallback", FALLBACK_MODEL, _fallback, "reroute to {}", served=True),
    Switch("reduce-context", REDUCED_CONTEXT, _passages, "reduce the context to {} passages"),
    Switch("cached", CACHED_RESPONSE, _before, "answer from the cache, nothing younger than {}"),
    Switch("strict-guardrail", STRICT_GUARDRAIL, _on, "make guardrails strict"),
    Switch("feature-off", FEATURE_DISABLED, _feature, "turn off feature {}", adds=True),
    Switch("degraded", DEGRADED_MODE, _message, "turn degraded mode on"),
    Switch("boost", EVALUATION_BOOST, _share, "evaluate {} of answers", metric="boosted"),
)
BY_NAME: Final[Mapping[str, Switch]] = {switch.name: switch for switch in TABLE}


def joined(switch: Switch, value: str) -> str | Callable[[str], str]:
    """The value to set; where it joins others, a function of the value of before."""
    if not switch.adds:
        return value
    return lambda before: ",".join(sorted({*filter(None, (part.strip() for part in before.split(","))), value}))


def shown(name: str, value: str) -> str:
    """A flag's value for people: a moment as UTC, a long text cut."""
    if name == CACHED_RESPONSE and value:
        try:
            return iso(float(value))
        except (ValueError, OverflowError, OSError):
            return clean(value, 60)
    return clean(value, 80)


def words(switch: Switch, value: str) -> str:
    """The change in words."""
    return switch.says.format(shown(switch.flag, value))
