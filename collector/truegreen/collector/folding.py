"""Which attributes only name label values that past their limit are `__overflow__`, so that all spans with such a value share one plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from truegreen.collector.compile import PARTS, Aliases, Block, tried
from truegreen.collector.plan import conditions_of
from truegreen.core.words import attributes as names
from truegreen.core.words.metric import Condition, Label


def foldable(blocks: Iterable[Block], spans: Mapping[str, Condition], aliases: Aliases) -> Mapping[str, tuple[Label, ...]]:
    """By attribute the labels that read it, for each attribute on which nothing but open labels depends."""
    kept = {names.DUPLICATE, names.SNAPSHOT_ID, names.SNAPSHOT_SINCE, names.EVALUATION_SAMPLED, *PARTS}
    kept |= {name for gate in spans.values() if gate.read for name in tried(aliases, *gate.read.names)}
    found: dict[str, dict[Label, None]] = {}
    for metric in (metric for block in blocks for metric in block.metrics):
        kept |= {name for read in conditions_of(metric) for name in tried(aliases, *read)}
        for label in metric.label_set:
            for name in tried(aliases, *label.read.names) if label.read and label.read.kind == "attribute" else ():
                found.setdefault(name, {})[label] = None
                if label.values:
                    kept.add(name)
    return {name: tuple(labels) for name, labels in found.items() if name not in kept}
