"""What each detector finds that the default does not, and how often it is wrong: `python benchmarks/alerting_detectors.py [--replicates 100] [--only NAME…] [--page] [--json]`.

Simulated in steps of five minutes, as their rule group is evaluated, with a printed seed and the numbers of `detectors.py` as the rules have them. The default is
the whole ladder (any sev), and drift against a baseline frozen on 28 days of the healthy state. False tickets are counted where it is hardest: cusum at the budget
itself, forecast at 0.8 of it, the others at a healthy ratio. A detector that is wrong more than 0.2 times in 30 days somewhere is printed as noisy. `--page` writes
docs/alerting_detectors.md.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import numpy as np
from alerting_simulation import Counts, fires
from alerting_simulation import Pair as Windows
from alerting_simulation import Tier as Look
from numpy.typing import NDArray

from truegreen.alert_rules import detectors, drift
from truegreen.alert_rules.ladder import TIERS, threshold
from truegreen.alert_rules.recording import EVIDENCE
from truegreen.core.words.records import SECONDS

SEED: Final = 20_261_128
STEP: Final = 5
"""Minutes."""
DAY: Final = 1_440 // STEP
WARM: Final = 7 * DAY
HEALTHY_DAYS, DAYS = 30, 20
FALSE: Final = 0.2
APART: Final = 6 * 60 // STEP
"""Steps of silence after which a ticket is another one: it holds for six hours."""
PAGE: Final = Path(__file__).parent.parent / "docs" / "alerting_detectors.md"
HEAD: Final = """# What further detectors find, measured

Written by `python benchmarks/alerting_detectors.py --page --replicates {replicates}`; do not edit. `slos: [{{name: NAME, detectors: [...]}}]` switches them on; all of them write
tickets. Events are simulated, in steps of five minutes. "ladder" is the first ticket or page of the default ladder, "drift" the default ticket against a baseline that
was frozen on 28 healthy days. False tickets are counted where it is hardest: cusum at the budget itself, forecast at 0.8 of it, the others in health. What is not
in it: traffic whose own ratio swings with the hour or the weekday, and events that are correlated beyond the design effect that the rules know.
"""
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicates", type=int, default=100)
    parser.add_argument("--only", nargs="*", choices=tuple(SCENARIOS), default=tuple(SCENARIOS))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--page", action="store_true", help="Write docs/alerting_detectors.md instead of printing.")
    options = parser.parse_args()
    if options.page:
        with PAGE.open("w", encoding="utf-8") as page, redirect_stdout(page):
            print(HEAD.format(replicates=options.replicates), end="")
            measure(options)
    else:
        measure(options)


def measure(options: argparse.Namespace) -> None:
    """Simulate what is asked for and print it."""
    began = time.perf_counter()
    said = {name: list(SCENARIOS[name](options.replicates)) for name in options.only}
    if options.json:
        print(json.dumps({"seed": SEED, "replicates": options.replicates, "detectors": said}))
        return
    for name, rows in said.items():
        show(name, rows, options.replicates)
    if not options.page:
        print(f"\n{time.perf_counter() - began:.0f} s")


def show(name: str, rows: Sequence[Row], replicates: int) -> None:
    """One detector's table."""
    print(f"\n## {name}; {replicates} replicates, seed {SEED}\n")
    print("Median time from the change until the ticket (share of changes that were found); false tickets in 30 days.\n")
    print("| what changed | events/h | detector | ladder | drift | false |\n|---|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row['what']} | {row['per_hour']} | {_told(row['found'])} | {_told(row['ladder'])} | {_told(row['drift'])} | {row['false']:.2f} |"
        )
    worst = max(row["false"] for row in rows)
    print(f"\nWorst: {worst:.2f} false tickets in 30 days{': noisy' if worst > FALSE else ''}.")


