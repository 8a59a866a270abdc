"""`truegreen postmortem`: the log of an incident as Markdown."""

from __future__ import annotations

from pathlib import Path

import click

from truegreen.core.errors import Failed
from truegreen.runbook.commands.common import Desk, any_one, desk, scale_option


@click.command()
@click.argument("number", metavar="[ID]", required=False, type=click.IntRange(1))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, metavar="FILE")
@scale_option
@desk
def postmortem(desk: Desk, number: int | None, out: Path, time_scale: int) -> None:
    """Write the postmortem from the log; what the log does not hold is said to be unanswered."""
    from truegreen.runbook import freeze, render
    from truegreen.runbook import log as store
    from truegreen.runbook import postmortem as writing

    log = desk.log()
    incident = any_one(desk, log, number)
    wrong = store.verify(log)
    if wrong:
        raise Failed(f"{log.address}: altered: {wrong}; a postmortem of it would not be one")
    context = writing.context(incident, store.events(log), time_scale)
    try:
        freeze.replace(out, render.postmortem(context).encode())
    except OSError as error:
        raise Failed(f"{out}: cannot be written: {error.strerror or error}") from None
    open_questions = [q.asks for q in context["questions"] if not q.answer]
    count = f"{context['answered']} of {len(context['questions'])} questions"
    desk.say(
        (f"{out}: {count}", *(f"unanswered: {q.asks} ({q.why})" for q in context["questions"] if not q.answer)),
        {
            "incident": incident.id,
            "out": str(out),
            "answered": context["answered"],
            "questions": len(context["questions"]),
            "unanswered": open_questions,
        },
    )
