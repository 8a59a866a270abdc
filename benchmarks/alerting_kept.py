"""Rows of a long simulation, kept in a file."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


class Kept:
    """Rows that are simulated once: a file of JSON lines lets a run that was stopped go on, on a busy machine."""

    def __init__(self, path: Path | None, seed: int, replicates: int) -> None:
        self.path, self.run, self.rows = path, (seed, replicates), dict[str, dict[str, Any]]()
        if path and path.is_file():
            self.rows = {one["key"]: one["row"] for one in map(json.loads, path.read_text("utf-8").splitlines())}

    def row(self, kind: str, key: Mapping[str, Any], make: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
        """The row of that key: as it was kept, else made now."""
        named = json.dumps([kind, *self.run, *key.values()])
        if named not in self.rows:
            self.rows[named] = {**key, **make()}
            if self.path:
                with self.path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"key": named, "row": self.rows[named]}) + "\n")
        return self.rows[named]
