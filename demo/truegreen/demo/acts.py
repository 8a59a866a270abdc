"""The acts that both scenarios share: warm-up, healthy minute, the page, the close, the score."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import httpx

from truegreen.core.errors import Failed
from truegreen.core.words import catalogue
from truegreen.core.words.calibration import Calibration, from_text
from truegreen.demo import beside, corpus, measures
from truegreen.demo.measures import Count, Green
from truegreen.demo.model import ENVIRONMENT, SERVICE, Settings
from truegreen.demo.pager import Notification
from truegreen.demo.stage import Stage, show_boards, start_engines, truegreen, wait
from truegreen.demo.story import Story
from truegreen.demo.world import templates, traffic
from truegreen.demo.world.afterwards import Afterwards
from truegreen.demo.world.visitors import PRYING

SLO = "grounding"
WARMUP_AT_ONCE: Final = 32
_PATIENCE: Final = 60.0
"""Seconds to wait for what takes one or two on a machine that has nothing else to do."""
_SHADOW: Final = {
    "first_chunk": "95%", "relevance": "85%", "index_freshness": "99%", "guardrail_over": "75%", "guardrail_under": "80%", "tool_success": "95%",
    "task_completion": "90%", "escalation": "92%", "satisfaction": "80%", "downstream_quality": "90%",
}  # fmt: skip
"""SLO to its objective. Those of a shop that is still finding out: with the few events of a minute, one bad one must not be a ticket."""
SLOS: list[dict[str, Any]] = [
    *({"name": name, "mode": "live"} for name in (SLO, "latency", "availability", "retrieval_success")),
    *({"name": name, "mode": "shadow", "objective": objective} for name, objective in _SHADOW.items()),
]


@dataclass(slots=True)
class Play:
    """A run of a scenario: the stage, the story and what is remembered from act to act."""

    on: Stage
    story: Story
    settings: Settings
    agent: str
    exchanges: list[traffic.Exchange] = field(default_factory=list)
    later: Afterwards | None = None
    watched: float = 0.0
    """Unix time from which Prometheus saw judged answers."""
    calibration: Calibration | None = None
    onset: float = 0.0
    onset_seconds: float = 0.0
    before: Green | None = None
    healthy: Count | None = None
    page: Notification | None = None
    triage: dict[str, Any] = field(default_factory=dict)
    paged_seconds: float = 0.0
    """From the onset to the page."""
    whose: str = ""
    """Whose fault it truly is."""
    smoked: int = 0
    """Questions that the smoke suite asked: they make spans too."""


def warm_up(play: Play) -> None:
    """Answers as fast as they come, a frozen baseline, then rules, Prometheus and Alertmanager."""
    on, settings = play.on, play.settings
    with play.story.waiting("warm-up") as says:
        play.exchanges += traffic.burst(
            play.agent,
            settings.warmup,
            concurrency=WARMUP_AT_ONCE,
            seed=settings.seed,
            progress=lambda done: says(f"warm-up: {done} of {settings.warmup} answers"),
        )
        failed = traffic.totals(play.exchanges).errors
        if failed:
            raise Failed(f"warm-up: {failed} of {settings.warmup} questions were not answered; the agent's log: {_log(on)}")
        with httpx.Client(base_url=f"http://{on.collector_metrics}", trust_env=False) as asked:
            seen = partial(_scores_seen, asked)
            on.supervisor.wait(lambda: seen() >= settings.warmup, _PATIENCE, f"{settings.warmup} scores at the collector")
        taken = truegreen(
            on, "baseline", "take", "--service", SERVICE, "--environment", ENVIRONMENT,
            "--from", f"http://{on.collector_metrics}", "--out", str(on.folder / "calibration"),
        )  # fmt: skip
        says("measuring the evaluator on labelled answers")
        beside.freeze(on, play.exchanges, settings.seed)
        beside.read_changelog(on)
    file = next((on.folder / "calibration").glob("*.json"))
    frozen = play.calibration = from_text(file.read_text("utf-8"), file.name)
    play.story.tell(
        "warm-up",
        f"{settings.warmup} answers as fast as they come; baseline frozen N={frozen.answers} digest {frozen.digest[:4]} "
        f"({frozen.scale}: {frozen.bad_ratio:.0%} of healthy answers fail by construction)",
        baseline=taken,
    )
    with play.story.waiting("starting Prometheus and Alertmanager"):
        beside.start(on)
        prometheus, alertmanager = start_engines(on, on.addresses["agent"])
        boards = show_boards(on) if settings.keep else ""
    play.story.tell(
        "ready",
        f"prometheus {prometheus}, alertmanager {alertmanager}, collector, support agent; 1 s here = {settings.production(1)} in production; "
        f"load = {settings.per_second * 3600 / on.time_scale:.0f} evaluated/h",
        *((f"boards {boards}",) if boards else ()),
        prometheus=prometheus, alertmanager=alertmanager, time_scale=on.time_scale,
    )  # fmt: skip


def healthy(play: Play) -> None:
    """A healthy stretch: nothing may fire."""
    on, story = play.on, play.story
    on.supervisor.wait(lambda: measures.evaluated(on, SERVICE).all > 0, _PATIENCE, "the first evaluated answer in Prometheus")
    first, play.watched = measures.evaluated(on, SERVICE), time.time()
    with story.waiting("healthy traffic") as says:
        wait(on, play.settings.healthy_seconds, lambda left: says(f"healthy traffic: {left:.0f} s to go"))
    count = play.healthy = measures.evaluated(on, SERVICE).since(first)
    play.before = measures.green(on, play.settings.healthy_seconds)
    alerts = measures.firing(on)
    budget = on.number(f'truegreen:slo_error_budget:ratio{{service="{SERVICE}",environment="{ENVIRONMENT}",slo="{SLO}"}}')
    story.tell(
        "healthy",
        f"{count.all:.0f} answers evaluated, {count.ratio:.1%} ungrounded (budget {budget:.0%}); alerts firing: {len(alerts)}"
        + (f" ({', '.join(sorted({a['alertname'] for a in alerts}))})" if alerts else ""),
        evaluated=count.all, ungrounded=count.ratio, budget=budget, alerts=alerts,
    )  # fmt: skip
    paged = [a for a in alerts if a.get("sev") in ("1", "2")]
    if paged or play.on.pager.count("1"):
        raise Failed(f"a healthy agent was paged: {paged or play.on.pager.received[0].labels}")


def incident(play: Play, text: str) -> None:
    """The moment from which answers are wrong."""
    play.onset, play.onset_seconds = time.time(), play.story.now()
    play.story.tell("INCIDENT", text, onset=play.onset)


def stays_green(play: Play, stream: traffic.Stream) -> None:
    """Show a wrong answer, and that nothing of today's dashboards moved. The demo has the answer; telemetry does not."""
    on, story = play.on, play.story
    on.supervisor.wait(lambda: traffic.example(stream.exchanges(play.onset)) is not None, _PATIENCE, "a wrong answer")
    wait(on, max(0.0, 5.0 - (time.time() - play.onset)))
    shown = traffic.example(stream.exchanges(play.onset))
    assert shown is not None
    story.tell("example", f'Q "{shown.question}"  A "{shown.answer}"  source: "{shown.source}"')
    wait(on, max(0.0, 8.0 - (time.time() - play.onset)))
    now, before = measures.green(on, time.time() - play.onset), play.before
    assert before is not None
    story.tell(
        "green",
        f"p99 {now.p99:.2f} s ({before.p99:.2f})  errors {now.errors:.1%}  CPU {now.cpu:.0%} ({before.cpu:.0%}); "
        f"contrast alerts firing: {measures.of_contrast(measures.contrast_firing(on))}",
        p99=now.p99, p99_before=before.p99, errors=now.errors, cpu=now.cpu, cpu_before=before.cpu,
    )  # fmt: skip


