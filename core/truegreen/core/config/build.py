"""Checked data to the configuration's dataclasses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import partial
from pathlib import Path as File
from typing import Any

from truegreen.core.config import openslo, pattern
from truegreen.core.config.check import short
from truegreen.core.config.collected import Errors
from truegreen.core.config.forward import destinations
from truegreen.core.config.model import (
    Alerting,
    Cohorts,
    Collector,
    Config,
    Kubernetes,
    Service,
)
from truegreen.core.config.receiver import receiver
from truegreen.core.config.response import containment, incidents
from truegreen.core.config.routes import routes
from truegreen.core.config.source import Path, Source
from truegreen.core.config.units import seconds
from truegreen.core.errors import BadInput
from truegreen.core.words import ready_made
from truegreen.core.words.catalogue import ANSWER_MARKERS
from truegreen.core.words.catalogue_check import Problem
from truegreen.core.words.catalogue_own import Catalogue, extended
from truegreen.core.words.sampling import default
from truegreen.core.words.slo import (
    ALL_SERVICES,
    BASELINE,
    BoundSli,
    EvaluationSli,
    EventSli,
    FreshnessSli,
    Sli,
    Slo,
    ThresholdSli,
)
from truegreen.core.words.terms import SHOWN_ONLY

_NUMBER = re.compile(r"[+-]?([0-9]{1,9}(\.[0-9]{0,20})?|\.[0-9]{1,20})")
OLDEST = "3650d"
"""No age that an alert waits for is longer."""
_SURE = "overconfident"
_SHARED = ("description", "layer", "failure_mode", "pillar", "window", "mode", "unit", "owner", "labels", "cohorts")


def config(source: Source, path: File | None) -> Config:
    """Build the model.

    Raises:
        BadInput: percentages, objectives or names that the schema cannot judge; one line for each.
    """
    data, errors = source.data, Errors()
    metrics = errors.tried(lambda: _metrics(source)) or Catalogue()
    imported, notes = errors.tried(lambda: openslo.read(data["openslo"], path, metrics.by_name)) or ((), ())
    slos = _slos(source, imported, errors)
    parts: dict[str, Any] = {
        "services": errors.tried(lambda: _services(source)),
        "sampling": errors.tried(lambda: _shares(source, _rates(source, ("sampling",)))),
        "metrics": metrics,
        "collector": errors.tried(lambda: _collector(source, path)),
        "routes": errors.tried(lambda: routes(source)),
        "alerting": errors.tried(lambda: _alerting(source)),
    }
    errors.end(source.name)
    return Config(
        snapshot=data["snapshot"],
        evaluations=data["evaluations"],
        slos=tuple(slos),
        cohorts=Cohorts(data["cohorts"]["attribute"], tuple(data["cohorts"]["values"]), tuple(data["cohorts"]["boost"]))
        if data.get("cohorts")
        else None,
        containment=containment(source),
        incidents=incidents(source, path),
        scrape_interval_seconds=float(seconds(data["scrape_interval"])),
        calibration=data["calibration"],
        retrieval_floor=data["retrieval"].get("floor"),
        approved_tools=_approved(data["agents"].get("approved_tools", {})),
        written={key: data[key] for key in ("collector", "metrics") if data.get(key)},
        source=path,
        sources=(*(source for _ in data["slos"]), *imported),
        notes=tuple(notes),
        **parts,
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


def _alerting(source: Source) -> Alerting:
    given = source.data["alerting"]
    old, due = (_age(source, ("alerting", key), given[key]) if given[key] else 0 for key in ("baseline_age", "drill_every"))
    return Alerting(tuple(given["formats"]), old, due, accept_slow=given["accept_slow"])


def _age(source: Source, path: Path, text: str) -> int:
    if seconds(text) > seconds(OLDEST):
        raise BadInput(f"{source.at(path)}: found {text}, which nothing ever reaches; write at most {OLDEST}")
    return seconds(text)


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


def _slos(source: Source, imported: Iterable[Source], errors: Errors) -> list[Slo]:
    every: list[tuple[Source, Path, Mapping[str, Any]]] = [
        *((source, ("slos", index), given) for index, given in enumerate(source.data["slos"])),
        *((each, (), each.data) for each in imported),
    ]
    made: list[Slo] = []
    first: dict[str, str] = {}
    for its, path, given in every:
        name, where = given["name"], its.at((*path, "name"))
        if name in first:
            errors.append(f"{where}: {name} is there twice, the first is at {first[name]}; give one of them another name")
        else:
            first[name] = where
            slo = _slo(its, path, given, errors)
            if slo and (shown := _shown_only(slo.sli, source.data["evaluations"])):
                errors.append(
                    f"{its.at((*path, 'sli'))}: found {shown}, which is shown and never judged: confident words do not predict a wrong "
                    "answer; write another evaluation, such as groundedness"
                )
            made += [slo] if slo else []
    return made


def _slo(source: Source, path: Path, given: Mapping[str, Any], errors: Errors) -> Slo | None:
    before, base = len(errors), ready_made.BY_NAME.get(given["name"]) if not source.said else None
    lacking = [key for key in ("sli", "objective") if key not in given] if base is None else []
    missing = [key for key in ("failure_mode", "layer") if key not in given] if base is None else []
    if lacking:
        errors.append(
            f"{source.at(path)}: {given['name']} is not a ready-made SLO, so it needs {' and '.join(lacking)}; "
            f"ready-made are {', '.join(ready_made.BY_NAME)}"
        )
    elif missing:
        errors.append(
            f"{source.at(path)}: an SLO of your own needs {' and '.join(missing)}; add failure_mode: hallucination, layer: quality"
        )
    shared = {key: given[key] for key in _SHARED if key in given}
    if "services" in given:
        if isinstance(given["services"], Mapping):
            wrong = pattern.refused(given["services"]["match"])
            if wrong:
                errors.append(f"{source.at((*path, 'services', 'match'))}: found {short(given['services']['match'])}: {wrong}")
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
        if "younger_than" in given["sli"]:
            errors.tried(lambda: _age(source, (*path, "sli", "younger_than"), given["sli"]["younger_than"]))
        shared["sli"] = _sli(given["sli"])
    if "objective" in given:
        shared["objective"] = errors.tried(lambda: _objective(source, (*path, "objective"), given["objective"]))
    if "objectives" in given:
        shared["objectives"] = {}
        for name, value in given["objectives"].items():
            where = (*path, "objectives", name)
            if value == BASELINE:
                errors.append(
                    f"{source.at(where)}: found {BASELINE}, which is for the whole SLO; write 95%, or objective: {BASELINE}"
                )
            else:
                shared["objectives"][name] = errors.tried(partial(_objective, source, where, value))
    if len(errors) > before:
        return None
    fields = {name: getattr(base, name) for name in Slo.__dataclass_fields__} if base else {"name": given["name"]}
    return Slo(**{"description": given["name"], **fields, **shared})


def _shown_only(sli: Sli, evaluations: Mapping[str, Mapping[str, Any]]) -> str:
    """What an SLI reads that nobody may be paged for, empty when it is nothing of that kind."""
    where = getattr(sli, "where", {})
    named = sli.evaluation if isinstance(sli, EvaluationSli) else where.get("evaluation", "")
    if evaluations.get(named, {}).get("evaluator", named) in SHOWN_ONLY or named in SHOWN_ONLY:
        return str(named)
    marked = (*getattr(sli, "bad", ()), where.get("marker"))
    return _SURE if getattr(sli, "metric", "") == ANSWER_MARKERS.prometheus and _SURE in marked else ""


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
    metric, where = given["metric"], given.get("where", {})
    if "threshold" in given:
        return ThresholdSli(metric, Decimal(str(given["threshold"])), where)
    if "younger_than" in given:
        return FreshnessSli(metric, seconds(given["younger_than"]))
    if "at_least" in given or "at_most" in given:
        least, most = (Decimal(str(given[key])) if key in given else None for key in ("at_least", "at_most"))
        return BoundSli(metric, least, most, where)
    if "total" in given:
        return EventSli(metric, "", (), total=given["total"], where=where)
    return EventSli(metric, given["label"], tuple(given["bad"]), tuple(given.get("among", ())), where=where)
