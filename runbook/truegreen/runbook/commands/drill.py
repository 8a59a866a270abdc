"""`truegreen drill`: plant each failure mode, and score how it is found and answered."""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from truegreen.core.errors import BadInput, Failed
from truegreen.core.words.slo import SHADOW
from truegreen.core.words.terms import FAILURE_MODES
from truegreen.runbook.commands.common import Desk, any_one, desk, scale_option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from truegreen.runbook.drills.model import Drill

_SEED = 1
_LONGEST = 30 * 86_400
_OPTIONS = (
    click.option("--simulated", is_flag=True, help="In simulated time: the true windows, in seconds to a minute. Slow signals only there."),
    click.option("--game-day", is_flag=True, help="A person answers: the moment is not told, and only the page's address is shown."),
    click.option("--endpoint", metavar="URL", default="", help="Drill a staging endpoint: who answers there; with --inject and --heal."),
    click.option("--inject", metavar="COMMAND", default="", help="With --endpoint: plants the fault there (no shell)."),
    click.option("--heal", metavar="COMMAND", default="", help="With --endpoint: takes the fault away; always run at the end."),
    click.option("--service", metavar="S", help="Whose drill it is (default: the configuration's first service)."),
    click.option("--environment", metavar="E", default="", help="Where; with --endpoint it must be said (default: production)."),
    click.option("--per-hour", "per_hour", type=click.FloatRange(10, 3_600), default=360, show_default=True,
                 help="With --simulated: questions an hour, as your service has them."),
    click.option("--seed", type=click.IntRange(0), default=_SEED, show_default=True, help="Of what is random."),
)  # fmt: skip


@click.group("drill")
def drill() -> None:
    """Plant a failure mode, and score how it is found, triaged, contained and mended."""


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    return functools.reduce(lambda made, option: option(made), reversed(_OPTIONS), command)


def _of_mode(mode: str) -> click.Command:
    @click.command(mode, help=f"Drill {mode}: at scale on the demo's agent, or --simulated, --game-day, --endpoint.")
    @_options
    @desk
    def one(desk: Desk, simulated: bool, game_day: bool, endpoint: str, inject: str, heal: str, **who: Any) -> None:
        if (
            not simulated
            and click.get_current_context().get_parameter_source("per_hour") is click.core.ParameterSource.COMMANDLINE
        ):
            raise BadInput("--per-hour is of --simulated: the demo's agent and your staging have their own traffic")
        if endpoint and inject and heal and not who["environment"]:
            raise BadInput("--endpoint wants --environment E: a fault is not planted where nobody said")
        chosen = [
            name for name, given in (("--simulated", simulated), ("--game-day", game_day), ("--endpoint", endpoint)) if given
        ]
        if len(chosen) > 1 and set(chosen) != {"--game-day", "--endpoint"}:
            raise BadInput(f"{' and '.join(chosen)} do not go together; write one of them")
        if bool(endpoint) != bool(inject) or bool(endpoint) != bool(heal):
            raise BadInput(
                "--endpoint URL, --inject COMMAND and --heal COMMAND belong together: what is planted there must be taken away again"
            )
        if simulated:
            _simulated(desk, (mode,), **who)
        elif endpoint:
            _staging(desk, mode, endpoint, inject, heal, game_day, **who)
        else:
            _at_scale(desk, mode, game_day, **who)

    return one


for _mode in FAILURE_MODES:
    drill.add_command(_of_mode(_mode))


@drill.command("mixed")
@click.option(
    "--of", "modes", required=True, metavar="MODE,MODE", help="The failure modes to plant at once, such as latency,retrieval."
)
@_options
@desk
def mixed(desk: Desk, modes: str, simulated: bool, game_day: bool, endpoint: str, inject: str, heal: str, **who: Any) -> None:
    """Plant two failure modes at once: triage must not choose a side. In simulated time only."""
    named = tuple(part.strip() for part in modes.split(","))
    if len(named) < 2 or len(set(named)) < len(named) or not set(named) <= set(FAILURE_MODES):
        raise BadInput(f"--of: found {modes!r}; write two of {', '.join(FAILURE_MODES)}, such as latency,retrieval")
    if not simulated or game_day or endpoint or inject or heal:
        raise BadInput("a mixed drill is held in simulated time: write --simulated, and nothing of --game-day and --endpoint")
    _simulated(desk, named, **who)