def paged(play: Play) -> None:
    """Wait for Alertmanager's sev 1 notification, and open the incident from it."""
    on, story = play.on, play.story
    with story.waiting("waiting for the page"):
        on.supervisor.wait(
            lambda: on.pager.find(sev="1", status="firing", slo=SLO) is not None, 90, "a sev 1 notification from Alertmanager"
        )
    page = play.page = on.pager.find(sev="1", status="firing", slo=SLO)
    assert page is not None
    took = play.paged_seconds = story.now() - play.onset_seconds
    burn = measures.burn(on, SERVICE, SLO)
    story.tell(
        "PAGE",
        f"sev{page.labels['sev']} {page.labels['service']}/{page.labels['environment']} {page.labels['slo']}: {burn.bad:.0f} of {burn.all:.0f} "
        f"ungrounded in 15 min, burn {burn.rate:.1f}x, lower bound {burn.lower:.0%} > {burn.budget:.0%}",
        f"{took:.0f} s after onset = {play.settings.production(took)} in production; "
        f"{len(page.annotations.get('trace_links', '').split())} trace links; board; runbook; next: {page.annotations['next']}",
        seconds_after_onset=took, labels=page.labels, annotations=page.annotations,
    )  # fmt: skip
    file = on.folder / "alert.json"
    file.write_text(json.dumps(page.payload), "utf-8")
    truegreen(on, "incident", "open", "--alert", str(file), "--time-scale", str(on.time_scale))


