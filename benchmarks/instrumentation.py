"""What truegreen costs an application: `python benchmarks/instrumentation.py [--rounds 11] [--calls 200] [--only calls spans sampled stages flood] [--json]`.

Every figure is CPU time of the calling thread (`time.thread_time`), so other work on the machine matters little, and every difference is between
neighbours of one round: rounds are interleaved, and the median of the rounds is shown with the quartiles; what truegreen adds to a call is the median of pairs of calls, with it and without it in turn. The SDK is the real OpenAI SDK on a
transport that answers in this process; spans go to nowhere through a BatchSpanProcessor. "spans"
beside the microseconds is the same as a multiple of one bare span with 20 attributes in the same round: it does not depend on the machine. `calls` compares the call without an instrumentor, with
one, and with truegreen added, for each instrumentor that is installed (`nox -s benchmark_instrumentation` installs three). `spans` does so for
bare spans, also for those that are no GenAI spans. `sampled` is the inline evaluator's own time. `stages` says where the time goes. `flood` is
10,000 spans a second, every tenth a sampled answer, with a background evaluator that never comes back.

Much of the work on a call that is not sampled waits until somebody looks at its span, which is the exporter in its own thread: that is a row of `spans`.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import instrumentation_flood
import instrumentation_load as load
import instrumentation_stages
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from truegreen.instrumentation.settings import Settings

CALL_SECONDS = 0.5
"""How long a model takes to answer: the evaluator's share is of this."""
FINER = 5
"""A call of the SDK takes a millisecond and more, and the machine changes its pace within a round of 200: shorter rounds, and more of them, are
closer neighbours."""
WARM, BETWEEN = 100, 30
"""Calls before the first that counts; calls between two exports, for which a queue of 2,048 has room."""
Case = tuple[AbstractContextManager[Any], Callable[[], None]]


def rounds(
    cases: Mapping[str, Callable[[], Case]], count: int, calls: int, providers: Iterable[TracerProvider] = ()
) -> Mapping[str, list[float]]:
    """Microseconds of a call in each round; the first round is thrown away, and the order turns.

    Args:
        providers: what they have is exported between the rounds: a thread that does nothing but compute may leave an exporter's hardly a turn.
    """
    found: dict[str, list[float]] = {name: [] for name in cases}
    names = list(cases)
    for at in range(count + 1):
        turned = names[at % len(names) :] + names[: at % len(names)]
        for name in turned:
            around, once = cases[name]()
            with around:
                for _ in range(10):
                    once()
                gc.collect()
                gc.disable()
                began = time.thread_time()
                for _ in range(calls):
                    once()
                took = time.thread_time() - began
                gc.enable()
            for provider in providers:
                provider.force_flush()
            if at:
                found[name].append(took / calls * 1e6)
    return found


def added(found: Mapping[str, list[float]], name: str, to: str, unit: str) -> dict[str, float]:
    """What a case costs more than another one, round by round; also as a multiple of the `unit` case."""
    differences = [one - other for one, other in zip(found[name], found[to], strict=True)]
    low, middle, high = statistics.quantiles(differences, n=4)
    multiple = statistics.median(one / other for one, other in zip(differences, found[unit], strict=True))
    return {"us": middle, "quartile1": low, "quartile3": high, "of_us": statistics.median(found[to]), "spans": multiple}


def calls(count: int, number: int) -> dict[str, Any]:
    """The real SDK, not sampled: added to the call and to a request that says everything."""
    ask = load.call(load.client())
    return {library: _calls(library, ask, count, number) for library in load.available()}


