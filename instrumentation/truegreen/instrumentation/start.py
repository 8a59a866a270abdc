"""What is said at start: the one line on what is seen, judged and exported, and a line for each thing that is off or wrong."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from truegreen.instrumentation import environment, notices
from truegreen.instrumentation.settings import Settings


def say(settings: Settings, provider: Any) -> None:
    """Say it.

    Args:
        provider: the tracer provider in use; one that is still to be made is described by the environment.
    """
    seen = environment.instrumentors(os.environ)
    notices.once(
        "start",
        f"LLM instrumentors: {_seen(seen, environment.native(os.environ))}; "
        f"evaluates: {', '.join(_judged(settings)) or 'nothing'}; calibration: {_calibrations(settings.calibration)}; "
        f"exports to: {environment.exporters(provider) or environment.destination(os.environ)}",
        logging.INFO,
    )
    if off := environment.off(os.environ):
        notices.once("off", off)
    if wrong := environment.broken():
        notices.once("broken", wrong, logging.ERROR)
    for library, modules in environment.twice(seen).items():
        notices.once(
            f"twice:{library}",
            f"{' and '.join(modules)} both make spans for {library}: one of the two is marked `truegreen.duplicate` and not counted, "
            "but both are made, exported and paid for: uninstall one of them",
        )
    if (named := os.environ.get(environment.HOOK)) and named != environment.NAME:
        notices.once(
            "hook",
            f"{environment.HOOK}={named}: answers are not seen where content capture is off; set it to truegreen, `upload` is chained",
        )
    for problem in settings.problems:
        notices.once(problem, problem)


def _seen(modules: tuple[str, ...], native: tuple[str, ...]) -> str:
    """What makes spans here; advice where nothing is seen that makes one of a call of a model."""
    named = [*modules, *(f"{package} (its own spans)" for package in native)]
    if not native and not any(map(environment.sees_calls, modules)):
        named = [
            "NONE (install one, such as opentelemetry-instrumentation-genai-openai, or write spans with `gen_ai.operation.name`)",
            *named,
        ]
    return ", ".join(named)


def _judged(settings: Settings) -> list[str]:
    """As the settings say it. An evaluator that is slow by its own word is imported with the first answer, and then it is said."""
    return [
        f"{name} {settings.rate_of(name):.0%} ({'background' if said.get('background') is True else 'inline unless slow'})"
        for name, said in settings.evaluations.items()
    ]


def _calibrations(folder: Path) -> str:
    try:
        found = sum(1 for path in folder.iterdir() if path.suffix == ".json")
    except OSError:
        found = 0
    return f"{found} in {folder}" if found else f"none in {folder}"
