"""`truegreen validate`: the six checks that must be green before an incident closes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import click

from truegreen.core.errors import BadInput, Failed
from truegreen.evaluation.evalsets.options import share
from truegreen.runbook.clean import clean
from truegreen.runbook.commands.common import Desk, desk, newest, open_one, scale_option
from truegreen.runbook.model import OK, UNKNOWN, Check
from truegreen.runbook.times import iso


@click.command()
@click.option("--override", metavar="NAME", default="", help="Who takes what is unknown as good; what is not ok stays so.")
@click.option("--reason", metavar="TEXT", default="", help="Why.")
@click.option("--smoke-run", "smoke_run", metavar="FILE|DIR", type=click.Path(path_type=Path, exists=True),
              help="Take the smoke suite from a kept run of `truegreen evalset run`, the newest of a folder.  [default: run incidents.smoke]")  # fmt: skip
@click.option("--smoke-evalset", "smoke_evalset", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False),
              help="With --smoke-run: the set that must pass, as it is now.")  # fmt: skip
@click.option("--smoke-require", "smoke_require", default="100%", show_default=True, callback=share, metavar="SHARE",
              help="With --smoke-run: the share of its cases that must pass, whatever the run was content with; the log keeps it.")  # fmt: skip
@click.option("--smoke-endpoint", "smoke_endpoint", default="", metavar="URL", help="With --smoke-run: who must have been asked.")
@click.option(
    "--smoke-model", "smoke_model", default="", metavar="NAME", help="With --smoke-run: the model that must have been asked for."
)
@click.option("--at", "at", type=float, metavar="UNIX", help="Look from this moment (unix seconds; default: now).")
@scale_option
@desk
@click.pass_context
def validate(
    context: click.Context, desk: Desk, override: str, reason: str, smoke_run: Path | None, smoke_evalset: Path | None,
    smoke_require: float, smoke_endpoint: str, smoke_model: str, at: float | None, time_scale: int,
) -> None:  # fmt: skip
    """Six checks: smoke, bad ratio, p99, guardrail, retrieval relevance, 15 quiet minutes. Exit 1 unless all are ok."""
    from truegreen.runbook import argv, closing, selectors, standing
    from truegreen.runbook import log as store
    from truegreen.runbook import validate as asking

    if bool(override.strip()) != bool(reason.strip()):
        raise BadInput("--override NAME and --reason TEXT belong together")
    if bool(smoke_run) != bool(smoke_evalset):
        raise BadInput("--smoke-run DIR and --smoke-evalset FILE belong together: a run of another set proves nothing")
    log, sources = desk.log(), desk.sources()
    incident = open_one(desk, log)
    everything = store.events(log)
    told = tuple(e for e in everything if e.incident == incident.id)
    others = standing.elsewhere(everything, incident, store.incidents(log))
    unfit = closing.unfit(told, time_scale)
    if unfit and not override:
        raise BadInput(f"{unfit}, or take it on yourself: --override NAME --reason TEXT")
    now = at if at is not None else desk.clock()
    slo = selectors.slo_named(incident.target.slo, desk.config.slos)
    when = asking.moments(incident, sorted((*told, *others), key=lambda e: e.seq), now)
    try:
        asked = asking.ask(sources, incident, slo, when, time_scale, newest(told, "triaged"))
    except Failed as error:
        if not override:
            raise Failed(
                f"{error}; nothing was validated: try again, or take it on yourself: --override NAME --reason TEXT"
            ) from None
        asked = asking.unanswered(argv.kept(error))
    smoke = (
        asking.smoke_of_run(smoke_run, smoke_evalset, when.changed, smoke_require, smoke_endpoint, smoke_model)
        if smoke_run and smoke_evalset
        else asking.smoke(desk.config.incidents.smoke)
    )
    checks = [smoke, *asked]
    taken = [c.name for c in checks if c.state == UNKNOWN] if override else []
    good = all(c.state == OK or c.name in taken for c in checks)
    late = [a for a in standing.switches(everything) if a.incident == incident.id and now > a.expires]
    text = f"{sum(c.state == OK for c in checks)}/{len(checks)} ok" + "".join(
        f"; {c.name} {c.state}" for c in checks if c.state != OK
    )
    if time_scale > 1:
        text += f"; windows divided by {time_scale}" + (
            f" on the word of {clean(override, 100)}: {clean(reason)}" if unfit else ""
        )
    if taken:
        text += f"; unknown taken as good by {clean(override, 100)}: {clean(reason)}"
    # What a smoke suite prints may quote an answer: it is shown, and not kept.
    kept = [asdict(replace(c, says="") if c.name == "smoke" else c) for c in checks]
    facts = {
        "ok": good,
        "checks": kept,
        "at": at,
        "time_scale": time_scale,
        "override": clean(override, 100),
        "reason": clean(reason),
    }
    store.append(log, incident.id, desk.clock(), "validate", "validated", text, facts)
    warnings = [
        f"{a.flag} = {a.value} expired {iso(a.expires)}: renew it, or undo it: truegreen contain undo {a.number}" for a in late
    ]
    desk.say(_lines(checks, text, warnings), {**facts, "checks": [asdict(c) for c in checks], "text": text, "warnings": warnings})
    context.exit(0 if good else 1)


def _lines(checks: Sequence[Check], text: str, warnings: Sequence[str]) -> Iterator[str]:
    for check in checks:
        yield f"{check.state:<7}  {check.name:<19}  {check.number}  (bound: {check.bound})" + (
            f"  {check.says}" if check.says else ""
        )
    for warning in warnings:
        yield f"warning: {warning}"
    yield f"validate {text}"
