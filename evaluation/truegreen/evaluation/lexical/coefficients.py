"""The trained coefficients of the groundedness evaluator, read from the committed `coefficients.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

from truegreen.evaluation.lexical.features import NAMES

FILE: Final = "coefficients.json"


@dataclass(frozen=True, slots=True)
class Coefficients:
    """A logistic regression over standardised features; it gives the log odds of *unsupported*.

    Args:
        mean: per feature, in the order of `features.NAMES`.
        scale: per feature, above 0.
        weight: per standardised feature.
        intercept: log odds where every feature has its mean.
    """

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weight: tuple[float, ...]
    intercept: float

    def log_odds(self, values: Sequence[float]) -> float:
        """The log odds that the answer is unsupported."""
        parts = zip(values, self.mean, self.scale, self.weight, strict=True)
        return self.intercept + sum(weight * (value - mean) / scale for value, mean, scale, weight in parts)


def to_text(coefficients: Coefficients, recipe: Mapping[str, Any]) -> str:
    """The file's text: every number in full, by feature name, and the recipe that made them."""
    by_name = {
        name: {"mean": mean, "scale": scale, "weight": weight}
        for name, mean, scale, weight in zip(NAMES, coefficients.mean, coefficients.scale, coefficients.weight, strict=True)
    }
    return json.dumps({"recipe": dict(recipe), "intercept": coefficients.intercept, "features": by_name}, indent=1) + "\n"


def from_text(text: str) -> Coefficients:
    """Read what `to_text` wrote."""
    data = json.loads(text)
    rows = [data["features"][name] for name in NAMES]
    mean, scale, weight = (tuple(float(row[key]) for row in rows) for key in ("mean", "scale", "weight"))
    return Coefficients(mean, scale, weight, float(data["intercept"]))


@cache
def committed() -> Coefficients:
    """The coefficients that ship with the package."""
    return from_text((resources.files("truegreen.evaluation.lexical") / FILE).read_text(encoding="utf-8"))
