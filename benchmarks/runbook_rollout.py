"""How often a step of a staged rollout lets a candidate pass, by how much worse it is: drawn answers, no server.

python benchmarks/runbook_rollout.py [--seed 7] [--runs 4000]
"""

from __future__ import annotations

import argparse

import numpy as np

from truegreen.runbook.rollout import decide
from truegreen.runbook.rollout.model import ERROR, MARGIN, STEPS, Counts, Rule

EACH, LOOKS = 250, 6
STAGES = len(STEPS) + 1


def outcome(candidate: float, incumbent: float, runs: int, seed: int) -> tuple[float, float]:
    """The shares of runs in which one step promotes, and in which it goes back, over all its looks."""
    rng = np.random.default_rng(seed)
    rule = Rule(window=1_800.0, least=200, margin=MARGIN)
    bad, of = (rng.binomial(EACH, share, (runs, LOOKS)).cumsum(axis=1) for share in (candidate, incumbent))
    promoted = back = 0
    for run in range(runs):
        for look in range(LOOKS):
            events = EACH * (look + 1)
            mine, theirs = Counts(bad[run, look], events), Counts(of[run, look], events)
            if decide.worse(mine, theirs, rule):
                back += 1
                break
            if decide.passed(mine, theirs, look + 1, rule).do == decide.PROMOTE:
                promoted += 1
                break
    return promoted / runs, back / runs


def main() -> None:
    """Print the table of docs/rollout.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--runs", type=int, default=4_000)
    asked = parser.parse_args()
    print(
        f"one step, {LOOKS} looks, {EACH} judged answers of either side between two, margin {MARGIN:.0%}, stated error {ERROR:.0%}\n"
    )
    print("| incumbent's bad ratio | candidate's | a step is passed | it goes back |\n|---|---|---|---|")
    for incumbent in (0.01, 0.03, 0.10):
        for worse in (0.0, MARGIN, 0.05, 0.10):
            promoted, back = outcome(incumbent + worse, incumbent, asked.runs, asked.seed)
            print(f"| {incumbent:.0%} | {incumbent + worse:.0%} | {promoted:.2%} | {back:.2%} |")


if __name__ == "__main__":
    main()
