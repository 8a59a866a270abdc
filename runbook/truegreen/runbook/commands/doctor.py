"""`truegreen doctor`: the likeliest mistakes of a set-up, each with its fix."""

from __future__ import annotations

import os
from dataclasses import asdict

import click

from truegreen.core.errors import Failed
from truegreen.runbook.commands.common import Desk, desk, scale_option

_COLOURS = {"ok": "green", "wrong": "red", "unknown": "yellow"}


@click.command()
@scale_option
@desk
def doctor(desk: Desk, time_scale: int) -> None:
    """Look for the likeliest mistakes, and say how each is mended; exit 1 when something is wrong.

    Run it where the application runs, with its variables: what is installed and where spans are sent is read from this environment.
    """
    from truegreen.runbook.doctor import CHECKS, examine
    from truegreen.runbook.doctor.model import UNKNOWN, WRONG, Env

    env = Env(desk.config, os.environ, desk.sources().prometheus, desk.flags(), desk.clock, time_scale)
    width = max(len(name) for name, _, _ in CHECKS)
    found = []
    for one in examine(env):
        found.append(one)
        if not desk.as_json:
            click.echo(f"{click.style(f'{one.state:<8}', fg=_COLOURS[one.state])}{one.name:<{width}}  {one.says}")
            if one.fix:
                click.echo(f"{'':<{width + 10}}fix: {one.fix}")
    wrong = [one.name for one in found if one.state == WRONG]
    unknown = [one.name for one in found if one.state == UNKNOWN]
    said = f"{len(found) - len(wrong) - len(unknown)} ok, {len(wrong)} wrong, {len(unknown)} unknown"
    desk.say((said,), {"ok": not wrong, "findings": [asdict(one) for one in found]})
    if wrong:
        raise Failed(f"wrong: {', '.join(wrong)}")