def triage(play: Play, whose: str) -> None:
    """Ask triage, and hold it to the truth of the scenario."""
    on, story = play.on, play.story
    play.whose = whose
    found = play.triage = truegreen(on, "triage", "--time-scale", str(on.time_scale))
    changed = "; ".join(
        f"{c['component']} {c['old'] or 'none'} -> {c['new'] or 'none'} at {clock(play, c['time'])}" for c in found["changes"]
    )
    side = {"them": "THEM, not us", "us": "US, not them"}.get(found["whose"], "NOT SURE")
    pillar = "none (model layer)" if found["pillar"] == "none" else found["pillar"]
    same = ", ".join(found["same"])
    relevance = found.get("relevance")
    ruled = [f["says"] for f in found["findings"] if f["state"] == "ruled out"]
    sessions = "unknown" if found["sessions"] is None else f"{found['sessions']:.0f}"
    story.tell(
        "triage",
        f"{found['failure_mode']}, pillar: {pillar}; {side}: {changed or found['because']}" + (f"; the same as before: {same}" if same else ""),
        (f"retrieval relevance {relevance[1]:.2f} ({relevance[0]:.2f}); " if relevance else "")
        + f"ruled out: {', '.join(ruled) or 'nothing'}; affected {found['affected']:.0f} answers, {sessions} sessions",
        triage=found,
    )  # fmt: skip
    if found["whose"] != whose or found["failure_mode"] != "hallucination":
        raise Failed(
            f"triage said {found['whose']} and {found['failure_mode']}, the truth of this scenario is {whose} and hallucination"
        )


def validated(play: Play) -> None:
    """The six checks, asked again until they are green."""
    on, story = play.on, play.story
    deadline, made = time.monotonic() + play.settings.real(90), dict[str, Any]()
    with story.waiting("validation: 15 quiet minutes, scaled"):
        while True:
            made = truegreen(on, "validate", "--time-scale", str(on.time_scale), expect=(0, 1))
            play.smoked += sum(
                int(c["says"].rpartition("/")[2]) for c in made["checks"] if c["name"] == "smoke" and "/" in c["says"]
            )
            if made["exit_code"] == 0 or time.monotonic() > deadline:
                break
            wait(on, 2.0)
    checks = made.get("checks", [])
    ok = sum(c["state"] == "ok" for c in checks)
    story.tell("validate", f"{ok}/{len(checks)}: " + "; ".join(_check(c) for c in checks), checks=checks)
    if made["exit_code"] != 0:
        raise Failed("validation did not become green: " + "; ".join(_check(c) for c in checks if c["state"] != "ok"))


def closed(play: Play) -> None:
    """Wait for Alertmanager's resolve, close the incident, write the postmortem."""
    on, story = play.on, play.story
    with story.waiting("waiting for Alertmanager's resolve"):
        on.supervisor.wait(
            lambda: on.pager.find(sev="1", status="resolved", slo=SLO) is not None, 120, "the resolve of the sev 1 alert"
        )
    truegreen(on, "incident", "close", "--time-scale", str(on.time_scale))
    took = story.now() - play.onset_seconds
    path = on.folder / "postmortem.md"
    made = truegreen(on, "postmortem", "--out", str(path), "--time-scale", str(on.time_scale))
    start = play.triage.get("start")
    true = (
        f"true start {clock(play, start['time'])} (between {clock(play, start['low'])} and {clock(play, start['high'])}; told at "
        f"{clock(play, play.onset)})"
        if start
        else "true start: not found"
    )
    story.tell(
        "closed",
        f"{took:.0f} s after onset, {play.settings.production(took - play.paged_seconds)} in production after the page (target 60); "
        f"Alertmanager's resolve seen; "
        f"postmortem.md: {made['answered']} of {made['questions']} questions, {true}",
        seconds_after_onset=took, postmortem=path.read_text("utf-8"),
    )  # fmt: skip


