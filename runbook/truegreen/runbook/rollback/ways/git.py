"""A path of a Git work tree goes back to a tag: that path and its place in the index, nothing else, and no uncommitted work is lost."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Final

from truegreen.core.errors import BadInput, Failed
from truegreen.runbook.clean import clean
from truegreen.runbook.rollback.model import Kind, Place

SECONDS: Final = 60.0
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_HIDDEN: Final = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX")


def current(place: Place) -> str:
    """The newest tag at which the path is as it is staged now, else the commit that is checked out.

    Raises:
        BadInput: the path has work that is in no commit.
        Failed: Git cannot be asked.
    """
    _clean(place, "")
    staged = _tree_of_index(place)
    tags = versions(place)
    commits = [*(f"refs/tags/{tag}" for tag in reversed(tags)), _out(place, "rev-parse", "HEAD").strip()]
    asked = "".join(f"{commit}:{_file(place)}\n" for commit in commits)
    answers = _out(place, "cat-file", "--batch-check=%(objectname)", text=asked).splitlines()
    for commit, answer in zip(commits, answers, strict=False):
        if answer == staged:
            return commit.removeprefix("refs/tags/")
    raise BadInput(f"{_repository(place) / _file(place)}: is staged and in no tag and not in the commit that is checked out: commit it first")  # fmt: skip


def versions(place: Place) -> tuple[str, ...]:
    """The tags that have the path, oldest first."""
    tags = _out(place, "for-each-ref", "--sort=creatordate", "--format=%(refname:strip=2)", "refs/tags").splitlines()
    asked = "".join(f"refs/tags/{tag}:{_file(place)}\n" for tag in tags)
    answers = _out(place, "cat-file", "--batch-check=%(objectname)", text=asked).splitlines() if tags else []
    return tuple(tag for tag, answer in zip(tags, answers, strict=False) if not answer.endswith(" missing"))


def ready(place: Place, to: str) -> str:
    """The path is in Git, as clean as it has to be, and a tag has it."""
    now, tags = current(place), versions(place)
    if not tags:
        raise BadInput(
            f"{_repository(place)}: no tag has {_file(place)}: nothing could be gone back to; tag what serves: git tag NAME"
        )
    if to:
        _clean(place, _ref(to))
    return f"{_repository(place)}: {_file(place)} is at {now}, of {len(tags)} tags that have it"


def move(place: Place, to: str, _: str) -> None:
    """Put the path to the tag, or to a commit of 40 digits; files that the tag does not have go, untracked ones stay."""
    _clean(place, _ref(to))
    _out(place, "restore", f"--source={_ref(to)}", "--staged", "--worktree", "--", _file(place))


def _ref(to: str) -> str:
    return to if _COMMIT.fullmatch(to) else f"refs/tags/{to}"


def _clean(place: Place, to: str) -> None:
    """Refuse to overwrite what is in no commit. A file that is as `to` has it already, left by a move that was cut off, is none."""
    file = _file(place)
    if prefix := _out(place, "rev-parse", "--show-prefix").strip():
        raise BadInput(
            f"incidents.rollback.{place.component}.path: found a folder in a repository; name its top and write {prefix} before the file"
        )
    listed = _out(place, "ls-files", "-z", "--", file)
    if not listed:
        raise BadInput(
            f"{_repository(place) / file}: is not in Git; name a path that is (incidents.rollback.{place.component}.file)"
        )
    changed = set(filter(None, _out(place, "diff", "--name-only", "-z", "--no-ext-diff", "--", file).split("\0")))
    if to:
        others = set(filter(None, _out(place, "ls-files", "--others", "-z", "--", file).split("\0")))
        lost = set(filter(None, _out(place, "diff", "--name-only", "-z", "--no-ext-diff", to, "--", file).split("\0")))
        changed = (changed | others) & lost
    if changed and (to or not _half(place, changed)):
        some = ", ".join(clean(one, 80) for one in sorted(changed)[:3])
        raise BadInput(f"{_repository(place)}: {some} has changes that are in no commit, which a rollback would lose: commit or remove them first")  # fmt: skip


def _half(place: Place, changed: set[str]) -> bool:
    """Whether each changed file is, as it lies there, what some tag has: then it is a move that was cut off, and nothing would be lost."""
    for tag in reversed(versions(place)):
        lost = set(
            filter(
                None, _out(place, "diff", "--name-only", "-z", "--no-ext-diff", f"refs/tags/{tag}", "--", *changed).split("\0")
            )
        )
        if not lost:
            return True
    return False


def _tree_of_index(place: Place) -> str:
    """The object behind the path in the index: a blob, or the tree that a folder would be."""
    file = _file(place)
    lines = _out(place, "ls-files", "--stage", "-z", "--", file).split("\0")
    first, _, name = lines[0].partition("\t")
    if name == file:
        return first.split()[1]
    return _out(place, "write-tree", f"--prefix={file}/").strip()


def _out(place: Place, *words: str, text: str = "") -> str:
    environ = {name: value for name, value in place.environ.items() if name not in _HIDDEN}
    environ = {"PATH": os.environ.get("PATH", os.defpath), **environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    command = ["git", "--literal-pathspecs", "-C", str(_repository(place)), *words]
    try:
        done = subprocess.run(command, input=text.encode(), capture_output=True, timeout=SECONDS, check=False, env=environ)
    except FileNotFoundError:
        raise Failed("git is not installed here, and incidents.rollback names a tag; install it") from None
    except subprocess.TimeoutExpired:
        raise Failed(f"git {words[0]} did not end within {SECONDS:g} s in {_repository(place)}") from None
    if done.returncode:
        said = clean(done.stderr.decode("utf-8", "replace").strip().partition("\n")[0], 300)
        raise Failed(f"{_repository(place)}: git {words[0]} ended with exit code {done.returncode}: {said}")
    return done.stdout.decode("utf-8", "surrogateescape")


def _repository(place: Place) -> Path:
    return place.way.path or Path()


def _file(place: Place) -> str:
    """The path with slashes, relative to the repository's folder that the configuration names, which must be its top."""
    file = os.path.normpath(place.way.file)
    if file.startswith(("..", "/", "-")) or file == ".":
        raise BadInput(
            f"incidents.rollback.{place.component}.file: found {place.way.file!r}, expected a path in the repository, such as prompts/support.txt"
        )
    return file


KIND: Final = Kind(current, versions, ready, move)
