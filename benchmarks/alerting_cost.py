"""What evaluating the rules costs: `python benchmarks/alerting_cost.py [--services 10] [--history 300] [--rounds 2] [--json]`.

A real Prometheus is filled: raw counters of three days (a sample a minute), and thirty days of the counts and ratios from which long windows are added up. It then
evaluates our five live SLOs, and the rules that Sloth writes for one SLO for each of the five and each service, over the same counters, and says itself how long each
group took, one set after the other. `--history` is the distance in seconds of the recorded samples of thirty days; our group writes one a minute (`--history 60`: five times the data).

The first evaluation of a group is left out: it reads from a cold disk. Afterwards the forms of a thirty-day sum are asked one by one of a Prometheus without rules,
which says how much CPU each took.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, TextIO

import alerting_sloth
import yaml

from truegreen.alert_rules.generate import RULES, files
from truegreen.core.clients import engines, prometheus
from truegreen.core.clients.http import Server
from truegreen.core.config import parse_text
from truegreen.core.words import records

SLOS: Final = ("alpha", "beta", "gamma", "delta", "epsilon")
"""Five evaluations of one kind, so that Sloth can have the same."""
COUNTER: Final = "truegreen_evaluated_answers"
SCRAPE: Final = 60
RAW_DAYS, LONG_DAYS = 3, 30
AHEAD: Final = 3_600
"""Seconds beyond now for which counters are there, so that nothing need be scraped."""
LATE: Final = {"tsdb": {"out_of_order_time_window": "2h"}}
"""Without it a Prometheus with counters ahead of now discards what rules record, so that rules that read it find nothing and cost nothing."""
HOURLY: Final = "truegreen:slo_events:hourly"
"""What no rule writes yet: the counts of an hour, once an hour."""
EVERY: Final = "1m"
"""Interval of all groups here: what one evaluation costs does not depend on it."""
ROUNDS: Final = 5
"""How often each form is asked."""
DAY: Final = 86_400
BAD: Final = 40
"""One event of so many is bad."""
PATIENCE: Final = 600.0
"""Seconds for a Prometheus to read 17,000 rules and an hour of every series."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, default=10)
    parser.add_argument("--history", type=int, default=300, metavar="SECONDS")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="truegreen-cost-") as folder:
        said = measured(Path(folder), options.services, options.history, options.rounds)
    if options.json:
        print(json.dumps(said))
    else:
        show(said)


def measured(folder: Path, services: int, history: int, rounds: int) -> dict[str, Any]:
    """Fill a Prometheus, let it evaluate one set of rules after the other, and read what it says of itself."""
    names = [f"service-{at}" for at in range(services)]
    now = int(time.time()) // SCRAPE * SCRAPE
    made = ours(folder)
    sloth = alerting_sloth.program()
    written = sloths(folder, sloth, names) if sloth else {"groups": 0, "rules": 0}
    samples = fill(folder, names, now, history, with_sloth=bool(sloth))
    arguments = ("--storage.tsdb.retention.time=100y", "--query.max-samples=500000000", "--query.timeout=10m")
    seen: dict[str, list[float]] = {}
    # One after the other: two sets that do not keep up would wait for each other, and the waiting would count.
    for rules in (RULES, *(["sloth.yml"] if sloth else [])):
        (folder / "prometheus.yml").write_text(
            yaml.safe_dump(
                {"global": {"evaluation_interval": EVERY}, "rule_files": [rules], "scrape_configs": [], "storage": LATE}
            ),
            "utf-8",
        )
        with engines.prometheus(folder / "prometheus.yml", folder, args=arguments, seconds=PATIENCE) as running:
            seen |= evaluations(prometheus.connect(running.url), rounds)
    (folder / "quiet.yml").write_text("scrape_configs: []\n", "utf-8")
    with engines.prometheus(folder / "quiet.yml", folder, args=arguments, seconds=PATIENCE) as running:
        forms = timed(prometheus.connect(running.url))
    return {
        "services": services, "history_seconds": history, "samples": samples, "ours": made, "sloth": written,
        "seconds": {name: summed(seen, of) for name, of in (("ours", "truegreen:"), ("sloth", "sloth-"))},
        "groups": {name: statistics.median(took) for name, took in sorted(seen.items()) if name.startswith("truegreen:")},
        "forms": forms,
    }  # fmt: skip


