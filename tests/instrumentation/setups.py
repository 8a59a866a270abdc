"""An application of its own for a set-up, and what it exported."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}
WANTED = "truegreen.snapshot.id"


def needs(module):
    """Where an optional package is not installed, such as beside the oldest SDK."""
    try:
        there = find_spec(module) is not None
    except ModuleNotFoundError:  # not even its parent
        there = False
    return pytest.mark.skipif(not there, reason=f"{module} is not installed")


def run(script, *, started_by=(), folder=None, check=True, **variables):
    """Run a script as an application of its own."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "TRUEGREEN_", "LANGFUSE_", "LANGSMITH_"))}
    return subprocess.run(
        [*started_by, sys.executable, "-c", script], env={**environ, **variables}, capture_output=True, text=True, timeout=120, check=check, cwd=folder
    )  # fmt: skip


def ours(spans):
    """The names of the exported spans that have our attributes."""
    return sorted(span.name for span in spans if WANTED in span.attributes)


def exporting(provider):
    """A provider's spans in memory."""
    exporter = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return exporter
