"""Whom Alertmanager tells, and when it keeps quiet, as `routes` of `truegreen.yaml` says it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from zoneinfo import available_timezones

from truegreen.core.config.addresses import Problem, links, secrets
from truegreen.core.config.check import short
from truegreen.core.config.model import Mute, Routes, Target
from truegreen.core.config.source import Path, Source
from truegreen.core.errors import BadInput

WATCHDOG: Final = "watchdog"
"""The key of what hears the watchdog, beside the sevs."""
OLDEST: Final = (0, 25)
"""Of Alertmanagers, the oldest that this was run with: it reads every key from a file."""
ADDRESS_FILE: Final = (0, 26)
"""The first Alertmanager whose webhooks take an address from a file, and that reads what Slack's API answers."""
_ABSOLUTE: Final = re.compile(r"/|[A-Za-z]:[\\/]")
_DAYS: Final = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
"""In the order in which Alertmanager counts them."""
_TYPES: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "pagerduty": (("secret_file",), ("url",)),
    "opsgenie": (("secret_file",), ("url",)),
    "incidentio": (("secret_file", "url"), ()),
    "rootly": (("secret_file",), ("url",)),
    "slack": (("secret_file",), ("channel", "url")),
    "webhook": ((), ("secret_file", "url")),
}
"""Of each type of target, the keys that it needs and those that it may have."""


def routes(source: Source) -> Routes:
    """The routes of a checked source.

    Raises:
        BadInput: a secret stands in the file, a target lacks what its type needs or has what the Alertmanager is too old for, or a mute can never
            begin; one line for each.
    """
    given = source.data["routes"]
    problems = list(_problems(given))
    if problems:
        raise BadInput("\n".join(f"{source.at(('routes', *path))}: {said}" for path, said in problems))
    mute = tuple(
        Mute(**{**each, **{key: tuple(dict.fromkeys(map(str, each.get(key, ())))) for key in ("sev", "weekdays", "times")}})
        for each in given["mute"]
    )
    targets = {key: tuple(Target(**each) for each in listed) for key, listed in given["targets"].items()}
    return Routes(**{**given, "targets": targets, "mute": mute})


def version(text: str) -> tuple[int, ...]:
    """`0.25` as numbers."""
    return tuple(map(int, text.split(".")))


def _problems(given: Mapping[str, Any]) -> Iterator[Problem]:
    if version(given["alertmanager"]) < OLDEST:
        yield (
            ("alertmanager",),
            f'found {given["alertmanager"]}; write "0.25" or a newer one: older ones do not read keys from files',
        )
    yield from links(given)
    names = given["receivers"]
    if shared := [sev for sev, name in names.items() if sev != WATCHDOG and name == names[WATCHDOG]]:
        yield (
            ("receivers", WATCHDOG),
            f"found {short(names[WATCHDOG])}, which is told of sev {', '.join(shared)} too, and the watchdog fires always; write another name",
        )
    for sev, url in given["webhooks"].items():
        yield from secrets(("webhooks", sev), url)
    for key, listed in given["targets"].items():
        for index, target in enumerate(listed):
            path: Path = ("targets", key, index)
            yield from _target(path, target, version(given["alertmanager"]))
            if key == WATCHDOG and target["type"] != "webhook":
                yield (
                    (*path, "type"),
                    (
                        f"found {target['type']}; write webhook: the watchdog fires always, for an outside service that raises the alarm when it stops"
                    ),
                )
            if target in listed[:index]:
                yield path, "is there twice; leave one of them out"
    yield from _mutes(given["mute"])


def _target(path: Path, target: Mapping[str, Any], alertmanager: tuple[int, ...]) -> Iterator[Problem]:
    kind = target["type"]
    needed, allowed = _TYPES[kind]
    for key in needed:
        if key not in target:
            yield path, f"{kind} needs {key}; add it"
    for key in target:
        if key not in {"type", *needed, *allowed}:
            yield (*path, key), f"{kind} has no {key}; leave it out"
    secret = target.get("secret_file", "")
    if secret and not _ABSOLUTE.match(secret):
        # What is found is not printed: it may be the secret itself.
        yield (
            (*path, "secret_file"),
            "is no whole path; write one, as Alertmanager sees it, such as /etc/alertmanager/secrets/key",
        )
    if "url" in target:
        yield from secrets((*path, "url"), target["url"])
    old = alertmanager < ADDRESS_FILE
    if kind == "webhook" and "url" not in target:
        if not secret:
            yield path, "webhook needs url, or secret_file with the address; add one"
        elif old:
            yield (
                (*path, "secret_file"),
                (
                    'Alertmanager 0.25 takes no address from a file; write url, with a bearer token in secret_file, or alertmanager: "0.26" where yours is'
                ),
            )
    if kind == "slack" and "url" in target and "channel" not in target:
        yield (
            (*path, "url"),
            "the address of an incoming webhook of Slack is a secret; put it into secret_file, or add channel for a bot token",
        )
    if kind == "slack" and "channel" in target and old:
        yield (
            (*path, "channel"),
            (
                "Alertmanager 0.25 takes a refusal of Slack's API for a success; put the address of an incoming webhook into secret_file and leave "
                'channel out, or write alertmanager: "0.26" where yours is'
            ),
        )


def _mutes(mutes: list[Mapping[str, Any]]) -> Iterator[Problem]:
    names: set[str] = set()
    zones = available_timezones() if mutes else set()
    for index, mute in enumerate(mutes):
        path: Path = ("mute", index)
        if mute["name"] in names:
            yield (*path, "name"), f"{mute['name']} is there twice; give one of them another name"
        names.add(mute["name"])
        if not mute.get("weekdays") and not mute.get("times"):
            yield path, "would mute always; add weekdays or times"
        elif _always(mute):
            yield path, "would mute always; leave some of the weekdays or times out"
        for place, days in enumerate(mute.get("weekdays", ())):
            first, _, last = days.partition(":")
            if last and _DAYS.index(first) > _DAYS.index(last):
                yield (*path, "weekdays", place), f"found {days}; a week begins on sunday here: write {_split(first, last)}"
        for place, span in enumerate(mute.get("times", ())):
            start, _, end = span.partition("-")
            if start >= end:
                yield (*path, "times", place), f"found {span}; write two for a night: {start}-24:00 and 00:00-{end}"
        if zones and mute["location"] not in zones:
            yield (*path, "location"), f"found {short(mute['location'])}; write a time zone such as Europe/Berlin"


def _always(mute: Mapping[str, Any]) -> bool:
    days: set[int] = set()
    for each in mute.get("weekdays", ("sunday:saturday",)):
        first, _, last = each.partition(":")
        days |= set(range(_DAYS.index(first), _DAYS.index(last or first) + 1))
    until = "00:00"
    for start, _, end in sorted(span.partition("-") for span in mute.get("times", ("00:00-24:00",))):
        until = max(until, end) if start <= until else until
    return len(days) == len(_DAYS) and until == "24:00"


def _split(first: str, last: str) -> str:
    def days(start: str, end: str) -> str:
        return start if start == end else f"{start}:{end}"

    return f"{days(first, _DAYS[-1])} and {days(_DAYS[0], last)}"
