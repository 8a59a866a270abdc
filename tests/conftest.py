"""Fixtures that every folder of tests uses: the checkout, the engines, the recorded data."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import settings

from truegreen.core.clients import engines

settings.register_profile("shared", deadline=None)  # how long an example takes says more of the machine than of the code
settings.load_profile("shared")

REPO = Path(__file__).resolve().parent.parent
REQUIRE = "TRUEGREEN_REQUIRE"
DATA = "TRUEGREEN_DATA"


def _lacking(reason: str) -> NoReturn:
    """Skip the test, or fail it where nothing may be missing (TRUEGREEN_REQUIRE=1)."""
    if os.environ.get(REQUIRE) == "1":
        pytest.fail(f"{REQUIRE}=1, and {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def repo() -> Path:
    """The root of the checkout."""
    return REPO


@pytest.fixture(scope="session")
def engine() -> Callable[[str], Path]:
    """`engine("prometheus")` is its path; the test is skipped, or fails under TRUEGREEN_REQUIRE=1, when there is none."""

    def named(name: str) -> Path:
        return engines.find(name) or _lacking(engines.missing_help(name))

    return named


@pytest.fixture(scope="session")
def data() -> Callable[[str], Path]:
    """`data("x.jsonl.gz")` is a file below TRUEGREEN_DATA; skipped or failed as `engine` when it is not there."""

    def named(name: str) -> Path:
        folder = Path(os.environ.get(DATA) or REPO.parent / "shared" / "data")
        path = folder / name
        return path if path.exists() else _lacking(f"{name} is not in {folder}: name the folder that has it with {DATA}")

    return named
