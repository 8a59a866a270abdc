"""Asks a provider its probes, by the OpenAI contract (`POST /chat/completions`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from truegreen.core.clients import http
from truegreen.core.clients.http import HttpFailed, Server
from truegreen.core.errors import Failed
from truegreen.evaluation.provider import compare
from truegreen.evaluation.provider.model import TOO_FEW, Probe, Round

TOKENS: Final = 256
"""Tokens that an answer may have: a probe is to be cheap."""
SECONDS: Final = 60.0
TRIES: Final = 3
PAUSE: Final = 1.0
PATH: Final = "/chat/completions"
_AGAIN: Final = frozenset({408, 409, 429, 500, 502, 503, 504})


@dataclass(slots=True)
class Asked:
    """Answers by probe, what answered them, and the calls that it took."""

    answers: dict[str, list[str]] = field(default_factory=dict)
    served: set[str] = field(default_factory=set)
    fingerprints: set[str] = field(default_factory=set)
    calls: int = 0
    failed: list[str] = field(default_factory=list)


def connect(url: str, token: str | None, sleep: Callable[[float], None]) -> Server:
    """The endpoint at `url`, which ends before `/chat/completions`: `https://api.openai.com/v1`."""
    return Server("the model's endpoint", url, "name another with --endpoint", token=token, timeout=SECONDS, sleep=sleep)


def ask(server: Server, model: str, probes: Iterable[Probe], rounds: int, calls: int) -> Asked:
    """Ask each probe `rounds` times, with temperature 0; ends when `calls` requests were sent. A probe that gets no answer is left out and said."""
    made = Asked()
    for probe in probes:
        for _ in range(rounds):
            if made.calls >= calls:
                made.failed.append("the budget of calls is used up")
                return made
            _one(server, model, probe, made, calls)
    return made


def judged(probes: Sequence[Probe], found: Asked, *, provider: str, model: str, now: float, seed: int, alpha: float) -> Round:
    """What the answers of one round say; `too few` when less than half of the probes were answered."""
    questions = [(probe.references, found.answers.get(probe.id, ())) for probe in probes]
    enough = 2 * sum(bool(then and late) for then, late in questions) >= len(probes)
    verdict, seen = compare.compare(questions, seed, alpha) if enough else (TOO_FEW, ())
    return Round(now, verdict, provider, model, len(probes), found.calls, len(found.failed), seed, seen,
                 tuple(sorted(found.served)), tuple(sorted(found.fingerprints)))  # fmt: skip


def _one(server: Server, model: str, probe: Probe, made: Asked, calls: int) -> None:
    body = {"model": model, "messages": [{"role": "user", "content": probe.prompt}], "temperature": 0, "max_tokens": TOKENS}
    for attempt in range(1, TRIES + 1):
        made.calls += 1
        try:
            answer = http.send(server, "POST", PATH, body)
            text, served, mark = http.shaped(server, PATH, answer, _read)
        except HttpFailed as error:
            if error.status == 400 and "max_completion_tokens" in str(error.body) and "max_tokens" in body:
                body["max_completion_tokens"] = body.pop("max_tokens")
            elif error.status not in _AGAIN or attempt == TRIES or made.calls >= calls:
                made.failed.append(f"probe {probe.id}: {error}")
                return
            else:
                server.sleep(PAUSE * 2 ** (attempt - 1))
        except Failed as error:
            made.failed.append(f"probe {probe.id}: {error}")
            return
        else:
            made.answers.setdefault(probe.id, []).append(text)
            made.served |= {served} - {""}
            made.fingerprints |= {mark} - {""}
            return
    made.failed.append(f"probe {probe.id}: no answer after {TRIES} attempts")


def _read(answer: Any) -> tuple[str, str, str]:
    said = answer["choices"][0]["message"]
    return (
        str(said.get("content") or said.get("refusal") or ""),
        str(answer.get("model") or ""),
        str(answer.get("system_fingerprint") or ""),
    )
