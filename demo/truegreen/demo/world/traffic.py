"""The customers: questions to the agent, in a burst or at a steady rate, with the truth about each answer kept in memory only.

`python -m truegreen.demo.world.traffic smoke --base-url URL` asks a dozen fixed questions and exits 1 when an answer lacks its fact.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Any, Final, Self

import click
import httpx

from truegreen.demo import corpus
from truegreen.demo.corpus import Question

KEPT: Final = 5_000
TIMEOUT_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Exchange:
    """One question and what came back.

    Args:
        source: the fact in short, from the help centre.
        wrong: whether the answer lacks that fact; always False when there was no answer.
        time: unix seconds at which it was asked.
        seconds: how long the answer took.
        status: HTTP status, 0 when no reply came.
        blocked: whether the guardrail let no model answer.
        traceparent: of the request.
    """

    question: str
    answer: str
    source: str
    wrong: bool
    time: float
    session: str
    seconds: float
    status: int
    model: str = ""
    blocked: bool = False
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts of the truth over some exchanges."""

    asked: int
    answered: int
    wrong: int
    errors: int
    sessions: int


@dataclass(frozen=True, slots=True)
class Smoke:
    """A smoke test's result; `failed` holds the ids of the questions that were not answered rightly."""

    passed: int
    total: int
    failed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ask:
    """What a customer is about to ask."""

    question: Question
    session: str
    user: str


def customers(seed: int) -> Iterator[Ask]:
    """An endless stream: sessions of one to five questions, every question asked once before any is asked again."""
    random = Random(seed)
    questions = corpus.load().questions
    deck: list[Question] = []
    while True:
        session, user = f"s-{random.getrandbits(48):012x}", f"u-{random.randrange(2_000):04d}"
        for _ in range(random.randint(1, 5)):
            if not deck:
                deck = random.sample(questions, len(questions))
            yield Ask(deck.pop(), session, user)


def ask(base_url: str, question: str, session: str, user: str, client: httpx.Client | None = None) -> dict[str, Any]:
    """Ask the agent one question and return its reply.

    Raises:
        httpx.HTTPError: no reply, or one with an error status.
    """
    if client is None:
        with _client(1) as own:
            return ask(base_url, question, session, user, own)
    reply = client.post(f"{base_url}/ask", json={"question": question, "session": session, "user": user})
    reply.raise_for_status()
    data: dict[str, Any] = reply.json()
    return data


def exchange(base_url: str, wanted: Ask, client: httpx.Client) -> Exchange:
    """Ask, time it, and compare the answer with the truth; an error is an exchange too."""
    began, clock = time.time(), time.perf_counter()
    status, data = 200, dict[str, Any]()
    try:
        data = ask(base_url, wanted.question.question, wanted.session, wanted.user, client)
    except httpx.HTTPStatusError as error:
        status = error.response.status_code
    except (httpx.HTTPError, ValueError):
        status = 0
    seconds = time.perf_counter() - clock
    text = str(data.get("answer", ""))
    wrong = status == 200 and not corpus.is_right(wanted.question, text)
    return Exchange(
        wanted.question.question, text, wanted.question.source, wrong, began, wanted.session, seconds, status,
        str(data.get("model", "")), bool(data.get("blocked")), str(data.get("traceparent", "")),
    )  # fmt: skip


def burst(
    base_url: str, n: int, concurrency: int = 8, seed: int = 1, progress: Callable[[int], None] | None = None
) -> list[Exchange]:
    """Ask `n` questions as fast as they come, `concurrency` at a time; `progress` is called with the number done."""
    stream = customers(seed)
    wanted = [next(stream) for _ in range(n)]
    done = []
    with _client(concurrency) as client, ThreadPoolExecutor(concurrency) as pool:
        for number, made in enumerate(pool.map(lambda w: exchange(base_url, w, client), wanted), start=1):
            done.append(made)
            if progress is not None:
                progress(number)
    return done


def totals(exchanges: Sequence[Exchange]) -> Totals:
    """Count the truth over some exchanges."""
    answered = [e for e in exchanges if e.status == 200]
    return Totals(
        len(exchanges), len(answered), sum(e.wrong for e in answered), len(exchanges) - len(answered),
        len({e.session for e in exchanges}),
    )  # fmt: skip


