"""The judge of recorded answers: the installed evaluator of a signal, with what the application guards it by."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from truegreen.core import config
from truegreen.core.errors import BadInput
from truegreen.core.words.shapes import Judge, Result, Sample


def environ_of(config_path: Path | None) -> Mapping[str, str]:
    """The environment with the configuration file in it, as the application's own settings are read from it.

    Raises:
        BadInput: something is wrong in the file; said with its line.
    """
    if config_path is not None and config_path.suffix == ".json":  # what `truegreen generate app` wrote for applications
        return {**os.environ, "TRUEGREEN_CONFIG": str(config_path)}
    source = config.load(config_path, os.environ).source
    return {**os.environ, "TRUEGREEN_CONFIG": str(source)} if source else os.environ


def judge_of(signal: str, settings: Mapping[str, Any]) -> Judge:
    """The judge of a signal without a baseline, as the application makes it; it never raises.

    Args:
        signal: the evaluation; who judges it is the entry point of the group `truegreen_evaluator` that its setting `evaluator` names, or
            the one of its own name.
        settings: of this evaluation, `words` among them.

    Raises:
        BadInput: no installed package offers it, or it cannot be imported or made.
    """
    from truegreen.instrumentation import evaluate
    from truegreen.instrumentation.settings import WORDS

    names, wanted = evaluate.installed(), evaluate.evaluator_of(signal, settings)
    if wanted not in names:
        raise BadInput(
            f"--signal: found {wanted!r}, and no installed package has it in the entry-point group {evaluate.GROUP}; "
            f"write one of {', '.join(names) or '(none is installed)'}, install the package that has it, or take the scores of a collector"
        )
    try:
        factory = evaluate.find(wanted)
        made = factory(evaluate.settings_of(settings), None) if factory else None
    except Exception as error:  # foreign code
        raise BadInput(
            f"--signal: the evaluator of {signal} cannot be made ({type(error).__name__}: {error}); "
            f"look at its package and at evaluations.{signal} in truegreen.yaml"
        ) from None
    if not callable(made):
        raise BadInput(
            f"--signal: the evaluator of {signal} gave {type(made).__name__}; its factory must return a function of one sample"
        )

    def judge(sample: Sample) -> Result:
        if evaluate.too_large(sample, settings.get("words", WORDS) * evaluate.LARGEST):
            return Result(signal, "", skipped="too_large")
        try:
            return made(sample)
        except Exception:  # an answer that it cannot judge is counted, as in the application
            return Result(signal, "", skipped="error")

    return judge
