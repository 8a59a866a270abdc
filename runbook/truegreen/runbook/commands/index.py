"""`truegreen index refresh`: rebuild a stale retrieval index by the team's command, and watch until the spans say that it is fresh."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from truegreen.core.errors import BadInput, Failed
from truegreen.runbook import names, selectors, times
from truegreen.runbook.commands.common import Desk, desk
from truegreen.runbook.commands.contain import bundle_facts, bundle_lines, duration, opened

_IMPATIENT = 5.0
_POLL = 1.0


@click.group()
def index() -> None:
    """The retrieval index."""


@index.command()
@click.option("--dry-run", is_flag=True, help="Say what would run, and how old the index is.")
@click.option("--timeout", default="10m", show_default=True, metavar="DURATION", help="How long the command may take, and how long to look after it.")  # fmt: skip
@click.option("--verify/--no-verify", default=True, show_default=True, help="Look until the application says a newer rebuild.")
@desk
def refresh(desk: Desk, dry_run: bool, timeout: str, verify: bool) -> None:
    """Run incidents.refresh: evidence first, then the command, then look at the time of the last rebuild."""
    from truegreen.runbook import argv, bundle
    from truegreen.runbook import log as store
    from truegreen.runbook.rollback.alone import alone

    patience = duration("--timeout", timeout)
    words = desk.config.incidents.refresh
    if not words:
        raise BadInput(
            "no command is configured: write incidents.refresh into truegreen.yaml, such as [python, rebuild_index.py]"
        )
    case = opened(desk)
    target = case.incident.target
    command = argv.fill(words, {"service": target.service, "environment": target.environment}, "incidents.refresh")
    rebuilt = _rebuilt(case)
    age = f"rebuilt {times.iso(rebuilt)}" if rebuilt else "when it was rebuilt is not known: the application states no time with its retrievals, or Prometheus does not answer"  # fmt: skip
    if dry_run:
        desk.say((f"would run: {command[0]} with {len(command) - 1} arguments", f"the index: {age}"),
                 {"command": list(command), "rebuilt": rebuilt, "dry_run": True})  # fmt: skip
        return

    def tell(kind: str, text: str, **more: Any) -> Any:
        return store.append(case.log, case.incident.id, desk.clock(), "mitigate", kind, text, {"rebuilt": rebuilt, **more})

    # One rebuild at a time, and none while somebody moves the index.
    with alone(case.log, "index"):
        held = bundle.hold(case, "mitigate", "index refresh")
        begun = tell("refresh begun", f"about to refresh the retrieval index ({age})")
        if not desk.as_json:
            for line in bundle_lines(held):
                click.echo(line)
        ended = argv.run(command, patience)
        if ended.code != 0:
            how = "it may have changed the index" if ended.late else f"exit code {ended.code}"
            # What the command prints may quote a document: it is shown, and not kept.
            tell("refresh failed", f"the command failed ({how})")
            raise Failed(f"incidents.refresh: {ended.said} ({how}); run it again when that is mended: truegreen index refresh")
        event = tell("refresh applied", f"refreshed the retrieval index in {times.span(desk.clock() - begun.time)}")
    said = f"incidents.refresh: {ended.said}"
    facts = {"event": event.seq, "evidence": bundle_facts(held), "text": event.text}
    if not verify:
        desk.say((said, event.text, "not verified: --no-verify"), {**facts, "verified": None})
        return
    now = _watch(desk, case, rebuilt or 0.0, begun.time, patience)
    if now is None:
        text = "not verified by spans: the application states no newer rebuild yet"
        tell("not verified", text)
        raise Failed(f"{text}; the refresh stands: ask the service a question that retrieves, then look at truegreen triage")
    text = f"verified by spans: rebuilt {times.iso(now)}, seen after {times.span(desk.clock() - event.time)}"
    tell("verified by spans", text, now=now)
    desk.say((said, event.text, text), {**facts, "verified": now})


def _rebuilt(case: Any) -> float | None:
    """When the index was last rebuilt (unix seconds), None where nobody says it or Prometheus does not answer."""
    from truegreen.core.clients import prometheus

    server = replace(case.sources.prometheus, timeout=min(case.sources.prometheus.timeout, _IMPATIENT))
    try:
        found = prometheus.query(server, f"max({names.REBUILT}{selectors.at(case.incident.target)})")
    except Failed:
        return None
    return found[0].value if found else None


def _watch(desk: Desk, case: Any, before: float, begun: float, patience: float) -> float | None:
    end = desk.clock() + patience
    while True:
        now = _rebuilt(case)
        # A rebuild that the command made is newer than the one before, whatever the clocks of the two machines say.
        if now is not None and now > before and (before or now >= begun - 60):
            return now
        if desk.clock() >= end:
            return None
        desk.sleep(_POLL)
