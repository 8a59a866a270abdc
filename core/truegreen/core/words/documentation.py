"""The reference page of attributes, written from the table."""

from __future__ import annotations

from itertools import groupby

from truegreen.core.words.attribute_table import TABLE


def attributes_page() -> str:
    """`docs/attributes.md`."""
    lines = [
        "# Attributes on spans",
        "",
        "Written from `core/truegreen/core/words/attribute_table.py` by `make generate`. What the GenAI conventions define (`gen_ai.*`) is read and",
        "never overwritten; everything of ours lies under `truegreen.`. None of them holds text of a prompt or an answer.",
    ]
    for group, rows in groupby(TABLE, key=lambda attribute: attribute.group):
        lines += ["", f"## {group}", "", "| attribute | type | meaning | values |", "|---|---|---|---|"]
        lines += [f"| `{r.name}` | {r.type} | {r.meaning} | {', '.join(f'`{v}`' for v in r.values)} |" for r in rows]
    return "\n".join(lines) + "\n"
