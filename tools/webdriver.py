"""A headless Chromium, driven over W3C WebDriver: what tests and pictures of the preview look through."""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from truegreen.core.clients import engines, processes
from truegreen.core.errors import Failed

ELEMENT: Final = "element-6066-11e4-a52e-4f735466cecf"
"""The key of an element's reference (W3C WebDriver, section 11)."""
SECONDS: Final = 30.0
"""The longest that one command, or a wait for the page, may take."""
KEYS: Final = {
    "Enter": "\ue007", "Escape": "\ue00c", "Tab": "\ue004", "Shift": "\ue008", "Space": " ", "Home": "\ue011", "End": "\ue010",
    "ArrowLeft": "\ue012", "ArrowUp": "\ue013", "ArrowRight": "\ue014", "ArrowDown": "\ue015",
}  # fmt: skip
"""WebDriver's codes of the keys that are no letters (section 17.4.2)."""
_FLAGS: Final = (
    "--headless=new", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars", "--force-color-profile=srgb",
    "--no-first-run", "--disable-extensions", "--disable-component-update", "--disable-background-networking", "--disable-sync",
)  # fmt: skip

_SETTLED: Final = """
const [height] = arguments;
return new Promise((settled) => {
  const wait = () => innerHeight === height ? seen.observe(document.documentElement) : requestAnimationFrame(wait);
  const seen = new IntersectionObserver(() => { seen.disconnect(); requestAnimationFrame(settled); });
  wait();
});"""
"""Until a window of a new height has told its page what is in sight: observers are called in the order in which they were made."""


