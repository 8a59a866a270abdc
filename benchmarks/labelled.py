"""Reads the labelled data that benchmarks of detection are fed with."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any


def read(data: Path, name: str) -> list[dict[str, Any]]:
    """The rows of a file such as `ragtruth_qa_dev.jsonl.gz` below the data folder.

    Raises:
        FileNotFoundError: it is not there.
    """
    path = data / name
    if not path.exists():
        raise FileNotFoundError(f"{name} is not in {data}: name the folder that has it with --data or TRUEGREEN_DATA")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]
