"""The example runs as its README says, and each line of it obeys its switch."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from providers import providers

from truegreen.containment.document import document

QUESTION = "How many days may I work from home?"


def _run(repo, server, tmp_path, **flags):
    file = tmp_path / "flags.json"
    file.write_text(json.dumps(document(flags)))
    done = subprocess.run(
        [sys.executable, str(repo / "examples" / "containment_app" / "app.py"), "session-1", QUESTION],
        env={
            **os.environ, "OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": "k", "OPENAI_BASE_URL": f"{server.url}/openai/v1",
            "ANTHROPIC_BASE_URL": f"{server.url}/anthropic", "TRUEGREEN_FLAGS": str(file),
        },
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.full
@pytest.mark.parametrize(
    ("flags", "failing", "expected", "asked"),
    [
        ({}, {}, "openai support-large", "three days"),
        ({}, {"openai": 503}, "anthropic support-spare", "three days"),
        ({"pinned_model": "support-0613"}, {}, "openai support-0613", "three days"),
        ({"fallback_model": "anthropic:claude-x"}, {}, "anthropic claude-x", "three days"),
        ({"retrieval_index": "handbook-2026-10"}, {}, "openai support-large", "two days"),
        ({"feature_disabled": "handbook"}, {}, "The handbook's assistant is switched off at the moment.", None),
        ({"degraded_mode": "Please call us."}, {}, "Please call us.", None),
        ({"rollout": json.dumps({"component": "model", "to": "support-next", "percent": 100})}, {}, "openai support-next", "three days"),
        ({"strict_guardrail": "on", "pinned_model": "m" * 60}, {}, "Please ask your lead.", "three days"),
    ],
)  # fmt: skip
def test_the_example_obeys(repo, tmp_path, flags, failing, expected, asked):
    """From the command line to the provider."""
    with providers() as server:
        server.failing.update(failing)
        assert _run(repo, server, tmp_path, **flags) == expected
        sent = json.dumps([body for _, _, body in server.asked])
        assert asked in sent if asked else server.asked == []


def test_the_readme_names_each_switch_that_the_app_has(repo):
    """Line by line."""
    folder = repo / "examples" / "containment_app"
    app, readme = (folder / "app.py").read_text(), (folder / "README.md").read_text()
    used = {part.split("(")[0] for part in app.split("containment.")[1:] if "(" in part.splitlines()[0]} - {"breaker"}
    assert used == {"route", "contained", "context", "index", "rollout", "shadow", "cached", "guardrail"}
    assert all(f"containment.{name}(" in readme for name in used)
