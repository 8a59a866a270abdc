"""Fill the postmortem's templates. Text from outside cannot become Markdown, HTML, a link to a page, or a mention."""

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
_ENTITY: Final = re.compile("&(?=[A-Za-z])")
_SLASHES: Final = re.compile("(?<=/)(?=/)")
_WWW: Final = re.compile(r"(?<![A-Za-z0-9])(www)\.", re.IGNORECASE)
_MENTION: Final = re.compile("(?<![A-Za-z0-9_])@(?=[A-Za-z0-9])")
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
    """One line of text in which nothing is Markdown, an address or a mention; an underscore inside a word and an e-mail address stay as they are."""
    escaped = _ENTITY.sub(r"\\&", _SPECIAL.sub(r"\\\1", clean(text, 4_000))).replace("<", "&lt;")
    # GitHub's Markdown makes links of bare addresses, unless a part of what it looks for is escaped.
    escaped = _WWW.sub(r"\1\\.", _SLASHES.sub(r"\\", escaped))
    # A mention is looked for after the escapes are gone: a word joiner, which nobody sees, parts it from its name.
    escaped = _MENTION.sub("@\u2060", escaped)
    return re.sub(r"(?<=\w)\\_(?=\w)", "_", escaped)
