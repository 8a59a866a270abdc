"""Installs the processor on the global provider and on every provider made later, and takes it away again."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any, ClassVar
from weakref import WeakSet

import wrapt
from opentelemetry import trace
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]
from opentelemetry.instrumentation.utils import unwrap
from opentelemetry.sdk.trace import TracerProvider

from truegreen.instrumentation import environment, failures, langchain, notices
from truegreen.instrumentation.calibrations import Calibrations
from truegreen.instrumentation.duplicates import Duplicates
from truegreen.instrumentation.enrich import Enricher
from truegreen.instrumentation.evaluate import Evaluators
from truegreen.instrumentation.processor import TruegreenSpanProcessor
from truegreen.instrumentation.settings import Settings, load
from truegreen.instrumentation.shared import shared, undo_all
from truegreen.instrumentation.snapshot import Snapshots


class TruegreenInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """The OpenTelemetry plugin (entry point `truegreen` of `opentelemetry_instrumentor`).

    `instrument(tracer_provider=...)` adds to that provider only; without it, to the global one and to those made later.
    `settings=` takes a `Settings` in place of environment and file.
    """

    _processor: TruegreenSpanProcessor | None = None
    _providers: ClassVar[WeakSet[TracerProvider]] = WeakSet()
    _patched: bool = False

    def instrumentation_dependencies(self) -> Collection[str]:
        """No library is needed: spans of any library are completed."""
        return ()

    def _instrument(self, **kwargs: Any) -> None:
        try:
            self._install(kwargs.get("tracer_provider"), kwargs.get("settings"))
        except Exception as error:
            failures.count("instrument", error)

    def _install(self, given: Any, settings: Settings | None) -> None:
        notices.open_()
        settings = load(os.environ) if settings is None else settings
        environment.prepare()
        evaluators = Evaluators(settings, Calibrations(settings.calibration))
        self._processor = TruegreenSpanProcessor(Enricher(settings, Snapshots(), evaluators, shared.store, Duplicates()))
        if given is not None:
            shared.provider = given
            self._add(given)
        else:
            self._add(trace.get_tracer_provider())
            wrapt.wrap_function_wrapper("opentelemetry.sdk.trace", "TracerProvider.__init__", self._made)
            self._patched = True
        langchain.install()
        _say(settings)

    def _made(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> None:
        wrapped(*args, **kwargs)
        try:
            self._add(instance)
        except Exception as error:
            failures.count("new provider", error)

    def _add(self, provider: Any) -> None:
        if isinstance(provider, TracerProvider) and self._processor is not None and provider not in self._providers:
            provider.add_span_processor(self._processor)
            self._providers.add(provider)

    def _uninstrument(self, **kwargs: Any) -> None:
        undo_all()
        try:
            if self._patched:
                unwrap(TracerProvider, "__init__")
                self._patched = False
            if self._processor is not None:
                self._processor.enabled = False
                for provider in list(self._providers):
                    _remove(provider, self._processor)
            self._providers.clear()
            shared.provider = None
            shared.store.clear()
            self._processor = None
            environment.restore()
            notices.close()
        except Exception as error:
            failures.count("uninstrument", error)


def _remove(provider: TracerProvider, processor: TruegreenSpanProcessor) -> None:
    """The SDK cannot take a processor away; where its list cannot be reached the processor stays, switched off."""
    active = getattr(provider, "_active_span_processor", None)
    listed = getattr(active, "_span_processors", None)
    if isinstance(listed, tuple):
        active._span_processors = tuple(one for one in listed if one is not processor)  # type: ignore[union-attr]


def _say(settings: Settings) -> None:
    """The one line at start, and what is wrong."""
    seen = (
        ", ".join(environment.instrumentors(os.environ))
        or "NONE (install one, such as opentelemetry-instrumentation-genai-openai)"
    )
    judged = ", ".join(f"{name} {settings.rate_of(name):.0%}" for name in settings.evaluations) or "nothing"
    notices.once(
        "start",
        f"LLM instrumentors: {seen}; evaluates: {judged}; calibration: {_calibrations(settings.calibration)}; exports to: {environment.destination(os.environ)}",
        logging.INFO,
    )
    if wrong := environment.broken():
        notices.once("broken", wrong, logging.ERROR)
    if (named := os.environ.get(environment.HOOK)) and named != environment.NAME:
        notices.once(
            "hook",
            f"{environment.HOOK}={named}: answers are not seen where content capture is off; set it to truegreen, `upload` is chained",
        )
    for problem in settings.problems:
        notices.once(problem, problem)


def _calibrations(folder: Path) -> str:
    try:
        found = sum(1 for path in folder.iterdir() if path.suffix == ".json")
    except OSError:
        found = 0
    return f"{found} in {folder}" if found else f"none in {folder}"
