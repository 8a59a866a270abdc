"""A scrape of 20,000 series while spans come in: `python benchmarks/collector.py --scrape`.

A collector on one core is filled to its 20,000 series, then sent 200-span requests over HTTP at half of what it takes, while it is scraped again and again,
in both formats. Printed: how long a scrape takes, how long a request takes meanwhile, and the memory of the process.
"""

from __future__ import annotations

import threading
import time
import urllib.request

import collector_growth
from collector_server import Server, http, pinned, truegreen

FORMATS = {"text": "text/plain", "openmetrics": "application/openmetrics-text"}


def scraped(seconds: float) -> dict[str, object]:
    """All figures."""
    with pinned() as (core, _), truegreen(core) as server:
        return _scraped(server, seconds)


def _scraped(server: Server, seconds: float) -> dict[str, object]:
    send, requests = http(server.http), collector_growth.requests(20_000, 30)
    for one in requests:
        send(one)
    began = time.perf_counter()
    for one in requests:
        send(one)
    pause = (time.perf_counter() - began) / len(requests)
    took: dict[str, list[float]] = {name: [] for name in FORMATS}
    lines, ends = 0, time.perf_counter() + seconds
    failed: list[BaseException] = []

    def scrape() -> None:
        nonlocal lines
        try:
            while time.perf_counter() < ends:
                for name, accept in FORMATS.items():
                    asked = urllib.request.Request(f"http://127.0.0.1:{server.metrics}/metrics", headers={"Accept": accept})
                    began = time.perf_counter()
                    body = urllib.request.urlopen(asked).read()
                    took[name].append(time.perf_counter() - began)
                    lines = max(lines, body.count(b"\n"))
                    time.sleep(0.2)
        except OSError as error:
            failed.append(error)

    thread = threading.Thread(target=scrape)
    thread.start()
    waits, at = [], 0
    while thread.is_alive():
        began = time.perf_counter()
        send(requests[at % len(requests)])
        waits.append(time.perf_counter() - began)
        at += 1
        time.sleep(pause)
    if failed:
        raise failed[0]
    waits.sort()
    found: dict[str, object] = {
        f"scrape_{name}": {
            "median_ms": sorted(times)[len(times) // 2] * 1e3,
            "longest_ms": max(times) * 1e3,
            "scrapes": len(times),
        }
        for name, times in took.items()
    }
    return found | {
        "lines": lines,
        "requests": {
            "p50_ms": waits[len(waits) // 2] * 1e3,
            "p99_ms": waits[int(len(waits) * 0.99)] * 1e3,
            "spans_per_second": at * 200 / seconds,
        },
        "rss_mb": server.memory() / 1024,
        "peak_rss_mb": server.memory("VmHWM") / 1024,
    }
