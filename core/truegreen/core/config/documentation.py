"""The reference page of `truegreen.yaml`, written from its JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from truegreen.core.config.check import schema


def configuration_page() -> str:
    """`docs/configuration.md`."""
    lines = [
        "# truegreen.yaml",
        "",
        "Written from `core/truegreen/core/config/truegreen.schema.json` by `make generate`; editors can use the schema as it is.",
        "A `TRUEGREEN_*` variable wins over the file, the file over the defaults. No file at all is valid: it means `grounding`, `latency` and",
        "`availability` in shadow for all services. An error names file, line and key, what was found and what to write.",
        "",
        "| key | meaning | default | variable |",
        "|---|---|---|---|",
        *_rows(schema(), schema(), ""),
        "",
        "## What an SLO counts",
        "",
        "`slos[].sli` says what is bad, out of what. Metrics are those of [metrics.md](metrics.md) and your own (`metrics`), labels and values those that they",
        "have; anything else is refused. OpenSLO documents say the same in other words: [openslo.md](openslo.md).",
        "",
        "| sli | bad |",
        "|---|---|",
        *(f"| `{form['x-example']}` | {form['description']} |" for form in forms()),
    ]
    return "\n".join(lines) + "\n"


def forms() -> Sequence[Mapping[str, Any]]:
    """The forms of an SLI, each with an example and a description."""
    found: Sequence[Mapping[str, Any]] = schema()["$defs"]["slo"]["properties"]["sli"]["oneOf"]
    return found


def _rows(node: Mapping[str, Any], root: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for key, below in node.get("properties", {}).items():
        if "$ref" in below:
            below = {**root["$defs"][below["$ref"].rpartition("/")[2]], **below}  # noqa: PLW2901 - the same node, resolved
        name = f"{prefix}.{key}" if prefix else key
        default = json.dumps(below["default"], ensure_ascii=False) if "default" in below else ""
        variable = f"`{below['x-environment']}`" if "x-environment" in below else ""
        yield f"| `{name}` | {_meaning(below)} | {f'`{default}`' if default else ''} | {variable} |"
        yield from _rows(below, root, name)
        extra = below.get("additionalProperties")
        if isinstance(extra, Mapping):
            yield from _rows(extra, root, f"{name}.<name>")
        items = below.get("items")
        if isinstance(items, Mapping):
            target = root["$defs"][items["$ref"].rpartition("/")[2]] if "$ref" in items else items
            yield from _rows(target, root, f"{name}[]")


def _meaning(node: Mapping[str, Any]) -> str:
    values = f" ({', '.join(f'`{v}`' for v in node['enum'])})" if "enum" in node else ""
    return str(node.get("description", "")).replace("|", "\\|") + values
