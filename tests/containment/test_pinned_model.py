"""The pinned model: off without a file, on within moments of a write, stamped on the spans inside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from truegreen import containment
from truegreen.containment import flags
from truegreen.containment.document import document, read
from truegreen.instrumentation import failures, notices
from truegreen.instrumentation.testing import captured

CHAT = {"gen_ai.operation.name": "chat"}


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    monkeypatch.delenv(flags.VARIABLE, raising=False)
    failures.reset()
    notices.close()
    yield
    flags.close()
    notices.close()


def _write(path: Path, value: str) -> None:
    """As an operator's command does it: atomically."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(document({"pinned_model": value})))
    part.replace(path)


def _model() -> str:
    with containment.model("support-large") as model:
        return model


def _until(expected: str) -> None:
    deadline = time.monotonic() + 20
    while _model() != expected:
        assert time.monotonic() < deadline, f"{_model()} is not {expected} after 20 s"
        time.sleep(0.01)


def test_without_a_file_the_configured_model_is_used():
    """No variable, or a file that is not there: no error and no wait."""
    assert _model() == "support-large"
    os.environ[flags.VARIABLE] = "/nowhere/flags.json"
    try:
        assert _model() == "support-large"
    finally:
        del os.environ[flags.VARIABLE]
    assert failures.counted() == {}


def test_a_written_flag_pins_the_model_and_an_empty_one_lets_it_go(tmp_path, monkeypatch):
    """The file may come later, and each change is seen without a restart."""
    path = tmp_path / "flags.json"
    monkeypatch.setenv(flags.VARIABLE, str(path))
    assert _model() == "support-large"
    _write(path, "support-large-0613")
    _until("support-large-0613")
    _write(path, "")
    _until("support-large")
    _write(path, "support-small")
    _until("support-small")


def test_spans_inside_are_stamped_while_the_model_is_pinned_and_only_then(tmp_path, monkeypatch):
    """The stamp travels in the context."""
    path = tmp_path / "flags.json"
    monkeypatch.setenv(flags.VARIABLE, str(path))
    _write(path, "")
    with captured() as seen:
        tracer = seen.provider.get_tracer("app")

        def call(name):
            with containment.model("support-large"):
                tracer.start_span(name, attributes=CHAT).end()
            tracer.start_span(f"{name} outside", attributes=CHAT).end()

        call("before")
        _write(path, "support-large-0613")
        _until("support-large-0613")
        call("pinned")
    assert "truegreen.containment" not in seen.attributes("before")
    assert seen.attributes("pinned outside").get("truegreen.containment") is None
    assert next(s for s in seen.spans if s.name == "pinned").attributes["truegreen.containment"] == "pinned_model"


def test_a_broken_file_leaves_the_last_value_and_is_logged_seldom(tmp_path, monkeypatch, caplog):
    """The provider looks ten times a second; its log must not."""
    path = tmp_path / "flags.json"
    monkeypatch.setenv(flags.VARIABLE, str(path))
    _write(path, "support-small")
    _until("support-small")
    path.write_text("{ broken")
    deadline = time.monotonic() + 20
    while not any("Could not parse" in r.getMessage() for r in caplog.records):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert _model() in ("support-small", "support-large")
    _write(path, "support-tiny")
    _until("support-tiny")
    assert sum("Could not parse" in r.getMessage() for r in caplog.records) == 1


def test_a_file_that_is_broken_at_the_first_read_is_obeyed_once_it_is_mended(tmp_path, monkeypatch):
    """The operator's second try must count."""
    path = tmp_path / "flags.json"
    path.write_text("{ broken")
    monkeypatch.setenv(flags.VARIABLE, str(path))
    assert _model() == "support-large"
    _write(path, "support-small")
    _until("support-small")


def test_without_a_file_the_applications_own_provider_is_asked():
    """A shop that has OpenFeature keeps its flags where they are."""
    from openfeature import api
    from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider

    api.set_provider(InMemoryProvider({"pinned_model": InMemoryFlag("on", {"on": "from-the-shop", "off": ""})}))
    try:
        assert _model() == "from-the-shop"
    finally:
        api.clear_providers()


def test_a_provider_that_raises_is_counted_and_off(monkeypatch):
    """Nothing of it reaches the application."""
    monkeypatch.setenv(flags.VARIABLE, "/x")
    monkeypatch.setattr(flags, "_of_file", lambda path: (_ for _ in ()).throw(RuntimeError("boom")))
    assert _model() == "support-large"
    assert failures.counted() == {"flags": 2}


