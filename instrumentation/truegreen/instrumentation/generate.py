"""`truegreen generate app`: the settings of an application as JSON, for a process that has no YAML reader."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from truegreen.core.words.shapes import Generated

if TYPE_CHECKING:
    from truegreen.core.config.model import Config

FILE = "truegreen.json"
VERSION = 1


def files(config: Config, time_scale: int) -> Generated:
    """The file that `TRUEGREEN_CONFIG` names inside an application.

    Args:
        config: what `truegreen.yaml` says.
        time_scale: not used; an application has no windows.
    """
    del time_scale
    body = {
        "version": VERSION,
        "sampling": dict(config.sampling),
        "evaluations": {name: dict(settings) for name, settings in config.evaluations.items()},
        "cohorts": {"attribute": config.cohorts.attribute} if config.cohorts else None,
        "snapshot": dict(config.snapshot),
        "calibration": config.calibration,
    }
    rates = ", ".join(f"{name} {config.sampling.get(name, 1.0):.0%}" for name in config.evaluations) or "nothing"
    return Generated(
        {FILE: json.dumps(body, indent=1, sort_keys=True, ensure_ascii=False) + "\n"},
        (f"The application evaluates {rates}; start it with TRUEGREEN_CONFIG={FILE}",),
        {"sampling": dict(config.sampling), "evaluations": len(config.evaluations)},
    )
