"""Profiles of prompt templates: from replay files, from an evaluation set's expected answers, from a worker of `truegreen watch`."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from truegreen.core.clients import http
from truegreen.core.clients.http import Server
from truegreen.core.errors import Failed
from truegreen.core.words.shapes import ReplayRecord
from truegreen.evaluation import embedding
from truegreen.evaluation.baselines import serial
from truegreen.evaluation.evalsets.model import Case
from truegreen.evaluation.model import EXPECTED, LIVE, RESERVOIR, Profile, Rows
from truegreen.instrumentation.style import style

LEXICAL: Final = "lexical"
MINILM: Final = "minilm"
NONE: Final = "none"
EMBEDDERS: Final = (LEXICAL, MINILM, NONE)
TEMPLATE_KEY: Final = "template"
UNKNOWN: Final = "unknown"
"""The template of spans that name none."""
PROFILES: Final = "/profiles"

Embed = Callable[[Sequence[str]], Rows]
Pair = tuple[str, str]


def embedder(name: str) -> tuple[str, Embed]:
    """What the vectors of an embedder are called, and what makes them.

    Raises:
        BadInput: MiniLM is asked for and is not installed.
    """
    if name == LEXICAL:
        return embedding.LEXICAL, lambda texts: tuple(map(embedding.lexical, texts))
    if name == NONE:
        return "", lambda _: ()
    model = embedding.minilm()
    return embedding.MINILM, lambda texts: tuple(tuple(map(float, row)) for row in model(texts))


def from_records(
    records: Iterable[ReplayRecord], *, key: str, template: str, made_by: tuple[str, Embed], seed: int
) -> tuple[Profile, ...]:
    """One profile for each template of recorded calls, at most 512 answers of each by a seeded draw.

    Args:
        key: of a record, what names its template; `template` where it has none.
        made_by: as `embedder` gives.
    """
    kept: dict[str, _Reservoir] = {}
    for record in records:
        named = record.extra.get(key)
        name = str(named) if isinstance(named, str | int) and not isinstance(named, bool) and str(named) else template
        kept.setdefault(name, _Reservoir(f"{seed}:{name}")).offer((record.query, record.answer))
    return tuple(_profile(name, one.seen, one.pairs, made_by, LIVE) for name, one in sorted(kept.items()))


def from_cases(cases: Iterable[Case], *, template: str, made_by: tuple[str, Embed], seed: int) -> Profile | None:
    """The profile of the expected answers of an evaluation set; None where no case has one."""
    kept = _Reservoir(f"{seed}:{template}")
    for case in cases:
        if case.expected:
            kept.offer((case.query, case.expected))
    return _profile(template, kept.seen, kept.pairs, made_by, EXPECTED) if kept.seen else None


def fetch(server: Server, service: str, environment: str) -> tuple[Profile, ...]:
    """The profiles of a worker's present windows.

    Raises:
        Failed: nobody answers, what answers is no such worker, or its answer is broken.
    """
    data = http.get(server, PROFILES, [("service", service), ("environment", environment)])
    found = data.get("profiles") if isinstance(data, dict) else data
    where = http.bare(server.url) + PROFILES
    if not isinstance(found, list):
        raise Failed(f"{where}: expected a list of profiles; is it a worker of `truegreen watch` of the same version?")
    try:
        return tuple(serial.profile(one, f"{where}: profiles[{place}]") for place, one in enumerate(found))
    except serial.SerialError as error:
        raise Failed(f"{error}; is it a worker of `truegreen watch` of the same version?") from None


class _Reservoir:
    """A draw of 512 from a stream of unknown length, each as likely as the others (Vitter 1985, algorithm R)."""

    def __init__(self, seed: str) -> None:
        self._dice, self.seen, self.pairs = random.Random(seed), 0, list[Pair]()

    def offer(self, pair: Pair) -> None:
        self.seen += 1
        if len(self.pairs) < RESERVOIR:
            self.pairs.append(pair)
        elif (place := self._dice.randrange(self.seen)) < RESERVOIR:
            self.pairs[place] = pair


def _profile(template: str, answers: int, pairs: Sequence[Pair], made_by: tuple[str, Embed], source: str) -> Profile:
    name, embed = made_by
    queries, texts = [query for query, _ in pairs], [answer for _, answer in pairs]
    vectors = serial.rounded(embed(texts))
    # A question that nobody recorded is no question.
    asked = serial.rounded(embed(queries)) if vectors and all(queries) else ()
    return Profile(template, answers, serial.rounded(list(map(style, texts))), vectors, asked, name, source)