def _told(found: Row | None) -> str:
    if found is None:
        return "does not look"
    if found["median"] is None:
        return f"never ({found['share']:.2f})" if found["share"] else "never"
    hours = found["median"]
    return f"{f'{hours * 60:.0f} min' if hours < 3 else f'{hours:.1f} h' if hours < 72 else f'{hours / 24:.1f} d'} ({found['share']:.2f})"


def first(flags: Flags, start: int, wait: int = 0) -> Floats:
    """Hours from `start` until a condition has held for `wait` steps, by replicate; infinite where it never does."""
    held = _held(flags, wait)[:, start:]
    any_ = held.any(axis=1)
    return np.where(any_, held.argmax(axis=1) * STEP / 60, np.inf)


def _held(flags: Flags, wait: int) -> Flags:
    if not wait:
        return flags
    counts = np.cumsum(np.pad(flags, ((0, 0), (1, 0))).astype(np.int32), axis=1)
    held = np.zeros_like(flags)
    held[:, wait:] = counts[:, wait + 1 :] - counts[:, : -wait - 1] == wait + 1
    return held


def summary(hours: Floats) -> Row:
    """The median, and the share that was found at all."""
    median = float(np.sort(hours)[math.ceil(len(hours) / 2) - 1])
    return {"median": median if math.isfinite(median) else None, "share": float(np.isfinite(hours).mean())}


def episodes(flags: Flags, wait: int = 0) -> float:
    """Tickets in the healthy days, a replicate."""
    held = _held(flags, wait)[:, WARM:]
    rows, steps = np.nonzero(held)
    if not len(rows):
        return 0.0
    return (1 + int(np.count_nonzero((np.diff(rows) != 0) | (np.diff(steps) >= APART)))) / len(flags)


def cumulative(counts: NDArray[Any]) -> Counts:
    """From 0."""
    made = np.zeros((counts.shape[0], counts.shape[1] + 1), dtype=np.int32)
    np.cumsum(counts, axis=1, out=made[:, 1:])
    return made


def over(counts: NDArray[Any], steps: int) -> NDArray[Any]:
    """Sums of the last `steps`, as many as there are at the beginning."""
    made = counts[:, 1:].copy()
    made[:, steps:] -= counts[:, 1:-steps]
    return made


