"""The ways back, by their type in `incidents.rollback`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from truegreen.runbook.rollback.model import Kind
from truegreen.runbook.rollback.ways import command, flag, folder, git, langfuse, lock, qdrant, weaviate

KINDS: Final[Mapping[str, Kind]] = {
    "langfuse": langfuse.KIND, "folder": folder.KIND, "lock": lock.KIND, "weaviate": weaviate.KIND, "qdrant": qdrant.KIND,
    "flag": flag.KIND, "git": git.KIND, "command": command.KIND,
}  # fmt: skip
"""A new type is a module with `KIND`, a row here, and its name in the schema and in `core/config/response.py`."""
