"""One hash for one set of tool schemas, whichever provider's wrapping they come in."""

from __future__ import annotations

import hashlib
import json
import marshal
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, is_dataclass
from typing import Any

from truegreen.core.words.calibration import canonical
from truegreen.instrumentation import failures
from truegreen.instrumentation.locks import Lock

PARAMETERS = (
    "parameters",
    "input_schema",
    "inputSchema",
    "parameters_json_schema",
    "parametersJsonSchema",
    "args_schema",
    "json_schema",
)
"""Where providers put the schema of a tool's arguments: OpenAI, Anthropic, MCP and Bedrock, Gemini, LangChain."""
LISTS = ("function_declarations", "functionDeclarations", "tools")
WRAPPERS = ("function", "toolSpec", "custom")
ANNOTATIONS = ("title", "$schema", "$defs", "definitions")
"""Keys of a schema that say nothing to a model: generated titles, and definitions, which are put where they are used."""
JSON_TYPES = ("STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL")
"""How Gemini spells the types of JSON Schema."""
DEPTH = 24
KEPT = 256


def tool_schema(tools: Any) -> str:
    """12 hex digits of SHA-256 over the canonical form of tool schemas; empty when there are none.

    The order of tools and of keys, white space, generated titles and the provider's wrapping make no difference; a name, a description, a type,
    a default, a limit or a required argument does.

    Args:
        tools: a list, or JSON text of one, in the form of OpenAI, Anthropic, Gemini, Bedrock or MCP; LangChain tools, pydantic models and
            dataclasses. A tool that only a provider knows (such as a web search) counts as it is written.
    """
    try:
        found = sorted(canonical(tool) for given in _listed(tools) for tool in _tools(given, DEPTH))
        return hashlib.sha256("\n".join(found).encode()).hexdigest()[:12] if found else ""
    except Exception as error:
        failures.count("tool_schema", error)
        return ""


