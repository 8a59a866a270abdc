"""`schema_validity`: whether the answer is JSON that fits a JSON Schema. Any language; needs jsonschema, imported when it is made.

It is exact: 1 or 0, and the verdict with it; it needs no baseline.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from truegreen.core.errors import BadInput
from truegreen.core.words.calibration import Calibration
from truegreen.core.words.shapes import Judge, Sample
from truegreen.evaluation.evaluators.judging import Kind, answer_only, judge

EVALUATION: Final = "schema_validity"
KIND: Final = Kind(EVALUATION, "json-schema", answer_only, exact=True)
_WHERE: Final = f"evaluations.{EVALUATION}.schema"


def make(settings: Mapping[str, Any], calibration: Calibration | None) -> Judge:
    """The judge of one service.

    Args:
        settings: `words`; `schema`: a JSON Schema (2020-12 unless its `$schema` says otherwise), or the name of a file that holds one.
            References into other documents are not followed: nothing is fetched.
        calibration: named on the results; it moves no verdict.

    Returns:
        a function that never raises. `raw` is 1 where the whole answer is JSON that fits, 0, a fail, where it is not: words around it,
        a code block, `NaN` and two values under one key included, which a strict reader refuses.

    Raises:
        BadInput: `schema` is missing, cannot be read or is no JSON Schema, or jsonschema is not installed.
    """
    try:
        from jsonschema import validators
        from jsonschema.exceptions import SchemaError
        from referencing import Registry
    except ImportError:
        raise BadInput(f"{EVALUATION}: jsonschema is not installed; write: pip install 'truegreen[config]'") from None
    schema = _schema(settings.get("schema"))
    kind = validators.validator_for(schema, default=validators.Draft202012Validator)
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        raise BadInput(f"{_WHERE}: it is no JSON Schema: {error.message[:200]} at {error.json_path}") from None
    fits = kind(schema, registry=Registry())  # without one, references are fetched

    def measure(sample: Sample) -> float:
        try:
            value = json.loads(sample.answer, parse_constant=_refused, object_pairs_hook=_once)
        except (ValueError, RecursionError):
            return 0.0
        return float(fits.is_valid(value))

    return judge(KIND, measure, settings, calibration)


def _schema(given: Any) -> Any:
    if isinstance(given, str):
        try:
            return json.loads(Path(given).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BadInput(
                f"{_WHERE}: {given[:200]} cannot be read ({type(error).__name__}); write a file that holds a JSON Schema"
            ) from None
    if not isinstance(given, Mapping | bool):
        found = "it is missing" if given is None else f"found {type(given).__name__}"
        raise BadInput(
            f"{_WHERE}: {found}; write a JSON Schema, such as {{type: object, required: [answer]}}, or the name of a file"
        )
    return given


def _refused(constant: str) -> None:
    raise ValueError(constant)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a key twice")
    return made
