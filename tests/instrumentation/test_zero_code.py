"""`opentelemetry-instrument python app.py` with nothing of truegreen in the application."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

APP = """
import os, openai
from opentelemetry import trace
client = openai.OpenAI(base_url=os.environ["URL"], api_key="k", max_retries=0)
print("GOT", client.chat.completions.create(model="support-large", messages=[{"role": "user", "content": "ZEBRA-QUESTION"}]).choices[0].message.content)
"""


def _run(tmp_path, server, **variables):
    script = tmp_path / "app.py"
    script.write_text(APP)
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "TRUEGREEN_"))} | {
        "URL": server.url, "OTEL_TRACES_EXPORTER": "console", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none",
        "OTEL_RESOURCE_ATTRIBUTES": "service.name=bot,deployment.environment.name=prod", **variables,
    }  # fmt: skip
    command = [str(Path(sys.executable).parent / "opentelemetry-instrument"), sys.executable, str(script)]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=True, cwd=tmp_path)


def test_an_application_started_by_opentelemetry_instrument_has_our_attributes(tmp_path, server):
    """Its answer is whole, its text is in no span, and one line on stderr says what is done."""
    done = _run(tmp_path, server)
    assert "GOT Returns are accepted" in done.stdout
    spans = done.stdout.replace(next(line for line in done.stdout.splitlines() if line.startswith("GOT")), "")
    for part in (
        '"name": "chat support-large"',
        '"truegreen.snapshot.id"',
        '"truegreen.evaluation.groundedness.skipped": "no_context"',
        '"truegreen.dialect": "genai"',
    ):
        assert part in spans
    assert "ZEBRA" not in spans + done.stderr
    assert done.stderr.count("truegreen: LLM instrumentors: ") == 1
    assert "exports to: ConsoleSpanExporter" in done.stderr
    assert "retrieval(documents=" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.full
def test_a_disabled_truegreen_does_nothing(tmp_path, server):
    """By OpenTelemetry's own variable."""
    done = _run(tmp_path, server, OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="truegreen")
    assert '"name": "chat support-large"' in done.stdout
    assert "truegreen." not in done.stdout
    assert "truegreen" not in done.stderr
