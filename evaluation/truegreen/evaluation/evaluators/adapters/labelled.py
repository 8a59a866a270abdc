"""A replay file with what reviewers said in it (`y`): what `truegreen evaluator measure` reads."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from pathlib import Path

from truegreen.core.errors import Failed
from truegreen.core.words.shapes import ReplayRecord
from truegreen.evaluation.files import Broken, read_replay


def write(calls: Path, out: Path, wrong: Mapping[str, bool], broken: Broken) -> tuple[int, int]:
    """Write the calls with their labels, texts included; how many calls there are and how many have a label of these reviews.

    Args:
        wrong: the id of a call to whether its answer is wrong; a label that the file has already stays where there is no review.
        broken: receives the lines that cannot be used; they are left out.

    Raises:
        BadInput: the calls cannot be read.
        Failed: the file cannot be written, or it is the file of the calls itself.
    """
    if out.resolve() == calls.resolve():
        raise Failed(f"--out: {out} is the file of the calls; name another, for that one may hold more than is read")
    made = out.with_name(f".{out.name}.tmp")
    written = labelled = 0
    try:
        with gzip.open(made, "wt", encoding="utf-8") if out.suffix == ".gz" else made.open("w", encoding="utf-8") as stream:
            for record in read_replay(calls, broken):
                label = wrong.get(record.id, record.wrong)
                stream.write(json.dumps(_line(record, label), ensure_ascii=False) + "\n")
                written, labelled = written + 1, labelled + (record.id in wrong)
        made.replace(out)
    except OSError as error:
        raise Failed(f"{out}: cannot be written: {error.strerror or error}") from None
    finally:
        made.unlink(missing_ok=True)
    return written, labelled


def _line(record: ReplayRecord, label: bool | None) -> Mapping[str, object]:
    known = {"id": record.id or None, "time": record.time, "y": None if label is None else int(label)}
    return {
        "query": record.query,
        "context": list(record.context),
        "answer": record.answer,
        "model": record.model,
        **{key: value for key, value in known.items() if value is not None},
        **record.extra,
    }
