"""What a provider announced, from the file of `truegreen provider changes`, as metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from truegreen.collector.state import Store
from truegreen.core.errors import BadInput
from truegreen.core.words import catalogue
from truegreen.core.words.metric import Metric
from truegreen.evaluation.provider import store as changes
from truegreen.evaluation.provider.model import Entry

MOST: Final = 500
"""Pairs of provider and model, the newest ones: the label's limit."""
UNNAMED: Final = "unnamed"
"""The model of an entry that names none: an empty label is no label to Prometheus."""

Labels = tuple[str, str]


def expose(path: Path | None, store: Store, read: dict[Path, float], say: Callable[[str], None]) -> None:
    """Set the gauges from a file that is new or changed; a file that cannot be read leaves them as they are.

    Args:
        read: files already read and their mtime; updated here.
        say: told of a file that cannot be used, once for each state of it.
    """
    if path is None:
        return
    try:
        changed = path.stat().st_mtime
        if read.get(path) == changed:
            return
        read[path] = changed
        entries = changes.read(path)
    except FileNotFoundError:
        return
    except (BadInput, OSError) as error:
        say(f"changes of the provider ignored: {error}")
        return
    announced, stops = gauges(entries)
    _set(store, catalogue.PROVIDER_CHANGE_TIMESTAMP, announced)
    _set(store, catalogue.PROVIDER_DEPRECATION_TIMESTAMP, stops)


def gauges(entries: Iterable[Entry]) -> tuple[Mapping[Labels, float], Mapping[Labels, float]]:
    """When each model was last spoken of, and when it stops; the newest entry that gives a date wins."""
    announced: dict[Labels, float] = {}
    stops: dict[Labels, float] = {}
    for entry in sorted(entries, key=lambda one: (-one.time, one.id)):
        for model in entry.models or (UNNAMED,):
            pair = (entry.provider[: catalogue.VALUE_LENGTH], model[: catalogue.VALUE_LENGTH])
            if len(announced) < MOST:
                announced.setdefault(pair, entry.time)
            if entry.retires is not None and model != UNNAMED and len(stops) < MOST:
                stops.setdefault(pair, entry.retires)
    return announced, stops


def _set(store: Store, metric: Metric, values: Mapping[Labels, float]) -> None:
    cells = store.families[metric.prometheus].cells
    for pair in set(cells) - set(values):
        del cells[pair]
    for pair, value in values.items():
        store.cell(metric, pair, hold=False)[0] = value
