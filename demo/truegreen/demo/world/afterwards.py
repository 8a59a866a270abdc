"""What comes of an answer minutes later: how the customer's task ends, feedback, the shop's own check, a reviewer's word on the guardrail."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from itertools import count
from random import Random
from typing import Any, Final, Self

import httpx

from truegreen.demo.world.traffic import TIMEOUT_SECONDS, Exchange
from truegreen.demo.world.visitors import PRYING

DELAY: Final = (1.5, 7.0)
"""Seconds after the answer; at the demo's time scale, minutes."""


def said(made: Exchange, random: Random) -> Mapping[str, Any]:
    """What is said of an answered question, as the agent's `/afterwards` takes it; empty for nothing.

    Shares are the demo's own: of wrong answers half are given up or taken to a person, of right ones 3 %.
    """
    body: dict[str, Any] = {}
    if made.blocked or random.random() < 0.1:
        body["verdict"] = _verdict(blocked=made.blocked, bad=PRYING.get(made.question) == "bad")
    if not made.blocked:
        body["outcome"] = _outcome(random.random(), wrong=made.wrong)
        if random.random() < 0.3:
            body["score"] = _score(random.random(), wrong=made.wrong)
        if random.random() < 0.5:
            body["valid"] = not made.wrong
    return {"of": made.traceparent, **body} if body else {}


def _verdict(*, blocked: bool, bad: bool) -> str:
    return f"{'true' if blocked is bad else 'false'}_{'positive' if blocked else 'negative'}"


def _outcome(at: float, *, wrong: bool) -> str:
    escalated, abandoned = (0.35, 0.5) if wrong else (0.015, 0.03)
    return "escalated" if at < escalated else "abandoned" if at < abandoned else "completed"


def _score(at: float, *, wrong: bool) -> int:
    negative, neutral = (0.85, 0.95) if wrong else (0.04, 0.12)
    return -1 if at < negative else 0 if at < neutral else 1


class Afterwards:
    """Tells the agent what came of its answers, each a while later, in a thread of its own until `stop`.

    Args:
        base_url: the agent.
        seed: of who says what and when; the same for equal questions of equal sessions.
    """

    def __init__(self, base_url: str, seed: int) -> None:
        self._url, self._seed = f"{base_url}/afterwards", seed
        self._due: list[tuple[float, int, Mapping[str, Any]]] = []
        self._order = count()
        self._changed = threading.Condition()
        self._stopped = False
        # trust_env: a proxy of the machine is never asked for the loopback address.
        self._client = httpx.Client(timeout=TIMEOUT_SECONDS, trust_env=False)
        self._thread = threading.Thread(target=self._run, name="afterwards", daemon=True)

    def start(self) -> Self:
        """Begin to tell."""
        self._thread.start()
        return self

    def hear(self, made: Exchange) -> None:
        """Take in an exchange."""
        random = Random(f"{self._seed}/{made.session}/{made.question}")
        if made.status == httpx.codes.OK and (body := said(made, random)):
            with self._changed:
                heapq.heappush(self._due, (time.monotonic() + random.uniform(*DELAY), next(self._order), body))
                self._changed.notify()

    def stop(self) -> None:
        """Say no more; what was not due yet is dropped."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join(TIMEOUT_SECONDS)
        self._client.close()

    def _run(self) -> None:
        while (body := self._next()) is not None:
            with suppress(httpx.HTTPError):
                self._client.post(self._url, json=body)

    def _next(self) -> Mapping[str, Any] | None:
        with self._changed:
            while not self._stopped:
                left = self._due[0][0] - time.monotonic() if self._due else None
                if left is not None and left <= 0:
                    return heapq.heappop(self._due)[2]
                self._changed.wait(left)
        return None
