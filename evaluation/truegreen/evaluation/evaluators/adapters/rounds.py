"""One look at the scores of a Langfuse project: what is new is judged and sent, and what was sent is remembered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from truegreen.core.clients.http import Server
from truegreen.evaluation.evaluators.adapters.imported import Imported
from truegreen.evaluation.evaluators.adapters.langfuse_scores import judged, scores
from truegreen.evaluation.evaluators.adapters.mark import Mark
from truegreen.evaluation.evaluators.adapters.verdicts import Verdict


@dataclass(frozen=True, slots=True)
class Asked:
    """Which scores, and what they mean.

    Args:
        environment: Langfuse's own, empty for all.
        words: category to number.
        sign: -1 where a lower score is better.
    """

    server: Server
    name: str
    sources: Sequence[str]
    environment: str
    words: Mapping[str, float]
    verdict: Verdict
    sign: float = 1.0


@dataclass(slots=True)
class Round:
    """What came of it.

    Args:
        new: scores that were not taken before.
        own: verdicts that truegreen had forwarded itself; they were counted where they were made.
        no_number: scores that are a word without a number.
        no_trace: sent ones that belong to no trace of OpenTelemetry.
        sent: judgements that were taken at the other end; `outcomes` counts `pass`, `fail` and reasons of skips.
        complete: whether all were.
    """

    new: int = 0
    own: int = 0
    no_number: int = 0
    no_trace: int = 0
    sent: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    complete: bool = True


def one_round(asked: Asked, where: Mark, now: datetime, send: Callable[[Iterable[Imported]], list[Imported]]) -> Round:
    """Ask, send, and move the mark: to `now` where all was sent, else only what was sent is remembered.

    Raises:
        Failed: Langfuse does not answer; nothing was sent and the mark stays.
    """
    since = where.since
    found = [
        one for one in scores(asked.server, asked.name, since, now, asked.sources, asked.environment) if one.id not in where.seen
    ]
    foreign = [one for one in found if not one.own]
    made, without = judged(foreign, asked.verdict, asked.words, asked.sign)
    taken = send(made)
    done = Round(len(found), len(found) - len(foreign), without, complete=len(taken) == len(made))
    done.sent, done.no_trace = len(taken), sum(not one.trace for one in taken)
    done.outcomes.update(one.result.label or one.result.skipped for one in taken)
    ids = {one.id for one in taken}
    times = [(one.id, one.at) for one in found if one.id in ids]
    if done.complete:
        where.passed(now, times)
    else:
        where.seen |= {one: at.timestamp() for one, at in times}
    return done
