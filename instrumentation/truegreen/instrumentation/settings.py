"""The settings inside an application: `TRUEGREEN_*` variables, then the file named by `TRUEGREEN_CONFIG`, then the defaults."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from truegreen.core.words.sampling import default
from truegreen.core.words.terms import SNAPSHOT_COMPONENTS
from truegreen.instrumentation import rates

EVALUATION = "groundedness"
WORDS = 2_000
TARGETS = ("langfuse", "langsmith")
FALLBACK, SOURCES = "fallback", ("file", "package")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the instrumentation does.

    Args:
        sampling: evaluation to its rate, 0 to 1; one that is not named has `rate`.
        rate: the rate of all others; None is 1, and 0.05 of what runs in the background.
        services: service to the rates that differ there, by evaluation; "" is that of all others.
        volumes: service to its answers in an hour, which give the rate where none is written.
        boosted: cohorts of which every answer is evaluated.
        evaluations: evaluation to its evaluator's settings: `words` is the largest text, in words, that is judged inline, `background`
            says that it is slow, and `forward` where its verdicts go as well.
        cohort_attribute: the span attribute or baggage key that names a cohort, empty for none.
        snapshot: component to version.
        retrieval_floor: similarity under which a retrieved document counts as irrelevant; None for none.
        approved_tools: agent to the tools that it may call without asking, `""` for all others; an agent without a list is not judged.
        calibration: the folder of calibration files.
        problems: what was wrong with a setting, in words; the default is used instead.
        sources: component to (`file`, path) or (`package`, name), whose version is worked out at start.
        fallback: let the checkout's revision, `service.version` or the application's own package stand for a prompt that nobody names.
    """

    sampling: Mapping[str, float] = field(default_factory=dict)
    rate: float | None = None
    services: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    volumes: Mapping[str, float] = field(default_factory=dict)
    boosted: frozenset[str] = frozenset()
    evaluations: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {EVALUATION: {}})
    cohort_attribute: str = ""
    snapshot: Mapping[str, str] = field(default_factory=dict)
    calibration: Path = Path("calibration")
    problems: tuple[str, ...] = ()
    retrieval_floor: float | None = None
    approved_tools: Mapping[str, frozenset[str]] = field(default_factory=dict)
    sources: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    fallback: bool = True

    def rate_of(self, evaluation: str, service: str = "", *, background: bool | None = None) -> float:
        """The share of a service's answers, 0 to 1, that an evaluation looks at: the same as `truegreen generate rules` counts with.

        Args:
            background: whether its evaluator is slow; None takes the setting's word.
        """
        own = self.services.get(service, {})
        for said in (own.get(evaluation), own.get(""), self.sampling.get(evaluation), self.rate):
            if said is not None:
                return said
        slow = self.evaluations.get(evaluation, {}).get("background") is True if background is None else background
        return default(background=slow, answers_per_hour=self.volumes.get(service))


def load(environ: Mapping[str, str]) -> Settings:
    """Read the settings; never raises, a wrong value is named in `problems` and its default is used."""
    problems: list[str] = []
    path = environ.get("TRUEGREEN_CONFIG", "")
    data, folder = _file(Path(path), problems) if path else ({}, Path())
    told = rates.told(environ, problems)
    rate, sampling = (told, {}) if told is not None else rates.read(data, "sampling", data.get("sampling", {}), problems)
    services, volumes = rates.services(data, problems)
    given = data.get("cohorts")
    cohorts = given if isinstance(given, dict) else {}
    calibration = environ.get("TRUEGREEN_CALIBRATION") or ""
    snapshot, sources, fallback = _snapshot(environ, data, folder, problems)
    return Settings(
        sampling=sampling,
        rate=rate,
        services=services if told is None else {},
        volumes=volumes,
        boosted=rates.boosted(cohorts.get("boost") or [], problems),
        evaluations=_evaluations(data, problems),
        cohort_attribute=str(cohorts.get("attribute", "")),
        snapshot=snapshot,
        sources=sources,
        fallback=fallback,
        retrieval_floor=_floor(environ, data, problems),
        approved_tools=_approved(environ, data, problems),
        calibration=Path(calibration) if calibration else folder / str(data.get("calibration") or "calibration"),
        problems=tuple(problems),
    )


def _file(path: Path, problems: list[str]) -> tuple[Mapping[str, Any], Path]:
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix in (".yaml", ".yml"):
            import yaml

            data = yaml.safe_load(text)
        else:
            data = json.loads(text)
    except ImportError:
        problems.append(
            f"TRUEGREEN_CONFIG: {path} is YAML and pyyaml is not installed; write JSON with `truegreen generate app --out DIR`"
        )
        return {}, path.parent
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not JSON"
        problems.append(f"TRUEGREEN_CONFIG: {path} cannot be read ({reason}); write it with `truegreen generate app --out DIR`")
        return {}, path.parent
    except Exception:  # a YAML error is of a class that exists only where yaml does
        problems.append(f"TRUEGREEN_CONFIG: {path} is not YAML; check it with `truegreen generate app --config {path} --out DIR`")
        return {}, path.parent
    if data is None:
        data = {}
    if not isinstance(data, dict):
        problems.append(f"TRUEGREEN_CONFIG: {path}: found {type(data).__name__}, expected a mapping")
        data = {}
    return data, path.parent


