"""A drill in simulated time: the true rules at their true windows over a planted fault, the true triage, and the true gate."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from truegreen.alert_rules import backtest_alerts as alerts
from truegreen.alert_rules import backtest_engine as engine
from truegreen.alert_rules import backtest_samples as text
from truegreen.alert_rules import budgets, generate
from truegreen.alert_rules.backtest_alerts import Fired
from truegreen.alert_rules.backtest_plan import ALERTS, plan, with_memory
from truegreen.alert_rules.windows import Clock
from truegreen.core.clients import engines, interrupts, prometheus
from truegreen.core.clients.http import Server
from truegreen.core.config import Config
from truegreen.core.words import ready_made
from truegreen.core.words.calibration import QUANTILES, Calibration
from truegreen.core.words.slo import LIVE, Slo
from truegreen.core.words.terms import RELATIVE
from truegreen.evaluation.provider.verdict import NOT_SURE
from truegreen.runbook import evidence, validate
from truegreen.runbook import log as store
from truegreen.runbook import triage as judging
from truegreen.runbook.drills import targets, told, world
from truegreen.runbook.drills.faults import BASELINES, healed, planted
from truegreen.runbook.drills.model import HEALTHY, Behaviour, Fault, Timings
from truegreen.runbook.drills.model import Verdict as Held
from truegreen.runbook.model import NOT_OK, UNKNOWN, Check, Evidence, Target, Verdict

BEGIN: Final = 1_767_225_600
"""The first moment of simulated time: 2026-01-01, UTC."""
PER_HOUR: Final = 360.0
"""Questions an hour, unless the caller says another number."""
FROZEN: Final = 2_000
"""Answers behind the frozen baselines."""
RESPOND: Final = 300.0
"""Seconds that the simulated person takes from the page to the first look, and from knowing to the remedy."""
LOOK_AGAIN: Final = 300
CLASSIFY: Final = 900
"""Seconds between two triages, and from the page to the last one: the clock of a sev 1."""
LOOK_EVERY: Final = 300
"""Seconds between two looks at the gate."""
STUBBORN: Final = 3 * 3_600
"""Seconds after the remedy for which the gate is asked."""
_FLAGS: Final = ("--storage.tsdb.retention.time=100y",)
_NOBODY: Final = "http://127.0.0.1:9"


@dataclass(frozen=True, slots=True)
class Found:
    """What happened, in seconds of simulated time.

    Args:
        onset: when the faults were planted.
        early: sev 1 and 2 alerts that fired before it.
        page: when an alert told of it, None where none did.
        triaged: when triage was asked the last time.
        seen: triage's evidence and verdict, None without a page.
        took: seconds of this machine's time that triage took.
        remedy: the fault whose remedy was the first command offered, None where it is of none.
        healed, recovered: when the remedy took hold, and when the gate was green.
        checks: the gate's last look.
        looks: what triage said at each look from the page on, until the clock to classify runs out.
    """

    onset: float
    early: tuple[str, ...]
    alert: Fired | None
    page: float | None
    triaged: float | None = None
    seen: tuple[Evidence, Verdict] | None = None
    took: float = 0.0
    remedy: Fault | None = None
    healed: float | None = None
    recovered: float | None = None
    checks: tuple[Check, ...] = ()
    looks: tuple[str, ...] = ()


def run(
    faults: Sequence[Fault], config: Config, who: tuple[str, str], seed: int, *, per_hour: float = PER_HOUR, respond: float = RESPOND,
    says: Callable[[str], None] = lambda _: None,
) -> Found:  # fmt: skip
    """Plant faults, and see what the rules, triage and the gate of this installation make of them.

    Args:
        faults: one, or several for a mixed drill.
        config: whose SLOs are taken where it has those that are needed.
        who: service and environment.
        per_hour: questions an hour.
        respond: seconds from the page to the remedy.
        says: told what goes on.

    Raises:
        Failed: no engine, or it refuses something.
    """
    slos = tuple({slo.name: slo for slo in (slo_of(config, fault.slo, who[1]) for fault in faults)}.values())
    first, within, scrape = (
        max(f.before for f in faults),
        max(f.within for f in faults),
        max(f.scrape for f in faults),
    )
    onset = float(BEGIN + first)
    sick = planted(faults)
    phases = [world.Phase(onset, HEALTHY), world.Phase(onset + within, sick)]
    says("the application answers, first well, then with the fault")
    with _past(phases, config, slos, who, seed, per_hour, scrape) as (server, fired):
        early = tuple(
            sorted({f"{f.alert} {f.label('slo')} sev {f.label('sev')}" for f in fired if _grave(f) and f.intervals[0][0] < onset})
        )
        alert, page = _page(faults, fired, onset)
        if alert is None or page is None:
            return Found(onset, early, None, None)
        says("triage")
        target = Target(who[0], who[1], alert.label("slo"))
        slo = next(each for each in slos if each.name == target.slo)
        sources = evidence.Sources(server, _nobody("Alertmanager"), _nobody("collector"))
        took, looks = 0.0, list[str]()
        acted: tuple[float, Evidence, Verdict] | None = None
        for at in (page + respond + n * LOOK_AGAIN for n in range(int((CLASSIFY - respond) // LOOK_AGAIN) + 1)):
            began = time.monotonic()
            seen = evidence.gather(sources, target, slo, at, 1)
            verdict = judging.judge(seen)
            took = max(took, time.monotonic() - began)
            looks.append(verdict.whose)
            # The first one that is sure is acted on; the later ones must not say otherwise.
            if acted is None or acted[2].whose == NOT_SURE:
                acted = (at, seen, verdict)
        assert acted is not None
        at, seen, verdict = acted
    found = Found(onset, early, alert, page, at, (seen, verdict), took, _remedy(faults, verdict.commands), looks=tuple(looks))
    if len(faults) > 1 or found.remedy is None:
        return found
    says("the remedy, and the gate")
    return _recovered(found, [phases[0]], sick, config, slos, who, seed, per_hour, scrape, respond)


def timings(found: Found) -> Timings:
    """The moments as seconds after the fault; what triage said counts when it was right, which `verdicts` says."""
    return Timings(*(
        None if at is None else at - found.onset for at in (found.page, found.triaged, found.healed, found.recovered)
    ))  # fmt: skip


def verdicts(faults: Sequence[Fault], found: Found) -> tuple[Held, ...]:
    """The drill against its targets; of a mixed one: that it is found, and that triage does not choose a side."""
    said = found.seen[1].whose if found.seen else None
    common = (targets.calm(found.early), targets.quick(found.took))
    if len(faults) > 1:
        detected = next(targets.timed(_paged(faults, found), timings(found)))
        return (*common, detected, targets.unsure(said))
    (fault,) = faults
    first = found.seen[1].commands[0] if found.seen and found.seen[1].commands else ""
    return (
        *common, *targets.timed(fault, timings(found)), targets.blamed(fault.whose, said), targets.steady(found.looks),
        targets.offered(fault, first, found.remedy is fault),
    )  # fmt: skip


def _paged(faults: Sequence[Fault], found: Found) -> Fault:
    named = found.alert.alert if found.alert else ""
    return next((fault for fault in faults if fault.alert == named), faults[0])


def slo_of(config: Config, name: str, environment: str) -> Slo:
    """The SLO of the configuration by that name, else the ready-made one; live in the environment, as its page is what is drilled."""
    slo = next((each for each in config.slos if each.name == name), ready_made.BY_NAME[name])
    return replace(slo, mode=LIVE, environments=tuple(dict.fromkeys((*slo.environments, environment))))


def _recovered(
    found: Found, before: Sequence[world.Phase], sick: Behaviour, config: Config, slos: tuple[Slo, ...], who: tuple[str, str], seed: int,
    per_hour: float, scrape: int, respond: float,
) -> Found:  # fmt: skip
    assert found.page is not None
    assert found.triaged is not None
    assert found.seen is not None
    assert found.remedy is not None
    mended = found.triaged + respond
    end = mended + STUBBORN
    phases = [*before, world.Phase(mended, sick), world.Phase(end, healed(found.remedy))]
    target = found.seen[0].target
    slo = next(each for each in slos if each.name == target.slo)
    with (
        _past(phases, config, slos, who, seed, per_hour, scrape) as (server, _),
        TemporaryDirectory(prefix="truegreen-drill-") as folder,
    ):
        log = store.open_log(f"sqlite:///{Path(folder) / 'log.db'}")
        start = found.seen[0].start
        opened = store.open_incident(
            log, target, found.seen[0].sev or found.remedy.sev, found.page, "drill", {"drill": found.remedy.mode}
        )
        triaged = {"start": asdict(start) if start else None, "onset": found.seen[0].onset}
        store.append(log, opened.id, found.triaged, "triage", "triaged", found.seen[1].whose, triaged)
        change = {
            "flag": "drill",
            "value": found.remedy.to,
            "previous": "",
            "expires": end,
            "component": "drill",
            "name": "drill",
            "to": "",
        }
        store.append(log, opened.id, mended, "contain", "contain applied", " ".join(found.remedy.remedy), change)
        events = store.events(log, opened.id)
        sources = evidence.Sources(server, _nobody("Alertmanager"), _nobody("collector"))
        checks: list[Check] = []
        at = mended + LOOK_EVERY
        while at <= end:
            when = validate.moments(opened, events, at)
            checks = validate.ask(sources, opened, slo, when, 1, next((e for e in events if e.kind == "triaged"), None))
            if all(check.state not in (NOT_OK, UNKNOWN) for check in checks):
                return replace(found, healed=mended, recovered=at, checks=tuple(checks))
            at += LOOK_EVERY
        return replace(found, healed=mended, checks=tuple(checks))


@contextmanager
def _past(
    phases: Sequence[world.Phase],
    config: Config,
    slos: tuple[Slo, ...],
    who: tuple[str, str],
    seed: int,
    per_hour: float,
    scrape: int,
) -> Iterator[tuple[Server, tuple[Fired, ...]]]:
    """A Prometheus with what was scraped, what the rules recorded and the alerts that fired."""
    frozen = tuple(_frozen(signal, ratio, who) for signal, ratio in BASELINES.items())
    judged = tuple(budgets.judged(slo, frozen) for slo in slos)
    groups = generate.groups(replace(config, slos=slos, scrape_interval_seconds=float(scrape)), judged, Clock(1))
    memory = with_memory(groups)
    names = {slo.name for slo in slos}
    planned = plan(groups, lambda alert: alert.alert not in memory and alert.labels.get("slo") in names)
    with interrupts.raised(), TemporaryDirectory(prefix="truegreen-drill-") as name:
        folder = Path(name)
        samples, database = folder / "scraped.om", folder / "database"
        database.mkdir()
        digest = next(one.digest for one in frozen if one.signal == world.EVALUATION)
        with samples.open("w", encoding="utf-8") as out:
            out.writelines(world.scraped(phases, BEGIN, who=who, per_hour=per_hour, scrape=scrape, seed=seed, calibration=digest))
            out.write(text.END)
        past = engine.Past(samples, float(BEGIN), float(BEGIN), phases[-1].until)
        with engine.replayed(planned, past, database, alerts.of_plan) as replayed:
            fired = alerts.fired(replayed, past.start, past.end)
        firing = folder / "firing.om"
        firing.write_text("".join(_firing(fired)) + text.END, "utf-8")
        if fired:
            text.add(firing, database / "tsdb")
        with engines.prometheus(database / "prometheus.yml", database, args=_FLAGS) as running:
            yield prometheus.connect(running.url, {}), fired


def _firing(fired: Sequence[Fired]) -> Iterator[str]:
    for one in fired:
        head = text.head(ALERTS, {**dict(one.labels), "alertname": one.alert, "alertstate": "firing"})
        yield from (f"{head} 1 {at}\n" for start, end in one.intervals for at in range(start, end, engine.MINUTE))


def _frozen(signal: str, ratio: float, who: tuple[str, str]) -> Calibration:
    # Scores of the world are ranks already, so its quantiles are those of the even distribution.
    return Calibration(*who, signal, world.EVALUATOR, RELATIVE, ratio, QUANTILES, ratio, 1.0, FROZEN, "2026-01-01T00:00:00Z")


def _page(faults: Sequence[Fault], fired: Sequence[Fired], onset: float) -> tuple[Fired | None, float | None]:
    wanted = {(fault.slo, fault.alert): fault.sev for fault in faults}
    told = [
        (float(start), one)
        for one in fired
        if (sev := wanted.get((one.label("slo"), one.alert))) and one.label("sev") <= sev
        for start, _ in one.intervals
        if start >= onset
    ]
    start, one = min(told, key=lambda each: (each[0], each[1].label("sev")), default=(None, None))
    return one, start


def _grave(fired: Fired) -> bool:
    return fired.label("sev") in ("1", "2")


def _remedy(faults: Sequence[Fault], commands: Sequence[str]) -> Fault | None:
    return next((fault for fault in faults if any(told.remedies(fault, command) for command in commands[:1])), None)


def _nobody(name: str) -> Server:
    return Server(name, _NOBODY, "a drill in simulated time has none", timeout=0.5)
