"""A user's own metrics: the `metrics` key of `truegreen.yaml`, checked as our catalogue is, and added to it without touching it."""

from __future__ import annotations

import copy
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from truegreen.core.words import attributes, catalogue, dialects
from truegreen.core.words import catalogue_build as builder
from truegreen.core.words.catalogue_check import RESOURCE, SPAN_SOURCES, Problem, problems
from truegreen.core.words.metric import Condition, Metric

ENTRIES: Final = "entries"
PARTS: Final = ("spans", "conditions", "labels")
LABEL_LIMIT: Final = 1000
"""Values of one label of a user, for each service and environment; past 20,000 series in all, everything new folds."""
DEFAULTS: Final = {"layer": "business", "stock": "none"}
_PRIVATE: Final = (*dialects.CONTENT_FIELDS, "user", "session", "conversation")
_NAMED: Final = (
    # who they are
    "enduser.id", "enduser.pseudo.id", "user.email", "user.full_name", "user.hash", "user.name", "client.address", "llm.user",
    "gen_ai.openai.request.user", "gen_ai.request.user", "session.previous_id", "langfuse.user.id", "langfuse.session.id", "langsmith.trace.session_id",
    "user_id", "session_id",
    # what they wrote and read
    "langfuse.trace.input", "langfuse.trace.output", "llm.prompts", "llm.completions", "llm.prompt_template.template", "llm.prompt_template.variables",
    "tool.parameters", "exception.message", "exception.stacktrace", "gen_ai.content.prompt", "gen_ai.content.completion", "gen_ai.prompt.variables", "gen_ai.event.content",
    "ai.prompt", "ai.prompt.messages", "ai.response.text", "ai.toolCall.args", "ai.toolCall.result", "mlflow.spanInputs", "mlflow.spanOutputs", "all_messages_events",
    "pydantic_ai.all_messages", "final_result", "db.query.text", "db.statement",
)  # fmt: skip
"""Those of libraries that the dialect table does not read."""


def _private() -> Iterator[str]:
    yield from (*attributes.CONTENT, attributes.USER_ID, attributes.SESSION_ID, attributes.CONVERSATION_ID, *_NAMED)
    for dialect in dialects.DIALECTS:
        for part in _PRIVATE:
            yield from (
                one.name.removesuffix(".*") for one in dialect.fields.get(part, ()) if one.kind == dialects.ATTRIBUTE and one.name
            )


NO_LABELS: Final = frozenset(_private())
"""What people wrote, and who they are, in any library's words: never a label, for it would stand in Prometheus."""
_INDEXED: Final = re.compile(r"\.\d+(\..*)?$", re.DOTALL)
_OURS_ALONE: Final = ("keep", "identity", "nearest", "stock_why")


@dataclass(frozen=True)
class Catalogue:
    """What a collector derives: metrics, and the classes of spans that they look at."""

    metrics: tuple[Metric, ...] = catalogue.ALL
    spans: Mapping[str, Condition] = field(default_factory=lambda: catalogue.SPANS)

    @property
    def own(self) -> tuple[Metric, ...]:
        """The metrics that are the user's."""
        return self.metrics[len(catalogue.ALL) :]

    @cached_property
    def by_name(self) -> Mapping[str, Metric]:
        """All of them, by their names in Prometheus."""
        return {metric.prometheus: metric for metric in self.metrics}


def extended(given: Mapping[str, Any], refuse: Callable[[Iterable[Problem]], None]) -> Catalogue:
    """Our catalogue with a user's entries.

    Args:
        given: what stands under `metrics`: `entries`, and the `labels`, `conditions` and `spans` that they need.
        refuse: raises when there are problems; their paths begin below `metrics`.
    """
    refuse(_against_schema(given))
    ours = builder.ours()
    refuse(_clashes(given, ours))
    entries = [{**_source(entry), **DEFAULTS, **entry} for entry in given[ENTRIES]]
    merged = {**ours, **{part: {**ours[part], **given.get(part, {})} for part in PARTS}, "metrics": [*ours["metrics"], *entries]}
    refuse((_below(path, len(ours["metrics"])), wrong, found) for path, wrong, found in problems(merged))
    own = builder.metrics({**merged, "metrics": entries})
    refuse(_exposed(own))
    return Catalogue((*catalogue.ALL, *own), builder.spans(merged))


