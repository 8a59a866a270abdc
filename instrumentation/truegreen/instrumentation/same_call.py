"""Whether two spans may be of one call, by what each says of it: the kind of operation, the models, the id of the response."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from truegreen.instrumentation.call import Call
from truegreen.instrumentation.text import short

_VENDOR = re.compile(r"^(?:[a-z]{2,6}\.)?(?:anthropic|amazon|meta|mistral|cohere|ai21)\.")
_VERSION = re.compile(r"(?:[-@:](?:\d{4}-\d\d-\d\d|\d{8}|\d{3,4}|latest|v\d+(?::\d+)?))+$")


class Facts(NamedTuple):
    """What tells one call from another.

    Args:
        models: asked and served, without vendor and version.
    """

    operation: str
    models: frozenset[str]
    response_id: str
    failed: bool = False


def facts_of(call: Call) -> Facts:
    """What a call's span says when it ends."""
    models = models_of(call.read("request_model"), call.read("response_model"))
    return Facts(call.operation, models, short(str(call.read("response_id") or "")), call.failed)


def agree(one: Facts, other: Facts) -> bool:
    """Whether nothing speaks against two spans being of one call."""
    if (one.operation == "embeddings") != (other.operation == "embeddings"):
        return False
    if one.response_id and other.response_id:
        if one.response_id == other.response_id:
            return True
        if _kind(one.response_id) == _kind(other.response_id):  # a framework may give an id of its own
            return False
    return not one.models or not other.models or bool(one.models & other.models)


def _kind(identity: str) -> str:
    return re.split(r"[-_]", identity, maxsplit=1)[0]


def models_of(*given: object) -> frozenset[str]:
    """Names of models as they are compared."""
    return frozenset([_bare(model[-200:]) for model in given if isinstance(model, str) and model])


@lru_cache(256)
def _bare(model: str) -> str:
    """A model's name without provider and version: `models/gpt-x-2026-01-01` is `gpt-x`."""
    return _VERSION.sub("", _VENDOR.sub("", model.rsplit("/", 1)[-1].lower()))
