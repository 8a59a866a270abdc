"""The browser that the preview is looked at with: it draws, its console is heard, and nothing of it is left."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import webdriver

from truegreen.core.errors import Failed

PAGE = """data:text/html,<body style="margin:0"><h1>one</h1><button onclick="console.error('planted')">b</button>
<div id=box style="width:99px;height:99px;background:rgb(1,2,3)"></div>"""


def test_it_draws_clicks_and_says_what_the_console_says(browser):
    """A script, a click, a key, an error of the console and a picture all come through."""
    browser.open(PAGE)
    assert browser.run("return document.querySelector('h1').textContent + arguments[0]", "!") == "one!"
    assert browser.errors() == []
    browser.click("button")
    assert ["planted" in error for error in browser.errors()] == [True]
    assert browser.screenshot().startswith(b"\x89PNG")
    browser.size(640, 700, 2)
    assert browser.run("return [innerWidth, innerHeight, devicePixelRatio]") == [640, 700, 2]
    with pytest.raises(Failed, match="x is not defined"):
        browser.run("return x")


def test_nothing_of_it_is_left(engine, tmp_path):
    """Whoever ends the block, also by an error, ends Chromium, its driver and all their children."""
    engine("chromium")
    engine("chromedriver")

    def left() -> list[str]:
        named = [path for path in Path("/proc").glob("[0-9]*/cmdline") if str(tmp_path).encode() in _read(path)]
        return [f"{path.parent.name}: {_read(path)[:80]!r}" for path in named]

    with pytest.raises(RuntimeError, match="planted"), webdriver.browser(tmp_path) as window:
        window.open("about:blank")
        assert left()
        raise RuntimeError("planted")
    assert left() == []


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""  # it ended meanwhile


def test_a_machine_without_a_browser_skips_and_says_so(repo, tmp_path):
    """No root, no apt, no browser: one line and exit code 0; where nothing may be missing, 1."""
    script = tmp_path / "checkout" / "tools" / "browser.sh"
    script.parent.mkdir(parents=True)
    shutil.copy(repo / "tools" / "browser.sh", script)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("dirname", "sed", "id"):
        (programs / name).symlink_to(shutil.which(name))
    for required, code in (("", 0), ("1", 1)):
        done = subprocess.run(
            [shutil.which("bash"), script],
            env={**os.environ, "PATH": str(programs), "TRUEGREEN_REQUIRE": required},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (code, "")
        assert "tests that need it are skipped" in done.stderr
        assert "put chromium and a chromedriver of the same major version on PATH" in done.stderr
