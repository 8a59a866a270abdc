"""The files that the demo writes into its own folder: configuration, scrape, rules, routes."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from random import SystemRandom
from typing import Any, Final

import yaml

from truegreen.core.errors import Failed
from truegreen.demo import contrast, corpus
from truegreen.demo.model import PROMPT, SERVICE, SPARE_MODEL

SHELF: Final = "shelf.json"
"""What the shop's team has deployed, in the demo's folder."""

_PORTS: Final = (12_000, 30_000)
"""Linux takes ports of outgoing connections from 32768 on, others from 49152 on."""
_TRIES: Final = 200
_CHOOSE: Final = SystemRandom().randint


def configuration(
    folder: Path, *, slos: list[dict[str, Any]], services: tuple[str, ...], pager_url: str, urls: dict[str, str], smoke: list[str], serve: str,
    routes: Mapping[str, str], more: Mapping[str, Any],
) -> Path:  # fmt: skip
    """Write `truegreen.yaml`, as a team would: SLOs, all answers evaluated, `more` sections, the rest left at its defaults."""
    data = {
        "services": {name: {"customer_facing": True} for name in services},
        "sampling": "100%",
        "slos": slos,
        "calibration": str(folder / "calibration"),
        "routes": {"webhooks": {sev: f"{pager_url}/sev{sev}" for sev in ("1", "2", "3")}, **routes},
        "containment": {"flags": str(folder / "flags.json"), "fallback": SPARE_MODEL},
        "incidents": {
            "store": f"sqlite:///{folder / 'incidents.db'}",
            "evidence": str(folder / "evidence"),
            "prompt": PROMPT,
            "smoke": smoke,
            "serve": {"endpoint": serve},
            "drills": str(folder / "drills"),
            "rollback": {component: _way(component, folder / SHELF) for component in ("index", "guardrail")},
            **urls,
        },
        **more,
    }
    path = folder / "truegreen.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), "utf-8")
    return path


def _way(component: str, shelf: Path) -> dict[str, Any]:
    """The team's own commands that move a component back."""
    program = [sys.executable, "-m", "truegreen.demo.world.shelf"]
    put = [*program, "put", component, "{to}", "--file", str(shelf)]
    show = [*program, "show", component, "--file", str(shelf)]
    named = {"name": corpus.NAME} if component == "index" else {}
    return {"type": "command", **named, "current": show, "dry_run": [*put, "--dry-run"], "apply": put}


def prometheus(folder: Path, *, collector: str, agent: str, watch: str, alertmanager: str, time_scale: int) -> Path:
    """Write `prometheus.yml` around the generated scrape configuration and rules, with the contrast rules beside them."""
    generated = folder / "generated"
    scrape = yaml.safe_load((generated / "collector" / "scrape.yml").read_text("utf-8"))["scrape_configs"]
    scrape[0]["static_configs"] = [{"targets": [collector]}]
    interval = scrape[0]["scrape_interval"]
    if agent:
        scrape.append({"job_name": SERVICE, "scrape_interval": interval, "static_configs": [{"targets": [agent]}]})
    if watch:
        scrape.append({
            "job_name": "truegreen-watch", "honor_labels": True, "scrape_interval": interval, "static_configs": [{"targets": [watch]}],
        })  # fmt: skip
    contrast_file = folder / "contrast.rules.yml"
    contrast_file.write_text(yaml.safe_dump(contrast.rules(time_scale), sort_keys=False, width=200), "utf-8")
    path = folder / "prometheus.yml"
    path.write_text(
        yaml.safe_dump(
            {
                "global": {"scrape_interval": interval, "evaluation_interval": interval},
                "rule_files": [str(generated / "rules" / "truegreen.rules.yml"), str(contrast_file)],
                "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
                "scrape_configs": scrape,
            },
            sort_keys=False,
        ),
        "utf-8",
    )
    return path


def free_address(port: Callable[[int, int], int] = _CHOOSE) -> str:
    """A free HOST:PORT of loopback, below the range from which outgoing connections take theirs.

    The address is bound a while later, and the demo's own connections would be the likeliest to take it meanwhile.

    Raises:
        Failed: no port was free in many tries.
    """
    for _ in range(_TRIES):
        chosen = port(*_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", chosen))
            except OSError:
                continue
            return f"127.0.0.1:{chosen}"
    raise Failed(f"no free port between {_PORTS[0]} and {_PORTS[1]} on 127.0.0.1")
