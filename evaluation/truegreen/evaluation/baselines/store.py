"""Frozen baselines in a folder: dated, named by their digest, never overwritten; a broken one is named and kept."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from truegreen.core.errors import BadInput
from truegreen.core.words.calibration import file_name
from truegreen.evaluation.baselines import places, serial, sketches
from truegreen.evaluation.model import FrozenBaseline, Profile

LARGE: Final = 50_000
"""Numbers in the sketches of one baseline: from here on they are a Parquet file beside the JSON."""
_BASELINE: Final = ".baseline.json"
_CHOICE: Final = ".choice.json"
_TIME: Final = "%Y%m%dT%H%M%SZ"


def save(address: str, frozen: FrozenBaseline) -> str:
    """Keep a baseline; its name, by which `load` finds it.

    Args:
        address: a local folder, or what fsspec knows, such as `s3://bucket/baselines`.

    Raises:
        BadInput: a file of that name is there and is broken; it is left as it is.
        Failed: the place cannot be written.
    """
    frozen = replace(frozen, profiles=tuple(map(_rounded, frozen.profiles)))
    digest = serial.digest(frozen)
    name = f"{_head(frozen.service, frozen.environment)}{_stamp(frozen.taken)}__{digest}{_BASELINE}"
    data = {**serial.to_data(frozen), "digest": digest}
    sketch = ""
    if sum(len(row) for one in frozen.profiles for rows in serial.SKETCHES for row in getattr(one, rows)) > LARGE:
        sketch = name.removesuffix(_BASELINE) + ".parquet"
        data["sketches"] = sketch
        for one in data["profiles"]:
            for rows in serial.SKETCHES:
                del one[rows]
    made = not sketch or places.create(address, sketch, sketches.to_parquet(frozen.profiles))
    text = json.dumps(data, sort_keys=True, ensure_ascii=False, indent=1 if sketch else None, allow_nan=False) + "\n"
    if not places.create(address, name, text.encode()) or not made:
        load(address, name)  # the same digest: the same baseline, or a broken file
    return name


def load(address: str, name: str) -> FrozenBaseline:
    """Read a baseline.

    Raises:
        BadInput: there is none of that name, or it is broken: the message names the file, which is kept.
        Failed: it cannot be read.
    """
    where = places.at(address, name)
    try:
        return _decoded(address, name, where, places.read(address, name))
    except serial.SerialError as error:
        raise BadInput(f"{error}; the file is kept, take a new baseline beside it") from None
    except (ValueError, RecursionError) as error:
        said = f"{error}".splitlines()[0][:120]
        raise BadInput(f"{where}: not JSON ({said}); the file is kept, take a new baseline beside it") from None


def names(address: str, service: str | None = None, environment: str | None = None) -> list[str]:
    """The names of the baselines of a place, of one service and environment where both are given; the oldest first, by their dates.

    Raises:
        Failed: the place cannot be read.
    """
    head = "" if service is None or environment is None else _head(service, environment)
    found = [name for name in places.listed(address) if name.endswith(_BASELINE) and name.startswith(head)]
    return sorted(found, key=lambda name: (re.findall(r"__(\d{8}T\d{6}Z)__", name)[-1:], name))


def choose(address: str, name: str, now: datetime) -> str:
    """Say that a baseline is the one to compare with; the name of the note of it. Earlier choices stay beside it.

    Raises:
        BadInput: there is no such baseline, or it is broken.
    """
    frozen = load(address, name)
    note = f"{_head(frozen.service, frozen.environment)}{_stamp(now.isoformat())}{_CHOICE}"
    text = json.dumps({"baseline": name, "chosen": now.isoformat(timespec="seconds")}) + "\n"
    if not places.create(address, note, text.encode()):
        raise BadInput(f"{places.at(address, note)}: another baseline was chosen in this second; choose again")
    return note


def chosen(address: str, service: str, environment: str) -> str | None:
    """The name of the baseline to compare with: the one that was chosen last, else the oldest; None where there is none.

    Never the newest of itself: a baseline that moves along absorbs the drift that it should show.

    Raises:
        BadInput: the last choice cannot be read.
    """
    head = _head(service, environment)
    notes = sorted(name for name in places.listed(address) if name.endswith(_CHOICE) and name.startswith(head))
    if not notes:
        return next(iter(names(address, service, environment)), None)
    try:
        return str(json.loads(places.read(address, notes[-1]))["baseline"])
    except (ValueError, KeyError, TypeError):
        raise BadInput(f"{places.at(address, notes[-1])}: is no choice of a baseline; the file is kept, choose again") from None


def _rounded(profile: Profile) -> Profile:
    style, answers, queries = (serial.rounded(getattr(profile, name)) for name in serial.SKETCHES)
    return replace(profile, style=style, answer_vectors=answers, query_vectors=queries)


def _decoded(address: str, name: str, where: str, raw: bytes) -> FrozenBaseline:
    data = json.loads(raw)
    if isinstance(data, dict) and data.get("sketches"):
        sketch = name.removesuffix(_BASELINE) + ".parquet"
        try:
            content = places.read(address, sketch)
        except BadInput as error:
            raise BadInput(f"{error}, and {name} needs it; put it back beside that, or take a new baseline") from None
        sketches.put_back(data, content, places.at(address, sketch))
    frozen = serial.from_data(data, where)
    found, made = data.get("digest"), serial.digest(frozen)
    if found != made:
        raise serial.SerialError(f"{where}: digest: found {found!r:.40}, the content gives {made!r}: the file was edited")
    return frozen


def _head(service: str, environment: str) -> str:
    return file_name(service, environment, "").removesuffix(".json")


def _stamp(moment: str) -> str:
    taken = datetime.fromisoformat(moment)
    return (taken if taken.tzinfo else taken.replace(tzinfo=UTC)).astimezone(UTC).strftime(_TIME)
