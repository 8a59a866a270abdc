"""One hash for one set of tools: whichever provider's wrapping, whichever dialect's span."""

from __future__ import annotations

import copy
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.tools import tool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel, Field

from truegreen.instrumentation import schemas, snapshot
from truegreen.instrumentation.settings import Settings
from truegreen.instrumentation.testing import captured

PARAMETERS = {
    "type": "object",
    "properties": {
        "order": {"type": "string", "description": "Number of the order"},
        "days": {"type": "integer", "default": 30},
        "title": {"type": "string", "enum": ["Mr", "Mrs"]},
    },
    "required": ["order", "title"],
}
NAME, TELLS = "find_order", "Find an order."
FUNCTION = {"name": NAME, "description": TELLS, "parameters": PARAMETERS}
OTHER = {"name": "other", "description": "Another.", "parameters": {"type": "object", "properties": {}}}


def upper(node):
    """The same schema as Gemini spells it."""
    if isinstance(node, dict):
        return {k: v.upper() if k == "type" and isinstance(v, str) else upper(v) for k, v in node.items()}
    return [upper(v) for v in node] if isinstance(node, list) else node


WRAPPED = {
    "openai": {"type": "function", "function": {**FUNCTION, "strict": True}},
    "openai responses": {"type": "function", **FUNCTION},
    "anthropic": {"name": NAME, "description": TELLS, "input_schema": PARAMETERS, "cache_control": {"type": "ephemeral"}},
    "gemini": {"function_declarations": [{"name": NAME, "description": TELLS, "parameters": upper(PARAMETERS)}]},
    "gemini, camel": {"functionDeclarations": [{"name": NAME, "description": TELLS, "parametersJsonSchema": PARAMETERS}]},
    "bedrock": {"toolSpec": {"name": NAME, "description": TELLS, "inputSchema": {"json": PARAMETERS}}},
    "mcp": {"name": NAME, "description": TELLS, "inputSchema": PARAMETERS},
    "json": json.dumps({"type": "function", "function": FUNCTION}, indent=3),
}
HASH = "ee84a0fbe365"
"""Pinned: a new release of ours must not look like new tools."""


@pytest.mark.parametrize("wrapping", WRAPPED)
def test_every_wrapping_gives_the_same_hash(wrapping):
    """Alone, and in either order beside another tool."""
    wrapped = WRAPPED[wrapping]
    assert snapshot.tool_schema([wrapped]) == HASH
    assert snapshot.tool_schema([wrapped, OTHER]) == snapshot.tool_schema([OTHER, FUNCTION]) != HASH


def shuffled(node, draw):
    if isinstance(node, dict):
        keys = list(node)
        draw.shuffle(keys)
        return {key: shuffled(node[key], draw) for key in keys}
    return [shuffled(v, draw) for v in node] if isinstance(node, list) else node


@given(st.integers(), st.sampled_from([None, 1, 4]))
def test_the_order_of_keys_and_white_space_make_no_difference(seed, indent):
    """In text and in objects."""
    mixed = shuffled([FUNCTION, OTHER], random.Random(seed))
    assert snapshot.tool_schema(json.dumps(mixed, indent=indent)) == snapshot.tool_schema([OTHER, FUNCTION])


def changed(path, value):
    found = copy.deepcopy(FUNCTION)
    place = found
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return found


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("name",), "find_orders"),
        (("description",), "Find one order."),
        (("parameters", "properties", "order", "description"), "Its number"),
        (("parameters", "properties", "days", "type"), "number"),
        (("parameters", "properties", "days", "default"), 14),
        (("parameters", "properties", "title", "enum"), ["Mr", "Ms"]),
        (("parameters", "required"), ["order"]),
        (("parameters", "properties", "more"), {"type": "string"}),
        (("parameters", "additionalProperties"), False),
    ],
)
def test_what_says_something_to_a_model_changes_the_hash(path, value):
    """A name, a description, a type, a default, a choice, a required or another argument."""
    assert snapshot.tool_schema([changed(path, value)]) != HASH


class Line(BaseModel):
    """One line."""

    article: str = Field(description="Article number")
    amount: int = 1


class Order(BaseModel):
    """Place an order."""

    lines: list[Line]
    express: bool = False