@dataclass(frozen=True, slots=True)
class Browser:
    """One window.

    Args:
        client: speaks to the session of the driver.
    """

    client: httpx.Client

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The value that the driver answers to a command; raises `Failed` with the driver's words."""
        answer = self.client.request(method, path, json=body if body is not None or method != "POST" else {})
        told = answer.json()["value"]
        if answer.is_error:
            raise Failed(f"the browser refuses {method} {path}: {told['error']}: {told['message'].splitlines()[0]}")
        return told

    def open(self, url: str) -> None:
        """Go to an address and wait until it is loaded."""
        self.ask("POST", "/url", {"url": url})

    def url(self) -> str:
        """The address that is shown."""
        return str(self.ask("GET", "/url"))

    def run(self, script: str, *arguments: Any) -> Any:
        """The value that a JavaScript function body returns; a promise is waited for."""
        return self.ask("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def until(self, script: str, *arguments: Any, seconds: float = SECONDS) -> Any:
        """Run a function body, without its `return`, until it is true: its value. Raises `Failed` when it stays false."""
        end = time.monotonic() + seconds
        while not (value := self.run(f"return ({script})", *arguments)):
            if time.monotonic() > end:
                raise Failed(f"not within {seconds:g} s in the browser: {script}")
            time.sleep(0.02)
        return value

    def size(self, width: int, height: int, scale: float = 1) -> None:
        """Lay the page out at `width` x `height` CSS pixels, each `scale` pixels of the screen."""
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=False)

    def theme(self, name: str) -> None:
        """Prefer `light` or `dark`, as an operating system does."""
        self.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def press(self, *keys: str) -> None:
        """Press and release keys, one after the other: a letter or a name of `KEYS`."""
        codes = [KEYS.get(key, key) for key in keys]
        actions = [{"type": kind, "value": code} for code in codes for kind in ("keyDown", "keyUp")]
        self._act({"type": "key", "id": "keyboard", "actions": actions})

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Press the left button at `start`, move to `end`, release it; both in CSS pixels of the window."""
        moves = [
            _move(start),
            {"type": "pointerDown", "button": 0},
            _move(_between(start, end)),
            _move(end),
            {"type": "pointerUp", "button": 0},
        ]
        self._act({"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": moves})

    def hover(self, at: tuple[float, float]) -> None:
        """Move the pointer to a place, in CSS pixels of the window."""
        self._act({"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": [_move(at)]})

    def click(self, selector: str) -> None:
        """Click the first element of a CSS selector, as a person does: it must be visible and nothing may cover it."""
        found = self.ask("POST", "/element", {"using": "css selector", "value": selector})
        self.ask("POST", f"/element/{found[ELEMENT]}/click")

    def screenshot(self) -> bytes:
        """A PNG of the window."""
        return base64.b64decode(self.ask("GET", "/screenshot"))

    def whole(self, width: int = 1280, scale: float = 1) -> bytes:
        """A PNG of the whole page, laid out at `width` CSS pixels: the window is made as high as the page, so that all of it is drawn."""
        height = 900
        while True:
            self.size(width, height, scale)
            self.run(_SETTLED, height)
            self.until("document.documentElement.dataset.ready")
            needed = int(self.run("return document.documentElement.scrollHeight"))
            if needed <= height:
                break
            height = needed
        return self.screenshot()

    def cdp(self, command: str, **parameters: Any) -> Any:
        """Send a command of the Chrome DevTools Protocol."""
        return self.ask("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def log(self, kind: str) -> list[Mapping[str, Any]]:
        """What the `browser` (console) or `performance` (DevTools events, such as requests) log has got since it was last read."""
        return list(self.ask("POST", "/se/log", {"type": kind}))

    def errors(self) -> list[str]:
        """What the console calls an error since it was last read."""
        return [entry["message"] for entry in self.log("browser") if entry["level"] == "SEVERE"]

    def requested(self) -> list[str]:
        """The addresses that the page asked for since it was last read."""
        events = [json.loads(entry["message"])["message"] for entry in self.log("performance")]
        return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]

    def _act(self, device: Mapping[str, Any]) -> None:
        self.ask("POST", "/actions", {"actions": [device]})
        self.ask("DELETE", "/actions")


def _move(at: tuple[float, float]) -> dict[str, Any]:
    return {"type": "pointerMove", "duration": 0, "origin": "viewport", "x": round(at[0]), "y": round(at[1])}


def _between(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    return (one[0] + other[0]) / 2, (one[1] + other[1]) / 2


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A window of 1280 x 900 in a Chromium of its own, which knows no other address than the loopback; ended when the block is left.

    Args:
        folder: for its profile and the driver's log.

    Raises:
        Failed: there is no `chromium` or no `chromedriver` (`make browser`), or they do not start.
    """
    chromium, driver = engines.require("chromium"), engines.require("chromedriver")
    settings = {"binary": str(chromium), "args": [*_flags(folder)]}
    wanted = {
        "browserName": "chrome",
        "goog:chromeOptions": settings,
        "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        "timeouts": {"script": int(SECONDS * 1000), "pageLoad": int(SECONDS * 1000)},
    }

    def command(port: int) -> list[str]:
        # One time zone and one language everywhere; a home of its own, as a browser writes into one.
        own = (f"HOME={folder}", "TZ=UTC", "LANG=C.UTF-8")
        return ["env", *own, str(driver), f"--port={port}", "--allowed-ips=127.0.0.1"]

    with (
        processes.served("chromedriver", command, folder, None, ready="/status") as served,
        httpx.Client(base_url=served.url, timeout=2 * SECONDS, trust_env=False) as starter,
    ):
        made = starter.post("/session", json={"capabilities": {"alwaysMatch": wanted}}).json()["value"]
        if "sessionId" not in made:
            raise Failed(f"Chromium does not start: {made['message'].splitlines()[0]} (log: {served.log})")
        session = f"/session/{made['sessionId']}"
        try:
            with httpx.Client(base_url=served.url + session, timeout=2 * SECONDS, trust_env=False) as client:
                yield Browser(client)
        finally:
            starter.delete(session)


def _flags(folder: Path) -> list[str]:
    root = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium's sandbox does not start as root.
    return [*_FLAGS, *root, f"--user-data-dir={folder / 'profile'}", "--window-size=1280,900", "--lang=en"]
