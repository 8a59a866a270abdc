"""Memory of a collector under 70 % of what it takes: `python benchmarks/collector.py --soak 30`.

A collector on one core is asked what it takes by sending without a pause for ten seconds; then requests come at 70 % of that, over HTTP and gRPC in turn, each
with trace and span ids of its own, while its page is read every 15 seconds, as Prometheus would. Printed: resident memory at its first and last look after a fifth of the time
(caches fill until then), the slope of a line through all looks between, and whether every acknowledged span was counted.
"""

from __future__ import annotations

import sys
import time
from itertools import cycle

import collector_load
from collector_server import Server, grpc, http, pinned, truegreen

SHARE = 0.7
LOOK_SECONDS = 15.0


def soak(seconds: float) -> dict[str, object]:
    """All figures; a line on standard error for each look."""
    requests = [collector_load.request(seed) for seed in range(200)]
    with pinned() as (core, _), truegreen(core) as server:
        sends = cycle((http(server.http), grpc(server.grpc)))
        began, sent = time.perf_counter(), 0
        while time.perf_counter() - began < 10:
            next(sends)(requests[sent % len(requests)])
            sent += 1
        pause = (time.perf_counter() - began) / sent / SHARE
        return _watched(server, sends, requests, sent, pause, seconds)


def _watched(server: Server, sends, requests: list[bytes], sent: int, pause: float, seconds: float) -> dict[str, object]:  # type: ignore[no-untyped-def]
    looks: list[tuple[float, int]] = []
    began, cpu, before, late = time.perf_counter(), server.cpu(), sent, 0.0
    while (now := time.perf_counter() - began) < seconds:
        if now >= len(looks) * min(LOOK_SECONDS, seconds / 10):
            server.page()
            looks.append((now, server.memory()))
            print(f"{now:6.0f} s  {looks[-1][1] / 1024:.1f} MB", file=sys.stderr, flush=True)
        due = (sent - before) * pause
        if due > now:
            time.sleep(due - now)
        late = max(late, now - due)
        next(sends)(requests[sent % len(requests)])
        sent += 1
    settled = [look for look in looks if look[0] >= seconds / 5]
    return {
        "spans_per_second": (sent - before) * collector_load.SPANS / seconds,
        "share_of_a_core": (server.cpu() - cpu) / seconds,
        "longest_behind_s": late,
        "spans_sent_and_counted": {"sent": sent * collector_load.SPANS, "counted": server.counted()},
        "rss_mb": {"first": settled[0][1] / 1024, "last": settled[-1][1] / 1024, "most": max(size for _, size in settled) / 1024},
        "slope_kb_per_hour": slope(settled) * 3600,
    }


def slope(points: list[tuple[float, int]]) -> float:
    """Of a least-squares line through the points."""
    x, y = (sum(values) / len(points) for values in zip(*points, strict=True))
    return sum((a - x) * (b - y) for a, b in points) / sum((a - x) ** 2 for a, _ in points)