def test_an_exception_of_the_application_passes_through(tmp_path, monkeypatch):
    """Pinned or not."""
    path = tmp_path / "flags.json"
    for value in (None, "pinned"):
        if value:
            monkeypatch.setenv(flags.VARIABLE, str(path))
            _write(path, value)
        with pytest.raises(KeyError), containment.model("m"):
            raise KeyError("mine")


def test_without_openfeature_the_default_is_used_and_said_once(tmp_path):
    """In a process that cannot import it."""
    path = tmp_path / "flags.json"
    _write(path, "pinned")
    script = (
        "import sys; sys.modules['openfeature'] = None\n"
        "from truegreen.containment import model\n"
        "for _ in range(3):\n"
        "    with model('m') as got: print(got)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, flags.VARIABLE: str(path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.split() == ["m"] * 3
    assert done.stderr.count("truegreen[containment]") == 1


def test_many_threads_get_one_provider(tmp_path, monkeypatch):
    """The first calls of a busy server come together."""
    path = tmp_path / "flags.json"
    monkeypatch.setenv(flags.VARIABLE, str(path))
    _write(path, "pinned")
    got = []
    threads = [threading.Thread(target=lambda: got.append(_model())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == ["pinned"] * 8
    assert sum(t.name == "FlagdFileWatcherWorkerThread" and t.is_alive() for t in threading.enumerate()) >= 1


def test_the_document_is_flagd_and_comes_back_as_it_went():
    """On and off."""
    made = document({"pinned_model": "m", "other": ""})
    assert made["flags"]["pinned_model"] == {"state": "ENABLED", "variants": {"off": "", "on": "m"}, "defaultVariant": "on"}
    assert read(json.loads(json.dumps(made))) == {"pinned_model": "m", "other": ""}
    made["flags"]["pinned_model"]["state"] = "DISABLED"
    assert read(made)["pinned_model"] == ""


@pytest.mark.parametrize(
    ("broken", "says"), [([], "found list"), ({}, "found dict"), ({"flags": {"a": 1}}, "flags.a"), ({"flags": {"a": {"variants": {"on": "x"}, "defaultVariant": "of"}}}, "flags.a.defaultVariant: found 'of'")]
)  # fmt: skip
def test_what_is_no_flagd_document_is_named(broken, says):
    """Where, what was found, what to write."""
    with pytest.raises(ValueError, match=says):
        read(broken)


def test_a_pin_that_expired_goes_off_by_itself(tmp_path, monkeypatch):
    """The flag's metadata says until when it holds: before that moment it is on, from it on it is off."""
    file = tmp_path / "flags.json"
    made = document({"pinned_model": "support-large-0613"})
    made["flags"]["pinned_model"]["metadata"] = {"expires_unix": 1_000.0}
    file.write_text(json.dumps(made))
    monkeypatch.setenv(flags.VARIABLE, str(file))
    assert flags.string("pinned_model", clock=lambda: 999.0) == "support-large-0613"
    assert flags.string("pinned_model", clock=lambda: 1_000.0) == ""
    assert _model() == "support-large"


FORKS = """
import json, os, sys, time
from pathlib import Path
from truegreen.containment import document, flags, model

path = Path(os.environ["TRUEGREEN_FLAGS"])

def write(value):
    part = path.with_suffix(".part")
    part.write_text(json.dumps(document.document({"pinned_model": value})))
    part.replace(path)

def now():
    with model("configured") as got:
        return got

write("")
assert now() == "configured"
child = os.fork()
if not child:
    deadline = time.monotonic() + 15
    while now() != "pinned" and time.monotonic() < deadline:
        time.sleep(0.01)
    os._exit(0 if now() == "pinned" else 3)
write("pinned")
print(os.waitpid(child, 0)[1])
flags.close()
"""


def test_a_pin_reaches_a_worker_that_was_forked_after_a_flag_was_read(tmp_path):
    """As under a server that loads the application and then forks its workers."""
    done = subprocess.run(
        [sys.executable, "-c", FORKS],
        env={**os.environ, flags.VARIABLE: str(tmp_path / "flags.json")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.split() == ["0"], done.stdout + done.stderr