def ours(folder: Path) -> dict[str, int]:
    """Our rules for the five SLOs."""
    slos = ", ".join(
        f"{{name: {name}, description: d, sli: {{evaluation: {name}, floor: baseline}}, objective: 95%, layer: quality, failure_mode: hallucination, mode: live}}"
        for name in SLOS
    )
    evaluations = ", ".join(f"{name}: {{}}" for name in ("groundedness", *SLOS))
    config = parse_text(f"evaluations: {{{evaluations}}}\nslos: [{slos}]", "cost", {}, None)
    groups = yaml.safe_load(files(config, 1).files[RULES])["groups"]
    return put(folder / RULES, groups)


def sloths(folder: Path, program: Path, services: list[str]) -> dict[str, int]:
    """Sloth's rules, one SLO for each of ours and each service."""
    text = alerting_sloth.rules(program, [(service, name, Decimal(95)) for service in services for name in SLOS])
    return put(folder / "sloth.yml", yaml.load(text, yaml.CSafeLoader)["groups"])


def put(path: Path, groups: list[dict[str, Any]]) -> dict[str, int]:
    """Write groups that are all evaluated often."""
    # Of a thousand SLOs: libyaml takes a tenth of the time.
    every = {"groups": [{**group, "interval": EVERY} for group in groups]}
    path.write_text(yaml.dump(every, Dumper=yaml.CSafeDumper, sort_keys=False), "utf-8")
    return {"groups": len(groups), "rules": sum(len(group["rules"]) for group in groups)}


def fill(folder: Path, services: list[str], now: int, history: int, with_sloth: bool) -> int:
    """Write blocks; a metric at a time, as OpenMetrics wants it."""
    count = 0
    with (folder / "data.om").open("w", encoding="utf-8") as out:
        out.write(f"# TYPE {COUNTER} counter\n")
        start = now - RAW_DAYS * DAY - 2 * SCRAPE
        for service in services:
            for slo in SLOS:
                for result, every in (("pass", 1), ("fail", BAD)):
                    labels = f'service="{service}",environment="production",evaluation="{slo}",evaluator="e",result="{result}"'
                    count += lines(
                        out,
                        f"{COUNTER}_total{{{labels}}}",
                        range(start, now + AHEAD, SCRAPE),
                        lambda at, every=every: (at - start) // SCRAPE * 10 / every,
                    )
        identity = 'layer="quality",failure_mode="hallucination",pillar="none"'
        past = range(now - LONG_DAYS * DAY, now - SCRAPE, history)
        for record, value in (
            (records.events("5m"), 51.25),
            (records.bad("5m"), 1.25),
            (records.events("1h"), 615),
            (records.bad("1h"), 15),
        ):
            out.write(f"# TYPE {record} gauge\n")
            for service in services:
                for slo in SLOS:
                    labels = f'service="{service}",environment="production",slo="{slo}",{identity}'
                    count += lines(out, f"{record}{{{labels}}}", past, lambda _, value=value: value)
        out.write(f"# TYPE {HOURLY} gauge\n")
        for service in services:
            labels = f'service="{service}",environment="production",slo="{SLOS[0]}",{identity}'
            count += lines(out, f"{HOURLY}{{{labels}}}", range(now - LONG_DAYS * DAY, now, 3_600), lambda _: 615)
        if with_sloth:
            out.write("# TYPE slo:sli_error:ratio_rate5m gauge\n")
            for service in services:
                for slo in SLOS:
                    labels = f'sloth_id="{service}-{slo}",sloth_service="{service}",sloth_slo="{slo}",sloth_window="5m"'
                    count += lines(out, f"slo:sli_error:ratio_rate5m{{{labels}}}", past, lambda _: 0.0244)
        out.write("# EOF\n")
    # promtool reads the whole file for each block, so they are large; a Prometheus that has run for a month has blocks of three days.
    command = [
        engines.require("promtool"),
        "tsdb",
        "create-blocks-from",
        "openmetrics",
        "--max-block-duration=500h",
        folder / "data.om",
        folder / "tsdb",
    ]
    subprocess.run(command, check=True, capture_output=True)
    (folder / "data.om").unlink()
    return count


