"""A Langfuse prompt's version comes along by itself: the real SDK against a local server that speaks its prompt contract."""

from __future__ import annotations

import sys
from pathlib import Path

import langfuse
import pytest
from langfuse import Langfuse, propagate_attributes
from opentelemetry import baggage
from opentelemetry import context as otel
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from truegreen.instrumentation import snapshot
from truegreen.instrumentation.settings import Settings

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "core"))
from local_server import Reply, local  # noqa: E402


def _answer(call):
    if call.path.endswith("/prompts/support"):
        return Reply(
            {"name": "support", "version": 7, "type": "text", "prompt": "You help.", "config": {}, "labels": [], "tags": []}
        )
    return Reply({}, 404 if call.method == "GET" else 200)


@pytest.fixture
def shop(app, fake, monkeypatch):
    """Our capture, the instrumented OpenAI client, and a Langfuse client on a provider that we enrich, with prompt `support@7`."""
    for name in ("LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY", "LANGFUSE_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    seen, client = app(settings=Settings(fallback=False))
    with local(_answer) as (url, _):
        made = Langfuse(
            public_key="pk", secret_key="sk", base_url=url, tracer_provider=seen.provider, span_exporter=InMemorySpanExporter()
        )
        yield seen, client, made
        made.shutdown()
    langfuse._client.resource_manager.LangfuseResourceManager.reset()


def prompt_of(seen, name="chat"):
    got = seen.attributes(name)
    return got.get("truegreen.version.prompt")


def test_the_object_of_a_block_is_read(shop, ask):
    """`snapshot.use(prompt=langfuse_prompt)`."""
    seen, client, made = shop
    with snapshot.use(prompt=made.get_prompt("support")):
        ask(client)
    assert prompt_of(seen) == "support@7"


def test_a_prompt_that_langfuse_propagates_reaches_the_span_of_any_library(shop, ask):
    """Without a call of ours, and into the snapshot's id."""
    seen, client, made = shop
    ask(client)
    without = seen.attributes("chat")["truegreen.snapshot.id"]
    assert prompt_of(seen) is None
    with propagate_attributes(prompt=made.get_prompt("support")):
        ask(client)
    assert prompt_of(seen) == "support@7"
    assert seen.attributes("chat")["truegreen.snapshot.id"] != without


def test_it_does_so_where_langfuse_has_a_provider_of_its_own(app, ask, fake):
    """Langfuse's processor never sees the LLM span: the context tells, and from another service the baggage."""
    seen, client = app(settings=Settings(fallback=False))
    with propagate_attributes(prompt={"name": "support", "version": 7}):
        ask(client)
    assert prompt_of(seen) == "support@7"
    assert "langfuse.observation.prompt.name" not in seen.attributes("chat")
    token = otel.attach(baggage.set_baggage("langfuse_prompt_version", "8", baggage.set_baggage("langfuse_prompt_name", "far")))
    try:
        ask(client)
    finally:
        otel.detach(token)
    assert prompt_of(seen) == "far@8"
    ask(client)
    assert prompt_of(seen) is None


def test_a_prompt_that_comes_in_baggage_from_another_service_counts(shop, ask):
    """`propagate_attributes(as_baggage=True)`: the context of the other process does not come along, its baggage does."""
    seen, client, made = shop
    with propagate_attributes(prompt=made.get_prompt("support"), as_baggage=True):
        carried = baggage.get_all()
    there = otel.Context()
    for name, value in carried.items():
        there = baggage.set_baggage(name, value, there)
    token = otel.attach(there)
    try:
        ask(client)
    finally:
        otel.detach(token)
    assert prompt_of(seen) == "support@7"


def test_the_generation_that_langfuse_itself_makes_has_it(shop):
    """`prompt=` of a generation, at its start and by `update`."""
    seen, _, made = shop
    with made.start_as_current_observation(name="one", as_type="generation", model="m", prompt=made.get_prompt("support")):
        pass
    with made.start_as_current_observation(name="two", as_type="generation", model="m"):
        made.update_current_generation(prompt=made.get_prompt("support"))
    assert [prompt_of(seen, name) for name in ("one", "two")] == ["support@7"] * 2


def test_an_llm_span_inside_a_generation_with_a_prompt_has_it_too(shop, ask):
    """The generation is Langfuse's, the call another library's; a span of the application stands between them."""
    seen, client, made = shop
    with made.start_as_current_observation(name="step", as_type="generation"):
        made.update_current_generation(prompt=made.get_prompt("support"))
        with seen.provider.get_tracer("app").start_as_current_span("between"):
            ask(client)
    assert prompt_of(seen) == "support@7"
    ask(client)
    assert prompt_of(seen) is None, "and no call after it"


def test_the_nearest_word_wins(shop, ask):
    """Code over everything; then the call's own prompt over what is around it."""
    seen, client, made = shop
    with propagate_attributes(prompt={"name": "outer", "version": 1}):
        with snapshot.use(prompt="mine@1"):
            ask(client)
        assert prompt_of(seen) == "mine@1"
        with made.start_as_current_observation(name="own", as_type="generation", model="m", prompt=made.get_prompt("support")):
            pass
    assert prompt_of(seen, "own") == "support@7"


def test_langfuse_openai_links_its_prompt(shop, server, monkeypatch):
    """The drop-in client with `langfuse_prompt=`."""
    seen, _, made = shop
    from langfuse.openai import OpenAI

    monkeypatch.setattr("langfuse.openai.get_client", lambda **_: made)
    with OpenAI(base_url=server.url, api_key="k", max_retries=0) as client:
        client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "q"}], langfuse_prompt=made.get_prompt("support"), name="linked"
        )
    assert seen.attributes("linked")["langfuse.observation.prompt.name"] == "support"
    assert prompt_of(seen, "linked") == "support@7"


def test_a_fallback_prompt_is_recorded_as_such(shop, ask):
    """The server has none: what serves is the text in the code, and another text is another version; the text itself goes nowhere."""
    seen, client, made = shop
    found = []
    for text in ("ZEBRA one", "ZEBRA two"):
        with snapshot.use(prompt=made.get_prompt("gone", fallback=text, max_retries=0)):
            ask(client)
        found.append(prompt_of(seen))
    assert all(one.startswith("gone@fallback:") and len(one) == len("gone@fallback:") + 12 for one in found)
    assert found[0] != found[1]
    assert not any(
        "ZEBRA" in str(value) for span in seen.spans for key, value in span.attributes.items() if key.startswith("truegreen")
    )
