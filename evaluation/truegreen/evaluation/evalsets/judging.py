"""The evaluators that a set names, and whether they can judge its cases at all."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from truegreen.core.errors import BadInput
from truegreen.core.words.shapes import Judge, Sample
from truegreen.evaluation.evalsets import checks, files
from truegreen.evaluation.evalsets.model import Case

ADVICE: Final[Mapping[str, str]] = {
    "no_context": "write its passages into context, or ask an endpoint that tells its own (--request with passages)",
    "no_question": "write a question",
    "no_expected": "write what is expected",
    "unsupported_language": "check it with contains or regex",
}
"""By the reasons of a skip that no answer changes: what to write."""
_ANSWER: Final = "It is as the passages say."


def judges(cases: Sequence[Case], path: str, config_path: Path | None) -> Mapping[str, Judge]:
    """The evaluators that the cases name, made once.

    Raises:
        BadInput: one is not installed, or cannot be made.
    """
    wanted = checks.evaluators(tuple(cases))
    if not wanted:
        return {}
    from truegreen.evaluation.installed import judge_of
    from truegreen.instrumentation import evaluate, settings

    told = settings.load({**os.environ, "TRUEGREEN_CONFIG": str(config_path)} if config_path else os.environ).evaluations
    there = evaluate.installed()
    for name, line in wanted.items():
        if name not in there:
            raise BadInput(
                f"{path}:{line}: checks.floors: found {name!r}; write one of {', '.join(there)}, or install the package that has it"
            )
    return {name: judge_of(name, told.get(name, {})) for name in wanted}


def check(cases: Sequence[Case], path: str, made: Mapping[str, Judge]) -> None:
    """Refuse cases that no answer can pass, before one is paid for.

    Raises:
        BadInput: an evaluator skips a case for what it is itself; with the first lines.
    """
    wrong = [
        f"{path}:{case.line}: checks.floors: {name} skips this case whatever is answered ({reason}); {ADVICE[reason]}"
        for case in cases
        for name, reason in hopeless(case, made)
    ]
    if wrong:
        more = f"; {len(wrong)} floors are so" if len(wrong) > files.NAMED else ""
        raise BadInput("\n".join(wrong[: files.NAMED]) + more)


def hopeless(case: Case, made: Mapping[str, Judge]) -> Iterator[tuple[str, str]]:
    """The floors of a case that no answer reaches, by name and reason: its evaluator is asked about a sentence.

    Evaluators that judge in the background are not asked: their calls may cost money.
    """
    from truegreen.instrumentation import evaluate

    sample = Sample(case.query, _ANSWER, case.context, "", case.expected)
    for name in case.checks.get("floors", {}):
        if getattr(evaluate.find(name), "background", False) is not True:
            told = made[name](sample)
            if told.raw is None and told.skipped in ADVICE:
                yield name, told.skipped
