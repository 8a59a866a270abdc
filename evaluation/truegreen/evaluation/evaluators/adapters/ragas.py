"""Ragas' metrics: `metric: ragas.metrics.collections:RougeScore`, or an object of a module of yours. Imported when made."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from typing import Any

from truegreen.core.words.calibration import Calibration
from truegreen.core.words.shapes import Judge, Sample
from truegreen.evaluation.evaluators.adapters.metric import metric, name_of, named


def make(settings: Mapping[str, Any], calibration: Calibration | None) -> Judge:
    """As `adapters.metric.make`; `arguments` are those of the metric's class, `raw` is its value, mostly 0 to 1.

    A metric gets of the sample what its `ascore` asks for. Unless you set it, Ragas is told not to tell its maker what is measured.
    """
    os.environ.setdefault("RAGAS_DO_NOT_TRACK", "true")
    made = named(settings, "ragas.metrics.collections")
    names = {"user_input": "query", "response": "answer", "reference": "expected", "retrieved_contexts": "passages"}
    asked = {name: field for name, field in names.items() if name in inspect.signature(made.ascore).parameters}

    def call(sample: Sample) -> Any:
        told = {name: getattr(sample, field) for name, field in asked.items()}
        return made.score(**{name: list(value) if isinstance(value, tuple) else value for name, value in told.items()}).value

    wanted = [field for field in asked.values() if field != "answer"]
    return metric("ragas", name_of(settings, "ragas"), call, settings, calibration, wanted)


make.background = True  # type: ignore[attr-defined]
