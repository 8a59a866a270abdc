"""Who plays: the provider, the prompt store and the support agent, started on the stage."""

from __future__ import annotations

import shutil
import sys
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import httpx

from truegreen.core.errors import Failed
from truegreen.demo import beside, files
from truegreen.demo.model import ENVIRONMENT, MODEL_ALIAS, PROMPT, SERVICE, Settings
from truegreen.demo.stage import Stage, truegreen
from truegreen.demo.world import prompts, shelf

_KEYS: Final = {"LANGFUSE_PUBLIC_KEY": prompts.PUBLIC_KEY, "LANGFUSE_SECRET_KEY": prompts.SECRET_KEY}
_PACE: Final = ("--latency-ms", "300", "--jitter-ms", "250")
"""As slow as a model is: what a busy machine adds does not show in the 99th percentile then."""
RELEVANCE_FLOOR: Final = 0.25
"""About one chunk in twelve lies under it: the third of a question that two passages answer."""


def smoke(addresses: Mapping[str, str]) -> list[str]:
    """The command of the smoke suite: a dozen questions with known answers."""
    return [sys.executable, "-m", "truegreen.demo.world.traffic", "smoke", "--base-url", f"http://{addresses['agent']}"]


def sections(folder: Path, addresses: Mapping[str, str]) -> dict[str, Any]:
    """What the shop's team writes beside SLOs and addresses: a floor of relevance, versions that no code sees, traces to Langfuse too."""
    secret = folder / "langfuse.txt"
    secret.write_text("Basic " + b64encode(":".join(_KEYS.values()).encode()).decode(), "utf-8")
    langfuse = {
        "name": "langfuse",
        "endpoint": f"http://{addresses['prompts']}/api/public/otel",
        "signals": ["traces"],
        "headers": {"Authorization": {"file": str(secret)}},
    }
    around = beside.sections(addresses)
    return {
        "retrieval": {"floor": RELEVANCE_FLOOR},
        "snapshot": {"tool_schema": "support-tools@2", "eval_dataset": "support-questions@4", "provider_changelog": "2026-11"},
        "collector": {"forward": [langfuse, *around["forward"]], "canary_endpoint": around["canary_endpoint"], "flush": "1s"},
    }


def enter(on: Stage, settings: Settings) -> str:
    """Start the three; the agent's base address. The agent runs under `opentelemetry-instrument`, as in the README."""
    truegreen(on, "generate", "app", "--out", str(on.folder / "app"))
    langfuse = {
        **_KEYS,
        "LANGFUSE_BASE_URL": f"http://{on.addresses['prompts']}",
        "LANGFUSE_HOST": f"http://{on.addresses['prompts']}",
    }
    on.supervisor.environ = {**on.supervisor.environ, **langfuse}
    for name in ("provider", "prompts"):
        seed = ["--seed", str(settings.seed), *_PACE] if name == "provider" else []
        process = on.supervisor.python(
            name, f"truegreen.demo.world.{name}", ["--port", on.addresses[name].rpartition(":")[2], *seed]
        )
        on.supervisor.ready(f"http://{on.addresses[name]}/admin/state", process)
    agent = on.supervisor.start(
        SERVICE,
        [_instrument(), sys.executable, "-m", "truegreen.demo.world.agent", "--port", on.addresses["agent"].rpartition(":")[2]],
        {
            "OTEL_SERVICE_NAME": SERVICE,
            "OTEL_RESOURCE_ATTRIBUTES": f"deployment.environment.name={ENVIRONMENT}",
            "OTEL_EXPORTER_OTLP_ENDPOINT": on.tap.url,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "2",  # at the end the collector goes too: do not wait for it
            "OTEL_BSP_SCHEDULE_DELAY": "300",
            "OTEL_BSP_MAX_QUEUE_SIZE": "16384",
            "OPENAI_BASE_URL": f"http://{on.addresses['provider']}/v1",
            "OPENAI_API_KEY": "demo",
            "TRUEGREEN_CONFIG": str(on.folder / "app" / "truegreen.json"),
            "TRUEGREEN_CALIBRATION": str(on.folder / "calibration"),
            shelf.VARIABLE: str(on.folder / files.SHELF),
            "TRUEGREEN_FLAGS": str(on.folder / "flags.json"),
        },
    )
    address = f"http://{on.addresses['agent']}"
    on.supervisor.ready(f"{address}/healthz", agent)
    return address


def move_alias(on: Stage, model: str) -> None:
    """The provider serves another model behind the alias; nobody tells the agent."""
    _admin(f"http://{on.addresses['provider']}/admin/alias", {"alias": MODEL_ALIAS, "model": model})


def ship_prompt(on: Stage, version: int) -> None:
    """The team moves the label `production` to another version of the prompt."""
    reply = httpx.patch(
        f"http://{on.addresses['prompts']}/api/public/v2/prompts/{PROMPT}/versions/{version}",
        json={"newLabels": ["production"]},
        auth=(prompts.PUBLIC_KEY, prompts.SECRET_KEY),
        trust_env=False,
    )
    if reply.status_code != httpx.codes.OK:
        raise Failed(f"the prompt store refused to move the label: {reply.status_code}")


def slow_down(on: Stage, model: str, share: float, seconds: float) -> None:
    """The provider takes so many seconds longer for a share of what a model is asked."""
    _admin(f"http://{on.addresses['provider']}/admin/slow", {"model": model, "share": share, "seconds": seconds})


def deploy(on: Stage, component: str, version: str) -> None:
    """The team lets another version of the `index` or the `guardrail` serve."""
    shelf.put(on.folder / files.SHELF, component, version)


def _admin(url: str, body: Mapping[str, object]) -> None:
    reply = httpx.post(url, json=body, trust_env=False)
    if reply.status_code >= httpx.codes.BAD_REQUEST:
        raise Failed(f"{url} answered {reply.status_code}")


def _instrument() -> str:
    beside = Path(sys.executable).with_name("opentelemetry-instrument")
    found = str(beside) if beside.exists() else shutil.which("opentelemetry-instrument")
    if not found:
        raise Failed("opentelemetry-instrument was not found; run: pip install 'truegreen[demo]'")
    return found
