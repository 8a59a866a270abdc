"""What the loop and tool-error signals find of failed agent runs, at what false rate: recorded runs replayed as spans through the instrumentation."""

from __future__ import annotations

import json
import logging
import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import labelled
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from truegreen.core.words import attributes as names

DRAWS: Final = 2_000
_ERROR: Final = ("Error", "error:")
"""How the environments of tau-bench begin a result that is an error."""


def run(data: Path, seed: int) -> dict[str, Any]:
    """The table of the benchmark."""
    runs = labelled.read(data, "tau_traces_dev.jsonl.gz")
    found = _replayed(runs)
    failed = [not row["reward"] for row in runs]
    repeats = [one[names.AGENT_REPEATS] for one in found]
    errors = [one["errors"] for one in found]
    steps = [one[names.AGENT_STEPS] for one in found]
    signals: Mapping[str, Sequence[bool]] = {
        "the run is a loop (truegreen.agent.loop)": [one[names.AGENT_LOOP] for one in found],
        "the same call three times (truegreen.agent.repeats > 2)": [n > 2 for n in repeats],
        "the same call twice (truegreen.agent.repeats > 1)": [n > 1 for n in repeats],
        "no tool was called (truegreen.agent.repeats = 0)": [n == 0 for n in repeats],
        "a tool call ended in an error": [n > 0 for n in errors],
        "two tool calls or more ended in errors": [n > 1 for n in errors],
        "the same call three times, no call, or two errors": [
            r > 2 or r == 0 or n > 1 for r, n in zip(repeats, errors, strict=True)
        ],
    }
    rows = [_row(name, fires, failed) for name, fires in signals.items()]
    rows += [
        _ranked(name, values, failed, seed)
        for name, values in (("steps", steps), ("errors of a run", errors), ("repeats of a run", repeats))
    ]
    kinds = Counter(str(row["task"]) for row in runs)
    return {
        "title": "Failed agent runs by loops and tool errors", "rows": rows, "bars": [],
        "note": f"{len(runs)} runs of tau-bench ({', '.join(f'{n} {kind}' for kind, n in sorted(kinds.items()))}), {sum(failed)} failed (reward 0). Each run is replayed as spans "
                "through the instrumentation; whether a tool call is an error is read from its result as the environment writes it. No bar: what is missed is what an agent does "
                "wrongly without repeating itself or failing a call, and only a task's own check sees that.",
    }  # fmt: skip


def _replayed(runs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    from truegreen.instrumentation import TruegreenInstrumentor, settings

    exporter, provider, instrumentor = InMemorySpanExporter(), TracerProvider(), TruegreenInstrumentor()
    logging.getLogger("truegreen").setLevel(logging.WARNING)
    instrumentor.instrument(tracer_provider=provider, settings=settings.load({}))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    try:
        return [_seen(provider, exporter, row["steps"]) for row in runs]
    finally:
        instrumentor.uninstrument()


def _seen(provider: TracerProvider, exporter: InMemorySpanExporter, steps: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    exporter.clear()
    _one(provider, steps)
    every = [dict(span.attributes or {}) for span in exporter.get_finished_spans()]
    agent = next(one for one in every if one.get(names.OPERATION_NAME) == names.AGENT_OPERATION)
    errors = sum(one.get(names.TOOL_OUTCOME, "ok") != "ok" for one in every)
    return {**{name: agent.get(name, 0) for name in (names.AGENT_LOOP, names.AGENT_REPEATS, names.AGENT_STEPS)}, "errors": errors}


def _one(provider: TracerProvider, steps: Sequence[Mapping[str, Any]]) -> None:
    tracer = provider.get_tracer("opentelemetry.instrumentation.recorded")
    with tracer.start_as_current_span(
        "invoke_agent tau", attributes={names.OPERATION_NAME: names.AGENT_OPERATION, names.AGENT_NAME: "tau"}
    ):
        results = [step for step in steps if step["role"] == "tool"]
        at = 0
        for step in steps:
            if step["role"] != "assistant":
                continue
            with tracer.start_as_current_span(
                "chat", attributes={names.OPERATION_NAME: "chat", "gen_ai.request.model": "recorded"}
            ):
                pass
            for name, arguments in step["tool_calls"] or ():
                result = results[at]["content"] if at < len(results) else ""
                at += 1
                told = {
                    names.OPERATION_NAME: names.TOOL_OPERATION,
                    names.TOOL_NAME: name,
                    "gen_ai.tool.call.arguments": arguments,
                }
                if str(result).startswith(_ERROR):
                    told["gen_ai.tool.call.result"] = json.dumps({"isError": True})
                with tracer.start_as_current_span(f"execute_tool {name}", attributes=told):
                    pass


def _row(name: str, fires: Sequence[bool], failed: Sequence[bool]) -> dict[str, Any]:
    of_failed = [fired for fired, bad in zip(fires, failed, strict=True) if bad]
    of_passed = [fired for fired, bad in zip(fires, failed, strict=True) if not bad]
    return {"signal": name, "found of failed": f"{sum(of_failed)} of {len(of_failed)} ({_interval(sum(of_failed), len(of_failed))})",
            "false of passed": f"{sum(of_passed)} of {len(of_passed)} ({_interval(sum(of_passed), len(of_passed))})",
            "precision": sum(of_failed) / max(sum(fires), 1)}  # fmt: skip


def _interval(k: int, n: int, z: float = 1.96) -> str:
    """Wilson's."""
    p = k / n
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return f"{max((middle - half) / (1 + z * z / n), 0):.2f} to {(middle + half) / (1 + z * z / n):.2f}"


def _ranked(name: str, values: Sequence[float], failed: Sequence[bool], seed: int) -> dict[str, Any]:
    pairs = list(zip(values, failed, strict=True))
    rng = random.Random(f"{seed} {name}")
    drawn = sorted(_auroc(rng.choices(pairs, k=len(pairs))) for _ in range(DRAWS))
    return {
        "signal": f"{name}, as a rank",
        "AUROC": f"{_auroc(pairs):.3f} ({drawn[DRAWS // 40]:.3f} to {drawn[-DRAWS // 40]:.3f})",
    }


def _auroc(pairs: Sequence[tuple[float, bool]]) -> float:
    counts: dict[float, list[int]] = {}
    for value, bad in pairs:
        counts.setdefault(value, [0, 0])[bad] += 1
    below, won = 0, 0.0
    for value in sorted(counts):
        good, wrong = counts[value]
        won += wrong * (below + good / 2)
        below += good
    failed = sum(each[1] for each in counts.values())
    return won / (failed * below) if failed and below else 0.5
