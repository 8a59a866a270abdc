"""Sloth, for comparison: built from the Go module proxy, its rules written by itself, and the windows and factors read out of them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import yaml

VERSION = "v0.16.0"
_ALERT = re.compile(r"ratio_rate(\w+)\{[^}]*\} > \(([0-9.]+) \* ([0-9.]+)\)")
_MINUTES = {"m": 1, "h": 60, "d": 1_440}


@dataclass(frozen=True, slots=True)
class Window:
    """One pair of windows, in minutes, and the factor of both."""

    long: int
    short: int
    factor: Decimal


def program() -> Path | None:
    """Where Sloth is: `TRUEGREEN_SLOTH`, PATH, else built once into the user's cache; None without Go."""
    named = os.environ.get("TRUEGREEN_SLOTH") or shutil.which("sloth")
    if named:
        return Path(named)
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "truegreen" / f"sloth-{VERSION}"
    if not (cache / "sloth").is_file():
        if not shutil.which("go"):
            return None
        cache.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            ["go", "install", f"github.com/slok/sloth/cmd/sloth@{VERSION}"],
            env={**os.environ, "GOBIN": str(cache), "CGO_ENABLED": "0"}, capture_output=True, check=False,
        )  # fmt: skip
        if done.returncode:
            return None
    return cache / "sloth"


def rules(sloth: Path, slos: list[tuple[str, str, Decimal]]) -> str:
    """The rule file that Sloth writes for SLOs of this repository's evaluated answers.

    Args:
        slos: service, name and objective (per cent) of each.
    """
    by_service: dict[str, list[dict[str, object]]] = {}
    for service, name, objective in slos:
        events = (
            f'truegreen_evaluated_answers_total{{service="{service}",evaluation="{name}",result=~"pass|fail"}}[{{{{.window}}}}]'
        )
        bad = events.replace('result=~"pass|fail"', 'result="fail"')
        by_service.setdefault(service, []).append(
            {
                "name": name,
                "objective": float(objective),
                "sli": {"events": {"error_query": f"sum(rate({bad}))", "total_query": f"sum(rate({events}))"}},
                "alerting": {"name": "Burn", "page_alert": {}, "ticket_alert": {}},
            }
        )
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in", Path(folder) / "out"
        source.mkdir()
        target.mkdir()
        for service, found in by_service.items():
            spec = {"version": "prometheus/v1", "service": service, "slos": found}
            (source / f"{service}.yml").write_text(yaml.safe_dump(spec), "utf-8")
        subprocess.run([sloth, "generate", "-i", source, "-o", target], check=True, capture_output=True)
        groups = [
            group
            for path in sorted(target.glob("*.yml"))
            for group in yaml.load(path.read_text("utf-8"), yaml.CSafeLoader)["groups"]
        ]
    return yaml.dump({"groups": groups}, Dumper=yaml.CSafeDumper, sort_keys=False)


def windows(sloth: Path) -> dict[str, tuple[Window, ...]]:
    """`page` and `ticket` of Sloth's default alerts, read out of the rules that it writes."""
    found: dict[str, tuple[Window, ...]] = {}
    for group in yaml.safe_load(rules(sloth, [("bot", "groundedness", Decimal(99))]))["groups"]:
        for rule in group["rules"]:
            if "alert" not in rule:
                continue
            parts = [(_minutes(window), Decimal(factor)) for window, factor, _ in _ALERT.findall(rule["expr"])]
            pairs = zip(parts[::2], parts[1::2], strict=True)
            found[rule["labels"]["sloth_severity"]] = tuple(
                Window(max(one[0], other[0]), min(one[0], other[0]), one[1]) for one, other in pairs
            )
    return found


def _minutes(window: str) -> int:
    return int(window[:-1]) * _MINUTES[window[-1]]
