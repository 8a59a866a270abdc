"""The instrumentation's tests on the oldest, a middle and the newest SDK, each in an environment of its own (`.nox`)."""

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
    command = [sys.executable, "-m", "nox", "-s", f"sdk_{which}", "--", "-m", "not full", "--tb=short", "--show-capture=no"]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, timeout=1_700)
    assert done.returncode == 0, (done.stdout + done.stderr)[-5_000:]
