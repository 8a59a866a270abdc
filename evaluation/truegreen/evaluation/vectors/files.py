"""Vectors in a folder: for each group a file of rows of one size, the newest 10,000 to 20,000, and one that says whose they are."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from truegreen.core.errors import BadInput, Failed
from truegreen.evaluation.vectors.model import MOST, Group, Near, Row

_TIME: Final = 8


class Files:
    """A folder; one process writes to it.

    Args:
        folder: made when the first row is kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, group: Group, rows: Sequence[Row]) -> None:
        """Keep rows at the end of the group's file; of more than 20,000 the older half leaves.

        Raises:
            BadInput: the rows are of another size than those that are there, or the file is broken.
            Failed: the folder cannot be written.
        """
        if not rows:
            return
        size = len(rows[0].vector)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            there = self._read(group, size)
            known = {(row["time"], row["vector"].tobytes()) for row in there[-MOST:]}
            made = np.array([(row.time, row.vector) for row in rows], dtype=_dtype(size))
            new = made[[(row["time"], row["vector"].tobytes()) not in known for row in made]]
            if not (about := self._path(group, "json")).exists():
                about.write_text(json.dumps({**asdict(group), "size": size}) + "\n", encoding="utf-8")
            path = self._path(group, "f32")
            if len(there) + len(new) > 2 * MOST:
                whole = np.concatenate((there, new))[-MOST:]
                beside = path.with_suffix(".new")
                beside.write_bytes(whole.tobytes())
                beside.replace(path)
                return
            with path.open("ab") as file:
                os.ftruncate(file.fileno(), len(there) * _dtype(size).itemsize)  # a row that a crash cut short
                file.write(new.tobytes())
        except OSError as error:
            raise Failed(f"{self._folder}: vectors cannot be kept: {error.strerror or type(error).__name__}") from None

    def nearest(self, group: Group, vector: Sequence[float], many: int) -> list[Near]:
        """The nearest rows by cosine."""
        rows = self._read(group, len(vector))
        asked = np.array(vector, dtype=np.float32)
        lengths = np.linalg.norm(rows["vector"], axis=1) * np.linalg.norm(asked)
        alike = np.divide(rows["vector"] @ asked, lengths, out=np.zeros(len(rows), dtype=np.float32), where=lengths > 0)
        order = np.argsort(-alike, kind="stable")[:many]
        return [Near(Row(float(rows[at]["time"]), tuple(map(float, rows[at]["vector"]))), float(alike[at])) for at in order]

    def centroid(self, group: Group) -> tuple[float, ...]:
        """The mean of the newest rows."""
        rows = self._read(group)[-MOST:]
        return tuple(map(float, rows["vector"].mean(axis=0, dtype=float))) if len(rows) else ()

    def count(self, group: Group) -> int:
        """How many rows there are."""
        return len(self._read(group))

    def close(self) -> None:
        """Nothing is held."""

    def _path(self, group: Group, kind: str) -> Path:
        return self._folder / f"{group.key}.{kind}"

    def _read(self, group: Group, size: int = 0) -> NDArray[Any]:
        about, path = self._path(group, "json"), self._path(group, "f32")
        try:
            said = json.loads(about.read_text("utf-8")) if about.exists() else {"size": size or 1}
            found = int(said["size"])
            raw = path.read_bytes() if path.exists() else b""
        except (ValueError, KeyError, TypeError):
            raise BadInput(
                f"{about}: does not say whose vectors {path.name} holds; both files are kept, name another folder"
            ) from None
        except OSError as error:
            raise Failed(f"{self._folder}: vectors cannot be read: {error.strerror or type(error).__name__}") from None
        if size and found != size:
            raise BadInput(f"{path}: vectors of {size} numbers, and those that are there have {found}; name another folder")
        kind = _dtype(found)
        return np.frombuffer(raw[: len(raw) // kind.itemsize * kind.itemsize], dtype=kind)


def _dtype(size: int) -> np.dtype[Any]:
    return np.dtype([("time", "<f8"), ("vector", "<f4", (size,))])
