"""What the configuration says about versions, with files, packages and the checkout worked out once, at start and off the application's thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from truegreen.instrumentation import dataset, failures, notices, revision
from truegreen.instrumentation.settings import Settings

PATIENCE = 0.5
"""Seconds for which the start of an application waits for a disk; what comes later is used from then on."""
FILE, PACKAGE = "file", "package"


class Stated:
    """Component to version as the configuration has it; `git` and `package` stand in for a prompt that nobody stated, empty where there is neither.

    Args:
        settings: what the configuration says.
        patience: seconds to wait for files.
        start: runs a function in the background.
    """

    def __init__(
        self, settings: Settings, *, patience: float = PATIENCE, start: Callable[..., threading.Thread] | None = None
    ) -> None:
        self.versions: Mapping[str, str] = dict(settings.snapshot)
        self.fallback = settings.fallback
        self.git = ""
        self.package = ""
        steps = [partial(self._source, component, source) for component, source in settings.sources.items()]
        if settings.fallback:
            steps.insert(0, partial(self._revision))

        def work() -> None:
            for step in steps:
                try:
                    step()
                except Exception as error:
                    failures.count("snapshot sources", error)

        try:
            if steps:
                running = (start or _thread)(work)
                running.join(patience)
                if running.is_alive():
                    notices.once(
                        "snapshot slow",
                        f"snapshot: files were not read within {patience} s; spans lack their versions until they are",
                    )
        except Exception as error:
            failures.count("snapshot sources", error)

    def _revision(self) -> None:
        self.git = revision.git(revision.places())
        self.package = revision.own_package()

    def _source(self, component: str, source: tuple[str, str]) -> None:
        kind, value = source
        if kind == PACKAGE:
            found = revision.package(value)
            problem = (
                "" if found else f"snapshot.{component}: there is no package {value!r}; write the name by which pip lists it"
            )
        else:
            found, problem = _file(component, Path(value))
        if found:
            self.versions = {**self.versions, component: found}
        else:
            notices.once(problem, problem)


def _file(component: str, path: Path) -> tuple[str, str]:
    try:
        return dataset.version_of_file(path), ""
    except OSError as error:
        return (
            "",
            f"snapshot.{component}: {path} cannot be read ({error.strerror}); write the path of a file, relative to the configuration",
        )


def _thread(run: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=run, name="truegreen-snapshot", daemon=True)
    thread.start()
    return thread
