"""What is done to the series that the OpenTelemetry Collector's connector made, as OTTL statements on data points. Pure; see `generate_metrics.py`."""

from __future__ import annotations

from collections.abc import Sequence

from truegreen.collector.generate_metrics import Plan
from truegreen.collector.generate_ottl import matches, one_of, quoted
from truegreen.collector.plan import OTHER
from truegreen.core.words import catalogue
from truegreen.core.words.dialect import FINISH_WORDS
from truegreen.core.words.metric import Label, Metric, Read


def afterwards(plans: Sequence[Plan], metrics: Sequence[Metric]) -> list[tuple[list[str], list[str]]]:
    """Groups of statements on data points: labels get their names, values are cleaned and brought into their closed sets.

    Raises:
        ValueError: two labels are counted by one attribute.
    """
    renamed: dict[str, str] = {}
    for plan in plans:
        for key, name in plan.renamed.items():
            if renamed.setdefault(key, name) != name:
                raise ValueError(f"{key} stands for the labels {renamed[key]} and {name}; give one of them a source of its own")
    statements = [f"set({_point(name)}, {_point(key)}) where {_point(key)} != nil" for key, name in renamed.items()]
    # A label's name has neither a dot nor a slash: what has one is done with.
    statements.append('delete_matching_keys(datapoint.attributes, "[./]")')
    statements += [f"set({_point(name)}, resource.attributes[{quoted(name)}])" for name in ("service", "environment")]
    statements += [
        f"truncate_all(datapoint.attributes, {catalogue.VALUE_LENGTH})",
        'replace_all_patterns(datapoint.attributes, "value", "[\\\\x00-\\\\x1f\\\\x7f]", " ")',
    ]
    groups: list[tuple[list[str], list[str]]] = [([], statements)]
    users: dict[Label, list[Metric]] = {}
    for metric in metrics:
        for label in metric.label_set:
            users.setdefault(label, []).append(metric)
    for label, own in users.items():
        x = _point(label.name)
        mended = []
        if label.name == "reason" and label.read == Read("item"):
            mended += _finish_words(x)
        if label.default:
            mended.append(f'set({x}, {quoted(label.default)}) where {x} == ""')
        if label.values and label.read is not None and label.read.names != ("name",):
            mended.append(f"set({x}, {quoted(OTHER)}) where {x} != nil and not ({matches(x, (*label.values, OTHER))})")
        if mended:
            groups.append(([one_of("metric.name", [metric.name for metric in own])], mended))
    # Sums are neither monotonic nor in an order: the connector knows no such key in all versions, and two points may have one time.
    groups.append(([], ["set(datapoint.time, Now())"]))
    return groups


def _finish_words(x: str) -> list[str]:
    """A provider's word for why an answer ended becomes the one word for it; any other is written in lower case."""
    by_word: dict[str, list[str]] = {}
    for said, word in FINISH_WORDS.items():
        by_word.setdefault(word, []).append(said)
    made = [f'set({x}, ConvertCase({x}, "lower")) where {x} != nil']
    return made + [f"set({x}, {quoted(word)}) where {matches(x, said)}" for word, said in by_word.items()]


def _point(name: str) -> str:
    return f"datapoint.attributes[{quoted(name)}]"
