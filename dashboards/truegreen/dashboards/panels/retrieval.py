"""Panels of the retrieval board."""

from __future__ import annotations

from truegreen.core.words import boards
from truegreen.core.words import catalogue as c
from truegreen.core.words.slo import FreshnessSli
from truegreen.dashboards import expressions as e
from truegreen.dashboards import kit, rows, symptoms
from truegreen.dashboards.model import Row, Tile, View, Where

_BELOW: Where = {"relevance": "below"}
_FAILED: Where = {"outcome": ("empty", "error")}
_SOURCE = (*rows.WHO, "data_source")


def symptom(view: View) -> tuple[Tile, ...]:
    """Wrong, missing, old or late passages."""
    fresh = view.slo("index_freshness")
    return (
        *symptoms.ratio(view, "relevance", "Chunks below the floor", ("below", e.share(c.RETRIEVAL_CHUNKS, _BELOW)), ("chunks", e.increase(c.RETRIEVAL_CHUNKS, over=e.RATE)),
                   window="15m", counted="Chunks",
                   links=[kit.drill(boards.BOARDS["hallucination"], "Are answers wrong, too?")], why="Share of retrieved chunks less similar than the floor: wrong passages make wrong answers."),
        *symptoms.ratio(view, "retrieval_success", "Empty or failed", ("empty or failed", e.share(c.RETRIEVALS, _FAILED)), ("retrievals", e.increase(c.RETRIEVALS, over=e.RATE)),
                   window="15m", counted="Retrievals", why="Share of retrievals without a passage: the model then answers from memory."),
        kit.stat("Oldest index", ("age", e.folded(e.age(c.RETRIEVAL_INDEX_REBUILT_TIMESTAMP, _SOURCE), ())), unit="s",
                 steps=kit.under(fresh.sli.seconds) if fresh and isinstance(fresh.sli, FreshnessSli) else (), why="Time since the least recently rebuilt index was rebuilt, against index_freshness."),
        kit.stat("Retrieval p95", ("p95", e.quantile(0.95, c.RETRIEVAL_DURATION)), unit="s", scrapes=kit.SPARSE,
                 why="Time of a retrieval, 95th percentile: part of the wait for every answer."),
    )  # fmt: skip


def changed() -> tuple[Tile, ...]:
    """Which index answers, and our versions."""
    return (
        kit.table("Index versions", ("Seen", e.gauge(c.RETRIEVAL_INDEX_INFO, (*rows.WHO, "index", "version"))),
                  columns={"service": "Service", "environment": "Environment", "index": "Index", "version": "Version"}, unit="none", width=10,
                  why="Which index version answers: two of one index mean a rebuild or a moved alias that is under way."),
        rows.since(),
    )  # fmt: skip


def distribution(view: View) -> tuple[Tile, ...]:
    """By agent, and the bands of relevance, number and time."""
    return (
        *rows.by_label("Empty or failed by agent", c.RETRIEVALS, _FAILED, {}, "agent", counted="Retrievals", steps=kit.within(view.slo("retrieval_success"))),
        kit.heat("Relevance of chunks", e.distribution(c.RETRIEVAL_RELEVANCE), unit="none", width=12,
                 why="A band that moves down as a whole is another embedding model, a second band another corpus."),
        kit.heat("Documents of a retrieval", e.distribution(c.RETRIEVAL_DOCUMENTS), unit="none", width=12,
                 why="How many passages a retrieval returns: fewer is a filter or a hole, 0 an answer from memory."),
        kit.heat("Time of a retrieval", e.distribution(c.RETRIEVAL_DURATION), unit="s",
                 why="One slow shard shows as a second band, a slow store as a shifted one."),
    )  # fmt: skip


def slow() -> Tile:
    """Slow retrievals, each with its trace."""
    return kit.graph("Slow retrievals", ("*", e.quantile(0.95, c.RETRIEVAL_DURATION, _SOURCE)), unit="s", scrapes=kit.SPARSE, width=24,
                     why="Each dot is a retrieval with its trace; the traces above are of answers that failed.")  # fmt: skip


def where(view: View) -> Row:
    """Which data source."""
    relevant = kit.within(view.slo("relevance"))
    by_source = {"Below the floor": e.share(c.RETRIEVAL_CHUNKS, _BELOW, None, _SOURCE, e.RANGE), "Chunks": e.increase(c.RETRIEVAL_CHUNKS, _SOURCE),
                 "Empty or failed": e.share(c.RETRIEVALS, _FAILED, None, _SOURCE, e.RANGE), "Retrievals": e.increase(c.RETRIEVALS, _SOURCE),
                 "Rebuilt": e.milliseconds(e.gauge(c.RETRIEVAL_INDEX_REBUILT_TIMESTAMP, _SOURCE))}  # fmt: skip
    return kit.row(
        "Where",
        kit.table("By data source", *by_source.items(), columns=rows.headed(_SOURCE) | {name: name for name in by_source}, unit="percentunit", units={"Chunks": "locale", "Retrievals": "locale", "Rebuilt": "dateTimeFromNow"},
                  steps=relevant, sort="Below the floor", why="Over the range shown: one bad source points at its index, all of them at the embedding model."),
        kit.graph("Chunks below the floor by source", ("*", e.share(c.RETRIEVAL_CHUNKS, _BELOW, None, _SOURCE)), unit="percentunit", steps=relevant,
                  scrapes=kit.SPARSE, width=24, why="Is one source worse than the others, and since when? The table has the sample sizes."),
    )  # fmt: skip
