"""Flags as an operator has set them, here by the application's own OpenFeature provider; and what is said once is forgotten between tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from truegreen.containment import flags
from truegreen.containment.model import FLAGS
from truegreen.instrumentation import failures, notices


@pytest.fixture(autouse=True)
def _nothing_said(monkeypatch) -> Iterator[None]:
    monkeypatch.delenv(flags.VARIABLE, raising=False)
    failures.reset()
    notices.close()
    yield
    flags.close()
    failures.reset()
    notices.close()


@pytest.fixture
def flagged() -> Iterator[Callable[..., None]]:
    """`flagged(pinned_model="m")` sets these flags and turns all others off."""
    from openfeature import api
    from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider

    def turn(**values: str) -> None:
        assert set(values) <= set(FLAGS)
        api.set_provider(InMemoryProvider({n: InMemoryFlag("on", {"on": v, "off": ""}) for n, v in values.items()}))

    yield turn
    api.clear_providers()
