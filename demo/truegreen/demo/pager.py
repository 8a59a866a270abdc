"""The demo's pager: a local webhook receiver that keeps what Alertmanager sent."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from truegreen.demo.loopback import Quiet, serving

_LARGEST: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Notification:
    """One alert of one webhook call; `sev` is the path that the receiver was called at, `seconds` unix time."""

    seconds: float
    sev: str
    status: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    payload: Mapping[str, Any]


@dataclass(slots=True)
class Pager:
    """What came in, in order."""

    url: str = ""
    received: list[Notification] = field(default_factory=list)

    def find(self, *, sev: str, status: str, slo: str = "") -> Notification | None:
        """The first notification of that kind."""
        matching = (n for n in self.received if n.sev == sev and n.status == status and slo in ("", n.labels.get("slo")))
        return next(matching, None)

    def count(self, sev: str, status: str = "firing") -> int:
        """How many different alerts of that kind came in."""
        return len({tuple(sorted(n.labels.items())) for n in self.received if n.sev == sev and n.status == status})


@contextmanager
def pager(clock: Callable[[], float] = time.time) -> Iterator[Pager]:
    """Listen on a free port of loopback while the context lasts; Alertmanager is given `{url}/sev1`, `/sev2`, `/sev3`."""
    kept = Pager()

    class Handler(Quiet):
        def do_POST(self) -> None:  # noqa: N802 - the base class names it so
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(min(length, _LARGEST))
            try:
                payload = json.loads(body)
                alerts = payload["alerts"]
            except (ValueError, KeyError, TypeError):
                self.send_error(400)
                return
            sev = self.path.rpartition("sev")[2]
            now = clock()
            kept.received.extend(
                Notification(now, sev, alert["status"], alert["labels"], alert.get("annotations", {}), payload)
                for alert in alerts
            )
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

    with serving(Handler) as kept.url:
        yield kept
