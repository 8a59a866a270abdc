"""The loop that lets the hooks run: it takes its clock and its pause, and ends when it is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from truegreen.core.errors import BadInput, Failed
from truegreen.runbook import log as store
from truegreen.runbook.clean import clean
from truegreen.runbook.commands.common import Desk
from truegreen.runbook.serve.hooks import HOOKS, Hook


@dataclass(slots=True)
class Loop:
    """What a loop remembers: the failures that it has counted, and those that it has said."""

    desk: Desk
    log: store.Log
    say: Callable[[str], None]
    hooks: Sequence[tuple[str, Hook]] = HOOKS
    failed: int = 0
    said: set[str] = field(default_factory=set)

    def once(self) -> None:
        """Let every hook look at every incident that is open, or was closed not long ago; nothing is raised."""
        now = self.desk.clock()
        try:
            rows = store.recent(self.log, now)
        except Failed as error:
            self._tell("log", error)
            return
        for one in rows:
            for name, hook in self.hooks:
                self._run(name, hook, one.id)

    def _run(self, name: str, hook: Hook, number: int) -> None:
        try:
            # Read anew for each: the one before may have written.
            one = next(i for i in store.incidents(self.log) if i.id == number)
            hook(self.desk, self.log, one, store.events(self.log, number), self.desk.clock())
        except (BadInput, Failed) as error:
            self._tell(name, error)
        except Exception as error:  # a hook must not take the page down with it
            self._tell(name, Failed(f"{type(error).__name__}"))

    def _tell(self, name: str, error: Exception) -> None:
        self.failed += 1
        text = f"{name}: {clean(str(error), 300)}"
        if text not in self.said and len(self.said) < 1_000:
            self.said.add(text)
            self.say(text)