@drill.command("list")
@desk
def list_(desk: Desk) -> None:
    """Every drill that was kept, oldest first."""
    from truegreen.runbook.drills import records

    found, broken = records.read(_folder(desk))
    lines = [
        click.style("held   ", fg="green") + line if ok else click.style("outside", fg="red") + line
        for ok, line in ((ok, f"  {line}") for ok, line in records.lines(found))
    ]
    owed = records.owed(_folder(desk))
    lines += [*broken, *(click.style(one, fg="red") for one in owed)]
    desk.say(
        lines or [f"{_folder(desk)}: no drill was held; begin with: truegreen drill hallucination"],
        {"drills": [{**asdict(one), "ok": one.ok} for one in found], "broken": list(broken), "owed": list(owed)},
    )


@drill.command("report")
@click.option("--quarter", metavar="YYYYQn", default="", help="Which quarter (default: this one).")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write it there (Markdown).")
@desk
def report(desk: Desk, quarter: str, out: Path | None) -> None:
    """The record of a quarter: what was drilled, how it went, and what was not."""
    from truegreen.runbook import freeze
    from truegreen.runbook.drills import records

    name = quarter.strip().upper() or records.quarter_of(desk.clock())
    begin, end = records.quarter(name)
    found, broken = records.read(_folder(desk))
    mine = [one for one in found if begin <= one.completed < end]
    lines = [*records.report(name, mine, FAILURE_MODES), *broken]
    if out is not None:
        try:
            freeze.replace(out, ("\n".join(lines) + "\n").encode())
        except OSError as error:
            raise Failed(f"{out}: cannot be written: {error.strerror or error}") from None
        lines = [f"{out}: {len(mine)} drills"]
    missing = [mode for mode in FAILURE_MODES if not any(mode in one.modes for one in mine)]
    facts = {
        "quarter": name,
        "drills": [{**asdict(one), "ok": one.ok} for one in mine],
        "missing": missing,
        "broken": list(broken),
    }
    desk.say(lines, {**facts, "out": str(out) if out else None})


@drill.command("score")
@click.argument("mode", type=click.Choice(FAILURE_MODES))
@click.option("--onset", type=float, required=True, metavar="UNIX", help="When the fault was planted (unix seconds).")
@click.option("--service", metavar="S", help="Whose drill it was (default: the incident's service).")
@click.option(
    "--whose",
    type=click.Choice(["us", "them", "both", "not sure"]),
    help="What triage had to say (default: as the mode is planted).",
)
@click.option("--game-day", is_flag=True, help="A person answered it.")
@scale_option
@desk
def score(desk: Desk, mode: str, onset: float, service: str | None, whose: str | None, game_day: bool, time_scale: int) -> None:
    """Score an incident of the log that was a drill, and keep the record: how soon it was found, triaged, contained and over."""
    from truegreen.runbook import log as store
    from truegreen.runbook.drills import scored
    from truegreen.runbook.drills.model import AT_SCALE, GAME_DAY, STAGING

    log = desk.log()
    incident = any_one(desk, log, None)
    if not incident.opened - _LONGEST <= onset <= incident.opened:
        raise BadInput(
            f"--onset: found {onset:g}; incident {incident.id} was opened at {incident.opened:.0f}: write when the fault was planted, unix seconds, at most 30 days before it"
        )
    how = GAME_DAY if game_day else AT_SCALE if time_scale > 1 else STAGING
    made = scored.of_log(
        mode,
        incident,
        store.events(log, incident.id),
        onset,
        incident.closed or desk.clock(),
        how,
        time_scale,
        service=service or "",
        whose=whose or "",
    )
    _keep(desk, made)


