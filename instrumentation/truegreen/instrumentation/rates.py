"""Reads how many answers are evaluated: rates of evaluations, of services, and the cohorts that are evaluated in full."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def percentage(value: Any) -> float | None:
    """A rate, 0 to 1, from `5%` or `5`; None when it is not one, or a bare number under 1, which could mean either."""
    text = str(value).strip()
    try:
        number = float(text.removesuffix("%"))
    except ValueError:
        return None
    unclear = not text.endswith("%") and 0 < number < 1
    return number / 100 if 0 <= number <= 100 and not unclear and not isinstance(value, bool) else None


def _share(value: Any) -> float | None:
    """A rate as the generated file has it: a number from 0 to 1."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1 else None


def told(environ: Mapping[str, str], problems: list[str]) -> float | None:
    """The rate in TRUEGREEN_SAMPLING, which wins over all others; None without one."""
    said = environ.get("TRUEGREEN_SAMPLING")
    rate = percentage(said) if said else None
    if said and rate is None:
        problems.append(f"TRUEGREEN_SAMPLING: found {said!r}; write a percentage from 0% to 100%, such as 5%")
    return rate


def read(data: Mapping[str, Any], where: str, given: Any, problems: list[str]) -> tuple[float | None, Mapping[str, float]]:
    """The rate of all evaluations, None without one, and those of single ones."""
    listed = given if isinstance(given, dict) else {"": given}
    found: dict[str, float] = {}
    rate_of = _share if "version" in data else percentage
    for name, value in listed.items():
        rate = rate_of(value)
        if rate is None:
            problems.append(
                f"{where}.{name}: found {value!r}; write {'0 to 1' if 'version' in data else 'a percentage from 0% to 100%, such as 5%'}"
            )
        else:
            found[str(name)] = rate
    return found.pop("", None), found


def services(data: Mapping[str, Any], problems: list[str]) -> tuple[dict[str, Mapping[str, float]], dict[str, float]]:
    """The rates that differ in single services, and the volumes of services."""
    given = data.get("services", {})
    if given is None:
        given = {}
    if not isinstance(given, dict):
        problems.append(
            f"services: found {type(given).__name__}; write service to settings, such as {{checkout-bot: {{sampling: 5%}}}}"
        )
        return {}, {}
    found: dict[str, Mapping[str, float]] = {}
    volumes: dict[str, float] = {}
    for name, said in given.items():
        settings = said if isinstance(said, dict) else {}
        if "sampling" in settings:
            rate, single = read(data, f"services.{name}.sampling", settings["sampling"], problems)
            found[str(name)] = single if rate is None else {"": rate, **single}
        volume = settings.get("answers_per_hour")
        if isinstance(volume, int | float) and not isinstance(volume, bool) and volume > 0:
            volumes[str(name)] = volume
        elif volume is not None:
            problems.append(f"services.{name}.answers_per_hour: found {volume!r}; write a number over 0")
    return found, volumes


def boosted(given: Any, problems: list[str]) -> frozenset[str]:
    """The cohorts of which every answer is evaluated."""
    if isinstance(given, list) and all(isinstance(one, str) for one in given):
        return frozenset(given)
    problems.append(f"cohorts.boost: found {given!r}; write a list of cohorts, such as [vip]")
    return frozenset()
