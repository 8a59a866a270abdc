"""The words of messages and tickets: Slack's blocks, Jira's document, GitHub's Markdown. Pure; every text may be hostile."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from truegreen.core.config.model import Config
from truegreen.core.words.boards import ALL, board_of, runbook_page
from truegreen.runbook.channels.model import Item
from truegreen.runbook.clean import clean
from truegreen.runbook.model import Event, Incident
from truegreen.runbook.times import clock, iso

Json = dict[str, Any]
TITLE: Final = 240
"""Characters: Jira takes 255, GitHub 256."""
SECTION: Final = 2_900
"""Characters of one block: Slack takes 3,000."""
HEADER: Final = 150
AROUND: Final = 1_800
"""Seconds before and after an incident that its board shows."""
LEGAL: Final = (
    "A person who knows the law decides whether this must be reported, to whom and by when.",
    "The page of the incident shows the clocks of the law. They are advice; they say of nothing that it is not required.",
)


def base(config: Config) -> str:
    """The address of the pages, without a slash at its end."""
    serve = config.incidents.serve
    return (serve.url or f"http://{serve.listens}").rstrip("/")


def page(config: Config, incident: int) -> str:
    """The address of an incident's page."""
    return f"{base(config)}/incidents/{incident}"


def links(config: Config, incident: Incident, events: Sequence[Event]) -> dict[str, str]:
    """What to open, name to address: page, board (of the last triage, else of the alert's failure mode, at its time) and runbook page."""
    labels = events[0].data.get("labels") if events else None
    found = labels if isinstance(labels, Mapping) else {}
    alert = str(found.get("alertname", ""))
    triaged = next((e.data.get("board") for e in reversed(events) if e.kind == "triaged"), None)
    uid = triaged if triaged in ALL else board_of(str(found.get("failure_mode", "")))
    target, end = incident.target, "now" if incident.closed is None else f"{(incident.closed + AROUND) * 1_000:.0f}"
    at = {"var-service": target.service, "var-environment": target.environment, "var-slo": target.slo,
          "from": f"{(incident.opened - AROUND) * 1_000:.0f}", "to": end}  # fmt: skip
    made = {
        "incident": page(config, incident.id),
        "board": f"{config.routes.dashboard_url.rstrip('/')}/d/{uid}?{urlencode(at)}",
    }
    return (
        {**made, "runbook": runbook_page(config.routes.runbook_url, alert)}
        if re.fullmatch(r"[A-Za-z0-9_]{1,80}", alert)
        else made
    )


def headline(incident: Incident, sev: str) -> str:
    """Incident, sev and target on one line."""
    return clean(f"Incident {incident.id}, sev {sev}: {incident.target}", TITLE)


def title(item: Item, incident: Incident, sev: str) -> str:
    """The title of a ticket."""
    if item.name == "action":
        return clean(f"Incident {incident.id}: {item.event.text}", TITLE)
    if item.name == "compliance":
        return clean(f"Compliance: {headline(incident, sev)}", TITLE)
    return headline(incident, sev)


def facts(item: Item, incident: Incident, sev: str, opened: Event) -> tuple[str, ...]:
    """The lines of a ticket that hold text from outside."""
    rows = [
        f"service:     {incident.target.service}", f"environment: {incident.target.environment}", f"SLO:         {incident.target.slo}",
        f"sev:         {sev}", f"opened:      {iso(incident.opened)}", f"what:        {opened.text}",
    ]  # fmt: skip
    if item.name == "action":
        rows += [f"to do:       {item.event.text}", f"owner:       {item.event.data.get('owner') or 'nobody yet'}",
                 f"due:         {item.event.data.get('due') or 'no date yet'}"]  # fmt: skip
    # Not `clean` for the first spaces: they line the words up.
    return tuple(f"{row[:13]}{clean(row[13:], 1_000)}" for row in rows)


def advice(item: Item, incident: Incident) -> tuple[str, ...]:
    """What to do next, in our own words."""
    if item.name == "compliance":
        return LEGAL
    if item.name == "action":
        return ()
    return (f"Next: truegreen triage --incident {incident.id}",)


def jira(rows: Sequence[str], next_steps: Sequence[str], where: Mapping[str, str]) -> Json:
    """A description in Atlassian's document format, in which no text is markup."""
    content: list[Json] = [{"type": "codeBlock", "content": [{"type": "text", "text": "\n".join(rows)}]}]
    content += [{"type": "paragraph", "content": [{"type": "text", "text": step}]} for step in next_steps]
    content += [
        {
            "type": "paragraph",
            "content": [
                {"type": "text", "text": f"{name.capitalize()}: "},
                {"type": "text", "text": url, "marks": [{"type": "link", "attrs": {"href": url}}]},
            ],
        }
        for name, url in where.items()
    ]
    return {"type": "doc", "version": 1, "content": content}


def marker(once: str) -> str:
    """By what an issue of GitHub is found again, in its body."""
    return f"<!-- truegreen {once} -->"


def github(item: Item, rows: Sequence[str], next_steps: Sequence[str], where: Mapping[str, str]) -> str:
    """The body of an issue: text from outside stands in a code block, where nobody is mentioned and nothing is Markdown."""
    text = "\n".join(rows)
    fence = "`" * max(4, *(len(run) + 1 for run in re.findall("`+", text) or [""]))
    parts = [f"{fence}text\n{text}\n{fence}", *next_steps, *(f"{name.capitalize()}: {url}" for name, url in where.items())]
    return "\n\n".join([*parts, marker(item.once)])


def slack_text(text: str) -> str:
    """Text in which nothing is a mention or a link of Slack."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def anywhere(text: str) -> str:
    """Text for whoever takes an incoming webhook: also no mention and no named link of Mattermost, Rocket.Chat or Google Chat."""
    # A space without width behind each: `@all`, `[words](address)` and `[words]: address` are nothing then.
    return re.sub(r"([@\]])", "\\1\u200b", slack_text(text))


def slack(item: Item, incident: Incident, sev: str, where: Mapping[str, str]) -> Json:
    """Text and blocks of the message that tells one event; the opening one has a heading and links."""
    event = item.event
    line = f"{clock(event.time)} UTC {event.kind}: {event.text}"
    blocks: list[Json] = []
    if event.kind == "incident opened":
        blocks.append({"type": "header", "text": _plain(clean(headline(incident, sev), HEADER))})
    blocks.append({"type": "section", "text": _plain(clean(line, SECTION))})
    if event.kind == "incident opened":
        said = "  ·  ".join(f"<{slack_text(url)}|{name}>" for name, url in where.items())
        blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": said[:SECTION]}]})
    return {"text": slack_text(clean(line, SECTION)), "blocks": blocks}


def contact(
    item: Item, incident: Incident, sev: str, where: Mapping[str, str], safe: Callable[[str], str] = lambda text: text
) -> str:
    """What a contact is told, on a few lines of plain text.

    Args:
        safe: makes what comes from outside harmless where it is read.
    """
    event = item.event
    because = "" if event.kind in ("incident opened", "sev changed") else f"{event.kind}: "
    lines = [safe(headline(incident, sev)), safe(clean(f"{because}{event.text}", 1_000)), f"Since {iso(incident.opened)}"]
    lines += LEGAL[:1] if item.name in ("legal", "compliance") else ()
    return "\n".join([*lines, where["incident"]])


def _plain(text: str) -> Json:
    return {"type": "plain_text", "text": text, "emoji": False}
