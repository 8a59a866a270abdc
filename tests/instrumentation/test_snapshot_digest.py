"""The snapshot's id is the same in every process and on every Python: pinned here, and computed elsewhere."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from truegreen.instrumentation import dataset, schemas, snapshot

VERSIONS = {
    "model": "gpt-4o-2026-01-01", "prompt": "support@7", "retrieval_index": "kb@kb_v2#7", "tool_schema": "ee84a0fbe365", "guardrail": "größe@1",
    "eval_dataset": "e@1", "provider_changelog": "2026-11-01",
}  # fmt: skip
PINNED = "dab7f2c70aab"
TOOL = {
    "name": "t",
    "parameters": {"type": "object", "properties": {"b": {"type": "number", "default": 0.1}, "a": {"type": "string"}}},
}
LINES = [b'{"b": 1.5, "a": "\\u00e9"}', "ü no json".encode(), b'{"n": 1e400}']


def test_the_id_is_pinned():
    """Over the five that serve: a new eval set or a changelog entry changes nothing, an absent component is an empty text."""
    assert snapshot.digest(VERSIONS) == PINNED
    assert snapshot.digest({k: v for k, v in VERSIONS.items() if k not in ("eval_dataset", "provider_changelog")}) == PINNED
    assert snapshot.digest(dict(reversed(VERSIONS.items()))) == PINNED
    assert snapshot.digest({}) == "8ed0f0999f45"


def _all():
    return [snapshot.digest(VERSIONS), schemas.tool_schema([TOOL]), dataset.lines_digest(LINES)]


def _elsewhere(python, seed):
    """What another interpreter computes; our packages and OpenTelemetry are pure Python, so that it can borrow ours."""
    script = (
        "import json, sys; sys.path[:0] = json.loads(sys.argv[1]); import test_snapshot_digest as t; print(json.dumps(t._all()))"
    )
    paths = json.dumps([str(Path(__file__).parent), *filter(None, sys.path[1:])])
    borrowed = [
        path for path in json.loads(paths) if python == sys.executable or "/lib/python" not in path or "site-packages" in path
    ]
    return json.loads(
        subprocess.run(
            [python, "-c", script, json.dumps(borrowed)],
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
    )


@pytest.mark.parametrize("seed", ["0", "1", "random"])
def test_another_process_with_another_hash_seed_gives_the_same(seed):
    """Id, tool schemas, evaluation set."""
    assert _elsewhere(sys.executable, seed) == _all()


@pytest.mark.parametrize("name", ["python3.12", "python3.13", "python3.14"])
def test_another_python_gives_the_same(name):
    """Where there is one."""
    path = shutil.which(name)
    if path is None or subprocess.run([path, "-c", "pass"], capture_output=True, check=False, timeout=60).returncode:
        pytest.skip(f"no {name} on the path")
    assert _elsewhere(path, "random") == _all()
