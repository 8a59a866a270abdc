"""What a shop lets run beside the collector: answers that people labelled, a watch over drift, a canary, the log of incidents, the provider's changelog."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

from truegreen.demo import corpus
from truegreen.demo.corpus import Index, Question
from truegreen.demo.model import ENVIRONMENT, GOOD_MODEL, GOOD_PROMPT, OTHER_MODEL, PROMPT, SERVICE
from truegreen.demo.stage import Stage, truegreen
from truegreen.demo.world import speech
from truegreen.demo.world.traffic import Exchange

_WRONG: Final = 100
"""Labelled wrong answers: some that are like those of the incident, as an earlier one left them behind."""
_RIGHT: Final = 400
_CANARY_EVERY: Final = "15s"
_CANARY_WAIT: Final = "8s"


def sections(addresses: Mapping[str, str]) -> dict[str, Any]:
    """What these processes need of `collector` in the configuration: traces without text for the watch, the canary's address for scrape.yml."""
    watch = {"name": "watch", "endpoint": f"http://{addresses['watch_http']}", "signals": ["traces"], "redact": {}}
    return {"forward": [watch], "canary_endpoint": addresses["canary"]}


def changes(folder: Path) -> Path:
    """Where the provider's changes are kept: beside the configuration, where triage looks for them."""
    return folder / "provider" / "changes.json"


def read_changelog(on: Stage) -> None:
    """Read the provider's feed, as a shop does by cron."""
    feed = f"provider=http://{on.addresses['provider']}/changelog.json"
    truegreen(on, "provider", "changes", "--feed", feed, "--folder", str(changes(on.folder).parent))


def freeze(on: Stage, exchanges: Sequence[Exchange], seed: int) -> dict[str, Any]:
    """Measure the evaluator on labelled answers, and freeze the style of healthy ones; what `evaluator measure` printed.

    The labels are the truth of the demo's own questions. Texts stay in the demo's folder, which goes when it ends.
    """
    healthy, labelled = on.folder / "answers.jsonl", on.folder / "labelled.jsonl"
    right = list(_answers(exchanges))
    _write(healthy, right)
    _write(labelled, [*({**one, "y": 0} for one in right[:_RIGHT]), *_wrong(seed)])
    who = ("--service", SERVICE, "--environment", ENVIRONMENT)
    named = ("--template", f"{PROMPT}@{GOOD_PROMPT}")
    truegreen(on, "baseline", "take", *who, "--daily", "--from", str(healthy), *named, "--out", str(on.folder / "baselines"))
    return truegreen(on, "evaluator", "measure", str(labelled), *who, "--out", str(on.folder / "calibration"))


def start(on: Stage) -> None:
    """Start the watch, then the canary, then what serves the log of incidents."""
    host, _, http = on.addresses["watch_http"].rpartition(":")
    grpc = on.addresses["watch_grpc"].rpartition(":")[2]
    words = ["--baselines", str(on.folder / "baselines"), "--otlp", f"{host}:{grpc}/{http}", "--metrics", on.addresses["watch"]]
    watch = on.supervisor.python("watch", "truegreen.core", ["watch", *words, "--interval", "1s", "--config", str(on.config)])
    on.supervisor.ready(f"http://{on.addresses['watch']}/readyz", watch)
    frozen = next((on.folder / "calibration").glob("*.json"))
    ends = ["--endpoint", on.tap.url, "--metrics", f"http://{on.collector_metrics}", "--listen", on.addresses["canary"]]
    pace = ["--every", _CANARY_EVERY, "--wait", _CANARY_WAIT]
    canary = on.supervisor.python(
        "canary", "truegreen.core", ["canary", "--calibration", str(frozen), *ends, *pace, "--config", str(on.config)]
    )
    on.supervisor.ready(f"http://{on.addresses['canary']}/metrics", canary)
    scale = ["--time-scale", str(on.time_scale)]
    response = on.supervisor.python("response", "truegreen.core", ["incident", "serve", *scale, "--config", str(on.config)])
    on.supervisor.ready(f"http://{on.addresses['response']}/metrics", response)


def _answers(exchanges: Sequence[Exchange]) -> Iterator[dict[str, Any]]:
    world = corpus.load()
    known, index = {q.question: q for q in world.questions}, corpus.index(world.passages)
    for one in exchanges:
        if one.question in known and one.answer and not one.wrong and not one.blocked:
            yield _record(index, known[one.question], one.answer, GOOD_MODEL, one.session)


def _wrong(seed: int) -> Iterator[dict[str, Any]]:
    world, random = corpus.load(), Random(seed)
    index, memory = corpus.index(world.passages), speech.memory()
    for number, question in enumerate(random.sample(world.questions, len(world.questions))[:_WRONG]):
        answer = speech.from_memory(speech.Request(question.question, (), obey=False), memory, random)
        if not corpus.is_right(question, answer):
            yield {**_record(index, question, answer, OTHER_MODEL, f"labelled-{number}"), "y": 1}


def _record(index: Index, question: Question, answer: str, model: str, session: str) -> dict[str, Any]:
    passages = [hit.passage.text for hit in corpus.retrieve(index, question.question)]
    return {"query": question.question, "context": passages, "answer": answer, "model": model, "session": session}


def _write(path: Path, records: Sequence[Mapping[str, Any]]) -> None:
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in records), "utf-8")
