"""Where the collector forwards to, as `collector.forward` of `truegreen.yaml` says it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path as File
from typing import Any, Final
from urllib.parse import urlsplit

from truegreen.core.config.source import Path, Source
from truegreen.core.config.units import seconds, size
from truegreen.core.errors import BadInput

_SECRET: Final = re.compile(r"auth|key|token|secret|cookie|passw|credential|signature|team|dsn", re.IGNORECASE)
_OURS: Final = {"content-type", "content-encoding", "content-length", "transfer-encoding", "host", "connection", "te", "user-agent",
                "accept-encoding", "expect", "upgrade", "truegreen-via"}  # fmt: skip
_SIGNAL_PATH: Final = re.compile(r"/v1/(traces|logs|metrics)/?$")


@dataclass(frozen=True, slots=True)
class Redact:
    """Which attributes are forwarded: those of `allow` (a key, or its beginning and `*`) and, unless `defaults` is off, those without content."""

    allow: tuple[str, ...] = ()
    defaults: bool = True


@dataclass(frozen=True, slots=True)
class Destination:
    """One destination of forwarded requests.

    Args:
        endpoint: base address, with scheme.
        protocol: http or grpc.
        headers: name to its value.
        header_files: name to the file that holds its value.
        compression: keep, gzip or none.
        queue: bytes that may wait or be on their way.
        when_full: drop or refuse.
        in_flight: requests on their way at once.
        timeout: seconds of one attempt.
        max_age: seconds after which a request is dropped.
        ca, cert, key: PEM files, or None.
        redact: what is cut, None for nothing.
    """

    name: str
    endpoint: str
    protocol: str = "http"
    signals: tuple[str, ...] = ("traces", "logs")
    headers: Mapping[str, str] = field(default_factory=dict)
    header_files: Mapping[str, File] = field(default_factory=dict)
    compression: str = "keep"
    queue: int = 64 << 20
    when_full: str = "drop"
    in_flight: int = 8
    timeout: float = 10.0
    max_age: float = 300.0
    ca: File | None = None
    cert: File | None = None
    key: File | None = None
    redact: Redact | None = None


def destinations(source: Source, file: File | None) -> tuple[Destination, ...]:
    """The destinations of a checked source; relative paths lie beside `file`.

    Raises:
        BadInput: a name is there twice, a header is not the user's to set or has a secret in it, or an endpoint has the path of a signal.
    """
    folder = file.parent if file else File()
    made: dict[str, Destination] = {}
    for index, given in enumerate(source.data["collector"]["forward"]):
        path: Path = ("collector", "forward", index)
        name = given["name"]
        if name in made:
            raise BadInput(f"{source.at((*path, 'name'))}: {name} is there twice; give one of them another name")
        made[name] = _destination(source, path, given, folder)
    return tuple(made.values())


def _destination(source: Source, path: Path, given: Mapping[str, Any], folder: File) -> Destination:
    endpoint, grpc = given["endpoint"].rstrip("/"), given["protocol"] == "grpc"
    try:
        _ = urlsplit(endpoint).port
    except ValueError as error:
        raise BadInput(
            f"{source.at((*path, 'endpoint'))}: {endpoint}: {error}; write an address such as http://tempo:4317"
        ) from None
    if _SIGNAL_PATH.search(endpoint):
        raise BadInput(
            f"{source.at((*path, 'endpoint'))}: the path of a signal is appended; write {_SIGNAL_PATH.sub('', endpoint)}"
        )
    if grpc and endpoint.count("/") > 2:
        raise BadInput(f"{source.at((*path, 'endpoint'))}: gRPC has no path; write {'/'.join(endpoint.split('/')[:3])}")
    tls = {part: folder / name for part, name in given["tls"].items()}
    if tls and endpoint.startswith("http://"):
        raise BadInput(f"{source.at((*path, 'tls'))}: {endpoint} is without TLS; write https:// or leave tls out")
    headers = given["headers"]
    for name, value in headers.items():
        _header(source, (*path, "headers", name), name, value)
    redact = given.get("redact")
    return Destination(
        name=given["name"],
        endpoint=endpoint,
        protocol=given["protocol"],
        signals=tuple(given["signals"]),
        headers={name: value for name, value in headers.items() if isinstance(value, str)},
        header_files={name: folder / value["file"] for name, value in headers.items() if not isinstance(value, str)},
        compression=given["compression"],
        queue=size(given["queue"]),
        when_full=given["when_full"],
        in_flight=given["in_flight"],
        timeout=float(seconds(given["timeout"])),
        max_age=float(seconds(given["max_age"])),
        redact=None if redact is None else Redact(tuple(redact["allow"]), redact["defaults"]),
        **tls,
    )


def _header(source: Source, path: Path, name: str, value: Any) -> None:
    if name.lower() in _OURS or name.lower().startswith("grpc-"):
        raise BadInput(f"{source.at(path)}: the collector sets this header itself; leave it out")
    if isinstance(value, str) and _SECRET.search(name):
        raise BadInput(
            f"{source.at(path)}: found a text where a secret belongs; write {{file: PATH}} of a file that has the value alone"
        )