def _calls(library: str, ask: Callable[[], None], count: int, number: int) -> dict[str, Any]:
    without, _ = load.batched()
    with_, _ = load.batched()
    span = load.span(without.get_tracer("app"), load.SPAN)
    cases: dict[str, Callable[[], Case]] = {"bare": lambda: (nullcontext(), ask), "span": lambda: (nullcontext(), span)}
    if library not in load.STAYS:
        cases["instrumentor"] = lambda: (load.instrumented(library, without, hook=False), ask)
    if library == load.HOOKED:
        cases["hooked"] = lambda: (load.instrumented(library, without, hook=True), ask)
    found = rounds(cases, count * FINER, number // FINER, (without,))
    with load.truegreen(with_, Settings(rate=0.0)), load.kept(library, with_):
        full, plain = load.request(ask, with_.get_tracer("app")), load.plain(ask, with_.get_tracer("app"))
        pairs = {
            name: turns({"off": off, "on": on, "span": span}, count * number, with_)
            for name, off, on in (("call", ask, ask), ("request", plain, plain), ("full", plain, full))
        }
    for made in (without, with_):
        made.shutdown()
    if "instrumentor" not in found:
        found["instrumentor"] = [statistics.median(pairs["call"]["off"])] * len(found["bare"])
    hook = "the instrumentor builds messages, for there is a completion hook"
    return {
        "the instrumentor, on a bare call": added(found, "instrumentor", "bare", "span"),
        **({hook: added(found, "hooked", "instrumentor", "span")} if "hooked" in found else {}),
        "truegreen, on the instrumented call": added(pairs["call"], "on", "off", "span"),
        "truegreen, on an instrumented call within a request": added(pairs["request"], "on", "off", "span"),
        "session, cohort, snapshot and retrieval, on a request": added(pairs["full"], "on", "off", "span"),
    }


def turns(cases: Mapping[str, Callable[[], None]], count: int, provider: TracerProvider) -> Mapping[str, list[float]]:
    """Microseconds of each call, truegreen switched on for `on` alone: the cases take turns call by call, so that they meet the same machine."""
    found: dict[str, list[float]] = {name: [] for name in cases}
    gc.collect()
    gc.disable()
    for at in range(-WARM, count):
        if at % BETWEEN == 0:
            provider.force_flush()
        for name, once in cases.items():
            with load.switched(on=name == "on"):
                began = time.thread_time_ns()
                once()
                took = time.thread_time_ns() - began
            if at >= 0:
                found[name].append(took / 1e3)
    gc.enable()
    return found


def spans(count: int, number: int) -> dict[str, Any]:
    """Bare spans: one that is no GenAI span, and one of a model's call."""
    without, _ = load.batched()
    with_, _ = load.batched()
    made = {
        f"{name} {side}": load.span(to.get_tracer(scope), attributes)
        for name, scope, attributes in (
            ("no GenAI span", "opentelemetry.instrumentation.httpx", load.HTTP),
            ("a model's call", "opentelemetry.instrumentation.genai.openai", load.SPAN),
        )
        for side, to in (("without", without), ("with", with_))
    }
    unseen, kept = load.provider(SimpleSpanProcessor, load.Unseen())
    with load.truegreen(with_, Settings(rate=0.0)):
        found = rounds({name: partial(_bare, once) for name, once in made.items()}, count, number * 2, (without, with_))
    with load.truegreen(unseen, Settings(rate=0.0)):
        once = load.span(unseen.get_tracer("opentelemetry.instrumentation.genai.openai"), load.SPAN)
        looks = {
            "first look": lambda: (kept.filled(once, 10 + number * 2), kept.look),
            "second look": lambda: (kept.again(), kept.look),
        }
        found |= rounds(looks, count, number * 2)
    for each in (without, with_, unseen):
        each.shutdown()
    names = ("no GenAI span", "a model's call")
    return {
        **{name: added(found, f"{name} with", f"{name} without", "a model's call without") for name in names},
        "a model's call, later: the first look of the exporter": added(
            found, "first look", "second look", "a model's call without"
        ),
    }


def _bare(once: Callable[[], None]) -> Case:
    return nullcontext(), once


def sampled(count: int, number: int) -> dict[str, Any]:
    """The inline evaluator's own time in the thread of a call, every answer sampled."""
    from truegreen.instrumentation.evaluate import Evaluators

    original, times = Evaluators.judge, []

    def timed(*args: Any) -> Any:
        began = time.thread_time()
        result = original(*args)
        times.append(time.thread_time() - began)
        return result

    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        to, _ = load.batched()
        stack.callback(to.shutdown)
        stack.enter_context(load.truegreen(to, Settings(rate=1.0, calibration=load.calibrated(Path(folder)))))
        ask = load.call(load.client())
        stack.enter_context(load.instrumented(load.available()[0], to, hook=True))
        served = load.request(ask, to.get_tracer("app"))
        served()
        Evaluators.judge = timed  # type: ignore[method-assign]
        stack.callback(setattr, Evaluators, "judge", original)
        for _ in range(count * number):
            served()
    times.sort()
    median, late = statistics.median(times) * 1e3, times[int(len(times) * 0.99)] * 1e3
    return {"answers": len(times), "median_ms": median, "p99_ms": late, "share_of_a_call": median / 1e3 / CALL_SECONDS}


def _rows(title: str, rows: Mapping[str, Mapping[str, float]]) -> None:
    print(f"\n{title}: CPU of the calling thread, not sampled\n  {'added':55} {'us':>7} {'spans':>6}")
    for name, row in rows.items():
        spread = f"{row['quartile1']:.0f} to {row['quartile3']:.0f}; on {row['of_us']:,.0f}"
        print(f"  {name:55} {row['us']:7.1f} {row['spans']:6.1f}  ({spread})")


def shown(figures: Mapping[str, Any]) -> None:
    """Print them as tables."""
    for library, rows in figures.get("calls", {}).items():
        _rows(f"one call of the OpenAI SDK under {library}", rows)
    if "spans" in figures:
        _rows("bare spans", figures["spans"])
    if "sampled" in figures:
        row = figures["sampled"]
        print(
            f"\nthe inline evaluator on {row['answers']:,} answers of 80 words with 300 words of passages, ms in the calling thread"
        )
        print(
            f"  median {row['median_ms']:.3f}, p99 {row['p99_ms']:.3f}: {row['share_of_a_call']:.2%} of a call of {CALL_SECONDS * 1e3:.0f} ms"
        )
    if "stages" in figures:
        print("\nwhere the time of one call goes, us (a stage without those inside it; the clock itself adds to each)")
        for name, us in figures["stages"].items():
            print(f"  {name:55} {us:7.1f}")
    for name, value in figures.get("flood", {}).items():
        print(f"  flood: {name:48} {value:>12,}" if isinstance(value, int) else f"  flood: {name:48} {value:>12,.1f}")


PARTS: Mapping[str, Callable[[int, int], Mapping[str, Any]]] = {
    "calls": calls, "spans": spans, "sampled": sampled, "stages": instrumentation_stages.run, "flood": instrumentation_flood.run,
}  # fmt: skip

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--calls", type=int, default=200, help="in each round")
    parser.add_argument("--only", nargs="*", choices=PARTS, default=list(PARTS))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    logging.getLogger("truegreen").setLevel(logging.ERROR)
    measured = {name: PARTS[name](options.rounds, options.calls) for name in options.only}
    print(json.dumps(measured)) if options.json else shown(measured)