@tool
def place_order(customer: str, lines: list[Line]) -> str:
    """Place an order for a customer."""
    return customer


def test_langchain_tools_and_pydantic_models_hash_as_what_is_sent_for_them():
    """LangChain puts references in place and drops titles before it sends a tool; so do we."""
    assert snapshot.tool_schema([place_order]) == snapshot.tool_schema([convert_to_openai_tool(place_order)])
    assert snapshot.tool_schema([Order]) == snapshot.tool_schema([convert_to_openai_tool(Order)])
    assert len({snapshot.tool_schema([one]) for one in (place_order, Order)}) == 2


def test_a_tool_of_the_provider_counts_as_it_is_written():
    """It has no schema of ours."""
    search = {"type": "web_search_20250305", "name": "web_search", "max_uses": 5}
    assert len({snapshot.tool_schema([one]) for one in (search, {**search, "max_uses": 6}, {"google_search": {}})}) == 3


RECURSIVE = {
    "name": "t",
    "parameters": {"$defs": {"N": {"type": "object", "properties": {"n": {"$ref": "#/$defs/N"}}}}, "$ref": "#/$defs/N"},
}
LOOP: list = []
LOOP.append(LOOP)


@pytest.mark.parametrize(
    "odd", [None, [], "", "no json", "[{", 3, [None], {"a": object()}, b"\xff", [LOOP], [RECURSIVE], [{"tools": LOOP}]]
)
def test_nothing_raises_and_nothing_hangs(odd):
    """Whatever is given."""
    assert len(snapshot.tool_schema(odd)) in (0, 12)


@pytest.mark.parametrize(
    "attributes",
    [
        {"gen_ai.tool.definitions": json.dumps([{"type": "function", **FUNCTION}, OTHER])},
        {
            f"llm.tools.{i}.tool.json_schema": json.dumps({"type": "function", "function": one})
            for i, one in enumerate([OTHER, FUNCTION])
        },
    ],
    ids=["conventions", "openinference"],
)
def test_tools_on_a_span_are_its_tool_schema(attributes):
    """Whichever dialect; what the code states wins, and a text that was cut at a limit is none."""
    with captured(settings=Settings(fallback=False)) as seen:
        tracer = seen.provider.get_tracer("app")
        base = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}
        tracer.start_span("tools", attributes={**base, **attributes}).end()
        with snapshot.use(tool_schema=[FUNCTION]):
            tracer.start_span("stated", attributes={**base, **attributes}).end()
        tracer.start_span("cut", attributes={**base, "gen_ai.tool.definitions": '[{"type": "func'}).end()
        tracer.start_span("none", attributes=base).end()
        found = [seen.attributes(n) for n in ("tools", "stated", "cut", "none")]
    versions = [one.get("truegreen.version.tool_schema") for one in found]
    assert versions == [snapshot.tool_schema([FUNCTION, OTHER]), HASH, None, None]
    assert len({one["truegreen.snapshot.id"] for one in found}) == 3


def test_the_tools_of_a_real_call_are_seen_while_content_is_not_captured(app, ask, fake):
    """The completion hook shows them; nothing of them is on the span but the hash."""
    seen, client = app(settings=Settings(fallback=False))
    ask(client, tools=[WRAPPED["openai"]])
    got = seen.attributes("chat")
    assert got["truegreen.version.tool_schema"] == HASH
    assert NAME not in str(dict(got))
    ask(client)
    assert "truegreen.version.tool_schema" not in seen.attributes("chat")


def test_a_tool_that_was_changed_in_place_is_seen():
    """The memory of the last hashes goes by content, not by object."""
    kept = schemas.Hashes()
    tools = [copy.deepcopy(FUNCTION)]
    first = kept.of(tools)
    tools[0]["parameters"]["required"].append("days")
    assert first == HASH != kept.of(tools) == snapshot.tool_schema(tools)


def test_the_memory_is_bounded():
    """Each call with other tools."""
    kept = schemas.Hashes()
    for n in range(schemas.KEPT + 50):
        kept.of([{"name": f"t{n}", "parameters": {}}])
    assert len(kept._kept) == schemas.KEPT
