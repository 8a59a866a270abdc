"""What the shop's team has deployed: which build of the index serves, and which version of the guardrail; one JSON file.

`python -m truegreen.demo.world.shelf show index --file F`, and `put index VERSION --file F [--dry-run]`: the ways back that an incident takes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

import click

from truegreen.demo import corpus
from truegreen.demo.world import guard

VARIABLE: Final = "DEMO_SHELF"
"""Names the file for the agent; without it the newest good versions serve."""
EVERY: Final = 8
"""The rebuild that stopped early has one passage in so many."""


@cache
def indexes() -> Mapping[str, corpus.Index]:
    """The builds of the index by version: the whole one, and one whose rebuild stopped early: a third of the questions find nothing."""
    loaded = corpus.load()
    return MappingProxyType({loaded.digest: corpus.index(loaded.passages), _rest(): corpus.index(loaded.passages[::EVERY])})


def _rest() -> str:
    return corpus.digest(corpus.load().passages[::EVERY])


def versions(component: str) -> tuple[str, str]:
    """The good version and the bad one of `index` or `guardrail`."""
    return (corpus.load().digest, _rest()) if component == "index" else guard.VERSIONS


def put(path: Path, component: str, version: str) -> None:
    """Let a version serve; the file is replaced whole."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(json.dumps({**_read(path), component: version}), "utf-8")
    beside.replace(path)


def reader(path: Path | None) -> Callable[[str], str]:
    """Component to the version that serves now; the file is read again when it was replaced."""
    kept: dict[str, object] = {"at": None, "data": {}}

    def serving(component: str) -> str:
        try:
            at = path.stat().st_mtime_ns if path else None
            if at is not None and at != kept["at"]:
                kept.update(at=at, data=_read(path) if path else {})
        except OSError:
            pass
        data = kept["data"]
        return str(data.get(component) or versions(component)[0]) if isinstance(data, dict) else versions(component)[0]

    return serving


def _read(path: Path) -> dict[str, str]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}


@click.group()
def main() -> None:
    """The team's own deployment."""


@main.command()
@click.argument("component", type=click.Choice(["index", "guardrail"]))
@click.option("--file", "path", type=click.Path(path_type=Path), required=True)
def show(component: str, path: Path) -> None:
    """Print the version that serves."""
    click.echo(reader(path)(component))


@main.command("put")
@click.argument("component", type=click.Choice(["index", "guardrail"]))
@click.argument("version")
@click.option("--file", "path", type=click.Path(path_type=Path), required=True)
@click.option("--dry-run", is_flag=True)
def put_command(component: str, version: str, path: Path, dry_run: bool) -> None:
    """Let a version serve."""
    known, version = versions(component), version.rpartition(f"{corpus.NAME}@")[2]
    if version not in known:
        raise click.ClickException(f"{component}: there is no version {version}; there are {', '.join(known)}")
    if not dry_run:
        put(path, component, version)
    click.echo(f"{component} {version} {'can serve' if dry_run else 'serves'}")


if __name__ == "__main__":
    main()