class Hashes:
    """`tool_schema` with a memory of the last 256 sets, for the same tools go along with every call."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Any, str] = OrderedDict()
        self._lock = Lock()

    def of(self, tools: Any) -> str:
        """The hash of tools as an instrumentation shows them: JSON text, a list of JSON texts, dataclasses or mappings."""
        if not tools:
            return ""
        key = _key(tools)
        if key is None:
            return tool_schema(tools)
        with self._lock:
            known = self._kept.get(key)
        if known is None:
            known = tool_schema(tools)
            with self._lock:
                self._kept[key] = known
                while len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
        return known

    def of_span(self, attributes: Mapping[str, Any]) -> str:
        """The hash of the tools that a span shows, empty where it shows none."""
        for name in SPAN_LISTS:
            if name in attributes:
                return self.of(attributes[name])
        for name, first in SPAN_ITEMS.items():
            if first in attributes:
                numbered = map(name.format, range(len(attributes)))
                return self.of([attributes[item] for item in numbered if item in attributes])
        return ""


SPAN_LISTS = ("gen_ai.tool.definitions",)
SPAN_ITEMS = {"llm.tools.{}.tool.json_schema": "llm.tools.0.tool.json_schema"}
"""Where dialects put tool definitions: one JSON list (the conventions, OpenLLMetry), or one attribute for each tool, the first beside it (OpenInference)."""


def _key(tools: Any) -> Any:
    """What is cheap to compare and equal only for equal tools; None where there is no such thing."""
    try:
        if isinstance(tools, str):
            return tools
        plain = [tool if isinstance(tool, str | dict) else list(vars(tool).values()) for tool in tools]
        # Version 2 of the format has no back references: the bytes depend on the values alone, not on who else holds them.
        return hashlib.blake2b(marshal.dumps(plain, 2), digest_size=16).digest()
    except (ValueError, TypeError):
        return None


def _listed(tools: Any) -> Iterable[Any]:
    tools = _parsed(tools)
    if tools is None or isinstance(tools, str | bytes):  # text that is no JSON, such as one cut at a length limit
        return ()
    return tools if isinstance(tools, list | tuple | set | frozenset) else [tools]


def _parsed(value: Any) -> Any:
    if isinstance(value, str | bytes):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _tools(given: Any, depth: int) -> Iterable[Mapping[str, Any]]:
    """The tools in one entry; a Gemini tool holds several."""
    tool = _parsed(given)
    if depth <= 0 or tool is None:
        return
    if not isinstance(tool, Mapping):
        tool = _plain(tool)
    if not isinstance(tool, Mapping):
        yield {"name": str(tool)}
        return
    for name in LISTS:
        if isinstance(tool.get(name), list | tuple):
            for inner in tool[name]:
                yield from _tools(inner, depth - 1)
            return
    for name in WRAPPERS:
        if isinstance(tool.get(name), Mapping):
            yield from _tools(tool[name], depth - 1)
            return
    parameters = next((tool[name] for name in PARAMETERS if tool.get(name) is not None), None)
    kind = tool.get("type")
    if parameters is None and (kind not in (None, "function", "custom") or "name" not in tool):
        yield {key: value for key, value in _json(tool, depth).items() if key != "cache_control"}
        return
    yield {
        "name": str(tool.get("name", "")),
        "description": str(tool.get("description") or "").strip(),
        "parameters": _parameters(parameters),
    }


def _plain(tool: Any) -> Any:
    """A tool that is an object, as a mapping."""
    schema = getattr(tool, "tool_call_schema", None) or getattr(tool, "args_schema", None)
    if schema is not None and hasattr(tool, "name"):  # LangChain
        return {"name": tool.name, "description": getattr(tool, "description", ""), "parameters": schema}
    if isinstance(tool, type) and hasattr(tool, "model_json_schema"):  # a pydantic model as a tool
        schema = tool.model_json_schema()
        return {"name": tool.__name__, "description": schema.get("description", ""), "parameters": schema}
    if hasattr(tool, "model_dump"):  # google.genai and OpenAI types
        return tool.model_dump(exclude_none=True, mode="json")
    return asdict(tool) if is_dataclass(tool) and not isinstance(tool, type) else str(getattr(tool, "__name__", tool))


def _parameters(given: Any) -> Any:
    schema = _parsed(given)
    if isinstance(schema, Mapping) and set(schema) == {"json"}:  # Bedrock
        schema = schema["json"]
    if hasattr(schema, "model_json_schema"):
        schema = schema.model_json_schema()
    elif hasattr(schema, "model_dump"):
        schema = schema.model_dump(exclude_none=True, mode="json")
    if not isinstance(schema, Mapping):
        return schema or {}
    found = _schema(schema, schema, DEPTH)
    found.pop("description", None)  # of the whole: the tool's own, once more
    return {} if found == {"type": "object"} else found


def _schema(node: Any, root: Mapping[str, Any], depth: int) -> Any:
    """A schema with its references put in place, without annotations, and with what has no order sorted."""
    if depth <= 0:
        return {}
    if isinstance(node, list | tuple):
        return [_schema(item, root, depth - 1) for item in node]
    if not isinstance(node, Mapping):
        return node
    if isinstance(reference := node.get("$ref"), str) and reference.startswith("#/"):
        target: Any = root
        for part in reference[2:].split("/"):
            target = target.get(part, {}) if isinstance(target, Mapping) else {}
        node = {**target, **{key: value for key, value in node.items() if key != "$ref"}}
    found: dict[str, Any] = {}
    for key, value in node.items():
        name = {"any_of": "anyOf", "additional_properties": "additionalProperties"}.get(str(key), str(key))
        if name in ANNOTATIONS or (value is None and name != "default") or (name in ("properties", "required") and not value):
            continue
        if name == "properties" and isinstance(value, Mapping):  # names of arguments, `title` among them, and no keywords
            found[name] = {str(argument): _schema(below, root, depth - 1) for argument, below in value.items()}
        elif name == "required" and isinstance(value, list | tuple):
            found[name] = sorted(map(str, value))
        elif name == "type":
            found[name] = sorted(map(_type, value)) if isinstance(value, list | tuple) else _type(value)
        elif name in ("enum", "const", "default", "examples"):
            found[name] = _json(value, depth)
        else:
            found[name] = _schema(value, root, depth - 1)
    return found


def _type(value: Any) -> Any:
    name = str(getattr(value, "value", value))
    return name.lower() if name in JSON_TYPES else name


def _json(value: Any, depth: int) -> Any:
    if depth <= 0:
        return ""
    if isinstance(value, Mapping):
        return {str(key): _json(below, depth - 1) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [_json(below, depth - 1) for below in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)
