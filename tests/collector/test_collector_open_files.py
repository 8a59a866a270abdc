"""What a collector does where few files may be open."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from collector_process import DEADLINE, Running, until
from receivers import post_head

from truegreen.core.clients.engines import free_port

resource = pytest.importorskip("resource")
Start = Callable[..., Running]


def limited(folder: Path, soft: int, hard: int) -> tuple[subprocess.Popen[str], str, str]:
    """A collector that may open so many files; its addresses for OTLP and pages."""
    http, grpc, metrics = (f"127.0.0.1:{free_port()}" for _ in range(3))
    command = [sys.executable, "-m", "truegreen.core", "collect", "--http-endpoint", http, "--grpc-endpoint", grpc, "--metrics-endpoint", metrics]  # fmt: skip
    # By a shell: a preexec_fn forks, and gRPC, which other tests of this process use, starts its threads again in the child and aborts it.
    most = "unlimited" if hard == resource.RLIM_INFINITY else hard
    lowered = ["sh", "-c", f'ulimit -S -n {soft} && ulimit -H -n {most} && exec "$@"', "sh", *command]
    process = subprocess.Popen(lowered, stderr=subprocess.PIPE, text=True, cwd=folder)

    def ready() -> bool:
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        try:
            return urllib.request.urlopen(f"http://{metrics}/readyz", timeout=10).status == 200
        except OSError:
            return False

    until(ready, "the collector is ready")
    return process, http, metrics


def test_the_limit_of_open_files_is_raised_as_far_as_it_is_needed(tmp_path: Path) -> None:
    """1,024 is the usual soft limit, and too few for 1,024 connections of two protocols."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < 3000:
        pytest.skip("this machine lets no process open enough files")
    process, _, _ = limited(tmp_path, 1024, hard)
    try:
        found = re.search(r"Max open files\s+(\d+)", Path(f"/proc/{process.pid}/limits").read_text())
        assert found and int(found[1]) > 2 * 1024
    finally:
        process.send_signal(signal.SIGTERM)
    assert "files may be open" not in process.communicate(timeout=DEADLINE)[1]


def test_where_it_cannot_be_raised_fewer_connections_are_taken_and_the_pages_stay(tmp_path: Path) -> None:
    """One warning; more idle connections than files leave the pages up and the log short."""
    process, http, metrics = limited(tmp_path, 400, 400)
    host, _, port = http.rpartition(":")
    try:
        with contextlib.ExitStack() as kept:
            for _ in range(450):
                one = kept.enter_context(socket.create_connection((host, int(port)), timeout=DEADLINE))
                with contextlib.suppress(OSError):
                    one.sendall(post_head(0).encode())
            assert urllib.request.urlopen(f"http://{metrics}/readyz", timeout=10).status == 200
    finally:
        process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=DEADLINE)[1]
    assert "warning: 400 files may be open" in said and len(said.splitlines()) < 10, said[:2000]
