"""`truegreen postmortem`: the log of an incident, and what Prometheus still knows of it, as Markdown or HTML."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from truegreen.core.errors import BadInput, Failed
from truegreen.runbook.commands.common import Desk, any_one, desk, force_option, scale_option

if TYPE_CHECKING:
    from truegreen.runbook.log import Log
    from truegreen.runbook.model import Incident


@click.command()
@click.argument("number", metavar="[ID]", required=False, type=click.IntRange(1))
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    metavar="FILE",
    help="FILE.md, or FILE.html with charts.",
)
@force_option
@scale_option
@desk
def postmortem(desk: Desk, number: int | None, out: Path, force: bool, time_scale: int) -> None:
    """Write the postmortem from the log and the metrics; what neither holds is said to be unanswered."""
    from truegreen.runbook import render, written

    write = {".md": render.postmortem, ".html": render.html}.get(out.suffix.lower())
    if write is None:
        raise BadInput(f"--out: found {out.name!r}; write a name that ends in .md or .html")
    log = desk.log()
    incident = any_one(desk, log, number)
    context = gathered(desk, log, incident, time_scale)
    written.text(out, write(context), force=force)
    asked = context["questions"]
    lines = [f"{out}: {context['answered']} of {len(asked)} questions"]
    lines += [f"unanswered: {q.asks} ({q.why})" for q in asked if not q.answer]
    lines += [f"not to be had: {one}" for one in context["missing"]]
    open_ = [item for item in context["items"] if item.done is None]
    lines += [f"open action items: {len(open_)} (truegreen incident actions)"] if open_ else []
    desk.say(
        lines,
        {
            "incident": incident.id,
            "out": str(out),
            "answered": context["answered"],
            "questions": len(asked),
            "unanswered": [q.asks for q in asked if not q.answer],
            "missing": list(context["missing"]),
            "actions": len(context["items"]),
            "actions_open": len(open_),
        },
    )


def gathered(desk: Desk, log: Log, incident: Incident, scale: int) -> Any:
    """All that a template shows, from the log and from Prometheus.

    Raises:
        Failed: the log was altered.
    """
    from truegreen.runbook import log as store
    from truegreen.runbook import postmortem as writing
    from truegreen.runbook import selectors
    from truegreen.runbook.postmortem import measure

    wrong = store.verify(log)
    if wrong:
        raise Failed(f"{log.address}: altered: {wrong}; a postmortem of it would not be one")
    told, now = store.events(log), desk.clock()
    mine = [e for e in told if e.incident == incident.id]
    slo = selectors.slo_named(incident.target.slo, desk.config.slos)
    measured = measure.measure(desk.sources().prometheus, slo, incident, mine, now)
    return writing.context(incident, told, scale, law=desk.config.incidents.law, now=now, measured=measured)
