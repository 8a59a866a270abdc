"""What the sampling endpoint bears: items a second, its CPU for each, what HTTP adds to judging, and whether anything is lost under too much.

    python benchmarks/sampling_endpoint.py [--seconds 5] [--seed 1] [--json]

A real `truegreen evaluator serve` and a real `truegreen collect` as processes, and clients that only send bytes. The answers are made up of random words
(seed printed): three passages of 120 words, an answer of 100, most of it from the passages.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from truegreen.core.clients.engines import free_port
from truegreen.core.words.shapes import Sample
from truegreen.evaluation.installed import judge_of

WHO = {"service": "support-agent", "environment": "production"}
CLIENTS = 4
JSON = {"Content-Type": "application/json"}


def sample(dice: random.Random) -> dict[str, Any]:
    """One made-up answer."""
    words = ["".join(dice.choices("abcdefghijklmnop", k=dice.randint(3, 9))) for _ in range(400)]
    passages = [" ".join(dice.choices(words, k=120)) + "." for _ in range(3)]
    answer = " ".join(dice.choices(" ".join(passages).split() + words[:60], k=100)) + "."
    return {"query": " ".join(words[:8]) + "?", "answer": answer, "context": passages, "model": "m", "latency_seconds": 1.5}


@contextmanager
def process(arguments: list[str], **more: Any) -> Iterator[subprocess.Popen[str]]:
    """A command of truegreen as a process."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("TRUEGREEN_", "OTEL_"))}
    with subprocess.Popen([sys.executable, "-m", "truegreen.core", *arguments], text=True, env=environ, **more) as running:
        try:
            yield running
        finally:
            running.kill()


@contextmanager
def endpoint(target: str, *options: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The endpoint, and its port."""
    serve = ["evaluator", "serve", "--listen", "127.0.0.1:0", "--endpoint", target, "--json", *options]
    with process(serve, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as running:
        assert running.stdout
        yield running, int(json.loads(running.stdout.readline())["listening"].rpartition(":")[2])


def cpu(pid: int) -> float:
    """CPU seconds of a process so far."""
    parts = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


def peak(pid: int) -> float:
    """The most memory that a process had, MB."""
    return int(Path(f"/proc/{pid}/status").read_text().split("VmHWM:")[1].split()[0]) / 1000


def send(port: int, path: str, bodies: list[bytes], seconds: float) -> Counter[int]:
    """Statuses of what some clients got who send as fast as they can, each over one connection; a 503 is waited out for 50 ms."""
    found: Counter[int] = Counter()
    end = time.monotonic() + seconds

    def one(first: int) -> None:
        line = http.client.HTTPConnection("127.0.0.1", port)
        place = first
        while time.monotonic() < end:
            line.request("POST", path, bodies[place % len(bodies)], JSON)
            answer = line.getresponse()
            answer.read()
            found[answer.status] += 1
            place += 1
            if answer.status == http.client.SERVICE_UNAVAILABLE:
                time.sleep(0.05)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def counted(port: int, family: str) -> float:
    """The sum of a family of its page."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        return sum(
            map(float, re.findall(rf"^truegreen_sampling_{family}(?:\{{.*\}})? (\S+)$", answer.read().decode(), re.MULTILINE))
        )


def load(target: str, path: str, key: str, items: list[Any], at_a_time: int, seconds: float) -> dict[str, Any]:
    """How many items a second are taken, judged and delivered, and what each costs."""
    groups = [items[place : place + at_a_time] for place in range(0, len(items), at_a_time)]
    bodies = [json.dumps({**WHO, key: group}).encode() for group in groups]
    with endpoint(target, "--queue", "1000") as (running, port):
        send(port, path, bodies, 0.5)
        before, began, done = cpu(running.pid), time.monotonic(), counted(port, "delivered_total")
        statuses = send(port, path, bodies, seconds)
        while counted(port, "waiting"):
            time.sleep(0.05)
        took, delivered = time.monotonic() - began, counted(port, "delivered_total") - done
        used, memory = cpu(running.pid) - before, peak(running.pid)
        running.send_signal(signal.SIGTERM)
        assert running.stdout
        lost = json.loads(running.stdout.read())["dropped"]
    return {
        "what": f"{key}, {at_a_time} a request", "items a second": round(delivered / took), "CPU ms an item": round(1000 * used / delivered, 3),
        "503": statuses[503], "lost": sum(lost.values()), "peak MB": round(memory),
    }  # fmt: skip


