"""A running collector, and a processor on a clock of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from collector_process import Running, ended, running
from otlp_requests import INTERVAL, Clock

from truegreen.collector.processor import Processor


@pytest.fixture(scope="session")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One collector for all tests that only compare before and after."""
    made = running((), tmp_path_factory.mktemp("collector"))
    yield made
    ended(made)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """`start("--scrape-interval", "50ms")` is a ready collector with these further options, `at=` the addresses of one that has ended; all are ended with the test."""
    made: list[Running] = []

    def one(*options: str, at: Running | None = None) -> Running:
        made.append(running(options, tmp_path, at))
        return made[-1]

    yield one
    for each in made:
        ended(each)


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still until it is advanced."""
    return Clock()


@pytest.fixture
def processor(clock: Clock) -> Processor:
    """A processor on that clock."""
    return Processor(clock, INTERVAL)
