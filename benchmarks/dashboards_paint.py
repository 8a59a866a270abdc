"""How soon the preview's page is there, in a real Chromium: `python benchmarks/dashboards.py --only paint`."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from truegreen.core.clients import engines, processes

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))
import webdriver

HOURS: Final = 3
_TIMES: Final = """
const at = (name) => performance.getEntriesByName(name)[0]?.startTime;
return [at("first-contentful-paint"), at("drawn")];
"""


def measured(folder: Path, recording: str, running: tuple[str, int] | None, loads: int) -> dict[str, Any]:
    """Milliseconds from the start of the navigation, by where the data come from.

    Args:
        recording: as `truegreen dashboard preview --recording` takes it.
        running: address of a Prometheus and the end of its data, where there is one.
    """
    sources: dict[str, tuple[list[str], str]] = {"the recorded incident": (["--recording", recording], "")}
    if running:
        url, end = running
        sources["that Prometheus"] = (["--prometheus-url", url], f"?from={(end - HOURS * 3600) * 1000}&to={end * 1000}")
    pages = {}
    with webdriver.browser(folder / "chromium") as window:
        window.cdp("Network.enable")
        window.cdp("Network.setCacheDisabled", cacheDisabled=True)
        for name, (arguments, search) in sources.items():
            pages[name] = _page(folder, window, arguments, search, loads)
    version = subprocess.run([engines.require("chromium"), "--version"], capture_output=True, text=True, check=True)
    return {"version": version.stdout.split(" built")[0].strip(), "pages": pages}


def _page(folder: Path, window: webdriver.Browser, arguments: list[str], search: str, loads: int) -> Mapping[str, Any]:
    program = str(Path(sys.executable).parent / "truegreen")

    def command(port: int) -> list[str]:
        return [program, "dashboard", "preview", "--port", str(port), *arguments]

    with processes.served("preview", command, folder, None, ready="/boards.json") as preview:
        found = []
        for _ in range(loads):
            window.open("about:blank")
            window.open(f"{preview.url}/d/truegreen-overview{search}")
            window.until("performance.getEntriesByName('drawn').length")
            found.append(window.run(_TIMES))
    paint, drawn = zip(*found, strict=True)
    return {"loads": loads, "paint": [statistics.median(paint), max(paint)], "drawn": [statistics.median(drawn), max(drawn)]}
