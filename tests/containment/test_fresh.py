"""A prompt cache is let go when a prompt was moved: the real Langfuse SDK against a local server that speaks its contract."""

from __future__ import annotations

import sys
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


@pytest.fixture
def moving(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, list[int]]]:
    """A client with the SDK's own cache, and the version that has the label."""
    for name in ("LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY", "LANGFUSE_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(prompt_cache, "_seen", {})
    label = [5]

    def answer(call: Any) -> Any:
        if "/prompts/" not in call.path:
            return Reply({}, 404)
        return Reply(
            {"name": "support", "version": label[0], "type": "text", "prompt": "x", "config": {}, "labels": [], "tags": []}
        )

    with local(answer) as (url, _):
        made = Langfuse(public_key="pk", secret_key="sk", base_url=url, tracing_enabled=False)
        yield made, label
        made.shutdown()
    langfuse._client.resource_manager.LangfuseResourceManager.reset()


def test_the_next_prompt_after_the_flag_is_the_one_that_has_the_label_now(
    moving: tuple[Any, list[int]], flagged: Callable[..., None]
) -> None:
    """Once for each moment; between them the SDK keeps what it has."""
    client, label = moving

    def version() -> int:
        return int(containment.fresh(client).get_prompt("support").version)

    flagged()
    assert version() == 5
    label[0] = 4
    assert version() == 5
    flagged(prompts_moved="1800000000.000")
    assert version() == 4
    label[0] = 3
    assert version() == 4
    flagged(prompts_moved="1800000060.000")
    assert version() == 3
    flagged()
    label[0] = 2
    assert version() == 3


def test_a_client_that_cannot_forget_is_given_back(flagged: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is raised into the application; it is counted."""
    monkeypatch.setattr(prompt_cache, "_seen", {})
    flagged(prompts_moved="1800000000.000")
    client: Any = object()
    assert containment.fresh(client) is client
    assert failures.counted()
