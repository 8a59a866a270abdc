"""Which frozen baseline each template is compared with: the chosen one of its service, never the newest of itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from truegreen.collector.watch.model import Key
from truegreen.core.errors import BadInput, Failed
from truegreen.evaluation.baselines import store
from truegreen.evaluation.drift.detect import Reference
from truegreen.evaluation.model import LIVE, Profile

REFERENCES: Final = 300
"""Templates whose baseline is held ready: about a megabyte each, with a model's embeddings three; past it the one asked for longest ago is read again."""
AGAIN: Final = 60.0
"""Seconds after which the place is looked at again, for a choice or a baseline that is new."""


class References:
    """Reads baselines when a template of theirs is first seen, and keeps what is compared with it.

    The baseline of a service is the one that was chosen last, else the oldest. A template that it lacks, such as a new version of a prompt, is
    compared with the oldest baseline that has it.

    Args:
        address: a folder, or an address of fsspec.
        say: told of a baseline that cannot be read, once for each.
        clock: gives Unix seconds.
    """

    def __init__(self, address: str, seed: int, say: Callable[[str], None], clock: Callable[[], float]) -> None:
        self._address, self._seed, self._say, self._clock = address, seed, say, clock
        self._templates: dict[str, frozenset[str]] = {}
        self._last: tuple[str, dict[str, Profile]] = "", {}
        self._order: dict[tuple[str, str], tuple[float, tuple[str, ...]]] = {}
        self._made: dict[Key, tuple[str, Reference]] = {}
        self._said: set[str] = set()

    def of(self, key: Key) -> Reference | None:
        """What a template is compared with; None where no baseline has it. It reads files."""
        service, environment, template = key
        for name in self._names(service, environment):
            known = self._made.get(key)
            if known is not None and known[0] == name:
                self._made[key] = self._made.pop(key)
                return known[1]
            if name in self._templates and template not in self._templates[name]:
                continue
            profile = self._of(name).get(template)
            if profile is not None:
                self._made[key] = name, Reference(profile, self._seed)
                while len(self._made) > REFERENCES:
                    del self._made[next(iter(self._made))]
                return self._made[key][1]
        return None

    def forget(self, key: Key) -> None:
        """A template is watched no more."""
        self._made.pop(key, None)

    def _names(self, service: str, environment: str) -> tuple[str, ...]:
        at, names = self._order.get((service, environment), (float("-inf"), ()))
        if self._clock() - at >= AGAIN:
            names = self._read_names(service, environment, names)
            self._order[service, environment] = self._clock(), names
        return names

    def _read_names(self, service: str, environment: str, before: tuple[str, ...]) -> tuple[str, ...]:
        try:
            found = store.names(self._address, service, environment)
            chosen = store.chosen(self._address, service, environment)
        except (BadInput, Failed) as error:
            self._once(str(error))
            return before
        later = found[found.index(chosen) :] if chosen in found else found
        return tuple(dict.fromkeys((*later, *found)))

    def _of(self, name: str) -> dict[str, Profile]:
        if self._last[0] != name:
            try:
                frozen = store.load(self._address, name)
            except BadInput as error:
                self._once(str(error))
                self._templates[name] = frozenset()
                return {}
            except Failed as error:
                self._once(str(error))
                return {}
            # Live answers before expected ones, which say nothing of the questions that come.
            found = {one.template: one for one in sorted(frozen.profiles, key=lambda one: one.source == LIVE)}
            self._last, self._templates[name] = (name, found), frozenset(found)
        return self._last[1]

    def _once(self, said: str) -> None:
        if said not in self._said:
            self._said.add(said)
            self._say(f"baseline ignored: {said}")
