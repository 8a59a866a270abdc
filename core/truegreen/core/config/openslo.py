"""OpenSLO v1 documents to SLOs in the words of `truegreen.yaml`, which remember where each was written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path as File

from truegreen.core.config.source import Source
from truegreen.core.errors import BadInput


def read(files: Sequence[str], path: File | None) -> tuple[tuple[Source, ...], tuple[str, ...]]:
    """The SLOs of the files, and what in them has no effect."""
    if files:
        raise BadInput(f"{path or 'truegreen.yaml'}: openslo: not yet")
    return (), ()
