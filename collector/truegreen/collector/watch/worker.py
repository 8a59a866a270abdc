"""The watch: requests go into windows, and at each look the windows that have new answers are judged. The clock is injected."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Final

from truegreen.collector.contexts import Contexts
from truegreen.collector.model import Exposed
from truegreen.collector.state import Store
from truegreen.collector.watch import reading
from truegreen.collector.watch.model import Key, Settings, Sketch
from truegreen.collector.watch.references import References
from truegreen.collector.watch.windows import Windows
from truegreen.core.words import catalogue
from truegreen.core.words.metric import Metric
from truegreen.evaluation.drift.detect import Reference, change
from truegreen.evaluation.drift.model import CHANGES, SAYS, SIGNALS, Verdict, Window

log: Final = logging.getLogger("truegreen.collector.watch")
METRICS: Final = (
    catalogue.DRIFT_ZSCORE, catalogue.DRIFT_ANSWERS, catalogue.DRIFT_CHANGED,
    *(metric for metric in catalogue.ALL if metric.source == "collector"),
)  # fmt: skip
"""What a watch exposes: its gauges, and what every receiver says of itself."""
Keep = Callable[[Key, str, Sketch], None]


class Watch:
    """Windows, baselines and gauges of one process: in the place of the collector's processor.

    Args:
        clock: gives Unix seconds.
        keep: given every sketch, to keep it elsewhere; it must not wait.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float], keep: Keep | None = None) -> None:
        self.store = Store(clock, settings.interval, metrics=METRICS)
        self.windows = Windows(clock)
        self.verdicts: dict[Key, tuple[Verdict, ...]] = {}
        self._settings, self._clock, self._keep = settings, clock, keep
        self._contexts = Contexts(self.store)
        self._references = References(settings.baselines, settings.seed, log.warning, clock)
        self._forgotten = 0

    def traces(self, data: bytes) -> int:
        """Take the style of the answers and what the retrievals brought in an ExportTraceServiceRequest; how many.

        Raises:
            wire.DecodeError: the bytes are no such message.
        """
        taken = 0
        for key, row in reading.spans(data, self._identity, self._settings.shard.has):
            if isinstance(row, tuple):
                self.windows.retrieval(key, row)
            else:
                self.windows.style(key, row)
            taken += 1
        self.store.accepted[0] += taken
        return taken

    def logs(self, data: bytes) -> int:
        """Take the sketches in an ExportLogsServiceRequest; how many.

        Raises:
            wire.DecodeError: the bytes are no such message.
        """
        taken = 0
        for key, by, sketch in reading.sketches(data, self._identity, self._settings.shard.has):
            self.windows.sketch(key, by, sketch)
            if self._keep:
                self._keep(key, by, sketch)
            taken += 1
        return taken

    def copy(self) -> list[Exposed]:
        """All series as they stand."""
        return self.store.copy()

    async def look(self) -> None:
        """Judge every window that has new answers: one after the other in a thread, so that requests are taken meanwhile."""
        for key in self.windows.forget_idle():
            self._forget(key)
        for key in [key for key in self.verdicts if key not in self.windows.kept]:
            self._forget(key)
        if self.windows.forgotten > self._forgotten:
            log.warning(
                "%d templates were forgotten for want of room; watch fewer services here: --shard", self.windows.forgotten
            )
            self._forgotten = self.windows.forgotten
        for key in [key for key, kept in self.windows.kept.items() if kept.new]:
            kept = self.windows.kept.get(key)
            if kept is None:
                continue
            kept.new = False
            try:
                verdicts = await asyncio.to_thread(judged, self._references, key, kept.window())
            except Exception as error:
                log.error("%s could not be judged: %s", _named(key), type(error).__name__)  # noqa: TRY400  # a traceback could show content
                continue
            self._show(key, verdicts)

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(self._settings.interval)

    def _show(self, key: Key, verdicts: tuple[Verdict, ...]) -> None:
        before, said = self._changed(key), change(verdicts, self._settings.ticket)
        said_before = {one.signal for one in self.verdicts.get(key, ())}
        self.verdicts[key] = verdicts
        for signal in said_before - {one.signal for one in verdicts}:
            self._remove(catalogue.DRIFT_ZSCORE, key, signal)
            self._remove(catalogue.DRIFT_ANSWERS, key, signal)
        for one in verdicts:
            self._set(catalogue.DRIFT_ZSCORE, key, one.signal, one.z)
            self._set(catalogue.DRIFT_ANSWERS, key, one.signal, one.answers)
        for each in CHANGES if verdicts else ():
            self._set(catalogue.DRIFT_CHANGED, key, each, each == said)
        if said != before:
            log.info(
                "%s: %s (%s)",
                _named(key),
                SAYS[said],
                ", ".join(f"{one.signal} z {one.z:.1f}, N {one.answers}" for one in verdicts),
            )

    def answer(self, service: str, environment: str) -> list[Mapping[str, object]]:
        """What `/verdicts` says of a service."""
        return [
            {"template": key[2], "changed": self._changed(key), "says": SAYS[self._changed(key)],
             "signals": [{"signal": one.signal, "z": one.z, "p": one.p, "answers": one.answers, "trials": one.trials, "seed": one.seed} for one in found]}
            for key, found in sorted(self.verdicts.items()) if key[:2] == (service, environment)
        ]  # fmt: skip

    def _changed(self, key: Key) -> str:
        return change(self.verdicts.get(key, ()), self._settings.ticket)

    def _forget(self, key: Key) -> None:
        for signal in SIGNALS:
            self._remove(catalogue.DRIFT_ZSCORE, key, signal)
            self._remove(catalogue.DRIFT_ANSWERS, key, signal)
        for each in CHANGES:
            self._remove(catalogue.DRIFT_CHANGED, key, each)
        self.verdicts.pop(key, None)
        self._references.forget(key)

    def _set(self, metric: Metric, key: Key, label: str, value: float) -> None:
        if self.store.is_past(key[0], key[1], metric.label_set[1], key[2]):
            return  # folded with others a distance means nothing
        cell = self.store.admit(metric, key[0], key[1], (label, key[2]))
        cell[0], cell[1] = float(value), self._clock()

    def _remove(self, metric: Metric, key: Key, label: str) -> None:
        self.store.remove(metric, (key[0], key[1], label, key[2]))

    def _identity(self, found: Callable[[str], bytes | None]) -> tuple[str, str]:
        context = self._contexts.of(found)
        return context.service, context.environment


def judged(references: References, key: Key, window: Window) -> tuple[Verdict, ...]:
    """The verdicts on one window; none where no baseline has its template."""
    reference: Reference | None = references.of(key)
    return reference.judge(window) if reference else ()


def _named(key: Key) -> str:
    service, environment, template = key
    return f"{service} in {environment}, template {template}"
