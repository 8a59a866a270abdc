"""mkdocs's hook: the pages that lie outside `docs/`, links into the checkout, and what GitHub's Markdown has that Python's lacks.

The files stay as GitHub shows them; only the site's copies are changed.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mkdocs.structure.files import File, Files

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.pages import Page

ROOT: Final = Path(__file__).resolve().parent.parent
SOURCE: Final = "https://github.com/truegreen/truegreen/blob/main/"
"""Where a link to a file that is no page goes: `Source` of `pyproject.toml`."""
OUTSIDE: Final = {
    "README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md",
    **{str(p.relative_to(ROOT)): f"plugins/{p.parent.name}.md" for p in sorted(ROOT.glob("*/README.md")) if p.parent.name not in ("docs", "tests")},
    **{str(p.relative_to(ROOT)): f"examples/{p.parent.name}.md" for p in sorted(ROOT.glob("examples/*/README.md"))},
}  # fmt: skip
"""Path below the root of a page outside `docs/`, to its place in the site."""
_ORIGIN: Final = {page: path for path, page in OUTSIDE.items()}
_LINK: Final = re.compile(r"(!?\[(?:[^\[\]]|\[[^\]]*\])*\]\()([^)\s]+)(\))")
_CODE: Final = re.compile(r"(`+)(?:(?!\1).)+?\1")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The pages outside `docs/` too, each under a place of its own."""
    for path, page in OUTSIDE.items():
        files.append(File.generated(config, page, content=(ROOT / path).read_text("utf-8")))
    return files


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """A folder in the navigation stands for all its pages, so that a new alert's page needs no second edit."""
    config.nav = _all(config.nav or [])
    return config


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 (mkdocs calls it by name)
    """The text of a page, with links that hold in the site."""
    here = page.file.src_uri
    return rendered(markdown, here, {file.src_uri for file in files})


def rendered(markdown: str, here: str, pages: set[str]) -> str:
    """A page's Markdown for the site.

    Args:
        markdown: as GitHub shows it.
        here: its place in the site.
        pages: all places in the site.
    """
    lines, fenced = [], False
    for line in markdown.splitlines():
        fenced ^= line.startswith("```")
        lines.append(line if fenced else _line(line, here, pages))
    return "\n".join(lines)


def _line(line: str, here: str, pages: set[str]) -> str:
    if line.startswith("|"):
        # A bar within code is escaped for GitHub's tables; Python's take it as it stands.
        line = _CODE.sub(lambda found: found[0].replace("\\|", "|"), line)
    line = _LINK.sub(lambda found: found[1] + link(found[2], here, pages) + found[3], line)
    return f"{line}\n" if line.startswith("<!--") and line.endswith("-->") else line


def link(target: str, here: str, pages: set[str]) -> str:
    """Where a link of a page leads in the site: another page, else the file's place in the repository."""
    address, sharp, anchor = target.partition("#")
    if not address or re.match(r"[a-z]+:", address):
        return target
    origin = _ORIGIN.get(here, f"docs/{here}")
    path = posixpath.normpath(posixpath.join(posixpath.dirname(origin), address))
    place = OUTSIDE.get(path) or OUTSIDE.get(f"{path}/README.md") or path.removeprefix("docs/")
    if place in pages and (path in OUTSIDE or f"{path}/README.md" in OUTSIDE or path.startswith("docs/")):
        return posixpath.relpath(place, posixpath.dirname(here) or ".") + sharp + anchor
    # What exists nowhere is left as it is: a strict build then names it.
    return f"{SOURCE}{path}{sharp}{anchor}" if (ROOT / path).exists() else target


def _expanded(entry: Any) -> list[Any]:
    if isinstance(entry, str) and entry.endswith("/"):
        return sorted(f"{entry}{page.name}" for page in (ROOT / "docs" / entry).glob("*.md") if page.name != "README.md")
    if isinstance(entry, dict):
        return [{title: _all(below) if isinstance(below, list) else below for title, below in entry.items()}]
    return [entry]


def _all(entries: list[Any]) -> list[Any]:
    return [one for entry in entries for one in _expanded(entry)]
