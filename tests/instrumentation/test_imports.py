"""What the customer's process pays at import: the standard library, OpenTelemetry, and the words."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

ALLOWED = (
    "opentelemetry",
    "truegreen.core.words",
    "truegreen.core",
    "truegreen.instrumentation",
    "truegreen.containment",
    "truegreen",
)
BY_OPENTELEMETRY = (
    "import opentelemetry.sdk.trace, opentelemetry.instrumentation.instrumentor, opentelemetry.instrumentation.utils, wrapt"
)


def _loaded(statement, **variables):
    """The modules that an import loads, by `-X importtime`."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", statement],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        env={**os.environ, **variables},
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines} - {"imported package"}


def _foreign(loaded):
    """Those that are neither the standard library nor allowed nor loaded by OpenTelemetry itself or at the interpreter's start."""
    known = _loaded(BY_OPENTELEMETRY) | _loaded("pass")
    heavy = {
        m
        for m in loaded - known
        if m.partition(".")[0].lstrip("_") not in sys.stdlib_module_names and m.partition(".")[0] not in sys.stdlib_module_names
    }
    return {m for m in heavy if not any(m == a or m.startswith(a + ".") for a in ALLOWED) or _below_core(m)}


def _below_core(module):
    return module.startswith("truegreen.core.") and not (module + ".").startswith("truegreen.core.words.")


@pytest.mark.parametrize("plugin", ["truegreen.instrumentation", "truegreen.containment"])
def test_the_import_loads_the_standard_library_opentelemetry_and_the_words_only(plugin):
    """Anything heavier is imported when first used."""
    loaded = _loaded(f"import {plugin}")
    assert plugin in loaded
    assert _foreign(loaded) == set()


@pytest.mark.parametrize("heavy", ["yaml", "truegreen.core.config", "httpx", "openfeature.api"])
def test_a_planted_heavy_import_is_found(tmp_path, heavy):
    """Else the test above could not fail."""
    (tmp_path / "planted.py").write_text(f"import truegreen.instrumentation\nimport {heavy}\n")
    assert _foreign(_loaded("import planted", PYTHONPATH=str(tmp_path)))
