"""Writes the table from which `alert_rules` reads how soon a burn pages: `python benchmarks/alerting.py --only table`."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from alerting import truegreen
from alerting_kept import Kept
from alerting_simulation import Cell, Traffic, delays, false_pages, summary

from truegreen.alert_rules.feasibility import ladder_digest

TARGET = Path(__file__).parent.parent / "alert_rules" / "truegreen" / "alert_rules" / "feasibility_table.py"
BUDGETS = ("0.001", "0.01", "0.05", "0.1", "0.2", "0.5")
EXPECTED = ("0.02", "0.05", "0.1", "0.2", "0.3", "0.5", "0.75", "1", "1.5", "2", "3", "5", "10", "20", "50", "100")
HOURS = 24
INDEPENDENT = Traffic("independent")


def write(replicates: int, seed: int, kept: Kept) -> list[dict[str, Any]]:
    """Simulate every cell and write the module."""
    rows = [
        kept.row("table", {"budget": budget, "expected": expected}, partial(_row, budget, expected, replicates, (seed, 3, b, e)))
        for b, budget in enumerate(BUDGETS)
        for e, expected in enumerate(EXPECTED)
    ]
    TARGET.write_text(_module(rows, replicates, seed), "utf-8")
    return rows


def _row(budget: str, expected: str, replicates: int, seed: tuple[int, ...]) -> dict[str, Any]:
    cell = Cell(float(Decimal(expected) / Decimal(budget)), float(budget), INDEPENDENT, seed)
    tiers = {"ladder": truegreen(Decimal(budget), 1)[:2]}
    burn = min(Decimal(10) * Decimal(budget), Decimal(1))
    times = delays(cell, float(burn), tiers, 2 * replicates, HOURS)["ladder"]
    fast, slow = summary(times["fast"]), summary(times["pages"])
    pages = false_pages(cell, cell.budget, tiers, replicates)["ladder"]["pages"]
    return {
        "within_60": f"{fast['within_60']:.3f}", "median": fast["median"], "p90": fast["p90"],
        "told": slow["median"], "false": f"{pages:.3f}",
    }  # fmt: skip


def _module(rows: Iterable[dict[str, Any]], replicates: int, seed: int) -> str:
    def number(value: float | None) -> str:
        return "None" if value is None else str(int(value))

    body = "\n".join(
        f'    Row("{r["budget"]}", "{r["expected"]}", "{r["within_60"]}", {number(r["median"])}, {number(r["p90"])}, {number(r["told"])}, "{r["false"]}"),'
        for r in rows
    )
    return f'''"""How soon a burn pages, simulated. Written by `python benchmarks/alerting.py --only table --replicates {replicates}` (seed {seed}); do not edit.

Independent events; {2 * replicates} steps from half the budget, {replicates} times 30 days at the budget, in each cell. The ladder's digest says for which ladder.
"""

from __future__ import annotations

from typing import Final, NamedTuple

HOURS: Final = {HOURS}
"""Hours after the step that were looked at: None is later than that."""
LADDER: Final = "{ladder_digest()}"


class Row(NamedTuple):
    """One cell.

    Args:
        budget: 1 - objective.
        expected: bad events an hour at the budget: events an hour x budget, over the design effect.
        within_60: share of steps to ten budgets (to all bad where ten budgets are more) that give a sev 1 within 60 min.
        median, p90: minutes to the sev 1.
        told: median minutes to the first of sev 1 and sev 2.
        false_pages: sev 1 and 2 in 30 days while the bad ratio is the budget.
    """

    budget: str
    expected: str
    within_60: str
    median: int | None
    p90: int | None
    told: int | None
    false_pages: str


ROWS: Final = (
{body}
)
'''