def _evaluations(data: Mapping[str, Any], problems: list[str]) -> Mapping[str, Mapping[str, Any]]:
    given = data.get("evaluations", {EVALUATION: {}})
    if not isinstance(given, dict):
        problems.append(
            f"evaluations: found {type(given).__name__}; write evaluation to settings, such as {{groundedness: {{}}}}"
        )
        return {EVALUATION: {}}
    found = {str(name): dict(value) if isinstance(value, dict) else {} for name, value in given.items()}
    for name, settings in found.items():
        words = settings.get("words", WORDS)
        if not isinstance(words, int) or isinstance(words, bool) or words < 1:
            problems.append(f"evaluations.{name}.words: found {words!r}; write a whole number of at least 1")
            del settings["words"]
        if not isinstance(settings.get("background", False), bool):
            problems.append(f"evaluations.{name}.background: found {settings['background']!r}; write true or false")
            del settings["background"]
        if not isinstance(settings.get("evaluator", ""), str):
            problems.append(
                f"evaluations.{name}.evaluator: found {settings['evaluator']!r}; write the name of an evaluator, such as judge"
            )
            del settings["evaluator"]
        forward = settings.get("forward", [])
        if not isinstance(forward, list) or any(one not in TARGETS for one in forward):
            problems.append(f"evaluations.{name}.forward: found {forward!r}; write a list of {' and '.join(TARGETS)}")
            del settings["forward"]
    return found


def _snapshot(
    environ: Mapping[str, str], data: Mapping[str, Any], folder: Path, problems: list[str]
) -> tuple[Mapping[str, str], Mapping[str, tuple[str, str]], bool]:
    """Versions as they are stated, those that are worked out from a file or a package, and whether there is a fallback."""
    given = data.get("snapshot") or {}
    if not isinstance(given, dict):
        problems.append(f"snapshot: found {type(given).__name__}; write component to version")
        given = {}
    problems.extend(
        f"snapshot.{name} is not a component; write one of {', '.join(SNAPSHOT_COMPONENTS)}"
        for name in given
        if name not in (*SNAPSHOT_COMPONENTS, FALLBACK)
    )
    versions: dict[str, str] = {}
    sources: dict[str, tuple[str, str]] = {}
    for component in SNAPSHOT_COMPONENTS:
        told = environ.get(f"TRUEGREEN_SNAPSHOT_{component.upper()}", "")
        kind, _, value = told.partition(":")
        if kind in SOURCES and value:
            sources[component] = (kind, value)
        elif told or not isinstance(given.get(component), dict):
            version = told or str(given.get(component) or "")
            versions.update({component: version} if version else {})
        elif source := _source(component, given[component], folder, problems):
            sources[component] = source
    wanted = environ.get("TRUEGREEN_SNAPSHOT_FALLBACK", "").lower()
    if wanted not in ("", "true", "false"):
        problems.append(f"TRUEGREEN_SNAPSHOT_FALLBACK: found {wanted!r}; write true or false")
    return versions, sources, wanted != "false" if wanted else given.get(FALLBACK) is not False


def _source(component: str, given: Mapping[str, Any], folder: Path, problems: list[str]) -> tuple[str, str] | None:
    kind, value = next(iter(given.items()), ("", ""))
    if len(given) != 1 or kind not in SOURCES or not isinstance(value, str) or not value:
        problems.append(
            f"snapshot.{component}: found {str(dict(given))[:80]}; write a version, {{file: PATH}} or {{package: NAME}}"
        )
        return None
    return str(kind), str(folder / value) if kind == "file" else value


def _floor(environ: Mapping[str, str], data: Mapping[str, Any], problems: list[str]) -> float | None:
    section = data.get("retrieval")
    told = environ.get("TRUEGREEN_RETRIEVAL_FLOOR") or (section.get("floor") if isinstance(section, dict) else None)
    try:
        number = None if told is None or isinstance(told, bool) else float(told)
    except (TypeError, ValueError):
        number = math.nan
    if number is None or math.isfinite(number):
        return number
    name = "TRUEGREEN_RETRIEVAL_FLOOR" if environ.get("TRUEGREEN_RETRIEVAL_FLOOR") else "retrieval.floor"
    problems.append(f"{name}: found {told!r}; write a similarity such as 0.3")
    return None


def _approved(environ: Mapping[str, str], data: Mapping[str, Any], problems: list[str]) -> Mapping[str, frozenset[str]]:
    section = data.get("agents")
    given = section.get("approved_tools", {}) if isinstance(section, dict) else {}
    listed = given if isinstance(given, dict) else {"": given}
    if told := environ.get("TRUEGREEN_APPROVED_TOOLS"):
        listed = {"": [name.strip() for name in told.split(",") if name.strip()]}
    found: dict[str, frozenset[str]] = {}
    for agent, tools in listed.items():
        if isinstance(tools, list) and all(isinstance(tool, str) for tool in tools):
            found[str(agent)] = frozenset(tools)
        else:
            problems.append(f"agents.approved_tools.{agent}: found {tools!r}; write a list of tools, such as [search, lookup]")
    return found
