"""The instrumentation's tests on three SDKs, and its readers of vector stores on the real clients, in environments of their own (`.nox`)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).parents[2]


@pytest.mark.full
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("which", ["oldest", "middle", "newest"])
def test_our_tests_pass_on_the_sdk(which):
    """Those that need no particular library of an LLM; the newest one has Langfuse, LangSmith and the declarative configuration too."""
    _passes(f"sdk_{which}", "--", "-m", "not full", "--tb=short", "--show-capture=no")


@pytest.mark.full
@pytest.mark.timeout(1_800)
def test_the_readers_of_vector_stores_read_the_real_clients():
    """Qdrant in this process, Pinecone and Weaviate against local servers."""
    _passes("stores")


def _passes(*session: str) -> None:
    command = [sys.executable, "-m", "nox", "-s", *session]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, timeout=1_700)
    assert done.returncode == 0, (done.stdout + done.stderr)[-5_000:]