def _simulated(desk: Desk, modes: Sequence[str], service: str | None, environment: str, per_hour: float, seed: int) -> None:
    from truegreen.runbook.drills import simulated
    from truegreen.runbook.drills.faults import BY_MODE
    from truegreen.runbook.drills.model import SIMULATED, Drill

    started = desk.clock()
    who = (service or _service(desk), environment or "production")
    faults = [BY_MODE[mode] for mode in modes]
    with _waiting(desk) as says:
        found = simulated.run(faults, desk.config, who, seed, per_hour=per_hour, says=says)
    own = {slo.name for slo in desk.config.slos}
    notes = [f"{f.slo}: the configuration has no such SLO; drilled with the ready-made one" for f in faults if f.slo not in own]
    notes += [
        f"{slo.name} is in shadow: nobody would have been paged; it was drilled as if it were live"
        for slo in desk.config.slos if slo.mode == SHADOW and slo.name in {f.slo for f in faults}
    ]  # fmt: skip
    notes.append(
        "recovered: by the five checks that Prometheus answers; the smoke suite was not run, for there is no application"
    )
    verdict = found.seen[1] if found.seen else None
    commands = verdict.commands if verdict else ()
    _keep(desk, Drill(
        tuple(modes), SIMULATED, *who, started, desk.clock(), seed, simulated.timings(found), verdict.whose if verdict else "was not asked",
        verdict.because if verdict else "no alert told of it", commands[0] if commands else "", simulated.verdicts(faults, found), tuple(notes),
    ), [f"planted: {fault.says}" for fault in faults])  # fmt: skip


def _at_scale(desk: Desk, mode: str, game_day: bool, service: str | None, seed: int, **_: object) -> None:
    from truegreen.runbook.drills import live
    from truegreen.runbook.drills.faults import SLOW

    if mode in SLOW:
        raise BadInput(f"{mode} takes days to show; drill it in simulated time: truegreen drill {mode} --simulated")
    _keep(desk, live.run(mode, seed, service or _service(desk), game_day=game_day))


def _staging(
    desk: Desk, mode: str, endpoint: str, inject: str, heal: str, game_day: bool, service: str | None, environment: str, seed: int, **_: object
) -> None:  # fmt: skip
    from truegreen.runbook.drills import staging

    plan = staging.planned(mode, endpoint, inject, heal, (service or _service(desk), environment), game_day=game_day, seed=seed)
    with _waiting(desk) as says:
        made = staging.run(desk, plan, says)
    _keep(desk, made)


def _keep(desk: Desk, made: Drill, lines: Sequence[str] = ()) -> None:
    from dataclasses import replace

    from truegreen.runbook.drills import records

    made = replace(made, version=version("truegreen"))
    path = records.write(_folder(desk), made)
    outside = [v.name for v in made.verdicts if not v.ok]
    said = [*lines, *_verdicts(made), *(f"note: {note}" for note in made.notes), f"kept: {path}"]
    said += [f"outside its target: {', '.join(outside)}"] if outside else []
    desk.say(said, {**asdict(made), "ok": made.ok, "outside": outside, "record": str(path)})
    if not made.ok:
        raise click.exceptions.Exit(1)


def _verdicts(made: Drill) -> Iterator[str]:
    yield f"triage: {made.triage}: {made.because}"
    width = max((len(v.name) for v in made.verdicts), default=0)
    for one in made.verdicts:
        mark = click.style("ok      ", fg="green") if one.ok else click.style("outside ", fg="red")
        yield f"{mark}{one.name:<{width}}  {one.found}  (target: {one.target})"


def _folder(desk: Desk) -> Path:
    from truegreen.runbook.drills import records

    return records.folder(desk.config)


def _service(desk: Desk) -> str:
    from truegreen.runbook.drills.model import SERVICE

    return next(iter(desk.config.services), SERVICE)


@contextmanager
def _waiting(desk: Desk) -> Iterator[Callable[[str], None]]:
    """What goes on, in a terminal only."""
    if desk.as_json or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console

    began = time.monotonic()
    with Console(stderr=True).status("", spinner="dots") as status:
        yield lambda text: status.update(f"{text} ({time.monotonic() - began:.0f} s)")
