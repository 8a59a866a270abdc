"""Where reviews come from: a file of them, or the counters of a Prometheus."""

from __future__ import annotations

import gzip
import json
import math
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from truegreen.core.clients import prometheus
from truegreen.core.clients.http import Server
from truegreen.core.errors import BadInput
from truegreen.core.words import catalogue
from truegreen.core.words.promql import matcher, selector
from truegreen.evaluation.files import Broken, BrokenLine
from truegreen.evaluation.guardrails.model import VERDICTS, Review

LONGEST: Final = 64 * 1024
"""Bytes of a line: a review holds no text."""
LEAST_RATE: Final = 1e-9
"""One review would stand for a thousand million decisions: a slip, and squares of its inverse would not be numbers any more."""
_TEXTS: Final = ("sample_id", "reviewer", "session")


def read(path: Path, broken: Broken) -> list[Review]:
    """The usable reviews of a file, JSONL, gzip allowed: `guardrail` and `verdict`, and where known `sample_id`, `reviewer`, `session`, `rate`, `time`.

    Args:
        broken: receives the lines that cannot be used.

    Raises:
        BadInput: the file cannot be read, or no line of it is usable.
    """
    try:
        found = list(_reviews(path, broken))
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise BadInput(f"{path}: the gzip data is damaged; write the file again") from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror or error}") from None
    if not found:
        first = f"; the first: {broken.first[0]}" if broken.first else ""
        raise BadInput(f"{path}: no usable review ({broken.count} broken lines){first}")
    return found


def _reviews(path: Path, broken: Broken) -> Iterator[Review]:
    with path.open("rb") as raw:
        packed = raw.peek(2)[:2] == b"\x1f\x8b"
        with gzip.GzipFile(fileobj=raw) if packed else raw as stream:
            line = 0
            while text := stream.readline(LONGEST):
                line += 1
                whole = text.endswith(b"\n") or len(text) < LONGEST
                while not whole and (rest := stream.readline(LONGEST)):
                    whole = rest.endswith(b"\n")
                    text = b"?"
                if not text.strip():
                    continue
                found = _review(text)
                if isinstance(found, Review):
                    yield found
                else:
                    broken.add(BrokenLine(str(path), line, *found))


def _review(text: bytes) -> Review | tuple[str, str, str]:
    """The review, or the key, what was found there and what to write."""
    try:
        data = json.loads(text.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return "", "no JSON", "one JSON object a line, of at most 64 kB"
    if not isinstance(data, dict):
        return "", "no object", "one JSON object a line"
    guardrail, verdict, rate, time = (data.get(key) for key in ("guardrail", "verdict", "rate", "time"))
    if not isinstance(guardrail, str) or not guardrail.strip():
        return "guardrail", _kind(guardrail), "a text that is not empty: which guardrail decided"
    if not isinstance(verdict, str) or verdict not in VERDICTS:
        return "verdict", _kind(verdict), f"one of {', '.join(VERDICTS)}"
    if rate is not None and not (_is_number(rate) and LEAST_RATE <= rate <= 1):
        return "rate", _kind(rate), f"a number from {LEAST_RATE:g} to 1: the share of such decisions that is reviewed"
    if time is not None and not _is_number(time):
        return "time", _kind(time), "a number: Unix seconds of the decision"
    named: dict[str, str] = {}
    for key in _TEXTS:
        value = data.get(key, "")
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            return key, _kind(value), "a text or a whole number"
        named[key] = str(value)
    blocked, wrong = VERDICTS[verdict]
    return Review(guardrail, named["sample_id"], blocked, wrong, named["reviewer"], named["session"], rate, time)


def from_prometheus(
    server: Server, service: str, environment: str, days: int, until: float
) -> tuple[Mapping[str, Mapping[str, float]], Mapping[str, Mapping[bool, float]]]:
    """By guardrail: how many reviews gave each verdict, and how many decisions were blocks (True) and passes (False).

    Args:
        until: the end of the days, Unix seconds.

    Raises:
        Failed: Prometheus does not answer.
    """
    who = (matcher("service", (service,)), matcher("environment", (environment,)))

    def grown(metric: str, label: str) -> Iterator[tuple[str, str, float]]:
        asked = f"sum by (guardrail, {label}) (increase({selector(metric, *who)}[{days}d]))"
        for sample in prometheus.query(server, asked, until):
            if math.isfinite(sample.value) and label in sample.labels:
                yield sample.labels.get("guardrail", ""), sample.labels[label], sample.value

    reviews: dict[str, dict[str, float]] = defaultdict(dict)
    for guardrail, verdict, count in grown(catalogue.GUARDRAIL_REVIEWS.prometheus, "verdict"):
        if verdict in VERDICTS:
            reviews[guardrail][verdict] = count
    made: dict[str, dict[bool, float]] = defaultdict(lambda: {True: 0.0, False: 0.0})
    for guardrail, action, count in grown(catalogue.GUARDRAIL_DECISIONS.prometheus, "action"):
        made[guardrail][action == "block"] += count
    return dict(reviews), dict(made)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    return (
        f"a text of {len(value)} characters"
        if isinstance(value, str)
        else f"{value!r:.40}"
        if _is_number(value)
        else "something else"
    )
