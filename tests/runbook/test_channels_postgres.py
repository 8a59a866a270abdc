"""Who delivers what, when a team shares a PostgreSQL: a real one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pgserver
import pytest

from truegreen.runbook import log as store
from truegreen.runbook.channels import deliveries
from truegreen.runbook.channels.model import BEGUN, DONE

AT = 1_767_322_800.0
PEOPLE, ITEMS = 6, 20


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of its own."""
    server = pgserver.get_server(tmp_path_factory.mktemp("postgres"))
    try:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    finally:
        server.cleanup()


def at_once(work: Callable[[], None]) -> None:
    with ThreadPoolExecutor(PEOPLE) as pool:
        for done in [pool.submit(work) for _ in range(PEOPLE)]:
            done.result()


def test_each_item_is_one_persons_and_again_after_its_lease(address: str) -> None:
    """Six make the table at once, six claim the same twenty items: each has one taker, and after a minute one more."""
    log, got = store.open_log(address), []
    at_once(lambda: deliveries.prepare(log))

    def claims(now: float):
        def work() -> None:
            got.extend((key, taken.state) for key in range(ITEMS) if (taken := deliveries.claim(log, 1, f"k{key}", now)))

        return work

    at_once(claims(AT))
    assert sorted(got) == [(key, "") for key in range(ITEMS)]
    got.clear()
    at_once(claims(AT + deliveries.LEASE))
    assert sorted(got) == [(key, BEGUN) for key in range(ITEMS)]
    for key in range(ITEMS):
        deliveries.settle(log, f"k{key}", DONE, AT, ref="there")
    got.clear()
    at_once(claims(AT + 10_000))
    assert got == []
    assert {each.ref for each in deliveries.known(log, 1).values()} == {"there"}
