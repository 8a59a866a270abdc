"""Changelogs of providers: what is read of RSS, Atom and JSON feeds, what is refused, and what is kept."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from truegreen.core.errors import BadInput, Failed
from truegreen.evaluation.provider import feeds, fetch, mentions, screen, store
from truegreen.evaluation.provider.commands import changes

NOW = datetime(2025, 6, 1, tzinfo=UTC).timestamp()
JUNE = datetime(2026, 6, 6, tzinfo=UTC).timestamp()
RSS = """<?xml version="1.0"?><rss version="2.0"><channel><title>Changelog</title>
<item><title>Deprecations</title><guid>1</guid><link>https://example.com/1</link><pubDate>Mon, 06 Jan 2025 10:00:00 GMT</pubDate>
<description>&lt;p&gt;gpt-4-0613 will be shut down on June 6, 2026. Use gpt-4.1 instead.&lt;/p&gt;</description></item>
<item><title>GPT-4 Turbo is faster</title><guid>2</guid><link>javascript:alert(1)</link><pubDate>Tue, 07 Jan 2025 10:00:00 GMT</pubDate></item>
</channel></rss>"""
ATOM = """<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom"><title>Changelog</title><id>urn:f</id>
<entry><title>Claude 2.1 retires</title><id>urn:1</id><link href="https://example.com/1"/><updated>2025-01-06T10:00:00Z</updated>
<content type="html">We retire Claude 2.1 on 21 July 2026 &amp;amp; recommend claude-3.</content></entry></feed>"""
JSON = {"version": "https://jsonfeed.org/version/1.1", "title": "Changelog", "items": [
    {"id": "1", "title": "Deprecations", "url": "https://example.com/1", "date_published": "2025-01-06T10:00:00Z", "content_text": "See the table.",
     "_truegreen": {"models": ["GPT-4-0613"], "retires": "2026-06-06"}}]}  # fmt: skip


def read(text: str | bytes) -> tuple[Any, ...]:
    """The entries of a feed of `openai`."""
    return feeds.read(text if isinstance(text, bytes) else text.encode(), "openai", "feed.xml", NOW)


def test_what_stops_is_told_from_what_replaces_it() -> None:
    """The successor that the sentence names is not about to stop."""
    first, second = read(RSS)
    assert (first.kind, first.models, first.retires) == ("deprecation", ("gpt-4-0613",), JUNE)
    assert (first.time, first.link) == (datetime(2025, 1, 6, 10, tzinfo=UTC).timestamp(), "https://example.com/1")
    assert (second.kind, second.models, second.retires, second.link) == ("change", ("gpt-4-turbo",), None, "")


def test_atom_and_json_say_the_same_things() -> None:
    """Each its own way; the extension of a JSON feed needs no words."""
    (atom,) = read(ATOM)
    assert (atom.kind, atom.models, atom.retires) == (
        "deprecation",
        ("claude-2.1",),
        datetime(2026, 7, 21, tzinfo=UTC).timestamp(),
    )
    (item,) = read(json.dumps(JSON))
    assert (item.kind, item.models, item.retires) == ("deprecation", ("gpt-4-0613",), JUNE)


def test_flaws_that_feeds_have_are_read_all_the_same() -> None:
    """A bare ampersand, an entity of HTML, Latin-1, UTF-16."""
    soup = RSS.replace("is faster", "is faster &nbsp; & cheaper")
    assert read(soup)[1].title == "GPT-4 Turbo is faster & cheaper"
    latin = RSS.replace('version="1.0"?', 'version="1.0" encoding="iso-8859-1"?').replace("Deprecations", "Dépréciations")
    assert read(latin.encode("latin-1"))[0].title == "Dépréciations"
    assert len(read(RSS.encode("utf-16"))) == 2


BOMB = (
    '<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><rss version="2.0"><channel><title>&b;</title></channel></rss>'
)
HOSTILE: dict[str, str | bytes] = {
    "an entity bomb": BOMB,
    "an entity bomb in UTF-16": ('<?xml version="1.0" encoding="utf-16"?>' + BOMB).encode("utf-16"),
    "an external entity": '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><rss version="2.0"><channel><item><title>&x;</title></item></channel></rss>',
    "a parameter entity": '<!DOCTYPE r [<!ENTITY % x SYSTEM "http://127.0.0.1:9/x"> %x;]><rss version="2.0"/>',
    "a document type alone": '<!DOCTYPE rss><rss version="2.0"/>',
    "a tower": '<rss version="2.0"><channel>' + "<a>" * 100_000,
    "100 MB": b"<rss>" + b" " * 100_000_000,
    "tag soup": "<rss>" + "<a " * 100_000,
    "an encoding that hides": b'<?xml version="1.0" encoding="utf-7"?>+ADw-rss/+AD4-',
    "bytes": bytes(range(256)),
    "a page": "<html><body>no feed</body></html>",
    "nothing": "",
    "a tower of JSON": '{"items":' + "[" * 100_000,
    "JSON of another kind": '{"items": {"id": 1}}',
    "an item of another kind": '{"items": ["x"]}',
    "a title of another kind": '{"items": [{"id": "1", "title": ["x"]}]}',
    "an extension of another kind": '{"items": [{"id": "1", "_truegreen": {"models": "gpt-4"}}]}',
    "a crowd of attributes": '<rss version="2.0"><channel><item '
    + " ".join(f'a{n}="x"' for n in range(100))
    + "/></channel></rss>",
    "a crowd of name spaces": '<rss version="2.0"><channel>'
    + "".join(f'<x xmlns:n{n}="u:{n}"/>' for n in range(100))
    + "</channel></rss>",
    "a crowd of elements": '<rss version="2.0"><channel><item>' + "<category>x</category>" * 3_000 + "</item></channel></rss>",
    "a model that is an escape": '{"items": [{"id": "1", "_truegreen": {"models": ["gpt-4\\u001b[31m\\nkept 99"]}}]}',
    "a model that is half a character": '{"items": [{"id": "1", "_truegreen": {"models": ["\\ud800"]}}]}',
    "a model that is Markdown": '{"items": [{"id": "1", "_truegreen": {"models": ["| x ](javascript:a)"]}}]}',
    "a model that is empty": '{"items": [{"id": "1", "_truegreen": {"models": [""]}}]}',
    "a number without end": '{"items": [{"id": 1e400}]}',
    "no number": '{"items": [{"id": "1", "title": NaN}]}',
    "a date of another kind": '{"items": [{"id": "1", "date_published": "soon"}]}',
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_is_hostile_or_no_feed_is_refused_in_one_line(kind: str) -> None:
    """Nothing of it is expanded, fetched or quoted."""
    with pytest.raises(BadInput) as refused:
        read(HOSTILE[kind])
    said = str(refused.value)
    assert said.startswith("feed.xml: ") and len(said) < 300 and "\n" not in said
    assert "root:" not in said and "hahaha" not in said


def test_a_document_type_is_refused_as_that() -> None:
    """Whatever else a parser would have found."""
    for kind in (
        "an entity bomb",
        "an entity bomb in UTF-16",
        "an external entity",
        "a parameter entity",
        "a document type alone",
    ):
        with pytest.raises(BadInput, match="document type"):
            read(HOSTILE[kind])
    with pytest.raises(BadInput, match="deep"):
        read(HOSTILE["a tower"])


def test_a_feed_ends_after_its_first_entries() -> None:
    """What comes then is not parsed, in any of the spellings; what is open is closed by its own name."""
    items = "".join(f"<item><title>t{n}</title></item>" for n in range(30_000))
    rss = read(f'<rss version="2.0"><channel>{items}</channel></rss>')
    assert (len(rss), rss[-1].title) == (screen.MOST_ENTRIES, "t999")
    entries = "".join(f"<a:entry><a:title>t{n} é</a:title></a:entry>" for n in range(1_100))
    text = f'<a:feed xmlns:a="http://www.w3.org/2005/Atom"><a:title>x</a:title>{entries}'
    kept = screen.checked(text, "feed.xml")
    assert kept.count(b"<a:entry>") == screen.MOST_ENTRIES and kept.endswith(
        "<a:title>t999 é</a:title></a:entry></a:feed>".encode()
    )
    rich = "<item>" + "<category>x</category>" * 1_500 + "</item>"
    assert screen.checked(f"<rss><channel>{rich * 100}</channel></rss>", "feed.xml").count(b"<item>") == 14


def test_text_from_outside_stays_on_one_line() -> None:
    """No escape for a terminal, no end of a line, no more than 200 characters."""
    (item,) = read(json.dumps({"items": [{"id": "1", "title": "a\x1b[31m\nb\u202e" + "x" * 500, "url": "file:///etc/passwd"}]}))
    assert item.title.startswith("a [31m b x") and len(item.title) == 200 and item.link == ""
    assert item.time == NOW


def test_models_are_named_as_requests_write_them() -> None:
    """Display names too; a version is not its family."""
    text = "GPT-4 Turbo, gpt-4-turbo-2024-04-09, Claude 2.1, o3, Claude 3 Opus and claude-3-5-sonnet-20240620; since 2024-06-13"
    assert mentions.models(text) == (
        "claude-2.1",
        "claude-3-5-sonnet-20240620",
        "claude-3-opus",
        "gpt-4-turbo",
        "gpt-4-turbo-2024-04-09",
        "o3",
    )
    assert mentions.named(("gpt-4",), "gpt-4-0613") and mentions.named(("gpt-4o",), "gpt-4o-2024-05-13")
    assert not mentions.named(("gpt-4",), "gpt-4-turbo") and not mentions.named(("gpt-4-0613",), "gpt-4")


def test_a_known_entry_keeps_its_time_and_takes_the_new_date(tmp_path: Path) -> None:
    """The file is written whole; what was said first stays the moment."""
    path = tmp_path / "changes.json"
    assert len(store.merge(path, read(RSS), NOW)[0]) == 2
    later = RSS.replace("June 6, 2026", "July 6, 2026").replace("06 Jan 2025", "08 Jan 2025")
    new, kept = store.merge(path, read(later), NOW)
    assert (new, kept) == ((), 2)
    first = next(e for e in store.read(path) if e.retires)
    assert first.retires == datetime(2026, 7, 6, tzinfo=UTC).timestamp()
    assert first.time == datetime(2025, 1, 6, 10, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"format": 2, "entries": []}', '{"format": 1, "entries": [{"id": 1}]}', '{"format": 1, "entries": 7}'],
)
def test_a_broken_file_is_named_and_left_as_it_is(tmp_path: Path, text: str) -> None:
    """Never overwritten."""
    path = tmp_path / "changes.json"
    path.write_text(text)
    with pytest.raises(BadInput, match=r"changes\.json"):
        store.merge(path, read(RSS), NOW)
    assert path.read_text() == text


def test_a_name_that_no_request_writes_is_not_read_from_the_file(tmp_path: Path) -> None:
    """A file of an earlier time prints nothing raw; the entry stays."""
    path = tmp_path / "changes.json"
    store.merge(path, read(RSS), NOW)
    path.write_text(path.read_text().replace('"gpt-4-turbo"', '"gpt-4-turbo\\u001b[31m\\nforged"'))
    assert [e.models for e in store.read(path)] == [(), ("gpt-4-0613",)]


def test_what_cannot_be_written_leaves_no_other_file(tmp_path: Path) -> None:
    """Neither half a file nor a temporary one."""
    path = tmp_path / "changes.json"
    (entry, _) = read(RSS)
    with pytest.raises(UnicodeEncodeError):
        store.merge(path, [replace(entry, source="\ud800")], NOW)
    assert [one.name for one in tmp_path.iterdir()] == ["changes.json.lock"]


def test_a_feed_that_drips_ends(tmp_path: Path) -> None:
    """Thirty seconds for all of it, however often a byte comes."""
    times = iter(range(0, 1_000, 20))
    page = b"<rss>" + b" " * 200_000 + b"</rss>"
    with serving({"/drip": (200, {}, page)}) as url:
        found = fetch.gather([fetch.Feed("openai", f"{url}/drip")], tmp_path / "changes.json", NOW, clock=lambda: next(times))
    assert found.failed == (f"{url}/drip did not end within 30 s; look at its load, or name a file",)


@pytest.mark.parametrize("begun", [b"X-Slow: ", b"\r\n"], ids=["head", "body"])
def test_what_drips_by_the_byte_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begun: bytes) -> None:
    """Each byte comes in time, and the answer never begins, or never ends."""
    monkeypatch.setattr(fetch, "LONGEST", 0.3)
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            peer, _ = server.accept()
            with peer, suppress(OSError):
                peer.sendall(b"HTTP/1.1 200 OK\r\n" + begun)
                while not over.wait(0.02):
                    peer.sendall(b"x")

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/feed"
        found = fetch.gather([fetch.Feed("openai", url)], tmp_path / "changes.json", NOW)
        over.set()
        thread.join()
    assert found.failed == (f"{url} did not end within 0.3 s; look at its load, or name a file",)


def test_a_feed_that_breaks_its_reader_loses_nothing_of_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is raised; a provider's name from the command line is shown as titles are."""
    whole = feeds.read
    monkeypatch.setattr(feeds, "read", lambda data, *rest: whole(data, *rest) if data else {}["x"])
    for name, text in (("bad.xml", ""), ("good.xml", RSS)):
        (tmp_path / name).write_text(text)
    wanted = [fetch.feed_of(f"open\udcffai\x1b={tmp_path / name}") for name in ("bad.xml", "good.xml")]
    found = fetch.gather(wanted, tmp_path / "changes.json", NOW)
    assert found.failed == (f"{tmp_path / 'bad.xml'}: cannot be read (KeyError); name another feed",)
    assert {entry.provider for entry in found.new} == {"open ai"} and found.kept == 2


