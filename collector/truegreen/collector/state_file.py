"""A small file of the gauges that a restart would lose, such as when a snapshot came up. Label values and numbers; counters start at 0 anew."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from math import isfinite
from pathlib import Path
from typing import Any, Final

from truegreen.collector.state import Family, Store
from truegreen.core.errors import Failed
from truegreen.core.words.catalogue_check import SPAN_SOURCES

VERSION: Final = 1
FORMAT: Final = "truegreen_collector_state"
LARGEST: Final = 64 * 1024 * 1024
"""Bytes that are read; 20,000 series with the longest labels are 40 MB."""
WRITE_SECONDS: Final = 10.0
"""How often the file is written while the collector runs, at most, or each scrape interval where that is longer: what a crash loses."""


def text(store: Store) -> str:
    """What the file says now."""
    gauges = {
        family.metric.prometheus: {
            "labels": family.metric.labels,
            "series": [[labels, *cell] for labels, cell in family.cells.items() if isfinite(cell[0])],
        }
        for family in _kept(store)
        if family.cells
    }
    return (
        json.dumps({FORMAT: VERSION, "written": store.clock(), "gauges": gauges}, ensure_ascii=False, separators=(",", ":"))
        + "\n"
    )


def write(path: Path, content: str) -> None:
    """Put a whole new file in the place of the old one: a crash leaves the one or the other.

    Raises:
        OSError: the folder cannot be written, or the disk is full; the old file is as it was.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def restore(path: Path, store: Store, say: Callable[[str], None]) -> None:
    """Take up what the file says, and write it back, so that a place that cannot be written is known at once.

    A file that is not understood is kept beside, under another name, and said.

    Args:
        say: told how many gauges were taken up, or what is wrong with the file.

    Raises:
        Failed: the place cannot be read or written.
    """
    try:
        if path.exists():
            said = _taken(path, store)
            say(f"state: {said}")
        write(path, text(store))
    except OSError as error:
        raise Failed(
            f"--state: {path}: {error.strerror or error}; write a file in a folder that the collector may write"
        ) from None


async def keep(path: Path, store: Store, say: Callable[[str], None]) -> None:
    """Write the file every scrape interval, at most each 10 s, until cancelled, and then once more.

    Args:
        say: told once of a file that cannot be written, until it can be again.
    """
    good = True
    writing: asyncio.Future[bool] | None = None
    try:
        while True:
            await asyncio.sleep(max(WRITE_SECONDS, store.interval))
            writing = asyncio.ensure_future(asyncio.to_thread(_written, path, text(store), say, good))
            good = await asyncio.shield(writing)
    finally:
        if writing and not writing.done():  # else the older one could be the last
            good = await writing
        _written(path, text(store), say, good)


def _written(path: Path, content: str, say: Callable[[str], None], good: bool) -> bool:
    try:
        write(path, content)
    except OSError as error:
        if good:
            say(f"state: {path} cannot be written: {error.strerror or error}; the file before it is as it was")
        return False
    return True


def _taken(path: Path, store: Store) -> str:
    try:
        data, version = _read(path)
        if version > VERSION:
            beside = _beside(path, f"version-{version}")
            return f"{path} is of version {version} and this collector reads {VERSION}: begun anew, the file is now {beside}"
        written, found = float(data["written"]), list(_series(data["gauges"], store))
    except (ValueError, ArithmeticError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return f"{path} is broken ({type(error).__name__}): begun anew, the file is now {_beside(path, 'broken')}"
    for family, labels, value, seen in found:
        identity = store.identity(*labels[:2])
        store.admit(family.metric, *identity, labels[2:])[:] = [value, min(seen, store.clock())]
    return f"{len(found)} gauges of {path} taken up, {max(0.0, store.clock() - written):.0f} s old"


def _read(path: Path) -> tuple[dict[str, Any], int]:
    if path.stat().st_size > LARGEST:
        raise ValueError("too large")
    data = json.loads(path.read_text("utf-8"))
    version = data[FORMAT]
    if not isinstance(version, int) or version < 1:
        raise ValueError("version")
    return data, version


def _series(gauges: dict[str, Any], store: Store) -> Iterator[tuple[Family, tuple[str, ...], float, float]]:
    known = {family.metric.prometheus: family for family in _kept(store)}
    for name, given in gauges.items():
        family = known.get(name)
        if family is None or tuple(given["labels"]) != family.metric.labels:
            continue  # of a metric that is no more, or has other labels now
        for labels, value, seen in given["series"]:
            if len(labels) != len(family.metric.labels) or not all(isinstance(label, str) for label in labels):
                raise ValueError("labels")
            "".join(labels).encode()  # half a character is read and cannot be written back
            if not (isfinite(value) and isfinite(seen)):
                raise ValueError("not finite")
            yield family, tuple(labels), float(value), float(seen)


def _kept(store: Store) -> Iterator[Family]:
    for family in store.families.values():
        metric = family.metric
        if metric.kind == "gauge" and metric.source in SPAN_SOURCES and metric.keep in ("", "since"):
            yield family


def _beside(path: Path, word: str) -> Path:
    return path.replace(path.with_name(f"{path.name}.{word}"))
