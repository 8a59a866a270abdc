"""Services and environments: which context a resource's spans are counted in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from truegreen.collector import evidence
from truegreen.collector.plan import Facts, label_value
from truegreen.collector.planner import Context
from truegreen.collector.state import Store
from truegreen.core.words import attributes as names
from truegreen.core.words import catalogue
from truegreen.core.words.terms import OVERFLOW

RESOURCE: Final = (names.SERVICE_NAME, names.ENVIRONMENT_NAME, names.ENVIRONMENT_NAME_OLD)
RESOURCES: Final = 20_000
"""Resources whose context is kept; past it all are forgotten and found anew (contexts stay)."""
LONGEST: Final = 512
"""A longer resource is worked out anew each time."""


class Contexts:
    """Finds and makes them; they are bounded as service and environment are."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.known: dict[tuple[bytes | None, ...], Context] = {}
        self.by_identity: dict[tuple[str, str], Context] = {}

    def of(self, found: Callable[[str], bytes | None]) -> Context:
        """The context of a resource, of which `found` gives an attribute."""
        key = tuple(map(found, RESOURCE))
        return self.known.get(key) or self._made(key)

    def _made(self, key: tuple[bytes | None, ...]) -> Context:
        resource = dict(zip(RESOURCE, key, strict=True))
        facts = Facts({}, resource)
        service = label_value(catalogue.SERVICE, facts, None) or ""
        environment = label_value(catalogue.ENVIRONMENT, facts, None) or ""
        identity = self._store.identity(service, environment)
        context = self.by_identity.get(identity)
        if context is None:
            context = self._new(identity, resource)
        if sum(len(part or b"") for part in key) < LONGEST:
            if len(self.known) >= RESOURCES:
                self.known.clear()
            self.known[key] = context
        return context

    def _past(self) -> Context:
        """The one that keeps the evidence of what is past the limit of series."""
        identity = (OVERFLOW, OVERFLOW)
        return self.by_identity.get(identity) or self._new(identity, {})

    def _new(self, identity: tuple[str, str], resource: Mapping[str, bytes | None]) -> Context:
        made = self.by_identity[identity] = Context(*identity, resource, evidence.Evidence(), self._past)
        return made
