"""How the endpoint itself does, as Prometheus text: what came, what left, what was dropped and why, what waits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from truegreen.evaluation.server.delivery import Health
from truegreen.evaluation.server.model import KINDS
from truegreen.evaluation.server.waiting import Waiting

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_REASONS: Final = ("error", "refused", "stopped")


def text(waiting: Waiting, health: Health, refused: Mapping[str, int], verdicts: int, *, stale: bool) -> str:
    """The page at /metrics; every series that can be told beforehand is there from the start, at 0."""
    lines: list[str] = []

    def family(name: str, kind: str, says: str, values: Iterator[tuple[str, int]]) -> None:
        lines.extend((f"# HELP truegreen_sampling_{name} {says}", f"# TYPE truegreen_sampling_{name} {kind}"))
        lines.extend(f"truegreen_sampling_{name}{labels} {value}" for labels, value in values)

    def by_kind(counts: Mapping[str, int]) -> Iterator[tuple[str, int]]:
        return ((f'{{kind="{kind}"}}', counts[kind]) for kind in KINDS)

    family("accepted_total", "counter", "Items that were taken.", by_kind(waiting.accepted))
    family("delivered_total", "counter", "Items whose spans the OTLP endpoint took.", by_kind(waiting.delivered))
    dropped = {(kind, reason): 0 for kind in KINDS for reason in _REASONS} | dict(waiting.dropped)
    rows = ((f'{{kind="{kind}",reason="{reason}"}}', count) for (kind, reason), count in sorted(dropped.items()))
    family("dropped_total", "counter", "Items that were taken and are lost, and why.", rows)
    family("verdicts_total", "counter", "Verdicts of judges in the background that the endpoint took.", iter([("", verdicts)]))
    family(
        "rejected_total",
        "counter",
        "Spans and verdicts that it left out of requests that it took.",
        iter([("", health.rejected)]),
    )
    refusals = ((f'{{reason="{reason}"}}', count) for reason, count in sorted(refused.items()))
    family("refused_requests_total", "counter", "Requests of which nothing was taken, and why.", refusals)
    family("waiting", "gauge", "Items that wait or are on their way.", iter([("", waiting.held)]))
    family("waiting_limit", "gauge", "Items that may wait.", iter([("", waiting.limit)]))
    family("waiting_bytes", "gauge", "Bytes that they may hold.", iter([("", waiting.bytes)]))
    family("failing", "gauge", "1 while the OTLP endpoint does not take spans.", iter([("", int(bool(health.why)))]))
    says = "1 while the token file cannot be read, so that the tokens it had before still count."
    family("token_file_stale", "gauge", says, iter([("", int(stale))]))
    return "\n".join(lines) + "\n"