def example(exchanges: Sequence[Exchange]) -> Exchange | None:
    """The wrong answer to show: the one about opened items where there is one, else the shortest."""
    wrong = [e for e in exchanges if e.wrong]
    return min(wrong, key=lambda e: ("opened items" not in e.question, len(e.answer), e.time), default=None)


def smoke(base_url: str, n: int = 12) -> Smoke:
    """Ask `n` fixed questions, spread over the help centre, and look for the expected fact in each answer."""
    questions = corpus.load().questions
    chosen = [questions[i * len(questions) // n] for i in range(min(n, len(questions)))]
    with _client(4) as client, ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda q: exchange(base_url, Ask(q, "s-smoke", "u-smoke"), client), chosen))
    failed = tuple(q.id for q, e in zip(chosen, made, strict=True) if e.status != 200 or e.wrong)
    return Smoke(len(chosen) - len(failed), len(chosen), failed)


class Stream:
    """Customers at a steady rate in threads of their own, from `start` (or `with`) until `stop`.

    Args:
        per_second: questions a second.
        asks: who asks what.
        workers: most questions under way; when all are busy a question waits, and the pace is made up for afterwards.
        kept: exchanges remembered, the newest; those that no model answered are not.
        each: hears every exchange.
    """

    def __init__(
        self, base_url: str, per_second: float, asks: Iterator[Ask] | None = None, workers: int = 32, kept: int = KEPT,
        each: Callable[[Exchange], None] | None = None,
    ) -> None:  # fmt: skip
        self._base_url, self._interval, self._asks, self._each = base_url, 1.0 / per_second, asks or customers(2), each
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="customer")
        self._slots = threading.Semaphore(workers)
        self._client = _client(workers)
        self._kept: deque[Exchange] = deque(maxlen=kept)
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="customers", daemon=True)

    def start(self) -> Self:
        """Begin to ask."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Ask no more; answers under way are waited for."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join(TIMEOUT_SECONDS)
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._client.close()

    def exchanges(self, since: float = 0.0, until: float = float("inf")) -> list[Exchange]:
        """What is remembered of questions asked in [since, until), unix seconds, oldest first."""
        with self._lock:
            return sorted((e for e in self._kept if since <= e.time < until), key=lambda e: e.time)

    def totals(self, since: float = 0.0, until: float = float("inf")) -> Totals:
        """Counts of the truth over that time."""
        return totals(self.exchanges(since, until))

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self) -> None:
        due = time.monotonic()
        for wanted in self._asks:
            if self._stopped.wait(max(0.0, due - time.monotonic())):
                return
            due += self._interval
            while not self._slots.acquire(timeout=0.1):
                if self._stopped.is_set():
                    return
            with suppress(RuntimeError):  # The pool is shut down while the last question is handed in.
                self._pool.submit(self._one, wanted)

    def _one(self, wanted: Ask) -> None:
        try:
            made = exchange(self._base_url, wanted, self._client)
            if self._each is not None:
                self._each(made)
            if not made.blocked:
                with self._lock:
                    self._kept.append(made)
        finally:
            self._slots.release()


def _client(connections: int) -> httpx.Client:
    # trust_env: a proxy of the machine is never asked for the loopback address.
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    return httpx.Client(limits=limits, timeout=TIMEOUT_SECONDS, trust_env=False)


@click.group()
def main() -> None:
    """Ask the demo's agent."""


@main.command("smoke")
@click.option("--base-url", required=True, help="The agent's address, such as http://127.0.0.1:8000.")
@click.option("--n", default=12, show_default=True, help="Number of questions.")
def smoke_command(base_url: str, n: int) -> None:
    """Ask fixed questions; exit 1 when an answer lacks its fact."""
    made = smoke(base_url, n)
    click.echo(f"{made.passed}/{made.total}" + (f" failed: {' '.join(made.failed)}" if made.failed else ""))
    raise SystemExit(1 if made.failed else 0)


if __name__ == "__main__":
    main()
