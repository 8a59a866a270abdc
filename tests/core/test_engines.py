"""Real Prometheus and Alertmanager: found, started, reloaded, ended; and what is said when that does not go well."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from truegreen.core.clients import alertmanager, engines, prometheus
from truegreen.core.errors import Failed

Named = Callable[[str], Path]
SECONDS = 20.0

PROMETHEUS = "global: {scrape_interval: 1s}\nrule_files: ['rules/*.yml']\n"
ALERTMANAGER = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"
RULE = "groups: [{name: g, interval: 1s, rules: [{record: 'one', expr: 'vector(1)', labels: {kept: 'yes'}}]}]\n"

KEEPER = """
import sys, time
from pathlib import Path
from truegreen.core.clients import engines
start = getattr(engines, sys.argv[1])
with start(Path(sys.argv[2]), Path(sys.argv[3])) as engine:
    print(engine.process.pid, flush=True)
    time.sleep(600)
"""


def eventually(holds: Callable[[], bool]) -> bool:
    """True as soon as `holds()`, False when it does not within the deadline."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.05)
    return False


def gone(group: int) -> bool:
    """True when no process of the group runs; one that has ended and waits to be collected by process 1 does not count."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return Path("/proc/self/stat").exists() and set(_states(group)) <= {"Z", "X"}


def _states(group: int) -> Iterator[str]:
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, of = path.read_text("utf-8", "replace").rpartition(")")[2].split()[:3]
            if of == str(group):
                yield state


def written(folder: Path, text: str, name: str = "engine.yml") -> Path:
    """A file with that text."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def test_prometheus_starts_answers_reloads_and_is_gone_after_the_block(tmp_path: Path, engine: Named) -> None:
    """One life of a real Prometheus: the rule that `reload` brings gives its sample."""
    engine("prometheus")
    config = written(tmp_path, PROMETHEUS)
    with engines.prometheus(config, tmp_path / "data") as running:
        server = prometheus.connect(running.url, environ={})
        assert prometheus.query(server, "one") == []
        written(tmp_path, RULE, "rules/one.yml")
        running.reload()
        assert eventually(lambda: bool(prometheus.query(server, "one")))
        sample = prometheus.query(server, "one")[0]
        assert (sample.value, sample.labels["kept"]) == (1.0, "yes")
        group = running.process.pid
        assert running.alive()
    assert not running.alive()
    assert gone(group)


def test_alertmanager_starts_answers_and_is_gone_after_the_block(tmp_path: Path, engine: Named) -> None:
    """One life of a real Alertmanager, its template path included."""
    engine("alertmanager")
    with engines.alertmanager(written(tmp_path, ALERTMANAGER), tmp_path / "data") as running:
        assert alertmanager.alerts(alertmanager.connect(running.url, environ={})) == []
        running.reload()
        group = running.process.pid
    assert gone(group)


def test_the_engine_is_gone_when_the_block_ends_by_an_error(tmp_path: Path, engine: Named) -> None:
    """An exception passes through and leaves nothing behind."""
    engine("prometheus")
    groups: list[int] = []

    def used() -> None:
        with engines.prometheus(written(tmp_path, PROMETHEUS), tmp_path / "data") as running:
            groups.append(running.process.pid)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        used()
    assert gone(groups[0])


