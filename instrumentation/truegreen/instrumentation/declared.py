"""The options of `instrument()`, and of `instrumentation/development: python: truegreen:` in the file that OTEL_CONFIG_FILE names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from truegreen.core.words.terms import SNAPSHOT_COMPONENTS


@dataclass
class Options:
    """Each stands for the variable of its name, which wins over it.

    Args:
        config: for TRUEGREEN_CONFIG, the settings file.
        sampling: for TRUEGREEN_SAMPLING, such as `5%`.
        calibration: for TRUEGREEN_CALIBRATION, the folder of calibration files.
        retrieval_floor: for TRUEGREEN_RETRIEVAL_FLOOR, a similarity.
        approved_tools: for TRUEGREEN_APPROVED_TOOLS, names with commas between them.
        snapshot: component to version, for TRUEGREEN_SNAPSHOT_<COMPONENT>.
    """

    config: str | None = None
    sampling: str | None = None
    calibration: str | None = None
    retrieval_floor: float | None = None
    approved_tools: str | None = None
    snapshot: dict[str, Any] | None = None


NAMES = tuple(one.name for one in fields(Options))


def variables(given: Mapping[str, Any], environ: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str], list[str]]:
    """The environment with the options in it, the option behind each variable that comes from one, and what is wrong, in words."""
    said: dict[str, tuple[str, Any]] = {
        f"TRUEGREEN_{name.upper()}": (name, given[name]) for name in NAMES if name != "snapshot" and given.get(name) is not None
    }
    problems = []
    snapshot = given.get("snapshot")
    if isinstance(snapshot, Mapping):
        for component, version in snapshot.items():
            if component in SNAPSHOT_COMPONENTS:
                said[f"TRUEGREEN_SNAPSHOT_{component.upper()}"] = (f"snapshot.{component}", version)
            else:
                problems.append(f"snapshot: found {str(component)[:40]!r}; write one of {', '.join(SNAPSHOT_COMPONENTS)}")
    elif snapshot is not None:
        problems.append(f"snapshot: found {type(snapshot).__name__}, expected a mapping of component to version")
    from_options = {name: option for name, (option, _) in said.items() if not environ.get(name)}
    return (
        {**{name: str(value) for name, (_, value) in said.items()}, **{k: v for k, v in environ.items() if v}},
        from_options,
        problems,
    )


def named(problem: str, from_options: Mapping[str, str]) -> str:
    """A problem under the name of what the user wrote: the option where the variable was not set."""
    variable, colon, rest = problem.partition(":")
    return f"instrument({from_options[variable]}=…){colon}{rest}" if variable in from_options else problem
