"""`baseline take` for one signal: from a collector's scores, a replay file or the counts of a Prometheus to a calibration file."""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from truegreen.core import config
from truegreen.core.errors import BadInput
from truegreen.core.words import ready_made
from truegreen.core.words.attributes import ENVIRONMENT_NAME, SERVICE_NAME
from truegreen.core.words.calibration import MINIMUM_ANSWERS
from truegreen.core.words.slo import EvaluationSli, Slo
from truegreen.evaluation import files
from truegreen.evaluation.baselines import baseline, event_take, scores, taking
from truegreen.evaluation.baselines.scores import Judged
from truegreen.evaluation.evaluators.groundedness import EVALUATION
from truegreen.evaluation.installed import environ_of, judge_of
from truegreen.evaluation.progress import shown
from truegreen.evaluation.replay import select

NEAR: Final = 0.8
"""How alike, 0 to 1, an unknown signal and a known one are where the one was meant for the other: two letters of a dozen."""
UNKNOWN: Final = "unknown"
"""The evaluator where nobody said who judged."""


def calibrate(
    service: str,
    environment: str,
    signal: str,
    sources: tuple[str, ...],
    out: Path,
    *,
    floor_quantile: float,
    models: tuple[str, ...],
    answers: int | None,
    seed: int,
    days: int,
    until: str | None,
    config_path: Path | None,
    as_json: bool,
) -> str:
    """Write the calibration file of one signal; what the command says.

    Raises:
        BadInput: what the user named cannot be used.
        Failed: nobody answers there, or the file cannot be written.
    """
    slo = _counted(signal, config_path)
    if slo is not None:
        if models or answers or floor_quantile != baseline.FLOOR_PERCENTILE:
            raise BadInput(
                f"--model, --answers and --floor-quantile are about scores, and {signal} counts events; leave them out"
            )
        return event_take.take(slo, service, environment, sources, out, days, until, as_json)
    urls = [source for source in sources if source.startswith(("http://", "https://"))]
    paths = [Path(source) for source in sources if source not in urls]
    _check_sources(service, signal, urls, paths, models, answers)
    notes: list[str] = []
    if urls:
        values, sessions, snapshot, evaluator = _from_collectors(urls, service, environment, signal)
        calls: list[Judged] = []
    else:
        calls = _from_files(paths, signal, config_path, notes)
        chosen = _drawn(calls, models, answers, seed, notes)
        values = [call.raw for call in chosen if call.raw is not None]
        sessions = [call.session for call in chosen] if any(call.session for call in chosen) else []
        snapshot, evaluator = "", _one_evaluator({call.evaluator for call in chosen if call.raw is not None})
    taken = datetime.now(UTC).isoformat(timespec="seconds")
    frozen = baseline.freeze(
        values, service=service, environment=environment, signal=signal, evaluator=evaluator, taken=taken, sessions=sessions,
        snapshot=snapshot, percentile=floor_quantile,
    )  # fmt: skip
    tie = taking.tie_note(frozen, floor_quantile)
    frozen, kept = taking.with_curve(frozen, files.read_calibration(out, service, environment, signal))
    notes += ([tie] if tie else []) + kept
    rates = taking.error_rates(calls, frozen.floor)
    file = str(files.write_calibration(out, frozen))
    if as_json:
        return json.dumps({**taking.report(frozen, file, rates, notes), "seed": seed if answers else None})
    return "\n".join(taking.lines(frozen, file, rates, notes))


def _counted(signal: str, config_path: Path | None) -> Slo | None:
    """The SLO of that name, the configuration's or a ready-made one; None where an evaluation is meant."""
    from truegreen.instrumentation import settings

    evaluations = settings.load(environ_of(config_path)).evaluations
    if signal == EVALUATION or signal in evaluations:
        return None
    of_app = config_path is not None and config_path.suffix == ".json"
    slos = () if of_app else config.load(config_path, os.environ).slos
    found = next((slo for slo in slos if slo.name == signal), ready_made.BY_NAME.get(signal))
    if found is not None and isinstance(found.sli, EvaluationSli):
        raise BadInput(f"--signal: {signal} judges the evaluation {found.sli.evaluation}; write --signal {found.sli.evaluation}")
    names = [EVALUATION, *evaluations, *(slo.name for slo in slos), *ready_made.BY_NAME]
    near = get_close_matches(signal, names, 1, NEAR) if found is None else []
    if near:
        raise BadInput(
            f"--signal: no evaluation and no SLO is named {signal}; write {near[0]}, or add it under evaluations or slos in truegreen.yaml"
        )
    return found


