"""DeepEval's metrics: `metric: deepeval.metrics:ExactMatchMetric`, or an object of a module of yours. Imported when made."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

from truegreen.core.words.calibration import Calibration
from truegreen.core.words.shapes import Judge, Sample
from truegreen.evaluation.evaluators.adapters.metric import metric, name_of, named, of

QUIET: Final = {"DEEPEVAL_TELEMETRY_OPT_OUT": "YES", "DEEPEVAL_FILE_SYSTEM": "READ_ONLY", "DEEPEVAL_DISABLE_DOTENV": "1"}
"""Set before it is imported, unless you did: else it tells its maker what is measured, writes a folder, and reads `.env`."""
NEEDS: Final = {"input": "query", "expected_output": "expected", "retrieval_context": "passages", "context": "passages"}


def make(settings: Mapping[str, Any], calibration: Calibration | None) -> Judge:
    """As `adapters.metric.make`; `arguments` are those of the metric's class, `raw` is its score, mostly 0 to 1."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    made, case = named(settings, "deepeval.metrics"), of("deepeval.test_case:LLMTestCase")
    wanted = [NEEDS[one.value] for one in getattr(made, "_required_params", ()) if one.value in NEEDS]

    def call(sample: Sample) -> Any:
        passages = list(sample.passages) or None
        told = case(
            input=sample.query,
            actual_output=sample.answer,
            expected_output=sample.expected,
            retrieval_context=passages,
            context=passages,
        )
        return made.measure(told, _show_indicator=False)

    return metric("deepeval", name_of(settings, "deepeval"), call, settings, calibration, wanted)


make.background = True  # type: ignore[attr-defined]
