"""The boards as the generator makes them."""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from truegreen.core.config import parse_text
from truegreen.core.words.shapes import Generated
from truegreen.dashboards.generate import files

Json = dict[str, Any]
TOOLS = Path(__file__).resolve().parents[2] / "tools"
sys.path.insert(0, str(TOOLS))  # the driver of the browser is a tool: pictures are made with it too


def generated(text: str = "", time_scale: int = 1) -> Generated:
    """What the generator makes of a `truegreen.yaml` of this text."""
    return files(parse_text(text, "truegreen.yaml", {}, None), time_scale)


def boards_of(made: Generated) -> dict[str, Json]:
    """The boards among generated files, by file name."""
    return {name: json.loads(text) for name, text in made.files.items() if name.endswith(".json")}


@pytest.fixture(scope="session")
def plain() -> Generated:
    """What the generator makes of no configuration at all."""
    return generated()


@pytest.fixture
def boards(plain: Generated) -> dict[str, Json]:
    """The boards of no configuration at all, to be changed at will."""
    return boards_of(plain)


@pytest.fixture
def make() -> Any:
    """`make(text, time_scale)` is the boards of a configuration."""
    return lambda text="", time_scale=1: boards_of(generated(text, time_scale))


@pytest.fixture
def made() -> Any:
    """`made(text, time_scale)` is all that the generator makes."""
    return generated


@pytest.fixture(scope="session")
def chromium(engine, tmp_path_factory):
    """One headless Chromium for all tests of a worker."""
    import webdriver

    engine("chromium")
    engine("chromedriver")
    with webdriver.browser(tmp_path_factory.mktemp("chromium")) as window:
        yield window


@pytest.fixture
def browser(chromium):
    """The window as it is at first: 1280 x 900, light, on an empty page, its logs empty."""
    chromium.open("about:blank")
    chromium.size(1280, 900)
    chromium.theme("light")
    chromium.log("browser")
    chromium.log("performance")
    return chromium


@contextmanager
def served(site):
    """A preview of a `Site`, by its own server: the address."""
    from truegreen.dashboards.preview import server

    with server.serve(site, 0) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.server_port}"
        finally:
            listening.shutdown()
            thread.join()


@pytest.fixture
def preview():
    """`preview(site)` is the address of a preview of it, which ends with the test."""
    with ExitStack() as stack:
        yield lambda site: stack.enter_context(served(site))


@pytest.fixture
def live():
    """`live(url, boards, text, time_scale, timeout)` is the `Site` of boards (by uid) on the Prometheus at `url`, with the configuration of `text`."""
    from truegreen.core.clients import http, prometheus
    from truegreen.dashboards.preview import site
    from truegreen.dashboards.preview.proxy import Upstream

    with ExitStack() as stack:

        def made(url, boards, text="", time_scale=1, timeout=10):
            upstream = replace(prometheus.connect(url, {}), timeout=timeout)
            client = stack.enter_context(http.client(upstream))
            return site.live(parse_text(text, "truegreen.yaml", {}, None), time_scale, boards, Upstream(upstream, client))

        yield made


@pytest.fixture
def heard() -> Iterator[None]:
    """Ctrl-C is heard, by programs that a test starts too, also where the tests were started by a shell that has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
