"""Installs the processor on the global provider and on every provider made later, and takes it away again."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar
from weakref import WeakSet

import wrapt
from opentelemetry import trace
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]
from opentelemetry.sdk.trace import TracerProvider

from truegreen.instrumentation import environment, failures, langchain, notices, start
from truegreen.instrumentation.calibrations import Calibrations
from truegreen.instrumentation.declared import NAMES, Options, named, variables
from truegreen.instrumentation.duplicates import Duplicates
from truegreen.instrumentation.enrich import Enricher
from truegreen.instrumentation.evaluate import Evaluators
from truegreen.instrumentation.processor import TruegreenSpanProcessor
from truegreen.instrumentation.settings import Settings, load
from truegreen.instrumentation.shared import shared, undo, undo_all
from truegreen.instrumentation.snapshot import Snapshots

_SDK = "opentelemetry-sdk: nothing is added to its spans"
_OF_OPENTELEMETRY = ("tracer_provider", "meter_provider", "logger_provider", "skip_dep_check", "raise_exception_on_conflict")


class TruegreenInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """The OpenTelemetry plugin (entry point `truegreen` of `opentelemetry_instrumentor`).

    `instrument(tracer_provider=...)` adds to that provider only; without it, to the global one and to those made later.
    `settings=` takes a `Settings` in place of environment and file; `config=`, `sampling=`, `calibration=`, `snapshot=` are the options
    of `declared.Options`, which are also those of a file that OTEL_CONFIG_FILE names.
    """

    configuration = Options
    """Where the declarative configuration looks for the options."""

    _processor: TruegreenSpanProcessor | None = None
    _providers: ClassVar[WeakSet[TracerProvider]] = WeakSet()

    def instrumentation_dependencies(self) -> Collection[str]:
        """No library is needed: spans of any library are completed."""
        return ()

    def _instrument(self, **kwargs: Any) -> None:
        try:
            self._install(kwargs.get("tracer_provider"), _settings(kwargs), kwargs.get("logger_provider"))
        except Exception as error:
            failures.count("instrument", error)

    def _install(self, given: Any, settings: Settings, logs: Any) -> None:
        notices.open_()
        undo(notices.close)
        environment.prepare()
        undo(environment.restore)
        evaluators = Evaluators(settings, Calibrations(settings.calibration))
        self._processor = TruegreenSpanProcessor(Enricher(settings, Snapshots(), evaluators, shared.store, Duplicates()))
        undo(self._take_away)
        shared.logs = logs
        if given is None:
            self._add(trace.get_tracer_provider())
            wrapt.wrap_function_wrapper("opentelemetry.sdk.trace", "TracerProvider.__init__", self._made)
            undo(partial(_unwrap, TracerProvider.__dict__["__init__"]))
        elif isinstance(given, TracerProvider):
            shared.provider = given
            self._add(given)
        else:
            notices.once(
                "provider", f"instrument(tracer_provider=…): found {type(given).__qualname__}, no TracerProvider of {_SDK}"
            )
        langchain.install()
        start.say(settings, trace.get_tracer_provider() if given is None else given)

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

    def _take_away(self) -> None:
        processor, self._processor = self._processor, None
        providers = list(self._providers)
        self._providers.clear()
        shared.provider = shared.logs = None
        shared.store.clear()
        if processor is not None:
            processor.enabled = False
            for provider in providers:
                _remove(provider, processor)

    def _uninstrument(self, **kwargs: Any) -> None:
        undo_all()


def _unwrap(ours: Any) -> None:
    """Take our patch away, unless somebody has patched on top of it: then it stays, and adds nothing any more."""
    if TracerProvider.__dict__["__init__"] is ours:
        TracerProvider.__init__ = ours.__wrapped__  # type: ignore[method-assign]


def _settings(kwargs: Mapping[str, Any]) -> Settings:
    """The settings that `instrument()` was given, else those of environment, options and file."""
    given = kwargs.get("settings")
    if isinstance(given, Settings):
        return given
    environ, from_options, problems = variables(kwargs, os.environ)
    if given is not None:
        problems.append(f"settings: found {type(given).__qualname__}, expected truegreen.instrumentation.settings.Settings")
    unknown = sorted(set(map(str, kwargs)) - {"settings", *NAMES, *_OF_OPENTELEMETRY})
    problems += [f"{name[:40]}: is no option; write one of {', '.join(NAMES)}" for name in unknown]
    found = load(environ)
    said = (*(f"instrument: {problem}" for problem in problems), *(named(problem, from_options) for problem in found.problems))
    return replace(found, problems=said)


def _remove(provider: TracerProvider, processor: TruegreenSpanProcessor) -> None:
    """The SDK cannot take a processor away; where its list cannot be reached the processor stays, switched off."""
    active = getattr(provider, "_active_span_processor", None)
    listed = getattr(active, "_span_processors", None)
    if isinstance(listed, tuple):
        active._span_processors = tuple(one for one in listed if one is not processor)  # type: ignore[union-attr]
