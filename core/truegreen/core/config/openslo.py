"""OpenSLO v1 documents to SLOs in the words of `truegreen.yaml`, which remember where each was written."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cache, partial
from importlib import resources
from pathlib import Path as File
from typing import Any, Final, TypeVar

from truegreen.core.config import check, openslo_query, source
from truegreen.core.config.check import short
from truegreen.core.config.collected import Errors
from truegreen.core.config.openslo_query import Selected
from truegreen.core.config.source import Path, Source
from truegreen.core.errors import BadInput
from truegreen.core.words.metric import Metric

_T = TypeVar("_T")
PREFIX: Final = "truegreen/"
TAKEN: Final = ("layer", "failure_mode", "pillar", "mode", "unit", "owner", "environments", "services")
"""Annotations, after the prefix, that say what OpenSLO has no word for."""
WINDOWS: Final = {"1w": "7d", "4w": "28d"}
_SPEC: Final[Path] = ("spec",)


def read(files: Sequence[str], path: File | None, metrics: Mapping[str, Metric]) -> tuple[tuple[Source, ...], tuple[str, ...]]:
    """The SLOs of the files, and in words what in the files has no effect.

    Args:
        path: the configuration file, beside which relative paths lie.
        metrics: all that there are, by their names in Prometheus.

    Raises:
        BadInput: files cannot be read, or have what these rules cannot judge; one line for each.
    """
    errors = Errors()
    by_file = {_file(name, path): errors.tried(partial(_documents, name, path)) or [] for name in files}
    documents = [each for found in by_file.values() for each in found]
    kinds: dict[str, list[Source]] = {}
    for each in documents:
        if errors.tried(partial(_checked, each)):
            kinds.setdefault(each.data["kind"], []).append(each)
    indicators, sources = (_named(kinds.get(kind, ()), errors) for kind in ("SLI", "DataSource"))
    made = [_Slo(each, indicators, sources, metrics, errors).made() for each in kinds.get("SLO", ())]
    errors.end()
    policies: list[tuple[Source, Path]] = [
        (each, ("spec", "alertPolicies")) for each in kinds.get("SLO", ()) if each.data["spec"].get("alertPolicies")
    ]
    policies += [
        (each, ("kind",)) for kind in ("AlertPolicy", "AlertCondition", "AlertNotificationTarget") for each in kinds.get(kind, ())
    ]
    said = [f"{each.at(where)} has no effect: the burn-rate ladder of docs/slos.md takes its place." for each, where in policies]
    wanted = {each.data["spec"].get("indicatorRef") for each in kinds.get("SLO", ())}
    said += [
        f"{each.at(('metadata', 'name'))} has no effect: no SLO refers to this SLI."
        for name, each in indicators.items()
        if name not in wanted
    ]
    said += [
        f"{file}:1: has no effect: there is no SLO in it."
        for file, found in by_file.items()
        if not any(each.data["kind"] in {"SLO", "SLI", "DataSource"} for each in found)
    ]
    return tuple(made), tuple(said)


def _file(name: str, path: File | None) -> File:
    return File(name) if path is None else path.parent / name


def _documents(name: str, path: File | None) -> list[Source]:
    file = _file(name, path)
    try:
        text = file.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(f"{file}:1: not UTF-8 at byte {error.start}; save it as UTF-8") from None
    except OSError as error:
        raise BadInput(f"{path or 'truegreen.yaml'}: openslo: {file} cannot be read: {error.strerror or error}") from None
    return source.parse_all(text, str(file))


def _checked(document: Source) -> bool:
    schema = _schema()
    check.validate(document, schema["other"])
    kind = document.data["kind"]
    if kind in schema:
        check.validate(document, {**schema[kind], "$defs": schema["$defs"]})
    return True


@cache
def _schema() -> Mapping[str, Any]:
    loaded: Mapping[str, Any] = json.loads(
        resources.files("truegreen.core.config").joinpath("openslo.schema.json").read_text("utf-8")
    )
    return loaded


def _named(documents: Iterable[Source], errors: Errors) -> Mapping[str, Source]:
    made: dict[str, Source] = {}
    for each in documents:
        name, where = each.data["metadata"]["name"], each.at(("metadata", "name"))
        if name in made:
            errors.append(
                f"{where}: {name} is there twice, the first is at {made[name].at(('metadata', 'name'))}; remove one of them"
            )
        made.setdefault(name, each)
    return made


class _Slo:
    # One SLO document, and what becomes of it: our keys with their values, and where each was written.
    def __init__(
        self,
        document: Source,
        indicators: Mapping[str, Source],
        sources: Mapping[str, Source],
        metrics: Mapping[str, Metric],
        errors: Errors,
    ) -> None:
        self.document, self.spec, self.metadata = document, document.data["spec"], document.data["metadata"]
        self.indicators, self.sources, self.metrics, self.errors = indicators, sources, metrics, errors
        self.data: dict[str, Any] = {}
        self.said: dict[Path, str] = {(): document.at(("metadata", "name"))}

    def made(self) -> Source:
        before = len(self.errors)
        self.put("name", re.sub(r"[^a-z0-9]", "_", self.metadata["name"].lower()), ("metadata", "name"))
        described = next(
            (
                where
                for where in (("spec", "description"), ("metadata", "displayName"))
                if self.document.data[where[0]].get(where[1])
            ),
            None,
        )
        if described:
            self.put("description", " ".join(self.document.data[described[0]][described[1]].split()), described)
        self.put("services", [self.spec["service"]], ("spec", "service"))
        if "timeWindow" in self.spec:
            duration = self.spec["timeWindow"][0]["duration"]
            self.put("window", WINDOWS.get(duration, duration), ("spec", "timeWindow", 0, "duration"))
        objective = self.spec["objectives"][0]
        share = Decimal(str(objective["target"])) * 100 if "target" in objective else Decimal(str(objective["targetPercent"]))
        self.put("objective", f"{share:f}%", ("spec", "objectives", 0, "target" if "target" in objective else "targetPercent"))
        self.annotated()
        self.labelled()
        self.judged(objective)
        for key, words in (("failure_mode", "hallucination"), ("layer", "quality")):
            if key not in self.data:
                self.errors.append(
                    f"{self.document.at(('metadata',))}: {key} is missing; add annotations: {{{PREFIX}{key}: {words}}}"
                )
        made = Source(self.document.name, self.data, {}, self.said)
        if len(self.errors) == before:
            whole = check.schema()
            self.errors.tried(lambda: check.validate(made, {**whole["$defs"]["slo"], "$defs": whole["$defs"]}))
        return made

    def put(self, key: str, value: Any, where: Path, below: Path = ()) -> None:
        self.data[key] = value
        self.said[(key, *below)] = self.document.at(where)

    def annotated(self) -> None:
        for key, value in self.metadata.get("annotations", {}).items():
            if not key.startswith(PREFIX):
                continue
            name, where = key.removeprefix(PREFIX), ("metadata", "annotations", key)
            if name not in TAKEN:
                near = difflib.get_close_matches(name, TAKEN, 1)
                hint = f"did you mean {PREFIX}{near[0]}?" if near else f"known are {', '.join(TAKEN)}"
                self.errors.append(f"{self.document.at(where)}: unknown key; {hint}")
            elif name in {"environments", "services"}:
                listed = [part.strip() for part in value.split(",")]
                self.put(name, "all" if name == "services" and listed == ["all"] else listed, where)
            else:
                self.put(name, value, where)

    def labelled(self) -> None:
        labels: dict[str, str] = {}
        first: dict[str, str] = {}
        for key, value in self.metadata.get("labels", {}).items():
            name, where = re.sub(r"[^a-z0-9]", "_", key.lower()), self.document.at(("metadata", "labels", key))
            if name in first:
                self.errors.append(
                    f"{where}: {name} is there twice, the first is at {first[name]}; give one of them another name"
                )
                continue
            first[name] = where
            text = value if isinstance(value, str) else ",".join(value)
            if name == "owner":
                if "owner" not in self.data:
                    self.put("owner", text, ("metadata", "labels", key))
                continue
            labels[name] = text
            self.said["labels", name] = where
        if labels:
            self.put("labels", labels, ("metadata", "labels"))

    def judged(self, objective: Mapping[str, Any]) -> None:
        holder, at = self.indicator()
        if holder is None:
            return
        indicator: Any = holder.data
        for part in at:
            indicator = indicator[part]
        found = self.errors.tried(lambda: self.sli(holder, at, indicator, objective))
        if found is not None:
            self.data["sli"] = found
            self.said["sli",] = holder.at(at)

    def indicator(self) -> tuple[Source | None, Path]:
        if "indicator" in self.spec:
            return self.document, ("spec", "indicator", "spec")
        name = self.spec["indicatorRef"]
        if name not in self.indicators:
            known = ", ".join(self.indicators) or "none"
            self.errors.append(
                f"{self.document.at(('spec', 'indicatorRef'))}: no SLI is named {name}, there is {known}; add its document to a file of openslo"
            )
            return None, ()
        return self.indicators[name], _SPEC

    def sli(self, holder: Source, at: Path, indicator: Mapping[str, Any], objective: Mapping[str, Any]) -> Mapping[str, Any]:
        compared = [key for key in ("op", "value") if key in objective]
        place = ("spec", "objectives", 0)
        if "thresholdMetric" in indicator:
            where = (*at, "thresholdMetric")
            one = self.query(holder, where, indicator["thresholdMetric"])
            if len(compared) != 2:
                raise BadInput(
                    f"{self.document.at(place)}: a thresholdMetric needs op and value; add op: lte and the number that is still good"
                )
            self.said[("sli", "threshold")] = self.document.at((*place, "value"))
            value = Decimal(str(objective["value"]))
            return _placed(holder.at(where), lambda: openslo_query.threshold(one, objective["op"], value, self.metrics))
        if compared:
            raise BadInput(f"{self.document.at((*place, compared[0]))}: op and value belong to a thresholdMetric; remove them")
        ratio, where = indicator["ratioMetric"], (*at, "ratioMetric")
        parts = [key for key in ("good", "bad") if key in ratio]
        if len(parts) != 1:
            raise BadInput(
                f"{holder.at(where)}: found {' and '.join(parts) or 'neither good nor bad'}; write one of them, and total"
            )
        for key, side in (("metric", parts[0]), ("label", parts[0]), ("bad", parts[0]), ("total", "total"), ("among", "total")):
            self.said["sli", key] = holder.at((*where, side, "metricSource", "spec", "query"))
        part, total = (self.query(holder, (*where, key), ratio[key]) for key in (parts[0], "total"))
        if any(part.values.get(name) != total.values.get(name) for name in ("service", "environment")):
            raise BadInput(
                f"{holder.at(where)}: {parts[0]} and total are of other services or environments; write the same in both"
            )
        return _placed(holder.at(where), lambda: openslo_query.ratio(part, total, parts[0] == "good", self.metrics))

    def query(self, holder: Source, at: Path, metric: Mapping[str, Any]) -> Selected:
        given, below = metric["metricSource"], (*at, "metricSource")
        named = given.get("metricSourceRef")
        if "type" not in given:
            if named is None:
                raise BadInput(f"{holder.at(below)}: type is missing; add type: Prometheus")
            if named not in self.sources:
                raise BadInput(
                    f"{holder.at((*below, 'metricSourceRef'))}: no DataSource is named {named}; add its document to a file of openslo, or type: Prometheus"
                )
            its = self.sources[named]
            if its.data["spec"]["type"].lower() != "prometheus":
                raise BadInput(f"{its.at(('spec', 'type'))}: found {short(its.data['spec']['type'])}; write Prometheus")
        text, where = given["spec"]["query"], holder.at((*below, "spec", "query"))
        one = _placed(f"{where}: found {short(text)}", lambda: openslo_query.selected(text))
        service = one.values.get("service")
        if service is not None and (list(service) != self.data["services"] or "service" in one.negated):
            raise BadInput(
                f"{where}: its service is {', '.join(service)}; write service: {service[0]} in spec, or leave the matcher out"
            )
        if "environment" in one.values:
            if "environment" in one.negated:
                raise BadInput(f"{where}: environment: only = is taken; write the environments that are meant")
            wanted = list(one.values["environment"])
            if self.data.setdefault("environments", wanted) != wanted:
                raise BadInput(
                    f"{where}: its environment is {', '.join(wanted)}, elsewhere {', '.join(self.data['environments'])}; write the same"
                )
            self.said.setdefault(("environments",), where)
        return one


def _placed(where: str, make: Callable[[], _T]) -> _T:
    try:
        return make()
    except BadInput as error:
        raise BadInput(f"{where}: {error}") from None