def lines(out: TextIO, series: str, times: range, value: Any) -> int:
    """One series."""
    out.writelines(f"{series} {value(at):g} {at}\n" for at in times)
    return len(times)


def evaluations(server: Server, rounds: int) -> Mapping[str, list[float]]:
    """Seconds of each group's evaluations after its first, in whatever order they come."""
    seen: dict[str, dict[str, float]] = {}
    while True:
        for group in groups(server):
            seen.setdefault(group["name"], {})[group["lastEvaluation"]] = group["evaluationTime"]
        done = [
            list(took.values())[1:] for name, took in seen.items() if not next(iter(took)).startswith("0001") or len(took) > 1
        ]
        if seen and len(done) == len(seen) and all(len([t for t in took if t]) >= rounds for took in done):
            return {name: [t for t in list(took.values())[1:] if t] for name, took in seen.items()}
        time.sleep(2)


def groups(server: Server) -> Iterator[Mapping[str, Any]]:
    """As Prometheus tells them."""
    with urllib.request.urlopen(f"{server.url}/api/v1/rules") as answer:
        yield from json.load(answer)["data"]["groups"]


def summed(seen: Mapping[str, list[float]], beginning: str) -> float | None:
    """Seconds of one evaluation of all groups of one set."""
    mine = [statistics.median(took) for name, took in seen.items() if name.startswith(beginning)]
    return round(sum(mine), 4) if mine else None


def timed(server: Server) -> dict[str, float]:
    """The forms of a thirty-day sum for one SLO, CPU seconds, in a Prometheus that does nothing else."""
    events, hourly = (f'{record(window)}{{slo="alpha"}}' for record, window in ((records.events, "5m"), (records.events, "1h")))
    forms = {
        "sub-query of 5 min over the 5 min counts": f"sum_over_time({events}[30d:5m])",
        "sub-query of 1 h over the 1 h counts": f"sum_over_time({hourly}[30d:1h])",
        "range over counts of an hour that are written once an hour": f'sum_over_time({HOURLY}{{slo="alpha"}}[30d])',
        "range over the 5 min counts, as often as they were evaluated": f"sum_over_time({events}[30d])",
    }
    return {name: _cpu(server, form) for name, form in forms.items()}


def _cpu(server: Server, form: str) -> float:
    # Prometheus' own CPU, on which other programs of the machine have less influence than on the clock; the first query reads from the disk.
    prometheus.query(server, f"count({form})")
    began = _used(server)
    for _ in range(ROUNDS):
        prometheus.query(server, f"count({form})")
    return round((_used(server) - began) / ROUNDS, 4)


def _used(server: Server) -> float:
    with urllib.request.urlopen(f"{server.url}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("process_cpu_seconds_total "))


def show(said: Mapping[str, Any]) -> None:
    """For a person."""
    print(
        f"\n## Evaluating {len(SLOS)} SLOs over {said['services']} services; {said['samples'] / 1e6:.1f} million samples, 30 days with one each {said['history_seconds']} s\n"
    )
    print("| | rules | groups | seconds for one evaluation of all |\n|---|---|---|---|")
    for name in ("ours", "sloth"):
        if said["seconds"][name] is not None:
            print(f"| {name} | {said[name]['rules']} | {said[name]['groups']} | {said['seconds'][name]:.3f} |")
    print("\n| group | seconds |\n|---|---|")
    for name, seconds in said["groups"].items():
        print(f"| `{name}` | {seconds:.4f} |")
    print("\n| thirty days of one SLO's events | CPU seconds |\n|---|---|")
    for name, seconds in said["forms"].items():
        print(f"| {name} | {seconds:.3f} |")


if __name__ == "__main__":
    main()
