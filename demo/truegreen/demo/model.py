"""What a run of the demo is made of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

SERVICE: Final = "support-agent"
ENVIRONMENT: Final = "production"
MODEL_ALIAS: Final = "support-large"
GOOD_MODEL: Final = "support-large-0613"
OTHER_MODEL: Final = "support-large-1106"
SPARE_MODEL: Final = "support-small-0301"
PROMPT: Final = "support-answer"
GOOD_PROMPT: Final = 2
BAD_PROMPT: Final = 3


@dataclass(frozen=True, slots=True)
class Settings:
    """How the demo runs.

    Args:
        scenario: `provider` (another model behind the alias) or `prompt` (the team ships a bad prompt version).
        time_scale: windows are divided by it, 1 to 60.
        seed: of traffic and models.
        keep: leave everything up at the end until interrupted, with the boards' preview.
        record: file that gets every series of the run, or None.
        warmup: answers behind the baseline, at least 500.
        per_second: answers a second under load.
        healthy_seconds: how long the healthy stretch lasts before the incident.
    """

    scenario: str
    time_scale: int
    seed: int
    keep: bool
    record: Path | None = None
    warmup: int = 600
    per_second: float = 5.0
    healthy_seconds: float = 32.0

    def real(self, minutes: float) -> float:
        """Seconds on the wall clock for `minutes` of production time."""
        return minutes * 60 / self.time_scale

    def production(self, seconds: float) -> str:
        """Wall-clock seconds as production time, for people."""
        minutes = seconds * self.time_scale / 60
        return f"{minutes:.0f} min" if minutes >= 1 else f"{minutes * 60:.0f} s"


@dataclass(frozen=True, slots=True)
class Replay:
    """A run on recorded answers.

    Args:
        file: replay JSONL, may be gzipped.
        before: models whose answers come first; they are also the baseline.
        after: models from the switch on; empty means no switch.
        switch_at: fraction of the run, over 0 and under 1.
        expect: `page` or `silence`.
        objective: of grounding, as `truegreen.yaml` writes it.
        seconds: wall-clock length of the run.
        per_second: answers a second; enough that a window's ratio says more of the models than of chance.
    """

    file: Path
    before: tuple[str, ...]
    after: tuple[str, ...]
    switch_at: float
    expect: str
    objective: str
    seconds: float
    per_second: float = 15.0
