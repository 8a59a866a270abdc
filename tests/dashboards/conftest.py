"""The boards as the generator makes them."""

from __future__ import annotations

import json
import sys
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
