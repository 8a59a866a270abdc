"""The environments in which the spans of other people's libraries are recorded: `nox -s dialect_NAME [-- --out FOLDER]`.

Each of `ENVIRONMENTS` is a driver of `tests/dialects/drivers` and what it is played with, pinned: the same pins give the same bytes.
"""

from __future__ import annotations

import os
from pathlib import Path

import nox

os.environ.setdefault("UV_SYSTEM_CERTS", "1")  # as pip does: a company's proxy has certificates of its own
FOLDER = Path("tests") / "dialects"

ENVIRONMENTS = {
    "anthropic_native": ["anthropic==2.13.0"],
    "genai_anthropic": [
        "anthropic==2.13.0",
        "opentelemetry-instrumentation-genai-anthropic==1.3b0",
        "opentelemetry-util-genai==1.3b0",
    ],
    "genai_anthropic_and_native": [
        "anthropic==2.13.0",
        "opentelemetry-instrumentation-genai-anthropic==1.3b0",
        "opentelemetry-util-genai==1.3b0",
    ],
    "genai_langchain": [
        "langchain==1.5.2",
        "langchain-core==1.8.3",
        "langchain-openai==1.7.4",
        "langgraph==1.2.24",
        "langgraph-prebuilt==1.1.3",
        "openai==3.57.0",
        "opentelemetry-instrumentation-genai-langchain==1.3b0",
        "opentelemetry-util-genai==1.3b0",
    ],
    "genai_openai": ["openai==3.57.0", "opentelemetry-instrumentation-genai-openai==1.3b0", "opentelemetry-util-genai==1.3b0"],
    "genai_openai_and_openinference": [
        "openai==3.57.0",
        "opentelemetry-instrumentation-genai-openai==1.3b0",
        "opentelemetry-util-genai==1.3b0",
        "openinference-instrumentation==0.1.72",
        "openinference-instrumentation-openai==0.1.66",
    ],
    "langfuse_langchain": [
        "langchain==1.5.2",
        "langchain-core==1.8.3",
        "langchain-openai==1.7.4",
        "langgraph==1.2.24",
        "langgraph-prebuilt==1.1.3",
        "openai==3.57.0",
        "langfuse==5.0.4",
    ],
    "langfuse_openai": ["openai==3.57.0", "langfuse==5.0.4"],
    "langsmith_openai": ["openai==3.57.0", "langsmith[otel]==0.15.1"],
    "manual": [],
    "openai_v2_latest": [
        "openai==3.57.0",
        "opentelemetry-instrumentation-openai-v2==2.4b0",
        "opentelemetry-util-genai==1.1b0",
        "httpx==0.28.1",
    ],
    "openai_v2_old": [
        "openai==3.57.0",
        "opentelemetry-instrumentation-openai-v2==2.4b0",
        "opentelemetry-util-genai==0.4b0",
        "httpx==0.28.1",
    ],
    "openinference_google": [
        "google-genai==3.6.1",
        "openinference-instrumentation==0.1.72",
        "openinference-instrumentation-google-genai==1.4.14",
    ],
    "openinference_langchain": [
        "langchain==1.5.2",
        "langchain-core==1.8.3",
        "langchain-openai==1.7.4",
        "langgraph==1.2.24",
        "langgraph-prebuilt==1.1.3",
        "openai==3.57.0",
        "openinference-instrumentation==0.1.72",
        "openinference-instrumentation-langchain==0.1.80",
    ],
    "openinference_openai": [
        "openai==3.57.0",
        "openinference-instrumentation==0.1.72",
        "openinference-instrumentation-openai==0.1.66",
    ],
    "traceloop_anthropic_and_native": ["anthropic==2.13.0", "opentelemetry-instrumentation-anthropic==0.62.4"],
    "traceloop_google": ["google-genai==3.6.1", "opentelemetry-instrumentation-google-generativeai==0.62.4"],
    "traceloop_langchain": [
        "langchain==1.5.2",
        "langchain-core==1.8.3",
        "langchain-openai==1.7.4",
        "langgraph==1.2.24",
        "langgraph-prebuilt==1.1.3",
        "openai==3.57.0",
        "opentelemetry-instrumentation-langchain==0.62.4",
    ],
    "traceloop_openai": ["openai==3.57.0", "opentelemetry-instrumentation-openai==0.62.4"],
    "traceloop_sdk": [
        "openai==3.57.0",
        "opentelemetry-instrumentation-openai==0.62.4",
        "traceloop-sdk==0.62.4",
        "httpx==0.28.1",
        "opentelemetry-sdk==1.45.1",
        "opentelemetry-semantic-conventions==0.66b1",
    ],
}
"""openai-v2 and traceloop-sdk import httpx and do not ask for it."""

