"""From one provider to another, with the real SDKs against local servers: by flag, by failure, by an open circuit."""

from __future__ import annotations

import asyncio

import pytest
from providers import NAMES, clients, providers

from truegreen import containment
from truegreen.containment import sdks
from truegreen.instrumentation.testing import captured

MAKE = {"openai": sdks.openai_call, "anthropic": sdks.anthropic_call, "google": sdks.google_call}
ASKED = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello?"}]


@pytest.fixture(scope="module")
def _running():
    with providers() as server:
        yield server, clients(server.url)


@pytest.fixture
def server(_running):
    _running[0].failing.clear()
    _running[0].asked.clear()
    return _running[0]


@pytest.fixture
def calls(_running):
    return {name: MAKE[name](client) for name, client in _running[1].items()}


@pytest.mark.parametrize("name", NAMES)
def test_each_sdk_carries_the_messages_and_the_options(server, _running, name):
    """In its own words."""
    own = {} if name == "anthropic" else {"temperature": 0.5}
    ask = containment.route({name: MAKE[name](_running[1][name], **own)}, default=f"{name}:m-1")
    talk = [*ASKED, {"role": "assistant", "content": "Hi."}, {"role": "user", "content": "Bye."}]
    assert ask(talk, max_tokens=7, stop=["END"]) == f"{name} m-1"
    ((_, path, body),) = server.asked
    if name == "openai":
        assert body["messages"] == talk
        assert (body["max_completion_tokens"], body["stop"], body["temperature"]) == (7, ["END"], 0.5)
    elif name == "anthropic":
        assert (body["system"], [m["role"] for m in body["messages"]]) == ("Be kind.", ["user", "assistant", "user"])
        assert (body["max_tokens"], body["stop_sequences"]) == (7, ["END"])
    else:
        assert "models/m-1:generateContent" in path
        assert [c["role"] for c in body["contents"]] == ["user", "model", "user"]
        assert body["systemInstruction"]["parts"][0]["text"] == "Be kind."
        config = body["generationConfig"]
        assert (config["maxOutputTokens"], config["stopSequences"], config["temperature"]) == (7, ["END"], 0.5)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("messages", "options"),
    [
        ([{"role": "tool", "content": "x"}], {}),
        ([{"role": "user", "content": [{"type": "image_url"}]}], {}),
        ([{"role": "assistant", "content": "x", "tool_calls": []}], {}),
        (ASKED, {"tools": []}),
        (ASKED, {"stream": True}),
    ],
)
def test_what_not_all_three_can_carry_is_refused_by_each(server, calls, name, messages, options):
    """On the first day, not in the incident; nothing is sent."""
    with pytest.raises(ValueError, match="not carried|nothing else is carried"):
        containment.route(calls, default=f"{name}:m")(messages, **options)
    assert server.asked == []


@pytest.mark.parametrize("name", NAMES)
def test_the_flag_moves_to_another_provider(server, calls, flagged, name):
    """With its model, stamped."""
    other = NAMES[NAMES.index(name) - 1]
    ask = containment.route(calls, default=f"{name}:m")
    flagged(fallback_model=f"{other}:f")
    with captured():
        assert ask(ASKED) == f"{other} f"
    flagged(fallback_model="f2")
    assert ask(ASKED) == f"{name} f2"
    flagged(pinned_model="p", fallback_model=f"{other}:f")
    assert ask(ASKED) == f"{name} p"
    flagged()
    assert ask(ASKED) == f"{name} m"
    assert ask(ASKED, model=f"{other}:r") == f"{other} r"


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("name", NAMES)
def test_an_unwell_provider_is_left_and_the_call_is_stamped(server, calls, name, status):
    """The answer comes from the fallback; what happened is an event of the application's span."""
    other = NAMES[NAMES.index(name) - 1]
    server.failing[name] = status
    ask = containment.route({**calls, other: _spanned(calls[other])}, default=f"{name}:m", fallback=f"{other}:f")
    with captured() as seen:
        tracer = seen.provider.get_tracer("app")
        _spanned.tracer = tracer
        with tracer.start_as_current_span("request"):
            assert ask(ASKED) == f"{other} f"
    assert seen.attributes("chat")["truegreen.containment"] == "fallback_model"
    (event,) = next(span for span in seen.spans if span.name == "request").events
    assert event.name == "truegreen.failover"
    assert (event.attributes["from"], event.attributes["to"]) == (f"{name}:m", f"{other}:f")


def _spanned(call):
    def ask(model, messages, **options):
        with _spanned.tracer.start_as_current_span("chat", attributes={"gen_ai.operation.name": "chat"}):
            return call(model, messages, **options)

    return ask


@pytest.mark.parametrize("name", NAMES)
def test_a_mistake_of_the_application_stays_with_its_provider(server, calls, name):
    """400 and 401: another provider would not make it right."""
    other = NAMES[NAMES.index(name) - 1]
    for status in (400, 401):
        server.failing[name] = status
        with pytest.raises(Exception) as raised:
            containment.route(calls, default=f"{name}:m", fallback=f"{other}:f")(ASKED)
        assert not containment.counts(raised.value)
    assert {provider for provider, *_ in server.asked} == {name}


def test_when_both_fail_the_last_error_is_raised(server, calls):
    """Its own, with the SDK's type."""
    import anthropic

    server.failing |= {"openai": 500, "anthropic": 529}
    with pytest.raises(anthropic.APIStatusError):
        containment.route(calls, default="openai:m", fallback="anthropic:f")(ASKED)


def test_nobody_listening_counts_as_unwell():
    """Of each SDK: no connection."""
    for name, client in clients("http://127.0.0.1:9").items():
        with pytest.raises(Exception) as raised:
            MAKE[name](client)("m", ASKED)
        assert containment.counts(raised.value), name


def test_the_asynchronous_clients_do_the_same(server, flagged):
    """Awaited, with circuit breakers around them."""

    async def run():
        opened = clients(server.url, asynchronous=True)
        calls = {name: MAKE[name](client) for name, client in opened.items()}
        guards = {name: containment.breaker(name, fail_max=2) for name in opened}
        ask = containment.route(calls, default="openai:m", fallback="google:f", breakers=guards)
        assert await ask(ASKED) == "openai m"
        server.failing["openai"] = 500
        assert [await ask(ASKED) for _ in range(4)] == ["google f"] * 4
        assert guards["openai"].state == "open"
        assert sum(provider == "openai" for provider, *_ in server.asked) == 3
        flagged(pinned_model="anthropic:p")
        assert await ask(ASKED) == "anthropic p"

    asyncio.run(run())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"default": "m"}, "default: found 'm'"),
        ({"fallback": "nobody:m"}, "fallback: found 'nobody:m'"),
        ({"calls": {}}, "default"),
        ({"calls": {"openai": lambda *a: 1, "google": asyncio.sleep}}, "of one kind"),
    ],
)
def test_a_wrong_route_is_refused_when_it_is_made(change, says):
    """Not at the first failure."""
    given = {"calls": {"openai": lambda *a: 1}, "default": "openai:m", **change}
    with pytest.raises(ValueError, match=says):
        containment.route(given.pop("calls"), **given)
