"""Finds and starts a real Prometheus or Alertmanager on the loopback, and asks promtool and amtool."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from truegreen.core.clients.processes import LOOPBACK, READY_SECONDS, Engine, free_port, last_words, served
from truegreen.core.errors import Failed

__all__ = [
    "BUILT",
    "NAMES",
    "Engine",
    "alertmanager",
    "amtool_check",
    "check_config",
    "check_rules",
    "find",
    "free_port",
    "last_words",
    "missing_help",
    "prometheus",
    "require",
    "test_rules",
]

NAMES: Final = ("prometheus", "promtool", "alertmanager", "amtool")
BUILT: Final = {
    "otelcol": "otelcol",
    "weaviate-server": "weaviate",
    **dict.fromkeys(("chromium", "chromedriver"), "browser"),
    "grafana-data": "grafana-data",
    "temporal-test-server": "temporal",
    **dict.fromkeys(("promtool3", "prometheus3", "vmalert", "victoria-metrics", "amtool34", "alertmanager34"), "rule-engines"),
}
"""Programs of tests alone, and the target of the Makefile that builds or installs them."""
FOLDER_VARIABLE: Final = "TRUEGREEN_ENGINES"
TOOL_SECONDS: Final = 120.0
_ON_PATH: Final = {"alertmanager": ("alertmanager", "prometheus-alertmanager")}  # Debian has its own name for it.
_PACKAGES: Final = {"prometheus": "prometheus", "promtool": "prometheus"}


def find(name: str, environ: Mapping[str, str] = os.environ, start: Path | None = None) -> Path | None:
    """Where the program `name` (one of `NAMES` or `BUILT`) is; None when there is none.

    Looked at in this order: the folder named by TRUEGREEN_ENGINES, `.engines/bin` in or above `start` (default: the current
    directory), `.engines/bin` of the checkout that this package comes from, PATH.
    """
    folders = [Path(environ[FOLDER_VARIABLE])] if environ.get(FOLDER_VARIABLE) else []
    for origin in (start or Path.cwd(), Path(__file__).parent):
        here = origin.resolve()
        folders += [folder / ".engines" / "bin" for folder in (here, *here.parents)]
    names = _ON_PATH.get(name, (name,))
    for folder in folders:
        for candidate in names:
            path = folder / candidate
            if path.is_file() and os.access(path, os.X_OK):
                return path.absolute()
    for candidate in names:
        if found := shutil.which(candidate, path=environ.get("PATH", "")):
            return Path(found)
    return None


def missing_help(name: str) -> str:
    """One line: the program `name` is not there, and how to get it."""
    if name in BUILT:
        needs = {"browser": "root and apt", "grafana-data": "Node"}.get(BUILT[name], "Go")
        return f"{name} was not found: run `make {BUILT[name]}` in a checkout (needs {needs}), or name its folder with {FOLDER_VARIABLE}"
    package = _PACKAGES.get(name, "alertmanager")
    debian = package if package == "prometheus" else f"prometheus-{package}"
    return (
        f"{name} was not found: run `make engines` in a checkout, or install it (Debian: apt-get install {debian}; "
        f"macOS: brew install {package}), or name its folder with {FOLDER_VARIABLE}"
    )


def require(name: str) -> Path:
    """As `find`; raises `Failed` with `missing_help` when the program is not there."""
    path = find(name)
    if path is None:
        raise Failed(missing_help(name))
    return path


@contextmanager
def prometheus(
    config: Path,
    data: Path,
    port: int | None = None,
    args: Sequence[str] = (),
    name: str = "prometheus",
    seconds: float = READY_SECONDS,
) -> Iterator[Engine]:
    """A Prometheus that is ready, ended when the block is left.

    Args:
        config: its configuration file; `reload()` reads it again.
        data: a folder of its own, made when missing: the database and `prometheus.log`.
        port: the loopback port; None for a free one.
        args: more of its flags.
        name: the program; `prometheus3` for a newer one.
        seconds: how long it may take to get ready, reading its data and rules.

    Raises:
        Failed: no such program, port in use, or it ended at the start (with its last words).
    """
    program = require(name)

    def command(chosen: int) -> list[str]:
        return [
            str(program),
            f"--config.file={config}",
            f"--storage.tsdb.path={data / 'tsdb'}",
            f"--web.listen-address={LOOPBACK}:{chosen}",
            "--web.enable-lifecycle",
            *args,
        ]

    with served("prometheus", command, data, port, seconds=seconds) as engine:
        yield engine


@contextmanager
def alertmanager(
    config: Path, data: Path, port: int | None = None, args: Sequence[str] = (), name: str = "alertmanager"
) -> Iterator[Engine]:
    """An Alertmanager that is ready, without clustering, ended when the block is left; arguments and errors as `prometheus`."""
    program = require(name)

    def command(chosen: int) -> list[str]:
        return [
            str(program),
            f"--config.file={config}",
            f"--storage.path={data / 'state'}",
            f"--web.listen-address={LOOPBACK}:{chosen}",
            "--cluster.listen-address=",
            *args,
        ]

    with served("alertmanager", command, data, port) as engine:
        yield engine


def check_rules(paths: Sequence[Path]) -> str:
    """What `promtool check rules` says; raises `Failed` with its words when a rule is refused."""
    return _tool("promtool", "check", "rules", *map(str, paths))


def test_rules(paths: Sequence[Path]) -> str:
    """What `promtool test rules` says; raises `Failed` with its words when a test does not pass."""
    return _tool("promtool", "test", "rules", *map(str, paths))


def check_config(path: Path) -> str:
    """What `promtool check config` says; raises `Failed` with its words when the configuration is refused."""
    return _tool("promtool", "check", "config", str(path))


def amtool_check(path: Path) -> str:
    """What `amtool check-config` says; raises `Failed` with its words when the configuration is refused."""
    return _tool("amtool", "check-config", str(path))


def _tool(name: str, *arguments: str) -> str:
    command = [str(require(name)), *arguments]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=TOOL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"{name} {' '.join(arguments)} did not end within {TOOL_SECONDS:.0f} s") from None
    except OSError as error:
        raise Failed(f"{command[0]} cannot be run: {error.strerror}") from None
    output = (done.stdout + done.stderr).strip()
    if done.returncode != 0:
        raise Failed(f"{name} {' '.join(arguments)} refuses (code {done.returncode}):\n{output}")
    return output
