"""Who may send to the collector and how much, as `collector.tls`, `token_file` and `limits` of `truegreen.yaml` say it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path as File

from truegreen.core.config.source import Source
from truegreen.core.config.units import seconds, size
from truegreen.core.errors import BadInput


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files of a receiver: its certificate chain, its key, and the authority of the clients' certificates where they must have one."""

    cert: File
    key: File
    client_ca: File | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What a collector takes at once; past it a request is refused and, but for its own size, may be sent again.

    Args:
        request: bytes of one request, as sent and inflated (the OpenTelemetry Collector's limit for HTTP).
        in_flight: bytes of requests that are held at once; at least twice `request`, for compressed JSON is held as sent and inflated.
        requests: requests that are read or counted at once, both protocols together.
        reading: messages that gRPC reads at once: its library has each whole, twice, before its size is known: 6 of 20 MiB take 240 MiB.
        connections: open connections, for each protocol.
        header_seconds: a connection without a request, or between two, is closed after so long (the OpenTelemetry Collector's minute).
        body_seconds: a body must be whole within so long: the longest time that exporters wait by default (the OpenTelemetry Collector's; an
            SDK's is 10 s).
    """

    request: int = 20 << 20
    in_flight: int = 64 << 20
    requests: int = 256
    reading: int = 6
    connections: int = 1024
    header_seconds: float = 60.0
    body_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class Receiver:
    """How the collector receives; a token is asked for where there is a file of them."""

    tls: Tls | None = None
    token_file: File | None = None
    limits: Limits = Limits()


def receiver(source: Source, file: File | None) -> Receiver:
    """The receiver of a checked source; relative paths lie beside `file`.

    Raises:
        BadInput: what is held at once is less than one request may need.
    """
    given = source.data["collector"]
    folder = file.parent if file else File()
    limits = given["limits"]
    made = Limits(
        request=size(limits["request"]),
        in_flight=size(limits["in_flight"]),
        requests=limits["requests"],
        reading=limits["reading"],
        connections=limits["connections"],
        header_seconds=float(seconds(limits["header"])),
        body_seconds=float(seconds(limits["body"])),
    )
    if made.in_flight < 2 * made.request:
        number, unit = int(limits["request"][:-3]), limits["request"][-3:]
        raise BadInput(
            f"{source.at(('collector', 'limits', 'in_flight'))}: found {limits['in_flight']}, and one request of {number}{unit} (`request`) "
            f"is held twice, as sent and inflated; write at least {2 * number}{unit}, or a smaller `request`"
        )
    tls = {part: folder / name for part, name in given["tls"].items()}
    return Receiver(Tls(**tls) if tls else None, folder / given["token_file"] if given["token_file"] else None, made)
