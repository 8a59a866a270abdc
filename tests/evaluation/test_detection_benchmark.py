"""`benchmarks/detection.py`: parts that hold, miss, break or lack their data, and what its exit code says of them."""

import json
import subprocess
import sys

import pytest

HELD = "def run(data, seed):\n    return {'title': 'T', 'rows': [{'a': 0.12345, 'b': 'x|y'}, {'a': 1, 'c': seed}], 'bars': [{'says': 'bar', 'found': 0.9, 'held': %s}], 'note': 'N'}\n"
MISSING = "from labelled import read\ndef run(data, seed):\n    return {'title': 'T', 'rows': read(data, 'none.jsonl.gz')}\n"


@pytest.fixture
def detection(repo, tmp_path):
    """`detection(held=…, missed=…)` runs the frame with these parts beside it: its exit code and output."""
    for name in ("detection.py", "labelled.py"):
        (tmp_path / name).write_text((repo / "benchmarks" / name).read_text())

    def run(*arguments: str, **parts: str):
        for name, text in parts.items():
            (tmp_path / f"detection_{name}.py").write_text(text)
        command = [sys.executable, str(tmp_path / "detection.py"), "--data", str(tmp_path), "--seed", "7", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout

    return run


def test_a_bar_that_is_held_or_missed_is_said_and_gives_the_exit_code(detection):
    """Tables as Markdown with the seed; a part is chosen by name."""
    code, said = detection(held=HELD % True, missed=HELD % False)
    assert code == 1
    for line in (
        "Seed 7.",
        "## T (`--only held`)",
        "| a | b | c |",
        "| 0.123 | x\\|y |  |",
        "| 1 |  | 7 |",
        "* HELD: bar: 0.9",
        "* MISSED: bar: 0.9",
        "N",
    ):
        assert line in said.splitlines(), line
    code, said = detection("--only", "held", "--json")
    assert code == 0 and json.loads(said)["seed"] == 7 and list(json.loads(said)["parts"]) == ["held"]
    code, said = detection("--only", "missed", "--only", "held", "--json")
    assert code == 1 and list(json.loads(said)["parts"]) == ["missed", "held"]


def test_a_part_that_breaks_or_lacks_its_data_does_not_lose_the_others(detection):
    """Missing data is 2 and named; a broken part is 1."""
    code, said = detection(a=MISSING, b=HELD % True)
    assert code == 2 and "Not measured: none.jsonl.gz is not in" in said and "TRUEGREEN_DATA" in said and "* HELD" in said
    code, said = detection(a=MISSING, b=HELD % True, c="def run(data, seed):\n    return 1 / 0\n")
    assert code == 1 and "Not measured: ZeroDivisionError" in said and "* HELD" in said


def test_a_page_gets_table_and_note_between_its_marks(detection, tmp_path):
    """What stands around them stays, and what stood between them goes; a part without marks, or that breaks, changes nothing."""
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- detection: held -->\nold\n<!-- end -->\n<!-- detection: a -->\nkept\n<!-- end -->\nafter\n")
    detection("--page", str(page), held=HELD % True, other=HELD % True, a=MISSING)
    table = "| a | b | c |\n| --- | --- | --- |\n| 0.123 | x\\|y |  |\n| 1 |  | 7 |\n\nN\n"
    assert (
        page.read_text()
        == f"before\n<!-- detection: held -->\n{table}<!-- end -->\n<!-- detection: a -->\nkept\n<!-- end -->\nafter\n"
    )


@pytest.mark.full
@pytest.mark.parametrize(("part", "page"), [("models", "measuring.md"), ("xstest", "guardrails.md")])
def test_what_is_promised_of_rates_holds_on_data_that_people_labelled(repo, data, tmp_path, part, page):
    """The bars, with the default seed and with another one; the page has the figures of the first (`--page docs/…` writes them)."""
    folder = data("xstest_dev.jsonl.gz").parent
    committed = (repo / "docs" / page).read_text("utf-8")
    for seed in ("1", "2"):
        (tmp_path / page).write_text(committed, "utf-8")
        command = [sys.executable, "benchmarks/detection.py", "--only", part, "--data", str(folder), "--seed", seed]
        done = subprocess.run(
            [*command, "--page", tmp_path / page], capture_output=True, text=True, timeout=300, cwd=repo, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert seed != "1" or (tmp_path / page).read_text("utf-8") == committed
