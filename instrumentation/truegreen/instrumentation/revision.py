"""What stands for a version that nobody stated: the revision of the checkout, the version of a package. Reads a few small files, starts no process."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from truegreen.core.words import attributes as names

_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_SMALL, _PACKED = 4_096, 8_000_000
"""The most that is read of a reference and of the list of packed ones, in bytes."""
_DEPTH = 40
RUNNERS = frozenset({
    "gunicorn", "uvicorn", "hypercorn", "daphne", "granian", "waitress", "uwsgi", "celery", "rq", "dramatiq", "arq", "flask", "fastapi",
    "django", "streamlit", "chainlit", "gradio", "ray", "pytest", "py", "coverage", "unittest", "ipython", "ipykernel", "jupyter",
    "opentelemetry", "ddtrace", "debugpy", "pdb", "cProfile", "pip", "uv", "nox", "tox",
})  # fmt: skip
"""Programs that run an application and are not it: their version says nothing about its prompts."""


def git(places: Iterable[Path]) -> str:
    """`git:` and the first 12 hex digits of the revision checked out in the first of `places` that lies in a repository; empty without one.

    Changes that are not committed do not show. Reads loose and packed references, worktrees and submodules.
    """
    for place in places:
        for folder in (place, *place.parents)[:_DEPTH]:
            found = folder / ".git"
            if found.exists():
                revision = _revision(found)
                return f"git:{revision[:12]}" if revision else ""
    return ""


def package(name: str) -> str:
    """`name@version` of an installed distribution; empty when there is none of that name."""
    try:
        return f"{name}@{version(name)}"
    except (PackageNotFoundError, ValueError):
        return ""


def resource(attributes: Mapping[str, Any]) -> str:
    """What the resource of a span says of its revision: `git:` and 12 hex digits of `vcs.ref.head.revision`, or `service:` and `service.version`."""
    revision, stated = attributes.get(names.VCS_REVISION), attributes.get(names.SERVICE_VERSION)
    if isinstance(revision, str) and _SHA.fullmatch(revision):
        return f"git:{revision[:12]}"
    return f"service:{stated}" if isinstance(stated, str) and stated else ""


def places() -> tuple[Path, ...]:
    """Where the application may live: the folder of its script, then the working directory."""
    script = getattr(sys.modules.get("__main__"), "__file__", None) or next(iter(getattr(sys, "argv", ())), "")
    found = [Path(script).resolve().parent] if str(script).endswith(".py") else []
    return (*found, Path.cwd())


def own_package() -> str:
    """`package:name@version` of the distribution that was started by `python -m NAME` or by its script NAME; empty for a runner of others."""
    script, started = next(iter(getattr(sys, "argv", ())), ""), [*getattr(sys, "orig_argv", ()), "", ""]
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    module = spec.name if spec else started[started.index("-m") + 1] if script == "-m" and "-m" in started else ""
    name = module.partition(".")[0] or Path(script).stem
    found = package(name) if name and name not in RUNNERS and "." not in name else ""
    return f"package:{found}" if found else ""


def _revision(found: Path) -> str:
    """The revision of a `.git`, which is a folder, or in a worktree or submodule a file that names one."""
    try:
        home = found
        if found.is_file():
            home = (found.parent / _text(found).removeprefix("gitdir:").strip()).resolve()
        head = _text(home / "HEAD")
        if not head.startswith("ref:"):
            return head if _SHA.fullmatch(head) else ""
        reference = head.removeprefix("ref:").strip()
        common = home / "commondir"
        shared = (home / _text(common)).resolve() if common.exists() else home
        for base in dict.fromkeys((home, shared)):
            loose = base / reference
            if loose.is_file() and _SHA.fullmatch(text := _text(loose)):
                return text
        return _packed(shared / "packed-refs", reference)
    except (OSError, ValueError):
        return ""


def _packed(path: Path, reference: str) -> str:
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        for line in file.read(_PACKED).decode("utf-8", "replace").splitlines():
            revision, _, name = line.partition(" ")
            if name == reference and _SHA.fullmatch(revision):
                return revision
    return ""


def _text(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_SMALL).decode("utf-8", "replace").strip()
