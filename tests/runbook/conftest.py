"""A real Prometheus filled with the world of `runbook_world.py`, an empty incident log, and the command line in this process."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from runbook_shop import App, Langfuse, serving
from runbook_world import world

from truegreen.core.cli import main
from truegreen.core.clients import engines, http, prometheus

NOBODY = "http://127.0.0.1:9"
"""An address at which nothing answers."""


@dataclass(frozen=True)
class Ran:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def facts(self) -> dict[str, Any]:
        """The JSON of a command that worked."""
        assert self.code == 0, self.err or self.out
        loaded: dict[str, Any] = json.loads(self.out.strip().splitlines()[-1])
        return loaded


@pytest.fixture(scope="session")
def filled(engine: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Prometheus that holds the world."""
    engine("prometheus")
    folder = tmp_path_factory.mktemp("world")
    (folder / "world.txt").write_text(world())
    made = subprocess.run(
        [engine("promtool"), "tsdb", "create-blocks-from", "openmetrics", folder / "world.txt", folder / "tsdb"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    (folder / "prometheus.yml").write_text("global: {}\n")
    with engines.prometheus(folder / "prometheus.yml", folder, args=["--storage.tsdb.retention.time=100y"]) as running:
        yield running.url


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """`run("incident", "open", …)` in an empty folder; the servers are nobody until named."""
    for name in list(os.environ):
        if name.startswith(("TRUEGREEN_", "LANGFUSE_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    for name in ("PROMETHEUS", "ALERTMANAGER", "COLLECTOR"):
        monkeypatch.setenv(f"TRUEGREEN_{name}_URL", NOBODY)
    monkeypatch.setenv("TRUEGREEN_FLAGS", str(tmp_path / "flags.json"))
    monkeypatch.setattr(http, "PAUSE", 0.01)  # nobody is asked three times, by nearly every command

    def called(*words: str, stdin: bytes = b"") -> Ran:
        out, err = io.StringIO(), io.StringIO()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as stopped:
            main(words)
        code = stopped.value.code
        return Ran(code if isinstance(code, int) else 1, out.getvalue(), err.getvalue())

    return called


@pytest.fixture
def langfuse(monkeypatch: pytest.MonkeyPatch) -> Iterator[Langfuse]:
    """A local server that speaks Langfuse's prompt contract; its keys are set."""
    told = Langfuse()
    with serving(told.answer) as url:
        for name, value in (("BASE_URL", url), ("PUBLIC_KEY", "pk-lf-1"), ("SECRET_KEY", "sk-lf-1")):
            monkeypatch.setenv(f"LANGFUSE_{name}", value)
        yield told


@pytest.fixture(scope="session")
def scraping(engine: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[App], str]]:
    """A real Prometheus that scrapes the newest app of the list five times a second (it waits 5 s before the first scrape)."""
    engine("prometheus")
    folder = tmp_path_factory.mktemp("scraping")
    apps: list[App] = []
    with serving(lambda *asked: apps[-1].metrics() if apps else (200, "")) as url:
        (folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 200ms, scrape_timeout: 200ms}\n"
            f"scrape_configs: [{{job_name: truegreen, static_configs: [{{targets: ['{url.removeprefix('http://')}']}}]}}]\n"
        )
        with engines.prometheus(folder / "prometheus.yml", folder) as running:
            yield apps, running.url


@pytest.fixture
def live(run: Any, langfuse: Langfuse, scraping: tuple[list[App], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> App:
    """An app of its own name that Prometheus scrapes; an incident is open and Langfuse is there."""
    apps, url = scraping
    app = App(f"agent-{len(apps)}", tmp_path / "flags.json", langfuse.production)
    apps.append(app)
    monkeypatch.setenv("TRUEGREEN_PROMETHEUS_URL", url)
    _until(
        lambda: bool(prometheus.query(prometheus.connect(url), f'truegreen_model_served_total{{service="{app.service}"}} > 10'))
    )
    assert run("incident", "open", "--service", app.service, "--environment", "production", "--slo", "grounding").code == 0
    return app


def _until(so: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not so():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


@pytest.fixture
def until() -> Callable[..., None]:
    """`until(so)` waits, with a deadline, for something a process does."""
    return _until
