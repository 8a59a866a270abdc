"""The `metric` evaluation: any function of a sample that gives a number; the adapters of other packages' metrics are made of it."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from types import FunctionType
from typing import Any

from truegreen.core.errors import BadInput
from truegreen.core.words.calibration import Calibration
from truegreen.core.words.shapes import Judge, Result, Sample
from truegreen.evaluation.evaluators.adapters.verdicts import lacking, needs, one_word, verdict


def make(settings: Mapping[str, Any], calibration: Calibration | None) -> Judge:
    """A function of yours as an evaluation.

    Args:
        settings: `metric`, `package.module:function`: it gets a `Sample` and gives a number, True or False, or None where it cannot judge
            (`skipped: error`). `needs` (a list of `passages`, `query`, `expected`), `higher_is_better` (default true), `floor`, `scale`.
        calibration: the frozen baseline; without one, and without `floor`, results are `skipped: no_baseline` and hold `raw` only.

    Returns:
        a function that never raises. `raw` is the metric's number in its own unit, negated where lower is better.

    Raises:
        BadInput: there is no such function.
    """
    call = named(settings, "your application", function=False)
    return metric("metric", str(settings["metric"]), call, settings, calibration)


make.background = True  # type: ignore[attr-defined]


def metric(
    evaluation: str,
    evaluator: str,
    call: Callable[[Sample], Any],
    settings: Mapping[str, Any],
    calibration: Calibration | None,
    wanted: Sequence[str] = (),
) -> Judge:
    """The judge that asks `call`; settings and result as `make` says.

    Args:
        evaluator: who judges; made one word.
        wanted: what must be there beside the answer where `needs` says nothing.
    """
    said, wanted = verdict(evaluation, settings, calibration), needs(settings.get("needs"), wanted)
    sign, name = -1.0 if settings.get("higher_is_better") is False else 1.0, one_word(evaluator)

    def judge(sample: Sample) -> Result:
        try:
            if reason := lacking(sample, wanted):
                return Result(evaluation, name, skipped=reason)
            raw = sign * float(call(sample))
        except Exception:  # foreign code; its message may hold the text
            return Result(evaluation, name, skipped="error")
        return said(name, raw) if math.isfinite(raw) else Result(evaluation, name, skipped="error")

    return judge


def named(settings: Mapping[str, Any], package: str, *, function: bool = True) -> Any:
    """What the setting `metric` names: a class or a function is called with `arguments`, anything else is taken as it is.

    Args:
        package: where such metrics are, for the message.
        function: whether a function makes the metric; else it is the metric.

    Raises:
        BadInput: the setting or its target is not there, or it takes no such arguments.
    """
    target, arguments = settings.get("metric"), settings.get("arguments") or {}
    if not isinstance(target, str) or target.count(":") != 1:
        raise BadInput(f"metric: found {target!r:.60}, write package.module:name, of {package} or of a module of yours")
    if not isinstance(arguments, Mapping):
        raise BadInput(f"arguments: found {arguments!r:.60}, write a mapping of names to values")
    found = of(target)
    if not isinstance(found, type) and not (function and isinstance(found, FunctionType)):
        return found
    try:
        return found(**arguments)
    except Exception as error:
        given = ", ".join(map(str, arguments)) or "nothing"
        raise BadInput(
            f"metric: {target} cannot be made with arguments {given:.200}: {type(error).__name__}; make it in Python to read why"
        ) from None


def name_of(settings: Mapping[str, Any], package: str) -> str:
    """Who judges: the metric's name and the version of its package, for another version may give other numbers."""
    return f"{package}/{str(settings['metric']).rpartition(':')[2]}@{version(package)}"


def of(target: str) -> Any:
    """The attribute that `package.module:name` names.

    Raises:
        BadInput: it cannot be imported or has no such name.
    """
    module, _, name = target.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        if find_spec(package) is not None:
            raise BadInput(f"metric: {target}: there is no module {error.name}; look at the version of {package}") from None
        raise BadInput(f"metric: {target} needs the package {package}; run: pip install {package}") from None
    except AttributeError:
        raise BadInput(f"metric: the module {module} has no {name}; look at its version") from None
    except Exception as error:
        raise BadInput(
            f"metric: the module {module} cannot be imported: {type(error).__name__}; import it in Python to read why"
        ) from None
