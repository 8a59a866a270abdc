"""What is known of a span while it is open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from truegreen.core.words.dialects import Dialect
from truegreen.instrumentation.passages import Passages
from truegreen.instrumentation.text import Text


@dataclass(slots=True)
class State:
    """One open span, between its start and its end.

    Args:
        stamps: attributes that the context carried at the start.
        versions: snapshot components that the context carried at the start.
        request: the passages of the enclosing `traffic` block; of a root span without one, those that wait for it.
        boost: evaluate beyond the base sample.
        local_root: its parent is in another process, or it has none.
        remote_parent: its parent is in another process.
        parent: the parent span when it was open at the start and is one of ours; it may end first.
        source: source attributes seen at the start, to be put back when evicted.
        dialect: the dialect, None as long as it does not look like a GenAI span.
        hooked: text from the completion hook.
        told: text from `answer`.
        done: it has ended.
    """

    stamps: Mapping[str, Any]
    versions: Mapping[str, str]
    request: Passages | None
    boost: bool
    local_root: bool
    remote_parent: bool
    parent: Any
    source: Mapping[str, Any]
    dialect: Dialect | None = None
    hooked: Text | None = None
    told: Text | None = None
    done: bool = False
