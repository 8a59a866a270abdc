"""The options that every command has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click


def config_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--config FILE`; the command receives `config_path`, None when neither the option nor `TRUEGREEN_CONFIG` names a file."""
    return click.option(
        "--config", "config_path", metavar="FILE", envvar="TRUEGREEN_CONFIG", type=click.Path(path_type=Path, dir_okay=False),
        help="truegreen.yaml (default: ./truegreen.yaml where it exists).",
    )(command)  # fmt: skip


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--json`; the command receives `as_json` and prints JSON alone on standard output when it is set."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")(command)
