"""A run of the whole stack on recorded answers: whether a switch of models pages, or stays silent, as expected."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from truegreen.core.errors import BadInput, Failed
from truegreen.core.words.calibration import from_text
from truegreen.demo import measures
from truegreen.demo.acts import SLO
from truegreen.demo.model import ENVIRONMENT, Replay
from truegreen.demo.pager import Pager
from truegreen.demo.stage import Stage, stage, start_engines, truegreen
from truegreen.demo.story import Story

SERVICE = "recorded-answers"
BASELINE_ANSWERS = 600


def run(replay: Replay, time_scale: int, seed: int, story: Story) -> None:
    """Run it.

    Raises:
        BadInput: the file or a model cannot be used.
        Failed: the expectation is not met, something ended, or no spans arrived.
    """
    if not replay.file.is_file():
        raise BadInput(f"--replay: {replay.file}: no such file")
    slos: list[dict[str, Any]] = [{"name": SLO, "mode": "live", "objective": replay.objective}]
    with stage(time_scale=time_scale, slos=slos, services=(SERVICE,)) as on:
        _baseline(on, replay, seed, story)
        with story.waiting("starting Prometheus and Alertmanager"):
            prometheus, alertmanager = start_engines(on, "")
        story.tell(
            "ready",
            f"prometheus {prometheus}, alertmanager {alertmanager}, collector; 1 s here = {time_scale} s in production; seed {seed}",
        )
        if not _play(on, replay, seed, story):
            raise Failed(f"expected {replay.expect}, and it was not seen")


def _baseline(on: Stage, replay: Replay, seed: int, story: Story) -> None:
    models = [word for model in replay.before for word in ("--model", model)]
    with story.waiting("taking the baseline"):
        taken = truegreen(
            on, "baseline", "take", "--service", SERVICE, "--environment", ENVIRONMENT, "--from", str(replay.file.resolve()),
            *models, "--answers", str(BASELINE_ANSWERS), "--seed", str(seed), "--out", str(on.folder / "calibration"),
        )  # fmt: skip
    file = next((on.folder / "calibration").glob("*.json"))
    frozen = from_text(file.read_text("utf-8"), file.name)
    story.tell(
        "baseline",
        f"{', '.join(replay.before)}: N={frozen.answers} digest {frozen.digest[:4]}, floor {frozen.floor:.3f} "
        f"({frozen.scale}: {frozen.bad_ratio:.1%} fail by construction)",
        baseline=taken,
    )


def _play(on: Stage, replay: Replay, seed: int, story: Story) -> bool:
    mark = on.folder / "switched"
    total = round(replay.seconds * replay.per_second)
    player = on.supervisor.python(
        "player", "truegreen.demo.player",
        [
            str(replay.file.resolve()), "--before", ",".join(replay.before), "--after", ",".join(replay.after),
            "--switch-at", str(replay.switch_at), "--total", str(total), "--rate", str(replay.per_second), "--seed", str(seed),
            "--service", SERVICE, "--environment", ENVIRONMENT, "--endpoint", on.tap.url, "--mark", str(mark),
        ],
        {"TRUEGREEN_CALIBRATION": str(on.folder / "calibration"), "TRUEGREEN_CONFIG": str(on.config)},
    )  # fmt: skip
    on.supervisor.processes.remove(player)  # it is meant to end by itself
    before, told = measures.Count(0, 0), False
    try:
        with story.waiting("replaying") as says:
            while player.handle.poll() is None:
                on.supervisor.check()
                count = measures.evaluated(on, SERVICE)
                says(f"replaying: {count.all:.0f} of {total} evaluated, {count.bad:.0f} ungrounded")
                if mark.exists() and not told:
                    before, told = count, True
                    story.tell(
                        "switch",
                        f"{', '.join(replay.after)} from here on; so far {count.all:.0f} evaluated, {count.ratio:.1%} ungrounded",
                    )
                if replay.expect == "page" and _loud(on.pager):
                    break
                time.sleep(0.25)
            if player.handle.poll() not in (None, 0):
                raise Failed(f"the player ended with exit code {player.handle.returncode}: {player.last_words()}")
            if replay.expect == "silence":
                _settle(on)
    finally:
        if player.handle.poll() is None:
            on.supervisor.processes.append(player)  # stopped with the rest
    count = measures.evaluated(on, SERVICE)
    return _verdict(on, replay, story, count.since(before) if told else count, mark)


def _settle(on: Stage) -> None:
    """Two more scrapes and evaluations, so that the last answers have been judged by the rules."""
    seen = measures.evaluated(on, SERVICE).all
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        on.supervisor.check()
        time.sleep(0.5)
    if not seen and not measures.evaluated(on, SERVICE).all:
        raise Failed("no evaluated answer reached Prometheus: silence would mean nothing")


def _loud(pager: Pager) -> list[str]:
    return [
        n.labels.get("alertname", "?")
        for n in pager.received
        if n.sev == "1" and n.labels.get("slo") == SLO and n.status == "firing"
    ]


def _verdict(on: Stage, replay: Replay, story: Story, count: measures.Count, mark: Path) -> bool:
    page, switched = on.pager.find(sev="1", status="firing", slo=SLO), _switched(mark)
    early = page is not None and bool(replay.after) and (switched is None or page.seconds < switched)
    loud = sorted(
        {f"sev{n.sev} {n.labels.get('alertname')}" for n in on.pager.received if n.sev in ("1", "2") and n.status == "firing"}
    )
    quiet = sorted({f"{n.labels.get('alertname')}" for n in on.pager.received if n.sev == "3" and n.status == "firing"})
    if page:
        after = page.seconds - switched if switched is not None else None
        story.tell("PAGE", f"sev1 {SERVICE}/{ENVIRONMENT} {SLO}: {page.annotations['description']}", seconds_after_switch=after)
    met = page is not None and not early if replay.expect == "page" else not loud
    story.tell(
        "saw",
        f"{count.all:.0f} answers evaluated {'after the switch' if mark.exists() else 'in all'}, {count.ratio:.1%} ungrounded; "
        f"sev 1 and 2: {', '.join(loud) or 'none'}; tickets: {', '.join(quiet) or 'none'}",
        evaluated=count.all, ungrounded=count.ratio, loud=loud, tickets=quiet,
    )  # fmt: skip
    story.tell(
        "expected" if met else "missed",
        f"{replay.expect}: {'seen' if met else 'only before the switch' if early and replay.expect == 'page' else 'not seen'}",
        expect=replay.expect,
        met=met,
    )
    return met


def _switched(mark: Path) -> float | None:
    """When the switch was, unix seconds; None when it was not."""
    text = mark.read_text("utf-8") if mark.exists() else ""
    return float(text) if text else None
