"""Which exceptions count against a provider: those of real clients, and of the shapes that others have."""

from __future__ import annotations

import asyncio
import urllib.request

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truegreen import containment
from truegreen.containment import errors


def _with(**attributes):
    return type("Error", (Exception,), attributes)()


class _Grpc(Exception):
    def __init__(self, name):
        super().__init__(name)
        self.name = name

    def code(self):
        return type("StatusCode", (), {"name": self.name})


def _raised(call, *args):
    with pytest.raises(Exception) as raised:
        call(*args)
    return raised.value


def _caused(error, cause):
    error.__cause__ = cause
    return error


@given(st.integers(-1_000, 100_000))
def test_statuses_count_as_the_table_says(status):
    """408, 425, 429 and 500 to 599, wherever a client keeps it."""
    expected = status in (408, 425, 429) or 500 <= status <= 599
    for error in (_with(status_code=status), _with(code=status), _with(status=status), _with(response=_with(status_code=status))):
        assert containment.counts(error) is expected


def test_real_clients_that_reach_nobody():
    """A vector store, two HTTP clients, the standard library."""
    import httpx
    import requests
    from qdrant_client import QdrantClient

    nowhere = "http://127.0.0.1:9"
    for error in (
        _raised(QdrantClient(nowhere, check_compatibility=False).get_collections), _raised(httpx.get, nowhere), _raised(requests.get, nowhere),
        _raised(urllib.request.urlopen, nowhere), _raised(asyncio.run, _late()),
    ):  # fmt: skip
        assert containment.counts(error), repr(error)


async def _late():
    async with asyncio.timeout(0):
        await asyncio.sleep(1)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (_Grpc("UNAVAILABLE"), True),
        (_Grpc("DEADLINE_EXCEEDED"), True),
        (_Grpc("INVALID_ARGUMENT"), False),
        (_with(code=lambda needed: needed), False),
        (_with(status="503"), False),
        (_with(status_code=True), False),
        (_caused(ValueError("wrapped"), TimeoutError()), True),
        (_caused(ValueError("wrapped"), _with(status_code=400)), False),
        (ValueError("503 Service Unavailable"), False),
        (KeyError("x"), False),
        (errors.CircuitOpen("kb"), True),
    ],
)
def test_other_shapes(error, expected):
    """gRPC, odd attributes, and an error that a framework has wrapped."""
    assert containment.counts(error) is expected


def test_a_ring_of_causes_ends():
    """It happens with re-raised errors."""
    one, two = ValueError(), KeyError()
    one.__cause__, two.__cause__ = two, one
    assert not containment.counts(one)
