"""Which scores of a project were taken already: a moment, and what was seen shortly before it, for scores arrive late."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from truegreen.core.errors import BadInput

LATE: Final = timedelta(minutes=15)
"""Langfuse says of its interfaces for reading that data may be about ten minutes late; so much is asked for again each time."""


@dataclass(slots=True)
class Mark:
    """Where the last round ended.

    Args:
        until: what is older than this, less `LATE`, is not asked for.
        first: nor is what is older than this, where the first round began.
        seen: the scores taken of that time, id to unix seconds.
    """

    until: datetime
    first: datetime
    seen: dict[str, float] = field(default_factory=dict)

    @property
    def since(self) -> datetime:
        """From where on to ask."""
        return max(self.first, self.until - LATE)

    def passed(self, until: datetime, taken: Iterable[tuple[str, datetime]]) -> None:
        """A round up to `until` is over and these were taken."""
        self.seen |= {one: at.timestamp() for one, at in taken}
        self.until = until
        self.seen = {one: at for one, at in self.seen.items() if at >= (until - LATE).timestamp()}


def read(file: Path) -> Mark | None:
    """The mark of a file; None when there is none yet.

    Raises:
        BadInput: it is not a mark.
    """
    try:
        data = json.loads(file.read_text("utf-8"))
        until, first = (datetime.fromisoformat(data[key]).astimezone(UTC) for key in ("until", "first"))
        return Mark(until, first, {str(key): float(at) for key, at in data["seen"].items()})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        raise BadInput(f"--state: {file} is not a mark of this command; name another file") from None


def write(file: Path, mark: Mark) -> None:
    """Keep a mark, whole or not at all; raises `OSError`."""
    made = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    made.write_text(
        json.dumps({"until": mark.until.isoformat(), "first": mark.first.isoformat(), "seen": mark.seen}) + "\n", "utf-8"
    )
    made.replace(file)
