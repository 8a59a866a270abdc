"""Events and questions sorted into cohorts: by a key of labelled files, by the clock, by the type of a question."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from truegreen.core.errors import BadInput
from truegreen.evaluation import files
from truegreen.evaluation.baselines import profiles, store
from truegreen.evaluation.cohorts.types import Types
from truegreen.evaluation.embedding import LEXICAL
from truegreen.evaluation.progress import shown

WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_BASELINE: Final = ".baseline.json"

Sorted = dict[str, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Questions:
    """Vectors of questions, the template of each, what made them, and what the reader should know."""

    vectors: Sequence[Sequence[float]]
    templates: Sequence[str]
    embedder: str
    notes: list[str] = field(default_factory=list)


def by_clock(hours: Iterable[tuple[float, float, float]], label: str) -> Sorted:
    """Hours (their ends, events, bad events) by the hour of the day or the day of the week, UTC."""
    found: Sorted = {}
    for end, events, bad in hours:
        began = datetime.fromtimestamp(end - 3_600, UTC)
        _add(found, f"{began:%H}:00" if label == "hour" else WEEKDAYS[began.weekday()], events, bad)
    return found


def labelled(paths: Sequence[Path], key: str, types: Types | None) -> tuple[Sorted, list[str]]:
    """Labelled answers of replay files by a key of theirs, or by the type of their question.

    Raises:
        BadInput: no line is labelled or has the key, or the types are another embedder's than one that can be used here.
    """
    name, embed = profiles.embedder(profiles.MINILM if types and types.embedder != LEXICAL else profiles.LEXICAL)
    if types and types.embedder != name:
        raise BadInput(
            f"--types: made with {types.embedder}, which is not here; write the types anew with `truegreen cohort types`"
        )
    found: Sorted = {}
    notes: list[str] = []
    unlabelled = without = 0
    for path in paths:
        broken = files.Broken()
        for record in shown(files.read_replay(path, broken), "sort", None):
            value = (
                types.of(embed([record.query])[0])
                if types
                else getattr(record, key, None)
                if key == "model"
                else record.extra.get(key)
            )
            if record.wrong is None or value is None:
                unlabelled, without = unlabelled + (record.wrong is None), without + (value is None)
                continue
            _add(found, str(value), 1.0, float(record.wrong))
        notes += files.broken_lines(broken)
    if not found:
        raise BadInput(
            f"{paths[0]}: no labelled line (`y`) has the key {key!r}; write --by with a key that the lines have, or --types"
        )
    notes += [f"{unlabelled} lines without a label left out"] if unlabelled else []
    notes += [f"{without} lines without {key} left out"] if without else []
    return found, notes


def questions(paths: Sequence[Path], embedder: str) -> Questions:
    """The questions of replay files, or those that frozen baselines kept.

    Raises:
        BadInput: files of both kinds, baselines of different embedders, or no question at all.
    """
    frozen = [path for path in paths if path.name.endswith(_BASELINE)]
    if frozen and len(frozen) != len(paths):
        raise BadInput("FILES: found baselines and replay files; write one kind")
    made = _of_baselines(frozen) if frozen else _of_records(paths, embedder)
    if not made.vectors:
        raise BadInput(f"{paths[0]}: there is no question in it")
    return made


def _of_baselines(paths: Sequence[Path]) -> Questions:
    vectors: list[Sequence[float]] = []
    templates: list[str] = []
    names: set[str] = set()
    for path in paths:
        for profile in store.load(str(path.parent), path.name).profiles:
            vectors += profile.query_vectors
            templates += [profile.template] * len(profile.query_vectors)
            names |= {profile.embedder} if profile.query_vectors else set()
    if len(names) > 1:
        raise BadInput(f"FILES: the vectors are of different embedders ({', '.join(sorted(names))}); write baselines of one")
    return Questions(vectors, templates, next(iter(names), ""))


def _of_records(paths: Sequence[Path], embedder: str) -> Questions:
    name, embed = profiles.embedder(embedder)
    notes: list[str] = []
    vectors: list[Sequence[float]] = []
    templates: list[str] = []
    for path in paths:
        broken = files.Broken()
        for record in shown(files.read_replay(path, broken), "sketch", None):
            vectors += embed([record.query])
            templates.append(str(record.extra.get(profiles.TEMPLATE_KEY, profiles.UNKNOWN)))
        notes += files.broken_lines(broken)
    return Questions(vectors, templates, name, notes)


def _add(found: Sorted, name: str, events: float, bad: float) -> None:
    known = found.get(name, (0.0, 0.0))
    found[name] = (known[0] + events, known[1] + bad)
