"""The stage of the demo: every process, file and address, up for as long as the context lasts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from truegreen.core.clients import engines, interrupts, prometheus
from truegreen.core.clients.processes import Engine
from truegreen.core.errors import BadInput, Failed
from truegreen.demo import files
from truegreen.demo.pager import Pager, pager
from truegreen.demo.processes import Supervisor
from truegreen.demo.tap import Tap, tap

_FOREIGN: Final = ("OTEL_", "TRUEGREEN_", "LANGFUSE_", "OPENAI_")
"""Variables of the user's own set-up, which must not reach the demo's processes; where the engines lie is passed on."""
_COMMAND_SECONDS: Final = 120.0
_BAD_USAGE: Final = 2
ADDRESSES: Final = ("agent", "provider", "prompts", "watch", "watch_http", "watch_grpc", "canary", "response")
"""Of the processes that listen, beside the engines and the collector."""
_EXEMPLARS: Final = "--enable-feature=exemplar-storage"


@dataclass(slots=True)
class Stage:
    """What is running, and where."""

    folder: Path
    time_scale: int
    supervisor: Supervisor
    pager: Pager
    tap: Tap
    config: Path
    collector_http: str
    collector_metrics: str
    prometheus_address: str
    alertmanager_address: str
    stack: ExitStack
    engines: list[Engine] = field(default_factory=list)
    addresses: dict[str, str] = field(default_factory=dict)

    def samples(self, expression: str) -> list[prometheus.Sample]:
        """What an instant query of the demo's Prometheus returns."""
        return prometheus.query(prometheus.connect(f"http://{self.prometheus_address}", environ={}), expression)

    def number(self, expression: str, default: float = float("nan")) -> float:
        """The value of an instant query that returns one sample."""
        samples = self.samples(expression)
        return samples[0].value if samples else default


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment for the demo's processes: the user's, without what would lead telemetry elsewhere."""
    kept = {k: v for k, v in environ.items() if not k.startswith(_FOREIGN) or k == engines.FOLDER_VARIABLE}
    return {**kept, "PYTHONUNBUFFERED": "1", "NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}


def truegreen(stage: Stage, *arguments: str, expect: Sequence[int] = (0,)) -> dict[str, Any]:
    """Run a truegreen command as a user would, with `--config` and `--json`; the object that it printed, with its `exit_code`.

    Raises:
        BadInput: it ended with 2, that of bad usage: of what the demo was asked for.
        Failed: it ended with another exit code that is not among `expect`.
    """
    argv = [sys.executable, "-m", "truegreen.core", *arguments, "--config", str(stage.config), "--json"]
    process: subprocess.Popen[str] | None = None
    try:
        with interrupts.held():
            process = subprocess.Popen(
                argv,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=stage.supervisor.environ,
                cwd=stage.folder,
            )
        out, err = process.communicate(timeout=_COMMAND_SECONDS)
    except BaseException as error:
        if process is not None:
            process.kill()
            process.communicate()
        if isinstance(error, subprocess.TimeoutExpired):
            raise Failed(f"`truegreen {' '.join(arguments)}` did not end within {_COMMAND_SECONDS:.0f} s") from None
        raise
    if process.returncode not in expect:
        words = (err or out).strip().splitlines()
        last = words[-1].removeprefix("error: ") if words else "no word"
        if process.returncode == _BAD_USAGE:
            raise BadInput(f"`truegreen {' '.join(arguments)}` refused it: {last}")
        raise Failed(f"`truegreen {' '.join(arguments)}` ended with exit code {process.returncode}: {last}")
    lines = [line for line in out.splitlines() if line.startswith("{")]
    printed: dict[str, Any] = json.loads(lines[-1]) if lines else {}
    return {**printed, "exit_code": process.returncode}


@contextmanager
def stage(
    *,
    time_scale: int,
    slos: list[dict[str, Any]],
    services: tuple[str, ...],
    smoke: Callable[[Mapping[str, str]], list[str]] | None = None,
    more: Callable[[Path, Mapping[str, str]], dict[str, Any]] | None = None,
    collect: Callable[[Path], Sequence[str]] | None = None,
    boards: bool = False,
) -> Iterator[Stage]:
    """Write the configuration, start the collector behind a tap and the pager, and stop everything at the end.

    Args:
        time_scale: windows are divided by it.
        slos, services: those of the configuration.
        smoke: addresses to the command of the smoke suite.
        more: the stage's folder and addresses to further sections of the configuration.
        collect: the stage's folder to further arguments of the collector.
        boards: alerts link to the boards' preview, which `show_boards` starts.
    """
    for name in engines.NAMES:
        engines.require(name)
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="truegreen-demo-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        (folder / "calibration").mkdir()
        (folder / "logs").mkdir()
        supervisor = stack.enter_context(Supervisor(folder / "logs", environment(os.environ)))
        phone = stack.enter_context(pager())
        http, grpc, metrics, prom, alerts = (files.free_address() for _ in range(5))
        addresses = {name: files.free_address() for name in ADDRESSES}
        addresses |= {"boards": files.free_address()} if boards else {}
        config = files.configuration(
            folder,
            slos=slos,
            services=services,
            pager_url=phone.url,
            urls={
                "prometheus_url": f"http://{prom}",
                "alertmanager_url": f"http://{alerts}",
                "collector_url": f"http://{metrics}",
            },
            smoke=smoke(addresses) if smoke else [],
            serve=addresses["response"],
            routes={"dashboard_url": f"http://{addresses['boards']}"} if boards else {},
            more=more(folder, addresses) if more else {},
        )
        collector = supervisor.python(
            "collector",
            "truegreen.core",
            [
                "collect",
                *("--http-endpoint", http, "--grpc-endpoint", grpc, "--metrics-endpoint", metrics),
                *("--scrape-interval", "1s", "--config", str(config), "--calibration", str(folder / "calibration")),
                *(collect(folder) if collect else ()),
            ],
        )
        supervisor.ready(f"http://{metrics}/readyz", collector)
        wire = stack.enter_context(tap(f"http://{http}"))
        on = Stage(folder, time_scale, supervisor, phone, wire, config, http, metrics, prom, alerts, stack, addresses=addresses)
        try:
            yield on
        except Failed:
            supervisor.check()  # an engine that died is the cause: say that, and not what noticed it
            raise


def start_engines(on: Stage, agent: str) -> tuple[str, str]:
    """Generate everything, start Alertmanager and Prometheus with it; their versions.

    Args:
        on: the stage.
        agent: HOST:PORT of the agent's own metrics, empty when there is no agent; with one, the watch is scraped too.
    """
    truegreen(on, "generate", "all", "--out", str(on.folder / "generated"), "--time-scale", str(on.time_scale))
    routes = on.folder / "generated" / "rules" / "alertmanager.yml"
    config = files.prometheus(
        on.folder,
        collector=on.collector_metrics,
        agent=agent,
        watch=on.addresses["watch"] if agent else "",
        alertmanager=on.alertmanager_address,
        time_scale=on.time_scale,
    )
    for context in (
        engines.alertmanager(routes, on.folder / "alertmanager", port=_port(on.alertmanager_address)),
        engines.prometheus(config, on.folder / "prometheus", port=_port(on.prometheus_address), args=(_EXEMPLARS,)),
    ):
        engine = on.stack.enter_context(context)
        on.engines.append(engine)
        on.supervisor.others.append(engine.check)
    return _version("prometheus"), _version("alertmanager")


def show_boards(on: Stage) -> str:
    """Start the boards' preview on the demo's Prometheus; its address."""
    url = f"http://{on.addresses['boards']}"
    words = ["--prometheus-url", f"http://{on.prometheus_address}", "--port", str(_port(on.addresses["boards"]))]
    process = on.supervisor.python(
        "boards",
        "truegreen.core",
        ["dashboard", "preview", *words, "--time-scale", str(on.time_scale), "--config", str(on.config)],
    )
    on.supervisor.ready(f"{url}/boards.json", process)
    return url


def wait(on: Stage, seconds: float, each: Callable[[float], None] | None = None) -> None:
    """Let `seconds` of wall clock pass while watching the processes; `each` hears what is left."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        on.supervisor.check()
        if each:
            each(left)
        time.sleep(min(0.25, left))


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])


def _version(name: str) -> str:
    done = subprocess.run([str(engines.require(name)), "--version"], capture_output=True, text=True, check=False, timeout=20)
    words = (done.stdout + done.stderr).split()
    return words[words.index("version") + 1].partition("+")[0].rstrip(",") if "version" in words else "?"
