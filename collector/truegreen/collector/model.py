"""What the collector is told and what it shows: frozen dataclasses, no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from truegreen.core.words.metric import Metric

HOLD_SCRAPES: Final = 2
"""A new series is exposed as 0 for so many scrape intervals, so that at least one scrape sees the 0 before its first value."""
GAP_SCRAPES: Final = 20
"""A snapshot not seen for so long (10 min at 30 s) comes up anew."""
SLOT_SCRAPES: Final = 10
"""A failing trace stays in its slot for so long (5 min at 30 s): a trace id is a label, so each change is a new series."""
HOUR_SCRAPES: Final = 120
MAX_MESSAGE: Final = 20 * 1024 * 1024
"""Bytes of one request, as sent and inflated; the OpenTelemetry Collector's limit for HTTP."""
IN_FLIGHT: Final = 64 * 1024 * 1024
"""Bytes of requests that may be held at once; past it requests are refused, by HTTP before they are read.

gRPC's library has read a message by the time its size is known: `Limits.reading` bounds how many it reads at once.
"""
RETRY_SECONDS: Final = 1
"""What a refused client is told to wait: the Python exporter drops a batch at once when told more than its 10 s budget."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a collector takes at once; past it a request is refused and may be sent again.

    Args:
        requests: requests that are read or counted at once, both protocols together.
        reading: messages that gRPC reads at once: its library holds each whole before we see it, so this many times 20 MiB is its bound.
        connections: open connections, for each protocol.
        header_seconds: a connection without a request, or between two, is closed after so long (the OpenTelemetry Collector's minute).
        body_seconds: a body must be whole within so long: the longest time that exporters wait by default (the OpenTelemetry Collector's; an
            SDK's is 10 s).
    """

    requests: int = 256
    reading: int = 16
    connections: int = 1024
    header_seconds: float = 60.0
    body_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class Tls:
    """Files of a receiver that speaks TLS: its certificate chain, its key, and the authority of the clients' certificates where they must have one."""

    cert: Path
    key: Path
    client_ca: Path | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """How a collector runs.

    Args:
        http_endpoint, grpc_endpoint, metrics_endpoint: HOST:PORT.
        scrape_interval: seconds between two scrapes; every hold and gap is a multiple of it.
        calibrations: folders of calibration files, whose size and date are exposed.
        in_flight: bytes of requests held at once.
        limits: what is taken at once, and how long a client may take.
        tls: None speaks plain text.
        token_file: a file of bearer tokens, one a line, of which a client must have one.
    """

    http_endpoint: str = "127.0.0.1:4318"
    grpc_endpoint: str = "127.0.0.1:4317"
    metrics_endpoint: str = "127.0.0.1:9465"
    scrape_interval: float = 30.0
    calibrations: tuple[Path, ...] = ()
    in_flight: int = IN_FLIGHT
    limits: Limits = field(default_factory=Limits)
    tls: Tls | None = None
    token_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Exposed:
    """One metric at one moment: label values to numbers.

    A counter or gauge has one number; a histogram has its sum and then one count per bucket, not cumulative, the last above all bounds.
    """

    metric: Metric
    series: Mapping[tuple[str, ...], Sequence[float]]
