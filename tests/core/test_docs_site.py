"""The site of the docs: every page is found from the start, each command on a page exists, and no page asks another host for anything."""

import os
import re
import shlex
import subprocess
import sys
import threading
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import click
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))  # the hook of mkdocs and the driver of the browser are tools
PAGES = sorted(p.relative_to(ROOT / "docs").as_posix() for p in (ROOT / "docs").rglob("*.md"))
LOADS = {
    "script": ["src"],
    "img": ["src", "srcset"],
    "iframe": ["src"],
    "source": ["src", "srcset"],
    "object": ["data"],
    "use": ["href"],
}
"""What a browser fetches by itself; `link` is looked at by its rel."""


@pytest.fixture(scope="module")
def configured():
    """mkdocs's own reading of mkdocs.yml, with the hook."""
    from mkdocs.config import load_config

    config = load_config(str(ROOT / "mkdocs.yml"))
    return config.plugins.on_config(config)


def _leaves(entries):
    for entry in entries:
        below = entry if isinstance(entry, str) else next(iter(entry.values()))
        yield from [below] if isinstance(below, str) else _leaves(below)


def test_the_navigation_names_every_page_once_and_nothing_else(configured):
    """Also what lies outside docs/: READMEs, changelog, contributing."""
    import docs_hook

    named = list(_leaves(configured.nav))
    assert sorted(named) == sorted([*PAGES, *docs_hook.OUTSIDE.values()])


def test_links_out_of_docs_lead_to_pages_or_to_the_repository():
    """As GitHub resolves them; what exists nowhere stays, and fails a strict build."""
    import docs_hook

    pages = {*PAGES, *docs_hook.OUTSIDE.values(), "pictures/demo.svg"}
    link = partial(docs_hook.link, pages=pages)
    assert link("docs/slos.md#windows", "index.md") == "slos.md#windows"
    assert link("docs/pictures/demo.svg", "index.md") == "pictures/demo.svg"
    assert link("../docs/law.md", "plugins/runbook.md") == "../law.md"
    assert link("../collector/README.md", "baselines.md") == "plugins/collector.md"
    assert link("../README.md", "plugins/core.md") == "../index.md"
    assert link("../containment_commands.md", "runbooks/README.md") == "../containment_commands.md"
    assert (
        link("../core/truegreen/core/words/replay.schema.json", "measuring.md")
        == f"{docs_hook.SOURCE}core/truegreen/core/words/replay.schema.json"
    )
    assert link("../nowhere.md", "slos.md") == "../nowhere.md"
    assert link("#a", "slos.md") == "#a"
    assert link("https://example.com/x", "slos.md") == "https://example.com/x"


def test_code_stays_as_it_is_and_a_bar_in_a_table_is_one():
    """A fence is not looked into."""
    import docs_hook

    text = "| `a \\| b` | [x](docs/slos.md) |\n\n```sh\n| `a \\| b` [x](docs/slos.md)\n```"
    assert docs_hook.rendered(text, "index.md", {"slos.md"}) == text.replace("\\|", "|", 1).replace("docs/slos.md", "slos.md", 1)


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_in_a_pages_shell_blocks_exist(page):
    """With their options, as somebody would type them."""
    from truegreen.core.cli import root

    for block in re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / page).read_text("utf-8"), re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("truegreen "):
                _parses(root, line)


def _parses(root, line):
    command, context = root, click.Context(root)
    words = shlex.split(line, comments=True)[1:]
    while isinstance(command, click.Group) and words:
        found = command.get_command(context, words[0])
        assert found is not None, f"{line}: there is no {words[0]!r}"
        command, words = found, words[1:]
    values = [{"N": "3", "ID": "1", "NUMBER": "3"}.get(word, word) for word in words if word not in ("|", "…", "...")]
    if not isinstance(command, click.Group):
        command.make_context(line, values).close()


class _Loads(HTMLParser):
    """What a page makes a browser fetch."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.css = []
        self._style = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self._style = tag == "style"
        names = LOADS.get(tag, [])
        if tag == "link" and not {"canonical", "next", "prev"} & set((given.get("rel") or "").split()):
            names = ["href"]
        self.found += [given[name] for name in names if given.get(name)]
        self.css.append(given.get("style") or "")

    def handle_data(self, data):
        if self._style:
            self.css.append(data)

    def handle_endtag(self, tag):
        self._style = False


def _elsewhere(address):
    return bool(urlsplit(address.strip()).netloc)


def _of_css(text):
    return re.findall(r"""(?:url\(\s*|@import\s+)["']?([^"')\s;]+)""", text)


def test_the_reader_of_pages_sees_what_a_browser_would_fetch():
    """Else the next test could not fail."""
    page = '<link rel=stylesheet href="//a.example/x.css"><style>@import "https://b.example/y.css";p{background:url(http://c.example/z.png)}</style><img src=x.png>'
    seen = _Loads(page)
    assert [one for one in [*seen.found, *_of_css("".join(seen.css))] if _elsewhere(one)] == [
        "//a.example/x.css",
        "https://b.example/y.css",
        "http://c.example/z.png",
    ]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site as `make docs` builds it: strictly."""
    folder = tmp_path_factory.mktemp("docs") / "site"
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=ROOT, capture_output=True, text=True, timeout=300, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.full
def test_no_page_of_the_site_names_another_host_for_what_it_loads(site):
    """Scripts, styles, fonts, pictures and frames; links that a person follows may."""
    pages, styles = list(site.rglob("*.html")), list(site.rglob("*.css"))
    assert len(pages) > len(PAGES) and styles
    found = {}
    for path in pages:
        seen = _Loads(path.read_text("utf-8"))
        found[path] = [one for one in [*seen.found, *_of_css("".join(seen.css))] if _elsewhere(one)]
    for path in styles:
        found[path] = [one for one in _of_css(path.read_text("utf-8")) if _elsewhere(one)]
    assert {path: asked for path, asked in found.items() if asked} == {}


@pytest.mark.full
def test_a_browser_asks_only_the_sites_own_host(site, engine, tmp_path):
    """The start page with a search, a runbook page, on a phone too: nothing else is requested, nothing fails, nothing is wider than the screen."""
    import webdriver

    engine("chromium")
    engine("chromedriver")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host = f"127.0.0.1:{server.server_port}"
    try:
        with webdriver.browser(tmp_path) as window:
            for page in ("index.html", "runbooks/truegreenbudgetburn.html", "incidents.html"):
                for width in (375, 1280):
                    window.size(width, 800)
                    window.open(f"http://{host}/{page}")
                    window.until("document.readyState === 'complete'")
                    assert window.run("return document.documentElement.scrollWidth <= innerWidth"), (page, width)
            window.open(f"http://{host}/index.html")
            window.run(
                "document.querySelector('[data-md-toggle=search]').checked = true; const q = document.querySelector('[name=query]'); q.focus(); q.value = 'postmortem'; q.dispatchEvent(new Event('keyup', {bubbles: true}))"
            )
            window.until("document.querySelector('.md-search-result__item a')")
            asked = [one for one in window.requested() if urlsplit(one).scheme not in ("data", "blob", "about", "chrome")]
            assert len(asked) > 10
            assert {urlsplit(one).netloc for one in asked} == {host}
            assert window.errors() == []
    finally:
        server.shutdown()
        server.server_close()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *words):
        pass
