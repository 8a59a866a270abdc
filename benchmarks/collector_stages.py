"""Where the time of a span goes: `python benchmarks/collector.py --stages`. Each row does what the row above does and one thing more.

The stages are cut out of the compiled source itself, in this process, and take turns, so that what else the machine does meets all; a stage is its best
round. The first row is the limit in pure Python: the parser alone, which is C, with every attribute still bytes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from unittest.mock import patch

from truegreen.collector import compile as compiler
from truegreen.collector import wire
from truegreen.collector.processor import Processor

LOOP = "for code, cells, row, own, name, ats in p[5]:"
CUTS = {
    "find the plan by the place of each attribute, count one": ((LOOP, LOOP.replace("p[5]", "()")),),
    "decode the call's numbers, add them to histograms and sums": ((LOOP, LOOP.replace("p[5]", "p[5][:1]")),),
    "the evaluation's numbers": (("scores(w1, w2)", "pass"), ("if failed is not None:", "if False:")),
    "raw scores, failing traces, affected users and sessions": (),
}


def stages(requests: Sequence[bytes], seconds: float) -> dict[str, object]:
    """Microseconds a span of each stage, and its share."""
    measured: dict[str, Callable[[bytes], object]] = {
        "parse the request": wire.parse_traces,
        "take the attributes of each span": _taken,
    }
    measured |= {name: _cut(changes).traces for name, changes in CUTS.items()}
    best = dict.fromkeys(measured, float("inf"))
    spans = _taken(requests[0])
    for count in measured.values():
        for one in requests:
            count(one)
    ends = time.perf_counter() + seconds * len(measured)
    while time.perf_counter() < ends:
        for name, count in measured.items():
            for one in requests[:4]:
                began = time.process_time()
                count(one)
                best[name] = min(best[name], (time.process_time() - began) / spans * 1e6)
    found: dict[str, object] = {}
    before, whole = 0.0, max(best.values())
    for name, microseconds in best.items():
        found[name] = {"us_per_span": max(microseconds - before, 0.0), "percent": max(microseconds - before, 0.0) / whole * 100}
        before = microseconds
    return found | {"all": {"us_per_span": whole, "times_the_parse_alone": whole / best["parse the request"]}}


def _taken(data: bytes) -> int:
    spans = 0
    for one in wire.parse_traces(data).resource_spans:
        for scope in one.scope_spans:
            for span in scope.spans:
                span.attributes[:]
                spans += 1
    return spans


def _cut(changes: Sequence[tuple[str, str]]) -> Processor:
    source = compiler.source

    def cut(*given: object) -> str:
        text = source(*given)  # type: ignore[arg-type]
        for found, instead in changes:
            assert found in text, f"the source has no {found!r} any more: mend this benchmark"
            text = text.replace(found, instead)
        return text

    with patch.object(compiler, "source", cut):
        return Processor(time.time, 30.0)