SDK = ["opentelemetry-sdk==1.45.2", "opentelemetry-semantic-conventions==0.66b2"]
"""Where an environment does not name an SDK itself: traceloop-sdk does not go with the newest."""

UV_OF_PIP = {
    "PIP_FIND_LINKS": "UV_FIND_LINKS",
    "PIP_INDEX_URL": "UV_DEFAULT_INDEX",
    "PIP_EXTRA_INDEX_URL": "UV_INDEX",
    "PIP_NO_INDEX": "UV_NO_INDEX",
    "PIP_CERT": "SSL_CERT_FILE",
}
"""Where pip is told of other sources, uv is told the same."""

nox.needs_version = ">=2024.4.15"
nox.options.default_venv_backend = "uv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = []


def _sources() -> dict[str, str]:
    """What uv is to be told; a folder of pip's that is not there is left out, as pip does."""
    told = {uv: os.environ[pip] for pip, uv in UV_OF_PIP.items() if pip in os.environ and uv not in os.environ}
    found = [place for place in told.pop("UV_FIND_LINKS", "").split() if "://" in place or Path(place).exists()]
    return {**told, **({"UV_FIND_LINKS": ",".join(found)} if found else {})}


def _define(driver: str, pins: list[str]) -> None:
    """Define the session that records a driver's spans, into `--out FOLDER` or over the committed ones."""

    @nox.session(name=f"dialect_{driver}", tags=["dialects"])
    def record(session: nox.Session) -> None:
        out = Path(session.posargs[1]) if session.posargs[:1] == ["--out"] else FOLDER / "recorded"
        session.install(*([] if any(pin.startswith("opentelemetry-sdk==") for pin in pins) else SDK), *pins, env=_sources())
        session.run(
            "python",
            str(FOLDER / "drivers" / f"{driver}.py"),
            "--out",
            str(out / f"{driver}.json"),
            env={"PYTHONPATH": str(FOLDER), "PYTHONHASHSEED": "0", "PATH": os.environ["PATH"], "HOME": session.create_tmp()},
            include_outer_env=False,
        )


for _driver, _pins in ENVIRONMENTS.items():
    _define(_driver, _pins)


@nox.session(name="stores")
def stores(session: nox.Session) -> None:
    """Run the readers of vector stores on the real clients, which are no dependency of ours."""
    session.install(
        ".",
        "pytest>=8",
        "pytest-timeout>=2.3",
        "qdrant-client==1.20.0",
        "pinecone==10.2.0",
        "weaviate-client==4.24.1",
        env=_sources(),
    )
    session.run("python", "-m", "pytest", "-q", "--noconftest", "tests/instrumentation/test_snapshot_stores.py", *session.posargs)


