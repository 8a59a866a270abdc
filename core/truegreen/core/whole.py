"""A file that is written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from truegreen.core.errors import Failed


def write(path: Path, text: str) -> None:
    """Write UTF-8 beside the file and put it in its place, so that a reader, a crash or a full disk never meets half of it.

    Raises:
        Failed: the folder or the file cannot be written (no permission, disk full); what was there before stays.
    """
    made = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, made = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(made).chmod(0o644)
        Path(made).replace(path)
        made = ""
    except OSError as error:
        raise Failed(f"{path}: cannot be written: {error.strerror or error}") from None
    finally:
        if made:
            Path(made).unlink(missing_ok=True)
