"""How often alerts cry wolf, and how soon they page: `python benchmarks/alerting.py [--replicates 200] [--only false delay table speed] [--keep FILE] [--page] [--json]`.

Simulated minute by minute (`alerting_simulation.py`), with printed seeds: the ladder of `alert_rules` as it is imported, the textbook pairs (14.4 budgets over
1 h and 5 min, 6 over 6 h and 30 min; tickets 1 over 3 d and 6 h), and the pairs that the real Sloth writes (`alerting_sloth.py`), on the same events.
`false`: what fires in 30 days while the true bad ratio is half of the budget, or the budget itself. `delay`: minutes from a step to a multiple of the budget
until somebody is paged. `table`: writes `alert_rules/truegreen/alert_rules/feasibility_table.py` from the same simulation. `speed`: seconds to generate the
rules of 200 SLOs.

Sessions: turns of a session are all good or all bad, and the ladder is given the design effect that `baseline take` would measure; "no effect" is what happens
when it is not told. Nothing here is tuned: a bar that is missed is printed as missed.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import alerting_sloth
from alerting_kept import Kept
from alerting_simulation import Cell, Pair, Tier, Traffic, delays, false_pages, summary

from truegreen.alert_rules.ladder import TIERS, threshold
from truegreen.alert_rules.recording import EVIDENCE
from truegreen.core.words.records import SECONDS

SEED = 20_261_127
OBJECTIVES = ("90", "95", "99", "99.5", "99.9")
PER_HOUR = (5, 20, 60, 100, 500)
FACTORS = (2, 5, 10, 20)
FALSE_PAGES, MEDIAN_MINUTES, LAW = 0.2, 45, 1.5
"""The bars: pages in 30 days, the median delay of a tenfold burn where events an hour (over the design effect) times the budget are `LAW` or more."""
TRAFFIC = (
    Traffic("independent"), Traffic("sessions of 3", turns=3), Traffic("sessions of 5", turns=5), Traffic("diurnal 10:1", swing=10),
)  # fmt: skip
BLIND = "sessions of 3, no effect"
FEW, AGAIN = 10, 5
"""A tenth of the replicates is enough for what fires often; five times as many for a cell over half of the bar."""
HORIZONS = (6, 24)
"""Hours after the step that are looked at: the second where a tenth has not fired within the first."""


def truegreen(budget: Decimal, effect: float) -> tuple[Tier, ...]:
    """The ladder, as the rules have it."""
    return tuple(
        Tier(
            tier.name,
            tuple(
                Pair(
                    SECONDS[rung.long] // 60, SECONDS[rung.short] // 60, float(threshold(rung, budget)),
                    EVIDENCE[rung.long] * math.sqrt(effect),
                )
                for rung in tier.rungs
            ),
            5 if tier.name == "ticket" else 1,
        )
        for tier in TIERS
    )  # fmt: skip


def textbook(budget: Decimal) -> tuple[Tier, ...]:
    """The pairs of the SRE workbook for 30 days."""
    page = tuple(Pair(long, short, float(Decimal(f) * budget)) for long, short, f in ((60, 5, "14.4"), (360, 30, "6")))
    return Tier("fast", page), Tier("ticket", (Pair(4_320, 360, float(budget)),), 5)


def sloth(found: Mapping[str, Sequence[alerting_sloth.Window]], budget: Decimal) -> tuple[Tier, ...]:
    """The pairs of the rules that Sloth wrote."""
    return tuple(
        Tier(name, tuple(Pair(w.long, w.short, float(w.factor * budget)) for w in found[severity]), step)
        for name, severity, step in (("fast", "page", 1), ("ticket", "ticket", 5))
    )


def detectors(budget: Decimal, traffic: Traffic, known: bool, found: Mapping[str, Any]) -> dict[str, tuple[Tier, ...]]:
    """The detectors by name; Sloth only where it could be built."""
    made = {"truegreen": truegreen(budget, traffic.turns if known else 1), "textbook": textbook(budget)}
    return made | ({"sloth": sloth(found, budget)} if found else {})


def cells(which: int, traffics: Sequence[Traffic]) -> Iterator[tuple[Traffic, str, Decimal, Cell]]:
    """Every cell, with random numbers of its own: each can be simulated again alone."""
    for t, traffic in enumerate(traffics):
        for o, objective in enumerate(OBJECTIVES):
            for n, per_hour in enumerate(PER_HOUR):
                budget = 1 - Decimal(objective) / 100
                yield traffic, objective, budget, Cell(per_hour, float(budget), traffic, (SEED, which, t, o, n))


def false_table(found: Mapping[str, Any], replicates: int, kept: Kept) -> list[dict[str, Any]]:
    """What fires in 30 days, cell by cell.

    Cells at half of the bar or more are simulated anew with other random numbers and more of them: of many cells the highest is high by chance too.
    """
    rows = []
    for traffic, objective, budget, cell in cells(1, TRAFFIC):
        for share in (0.5, 1.0):
            key = {"traffic": traffic.name, "objective": objective, "per_hour": cell.per_hour, "p0": share}
            mine = detectors(budget, traffic, True, found)
            row = kept.row("false", key, partial(_false, cell, share * cell.budget, mine, replicates))
            rows.append(row)
            if traffic.turns == 3 and share == 1:
                blind = {**mine, "truegreen": truegreen(budget, 1)}
                key = {**key, "traffic": BLIND}
                rows.append(kept.row("false", key, partial(false_pages, cell, cell.budget, blind, max(1, replicates // FEW))))
    return rows


def _false(cell: Cell, bad: float, mine: Mapping[str, tuple[Tier, ...]], replicates: int) -> dict[str, Any]:
    row: dict[str, Any] = dict(false_pages(cell, bad, mine, replicates, few=max(1, replicates // FEW)))
    if row["truegreen"]["pages"] >= FALSE_PAGES / 2:
        anew = replace(cell, seed=(SEED, 11, *cell.seed[2:]))
        row["first_estimate"] = row["truegreen"]["pages"]
        row["truegreen"] |= false_pages(anew, bad, {"truegreen": mine["truegreen"][:2]}, AGAIN * replicates)["truegreen"]
    return row


def delay_table(found: Mapping[str, Any], replicates: int, kept: Kept) -> list[dict[str, Any]]:
    """Median and 90th percentile of the delay, cell by cell."""
    rows = []
    for traffic, objective, budget, cell in cells(2, TRAFFIC):
        for factor in FACTORS:
            if factor * budget > 1:
                continue
            key = {"traffic": traffic.name, "objective": objective, "per_hour": cell.per_hour, "factor": factor}
            every = detectors(budget, traffic, True, found)
            rows.append(kept.row("delay", key, partial(_delays, cell, factor * cell.budget, every, replicates)))
    return rows


def _delays(cell: Cell, bad: float, every: Mapping[str, tuple[Tier, ...]], replicates: int) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for hours in HORIZONS:
        left = {name: tiers for name, tiers in every.items() if name not in row}
        for name, times in delays(cell, bad, left, replicates, hours).items() if left else ():
            made = {tier: summary(minutes) for tier, minutes in times.items()}
            if made["fast"]["p90"] is not None or hours == HORIZONS[-1]:
                row[name] = made
    return row


def minutes(value: float | None) -> str:
    """A delay for a person."""
    return f"> {HORIZONS[-1]} h" if value is None else f"{value:.0f} m" if value < 180 else f"{value / 60:.1f} h"


def print_false(rows: Sequence[Mapping[str, Any]], replicates: int) -> None:
    """The table of false pages, and the bar."""
    print(f"\n## Fires in 30 days; {replicates} replicates of 30 days a cell, seed {SEED}\n")
    print("truegreen: sev 1 + 2 (sev 1 / sev 2 / sev 3); the others: page / ticket.\n")
    for traffic in dict.fromkeys(row["traffic"] for row in rows):
        for share in (0.5, 1.0):
            mine = [row for row in rows if row["traffic"] == traffic and row["p0"] == share]
            if not mine:
                continue
            others = [name for name in ("textbook", "sloth") if name in mine[0]]
            print(f"### {traffic}, bad ratio {share:g} x budget\n")
            print("| objective | events/h | truegreen |" + "".join(f" {name} |" for name in others))
            print("|---|---|---|" + "---|" * len(others))
            for row in mine:
                t = row["truegreen"]
                rest = "".join(f" {row[name]['fast']:.2f} / {row[name]['ticket']:.2f} |" for name in others)
                told = f"{t['pages']:.2f} ({t['fast']:.2f} / {t['slow']:.2f} / {t['ticket']:.2f})"
                print(f"| {row['objective']} % | {row['per_hour']} | {told} |{rest}")
            print()
    held = [row for row in rows if row["traffic"] != BLIND]
    worst = max(held, key=lambda row: row["truegreen"]["pages"])
    most = worst["truegreen"]["pages"]
    error = math.sqrt(max(most, 1 / replicates) / (replicates * (AGAIN if "first_estimate" in worst else 1)))
    missed = [row for row in held if row["truegreen"]["pages"] > FALSE_PAGES]
    again = [row for row in held if "first_estimate" in row]
    where = f"{worst['traffic']}, {worst['objective']} %, {worst['per_hour']} events/h, {worst['p0']:g} x budget"
    print(
        f"Bar: at most {FALSE_PAGES} pages (sev 1 + 2) in 30 days. Worst of {len(held)} cells: {most:.3f} +- {error:.3f} ({where})."
    )
    print(
        f"{len(again)} cells were at {FALSE_PAGES / 2} or more at first and were simulated anew, {AGAIN * replicates} replicates; what is shown is that."
    )
    print(f"{'HELD' if not missed else f'MISSED in {len(missed)} cells'}.")
    for name in ("textbook", "sloth"):
        if name in worst:
            print(f"{name}: worst {max(row[name]['fast'] for row in held):.1f} pages.")


def print_delay(rows: Sequence[Mapping[str, Any]], replicates: int) -> None:
    """The table of delays, and the bar."""
    print(f"\n## Delay of a page, median / 90th percentile; {replicates} replicates a cell, seed {SEED}\n")
    print("truegreen: sev 1, and in brackets the first of sev 1 and sev 2. `law`: events an hour / design effect x budget.\n")
    turns = {traffic.name: traffic.turns for traffic in TRAFFIC}
    law = {id(row): row["per_hour"] / turns[row["traffic"]] * (1 - float(row["objective"]) / 100) for row in rows}
    for traffic in turns:
        mine = [row for row in rows if row["traffic"] == traffic]
        others = [name for name in ("textbook", "sloth") if name in mine[0]]
        print(f"### {traffic}\n")
        print("| objective | events/h | law | burn | truegreen | P (60 min) |" + "".join(f" {name} |" for name in others))
        print("|---|---|---|---|---|---|" + "---|" * len(others))
        for row in mine:
            fast, both = row["truegreen"]["fast"], row["truegreen"]["pages"]
            told = f"{minutes(fast['median'])} / {minutes(fast['p90'])} ({minutes(both['median'])} / {minutes(both['p90'])})"
            rest = "".join(f" {minutes(row[name]['fast']['median'])} / {minutes(row[name]['fast']['p90'])} |" for name in others)
            print(
                f"| {row['objective']} % | {row['per_hour']} | {law[id(row)]:.2g} | {row['factor']}x | {told} | {fast['within_60']:.2f} |{rest}"
            )
        print()
    lawful = [row for row in rows if row["factor"] == 10 and law[id(row)] >= LAW - 1e-9]
    medians = [row["truegreen"]["fast"]["median"] or math.inf for row in lawful]
    missed = [row for row, median in zip(lawful, medians, strict=True) if median > MEDIAN_MINUTES]
    print(
        f"Bar: a 10x burn is paged (sev 1) after at most {MEDIAN_MINUTES} min (median) wherever events/h / effect x budget >= {LAW}."
    )
    print(f"{len(lawful)} cells: {min(medians):.0f} to {max(medians):.0f} min. {'HELD' if not missed else 'MISSED:'}")
    for row in missed:
        print(
            f"  {row['traffic']}, {row['objective']} %, {row['per_hour']} events/h: {minutes(row['truegreen']['fast']['median'])}"
        )


PAGE = Path(__file__).parent.parent / "docs" / "alerting.md"
HEAD = """# What the alerts do, measured

