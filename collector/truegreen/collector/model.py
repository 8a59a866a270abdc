"""What the collector is told and what it shows: frozen dataclasses, no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from truegreen.core.config.forward import Destination
from truegreen.core.config.receiver import Limits, Receiver
from truegreen.core.words.catalogue_own import Catalogue
from truegreen.core.words.metric import Metric

HOLD_SCRAPES: Final = 2
"""A new series is exposed as 0 for so many scrape intervals, so that at least one scrape sees the 0 before its first value."""
GAP_SCRAPES: Final = 20
"""A snapshot not seen for so long (10 min at 30 s) comes up anew."""
SLOT_SCRAPES: Final = 10
"""A failing trace stays in its slot for so long (5 min at 30 s): a trace id is a label, so each change is a new series."""
HOUR_SCRAPES: Final = 120
MAX_MESSAGE: Final = Limits().request
IN_FLIGHT: Final = Limits().in_flight
RETRY_SECONDS: Final = 1
"""What a refused client is told to wait: the Python exporter drops a batch at once when told more than its 10 s budget."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How a collector runs.

    Args:
        http_endpoint, grpc_endpoint, metrics_endpoint: HOST:PORT.
        scrape_interval: seconds between two scrapes; every hold and gap is a multiple of it.
        calibrations: folders of calibration files, whose size and date are exposed.
        receiver: who may send, and how much.
        derived: what is derived: our metrics and a user's own.
        state: the file in which gauges survive a restart, None for none.
        forward: where accepted requests are passed on to.
        flush: seconds that a stop waits for what is to be passed on.
        provider_changes: the file of `truegreen provider changes`, whose dates are exposed; None for none.
    """

    http_endpoint: str = "127.0.0.1:4318"
    grpc_endpoint: str = "127.0.0.1:4317"
    metrics_endpoint: str = "127.0.0.1:9465"
    scrape_interval: float = 30.0
    calibrations: tuple[Path, ...] = ()
    receiver: Receiver = field(default_factory=Receiver)
    derived: Catalogue = field(default_factory=Catalogue)
    state: Path | None = None
    forward: tuple[Destination, ...] = ()
    flush: float = 10.0
    provider_changes: Path | None = None


class Exemplar(NamedTuple):
    """A span behind a number: its ids, what it added, and when it was counted, Unix seconds."""

    trace_id: bytes
    span_id: bytes
    value: float
    time: float


@dataclass(frozen=True, slots=True)
class Exposed:
    """One metric at one moment: label values to numbers.

    A counter or gauge has one number; a histogram has its sum and then one count per bucket, not cumulative, the last above all bounds.

    Args:
        created: when each series of a counter or histogram began, Unix seconds.
        exemplars: of a series, by the place of the number that they are an example of.
    """

    metric: Metric
    series: Mapping[tuple[str, ...], Sequence[float]]
    created: Mapping[tuple[str, ...], float] = field(default_factory=dict)
    exemplars: Mapping[tuple[str, ...], Mapping[int, Exemplar]] = field(default_factory=dict)
