"""Evidently's descriptors: `metric: evidently.descriptors:TextLength`, or an object of a module of yours. Imported when made."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from truegreen.core.words.calibration import Calibration
from truegreen.core.words.shapes import Judge, Sample
from truegreen.evaluation.evaluators.adapters.metric import metric, name_of, named, of


def make(settings: Mapping[str, Any], calibration: Calibration | None) -> Judge:
    """As `adapters.metric.make`; `arguments` are those of the descriptor, `raw` is what it says of the row, in its own unit.

    The columns are `answer`, `query`, `expected` and `passages` (joined by blank lines): `arguments: {column_name: answer}`. Unless you set
    it, Evidently is told not to tell its maker what is measured.
    """
    os.environ.setdefault("DO_NOT_TRACK", "1")
    made, frame, data = named(settings, "evidently.descriptors"), of("pandas:DataFrame"), of("evidently:Dataset")
    columns = of("evidently:DataDefinition")(text_columns=["answer", "query", "expected", "passages"])

    def call(sample: Sample) -> Any:
        row = {
            "answer": sample.answer,
            "query": sample.query,
            "expected": sample.expected,
            "passages": "\n\n".join(sample.passages),
        }
        found = data.from_pandas(frame([row]), data_definition=columns, descriptors=[made])
        return found.as_dataframe()[made.alias].iloc[0]

    named_columns = {*(made.list_input_columns() or ()), *_texts(settings.get("arguments") or {})}
    wanted = [column for column in ("query", "expected", "passages") if column in named_columns]
    return metric("evidently", name_of(settings, "evidently"), call, settings, calibration, wanted)


def _texts(arguments: Mapping[str, Any]) -> set[str]:
    """The texts among the arguments, alone or in a list: not every descriptor says which columns it reads."""
    return {
        text for value in arguments.values() for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)
    }


make.background = True  # type: ignore[attr-defined]
