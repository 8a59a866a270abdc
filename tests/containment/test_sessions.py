"""What needs a package that is not among the locked ones, in an environment of its own (`.nox`)."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.full
@pytest.mark.timeout(1_800)
def test_the_callback_says_what_litellms_router_did(repo):
    """The real package, against a local server."""
    done = subprocess.run([sys.executable, "-m", "nox", "-s", "litellm"], cwd=repo, capture_output=True, text=True, timeout=1_700)
    assert done.returncode == 0, (done.stdout + done.stderr)[-5_000:]
