"""An application seen from outside: each scrape it has answered a few more requests, by the model or prompt that it was told to use."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from truegreen.runbook.commands.common import Desk
from truegreen.runbook.evidence import Sources


@contextmanager
def serving(answer: Callable[[str, str, Any, str], tuple[int, Any]]) -> Iterator[str]:
    """A local server: `answer(method, path, body, authorization)` gives a status and JSON, or text."""

    class Handler(BaseHTTPRequestHandler):
        def _go(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            status, said = answer(self.command, self.path, body, self.headers.get("Authorization", ""))
            content = said.encode() if isinstance(said, str) else json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain" if isinstance(said, str) else "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PATCH = do_PUT = do_POST = _go

        def log_message(self, *_: Any) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:
            """A scraper that hung up is nobody's error."""

    server = Quiet(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class App:
    """Counters that grow by 7 with each scrape; `obeys` says whether it reads the flag file."""

    service: str
    flags: Path
    prompt: Callable[[], int] = lambda: 5
    obeys: bool = True
    models: dict[str, int] = field(default_factory=lambda: {"support-large": 0})
    stamped: dict[str, int] = field(default_factory=dict)
    prompts: dict[int, int] = field(default_factory=dict)

    def metrics(self, *_: Any) -> tuple[int, str]:
        """Answer a scrape."""
        on = self._on() if self.obeys else {}
        pinned = on.get("pinned_model", "")
        model = pinned or "support-large"
        self.models[model] = self.models.get(model, 0) + 7
        for flag in on:
            self.stamped[flag] = self.stamped.get(flag, 0) + 7
        version = self.prompt()
        self.prompts[version] = self.prompts.get(version, 0) + 7
        lines, who = [], f'service="{self.service}",environment="production"'
        for name, value in self.models.items():
            served = "support-large-1106" if name == "support-large" else name
            lines.append(f'truegreen_model_served_total{{{who},model="{name}",served="{served}",fingerprint="fp"}} {value}')
        for flag, value in self.stamped.items():
            lines.append(f'truegreen_contained_requests_total{{{who},containment="{flag}"}} {value}')
        for number, value in self.prompts.items():
            lines.append(f'truegreen_snapshot_info{{{who},snapshot="s{number}",prompt_version="support@{number}"}} 1')
            lines.append(
                f'truegreen_answers_total{{{who},snapshot="s{number}",model="support-large",cohort="c",sampled="base"}} {value}'
            )
        return 200, "\n".join(lines) + "\n"

    def _on(self) -> dict[str, str]:
        from truegreen.containment.document import read

        return (
            {name: value for name, value in read(json.loads(self.flags.read_text())).items() if value}
            if self.flags.exists()
            else {}
        )


@dataclass
class Langfuse:
    """The prompt contract: versions 3, 4 and 5, `production` on 5; `fault` is the status that a PATCH gets instead, `late_fault` when it is done."""

    labels: dict[int, list[str]] = field(default_factory=lambda: {3: [], 4: ["eu"], 5: ["production", "latest"]})
    fault: int = 0
    late_fault: int = 0
    get_fault: int = 0
    calls: list[tuple[str, str]] = field(default_factory=list)

    def production(self) -> int:
        """The version that has the label."""
        return next(v for v, labels in self.labels.items() if "production" in labels)

    def answer(self, method: str, path: str, body: Any, authorization: str) -> tuple[int, Any]:
        """One call."""
        self.calls.append((method, path))
        if not authorization.startswith("Basic "):
            return 401, {"message": "no keys"}
        where, _, query = path.partition("?")
        if method == "PATCH":
            if self.fault:
                return self.fault, {"message": "no"}
            version = int(where.rpartition("/")[2])
            for labels in self.labels.values():
                labels[:] = [x for x in labels if x not in body["newLabels"]]
            self.labels[version] += body["newLabels"]
            if self.late_fault:
                return self.late_fault, {"message": "no"}
            return 200, self._prompt(version)
        if self.get_fault:
            return self.get_fault, {"message": "no"}
        if where.endswith("/prompts"):
            listed = {"name": "support", "type": "text", "versions": sorted(self.labels), "labels": [], "tags": []}
            return 200, {"data": [listed] if "name=support" in query else [], "meta": {"totalPages": 1}}
        version = int(query.removeprefix("version=")) if query.startswith("version=") else self.production()
        return (
            (200, self._prompt(version))
            if version in self.labels and where.endswith("/support")
            else (404, {"message": "not found"})
        )

    def _prompt(self, version: int) -> dict[str, Any]:
        return {
            "name": "support",
            "version": version,
            "type": "text",
            "prompt": "SECRET-PROMPT-TEXT",
            "config": {},
            "labels": self.labels[version],
            "tags": [],
        }


class Impatient(Desk):
    """A desk that does not wait before it asks again a server that is not there."""

    def sources(self) -> Sources:
        """The configured servers."""
        found = super().sources()
        return Sources(*(replace(each, sleep=lambda _: None) for each in (found.prometheus, found.alertmanager, found.collector)))
