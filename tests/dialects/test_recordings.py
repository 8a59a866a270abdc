"""The recordings are what the libraries write today, hold nothing of the machine that made them, and each says with what it was made."""

from __future__ import annotations

import ast
import json
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
REPO = HERE.parent.parent
RECORDED = {path.stem: path for path in sorted((HERE / "recorded").glob("*.json"))}


def assigned(name: str) -> object:
    """What `noxfile.py` assigns to `name`; nox need not be installed to know."""
    tree = ast.parse((REPO / "noxfile.py").read_text(encoding="utf-8"))
    values = [node.value for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name]
    return ast.literal_eval(values[0])


def pins(driver: str) -> dict[str, str]:
    pinned = [pin.split("==") for pin in assigned("SDK") + assigned("ENVIRONMENTS")[driver]]
    return {re.sub(r"\[.*\]", "", name): version for name, version in pinned}


def play(driver: str, out: Path) -> subprocess.CompletedProcess[str]:
    """Run a driver in the environment of these tests."""
    command = [sys.executable, str(HERE / "drivers" / f"{driver}.py"), "--out", str(out)]
    return subprocess.run(command, env={"PYTHONPATH": str(HERE), "PATH": ""}, capture_output=True, text=True, timeout=120)


def test_every_driver_has_a_recording_and_an_environment():
    drivers = {path.stem for path in (HERE / "drivers").glob("*.py")}
    assert drivers == set(RECORDED) == set(assigned("ENVIRONMENTS"))


@pytest.mark.parametrize("driver", RECORDED)
def test_a_recording_says_with_which_versions_it_was_made_and_they_are_the_pinned_ones(driver):
    record = json.loads(RECORDED[driver].read_text(encoding="utf-8"))
    assert record["driver"] == driver
    assert record["versions"].items() <= pins(driver).items()


@pytest.mark.parametrize("driver", RECORDED)
def test_each_span_of_a_case_has_its_parent_among_them(driver):
    for name, spans in json.loads(RECORDED[driver].read_text(encoding="utf-8"))["cases"].items():
        known = {span["span"] for span in spans}
        assert {span["parent"] for span in spans} <= known | {None}, name
        assert known == {f"s{number}" for number in range(1, len(spans) + 1)}, name


@pytest.mark.parametrize("driver", RECORDED)
def test_a_recording_holds_nothing_of_the_machine_or_the_hour(driver):
    text = RECORDED[driver].read_text(encoding="utf-8")
    assert set(re.findall(r"127\.0\.0\.1:(\d+)", text)) <= {"8080"}
    assert not re.search(r"site-packages|/root/|/home/|/tmp/|/work/|/usr/", text)
    assert socket.gethostname() not in text
    assert set(re.findall(r"\b(\d{4})-\d\d-\d\dT", text)) <= {"1970"}
    assert not [found for found in re.findall(r"\b[0-9a-f]{16,}\b", text) if set(found) - set("0")]


@pytest.mark.parametrize("driver", RECORDED)
def test_a_recording_is_written_in_one_way(driver):
    text = RECORDED[driver].read_text(encoding="utf-8")
    assert text == json.dumps(json.loads(text), sort_keys=True, indent=1, ensure_ascii=False) + "\n"


def test_the_recorder_writes_the_same_spans_here(tmp_path):
    """The driver without a library runs wherever the SDK is, whatever its version."""
    done = play("manual", tmp_path / "manual.json")
    assert done.returncode == 0, done.stderr
    again = json.loads((tmp_path / "manual.json").read_text(encoding="utf-8"))
    assert again["cases"] == json.loads(RECORDED["manual"].read_text(encoding="utf-8"))["cases"]


@pytest.mark.full
@pytest.mark.parametrize("driver", RECORDED)
def test_the_library_still_writes_what_is_recorded(driver, tmp_path):
    """Made anew in the library's own environment (`.nox`), the recording has the same bytes."""
    command = [sys.executable, "-m", "nox", "-s", f"dialect_{driver}", "--", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    made, kept = (path.read_bytes().splitlines(keepends=True) for path in (tmp_path / f"{driver}.json", RECORDED[driver]))
    assert made == kept
