"""Whom Alertmanager tells, and when it keeps quiet, as `routes` of `truegreen.yaml` says it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import available_timezones

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
_SECRET: Final = re.compile(
    r"(?:^|[_.-])(?:auth|api_?key|key|[a-z]*token|[a-z]*secret|pass(?:word|wd)?|sig(?:nature)?|code)(?:$|[_.-])", re.IGNORECASE
)
_SLACK: Final = ("hooks.slack.com", "hooks.slack-gov.com")
_ABSOLUTE: Final = re.compile(r"/|[A-Za-z]:[\\/]")
_DAYS: Final = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
"""In the order in which Alertmanager counts them."""
_FILE: Final = "a file that Alertmanager reads, as secret_file of a target of type webhook"
_TYPES: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "pagerduty": (("secret_file",), ("url",)),
    "opsgenie": (("secret_file",), ("url",)),
    "incidentio": (("secret_file", "url"), ()),
    "rootly": (("secret_file",), ("url",)),
    "slack": (("secret_file",), ("channel", "url")),
    "webhook": ((), ("secret_file", "url")),
}
"""Of each type of target, the keys that it needs and those that it may have."""

_Problem = tuple[Path, str]


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


def _problems(given: Mapping[str, Any]) -> Iterator[_Problem]:
    if version(given["alertmanager"]) < OLDEST:
        yield (
            ("alertmanager",),
            f'found {given["alertmanager"]}; write "0.25" or a newer one: older ones do not read keys from files',
        )
    for sev, url in given["webhooks"].items():
        yield from _address(("webhooks", sev), url)
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


def _address(path: Path, url: str) -> Iterator[_Problem]:
    # What is found is not printed: it is the secret.
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        yield path, f"not an address: {error}; write one such as http://127.0.0.1:8080/page"
        return
    if parts.username is not None:
        yield path, f"found a user or a secret before the @; write the address without them, and put a token into {_FILE}"
    named = [name for name, _ in parse_qsl(parts.query, keep_blank_values=True) if _SECRET.search(name)]
    if named:
        yield (
            path,
            f"found {short(named[0])} in the address, which is a secret; put the token, or the whole address, into {_FILE}",
        )
    if parts.hostname in _SLACK:
        yield (
            path,
            "found an address of Slack, which is a secret; write a target {type: slack, secret_file: FILE} of a file that has it",
        )


def _target(path: Path, target: Mapping[str, Any], alertmanager: tuple[int, ...]) -> Iterator[_Problem]:
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
        yield (
            (*path, "secret_file"),
            f"found {short(secret)}; write the whole path, as Alertmanager sees it, such as /etc/alertmanager/secrets/key",
        )
    if "url" in target:
        yield from _address((*path, "url"), target["url"])
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


def _mutes(mutes: list[Mapping[str, Any]]) -> Iterator[_Problem]:
    names: set[str] = set()
    zones = available_timezones() if mutes else set()
    for index, mute in enumerate(mutes):
        path: Path = ("mute", index)
        if mute["name"] in names:
            yield (*path, "name"), f"{mute['name']} is there twice; give one of them another name"
        names.add(mute["name"])
        if not mute.get("weekdays") and not mute.get("times"):
            yield path, "would mute always; add weekdays or times"
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


def _split(first: str, last: str) -> str:
    def days(start: str, end: str) -> str:
        return start if start == end else f"{start}:{end}"

    return f"{days(first, _DAYS[-1])} and {days(_DAYS[0], last)}"
