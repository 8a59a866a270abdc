"""Fill the postmortem's template. Text from outside cannot become Markdown, HTML or a link."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from truegreen.runbook.clean import clean

TEMPLATES: Final = Path(__file__).parent / "templates"
_SPECIAL: Final = re.compile(r"([\\`*_\[\]|#~])")


def postmortem(context: Mapping[str, Any]) -> str:
    """The Markdown of a postmortem."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - what is written is Markdown: the filter `md` escapes every text
    )  # fmt: skip
    environment.filters["md"] = markdown
    return environment.get_template("postmortem.md.j2").render(context)


def markdown(text: object) -> str:
    """One line of text in which nothing is Markdown; an underscore inside a word stays as it is."""
    escaped = _SPECIAL.sub(r"\\\1", clean(text, 4_000)).replace("<", "&lt;")
    return re.sub(r"(?<=\w)\\_(?=\w)", "_", escaped)