@pytest.mark.parametrize("name", ["prometheus", "alertmanager"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_engine_is_gone_when_the_program_that_started_it_is_killed(
    tmp_path: Path, engine: Named, name: str, number: signal.Signals
) -> None:
    """SIGTERM and SIGKILL of the starting process run none of its code; the engine ends all the same."""
    engine(name)
    config = written(tmp_path, PROMETHEUS if name == "prometheus" else ALERTMANAGER)
    command = [sys.executable, "-c", KEEPER, name, str(config), str(tmp_path / "data")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as keeper:
        assert keeper.stdout is not None
        group = int(keeper.stdout.readline())
        assert not gone(group)
        keeper.send_signal(number)
        keeper.wait(SECONDS)
        assert eventually(lambda: gone(group))


def test_a_configuration_that_is_refused_at_the_start_is_one_line_with_the_reason(tmp_path: Path, engine: Named) -> None:
    """The engine's own last error is passed on, for both engines."""
    engine("prometheus")
    engine("alertmanager")
    config = written(tmp_path, "nonsense_key: 1\n")
    for start in (engines.prometheus, engines.alertmanager):
        with pytest.raises(Failed, match="nonsense_key") as failed, start(config, tmp_path / start.__name__):
            pass
        assert "\n" not in str(failed.value)


def test_a_configuration_that_is_refused_at_reload_says_why_and_the_engine_runs_on(tmp_path: Path, engine: Named) -> None:
    """The old configuration stays in force."""
    engine("prometheus")
    config = written(tmp_path, PROMETHEUS)
    with engines.prometheus(config, tmp_path / "data") as running:
        written(tmp_path, "nonsense_key: 1\n")
        with pytest.raises(Failed, match="did not take the new configuration"):
            running.reload()
        assert running.alive()


def test_an_engine_that_is_killed_from_outside_is_reported_with_its_log(tmp_path: Path, engine: Named) -> None:
    """`check` raises as soon as the process has ended."""
    engine("prometheus")
    with engines.prometheus(written(tmp_path, PROMETHEUS), tmp_path / "data") as running:
        running.check()
        os.kill(running.process.pid, signal.SIGKILL)
        assert eventually(lambda: not running.alive())
        with pytest.raises(Failed, match=r"prometheus ended with code -9: .*prometheus\.log"):
            running.check()


def test_a_port_in_use_is_one_clear_line_and_nothing_is_started(tmp_path: Path, engine: Named) -> None:
    """The port, and what to do."""
    engine("prometheus")
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(Failed, match=rf"prometheus cannot listen on 127\.0\.0\.1:{port}: .*name another port"),
            engines.prometheus(written(tmp_path, PROMETHEUS), tmp_path / "data", port=port),
        ):
            pass
    assert not (tmp_path / "data" / "prometheus.log").exists()


def test_a_free_port_that_is_taken_before_the_engine_binds_it_is_replaced(
    tmp_path: Path, engine: Named, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine dies of it once, and is started on another port."""
    engine("alertmanager")
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports = iter([taken.getsockname()[1], engines.free_port()])
        monkeypatch.setattr("truegreen.core.clients.processes.free_port", lambda: next(ports))
        with engines.alertmanager(written(tmp_path, ALERTMANAGER), tmp_path / "data") as running:
            assert running.alive()
    assert next(ports, None) is None


def test_promtool_and_amtool_pass_on_what_they_say(tmp_path: Path, engine: Named) -> None:
    """Good input gives the tool's output, bad input `Failed` with its words."""
    engine("promtool")
    engine("amtool")
    good = written(tmp_path, RULE, "good.yml")
    bad = written(tmp_path, "groups: [{name: g, rules: [{record: a, expr: 'sum('}]}]\n", "bad.yml")
    case = "promql_expr_test: [{expr: one, eval_time: 1m, exp_samples: [{labels: 'one{kept=\"yes\"}', value: %d}]}]"
    right, wrong = (
        written(tmp_path, f"rule_files: [good.yml]\ntests: [{{interval: 1m, {case % value}}}]\n", f"test{value}.yml")
        for value in (1, 2)
    )
    assert "1 rules found" in engines.check_rules([good])
    assert "SUCCESS" in engines.test_rules([right])
    assert "SUCCESS" in engines.check_config(written(tmp_path, "global: {}\n", "p.yml"))
    assert "SUCCESS" in engines.amtool_check(written(tmp_path, ALERTMANAGER, "a.yml"))
    with pytest.raises(Failed, match="parse error"):
        engines.check_rules([good, bad])
    with pytest.raises(Failed, match="FAILED"):
        engines.test_rules([wrong])
    with pytest.raises(Failed, match="receiver"):
        engines.amtool_check(written(tmp_path, "route: {receiver: none}\n", "b.yml"))


def program(folder: Path, name: str) -> Path:
    """An executable file."""
    path = written(folder, "#!/bin/sh\n", name)
    path.chmod(0o755)
    return path


def test_an_engine_is_looked_for_in_the_variable_then_the_checkout_then_path(tmp_path: Path) -> None:
    """Each place wins over the ones after it; Debian's name of Alertmanager counts."""
    named = program(tmp_path / "named", "alertmanager")
    ours = program(tmp_path / "checkout" / ".engines" / "bin", "alertmanager")
    below = tmp_path / "checkout" / "deep" / "down"
    below.mkdir(parents=True)
    environ = {"PATH": str(tmp_path / "path"), "TRUEGREEN_ENGINES": str(named.parent)}
    debian = program(tmp_path / "path", "prometheus-alertmanager")
    assert engines.find("alertmanager", environ, below) == named
    assert engines.find("alertmanager", {"PATH": environ["PATH"]}, below) == ours
    assert engines.find("prometheus-like", environ, tmp_path) is None
    assert engines.find("prometheus-alertmanager", environ, tmp_path) == debian


def test_a_missing_engine_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One line with the three ways."""
    monkeypatch.setattr(engines, "find", lambda _name: None)
    with (
        pytest.raises(Failed, match="make engines.*prometheus-alertmanager.*TRUEGREEN_ENGINES") as failed,
        engines.alertmanager(tmp_path / "a.yml", tmp_path),
    ):
        pass
    assert "\n" not in str(failed.value)


def test_a_program_that_cannot_be_run_is_one_clear_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Such as one built for another machine."""
    path = program(tmp_path, "prometheus")
    path.write_bytes(b"\x7fELF no")
    monkeypatch.setenv("TRUEGREEN_ENGINES", str(tmp_path))
    with (
        pytest.raises(Failed, match="prometheus cannot be started: Exec format error"),
        engines.prometheus(written(tmp_path, PROMETHEUS), tmp_path / "data"),
    ):
        pass


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ("ts=1 level=info msg=up\nts=2 level=error err=boom\nts=3 level=info msg=bye\n", "ts=2 level=error err=boom"),
        ("panic: nil\n\ngoroutine 1 [running]:\n", "panic: nil"),
        ("one\ntwo\n\n", "two"),
        ("", "it said nothing"),
    ],
)
def test_the_last_words_are_the_last_error_else_the_last_line(tmp_path: Path, log: str, words: str) -> None:
    """What a user is told of a log."""
    assert engines.last_words(written(tmp_path, log, "log")) == words
