"""The page of the incident on a free port of the loopback, with a clock that the test turns."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
import yaml
from fastapi import FastAPI
from runbook_world import END

from truegreen.core.config import load
from truegreen.runbook import log as store
from truegreen.runbook.commands.common import Desk
from truegreen.runbook.log import Log
from truegreen.runbook.model import Event, Incident, Target
from truegreen.runbook.page import router

TOKEN = "a-token-of-the-file"


@dataclass
class Site:
    """A page that is served; `now` is its clock."""

    folder: Path
    given: dict[str, Any]
    url: str = ""
    now: float = END
    log: Log = field(init=False)

    def __post_init__(self) -> None:
        self.given.setdefault("store", f"sqlite:///{self.folder}/incidents.db")
        self.log = store.open_log(self.given["store"])

    def desk(self, **more: Any) -> Desk:
        """The configuration with this clock."""
        (self.folder / "truegreen.yaml").write_text(yaml.safe_dump({"incidents": self.given, **more}))
        return Desk(load(self.folder / "truegreen.yaml", {}), as_json=False, number=None, clock=lambda: self.now)

    def open(self, service: str = "them", sev: str = "1", text: str = "Answers are not grounded.", **data: Any) -> Incident:
        """Open an incident of one of the world's services."""
        return store.open_incident(self.log, Target(service, "production", "grounding"), sev, self.now, text, data)

    def write(self, number: int, phase: str, kind: str, text: str, data: Mapping[str, Any] = {}) -> Event:  # noqa: B006 - read only
        """Add a line to the log."""
        return store.append(self.log, number, self.now, phase, kind, text, data)

    def events(self, number: int = 1) -> tuple[Event, ...]:
        """The log of an incident."""
        return store.events(self.log, number)


@contextmanager
def serving(site: Site, **more: Any) -> Iterator[Site]:
    """Serve it until the block ends; `site.url` is where."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(router(site.desk(**more)))
    listening = socket.create_server(("127.0.0.1", 0))
    site.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < deadline, "the page does not start"
        time.sleep(0.01)
    try:
        yield site
    finally:
        server.should_exit = True
        thread.join(20)
        listening.close()
