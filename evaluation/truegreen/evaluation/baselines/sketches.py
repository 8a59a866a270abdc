"""The sketches of a large baseline as one Parquet file: one row for each answer that was kept."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any, Final

from truegreen.core.errors import BadInput
from truegreen.evaluation.baselines import serial
from truegreen.evaluation.model import Profile

_PLACES: Final = 6


def to_parquet(profiles: Sequence[Profile]) -> bytes:
    """The file's bytes: the profile's place, which sketch, and the row; embeddings as 32-bit floats.

    Raises:
        BadInput: pyarrow is missing.
    """
    pa, pq = _arrow("the sketches of a large baseline need pyarrow")
    kept = [(place, name, row) for place, one in enumerate(profiles) for name in serial.SKETCHES for row in getattr(one, name)]
    style = [list(row) if name == "style" else None for _, name, row in kept]
    vector = [None if name == "style" else list(row) for _, name, row in kept]
    table = pa.table(
        {
            "profile": pa.array([place for place, _, _ in kept], pa.int32()),
            "sketch": pa.array([name for _, name, _ in kept], pa.string()),
            "style": pa.array(style, pa.list_(pa.float64())),
            "vector": pa.array(vector, pa.list_(pa.float32())),
        }
    )
    out = io.BytesIO()
    pq.write_table(table, out, compression="zstd")
    return out.getvalue()


def put_back(data: Any, content: bytes, where: str) -> None:
    """Give the profiles of a baseline's JSON their sketches.

    Raises:
        serial.SerialError: it is no such file, or belongs to other profiles.
        BadInput: pyarrow is missing.
    """
    pa, pq = _arrow(f"{where}: needs pyarrow")
    profiles = data.get("profiles") if isinstance(data.get("profiles"), list) else []
    for one in profiles:
        if isinstance(one, dict):
            one.update({name: [] for name in serial.SKETCHES})
    try:
        table = pq.read_table(io.BytesIO(content))
        style, vector = (_rows(table, name) for name in ("style", "vector"))
        for place, (profile, sketch) in enumerate(zip(table["profile"].to_pylist(), table["sketch"].to_pylist(), strict=True)):
            profiles[profile][sketch].append((style if sketch == "style" else vector)(place))
    except (pa.ArrowException, OSError, KeyError, IndexError, TypeError, ValueError, AttributeError):
        raise serial.SerialError(f"{where}: is damaged, or no Parquet file of this baseline") from None


def _rows(table: Any, name: str) -> Callable[[int], list[float]]:
    """What gives a row of a column of lists: all numbers are turned into Python's at once."""
    import numpy as np

    column = table[name].combine_chunks()
    starts = column.offsets.to_pylist()
    numbers = np.round(column.values.to_numpy(zero_copy_only=False).astype(np.float64), _PLACES).tolist()
    return lambda place: numbers[starts[place] : starts[place + 1]]


def _arrow(missing: str) -> tuple[Any, Any]:
    try:
        import pyarrow as pa
        from pyarrow import parquet as pq
    except ImportError:
        raise BadInput(f"{missing}; pip install 'truegreen[evaluate]'") from None
    return pa, pq
