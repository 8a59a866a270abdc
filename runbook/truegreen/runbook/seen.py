"""Whether a switch is seen on spans: which counters show it, and which of them should not grow any more."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from truegreen.containment.model import PINNED_MODEL, PROVIDERS
from truegreen.core.clients import prometheus as prom
from truegreen.core.clients.http import Server, bare
from truegreen.core.errors import Failed
from truegreen.runbook import names, selectors
from truegreen.runbook.model import Target
from truegreen.runbook.switches import Switch
from truegreen.runbook.watch import OTHER, Key

_MODEL: Final = "served by it"
_STAMP: Final = "stamped"
IMPATIENT: Final = 2.0
"""Seconds for one answer of Prometheus: a slow one is not waited for while harm is done."""


def impatient(server: Server) -> Server:
    """The server with `IMPATIENT` seconds for an answer and no second attempt: who watches asks again anyway."""

    def once(_: float) -> None:
        raise Failed(f"no {server.name} answers at {bare(server.url)}: {server.hint}")

    return replace(server, timeout=min(server.timeout, IMPATIENT), sleep=once)


def kinds(switch: Switch) -> tuple[str, ...]:
    """What must be seen of a switch."""
    return (_MODEL, _STAMP) if switch.served else (_STAMP,)


def reader(server: Server, target: Target) -> Callable[[], Mapping[Key, float]]:
    """Reads the counters that show who serves, what is stamped and what is sampled."""
    where, server = selectors.at(target), impatient(server)
    asked = (
        ("served", "model, served", names.SERVED),
        ("contained", "containment", names.CONTAINED),
        ("boosted", "sampled", names.ANSWERS),
    )

    def read() -> Mapping[Key, float]:
        return {
            (kind, *(s.labels.get(label, "") for label in labels.split(", "))): s.value
            for kind, labels, metric in asked for s in prom.query(server, f"sum by ({labels}) ({metric}{where})")
        }  # fmt: skip

    return read


def classifier(switch: Switch, value: str, replaced: Sequence[str]) -> Callable[[Key], str]:
    """Tells the requests that the switch governs from those that should not be any more.

    Args:
        replaced: requested names of models that the switch replaces; empty means every other name for a pin, and none for a fallback.
    """
    head, colon, rest = value.partition(":")
    model = rest if colon and head in PROVIDERS else value  # as the application takes it apart

    def classify(key: Key) -> str:
        kind, name, *more = key
        if kind != "served":
            stamp = "boost" if kind == "boosted" else switch.flag
            return _STAMP if (kind, name) == (switch.metric, stamp) else "ignored"
        if not switch.served:
            return "ignored"
        # A pin names the version that serves; a fallback may name an alias, under which a dated version answers.
        if model in (more[0], name if switch.flag != PINNED_MODEL else more[0]):
            return _MODEL
        every = not replaced and switch.flag == PINNED_MODEL
        return OTHER if every or name in replaced or name == model else "ignored"

    return classify