def _check_sources(
    service: str, signal: str, urls: list[str], paths: list[Path], models: tuple[str, ...], answers: int | None
) -> None:
    if not service.strip():
        raise BadInput("--service: found an empty text, write the service's name")
    if not signal.strip():
        raise BadInput(f"--signal: found an empty text, write the evaluation's name as in truegreen.yaml, such as {EVALUATION}")
    if urls and paths:
        raise BadInput("--from: found addresses and files; take the baseline from one kind, they judge different traffic")
    if urls and (models or answers):
        raise BadInput("--model and --answers choose from a replay file; the collector's scores are taken as they are")


def _from_collectors(urls: list[str], service: str, environment: str, signal: str) -> tuple[list[float], list[str], str, str]:
    found = [scores.fetch(scores.address(url, service, environment, signal)) for url in urls]
    if not any(one.values for one in found):
        raise BadInput(
            f"--from: a baseline needs at least {MINIMUM_ANSWERS} judged answers, there are 0: no collector asked has an answer of the "
            f"service {service!r}, environment {environment!r}, evaluation {signal!r}. Check the environment: it is the app's resource "
            f"attribute {ENVIRONMENT_NAME}, `unknown` when unset; the service is {SERVICE_NAME}; only sampled answers with a raw score count"
        )
    evaluator = _one_evaluator({one.evaluator for one in found if one.values})
    snapshots = {one.snapshot for one in found if one.values}
    values = [value for one in found for value in one.values]
    known = all(one.sessions for one in found if one.values)
    sessions = [session for one in found for session in one.sessions] if known else []
    return values, sessions, snapshots.pop() if len(snapshots) == 1 else "", evaluator


def _one_evaluator(found: set[str]) -> str:
    if len(found) > 1:
        names = ", ".join(sorted(name or UNKNOWN for name in found))
        raise BadInput(f"--from: there are scores of different evaluators ({names}); one baseline needs one")
    return next(iter(found), "") or UNKNOWN


def _from_files(paths: list[Path], signal: str, config_path: Path | None, notes: list[str]) -> list[Judged]:
    from truegreen.instrumentation import settings

    judge = judge_of(signal, settings.load(environ_of(config_path)).evaluations.get(signal, {}))
    calls: list[Judged] = []
    for path in paths:
        broken = files.Broken()
        calls += shown(scores.judged(files.read_replay(path, broken), judge), "judge", None)
        notes += files.broken_lines(broken)
    return calls


def _drawn(calls: list[Judged], models: tuple[str, ...], answers: int | None, seed: int, notes: list[str]) -> list[Judged]:
    chosen = select(calls, models, seed, None)
    skipped = Counter(call.skipped for call in chosen if call.raw is None)
    kept = [call for call in chosen if call.raw is not None]
    said = ", ".join(f"{count} {reason}" for reason, count in sorted(skipped.items()))
    if skipped:
        notes.append(f"skipped: {said}")
    if answers and kept:
        notes.append(f"{answers} answers drawn with replacement from {len(kept)} recorded ones, seed {seed}")
        return random.Random(seed).choices(kept, k=answers)
    if len(kept) < MINIMUM_ANSWERS:
        raise BadInput(
            f"a baseline needs at least {MINIMUM_ANSWERS} judged answers, there are {len(kept)}"
            + (f" (skipped: {said})" if skipped else "")
            + (f"; record more, or draw with replacement: --answers {MINIMUM_ANSWERS + 100}" if kept else "")
        )
    return kept
