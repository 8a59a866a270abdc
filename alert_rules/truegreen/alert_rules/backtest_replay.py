"""Recorded calls to the series that the collector would have served: judged here, counted, no text kept."""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import Final

from truegreen.alert_rules import backtest_samples as text
from truegreen.core.errors import BadInput
from truegreen.core.words import catalogue
from truegreen.core.words.calibration import Calibration
from truegreen.core.words.metric import bound
from truegreen.core.words.shapes import Judge, ReplayRecord, Sample
from truegreen.core.words.slo import BASELINE, EvaluationSli, Slo
from truegreen.core.words.terms import CALIBRATED, FAIL, PASS, SKIPPED

FIRST: Final = 1_735_689_600
"""When the first call happened if the file does not say: the beginning of 2025, UTC."""
HOUR: Final = 3_600


@dataclass(frozen=True, slots=True)
class Evaluator:
    """Who judges one evaluation, and by which frozen baseline.

    Args:
        floors: the numbers that SLOs ask of its calibrated score.
    """

    evaluation: str
    judge: Judge
    calibration: Calibration
    floors: tuple[Decimal, ...] = ()


@dataclass(slots=True)
class Counted:
    """What is left of the calls: the moments at which each series grew by one, and the human labels by hour."""

    grown: dict[str, list[float]] = field(default_factory=dict)
    labelled: Counter[int] = field(default_factory=Counter)
    wrong: Counter[int] = field(default_factory=Counter)
    calls: int = 0
    results: Counter[str] = field(default_factory=Counter)
    begin: float = math.inf
    end: float = -math.inf


def timed(records: Iterable[ReplayRecord], every: float | None, name: str) -> Iterator[tuple[float, ReplayRecord]]:
    """Each record with its time: its own, or in the order of the file, one every `every` seconds.

    Raises:
        BadInput: a record has no time and `every` is None.
    """
    for place, record in enumerate(records):
        if every is not None:
            yield FIRST + place * every, record
        elif record.time is None or not math.isfinite(record.time):
            raise BadInput(
                f"{name}: record {place + 1} (id {record.id or 'none'}) has no time; write `time` (unix seconds) into each, "
                "or let them lie evenly: --every 30s"
            )
        else:
            yield record.time, record


def counted(records: Iterable[tuple[float, ReplayRecord]], judges: Sequence[Evaluator], who: Mapping[str, str]) -> Counted:
    """Judge and count.

    Args:
        who: the labels `service` and `environment`.
    """
    made = Counted()
    known: dict[tuple[str, bytes], tuple[str, float | None]] = {}
    # How a call ended is not recorded, so no requests are counted: an outcome would be invented.
    answers = text.head(catalogue.ANSWERS.prometheus, {**who, "sampled": "base"})
    for series in (answers, *(name for judge in judges for name in _born(judge, who))):
        made.grown[series] = []
    for time, record in records:
        made.calls += 1
        made.begin, made.end = min(made.begin, time), max(made.end, time)
        _grow(made, answers, time)
        if record.wrong is not None:
            made.labelled[int(time // HOUR)] += 1
            made.wrong[int(time // HOUR)] += record.wrong
        sample = Sample(record.query, record.answer, record.context, record.model)
        # The same answer gets the same verdict: a digest is kept and no text.
        digest = hashlib.blake2b(repr(sample).encode("utf-8", "replace"), digest_size=16).digest()
        for judge in judges:
            key = (judge.evaluation, digest)
            if key not in known:
                known[key] = _verdict(judge, sample)
            _count(made, judge, who, time, *known[key])
    return made


def lines(made: Counted, scrape: int) -> Iterator[str]:
    """The counters as they would have been scraped: at 0 one scrape before the first call, then every `scrape` seconds."""
    begin = math.floor(made.begin / scrape) * scrape - scrape
    end = math.ceil(made.end / scrape) * scrape
    for series in sorted(made.grown):
        events = sorted(made.grown[series])
        value = 0
        for now in range(begin, end + 1, scrape):
            value = bisect_right(events, now, lo=value)
            yield f"{series} {value} {now}\n"


def incidents(made: Counted, budget: Decimal, bound_of: Callable[[int], float]) -> list[tuple[int, int]]:
    """Hours in which the human labels show more than the budget, beyond chance; neighbours are one.

    Args:
        bound_of: the lower confidence bound of a count.
    """
    over = sorted(hour for hour, labelled in made.labelled.items() if bound_of(made.wrong[hour]) / labelled > float(budget))
    if not over:
        return []
    found, first = [], over[0]
    for hour, later in pairwise([*over, over[-1] + 9]):
        if later - hour > 2:  # one quiet hour does not end it
            found.append((first * HOUR, (hour + 1) * HOUR))
            first = later
    return found


def evaluations(slos: Sequence[Slo]) -> dict[str, tuple[Decimal, ...]]:
    """The evaluations that SLOs read, each with the floors that are numbers."""
    found: dict[str, set[Decimal]] = {}
    for slo in slos:
        if isinstance(slo.sli, EvaluationSli):
            floors = found.setdefault(slo.sli.evaluation, set())
            floors |= set() if slo.sli.floor == BASELINE else {Decimal(slo.sli.floor)}
    return {name: tuple(sorted(floors)) for name, floors in sorted(found.items())}


def _verdict(judge: Evaluator, sample: Sample) -> tuple[str, float | None]:
    result = judge.judge(sample)
    if result.raw is None:
        return result.skipped or "error", None
    return judge.calibration.label(result.raw), judge.calibration.score(result.raw)


def _named(judge: Evaluator, who: Mapping[str, str]) -> Mapping[str, str]:
    return {**who, "evaluation": judge.evaluation, "evaluator": judge.calibration.evaluator}


def _born(judge: Evaluator, who: Mapping[str, str]) -> Iterator[str]:
    for result in (PASS, FAIL):
        yield text.head(catalogue.EVALUATED_ANSWERS.prometheus, {**_named(judge, who), "result": result})
    if judge.floors and judge.calibration.scale == CALIBRATED:
        yield _score(judge, who, "count")
        for floor in judge.floors:
            yield _score(judge, who, "bucket", bound(floor))


def _score(judge: Evaluator, who: Mapping[str, str], what: str, le: str = "") -> str:
    return text.head(
        f"{catalogue.EVALUATION_SCORE.prometheus}_{what}", {**_named(judge, who), "scale": judge.calibration.scale, "le": le}
    )


def _count(made: Counted, judge: Evaluator, who: Mapping[str, str], time: float, result: str, score: float | None) -> None:
    made.results[f"{judge.evaluation} {result}"] += 1
    if score is None:
        skipped = {**_named(judge, who), "result": SKIPPED, "reason": result, "sampled": "base"}
        _grow(made, text.head(catalogue.EVALUATIONS.prometheus, skipped), time)
        return
    _grow(made, text.head(catalogue.EVALUATED_ANSWERS.prometheus, {**_named(judge, who), "result": result}), time)
    if judge.floors and judge.calibration.scale == CALIBRATED:
        _grow(made, _score(judge, who, "count"), time)
        for floor in judge.floors:
            if score <= float(floor):
                _grow(made, _score(judge, who, "bucket", bound(floor)), time)


def _grow(made: Counted, series: str, time: float) -> None:
    made.grown.setdefault(series, []).append(time)