@nox.session(name="evaluators")
def evaluators(session: nox.Session) -> None:
    """Run the adapters of other packages' metrics on the real packages, which are no dependency of ours."""
    session.install(
        "-e",  # an environment that is used again would keep the code of before: uv looks at pyproject.toml alone
        ".",
        "pytest>=8",
        "pytest-timeout>=2.3",
        "deepeval==4.3.1",
        "evidently==0.7.23",
        "pandas==2.3.3",  # evidently 0.7.23 asks for no limit and cannot be imported with pandas 3
        "ragas==0.4.3",
        "langchain-community==0.3.31",  # the same with ragas 0.4.3 and langchain-community 0.4
        "rapidfuzz==3.14.6",  # what Ragas' metrics of texts want, each when it is made
        "rouge-score==0.1.2",
        "sacrebleu==2.6.0",
        env=_sources(),
    )
    session.run("python", "-m", "pytest", "-q", "--noconftest", "tests/evaluation/test_adapters_packages.py", *session.posargs)


@nox.session(name="litellm")
def litellm(session: nox.Session) -> None:
    """Run the callback of LiteLLM's router on the real package, which is no dependency of ours."""
    session.install(
        "-e",  # an environment that is used again would keep the code of before: uv looks at pyproject.toml alone
        ".",
        "pytest>=8",
        "pytest-timeout>=2.3",
        "litellm==1.110.2",
        env=_sources(),
    )
    session.run("python", "-m", "pytest", "-q", "--noconftest", "tests/containment/test_litellm.py", *session.posargs)


@nox.session(name="benchmark_instrumentation")
def benchmark_instrumentation(session: nox.Session) -> None:
    """Print what truegreen costs on the OpenAI SDK under three instrumentors, side by side."""
    pins = [pin for name in ("genai_openai", "openinference_openai", "traceloop_openai") for pin in ENVIRONMENTS[name]]
    session.install("-e", ".", *SDK, *dict.fromkeys(pins), env=_sources())
    session.run("python", "benchmarks/instrumentation.py", *session.posargs)


TOOLS = [
    "pytest",
    "pytest-timeout",
    "hypothesis",
    "numpy",
    "pyyaml",
    "jsonschema",
    "click",
    "httpx",
    "gunicorn",
    "hatchling",
    "editables",
]
SDKS = {
    "oldest": ("1.30.0", "0.51b0", []),
    "middle": ("1.39.1", "0.60b1", []),
    "newest": (
        "1.45.2",
        "0.66b2",
        [
            "opentelemetry-configuration==0.66b2",
            "opentelemetry-instrumentation-genai-openai==1.3b0",
            "opentelemetry-util-genai==1.3b0",
            "langfuse==5.0.4",
            "langsmith[otel]==0.15.1",
            "langchain-core==1.8.3",
        ],
    ),
}
"""What OpenTelemetry's SDK and instrumentation are called, and what goes with that SDK only."""
PARTS = (
    "spans",
    "install",
    "faults",
    "locks",
    "setups",
    "setups_configuration",
    "setups_ends",
    "bad_input",
    "harmless",
    "later",
    "later_order",
    "parts",
    "background",
    "evaluation_background",
    "evaluation_background_life",
)
"""The tests of `tests/instrumentation` that need no particular library of an LLM; without genai-openai it is OpenInference."""


def _on(which: str, sdk: str, instrumentation: str, more: list[str]) -> None:
    """Define the session that runs the instrumentation's tests on one SDK."""

    @nox.session(name=f"sdk_{which}", tags=["sdks"])
    def run(session: nox.Session) -> None:
        session.install(
            f"opentelemetry-sdk=={sdk}",
            f"opentelemetry-exporter-otlp=={sdk}",
            f"opentelemetry-instrumentation=={instrumentation}",
            f"opentelemetry-distro=={instrumentation}",
            "openai==3.57.0",
            "openinference-instrumentation-openai==0.1.66",
            *more,
            *TOOLS,
            env=_sources(),
        )
        session.install("--no-deps", "--no-build-isolation", "-e", ".", env=_sources())
        session.run(
            "python", "-m", "pytest", "-q", *session.posargs, *(f"tests/instrumentation/test_{part}.py" for part in PARTS)
        )


for _which, _versions in SDKS.items():
    _on(_which, *_versions)
