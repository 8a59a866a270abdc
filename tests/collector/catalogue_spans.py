"""Spans with every attribute that the catalogue looks at, whole and broken, from a seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, Final

from opentelemetry.proto.trace.v1.trace_pb2 import Span
from otlp_requests import span

from truegreen.collector.generate_metrics import derived, looked_at
from truegreen.core.words import attributes as names
from truegreen.core.words import catalogue
from truegreen.core.words.catalogue_own import Catalogue

EVALUATION: Final = "groundedness"
PARTS: Final = ("label", "evaluator", "scale", "calibration", "skipped", "sampled", "score", "raw")
NUMBERS: Final = (0, 1, 2, 5, 13, 0.25, 0.5, 1.5, -1, -0.5, float("nan"), float("inf"), 100_000, "7", "x", True)
MEASURED: Final = ("tokens", "count", "below", "steps", "repeats", "rebuilt", "score", "time_to", "raw")
ERRORS: Final = ("RateLimitError", "429", "openai.APITimeoutError", "Timeout", "ValueError", "504", "deadline_exceeded", "")
OPERATIONS: Final = (
    "chat",
    "generate_content",
    "text_completion",
    "embeddings",
    "retrieval",
    "execute_tool",
    "invoke_agent",
    "create_agent",
    "contained",
)
FINISHES: Final = ("stop", "tool_calls", "tool_use", "end_turn", "MAX_TOKENS", "Strange", "")
MARKERS: Final = ("overconfident", "refusal", "empty", "truncated", "strange")
RELEVANCE: Final = (0.0, 0.1, 0.33, 0.95, 1.0, float("nan"), 2.0, -1.0)
WORDS: Final = ("a", "b", "free", "pro", "", "x" * 200, "con\x01trol\n", "Ünï", 'q"uo\\te', 3, True)


def values(attribute: str) -> Sequence[str]:
    """The closed set of a label that reads the attribute; empty where there is none."""
    reads = (label for metric in catalogue.ALL for label in metric.label_set if label.read)
    return next((label.values for label in reads if label.read and label.read.names == (attribute,) and label.values), ())


def value(r: random.Random, name: str) -> Any:
    """A value that an application might write there, or might not."""
    if name == names.OPERATION_NAME:
        return r.choice(OPERATIONS)
    if name in (names.FINISH_REASONS, names.ANSWER_MARKERS):
        pool = FINISHES if name == names.FINISH_REASONS else MARKERS
        return [r.choice(pool) for _ in range(r.randrange(4))] if r.random() < 0.9 else r.choice(pool)
    if name.endswith("relevance.scores"):
        return [r.choice(RELEVANCE) for _ in range(r.randrange(9))]
    if name in (names.DUPLICATE, names.AGENT_LOOP):
        return r.random() < 0.3
    if name == names.ERROR_TYPE:
        return r.choice(ERRORS)
    if any(word in name for word in MEASURED):
        return r.choice(NUMBERS)
    return r.choice((*values(name), *values(name), *WORDS))


def spans(seed: int, count: int) -> list[Span]:
    """So many spans."""
    r = random.Random(seed)
    looked = sorted(looked_at(derived(Catalogue()))) + [names.evaluation(EVALUATION, part) for part in PARTS]
    made = []
    for _ in range(count):
        given = {name: value(r, name) for name in looked if r.random() < 0.3}
        if r.random() < 0.9:
            given[names.OPERATION_NAME] = r.choice(OPERATIONS)
        for part, pool in (
            ("label", ("pass", "fail", "maybe", "")),
            ("scale", ("relative", "")),
            ("sampled", ("base", "boost", "none")),
        ):
            if names.evaluation(EVALUATION, part) in given:
                given[names.evaluation(EVALUATION, part)] = r.choice(pool)
        if given.get(names.DATA_SOURCE_ID) == "":
            given.pop(names.DATA_SOURCE_ID)
        made.append(span(given, seconds=r.choice((0.01, 0.3, 1.7, 4.9, 30.0, 33.3)), error=r.random() < 0.15))
    return made