@contextmanager
def serving(answers: dict[str, tuple[int, dict[str, str], bytes]]) -> Iterator[str]:
    """A local server with these pages."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = answers[self.path]
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_the_command_reads_what_it_can_and_says_what_it_could_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One hostile feed, one packed one and one that is gone lose nothing of the good one; exit code 1."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRUEGREEN_CONFIG", raising=False)
    (tmp_path / "good.xml").write_text(RSS)
    (tmp_path / "bomb.xml").write_text(BOMB)
    pages = {"/feed": (200, {}, ATOM.encode()), "/moved": (302, {"Location": "/feed"}, b""), "/packed": (200, {"Content-Encoding": "gzip"}, b"x"),
             "/gone": (404, {}, b""), "/large": (200, {}, b"<rss>" + b" " * (screen.MOST + 10))}  # fmt: skip
    with serving(pages) as url, pytest.raises(Failed, match="4 of 6 feeds"):
        given = ["openai=good.xml", "bomb.xml", f"anthropic={url}/moved", f"{url}/packed", f"{url}/gone", f"{url}/large"]
        CliRunner().invoke(changes, [word for feed in given for word in ("--feed", feed)] + ["--json"], catch_exceptions=False)
    kept = store.read(tmp_path / "provider" / "changes.json")
    assert {(e.provider, e.kind) for e in kept} == {("openai", "deprecation"), ("openai", "change"), ("anthropic", "deprecation")}
    again = CliRunner().invoke(changes, ["--feed", "openai=good.xml", "--json"], catch_exceptions=False)
    said = json.loads(again.stdout.strip().splitlines()[-1])
    assert (said["new"], said["kept"], said["version"][:10]) == ([], 3, "2025-01-07")
