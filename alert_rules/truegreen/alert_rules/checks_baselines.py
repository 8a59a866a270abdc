"""SLOs against the calibration files: a floor on a scale that it does not have, a budget that no sample shows, a file that speaks of nothing."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from truegreen.alert_rules.bounds import outside
from truegreen.alert_rules.budgets import judged, of_baseline, signal
from truegreen.core.config.model import Config
from truegreen.core.words import ready_made
from truegreen.core.words.calibration import Calibration, line_of
from truegreen.core.words.slo import BASELINE, LIVE, EvaluationSli, Slo
from truegreen.core.words.terms import CALIBRATED, RELATIVE

Found = tuple[str, str, str]
"""The key, what was found and what to write instead."""
_JUDGE: Final = "floor: baseline, which sees change; a number needs labels (truegreen evaluator measure), or an evaluator whose own scores are calibrated, such as a judge"


def of_slo(config: Config, slo: Slo, known: Mapping[Path, Calibration]) -> Iterator[Found]:
    """What is wrong with an SLO in the light of the calibration files."""
    if slo.name in config.evaluations and not isinstance(slo.sli, EvaluationSli):
        yield "name", "it is the name of an evaluation, whose baselines the SLO would take for its own", "another name"
    yield from _floors(config, slo, known)
    yield from _counted(slo, known)
    for its in judged(slo, known.values()).baselines if slo.objective == BASELINE else ():
        for found, instead in outside(1 - of_baseline(its)) if its.service not in slo.objectives else ():
            yield (
                "objective",
                f"as {its.service} in {its.environment} was frozen, {found}",
                f"under objectives, for {its.service}, {instead}",
            )


def _counted(slo: Slo, known: Mapping[Path, Calibration]) -> Iterator[Found]:
    # A file says what it counted, so that an SLO which counts something else under the same name is seen.
    if isinstance(slo.sli, EvaluationSli):
        return
    for path, one in known.items():
        if one.signal == slo.name and slo.selects(one.service) and one.evaluator != slo.sli.metric:
            yield (
                "sli.metric",
                f"the SLO counts {slo.sli.metric}, and its baseline was taken of {one.evaluator} ({path})",
                f"another name, or take it anew: truegreen baseline take --signal {slo.name}",
            )


def _floors(config: Config, slo: Slo, known: Mapping[Path, Calibration]) -> Iterator[Found]:
    if not isinstance(slo.sli, EvaluationSli) or slo.sli.floor == BASELINE:
        return
    if slo.objective == BASELINE:
        yield (
            "objective",
            f"a baseline counts what is under its own floor, and the SLO what is under {slo.sli.floor}",
            "a number such as 95%, or floor: baseline",
        )
    mine = {path: one for path, one in known.items() if one.signal == slo.sli.evaluation and slo.selects(one.service)}
    for path, one in mine.items():
        if one.scale == RELATIVE:
            where = f"{one.service} in {one.environment}"
            yield (
                "sli.floor",
                f"{slo.sli.floor} is a level, and the scores of {where} are relative to a baseline ({path})",
                _JUDGE,
            )
    said = config.evaluations.get(slo.sli.evaluation, {}).get("scale")
    if not mine and slo.mode == LIVE and said != CALIBRATED and slo.sli.evaluation in config.evaluations:
        yield (
            "sli.floor",
            f"{slo.sli.floor} is a level, and nothing says that the scores of {slo.sli.evaluation} are calibrated: the SLO would be silent",
            f"mode: shadow, floor: baseline, labels (truegreen evaluator measure), or evaluations: {{{slo.sli.evaluation}: {{scale: {CALIBRATED}}}}} where a judge gives the scores",
        )


def of_nobody(config: Config, known: Mapping[Path, Calibration]) -> list[str]:
    """Files whose signal is no evaluation's and no SLO's, one line for each."""
    signals = {*config.evaluations, *(signal(slo) for slo in config.slos), *ready_made.BY_NAME}
    lines = []
    for path, one in known.items():
        if one.signal not in signals:
            near = difflib.get_close_matches(one.signal, signals, 1)
            lines.append(
                f"{path}:{line_of(path.read_text('utf-8'), 'signal')}: signal: found {one.signal!r}, which is no evaluation and no SLO; "
                f"write {near[0] if near else 'it under evaluations or slos'}, or remove the file"
            )
    return lines


def unused(config: Config, known: Iterable[Calibration]) -> Iterator[str]:
    """Calibrations that no SLO reads, in words."""
    for one in known:
        if not any(signal(slo) == one.signal and slo.selects(one.service) for slo in config.slos):
            yield f"The baseline of {one.signal} of {one.service} in {one.environment} is read by no SLO of this file."
