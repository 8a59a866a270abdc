"""`truegreen generate`: runs the generators of all plugins and writes, or checks, what they make."""

from __future__ import annotations

import difflib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import click

from truegreen.core.config import Config, load
from truegreen.core.errors import BadInput, Failed
from truegreen.core.options import config_option, json_option
from truegreen.core.words.shapes import Generated

GROUP = "truegreen_generator"
VOLUME_GROUP = "truegreen_generator_volume"
"""Generator to a function of a configuration and a Prometheus address: sentences about what is generated, at the volume that is there."""
MARK = "Written by `truegreen generate"
"""In the first line of what we write, where the format has comments."""
LARGEST_TIME_SCALE = 60
"""With a scrape a second, a 5-minute window at 1/60 holds five samples; smaller ones cannot be counted."""

Generator = Callable[[Config, int], Generated]


def generators() -> dict[str, EntryPoint]:
    """The generators that are installed, by name."""
    return {point.name: point for point in sorted(entry_points(group=GROUP), key=lambda p: p.name)}


def generated(name: str, config: Config, time_scale: int) -> Mapping[str, Generated]:
    """What one generator, or `all`, makes; the folder below the output folder to its files ("" for one alone).

    Raises:
        BadInput: no such generator, or the configuration cannot be generated from.
        Failed: the generator's packages are not installed.
    """
    found = generators()
    if name == "all":
        return {each: _load(point)(config, time_scale) for each, point in found.items()}
    if name not in found:
        raise BadInput(f"generate: there is no {name}; write one of {', '.join([*found, 'all'])}")
    return {"": _load(found[name])(config, time_scale)}


def leftover(out: Path, files: Mapping[str, str]) -> list[Path]:
    """Files of ours beside the ones that would be written that are not generated any more: Prometheus may still load them."""
    folders = {(out / name).parent for name in files}
    wanted = {out / name for name in files}
    return [
        path
        for folder in sorted(folders)
        for path in sorted(folder.iterdir() if folder.is_dir() else ())
        if path not in wanted and path.is_file() and _ours(path)
    ]


def _ours(path: Path) -> bool:
    with path.open(encoding="utf-8", errors="replace") as file:
        return MARK in file.readline(1_000)


def stale(out: Path, files: Mapping[str, str]) -> str:
    """A unified diff from what lies in `out` to what would be written; empty when they are equal."""
    parts: list[str] = []
    for name, text in files.items():
        path = out / name
        old = path.read_text("utf-8", "replace") if path.is_file() else ""
        if old != text:
            parts += difflib.unified_diff(old.splitlines(True), text.splitlines(True), str(path), f"{path} (generated)")
    return "".join(parts)


def write(out: Path, files: Mapping[str, str]) -> None:
    """Write all files, each in one step, after all of them could be written: a full disk leaves the old ones whole.

    Raises:
        Failed: a folder lies where a file belongs.
    """
    folders = [str(out / name) for name in files if (out / name).is_dir()]
    if folders:
        raise Failed(f"{', '.join(folders)}: a folder lies where a file belongs; remove it, or write elsewhere with --out")
    staged: list[tuple[str, Path]] = []
    try:
        for name, text in files.items():
            path = out / name
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
            staged.append((temporary, path))
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            Path(temporary).chmod(0o644)
        for temporary, path in staged:
            Path(temporary).replace(path)
    finally:
        for temporary, _ in staged:
            Path(temporary).unlink(missing_ok=True)


@click.command()
@click.argument("name", metavar="rules|dashboards|collector|app|all")
@click.option("--out", required=True, metavar="DIR", type=click.Path(path_type=Path, file_okay=False), help="Folder to write to.")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 with the diff when the files in DIR are stale.")
@click.option(
    "--time-scale", default=1, metavar="N", help="Divide every window by N (1 to 60), for demonstrations.", show_default=True
)
@click.option(
    "--prometheus-url",
    metavar="URL",
    help="Ask this Prometheus whether live SLOs can page at their real volume; what is written does not depend on it.",
)
@config_option
@json_option
def generate(
    name: str, out: Path, check: bool, time_scale: int, prometheus_url: str | None, config_path: Path | None, as_json: bool
) -> None:
    """Write rules, routes, boards, collector and app configuration from truegreen.yaml. Nothing is written unless all of it is valid."""
    if not 1 <= time_scale <= LARGEST_TIME_SCALE:
        raise BadInput(f"--time-scale: found {time_scale}; write a whole number from 1 to {LARGEST_TIME_SCALE}")
    config = load(config_path, os.environ)
    made = generated(name, config, time_scale)
    volumes = at_volume(name, config, prometheus_url) if prometheus_url else []
    files = {str(Path(folder) / file): text for folder, one in made.items() for file, text in one.files.items()}
    difference = stale(out, files) if check else ""
    left = leftover(out, files)
    if not check:
        write(out, files)
    if as_json:
        figures: dict[str, Any] = {folder or name: dict(one.figures) for folder, one in made.items()}
        click.echo(
            json.dumps(
                {
                    "out": str(out),
                    "files": sorted(files),
                    "stale": bool(difference or (check and left)),
                    "leftover": [str(p) for p in left],
                    "volumes": volumes,
                    "figures": figures,
                },
                default=str,
            )
        )
    elif not check:
        for file in sorted(files):
            click.echo(f"{click.style('wrote', fg='green')} {out / file}")
        for one in made.values():
            for line in one.statement:
                click.echo(line)
        for line in [*volumes, *(f"{path} is not generated any more: remove it" for path in left)]:
            click.echo(line)
    if difference and not as_json:
        click.echo(difference, nl=False)
    wrong = [f"files in {out} are stale; run: truegreen generate {name} --out {out}"] if difference else []
    wrong += [f"not generated any more, remove: {', '.join(map(str, left))}"] if check and left else []
    if wrong:
        raise Failed("; ".join(wrong))


def at_volume(name: str, config: Config, url: str) -> list[str]:
    """What the generators named say of the volume that the Prometheus at `url` has seen.

    Raises:
        BadInput: what is asked for cannot work at that volume.
        Failed: Prometheus does not answer.
    """
    said: list[str] = []
    for point in sorted(entry_points(group=VOLUME_GROUP), key=lambda p: p.name):
        if name in {point.name, "all"}:
            said += _load(point)(config, url)
    return said


def _load(point: EntryPoint) -> Callable[..., Any]:
    try:
        loaded: Callable[..., Any] = point.load()
    except ModuleNotFoundError as error:
        raise Failed(f"`generate {point.name}` needs the package {error.name}; run: pip install 'truegreen[generate]'") from None
    return loaded