def too_much(items: list[Any], seconds: float) -> dict[str, Any]:
    """An endpoint whose OTLP receiver comes late: what is taken while the queue has room is delivered afterwards, and nothing else is taken."""
    otlp = f"127.0.0.1:{free_port()}"
    bodies = [json.dumps({**WHO, "samples": items[place : place + 50]}).encode() for place in range(0, len(items), 50)]
    with endpoint(f"http://{otlp}", "--queue", "2000", "--drain", "60") as (running, port):
        statuses = send(port, "/v1/samples", bodies, seconds)
        memory = peak(running.pid)
        with collector(otlp):
            while counted(port, "waiting"):
                time.sleep(0.05)
            delivered = counted(port, "delivered_total")
            running.send_signal(signal.SIGTERM)
            assert running.stdout
            said = json.loads(running.stdout.read())
    taken = 50 * statuses[202]
    assert said["accepted"] == taken == delivered, (said, statuses)
    return {
        "taken": taken, "refused with 503": 50 * statuses[503], "delivered later": round(delivered), "lost": sum(said["dropped"].values()),
        "peak MB": round(memory),
    }  # fmt: skip


@contextmanager
def collector(otlp: str) -> Iterator[None]:
    """A collector that receives there."""
    options = [
        "--http-endpoint",
        otlp,
        "--grpc-endpoint",
        f"127.0.0.1:{free_port()}",
        "--metrics-endpoint",
        f"127.0.0.1:{free_port()}",
    ]
    with process(["collect", *options], stderr=subprocess.DEVNULL):
        yield


def judging(items: list[Any]) -> float:
    """CPU milliseconds of the default evaluator alone for one of these answers: the median of all."""
    judge = judge_of("groundedness", {})
    took = []
    for item in items:
        one = Sample(item["query"], item["answer"], tuple(item["context"]), "m")
        began = time.process_time()
        judge(one)
        took.append(time.process_time() - began)
    return 1000 * sorted(took)[len(took) // 2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    dice = random.Random(given.seed)
    samples = [sample(dice) for _ in range(500)]
    words = [{"score": dice.choice((-1, 1)), "task": "refund"} for _ in range(500)]
    otlp = f"127.0.0.1:{free_port()}"
    with collector(otlp):
        rows = [
            load(f"http://{otlp}", path, key, items, at_a_time, given.seconds)
            for path, key, items in (("/v1/samples", "samples", samples), ("/v1/feedback", "feedback", words))
            for at_a_time in (1, 50)
        ]
    alone = judging(samples)
    found: dict[str, Any] = {
        "seed": given.seed, "load": rows, "evaluator alone, CPU ms": round(alone, 3),
        "CPU of a judged answer, times the evaluator's": round(rows[1]["CPU ms an item"] / alone, 2),
        "receiver away": too_much(samples, given.seconds),
    }  # fmt: skip
    if given.json:
        print(json.dumps(found))
        return
    print(f"Seed {given.seed}; {given.seconds:g} s each; {CLIENTS} clients.\n")
    print("| " + " | ".join(rows[0]) + " |\n|" + "---|" * len(rows[0]))
    for row in rows:
        print("| " + " | ".join(map(str, row.values())) + " |")
    times = found["CPU of a judged answer, times the evaluator's"]
    print(f"\nThe evaluator alone: {alone:.2f} ms of CPU an answer; an answer in a request of 50 costs {times} times that.")
    away = found["receiver away"]
    print(
        "\nThe OTLP receiver comes late, a queue of 2,000: " + ", ".join(f"{name} {value}" for name, value in away.items()) + "."
    )


if __name__ == "__main__":
    main()
