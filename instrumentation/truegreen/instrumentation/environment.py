"""What surrounds us: the completion hook's variable, the LLM instrumentors that are installed, where spans go."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version

from truegreen.instrumentation import failures

HOOK = "OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK"
DISABLED = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"
NAME = "truegreen"
LLM_MODULES = (
    "opentelemetry.instrumentation.genai.", "opentelemetry.instrumentation.openai", "opentelemetry.instrumentation.anthropic",
    "opentelemetry.instrumentation.langchain", "opentelemetry.instrumentation.bedrock", "opentelemetry.instrumentation.vertexai",
    "opentelemetry.instrumentation.google_generativeai", "opentelemetry.instrumentation.mistralai", "opentelemetry.instrumentation.cohere",
    "opentelemetry.instrumentation.ollama", "opentelemetry.instrumentation.llamaindex", "openinference.instrumentation.",
)  # fmt: skip
_BROKEN = ("opentelemetry-instrumentation-openai-v2", "opentelemetry-util-genai", (1, 2))


def prepare() -> None:
    """Name our completion hook before LLM libraries are instrumented, unless one is named or we are switched off."""
    try:
        if not disabled(os.environ) and not os.environ.get(HOOK):
            os.environ[HOOK] = NAME
            _set.append(HOOK)
    except Exception as error:
        failures.count("prepare", error)


def restore() -> None:
    """Take back what `prepare` set."""
    while _set:
        if os.environ.get(name := _set.pop()) == NAME:
            del os.environ[name]


_set: list[str] = []


def disabled(environ: Mapping[str, str]) -> bool:
    """Whether OTEL_PYTHON_DISABLED_INSTRUMENTATIONS names us or everything."""
    listed = {name.strip() for name in environ.get(DISABLED, "").split(",")}
    return bool(listed & {NAME, "*"})


def instrumentors(environ: Mapping[str, str], found: Iterable[EntryPoint] | None = None) -> tuple[str, ...]:
    """The LLM instrumentors that are installed and not disabled, by module."""
    listed = {name.strip() for name in environ.get(DISABLED, "").split(",")}
    candidates = entry_points(group="opentelemetry_instrumentor") if found is None else found
    modules = {e.value.partition(":")[0] for e in candidates if e.name not in listed and "*" not in listed}
    return tuple(sorted(module for module in modules if module.startswith(LLM_MODULES)))


def broken() -> str:
    """What is wrong with the installed packages so that no LLM span would ever be made; empty when nothing is."""
    package, util, since = _BROKEN
    try:
        version(package)
        numbers = re.match(r"(\d+)\.(\d+)", found := version(util))
    except PackageNotFoundError:
        return ""
    if numbers is None or (int(numbers[1]), int(numbers[2])) < since:
        return ""
    return (
        f"{package} does not import beside {util} {found}: there will be NO LLM spans, and OpenTelemetry says so only at DEBUG. "
        f"Run: pip uninstall {package} && pip install opentelemetry-instrumentation-genai-openai"
    )


def destination(environ: Mapping[str, str]) -> str:
    """Where spans are exported according to the environment."""
    exporters = environ.get("OTEL_TRACES_EXPORTER", "").strip() or "otlp"
    if exporters == "none":
        return "nowhere (OTEL_TRACES_EXPORTER=none)"
    if not exporters.startswith("otlp"):
        return exporters
    http = environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "")).startswith("http")
    default = "http://localhost:4318" if http else "http://localhost:4317"
    return "otlp " + re.sub(
        r"//[^/@]*@",
        "//",
        environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or default,
    )
