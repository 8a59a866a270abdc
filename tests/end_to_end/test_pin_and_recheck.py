"""A provider moves a model's name to a worse model: the pin holds, and only a run that passes lets it go. All by commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from truegreen.core.clients import processes

PASSAGES = {
    "returns": "An item can be returned within 30 days of delivery.", "refunds": "A refund is paid within 5 working days of the arrival of the parcel.",
    "shipping": "Standard shipping takes 3 to 6 working days.", "warranty": "The warranty of a device lasts 24 months.",
    "account": "A locked account opens again after 15 minutes.", "vouchers": "A voucher is valid for 3 years.",
}  # fmt: skip
SYSTEM = (
    "You answer customers of an online shop.\nUse only the passages below; if they do not hold the answer, say so.\n\nPassages:\n"
)
ASKED = {
    "returns": ("Within how many days can an item be returned?", "30"), "refunds": ("Within how many working days is a refund paid?", "5"),
    "shipping": ("How many working days does standard shipping take?", "3 to 6"), "warranty": ("How long does the warranty of a device last?", "24 months"),
    "account": ("After how long does a locked account open again?", "15 minutes"), "vouchers": ("For how long is a voucher valid?", "3 years"),
}  # fmt: skip


@pytest.fixture
def truegreen(tmp_path: Path) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Run a command in a folder of its own: exit code and its JSON."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("TRUEGREEN_", "OPENAI_"))}

    def run(*words: str) -> tuple[int, dict[str, Any]]:
        done = subprocess.run(
            [sys.executable, "-m", "truegreen.core", *words, "--json"], cwd=tmp_path, capture_output=True, text=True, timeout=120,
            env={**kept, "OPENAI_API_KEY": "sk-demo"},
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, json.loads(done.stdout.splitlines()[-1])

    return run


@pytest.mark.full
def test_a_moved_name_is_refused_until_a_run_passes(truegreen, tmp_path: Path) -> None:
    """The careless model behind the name fails the set; back on the careful one it is let go. Hiccups of the provider cost nothing."""
    (tmp_path / "system.txt").write_text(SYSTEM + "\n".join(PASSAGES.values()) + "\n")
    cases = [{"id": name, "query": query, "checks": {"contains": text}} for name, (query, text) in ASKED.items()]
    (tmp_path / "support.jsonl").write_text("".join(json.dumps(case) + "\n" for case in cases))

    def command(port: int) -> list[str]:
        return [
            sys.executable,
            "-m",
            "truegreen.demo.world.provider",
            "--port",
            str(port),
            "--latency-ms",
            "0",
            "--jitter-ms",
            "0",
        ]

    with processes.served("provider", command, tmp_path / "provider", None, ready="/admin/state") as provider:
        run = (
            "evalset",
            "run",
            "support.jsonl",
            "--endpoint",
            provider.url,
            "--model",
            "support-large",
            "--provider",
            "demo",
            "--system",
            "system.txt",
        )
        who = ("--provider", "demo", "--model", "support-large")
        httpx.post(f"{provider.url}/admin/fault", json={"status": 429, "count": 1}).raise_for_status()
        code, good = truegreen(*run, "--parallel", "1")
        assert code == 0, good
        assert good["served"] == ["support-large-0613"] and good["pass"] == len(ASKED)
        code, pinned = truegreen("model", "pin", *who, "--version", "support-large-0613", "--run", good["path"])
        assert code == 0 and pinned["evidence"]["run"] == good["digest"], pinned
        httpx.post(
            f"{provider.url}/admin/alias", json={"alias": "support-large", "model": "support-large-1106"}
        ).raise_for_status()
        code, bad = truegreen(*run)
        assert code == 1 and bad["served"] == ["support-large-1106"] and bad["fail"] >= 1, bad
        code, said = truegreen("model", "unpin", *who)
        assert code == 1 and f"the newest, {bad['digest']}" in said["error"] and "it did not pass" in said["error"], said
        httpx.post(
            f"{provider.url}/admin/alias", json={"alias": "support-large", "model": "support-large-0613"}
        ).raise_for_status()
        code, again = truegreen(*run)
        assert code == 0, again
        code, let_go = truegreen("model", "unpin", *who)
        assert code == 0 and let_go["let_go_by"]["run"] == again["digest"], let_go
