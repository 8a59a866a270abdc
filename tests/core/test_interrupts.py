"""An interrupt while a process is being made: it arrives, a little later, and no process is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from truegreen.core.clients import engines, processes
from truegreen.core.clients.interrupts import SIGNALS, held


class Interrupted(Exception):
    """What the handler of this test raises."""


def _raise(*_: object) -> None:
    raise Interrupted


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    """Both signals raise, as in a program that ends its processes on the way out."""
    before = {number: signal.signal(number, _raise) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_an_interrupt_inside_of_the_block_arrives_when_it_ends_and_the_next_one_at_once(number: signal.Signals) -> None:
    """Also from a block within another: the outer one ends first."""
    reached = []

    def used() -> None:
        with held():
            with held():
                signal.raise_signal(number)
                reached.append("inner")
            reached.append("outer")
        reached.append("after")

    for _ in range(2):
        with pytest.raises(Interrupted):
            used()
        assert reached == ["inner", "outer"]
        reached.clear()
    with pytest.raises(Interrupted):
        signal.raise_signal(number)


def test_an_ignored_signal_stays_ignored_and_another_thread_is_let_be() -> None:
    """A shell's background job ignores SIGINT; a handler can be set in the main thread only."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with held():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    passed = []

    def used() -> None:
        with held():
            passed.append(1)

    thread = threading.Thread(target=used)
    thread.start()
    thread.join()
    assert passed == [1]


def test_a_program_without_handlers_is_ended_by_the_signal_after_the_block() -> None:
    """SIGTERM's default ends the process without running any of its code."""
    script = (
        "import signal\nfrom truegreen.core.clients.interrupts import held\n"
        "with held():\n    signal.raise_signal(signal.SIGTERM)\n    print('held', flush=True)\nprint('after')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.returncode) == ("held\n", -signal.SIGTERM)


@pytest.mark.parametrize("number", SIGNALS)
def test_an_interrupt_while_an_engine_is_being_made_leaves_no_process(
    tmp_path: Path, engine: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """At the first moment at which the process is there and nobody holds it yet."""
    engine("prometheus")
    made: list[subprocess.Popen[bytes]] = []

    class Popen(subprocess.Popen[bytes]):
        def __init__(self, *args: object, **more: object) -> None:
            super().__init__(*args, **more)  # type: ignore[call-overload]
            made.append(self)
            signal.raise_signal(number)

    monkeypatch.setattr(processes.subprocess, "Popen", Popen)
    (tmp_path / "prometheus.yml").write_text("global: {}\n", "utf-8")
    try:
        with pytest.raises(Interrupted), engines.prometheus(tmp_path / "prometheus.yml", tmp_path / "data"):
            raise AssertionError("the engine runs as if nobody had interrupted")
        assert len(made) == 2, "the engine and its watcher"
        assert [process.poll() is None for process in made] == [False, False]
    finally:
        for process in made:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def test_a_command_that_is_ended_cleans_up_and_ends_its_tool(tmp_path: Path) -> None:
    """SIGTERM comes while a tool runs: its folder goes, the tool goes, the exit code is the command's own; a second signal changes nothing."""
    script = (
        "import os, signal, sys, tempfile, threading\nfrom pathlib import Path\nfrom truegreen.core.clients import interrupts, processes\n"
        f"here = Path({str(tmp_path)!r})\n"
        "def end():\n"
        "    while not (here / 'pid').exists() or not (here / 'pid').read_text().strip(): pass\n"
        "    os.kill(os.getpid(), signal.SIGTERM); os.kill(os.getpid(), signal.SIGTERM)\n"
        "threading.Thread(target=end, daemon=True).start()\n"
        "try:\n"
        "    with interrupts.raised(), tempfile.TemporaryDirectory(dir=here) as folder:\n"
        "        processes.run('tool', ['/bin/sh', '-c', f'echo $$ > {here}/pid; exec sleep 100'], Path(folder) / 'log', 60)\n"
        "except KeyboardInterrupt:\n    sys.exit(7)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 7, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["pid"]
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_tool_says_how_it_ended(tmp_path: Path) -> None:
    """Its code and its words; None where it took too long."""
    assert processes.run("tool", ["/bin/sh", "-c", "echo no $TMPDIR >&2; exit 3"], tmp_path / "log", 60) == 3
    assert (tmp_path / "log").read_text() == f"no {tmp_path}\n"
    assert processes.run("tool", ["/bin/sh", "-c", "exec sleep 100"], tmp_path / "log", 0.05) is None