def own_schema() -> dict[str, Any]:
    """The JSON Schema of `metrics`: the catalogue's, without what is ours alone."""
    whole = builder.schema()
    defs = copy.deepcopy(whole["$defs"])
    metric = defs["metric"]
    for name in _OURS_ALONE:
        del metric["properties"][name]
    metric["required"] = [name for name in metric["required"] if name not in ("source", *DEFAULTS)] + ["span"]
    metric["properties"]["name"]["pattern"] = r"^(?!truegreen[._])[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$(?!\n)"
    metric["properties"]["name"]["x-write"] = "a lower-case name with a dot, such as shop.refunds; truegreen is ours"
    metric["properties"]["unit"]["x-write"] = "s, By, 1, {things} or nothing"
    metric["properties"]["source"]["enum"] = list(SPAN_SOURCES)
    metric["allOf"] = metric["allOf"][:1]
    metric["properties"]["expires"]["maximum"] = 100_000
    label = defs["label"]["properties"]
    label["limit"]["maximum"] = LABEL_LIMIT
    del label["computed"]
    objects = {part: whole["properties"][part] for part in PARTS}
    return {
        "$defs": defs,
        "type": "object",
        "additionalProperties": False,
        "required": [ENTRIES],
        "properties": {**objects, ENTRIES: {"type": "array", "items": {"$ref": "#/$defs/metric"}}},
    }


def _against_schema(given: Mapping[str, Any]) -> Iterator[Problem]:
    from jsonschema import Draft202012Validator

    for error in sorted(Draft202012Validator(own_schema()).iter_errors(given), key=lambda e: [str(p) for p in e.absolute_path]):
        yield list(error.absolute_path), builder.says(error), error.instance


def _clashes(given: Mapping[str, Any], ours: Mapping[str, Any]) -> Iterator[Problem]:
    for part in PARTS:
        for name in given.get(part, {}):
            if name in ours[part]:
                yield [part, name], "the catalogue has one of this name; write another, such as own_" + name, name
    for path, number in _huge(given, []):
        yield path, "too large a number; write at most 1.7e+308", number
    for path, kind, names in _reads(given, []):
        if kind == "resource" and not set(names) <= set(RESOURCE):
            yield path, f"the collector keeps of a resource {', '.join(RESOURCE)} alone; put the attribute on the span", names
        if path[0] == "labels" and (texts := [name for name in names if _is_private(name)]):
            yield path, f"{', '.join(texts)} would put texts or ids of people into Prometheus; write another attribute", names
    for index, entry in enumerate(given[ENTRIES]):
        if _is_private(entry.get("each", "")):
            yield [ENTRIES, index, "each"], "would put texts of people into Prometheus; write another attribute", entry["each"]


def _exposed(own: Sequence[Metric]) -> Iterator[Problem]:
    taken = {name: metric.name for metric in catalogue.ALL for name in _series(metric)}
    taken |= {one.prometheus: f"the {one.exporter}" for one in catalogue.EXTERNAL}
    for index, metric in enumerate(own):
        found = next((name for name in _series(metric) if name in taken), None)
        if found:
            yield (
                [ENTRIES, index, "name"],
                f"{found} in Prometheus is a series of {taken[found]}; write another name",
                metric.name,
            )
        taken |= dict.fromkeys(_series(metric), metric.name)


def _series(metric: Metric) -> tuple[str, ...]:
    """The names that it has in either format of the exposition, OpenMetrics' family and `_created` among them."""
    if metric.kind == "gauge":
        return (metric.prometheus,)
    family = metric.prometheus.removesuffix("_total") if metric.kind == "counter" else metric.prometheus
    more = (metric.bucket, metric.sum, metric.count) if metric.kind == "histogram" else (metric.prometheus,)
    return (family, *more, family + "_created")


def _is_private(name: str) -> bool:
    """Whether an attribute is one of `NO_LABELS`, or an element of one that a library wrote as a list (`gen_ai.prompt.0.content`)."""
    return name in NO_LABELS or _INDEXED.sub("", name, count=1) in NO_LABELS


def _source(entry: Mapping[str, Any]) -> dict[str, str]:
    return {"source": "span, evaluation event" if entry.get("each") == "evaluation" else "span"}


def _below(path: Sequence[Any], ours: int) -> list[Any]:
    return [ENTRIES, path[1] - ours, *path[2:]] if path[0] == "metrics" else list(path)


def _huge(value: Any, path: list[Any]) -> Iterator[tuple[list[Any], int]]:
    if isinstance(value, int) and abs(value) > sys.float_info.max:
        yield path, value
    elif isinstance(value, (list, dict)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _huge(item, [*path, key])


def _reads(value: Any, path: list[Any]) -> Iterator[tuple[list[Any], str, list[str]]]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _reads(item, [*path, index])
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in ("attribute", "resource") and isinstance(item, (str, list)):
                yield [*path, key], key, [item] if isinstance(item, str) else item
            yield from _reads(item, [*path, key])
