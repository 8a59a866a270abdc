"""A version for a file that is read as it is: an evaluation set, a guardrail's rules."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from truegreen.core.words.calibration import canonical

LINES = (".jsonl", ".ndjson")
_BLOCK = 1 << 20


def version_of_file(path: str | Path) -> str:
    """`<stem>@<12 hex>` by the file's content; JSON lines by `lines_digest`, any other file by its bytes.

    Raises:
        OSError: it cannot be read.
    """
    path = Path(path)
    with path.open("rb") as file:
        found = lines_digest(file) if path.suffix in LINES else _bytes_digest(iter(lambda: file.read(_BLOCK), b""))
    return f"{path.stem}@{found}"


def lines_digest(lines: Iterable[bytes]) -> str:
    """12 hex digits over a set of JSON records, one a line, read as a stream.

    The order of lines, of keys, and white space make no difference: the same questions in another order are the same evaluation. A record that
    is there twice counts twice. SHA-256 of each record's canonical JSON is added up modulo 2^256 (Bellare and Micciancio, AdHash, 1997: good
    against accidents, which is all that a version must stand), and the sum is hashed with the number of records.
    """
    total, count = 0, 0
    for line in lines:
        record = line.strip()
        if record:
            total += int.from_bytes(hashlib.sha256(_canonical(record)).digest(), "big")
            count += 1
    body = (total % (1 << 256)).to_bytes(32, "big") + count.to_bytes(8, "big")
    return hashlib.sha256(body).hexdigest()[:12]


def _canonical(record: bytes) -> bytes:
    try:
        return canonical(json.loads(record)).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):
        return record


def _bytes_digest(blocks: Iterable[bytes]) -> str:
    found = hashlib.sha256()
    for block in blocks:
        found.update(block)
    return found.hexdigest()[:12]
