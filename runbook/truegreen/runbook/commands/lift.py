"""`truegreen contain lift`: the end of containment, one switch at a time."""

from __future__ import annotations

import click

from truegreen.core.errors import BadInput, Failed
from truegreen.runbook.clean import clean
from truegreen.runbook.commands.common import Desk, desk, newest, scale_option
from truegreen.runbook.commands.contain import contain, duration, opened


@contain.command()
@click.option(
    "--window", default="5m", show_default=True, metavar="DURATION", help="How long the service is watched after each switch."
)
@click.option("--by-hand", is_flag=True, help="Switches of your own that know no undo were taken back.")
@click.option("--override", metavar="NAME", default="", help="Who lifts it without a green validation.")
@click.option("--reason", metavar="TEXT", default="", help="Why.")
@scale_option
@desk
def lift(desk: Desk, window: str, by_hand: bool, override: str, reason: str, time_scale: int) -> None:
    """Undo all switches of the incident, the newest first, and put one back when the bad ratio leaves its bound without it."""
    from truegreen.runbook import closing, lift, selectors, standing
    from truegreen.runbook import log as store

    if bool(override.strip()) != bool(reason.strip()):
        raise BadInput("--override NAME and --reason TEXT belong together")
    seconds = duration("--window", window)
    case = opened(desk)
    everything = store.events(case.log)
    told = tuple(e for e in everything if e.incident == case.incident.id)
    others = standing.elsewhere(everything, case.incident, store.incidents(case.log))
    wrong = closing.unvalidated(told, desk.clock(), time_scale, others)
    if wrong and not override:
        raise Failed(
            f"containment stays: {'; '.join(wrong)}. Run: truegreen validate; or take it on yourself: --override NAME --reason TEXT"
        )
    if wrong:
        text = f"contain lift by {clean(override, 100)} although {'; '.join(wrong)}: {clean(reason)}"
        facts = {"override": clean(override, 100), "reason": clean(reason), "lacking": wrong}
        store.append(case.log, case.incident.id, desk.clock(), "validate", "override", text, facts)
    slo = selectors.slo_named(case.incident.target.slo, desk.config.slos)
    watch = lift.Watch(slo, seconds, time_scale, newest(told, "triaged"), desk.clock, desk.sleep)
    steps = []
    for line in lift.lift(case, desk.config.containment, watch, by_hand):
        steps.append(line)
        if not desk.as_json:
            click.echo(line)
    if desk.as_json:
        desk.say((), {"steps": steps, "lifted": True, "override": clean(override, 100)})
