"""A Grafana as its documents describe the dashboard and folder API (`/api`), on the loopback: it keeps boards, folders and versions."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]
Answer = tuple[int, Any]
TOKEN = "glsa_not-a-secret"
CHANGED = (412, {"message": "The dashboard has been changed by someone else", "status": "version-mismatch"})
TAKEN = (412, {"message": "A dashboard with the same name in the folder already exists", "status": "name-exists"})
GONE = "gone"
"""In place of an answer: the connection is closed without one."""


@dataclass
class Grafana:
    """What it keeps and how it behaves.

    Args:
        folders: uid to title.
        boards: uid to `{"dashboard": …, "meta": …}`.
        before, after: called with method, path and body, before and after a request is done; what they return is the answer instead.
        defaults: added to each panel when a board is read, as a newer Grafana does.
    """

    folders: dict[str, str] = field(default_factory=dict)
    boards: dict[str, Json] = field(default_factory=dict)
    before: Callable[[str, str, Json], Any] = lambda *_: None
    after: Callable[[str, str, Json], Any] = lambda *_: None
    defaults: Json = field(default_factory=dict)
    prefix: str = ""
    calls: list[tuple[str, str, Json]] = field(default_factory=list)
    url: str = ""

    def written(self) -> list[str]:
        """The requests that change something."""
        return [f"{method} {path}" for method, path, _ in self.calls if method != "GET"]

    def put(self, board: Json, folder: str = "truegreen", **meta: Any) -> None:
        """Somebody saves a board."""
        before = self.boards.get(board["uid"], {"dashboard": {"version": 0, "id": len(self.boards) + 1}})["dashboard"]
        kept = {**copy.deepcopy(board), "id": before["id"], "version": before["version"] + 1}
        self.boards[board["uid"]] = {
            "dashboard": kept,
            "meta": {"folderUid": folder, "canSave": True, "provisioned": False, **meta},
        }

    def answer(self, method: str, path: str, body: Json, authorization: str) -> Answer:
        """What the documents say."""
        if path == "/api/health":
            return 200, {"database": "ok", "version": "12.1.0", "commit": "0"}
        if authorization != f"Bearer {TOKEN}":
            return 401, {"message": "Unauthorized"}
        what, _, uid = path.removeprefix("/api/").partition("/")
        if what == "folders":
            return self._folder(method, uid, body)
        if path == "/api/dashboards/db" and method == "POST":
            return self._save(body)
        uid = uid.removeprefix("uid/")
        if uid not in self.boards:
            return 404, {"message": "Dashboard not found"}
        if method == "DELETE":
            return 200, {"title": self.boards.pop(uid)["dashboard"]["title"], "message": "Dashboard deleted"}
        found = copy.deepcopy(self.boards[uid])
        for panel in found["dashboard"].get("panels", []) if self.defaults else ():
            panel.update({**self.defaults, **panel})
        return 200, found

    def _folder(self, method: str, uid: str, body: Json) -> Answer:
        if method == "GET":
            title = self.folders.get(uid)
            return (404, {"message": "Folder not found"}) if title is None else (200, {"uid": uid, "title": title, "version": 1})
        if body["uid"] in self.folders:
            return 412, {"message": "The folder has been changed by someone else", "status": "version-mismatch"}
        self.folders[body["uid"]] = body["title"]
        return 200, {"uid": body["uid"], "title": body["title"], "version": 1}

    def _save(self, body: Json) -> Answer:
        board, folder = body["dashboard"], body.get("folderUid", "")
        uid = board["uid"]
        kept = self.boards.get(uid)
        if folder and folder not in self.folders:
            return 404, {"message": "folder not found"}
        if kept and kept["meta"]["provisioned"]:
            return 400, {"message": "Cannot save provisioned dashboard"}
        if len(uid) > 40:
            return 400, {"message": "uid too long, max 40 characters"}
        if kept and not body.get("overwrite") and board.get("version") != kept["dashboard"]["version"]:
            return CHANGED
        self.put(board, folder)
        saved = self.boards[uid]["dashboard"]
        return 200, {
            "id": saved["id"],
            "uid": uid,
            "url": f"/d/{uid}/x",
            "status": "success",
            "version": saved["version"],
            "slug": "x",
        }


@contextmanager
def grafana(kept: Grafana) -> Iterator[Grafana]:
    """Serve it; `url` is its address until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            text = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            body = json.loads(text) if text else {}
            path = self.path.removeprefix(kept.prefix)
            kept.calls.append((self.command, path, body))
            said = kept.before(self.command, path, body)
            if said is None and self.path.startswith(kept.prefix):
                said = kept.answer(self.command, path, body, self.headers.get("Authorization", ""))
                said = kept.after(self.command, path, body) or said
            if said == GONE:
                self.close_connection = True
                return
            status, content = said or (404, {"message": "Not found"})
            payload = (content if isinstance(content, str) else json.dumps(content)).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(payload)))
            if 300 <= status < 400:
                self.send_header("Location", "/login")
            self.end_headers()
            self.wfile.write(payload)

        do_GET = do_POST = do_DELETE = _serve  # noqa: N815 - the names that http.server calls

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        with closing(server.socket):
            kept.url = f"http://127.0.0.1:{server.server_port}{kept.prefix}"
            yield kept
    finally:
        server.shutdown()
        thread.join()
