"""The walls: who may import whom, what is generated, and that the wheel carries what it needs."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_plugins_import_only_upwards():
    """The layers contract of import-linter holds."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports"))], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout


def test_the_namespace_has_no_init():
    """PEP 420: a shop can add a plugin of its own beside ours."""
    assert [p for p in ROOT.glob("*/truegreen/__init__.py")] == []


def test_generated_files_and_pages_equal_what_the_code_makes():
    """`make generate` changes nothing."""
    done = subprocess.run(
        [sys.executable, "tools/generated.py", "--check"], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


def test_the_wheel_holds_every_portion_with_its_data_and_types(tmp_path):
    """What works editable works from a wheel: data files, `py.typed`, all nine portions."""
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    names = set(zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist())
    plugins = (
        "core",
        "instrumentation",
        "containment",
        "evaluation",
        "collector",
        "alert_rules",
        "dashboards",
        "demo",
        "runbook",
    )
    assert {f"truegreen/{p}/py.typed" for p in plugins} <= names
    assert "truegreen/__init__.py" not in names
    tracked = subprocess.run(["git", "ls-files", "*/truegreen/*"], cwd=ROOT, capture_output=True, text=True).stdout.split()
    missing = [p for p in tracked if p.partition("/")[2] not in names]
    assert missing == []


def test_every_plugin_has_a_page_of_its_own():
    """One README per plugin, of one page."""
    for plugin in (
        "core",
        "instrumentation",
        "containment",
        "evaluation",
        "collector",
        "alert_rules",
        "dashboards",
        "demo",
        "runbook",
    ):
        lines = (ROOT / plugin / "README.md").read_text().splitlines()
        assert 10 <= len(lines) <= 80, plugin


def test_every_page_is_found_from_a_readme():
    """A page that nothing links is read by nobody: the README, or a plugin's, leads to each."""
    pages = [ROOT / "README.md", *ROOT.glob("*/README.md"), *ROOT.glob("docs/*/README.md")]
    found = {
        (page.parent / target.partition("#")[0]).resolve()
        for page in pages
        for target in re.findall(r"\]\(([^)\s:]+)\)", page.read_text())
    }
    assert [path.name for path in sorted(ROOT.glob("docs/*.md")) if path not in found] == []
