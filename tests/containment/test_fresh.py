"""A prompt cache is let go when a prompt was moved: the real Langfuse SDK against a local server that speaks its contract."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import langfuse
import pytest
from langfuse import Langfuse

from truegreen import containment
from truegreen.containment import prompt_cache
from truegreen.instrumentation import failures

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "core"))
from local_server import Reply, local  # noqa: E402

WAIT = 20


class Held:
    """Makes the server keep its next answer back: `asked` when it has looked up the version, until `go`."""

    def __init__(self) -> None:
        self.armed = False
        self.asked = threading.Event()
        self.go = threading.Event()

    def answer(self) -> None:
        """In the server's thread, between its look at the label and its answer."""
        if self.armed:
            self.armed = False
            self.asked.set()
            self.go.wait(WAIT)


@pytest.fixture
def held() -> Held:
    """Nothing is kept back until it is armed."""
    return Held()


@pytest.fixture
def moving(monkeypatch: pytest.MonkeyPatch, held: Held) -> Iterator[tuple[Any, list[int]]]:
    """A client with the SDK's own cache, and the version that has the label."""
    for name in ("LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY", "LANGFUSE_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(prompt_cache, "_seen", {})
    label = [5]

    def answer(call: Any) -> Any:
        if "/prompts/" not in call.path:
            return Reply({}, 404)
        version = label[0]
        held.answer()
        return Reply(
            {"name": "support", "version": version, "type": "text", "prompt": "x", "config": {}, "labels": [], "tags": []}
        )

    with local(answer) as (url, _):
        made = Langfuse(public_key="pk", secret_key="sk", base_url=url, tracing_enabled=False)
        yield made, label
        made.shutdown()
    langfuse._client.resource_manager.LangfuseResourceManager.reset()


def test_the_next_prompt_after_the_flag_is_the_one_that_has_the_label_now(
    moving: tuple[Any, list[int]], flagged: Callable[..., None]
) -> None:
    """For each moment; when it has settled, the SDK keeps what it has."""
    client, label = moving
    now = [0.0]

    def version() -> int:
        return int(containment.fresh(client, clock=lambda: now[0]).get_prompt("support").version)

    flagged()
    assert version() == 5
    label[0] = 4
    assert version() == 5
    flagged(prompts_moved="1800000000.000")
    assert version() == 4
    now[0] = prompt_cache.SETTLES_SECONDS
    assert version() == 4
    label[0] = 3
    assert version() == 4
    flagged(prompts_moved="1800000060.000")
    assert version() == 3
    now[0] *= 2
    assert version() == 3
    flagged()
    label[0] = 2
    assert version() == 3


@pytest.mark.parametrize("by_the_sdk", [False, True])
def test_a_fetch_that_was_under_way_when_the_prompt_was_moved_does_not_put_the_old_one_back(
    moving: tuple[Any, list[int]], held: Held, flagged: Callable[..., None], *, by_the_sdk: bool
) -> None:
    """In another thread of the application, or in the SDK's own that renews what is old; it comes in early or last of all."""
    client, label = moving
    now = [0.0]

    def version() -> int:
        return int(containment.fresh(client, clock=lambda: now[0]).get_prompt("support").version)

    for moment, end in ((0.0, 1.0), (100.0, 100.0 + prompt_cache.SETTLES_SECONDS)):
        now[0] = moment
        label[0], moved = 5, f"{1_800_000_000 + moment:.3f}"
        client.clear_prompt_cache()
        if by_the_sdk:
            client.get_prompt("support", cache_ttl_seconds=-1)
        held.armed = True
        held.asked.clear()
        held.go.clear()
        other = threading.Thread(target=client.get_prompt, args=("support",))
        other.start()
        assert held.asked.wait(WAIT)
        label[0] = 4
        flagged(prompts_moved=moved)
        assert version() == 4
        held.go.set()
        other.join(WAIT)
        client._resources.prompt_cache._task_manager.wait_for_idle()
        assert client.get_prompt("support").version == 5  # it has come in, and the SDK would serve it for a minute
        now[0] = end
        assert version() == 4
        assert client.get_prompt("support").version == 4


def test_another_thread_does_not_take_the_client_while_its_cache_is_being_emptied(
    flagged: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would get what is still in it."""
    monkeypatch.setattr(prompt_cache, "_seen", {})
    flagged(prompts_moved="1800000000.000")
    order: list[str] = []
    entered, go = threading.Event(), threading.Event()

    class Slow:
        def clear_prompt_cache(self) -> None:
            """Begun, and done when it is let."""
            entered.set()
            go.wait(WAIT)
            order.append("empty")

    client = Slow()

    def use() -> None:
        containment.fresh(client, settles=0)
        order.append("used")

    first, second = threading.Thread(target=use), threading.Thread(target=use)
    first.start()
    assert entered.wait(WAIT)
    second.start()
    second.join(0.2)  # it is waiting; one that did not wait would be through by now
    go.set()
    for each in (first, second):
        each.join(WAIT)
    assert order == ["empty", "used", "used"]


def test_a_client_that_cannot_forget_is_given_back_and_asked_again(
    flagged: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is raised into the application; it is counted."""
    monkeypatch.setattr(prompt_cache, "_seen", {})
    flagged(prompts_moved="1800000000.000")
    emptied: list[int] = []

    class Moody:
        def clear_prompt_cache(self) -> None:
            """Not the first time."""
            emptied.append(1)
            if len(emptied) == 1:
                raise RuntimeError("not now")

    client = Moody()
    for _ in range(3):
        assert containment.fresh(client, settles=0) is client
    assert len(emptied) == 2
    assert failures.counted() == {"prompt cache": 1}
    other: Any = object()
    assert containment.fresh(other, "b") is other
    assert failures.counted() == {"prompt cache": 2}
