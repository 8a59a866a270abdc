"""Fill the postmortem's templates. Text from outside cannot become Markdown, HTML or a link."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from truegreen.runbook.clean import clean
from truegreen.runbook.postmortem import picture
from truegreen.runbook.times import iso

TEMPLATES: Final = Path(__file__).parent / "templates"
_SPECIAL: Final = re.compile(r"([\\`*_\[\]|#~])")


def postmortem(context: Mapping[str, Any]) -> str:
    """The Markdown of a postmortem."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - what is written is Markdown: the filter `md` escapes every text
    )  # fmt: skip
    environment.filters.update(md=markdown, iso=iso, described=picture.described)
    return environment.get_template("postmortem.md.j2").render(context)


def html(context: Mapping[str, Any]) -> str:
    """The HTML of a postmortem: one file that loads nothing."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=True
    )
    environment.filters.update(
        iso=iso, clock=lambda time: iso(time)[11:19], line=lambda text: clean(text, 4_000), described=picture.described
    )
    drawn = [
        (figure, Markup(picture.svg(figure, context["marks"])) if figure.points else "")  # noqa: S704 - `svg` escapes its texts
        for figure in context["figures"]
    ]
    return environment.get_template("postmortem.html.j2").render({**context, "drawn": drawn})


def markdown(text: object) -> str:
    """One line of text in which nothing is Markdown; an underscore inside a word stays as it is."""
    escaped = _SPECIAL.sub(r"\\\1", clean(text, 4_000)).replace("<", "&lt;")
    return re.sub(r"(?<=\w)\\_(?=\w)", "_", escaped)
