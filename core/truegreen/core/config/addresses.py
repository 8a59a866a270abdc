"""Addresses in `routes`: none holds a secret, and a link leads somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from truegreen.core.config.check import short
from truegreen.core.config.source import Path

Problem = tuple[Path, str]
FILE: Final = (
    "put the token, or the whole address, into a file that Alertmanager reads, as secret_file of a target of type webhook"
)
LINK: Final = "leave it out: everybody who is told reads the address"
_SECRET: Final = re.compile(
    r"(?:^|[_.-])(?:auth|[a-z]*_?key|[a-z]*token|[a-z]*secret|pass(?:word|wd)?|sig(?:nature)?|code)(?:$|[_.-])", re.IGNORECASE
)
_SLACK: Final = "write a target {type: slack, secret_file: FILE} of a file that has it"
_OWN: Final = "write it into a receiver of your own ({}), and the name of that one under routes.receivers"
_HOSTS: Final[tuple[tuple[re.Pattern[str], str, str], ...]] = (
    (re.compile(r"hooks\.slack(?:-gov)?\.com"), "Slack", _SLACK),
    (re.compile(r"(?:.+\.)?discord(?:app)?\.com"), "Discord", _OWN.format("discord_configs")),
    (re.compile(r"outlook\.office(?:365)?\.com|.+\.webhook\.office\.com"), "Teams", _OWN.format("msteams_configs")),
)
"""Whose addresses are secrets as a whole."""
_BEGINS: Final = re.compile(r"https?://[^\s/?#]", re.IGNORECASE)
_LINKS: Final[Mapping[str, tuple[str, str]]] = {
    "runbook_url": ("where the runbook pages are served", "https://runbooks.example"),
    "dashboard_url": ("the address of Grafana", "http://localhost:3000"),
    "trace_url": ("the address of a trace", "https://tempo.example/trace/{trace_id}"),
}


def secrets(path: Path, url: str, instead: str = FILE) -> Iterator[Problem]:
    """What of an address is a secret; that itself is not printed.

    Args:
        instead: where a secret belongs.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        yield path, f"not an address: {error}; write one such as http://127.0.0.1:8080/page"
        return
    if parts.username is not None:
        yield path, f"found a user or a secret before the @; {instead}"
    given = parse_qsl(parts.query, keep_blank_values=True) + parse_qsl(parts.fragment)
    named = [name for name, _ in given if _SECRET.search(name)]
    if named:
        yield path, f"found {short(named[0])} in the address, which is a secret; {instead}"
    for host, name, fix in _HOSTS:
        if host.fullmatch(parts.hostname or ""):
            yield path, f"found an address of {name}, which is a secret; {fix}"


def links(given: Mapping[str, str]) -> Iterator[Problem]:
    """What is wrong with the addresses that a notification or a board shows."""
    for key, (what, such) in _LINKS.items():
        url, path = given[key], (key,)
        if not url and key == "trace_url":
            continue
        if not _BEGINS.match(url):
            # What is found is not printed here either.
            yield path, f"is no address that begins with http:// or https://; write {what}, such as {such}"
            continue
        if key == "trace_url" and "{trace_id}" not in url:
            yield path, f"has no {{trace_id}}, so that every link would be the same; write {what}, such as {such}"
        yield from secrets(path, url, LINK)
