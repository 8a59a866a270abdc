"""A real Prometheus that holds 5 hours of one service: healthy for 4, then one model fails one cohort and one tool breaks."""

from __future__ import annotations

import random
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from truegreen.core.clients import engines

HOUR = 3_600
START = 1_700_000_000 - 1_700_000_000 % HOUR
DROP = START + 4 * HOUR
END = START + 5 * HOUR
WHO = 'service="bot",environment="production"'
MODELS, COHORTS = ("gpt-4", "claude"), ("eu", "us", "gold")
SNAPSHOTS = {"aaa": "v1", "bbb": "v2"}
BOUNDS = (0.5, 1, 2, 5, 10)
USUAL, ILL = 0.03, 0.4


class _Lines:
    """OpenMetrics text of counters that grow."""

    def __init__(self) -> None:
        self.totals: dict[tuple[str, str], float] = {}
        self.lines: dict[str, list[tuple[str, int, float]]] = defaultdict(list)

    def grow(self, name: str, labels: str, by: float, at: int, kind: str = "counter") -> None:
        """Add to a counter and write it down; `name` with its suffix."""
        key = (name, labels)
        self.totals[key] = self.totals.get(key, 0.0) + by
        self.set(name, labels, self.totals[key], at, kind)

    def set(self, name: str, labels: str, value: float, at: int, kind: str = "gauge") -> None:
        """Write a value down."""
        family = name.removesuffix("_total") if kind == "counter" else name.rsplit("_", 1)[0] if kind == "histogram" else name
        self.lines[f"# TYPE {family} {kind}"].append((f"{name}{{{labels}}}", at, value))

    def text(self) -> str:
        """The whole file: each family's series one after the other."""
        made = []
        for kind, found in self.lines.items():
            made += [kind, *(f"{series} {value!r} {at}" for series, at, value in sorted(found))]
        return "\n".join([*made, "# EOF", ""])


def _minute(made: _Lines, dice: random.Random, at: int, first: bool) -> None:
    ill = at > DROP
    answers = bad_answers = 0
    for model in MODELS:
        for cohort in COHORTS:
            for snapshot in SNAPSHOTS:
                hit = ill and model == "claude" and cohort == "eu"
                bad = 0 if first else sum(dice.random() < (ILL if hit else USUAL) for _ in range(3))
                good = 0 if first else 3 - bad
                labels = f'{WHO},evaluation="groundedness",evaluator="e",reason="",model="{model}",cohort="{cohort}",snapshot="{snapshot}",sampled="base"'
                for result, by in (("pass", good), ("fail", bad)):
                    made.grow("truegreen_evaluations_total", f'{labels},result="{result}"', by, at)
                answers, bad_answers = answers + good + bad, bad_answers + bad
    for result, by in (("pass", answers - bad_answers), ("fail", bad_answers)):
        made.grow("truegreen_evaluated_answers_total", f'{WHO},evaluation="groundedness",evaluator="e",result="{result}"', by, at)
    made.grow("truegreen_answers_total", f'{WHO},model="gpt-4",cohort="eu",snapshot="aaa",sampled="base"', answers, at)
    made.grow("truegreen_answer_markers_total", f'{WHO},model="gpt-4",cohort="eu",marker="refusal"', answers and at // 60 % 2, at)
    for snapshot, prompt in SNAPSHOTS.items():
        made.set("truegreen_snapshot_info", f'{WHO},snapshot="{snapshot}",prompt_version="{prompt}",model_version=""', 1, at)
    for tool in ("search", "weather"):
        calls, broken = (
            (0, 0) if first else (5, sum(dice.random() < (0.5 if ill and tool == "search" else 0.02) for _ in range(5)))
        )
        for outcome, by in (("ok", calls - broken), ("error", broken)):
            made.grow("truegreen_tool_calls_total", f'{WHO},tool="{tool}",outcome="{outcome}"', by, at)
    _latency(made, dice, at, 0 if first else 12, 2.0 if ill else 1.0)
    for kind, by in (("input", 100), ("output", 30)):
        made.grow(
            "truegreen_llm_tokens_total", f'{WHO},model="gpt-4",type="{kind}"', 0 if first else by * 12 + dice.randrange(100), at
        )
    made.grow(
        "truegreen_llm_requests_total",
        f'{WHO},operation="chat",provider="openai",model="gpt-4",outcome="ok"',
        0 if first else 12,
        at,
    )


def _latency(made: _Lines, dice: random.Random, at: int, calls: int, slower: float) -> None:
    took = [dice.lognormvariate(0, 0.6) * slower for _ in range(calls)]
    labels = f'{WHO},operation="chat",provider="openai",model="gpt-4"'
    for bound in (*BOUNDS, float("inf")):
        le = "+Inf" if bound == float("inf") else f"{float(bound)}"
        made.grow(
            "truegreen_llm_duration_seconds_bucket", f'{labels},le="{le}"', sum(one <= bound for one in took), at, "histogram"
        )
    made.grow("truegreen_llm_duration_seconds_sum", labels, sum(took), at, "histogram")
    made.grow("truegreen_llm_duration_seconds_count", labels, calls, at, "histogram")


@contextmanager
def prometheus(folder: Path, engine: Callable[[str], Path]) -> Iterator[engines.Engine]:
    """Start it with the data in it."""
    made, dice = _Lines(), random.Random(8)
    for at in range(START, END + 1, 60):
        _minute(made, dice, at, at == START)
    (folder / "data.om").write_text(made.text(), "utf-8")
    tsdb = folder / "prometheus" / "tsdb"
    tsdb.mkdir(parents=True)
    subprocess.run(
        [engine("promtool"), "tsdb", "create-blocks-from", "openmetrics", folder / "data.om", tsdb],
        check=True,
        capture_output=True,
    )
    engine("prometheus")
    (folder / "prometheus.yml").write_text("scrape_configs: []\n", "utf-8")
    with engines.prometheus(
        folder / "prometheus.yml", folder / "prometheus", args=("--storage.tsdb.retention.time=100y",)
    ) as running:
        yield running
