"""`truegreen generate app`: the settings of an application as JSON, for a process that has no YAML reader."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from truegreen.core.words.sampling import BACKGROUND_RATE, WANTED_AN_HOUR, proposed
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
        "services": {name: {"sampling": dict(one.sampling)} for name, one in config.services.items() if one.sampling},
        "cohorts": {"attribute": config.cohorts.attribute, "boost": list(config.cohorts.boost)} if config.cohorts else None,
        "retrieval": {"floor": config.retrieval_floor},
        "agents": {"approved_tools": {agent: list(tools) for agent, tools in config.approved_tools.items()}},
        "snapshot": dict(config.snapshot),
        "calibration": config.calibration,
    }
    rates = ", ".join(f"{name} {config.sampling.get(name, 1.0):.0%}" for name in config.evaluations) or "nothing"
    services = {name: dict(one.sampling) for name, one in config.services.items() if one.sampling}
    return Generated(
        {FILE: json.dumps(body, indent=1, sort_keys=True, ensure_ascii=False) + "\n"},
        (f"The application evaluates {rates}; start it with TRUEGREEN_CONFIG={FILE}", *_reasons(config)),
        {"sampling": dict(config.sampling), "services": services, "evaluations": len(config.evaluations)},
    )


def _reasons(config: Config) -> Iterator[str]:
    """One line for every service and evaluation of which the volume is known: the rate, what it gives, and what is proposed."""
    for name, service in config.services.items():
        volume = service.answers_per_hour
        if not volume:
            continue
        for evaluation, rate in service.sampling.items():
            better = proposed(volume)
            said = f"{name}: {rate:.0%} of {volume:,} answers an hour are {volume * rate:,.0f} evaluated by {evaluation}"
            if config.evaluations.get(evaluation, {}).get("background") is True:
                yield (
                    f"{said} in the background: a judge costs money and time, so its share is {BACKGROUND_RATE:.0%} "
                    f"where neither sampling nor services.{name}.sampling says another"
                )
            elif rate == better:
                yield f"{said}: an SLO needs about {WANTED_AN_HOUR:,}, and no rate is under 5%"
            else:
                yield f"{said}; {better:.0%} would be the {min(volume, max(WANTED_AN_HOUR, volume * better)):,.0f} that an SLO needs: services.{name}.sampling"
