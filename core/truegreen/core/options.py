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


def per_second(things: str) -> Callable[[click.Context, click.Parameter, str | None], float | None]:
    """What reads `--rate`: `things` a second, above 0, from `50` or `50/s`; None where it is not given."""

    def read(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
        if value is None:
            return None
        try:
            rate = float(value.removesuffix("/s"))
        except ValueError:
            rate = 0.0
        if not 0 < rate < float("inf"):
            raise click.BadParameter(f"found {value!r}, write a number of {things} a second such as 50/s", ctx, param)
        return rate

    return read


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--json`; the command receives `as_json` and prints JSON alone on standard output when it is set."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")(command)
