"""What surrounds us: the completion hook's variable, the LLM instrumentors that are installed, where spans go."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version
from typing import Any

from truegreen.core.words.dialects import DIALECTS
from truegreen.instrumentation import failures

HOOK = "OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK"
DISABLED = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"
NAME = "truegreen"
_PACKAGES = ("opentelemetry.instrumentation.", "openinference.")
_SCOPES = tuple(scope for dialect in DIALECTS for scope in dialect.scopes if scope.startswith(_PACKAGES))
_NO_CALLS = tuple(
    f"{_PACKAGES[0]}{name}." for name in ("mcp", "chromadb", "pinecone", "qdrant", "weaviate", "milvus", "marqo", "lancedb")
)
"""Read too, but what they see is no call of a model."""
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
    """The instrumentors whose spans a dialect reads that are installed and not disabled, by module."""
    listed = {name.strip() for name in environ.get(DISABLED, "").split(",")}
    candidates = entry_points(group="opentelemetry_instrumentor") if found is None else found
    modules = {e.value.partition(":")[0] for e in candidates if e.name not in listed and "*" not in listed}
    return tuple(sorted(module for module in modules if f"{module}.".startswith(_SCOPES)))


def sees_calls(module: str) -> bool:
    """Whether an instrumentor makes spans of calls of a model."""
    return not f"{module}.".startswith(_NO_CALLS)


def native(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The SDKs that make spans by themselves, without an instrumentor, and are not told otherwise: package and version."""
    able = {
        "anthropic": (2, environ.get("ANTHROPIC_OPEN_TELEMETRY", "").lower() != "false"),
        "langfuse": (3, environ.get("LANGFUSE_TRACING_ENABLED", "").lower() != "false"),
        "langsmith": (0, _langsmith(environ)),
    }
    found = ((package, _version(package), since) for package, (since, on) in able.items() if on)
    return tuple(f"{package} {text}" for package, text, since in found if text and _numbers(text)[0] >= since)


def _langsmith(environ: Mapping[str, str]) -> bool:
    """Whether LangSmith traces by OpenTelemetry: by default it does not."""

    def said(name: str) -> str:
        return (environ.get(f"LANGSMITH_{name}", "").strip() or environ.get(f"LANGCHAIN_{name}", "").strip()).lower()

    mode = said("TRACING_MODE")
    by_otel = mode in ("otel", "hybrid") if mode else {said("OTEL_ENABLED"), said("OTEL_ONLY")} & {"true", "1"}
    return (said("TRACING_V2") or said("TRACING")) == "true" and bool(by_otel)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _numbers(text: str) -> tuple[int, int]:
    found = re.match(r"(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def broken() -> str:
    """What is wrong with the installed packages so that no LLM span would ever be made; empty when nothing is."""
    package, util, since = _BROKEN
    found = _version(util)
    if not _version(package) or _numbers(found) < since:
        return ""
    return (
        f"{package} does not import beside {util} {found}: there will be NO LLM spans, and OpenTelemetry says so only at DEBUG. "
        f"Run: pip uninstall {package} && pip install opentelemetry-instrumentation-genai-openai"
    )


def twice(modules: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    """The libraries for which several instrumentors are active, and those."""
    found: dict[str, tuple[str, ...]] = {}
    for module in modules:
        library = module.rpartition(".")[2].removesuffix("_v2")
        found[library] = (*found.get(library, ()), module)
    return {library: several for library, several in found.items() if len(several) > 1}


def off(environ: Mapping[str, str]) -> str:
    """Why there will be no spans at all; empty when there will be."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return "OTEL_SDK_DISABLED=true: OpenTelemetry makes no spans, so nothing is recorded or evaluated"
    if environ.get("OTEL_TRACES_SAMPLER", "").strip() in ("always_off", "parentbased_always_off"):
        return f"OTEL_TRACES_SAMPLER={environ['OTEL_TRACES_SAMPLER'].strip()}: no span is recorded, so nothing is evaluated"
    return ""


def exporters(provider: Any) -> str:
    """Where a provider of the SDK exports to now, empty where it cannot be told."""
    listed = getattr(getattr(provider, "_active_span_processor", None), "_span_processors", ())
    found = [
        getattr(one, "span_exporter", None) or getattr(getattr(one, "_batch_processor", None), "_exporter", None)
        for one in listed
    ]
    told = [
        f"{type(one).__name__} {_bare(endpoint)}"
        if isinstance(endpoint := getattr(one, "_endpoint", None), str)
        else type(one).__name__
        for one in found
        if one is not None
    ]
    return ", ".join(told)


def _bare(address: str) -> str:
    """An address without user and password."""
    return re.sub(r"//[^/@]*@", "//", address)


def destination(environ: Mapping[str, str]) -> str:
    """Where spans are exported according to the environment."""
    named = [name.strip() for name in (environ.get("OTEL_TRACES_EXPORTER", "").strip() or "otlp").split(",")]
    if named == ["none"]:
        return "nowhere (OTEL_TRACES_EXPORTER=none)"
    packages = {one.name for one in entry_points(group="opentelemetry_traces_exporter")}
    return ", ".join(f"{name} {_endpoint(environ)}" if name.startswith("otlp") else name for name in named) + "".join(
        f"; NOT INSTALLED: the exporter {name} (pip install opentelemetry-exporter-otlp)"
        if name.startswith("otlp")
        else f"; NOT INSTALLED: the exporter {name}"
        for name in named
        if name not in packages and environ.get("OTEL_TRACES_EXPORTER")  # else nobody has asked for one yet
    )


def _endpoint(environ: Mapping[str, str]) -> str:
    http = environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "")).startswith("http")
    default = "http://localhost:4318" if http else "http://localhost:4317"
    return _bare(environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or default)
