"""A world of metrics: services over two hours, written as OpenMetrics, so that a real Prometheus can be filled with them."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

END = 1_767_322_800.0
"""Noon of a day in the past: the moment at which triage looks, unix seconds."""
LENGTH, STEP, SINCE = 7_200, 15, 1_237
"""Seconds: how much there is, the scrape interval, and how long before the end something changes."""
ONSET = END - SINCE


@dataclass(frozen=True)
class Phase:
    """How a service behaves up to `until`."""

    until: float
    bad: float
    served: str
    prompt: str
    fingerprint: str = "fp_1"
    snapshot: str = "aaaaaaaaaaaa"
    relevance: float = 0.80
    model: str = "support-large"
    block: float = 0.02
    index: str = "kb@7"
    seconds: float = 0.4
    without: tuple[str, ...] = ()
    """Beginnings of the names of metrics that it does not make."""


@dataclass
class Book:
    """Series by name: label text to samples."""

    kinds: dict[str, str] = field(default_factory=dict)
    rows: dict[str, list[str]] = field(default_factory=dict)

    def put(self, name: str, kind: str, labels: Mapping[str, str], value: float, time: float) -> None:
        """One sample."""
        family = name.removesuffix("_total") if kind == "counter" else name
        self.kinds[family] = "unknown" if kind == "histogram" else kind
        shown = ",".join(f'{k}="{v}"' for k, v in labels.items())
        self.rows.setdefault(family, []).append(f"{name}{{{shown}}} {value:.12g} {time:.3f}")

    def text(self) -> str:
        """The OpenMetrics file."""
        return (
            "".join(f"# TYPE {family} {kind}\n" + "\n".join(self.rows[family]) + "\n" for family, kind in self.kinds.items())
            + "# EOF\n"
        )


def fill(book: Book, service: str, phases: list[Phase], seed: int = 7, per_second: float = 0.2) -> None:
    """Write one service's two hours."""
    rng = random.Random(seed)
    who = {"service": service, "environment": "production"}
    counters: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
    for phase in phases:
        for name, labels in _series(who, phase):
            counters.setdefault((name, tuple(labels.items())), 0.0)
    began = END - LENGTH
    for start, time in pairwise([began + i * STEP for i in range(LENGTH // STEP + 1)]):
        arrivals = sorted(rng.uniform(start, time) for _ in range(round(per_second * STEP)))
        for moment in arrivals:
            phase = next(p for p in phases if moment <= p.until)
            for name, labels in _counted(who, phase, rng):
                counters[(name, tuple(labels.items()))] += labels_weight(name, phase)
        for (name, labels), value in counters.items():
            plain = dict(labels)
            live = next(p for p in phases if time <= p.until)
            seen = (
                value > 0
                or plain.get("served", live.served) == live.served
                and plain.get("snapshot", live.snapshot) == live.snapshot
            )
            if seen:
                book.put(name, "counter" if name.endswith("_total") else "histogram", plain, value, time)
        now = next(p for p in phases if time <= p.until)
        for p in phases:
            if p.until - STEP > time and p is not now and p not in phases[: phases.index(now) + 1]:
                continue
            book.put("truegreen_snapshot_info", "gauge", {**who, "snapshot": p.snapshot, "model_version": p.served, "prompt_version": p.prompt,
                                                          "retrieval_index_version": p.index, "guardrail_version": "g@1", "tool_schema_version": ""}, 1, time)  # fmt: skip
            first = began if p is phases[0] else phases[phases.index(p) - 1].until
            book.put("truegreen_snapshot_since_timestamp_seconds", "gauge", {**who, "snapshot": p.snapshot}, first, time)
        book.put("truegreen_affected_sessions", "gauge", {**who, "evaluation": "groundedness"}, 61, time)
        book.put(
            "truegreen_failing_trace_info",
            "gauge",
            {**who, "evaluation": "groundedness", "slot": "0", "trace_id": "ab" * 16},
            1,
            time,
        )


def labels_weight(name: str, phase: Phase) -> float:
    """How much one answer adds to a series."""
    return {"truegreen_retrieval_relevance_sum": phase.relevance, "truegreen_llm_duration_seconds_sum": phase.seconds}.get(
        name, 1.0
    )


def _series(who: Mapping[str, str], p: Phase) -> list[tuple[str, dict[str, str]]]:
    graded = {**who, "evaluation": "groundedness", "evaluator": "overlap"}
    sliced = {**graded, "model": p.model, "cohort": "default", "snapshot": p.snapshot, "sampled": "base"}
    every = [
        ("truegreen_model_served_total", {**who, "model": p.model, "served": p.served, "fingerprint": p.fingerprint}),
        ("truegreen_answers_total", {**who, "model": p.model, "cohort": "default", "snapshot": p.snapshot, "sampled": "base"}),
        ("truegreen_llm_requests_total", {**who, "operation": "chat", "provider": "openai", "model": p.model, "outcome": "ok"}),
        ("truegreen_retrieval_relevance_sum", {**who, "data_source": "kb"}),
        ("truegreen_retrieval_relevance_count", {**who, "data_source": "kb"}),
        ("truegreen_guardrail_decisions_total", {**who, "guardrail": "g", "stage": "output", "action": "block"}),
        ("truegreen_guardrail_decisions_total", {**who, "guardrail": "g", "stage": "output", "action": "allow"}),
        *((f"truegreen_llm_duration_seconds_{part}", {**who, "operation": "chat", "provider": "openai", "model": p.model}) for part in ("sum", "count")),
        *(("truegreen_llm_duration_seconds_bucket", {**who, "operation": "chat", "provider": "openai", "model": p.model, "le": le})
          for le in ("0.25", "0.5", "1.0", "2.0", "+Inf")),
        *(("truegreen_evaluated_answers_total", {**graded, "result": result}) for result in ("pass", "fail")),
        *(("truegreen_evaluations_total", {**sliced, "result": result, "reason": ""}) for result in ("pass", "fail")),
    ]  # fmt: skip
    return [(name, labels) for name, labels in every if not name.startswith(p.without or ("-",))]


def _counted(who: Mapping[str, str], p: Phase, rng: random.Random) -> list[tuple[str, dict[str, str]]]:
    result = "fail" if rng.random() < p.bad else "pass"
    action = "block" if rng.random() < p.block else "allow"
    return [
        (name, labels) for name, labels in _series(who, p)
        if labels.get("result", result) == result and labels.get("action", action) == action and float(labels.get("le", "inf")) >= p.seconds
    ]  # fmt: skip


FOREVER = END + 1
OLD = {"served": "support-large-0613", "prompt": "support@4"}


def judged(book: Book, service: str, since: float, until: float, bad: int, events: int, records: Mapping[str, float]) -> None:
    """Exactly `bad` of `events` answers from `since` to `until`, none else, and what the recording rules say of the SLO `grounding`."""
    who = {"service": service, "environment": "production"}
    for i in range(LENGTH // STEP):
        time = END - LENGTH + (i + 1) * STEP
        share = min(max(time - since, 0.0) / (until - since), 1.0)
        for result, count in (("fail", bad), ("pass", events - bad)):
            labels = {**who, "evaluation": "groundedness", "evaluator": "overlap", "result": result}
            book.put("truegreen_evaluated_answers_total", "counter", labels, round(share * count), time)
        for name, value in records.items():
            book.put(name, "gauge", {**who, "slo": "grounding"}, value, time)


def sunk(book: Book, service: str, seed: int = 21) -> None:
    """Scores that fall at the onset and stay above the floor: no answer fails because of it."""
    rng, counted = random.Random(seed), dict.fromkeys(("0.2", "0.6", "0.9", "1.0", "+Inf"), 0)
    who = {
        "service": service,
        "environment": "production",
        "evaluation": "groundedness",
        "evaluator": "overlap",
        "scale": "relative",
    }
    for i in range(LENGTH // STEP):
        time = END - LENGTH + (i + 1) * STEP
        for _ in range(3):
            score = rng.uniform(0.3, 1.0) if rng.random() < (0.7 if time > ONSET else 0.1) else rng.uniform(0.9, 1.0)
            for le in counted:
                counted[le] += score <= float(le)
        for le, value in counted.items():
            book.put("truegreen_evaluation_score_bucket", "histogram", {**who, "le": le}, value, time)


def world() -> str:
    """Every service that the tests ask about."""
    book = Book()
    healthy = Phase(ONSET, 0.03, **OLD)
    fill(book, "them", [healthy, Phase(FOREVER, 0.5, "support-large-1106", "support@4", "fp_2", relevance=0.81)], seed=1)
    fill(book, "mirror", [healthy, Phase(FOREVER, 0.5, "support-large-1106", "support@4", "fp_2", "bbbbbbbbbbbb")], seed=2)
    fill(book, "us-prompt", [healthy, Phase(FOREVER, 0.45, "support-large-0613", "support@5", "fp_1", "cccccccccccc")], seed=3)
    fill(book, "both", [healthy, Phase(FOREVER, 0.45, "support-large-1106", "support@5", "fp_2", "dddddddddddd")], seed=4)
    fill(book, "sinking", [Phase(FOREVER, 0.03, **OLD)], seed=17)
    sunk(book, "sinking")
    fill(book, "neither", [healthy, Phase(FOREVER, 0.45, **OLD)], seed=5)
    fill(book, "healthy", [Phase(FOREVER, 0.03, **OLD)], seed=6)
    early = Phase(ONSET - 3_000, 0.03, **OLD)
    fill(book, "alibi", [early, Phase(ONSET, 0.03, "support-large-1106", "support@4", "fp_2"),
                         Phase(FOREVER, 0.5, "support-large-1106", "support@4", "fp_2")], seed=8)  # fmt: skip
    fill(
        book,
        "us-model",
        [healthy, Phase(FOREVER, 0.45, "support-small-0101", "support@4", "fp_9", "eeeeeeeeeeee", model="support-small")],
        seed=9,
    )
    fill(book, "fingerprint", [healthy, Phase(FOREVER, 0.45, "support-large-0613", "support@4", "fp_2")], seed=10)
    fill(
        book,
        "index",
        [healthy, Phase(FOREVER, 0.45, "support-large-0613", "support@4", "fp_1", "ffffffffffff", 0.55, index="kb@8")],
        seed=11,
    )
    fixed = [
        healthy,
        Phase(END - 937, 0.5, "support-large-1106", "support@4", "fp_2"),
        Phase(FOREVER, 0.0, "support-large-0613", "support@4", "fp_1"),
    ]
    fill(book, "fixed", fixed, seed=12)
    neither = ("truegreen_guardrail", "truegreen_retrieval")
    last = fixed[-1]
    fill(book, "plain", [replace(p, without=neither) for p in fixed], seed=13)
    fill(book, "muted", [*fixed[:-1], replace(last, without=neither)], seed=14)
    fill(book, "dead", [*(replace(p, without=neither) for p in fixed[:-1]), replace(last, without=("truegreen_",))], seed=15)
    fill(book, "newborn", [*(replace(p, without=("truegreen_",)) for p in fixed[:-1]), replace(last, without=neither)], seed=16)
    frozen = {
        "truegreen:slo_baseline:bad_ratio": 0.03,
        "truegreen:slo_error_budget:ratio": 0.05,
        "truegreen:slo_baseline:events": 600,
    }
    judged(book, "sampled", END - 900, END - 60, 29, 699, frozen)
    return book.text()
