"""The two ways in: the provider changes the model behind an alias, or the team ships a bad prompt."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from truegreen.demo import acts, beside, cast, recording
from truegreen.demo.acts import Play
from truegreen.demo.model import BAD_PROMPT, GOOD_MODEL, GOOD_PROMPT, MODEL_ALIAS, OTHER_MODEL, PROMPT, SERVICE, Settings
from truegreen.demo.stage import stage, truegreen
from truegreen.demo.story import Story
from truegreen.demo.world import traffic
from truegreen.demo.world.afterwards import Afterwards
from truegreen.demo.world.visitors import visitors


def run(settings: Settings, story: Story, at_end: Callable[[Play], None]) -> None:
    """Run one scenario from warm-up to score.

    Args:
        at_end: called with everything still up.

    Raises:
        Failed: a step did not happen; its words say which.
    """
    with opened(settings, story, acts.SLOS) as (play, stream):
        _SCENARIOS[settings.scenario](play, stream)
        acts.validated(play)
        acts.closed(play)
        acts.drilled(play)
        acts.score(play, stream, next(name for name in _SCENARIOS if name != settings.scenario))
        if settings.record:
            _record(play, settings.record)
        at_end(play)


@contextmanager
def opened(settings: Settings, story: Story, slos: list[dict[str, Any]]) -> Iterator[tuple[Play, traffic.Stream]]:
    """The stage with everything on it, after its warm-up and a healthy stretch, with customers coming.

    Raises:
        Failed: a step did not happen; its words say which.
    """
    with (
        stage(
            time_scale=settings.time_scale, slos=slos, services=(SERVICE,), smoke=cast.smoke, more=cast.sections,
            collect=lambda folder: ("--provider-changes", str(beside.changes(folder))), boards=settings.keep,
        ) as on,
        ExitStack() as stack,
    ):  # fmt: skip
        with story.waiting("starting the support agent"):
            play = Play(on, story, settings, cast.enter(on, settings))
        acts.warm_up(play)
        later = play.later = Afterwards(play.agent, settings.seed).start()
        stack.callback(later.stop)
        asks = visitors(settings.seed + 1)
        stream = stack.enter_context(traffic.Stream(play.agent, settings.per_second, asks, each=later.hear))
        acts.healthy(play)
        yield play, stream


def _provider(play: Play, stream: traffic.Stream) -> None:
    cast.move_alias(play.on, OTHER_MODEL)
    acts.incident(play, f'the provider now serves another model behind the alias "{MODEL_ALIAS}" (the agent is not told)')
    acts.stays_green(play, stream)
    acts.paged(play)
    acts.triage(play, "them")
    command = ("contain", "pin-model", GOOD_MODEL, "--expires", "60m")
    made = truegreen(play.on, *command)
    _changed(play, "contain", command, made)
    lesson = f"ask for {GOOD_MODEL} by its dated name; take another model only after an evaluation run"
    truegreen(play.on, "incident", "note", lesson, "--action", "--owner", "support team")


def _prompt(play: Play, stream: traffic.Stream) -> None:
    cast.ship_prompt(play.on, BAD_PROMPT)
    acts.incident(play, f"the team ships version {BAD_PROMPT} of the prompt {PROMPT}: friendlier, and silent about the passages")
    acts.stays_green(play, stream)
    acts.paged(play)
    acts.triage(play, "us")
    command = ("rollback", "prompt", "--to", str(GOOD_PROMPT))
    made = truegreen(play.on, *command)
    _changed(play, "rollback", command, made)


def _changed(play: Play, kind: str, command: tuple[str, ...], made: Mapping[str, object]) -> None:
    evidence, seen = made["evidence"], made["verified"]
    assert isinstance(evidence, dict)
    assert isinstance(seen, dict)
    play.story.tell("freeze", f"evidence bundle sha256 {str(evidence['sha256'])[:4]} (before any change)", evidence=evidence)
    play.story.tell(kind, f"$ truegreen {' '.join(command)}   logged, undo: {made['undo']}", command=made)
    play.story.tell(
        "verified",
        f"by spans: {seen['count']} of {seen['count']} on {GOOD_MODEL if kind == 'contain' else f'{PROMPT}@{GOOD_PROMPT}'} "
        f"after {seen['seconds']:.1f} s",
        verified=seen,
    )


def _record(play: Play, path: Path) -> None:
    """Write every series of the run to a file."""
    story = play.story
    moments = recording.marks(story.steps, time.time() - story.now())
    url = f"http://{play.on.prometheus_address}"
    with story.waiting("recording"):
        made = recording.take(url, math.floor(play.watched), math.ceil(time.time()), play.on.time_scale, moments)
        recording.write(path, made)
    values = sum(len(one["values"]) for one in made["series"])
    story.tell(
        "recorded",
        f"{path}: {len(made['series'])} series, {values} values, {path.stat().st_size / 1000:.0f} kB",
        series=len(made["series"]), bytes=path.stat().st_size,
    )  # fmt: skip


_SCENARIOS: Final[Mapping[str, Callable[[Play, traffic.Stream], None]]] = {"provider": _provider, "prompt": _prompt}
NAMES: Final = tuple(_SCENARIOS)
