"""The folder of prompts: immutable versions named by their content, and one pointer that a rollback moves."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from truegreen.instrumentation import prompts, snapshot
from truegreen.instrumentation.settings import Settings
from truegreen.instrumentation.testing import captured

TEXT = "You are the support agent.\r\nAnswer from the documents: {documents} é\n"
VERSION = "6d3c4454c442"
CALL = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}


def serves(folder):
    """The version on the span of a call that was made with the loaded prompt."""
    with captured(settings=Settings(fallback=False)) as seen, snapshot.use(prompt=prompts.load("support", folder=folder)):
        seen.provider.get_tracer("app").start_span("chat", attributes=CALL).end()
        return seen.attributes("chat")["truegreen.version.prompt"]


def test_a_version_is_the_hash_of_the_text_and_comes_along_to_the_span(tmp_path):
    """Byte for byte, line ends too; pinned."""
    added = prompts.add("support", TEXT, folder=tmp_path)
    assert added == prompts.load("support", folder=tmp_path) == prompts.Prompt("support", VERSION, TEXT)
    assert serves(tmp_path) == f"support@{VERSION}"
    assert sorted(p.name for p in (tmp_path / "support").iterdir()) == [f"{VERSION}.txt", "active"]


def test_a_rollback_moves_the_pointer_and_running_processes_see_it(tmp_path):
    """With the next load; the versions stay."""
    first = prompts.add("support", "one", folder=tmp_path)
    second = prompts.add("support", "two", folder=tmp_path)
    assert prompts.load("support", folder=tmp_path) == first, "a new version does not serve by being stored"
    prompts.activate("support", second.version, folder=tmp_path)
    assert serves(tmp_path) == f"support@{second.version}"
    prompts.activate("support", first.version, folder=tmp_path)
    assert serves(tmp_path) == f"support@{first.version}"
    assert prompts.add("support", "three", folder=tmp_path, activate=True) == prompts.load("support", folder=tmp_path)
    assert prompts.load("support", folder=tmp_path, version=second.version).text == "two"
    assert set(prompts.versions("support", folder=tmp_path)) == {
        first.version,
        second.version,
        prompts.load("support", folder=tmp_path).version,
    }


def test_the_same_text_again_changes_nothing(tmp_path):
    """Not even the file's time."""
    prompts.add("support", "one", folder=tmp_path)
    path = next((tmp_path / "support").glob("*.txt"))
    before = path.stat()
    prompts.add("support", "one", folder=tmp_path)
    after = path.stat()
    assert (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)
    assert not os.access(path, os.W_OK) or os.geteuid() == 0
    assert path.stat().st_mode & 0o222 == 0


@pytest.mark.parametrize("how", ["load", "add", "activate"])
def test_a_stored_file_that_was_changed_is_refused(tmp_path, how):
    """By whoever touches it: the message names the file and what to do."""
    one = prompts.add("support", "one", folder=tmp_path)
    path = tmp_path / "support" / f"{one.version}.txt"
    path.chmod(0o644)
    path.write_text("one, better")
    prompts._texts.clear()  # as in another process
    with pytest.raises(
        prompts.PromptError, match=rf"{path}: the file was changed, its content is version [0-9a-f]{{12}}; put it back"
    ):
        {
            "load": lambda: prompts.load("support", folder=tmp_path),
            "add": lambda: prompts.add("support", "one", folder=tmp_path),
            "activate": lambda: prompts.activate("support", one.version, folder=tmp_path),
        }[how]()
    assert path.read_text() == "one, better"


@pytest.mark.parametrize(
    ("break_", "said"),
    [
        (
            lambda home: (home / "active").unlink(),
            r"support/active: No such file or directory; store the prompt with prompts.add",
        ),
        (lambda home: (home / "active").write_text("latest"), r"active: found 'latest'; write the 12 hex digits"),
        (
            lambda home: (home / "active").write_text("0" * 12),
            r"000000000000.txt: No such file or directory; store it with prompts.add",
        ),
    ],
)
def test_what_is_missing_or_wrong_is_said(tmp_path, break_, said):
    """Where, what, and what to do."""
    prompts.add("support", "one", folder=tmp_path)
    break_(tmp_path / "support")
    with pytest.raises(prompts.PromptError, match=said):
        prompts.load("support", folder=tmp_path)


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a b", "x" * 101])
def test_a_name_that_is_no_folder_is_refused(tmp_path, name):
    """Nothing is written outside of the folder."""
    for act in (lambda: prompts.add(name, "t", folder=tmp_path), lambda: prompts.load(name, folder=tmp_path)):
        with pytest.raises(prompts.PromptError, match="cannot name a prompt"):
            act()
    assert list(tmp_path.iterdir()) == []


def test_many_writers_at_once_leave_whole_files_only(tmp_path):
    """Threads here; two processes the same way."""
    texts = [f"text {n % 4}" * 1000 for n in range(24)]
    with ThreadPoolExecutor(8) as pool:
        added = list(pool.map(lambda text: prompts.add("support", text, folder=tmp_path, activate=True), texts))
    home = tmp_path / "support"
    assert len(list(home.glob("*.txt"))) == 4
    assert list(home.glob(".new-*")) == []
    assert prompts.load("support", folder=tmp_path) in added


def test_another_process_reads_the_same(tmp_path):
    """A rollback from a shell."""
    one, two = prompts.add("support", "one", folder=tmp_path), prompts.add("support", "two", folder=tmp_path)
    prompts.activate("support", two.version, folder=tmp_path)
    assert prompts.load("support", folder=tmp_path).text == "two"
    script = (
        "import sys; from truegreen.instrumentation import prompts; prompts.activate('support', sys.argv[1], folder=sys.argv[2])"
    )
    subprocess.run([sys.executable, "-c", script, one.version, str(tmp_path)], check=True, timeout=60)
    assert prompts.load("support", folder=tmp_path).text == "one"