Written by `python benchmarks/alerting.py --page --replicates {replicates}`; do not edit. The events are simulated minute by minute, with the seed that is printed; our
ladder is the one that the rules are made from, Sloth's pairs are read out of rules that it wrote, and all look at the same events. What is not in it: scrapes that are
missed, `increase` that extrapolates, rules that are evaluated late. How soon a page comes at a service's own volume: `truegreen slo explain NAME`.
What further detectors find: [alerting_detectors.md](alerting_detectors.md).
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicates", type=int, default=200)
    parser.add_argument("--only", nargs="*", choices=("false", "delay", "table", "speed"), default=["false", "delay"])
    parser.add_argument("--keep", type=Path, metavar="FILE", help="Rows that are done are kept here and not simulated again.")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--page", action="store_true", help="Write docs/alerting.md instead of printing.")
    options = parser.parse_args()
    if options.page:
        with PAGE.open("w", encoding="utf-8") as page, redirect_stdout(page):
            print(HEAD.format(replicates=options.replicates), end="")
            measure(options)
    else:
        measure(options)


def measure(options: argparse.Namespace) -> None:
    """Simulate what is asked for and print it."""
    began, found, kept = time.perf_counter(), {}, Kept(options.keep, SEED, options.replicates)
    program = alerting_sloth.program()
    if program:
        found = alerting_sloth.windows(program)
    said: dict[str, Any] = {
        "seed": SEED,
        "replicates": options.replicates,
        "sloth": {k: [str(w) for w in v] for k, v in found.items()},
    }
    if not options.json:
        pairs = "; ".join(
            f"{k}: " + ", ".join(f"{w.factor} over {w.long} and {w.short} min" for w in v) for k, v in found.items()
        )
        print(f"\nSloth {alerting_sloth.VERSION} wrote: {pairs or 'nothing, it was not built (needs Go) and is left out'}.")
    if "false" in options.only:
        said["false"] = false_table(found, options.replicates, kept)
        if not options.json:
            print_false(said["false"], options.replicates)
    if "delay" in options.only:
        said["delay"] = delay_table(found, options.replicates, kept)
        if not options.json:
            print_delay(said["delay"], options.replicates)
    if "table" in options.only:
        import alerting_table

        said["table"] = alerting_table.write(options.replicates, SEED, kept)
    if "speed" in options.only:
        import alerting_speed

        said["speed"] = alerting_speed.measured()
        if not options.json:
            alerting_speed.show(said["speed"])
    said["seconds"] = round(time.perf_counter() - began, 1)
    if options.json:
        print(json.dumps(said))
    elif not options.page:
        print(f"\n{said['seconds']} s")


if __name__ == "__main__":
    main()
