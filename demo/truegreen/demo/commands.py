"""`truegreen demo`: parse, run, print."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import click

from truegreen.core.config import load, parse_text
from truegreen.core.errors import BadInput, Failed
from truegreen.core.options import config_option, json_option

_LONGEST_KEEP_SECONDS = 24 * 3600


@click.command()
@click.option(
    "--scenario", type=click.Choice(["provider", "prompt"]), default="provider", show_default=True, help="Who breaks it."
)
@click.option("--time-scale", type=int, default=60, show_default=True, help="Divide every window by N, 1 to 60.")
@click.option("--seed", type=int, default=7, show_default=True, help="Of questions and answers.")
@click.option(
    "--keep", is_flag=True, help="Leave everything up at the end, with the boards and all addresses, until interrupted."
)
@click.option(
    "--record",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write every series of the run, a value a second; `make recorded` of a checkout makes a recording for the preview of it.",
)
@click.option("--picture", type=click.Path(path_type=Path, dir_okay=False), help="Draw the story as an SVG.")
@click.option(
    "--replay",
    "replay_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Run on recorded answers instead of the agent.",
)
@click.option("--from", "before", metavar="MODEL,…", default="", help="With --replay: models whose answers come first.")
@click.option("--to", "after", metavar="MODEL,…", default="", help="With --replay: models after the switch (default: no switch).")
@click.option(
    "--switch-at", type=float, default=0.5, show_default=True, help="With --replay: fraction of the run before the switch."
)
@click.option(
    "--expect", type=click.Choice(["page", "silence"]), help="With --replay: what Alertmanager must do; exit 1 when it does not."
)
@click.option("--objective", default="95%", show_default=True, help="With --replay: objective of grounding.")
@click.option(
    "--seconds", type=click.FloatRange(20, 3600), default=100.0, show_default=True, help="With --replay: length of the run."
)
@config_option
@json_option
def demo(
    scenario: str, time_scale: int, seed: int, keep: bool, record: Path | None, picture: Path | None, replay_file: Path | None, before: str, after: str,
    switch_at: float, expect: str | None, objective: str, seconds: float, config_path: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Run the whole path on this machine: an incident, its page, the fix, the postmortem. Loopback only; ends by itself."""
    if not 1 <= time_scale <= 60:
        raise BadInput(
            f"--time-scale: found {time_scale}; write a whole number from 1 to 60 (a scrape a second cannot count in less)"
        )
    if config_path is not None:
        load(config_path, os.environ)  # the demo writes its own; a broken one is said all the same
    if replay_file is None and (before or after or expect):
        raise BadInput("--from, --to and --expect belong to --replay FILE")
    if replay_file is not None and (keep or record):
        raise BadInput("--keep and --record belong to the two scenarios, not to --replay")
    from rich.console import Console

    from truegreen.demo import interrupts, recorded, scenarios
    from truegreen.demo.model import Replay, Settings
    from truegreen.demo.story import Story
    from truegreen.demo.story import picture as draw

    interrupts.install()
    story = Story(Console(file=sys.stdout), time.monotonic, as_json=as_json)
    try:
        if replay_file is not None:
            if not before or not expect:
                raise BadInput("--replay needs --from MODEL,… and --expect page|silence")
            _check(objective)
            if not 0 < switch_at < 1:
                raise BadInput(f"--switch-at: found {switch_at}; write a fraction over 0 and under 1, such as 0.5")
            run = Replay(
                replay_file,
                tuple(before.split(",")),
                tuple(m for m in after.split(",") if m),
                switch_at,
                expect,
                objective,
                seconds,
            )
            recorded.run(run, time_scale, seed, story)
        else:
            scenarios.run(Settings(scenario, time_scale, seed, keep, record), story, _hold(keep, story))
    except Failed as error:
        story.tell("failed", str(error))
        if not as_json:
            raise
        click.echo(f"error: {error}", err=True)  # the steps are the JSON: an object of another shape would follow otherwise
        raise click.exceptions.Exit(1) from None
    finally:
        if picture is not None and story.steps:
            draw(story.steps, picture, "truegreen demo")


def _check(objective: str) -> None:
    try:
        parse_text(json.dumps({"slos": [{"name": "grounding", "objective": objective}]}), "", {}, None)
    except BadInput as error:
        raise BadInput(f"--objective: {str(error).rpartition(': ')[2]}") from None


def _hold(keep: bool, story: Any) -> Any:
    def hold(play: Any) -> None:
        if not keep:
            return
        on = play.on
        boards, page = f"http://{on.addresses['boards']}", play.page.annotations["dashboard_url"]
        # An agent and Debian's engines have no pages, so these are addresses of what they answer.
        apis = {
            "support agent": f"http://{on.addresses['agent']}/metrics",
            "prometheus": f"http://{on.prometheus_address}/api/v1/alerts",
            "alertmanager": f"http://{on.alertmanager_address}/api/v2/alerts",
            "collector": f"http://{on.collector_metrics}/metrics",
            "incidents": f"http://{on.addresses['response']}/",
        }
        story.tell(
            "kept",
            "  ".join([f"boards {boards}", *(f"{name} {url}" for name, url in apis.items())]),
            f"the page's board {page}",
            f"files {on.folder}; interrupt (Ctrl-C) to stop everything",
            boards=boards, page=page, apis=apis,
        )  # fmt: skip
        try:
            deadline = time.monotonic() + _LONGEST_KEEP_SECONDS
            while time.monotonic() < deadline:
                on.supervisor.check()
                time.sleep(0.5)
        except KeyboardInterrupt:
            story.tell("stopped", "everything is down")

    return hold