def drilled(play: Play) -> None:
    """Keep what this was: a drill, scored by the log; and wait until Prometheus has seen when it was held."""
    on, story = play.on, play.story
    words = ("--onset", str(play.onset), "--whose", play.whose, "--time-scale", str(on.time_scale))
    made = truegreen(on, "drill", "score", "hallucination", *words, expect=(0, 1))
    held = catalogue.DRILL_COMPLETED_TIMESTAMP.prometheus
    often = f"count_over_time({held}[10s]) > 2"
    on.supervisor.wait(lambda: bool(on.samples(often)), _PATIENCE, f"{held} in Prometheus")
    outside = made["outside"]
    targets = "inside every target" if not outside else f"outside its target: {', '.join(outside)}"
    story.tell("drill", f"kept as a drill, {targets}: truegreen drill list", drill=made)


def score(play: Play, stream: traffic.Stream, other: str) -> None:
    """What it was worth: pages, lost spans, leaked text."""
    on, story = play.on, play.story
    stream.stop()
    if play.later:
        play.later.stop()
    wait(on, 1.0)  # the agent exports what it has every 0.3 s
    exchanges = [*play.exchanges, *stream.exchanges()]
    asked = traffic.totals(exchanges).answered + play.smoked
    on.supervisor.wait(lambda: on.tap.answers >= asked, _PATIENCE, f"{asked} chat spans at the tap ({on.tap.answers} seen)")
    counted = {"spans": 0.0, "accepted": 0.0, "answers": 0.0}

    def whole() -> bool:
        # Spans of one look, for the canary goes on sending; answers of Prometheus, which may not have scraped the last one yet.
        answers = on.number(f'sum(truegreen_answers_total{{service="{SERVICE}"}})', 0.0)
        counted.update(spans=on.tap.spans, accepted=measures.collector(on)["accepted"], answers=answers)
        return counted["accepted"] >= counted["spans"] and answers >= asked

    on.supervisor.wait(whole, _PATIENCE, f"all spans counted by the collector, and {asked} answers by Prometheus")
    answers = counted["answers"]
    lost = max(asked - answers, counted["spans"] - counted["accepted"])
    text = [part for e in exchanges for part in (e.question, e.answer)] + [p.text for p in corpus.load().passages]
    leaked = on.tap.leaked_bytes([*text, *PRYING, *(version for version, _ in templates.VERSIONS)])
    pages, false = on.pager.count("1"), sum(1 for n in on.pager.received if n.sev == "1" and n.seconds < play.onset)
    contrast = measures.contrast_ever(on, story.now())
    story.tell(
        "score",
        f"pages {pages} (false {false}), {asked} answers given and {answers:.0f} counted, spans lost {max(0, lost):.0f} of {on.tap.spans}, prompt or answer text exported: {leaked} bytes; "
        f"contrast alerts that ever fired: {measures.of_contrast(contrast)}; next: truegreen demo --scenario {other}",
        pages=pages, false_pages=false, spans=on.tap.spans, spans_lost=lost, leaked_bytes=leaked, contrast=contrast, answers=asked, answers_counted=answers,
    )  # fmt: skip
    if leaked or lost > 0 or false:
        raise Failed(f"the score is not clean: {leaked} bytes of text exported, {lost:.0f} spans lost, {false} false pages")


def _check(check: Mapping[str, str]) -> str:
    if check["name"] == "smoke" and check["says"]:
        return f"smoke {check['says']}"
    return f"{check['name']} {check['number']} ({check['bound']})"


def clock(play: Play, unix: float) -> str:
    """A unix time on the story's clock."""
    seconds = play.onset_seconds + unix - play.onset
    return f"{int(seconds) // 60:02d}:{int(seconds) % 60:02d}"


def _scores_seen(collector: httpx.Client) -> int:
    reply = collector.get("/scores", params={"service": SERVICE, "environment": ENVIRONMENT, "evaluation": "groundedness"})
    return int(reply.json().get("seen", 0)) if reply.status_code == httpx.codes.OK else 0


def _log(on: Stage) -> str:
    return next(p.last_words() for p in on.supervisor.processes if p.name == SERVICE)