def stream(
    rng: np.random.Generator, per_hour: float, bad: Floats, replicates: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Events and bad events of each step."""
    rate = per_hour * STEP / 60
    wrong = rng.poisson(rate * bad, (replicates, len(bad)))
    return wrong + rng.poisson(rate * (1 - bad), (replicates, len(bad))), wrong


def ladder(events: NDArray[np.int64], bad: NDArray[np.int64], budget: float, start: int) -> Row:
    """Hours until any tier of the default ladder fires."""
    every, wrong, limits = cumulative(events), cumulative(bad), dict[float, Floats]()
    hours = np.full(len(events), np.inf)
    for tier in TIERS:
        pairs = tuple(
            Windows(
                SECONDS[r.long] // 60 // STEP,
                SECONDS[r.short] // 60 // STEP,
                float(threshold(r, Decimal(str(budget)))),
                float(EVIDENCE[r.long]),
            )
            for r in tier.rungs
        )
        rows, steps = fires(every, wrong, Look(tier.name, pairs), budget, limits)
        late = steps > start
        who, at = np.unique(rows[late], return_index=True)
        hours[who] = np.minimum(hours[who], (steps[late][at] - start) * STEP / 60)
    return summary(hours)


def drifted(
    rng: np.random.Generator, per_hour: float, events: NDArray[np.int64], bad: NDArray[np.int64], healthy: float, start: int
) -> Row:
    """Hours until drift against a baseline of 28 healthy days, as its rule has it."""
    base_n = per_hour * 24 * 28
    base = rng.poisson(base_n * healthy, (len(events), 1)) / base_n
    n, x = over(cumulative(events), 3 * DAY), over(cumulative(bad), 3 * DAY)
    ratio = x / np.maximum(n, 1)
    pooled = (x + base * base_n) / (n + base_n)
    z = (ratio - base) / np.sqrt(np.maximum(pooled * (1 - pooled) * (1 / np.maximum(n, 1) + 1 / base_n), 1e-12))
    return summary(first((z > drift.Z) & (ratio > float(drift.GROWTH) * base), start, 6 * 60 // STEP))


def steps(healthy: float, changed: float | Floats, days: int = DAYS) -> tuple[Floats, int]:
    """The bad ratio of each step: a week of health, then the change."""
    after = np.broadcast_to(np.asarray(changed, dtype=np.float64), (days * DAY,))
    return np.concatenate([np.full(WARM, healthy), after]), WARM


def evidence(events: NDArray[np.int64], bad: NDArray[np.int64], budget: float) -> Floats:
    """The log likelihood ratio of `detectors._cusum`, step by step."""
    worse = min(detectors.CUSUM_BURN * budget, 0.9)
    gain = bad * math.log(worse / budget) + (events - bad) * math.log((1 - worse) / (1 - budget))
    value, made = np.zeros(len(events)), np.empty(events.shape)
    for at in range(events.shape[1]):
        value = np.clip(value + gain[:, at], 0, detectors.CUSUM_MOST)
        made[:, at] = value
    return made


def cusum(replicates: int) -> Iterator[Row]:
    """Steps to 2, 3 and 5 budgets."""
    for objective, budget in (("95 %", 0.05), ("99 %", 0.01)):
        for per_hour in (20, 100, 500):
            rng = np.random.default_rng((SEED, 1, int(budget * 1_000), per_hour))
            calm = stream(rng, per_hour, np.full(WARM + HEALTHY_DAYS * DAY, budget), replicates)
            false = episodes(evidence(*calm, budget) > detectors.CUSUM_OVER)
            for burn in (2, 3, 5):
                p, start = steps(budget / 2, burn * budget, 8)
                events, bad = stream(rng, per_hour, p, replicates)
                yield {
                    "what": f"{objective}, a step to {burn}x", "per_hour": per_hour, "false": false,
                    "found": summary(first(evidence(events, bad, budget) > detectors.CUSUM_OVER, start)),
                    "ladder": ladder(events, bad, budget, start), "drift": drifted(rng, per_hour, events, bad, budget / 2, start),
                }  # fmt: skip


def forecasts(events: NDArray[np.int64], bad: NDArray[np.int64], budget: float) -> Flags:
    """`detectors._forecast`, each step: a line through hourly looks at the daily ratio of a week."""
    n, x = over(cumulative(events), DAY), over(cumulative(bad), DAY)
    ratio = x / np.maximum(n, 1)
    hour, points = 60 // STEP, 168
    offsets = np.arange(-points + 1, 1)
    weight = (offsets - offsets.mean()) / ((offsets - offsets.mean()) ** 2).sum()
    line = weight * (detectors.FORECAST_DAYS * 24 - offsets.mean()) + 1 / points
    made = np.zeros(ratio.shape, dtype=bool)
    for at in range(points * hour, ratio.shape[1], hour):
        looked = ratio[:, at - (points - 1) * hour : at + 1 : hour]
        spread = detectors.FORECAST_SPREAD * np.sqrt(budget / np.maximum(n[:, at], 1))
        enough = n[:, at] * budget > detectors.FORECAST_EXPECTED
        made[:, at : at + hour] = ((looked @ line - spread > budget) & enough)[:, None]
    return made


def forecast(replicates: int) -> Iterator[Row]:
    """Half the budget for a week, then from there to two budgets in 28 days."""
    for objective, budget in (("95 %", 0.05), ("99 %", 0.01)):
        for per_hour in (100, 500, 2_000):
            rng = np.random.default_rng((SEED, 2, int(budget * 1_000), per_hour))
            calm = stream(rng, per_hour, np.full(WARM + HEALTHY_DAYS * DAY, 0.8 * budget), replicates)
            p, start = steps(budget / 2, np.linspace(0.5 * budget, 2 * budget, 28 * DAY), 28)
            events, bad = stream(rng, per_hour, p, replicates)
            yield {
                "what": f"{objective}, from 0.5x to 2x in 28 days", "per_hour": per_hour, "false": episodes(forecasts(*calm, budget), DAY),
                "found": summary(first(forecasts(events, bad, budget), start, DAY)), "ladder": ladder(events, bad, budget, start),
                "drift": drifted(rng, per_hour, events, bad, budget / 2, start),
            }  # fmt: skip


BASELINE = 500
BAD, BUDGET = 0.05, 0.0625
"""Healthy bad ratio of a relative floor at the fifth percentile, and the budget of the objective `baseline`."""


def mean_score(replicates: int) -> Iterator[Row]:
    """Raw scores are normal; ranks within the baseline are what is counted."""
    for says, mean, spread, bad in (
        ("all answers 0.3 standard deviations worse", 0.416, 0.079, 0.0894),
        ("answers that pass lose a tenth of their rank, none more fails", 0.4525, 0.072, BAD),
        ("answers that pass lose a fifth of their rank, none more fails", 0.405, 0.062, BAD),
    ):
        for per_hour in (5, 20, 100):
            rng = np.random.default_rng((SEED, 3, int(mean * 1_000), per_hour))
            p, start = steps(BAD, bad)
            events, wrong = stream(rng, per_hour, p, replicates)
            centre = 0.5 + rng.normal(0, math.sqrt(1 / 12 / BASELINE), (replicates, 1))
            shift = np.where(np.arange(len(p)) >= start, mean - 0.5, 0.0)
            calm, _ = stream(rng, per_hour, np.full(WARM + HEALTHY_DAYS * DAY, BAD), replicates)
            yield {
                "what": says, "per_hour": per_hour,
                "false": episodes(_fell(rng, calm, centre, np.full(calm.shape[1], 1 / 12)), 60 // STEP),
                "found": summary(first(_fell(rng, events, centre + shift, np.where(shift, spread, 1 / 12)), start, 60 // STEP)),
                "ladder": ladder(events, wrong, BUDGET, start), "drift": drifted(rng, per_hour, events, wrong, BAD, start),
            }  # fmt: skip


def _fell(rng: np.random.Generator, events: NDArray[np.int64], mean: Floats, variance: Floats) -> Flags:
    total = rng.normal(events * mean, np.sqrt(events * variance))
    n = over(cumulative(events), DAY)
    summed = np.concatenate([np.zeros((len(events), 1)), np.cumsum(total, axis=1)], axis=1)
    found = over(summed, DAY) / np.maximum(n, 1)
    error = np.sqrt(variance.max() * (1 / np.maximum(n, 1) + 1 / BASELINE))
    made: Flags = (
        (n >= detectors.FELL_EVENTS) & (found + detectors.FELL_Z * error < 0.5) & (found < 0.5 - float(detectors.FELL_BY))
    )
    return made


def mix(replicates: int) -> Iterator[Row]:
    """Requests over models that were all seen the day before."""
    for says, before, after in (
        ("two known models, from 80:20 to 40:60", (0.8, 0.2), (0.4, 0.6)),
        ("four known models, from 25 each to 70:10:10:10", (0.25,) * 4, (0.7, 0.1, 0.1, 0.1)),
    ):
        for per_hour in (100, 200, 1_000):
            rng = np.random.default_rng((SEED, 4, len(before), per_hour))
            calm = _distance(rng, per_hour, np.tile(before, (WARM + HEALTHY_DAYS * DAY, 1)), replicates)
            shares = np.concatenate([np.tile(before, (WARM, 1)), np.tile(after, (2 * DAY, 1))])
            found = _distance(rng, per_hour, shares, replicates)
            yield {
                "what": says,
                "per_hour": per_hour,
                "false": episodes(calm, 2),
                "found": summary(first(found, WARM, 2)),
                "ladder": None,
                "drift": None,
            }


def _distance(rng: np.random.Generator, per_hour: float, shares: Floats, replicates: int) -> Flags:
    hour, rate = 60 // STEP, per_hour * STEP / 60
    parts = [over(cumulative(rng.poisson(rate * each, (replicates, len(each)))), hour) for each in shares.T]
    total = np.sum(parts, axis=0)
    made = np.zeros(total.shape)
    for part in parts:
        share = part / np.maximum(total, 1)
        made[:, DAY:] += np.abs(share[:, DAY:] - share[:, :-DAY]) / 2
    enough = total >= detectors.MIX_EVENTS
    enough[:, DAY:] &= enough[:, :-DAY]
    enough[:, :DAY] = False
    flags: Flags = enough & (made > float(detectors.MIX_OVER))
    return flags


COHORTS = 20


def heterogeneity(replicates: int) -> Iterator[Row]:
    """Twenty cohorts of the same size, 4 % bad, budget 5 %: some get worse, and none reaches twice the budget."""
    for says, worse, ratio in (
        ("4 of 20 cohorts from 4 % to 8 % bad", 4, 0.08),
        ("1 of 20 cohorts from 4 % to 9.5 % bad", 1, 0.095),
        ("10 of 20 cohorts from 4 % to 6 %, the others to 3 %", 10, 0.06),
    ):
        for per_hour in (100, 500, 2_000):
            rng = np.random.default_rng((SEED, 5, worse, per_hour))
            few = max(10, replicates // 4)
            calm, _, _ = _cohorts(rng, per_hour, np.full((COHORTS, WARM + HEALTHY_DAYS * DAY), 0.04), few)
            p = np.full((COHORTS, WARM + 10 * DAY), 0.04)
            p[:worse, WARM:] = ratio
            p[worse:, WARM:] = 0.03 if worse == COHORTS // 2 else 0.04
            found, events, bad = _cohorts(rng, per_hour, p, few)
            yield {
                "what": says, "per_hour": per_hour, "false": episodes(calm, 60 // STEP), "found": summary(first(found, WARM, 60 // STEP)),
                "ladder": ladder(events, bad, 0.05, WARM), "drift": drifted(rng, per_hour, events, bad, 0.04, WARM),
            }  # fmt: skip


def _cohorts(
    rng: np.random.Generator, per_hour: float, p: Floats, replicates: int
) -> tuple[Flags, NDArray[np.int64], NDArray[np.int64]]:
    events = bad = np.zeros((replicates, p.shape[1]), dtype=np.int64)
    ns, xs = [], []
    for ratio in p:
        n, x = stream(rng, per_hour / len(p), ratio, replicates)
        events, bad = events + n, bad + x
        ns.append(over(cumulative(n), DAY).astype(np.float32))
        xs.append(over(cumulative(x), DAY).astype(np.float32))
    pooled = np.maximum(sum(xs) / np.maximum(sum(ns), 1), 1e-9)
    chi, looked = np.zeros(events.shape), np.zeros(events.shape)
    for n, x in zip(ns, xs, strict=True):
        expected = n * pooled
        enough = expected >= detectors.LEAST_EXPECTED
        chi += np.where(enough, (x - expected) ** 2 / np.maximum(expected, 1e-9), 0)
        looked += enough
    more = np.maximum(looked - 1, 1)
    spread = 2 / (9 * more)
    z = ((chi / (1 - pooled) / more) ** (1 / 3) - (1 - spread)) / np.sqrt(spread)
    return (looked > 1) & (z > detectors.DIFFER_Z), events, bad


SCENARIOS: Final[Mapping[str, Callable[[int], Iterator[Row]]]] = {
    "mean_score": mean_score, "mix": mix, "heterogeneity": heterogeneity, "cusum": cusum, "forecast": forecast,
}  # fmt: skip


if __name__ == "__main__":
    main()
