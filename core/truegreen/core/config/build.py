"""Checked data to the configuration's dataclasses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path as File
from typing import Any

from truegreen.core.config.check import short
from truegreen.core.config.forward import destinations
from truegreen.core.config.model import (
    Alerting,
    Cohorts,
    Collector,
    Config,
    Containment,
    Incidents,
    Kubernetes,
    Service,
)
from truegreen.core.config.receiver import receiver
from truegreen.core.config.routes import routes
from truegreen.core.config.source import Path, Source, dotted
from truegreen.core.config.units import seconds
from truegreen.core.errors import BadInput
from truegreen.core.words import ready_made
from truegreen.core.words.catalogue_check import Problem
from truegreen.core.words.catalogue_own import Catalogue, extended
from truegreen.core.words.sampling import default
from truegreen.core.words.slo import (
    ALL_SERVICES,
    BASELINE,
    EvaluationSli,
    EventSli,
    FreshnessSli,
    Sli,
    Slo,
    ThresholdSli,
)

_NUMBER = re.compile(r"[+-]?([0-9]{1,9}(\.[0-9]{0,20})?|\.[0-9]{1,20})")
_SHARED = ("description", "layer", "failure_mode", "pillar", "window", "mode", "unit", "owner", "labels", "cohorts")


def config(source: Source, path: File | None) -> Config:
    """Build the model.

    Raises:
        BadInput: a percentage, an objective or a name that the schema cannot judge.
    """
    data = source.data
    return Config(
        services=_services(source),
        snapshot=data["snapshot"],
        sampling=_shares(source, _rates(source, ("sampling",))),
        evaluations=data["evaluations"],
        slos=_slos(source),
        cohorts=Cohorts(data["cohorts"]["attribute"], tuple(data["cohorts"]["values"]), tuple(data["cohorts"]["boost"]))
        if data.get("cohorts")
        else None,
        routes=routes(source),
        alerting=_alerting(data["alerting"]),
        collector=_collector(source, path),
        containment=Containment(**data["containment"]),
        incidents=Incidents(**{**data["incidents"], "smoke": tuple(data["incidents"]["smoke"])}),
        scrape_interval_seconds=float(seconds(data["scrape_interval"])),
        calibration=data["calibration"],
        retrieval_floor=data["retrieval"].get("floor"),
        approved_tools=_approved(data["agents"].get("approved_tools", {})),
        metrics=_metrics(source),
        written={key: data[key] for key in ("collector", "metrics") if data.get(key)},
        source=path,
        lines={dotted(place): line for place, line in source.lines.items() if place and place[0] == "slos"},
    )


def _collector(source: Source, path: File | None) -> Collector:
    given = source.data["collector"]
    return Collector(
        **{
            **{key: value for key, value in given.items() if key not in ("tls", "token_file", "limits")},
            "receiver": receiver(source, path),
            "state": (path.parent if path else File()) / given["state"] if given["state"] else None,
            "forward": destinations(source, path),
            "flush": float(seconds(given["flush"])),
            "backends": tuple(given["backends"]),
            "kubernetes": Kubernetes(**given["kubernetes"]),
        }
    )


def _alerting(given: Mapping[str, Any]) -> Alerting:
    due = given["drill_every"]
    return Alerting(
        tuple(given["formats"]), seconds(given["baseline_age"]), seconds(due) if due else 0, accept_slow=given["accept_slow"]
    )


def _metrics(source: Source) -> Catalogue:
    def refuse(problems: Iterable[Problem]) -> None:
        said = [f"{source.at(('metrics', *path))}: found {short(found)}: {wrong}" for path, wrong, found in problems]
        if said:
            raise BadInput("\n".join(dict.fromkeys(said)))

    given = source.data.get("metrics")
    return extended(given, refuse) if given else Catalogue()


def _approved(given: list[str] | Mapping[str, list[str]]) -> Mapping[str, tuple[str, ...]]:
    listed = {"": given} if isinstance(given, list) else given
    return {agent: tuple(tools) for agent, tools in listed.items()}


def percentage(source: Source, path: Path, value: Any) -> Decimal:
    """A percentage as a ratio, 0 to 1.

    Raises:
        BadInput: it is not one, or is a bare number under 1, which could mean either.
    """
    text = str(value).strip()
    sign = text.endswith("%")
    digits = text.removesuffix("%").strip()
    if not _NUMBER.fullmatch(digits):
        raise BadInput(f"{source.at(path)}: {text[:60]} is not a percentage; write 95%")
    number = Decimal(digits)
    if not sign and 0 < number < 1:
        raise BadInput(f"{source.at(path)}: {text} is not a percentage; write {(number * 100).normalize():f}%")
    if not 0 <= number <= 100:
        raise BadInput(f"{source.at(path)}: {value} is not between 0% and 100%; write 95%")
    return number / 100


def _services(source: Source) -> Mapping[str, Service]:
    made = {}
    for name, given in source.data["services"].items():
        volume = given.get("answers_per_hour")
        said = _rates(source, ("services", name, "sampling"))
        common = _rates(source, ("sampling",))
        sampling = _shares(source, {**common, **said}, volume) if said or volume else {}
        made[name] = Service(name, given["customer_facing"], given["owner"], volume, sampling)
    return made


def _rates(source: Source, path: Path) -> Mapping[str, float]:
    """The rates that are written at a place; one for all of them is that of each evaluation."""
    given: Any = source.data
    for part in path:
        given = given.get(part) if isinstance(given, Mapping) else None
    if given is None:
        return {}
    if isinstance(given, Mapping):
        return {name: float(percentage(source, (*path, name), value)) for name, value in given.items()}
    return dict.fromkeys(source.data["evaluations"], float(percentage(source, path, given)))


def _shares(source: Source, said: Mapping[str, float], volume: int | None = None) -> Mapping[str, float]:
    """The share of every evaluation: the one that is written, else the one that follows from volume and kind."""
    kinds = {name: bool(settings["background"]) for name, settings in source.data["evaluations"].items()}
    return {**{name: default(background=kind, answers_per_hour=volume) for name, kind in kinds.items()}, **said}


def _slos(source: Source) -> tuple[Slo, ...]:
    made: dict[str, Slo] = {}
    for index, given in enumerate(source.data["slos"]):
        path: Path = ("slos", index)
        if given["name"] in made:
            raise BadInput(f"{source.at((*path, 'name'))}: {given['name']} is there twice; give one of them another name")
        made[given["name"]] = _slo(source, path, given)
    return tuple(made.values())


def _slo(source: Source, path: Path, given: Mapping[str, Any]) -> Slo:
    base = ready_made.BY_NAME.get(given["name"])
    lacking = [key for key in ("sli", "objective") if key not in given] if base is None else []
    if lacking:
        raise BadInput(
            f"{source.at(path)}: {given['name']} is not a ready-made SLO, so it needs {' and '.join(lacking)}; "
            f"ready-made are {', '.join(ready_made.BY_NAME)}"
        )
    shared = {key: given[key] for key in _SHARED if key in given}
    if "services" in given:
        if isinstance(given["services"], Mapping):
            shared |= {"services": ALL_SERVICES, "matching": given["services"]["match"]}
        else:
            shared |= {
                "services": given["services"] if given["services"] == ALL_SERVICES else tuple(given["services"]),
                "matching": "",
            }
    if "severities" in given:
        shared["severities"] = {tier: str(sev) for tier, sev in given["severities"].items()}
    if "detectors" in given:
        shared["detectors"] = tuple(given["detectors"])
    if "environments" in given:
        shared["environments"] = tuple(given["environments"])
    if "sli" in given:
        shared["sli"] = _sli(given["sli"])
    if "objective" in given:
        shared["objective"] = _objective(source, (*path, "objective"), given["objective"])
    if "objectives" in given:
        shared["objectives"] = {
            name: _objective(source, (*path, "objectives", name), value) for name, value in given["objectives"].items()
        }
    if base is not None:
        fields = {name: getattr(base, name) for name in Slo.__dataclass_fields__}
        return Slo(**{**fields, **shared})
    missing = [key for key in ("failure_mode", "layer") if key not in given]
    if missing:
        raise BadInput(
            f"{source.at(path)}: an SLO of your own needs {' and '.join(missing)}; add failure_mode: hallucination, layer: quality"
        )
    return Slo(**{"name": given["name"], "description": given["name"], **shared})


def _objective(source: Source, path: Path, value: Any) -> Decimal | str:
    if value == BASELINE:
        return BASELINE
    ratio = percentage(source, path, value)
    if not 0 < ratio < 1:
        raise BadInput(f"{source.at(path)}: {value} leaves {'no' if ratio else 'nothing but'} error budget; write 99%")
    return ratio


def _sli(given: Mapping[str, Any]) -> Sli:
    if "evaluation" in given:
        return EvaluationSli(given["evaluation"], str(given.get("floor", BASELINE)))
    if "threshold" in given:
        return ThresholdSli(given["metric"], Decimal(str(given["threshold"])), given.get("where", {}))
    if "younger_than" in given:
        return FreshnessSli(given["metric"], seconds(given["younger_than"]))
    where = given.get("where", {})
    if "total" in given:
        return EventSli(given["metric"], "", (), total=given["total"], where=where)
    return EventSli(given["metric"], given["label"], tuple(given["bad"]), tuple(given.get("among", ())), where=where)
