"""The postmortem, action items and the archive of an incident, with a real Prometheus and with none."""

from __future__ import annotations

import functools
import gzip
import io
import json
import re
import tarfile
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some
from runbook_world import END, ONSET

from truegreen.core.errors import Failed
from truegreen.runbook import clocks, freeze, render
from truegreen.runbook import log as store
from truegreen.runbook.actions import actions, completion
from truegreen.runbook.clean import clean
from truegreen.runbook.commands import common
from truegreen.runbook.model import Event
from truegreen.runbook.page.sli import Mark
from truegreen.runbook.postmortem import picture
from truegreen.runbook.postmortem.model import Figure

NOBODY = "http://127.0.0.1:9"
"""An address at which nothing answers."""
HOSTILE = "<script>alert(1)</script> | `x` [a](javascript:b) \"'&"


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the commands' clock says."""
    moment = [END]
    monkeypatch.setattr(common, "Desk", functools.partial(common.Desk, clock=lambda: moment[0]))
    return moment


@pytest.fixture
def log(run: Any, now: list[float], tmp_path: Path) -> store.Log:
    """An incident of the service `fixed`, opened two minutes after its onset with a hostile text."""
    made = store.open_log(f"sqlite:///{tmp_path / 'incidents.db'}")
    store.open_incident(made, store.Target("fixed", "production", "grounding"), "1", ONSET + 120, HOSTILE, {"fired": ONSET + 110})
    return made


@pytest.fixture
def story(run: Callable[..., Any], log: store.Log, filled: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The incident triaged, contained and validated; Prometheus is there."""
    monkeypatch.setenv("TRUEGREEN_PROMETHEUS_URL", filled)
    assert run("triage", "--at", str(END - 947)).code == 0
    store.append(log, 1, END - 937, "contain", "contain applied", "pinned model support-large-0613",
                 {"flag": "pinned_model", "value": "support-large-0613", "previous": "", "expires": END + 3_600})  # fmt: skip
    return run


class _Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def test_the_html_has_the_charts_and_loads_nothing(story: Callable[..., Any], tmp_path: Path) -> None:
    """One file: no script, no address, three drawings with the marks of the incident."""
    made = story("postmortem", "--out", "p.html")
    assert made.code == 0, made.err
    page = (tmp_path / "p.html").read_text()
    tags = _Tags(page).seen
    assert {tag for tag, _ in tags} & {"script", "img", "link", "iframe", "a", "form", "object"} == set()
    assert not any(name in ("src", "href", "style") or name.startswith("on") for _, attrs in tags for name in attrs)
    assert "http://" not in page.replace(NOBODY, "") and "url(" not in page
    assert "default-src 'none'" in page
    charts = [attrs["aria-label"] for tag, attrs in tags if tag == "svg"]
    assert [label.split(":")[0] for label in charts if label] == [
        "Share of bad events", "Bad events in each step", "99th percentile of a call, the slowest model's",
    ]  # fmt: skip
    assert page.count('class="badge"') == 3 * 3  # true start, detected, contained
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_its_figures_are_those_of_prometheus(story: Callable[..., Any], tmp_path: Path) -> None:
    """The bad events of the time from the true start on, asked anew; Markdown and HTML say the same."""
    assert story("postmortem", "--out", "p.md").code == 0
    assert story("postmortem", "--out", "p.html").code == 0
    text, page = (tmp_path / "p.md").read_text(), (tmp_path / "p.html").read_text()
    found = re.search(r"- (\d+) of (\d+) judged events were bad in that time; (\d+) answers were served", text)
    assert found, text
    bad, judged, served = map(int, found.groups())
    # 0.2 answers a second in the 1237 s since the onset; a third of them is bad until the pin 300 s later.
    assert 0 < bad < judged <= served <= 1.2 * 0.2 * 1_237
    assert found[0][2:] in page
    assert "true start 2026-01-02T02:3" in text and "before the start | at triage | at closing" in text
    assert "users affected: unknown (" in text


def test_without_prometheus_there_is_still_one_and_it_says_what_is_missing(
    story: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the log alone; no figure is made up."""
    monkeypatch.setenv("TRUEGREEN_PROMETHEUS_URL", NOBODY)
    for name in ("p.md", "p.html"):
        made = story("postmortem", "--out", name, "--json")
        assert made.code == 0, made.err
        assert any("Prometheus does not answer" in line for line in made.facts["missing"])
        text = (tmp_path / name).read_text()
        assert "bad events in that time: unknown" in text
        assert "affected answers up to triage" in text
        assert "<svg" not in text


def test_an_slo_that_nobody_knows_has_no_chart_and_says_so(
    run: Callable[..., Any], log: store.Log, filled: str, tmp_path: Path
) -> None:
    """Latency can be had all the same."""
    store.open_incident(log, store.Target("fixed", "production", "no-such-slo"), "2", ONSET, "x", {})
    assert run("postmortem", "2", "--out", "p.html", "--prometheus-url", filled).code == 0
    page = (tmp_path / "p.html").read_text()
    assert page.count("<svg") == 1
    assert "is not counted by events, or not known here" in page


def test_hostile_text_stays_text(run: Callable[..., Any], log: store.Log, tmp_path: Path) -> None:
    """In every place that a person or an alert can write to."""
    run("incident", "note", "--action", HOSTILE, "--owner", HOSTILE)
    run("law", "decide", "art73-2", "--decision", "open", "--by", HOSTILE, "--reason", HOSTILE)
    assert run("incident", "done", "2", "--by", HOSTILE).code == 0
    for name in ("p.md", "p.html"):
        assert run("postmortem", "--out", name).code == 0
    page, text = (tmp_path / "p.html").read_text(), (tmp_path / "p.md").read_text()
    assert not {tag for tag, _ in _Tags(page).seen} & {"script", "a"}
    assert "<script" not in text
    assert "](javascript" not in text.replace("\\](javascript", "")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert rows and all(len(re.findall(r"(?<!\\)\|", row)) in (4, 5, 6) for row in rows)


def test_its_clocks_are_those_of_the_page(run: Callable[..., Any], log: store.Log, tmp_path: Path, now: list[float]) -> None:
    """Closed 50 minutes after it was opened, 70 after its true start: a sev 1 that is resolved in time; nobody acknowledged in five minutes."""
    opened = ONSET + 120
    start = {"time": opened - 1_200, "low": opened - 1_300, "high": opened - 1_100, "before": 0.01, "after": 0.3}
    store.append(log, 1, opened + 420, "triage", "triaged", "", {"start": start})
    now[0] = opened + 1_000
    assert run("postmortem", "--out", "open.md").code == 0
    assert "| closed | not yet | 60 min | open |" in (tmp_path / "open.md").read_text()
    store.close_incident(log, 1, opened + 3_000, "", {})
    now[0] = opened + 9_000
    assert run("postmortem", "--out", "p.md").code == 0
    text = (tmp_path / "p.md").read_text()
    table = [line for line in text.partition("## Clocks")[2].partition("\n## ")[0].splitlines() if line.startswith("| ")][1:]
    assert table == [
        "| detected | 20 min | none |  |",
        "| acknowledged | 7 min | 5 min | MISSED |",
        "| classified | 7 min | 15 min | met |",
        "| contained | never | none |  |",
        "| closed | 50 min | 60 min | met |",
    ]
    shown = {c.name: c.state for c in clocks.clocks(store.incidents(log)[0], store.events(log, 1), now[0])}
    assert shown == {"acknowledge": "late", "classify": "met", "resolve": "met"}
    assert "duration 70 min, from its true start to closing" in text


def test_a_drill_is_called_one(run: Callable[..., Any], log: store.Log, tmp_path: Path) -> None:
    """Nobody shall take it for an incident that users felt."""
    store.open_incident(log, store.Target("fixed", "staging", "grounding"), "1", ONSET, "x", {"drill": "hallucination"})
    for name in ("p.md", "p.html"):
        assert run("postmortem", "2", "--out", name).code == 0
        assert "This was a drill: hallucination" in (tmp_path / name).read_text()


@pytest.mark.parametrize(
    ("words", "said"), [(("--out", "p.docx"), ".md or .html"), (("--out", "no/folder/p.md"), "cannot be written")]
)
def test_what_cannot_be_written_is_said(run: Callable[..., Any], log: store.Log, words: tuple[str, ...], said: str) -> None:
    """With what to write instead."""
    made = run("postmortem", *words)
    assert made.code in (1, 2) and said in made.err


def test_action_items_are_listed_until_they_are_done(
    run: Callable[..., Any], log: store.Log, now: list[float], tmp_path: Path
) -> None:
    """Of all incidents; the share that is done is the metric's."""
    assert run("incident", "note", "--action", "pin versions", "--owner", "ann", "--due", "2026-01-01").code == 0
    assert run("incident", "note", "--action", "write a test").code == 0
    shown = run("incident", "actions").out
    assert "OVERDUE" in shown and "no owner: write a test" in shown and "0 of 2 done" in shown
    assert run("incident", "done", "2", "--by", "ben").code == 0
    assert run("incident", "done", "2", "--by", "x", "--json").facts["again"]
    facts = run("incident", "actions", "--json").facts
    assert ([item["number"] for item in facts["actions"]], facts["completion"], facts["all"]) == ([3], 0.5, 2)
    assert "done 2026-01-02 by ben" in run("incident", "actions", "--all").out
    assert run("incident", "done", "1", "--by", "ben").code == 2
    assert run("incident", "done", "3", "--by", " ").code == 2
    run("postmortem", "--out", "p.md")
    text = (tmp_path / "p.md").read_text()
    assert "- [x] pin versions" in text and "- [ ] write a test" in text and "1 of 2 done (50 %)" in text
    assert completion(()) is None


def test_an_incident_becomes_an_evaluation_case(run: Callable[..., Any], log: store.Log, tmp_path: Path) -> None:
    """Its question goes to the set that is configured; the log has its id alone."""
    assert run("incident", "note", "--action", "pin versions").code == 0
    words = ("incident", "case", "--query", "How tall is the tower in Lisbon?", "--contains", "62", "--action", "2")
    assert "incidents.evalset" in run(*words).err
    (tmp_path / "truegreen.yaml").write_text("incidents: {evalset: set.jsonl}\n")
    made = run(*words, "--json").facts
    case = json.loads((tmp_path / "set.jsonl").read_text().splitlines()[-1])
    assert (case["id"], case["incident"], case["checks"]) == (made["case"], 1, {"contains": ["62"]})
    assert "Lisbon" not in run("incident", "log", "--json").out
    assert actions(store.events(log, 1))[0].cases == (made["case"],)
    run("postmortem", "--out", "p.md")
    assert f"evaluation case {made['case']}" in (tmp_path / "p.md").read_text()
    assert run(*words[:-1], "9").code == 2


def test_an_archive_holds_everything_and_says_when_it_was_altered(
    story: Callable[..., Any], log: store.Log, tmp_path: Path
) -> None:
    """Written by one command, checked by another; a bundle that is not the one that was frozen is not taken in."""
    pinned = story("contain", "pin-model", "m-1", "--verify-count", "0")
    assert pinned.code == 0, pinned.err
    made = story("incident", "archive", "--out", "a.tar.gz", "--json").facts
    bundle = next(e for e in store.events(log, 1) if e.kind == "evidence frozen").data["file"]
    assert set(made["files"]) == {
        "incident.json", "log.json", "snapshots.json", "law.json", "actions.json", "postmortem.md", "postmortem.html",
        "draft-art73.md", "draft-deployer.md", "draft-sec.md", f"evidence/{bundle}",
    }  # fmt: skip
    assert story("incident", "archive", "--verify", "a.tar.gz").code == 0
    last = store.events(log, 1)[-1]
    assert (last.kind, last.data["sha256"]) == ("archive written", made["sha256"])
    with tarfile.open(tmp_path / "a.tar.gz") as tar:
        tar.extractall(tmp_path / "out", filter="data")
    (tmp_path / "out" / "log.json").write_text("[]")
    with tarfile.open(tmp_path / "b.tar.gz", "w:gz") as tar:
        for path in sorted(p for p in (tmp_path / "out").rglob("*") if p.is_file()):
            tar.add(path, path.relative_to(tmp_path / "out"))
    refused = story("incident", "archive", "--verify", "b.tar.gz")
    assert (refused.code, "log.json: altered" in refused.err) == (1, True), refused.err
    (tmp_path / "evidence" / bundle).write_bytes(b"x")
    again = story("incident", "archive", "--out", "c.tar.gz", "--json").facts
    assert f"evidence/{bundle}" not in again["files"]
    assert any("not the one that was frozen" in line for line in again["missing"])
    (tmp_path / "evidence" / bundle).unlink()
    assert any("not in evidence" in line for line in story("incident", "archive", "--out", "c.tar.gz", "--json").facts["missing"])


def test_an_archive_is_asked_for_one_thing_and_reads_archives_only(
    run: Callable[..., Any], log: store.Log, tmp_path: Path
) -> None:
    """Neither both nor none; another file is said to be none."""
    assert run("incident", "archive").code == 2
    (tmp_path / "x").write_text("x")
    assert run("incident", "archive", "--verify", "x").code == 1
    assert run("incident", "archive", "--out", "no/such/a.tar.gz").code == 1
    assert [e.kind for e in store.events(log, 1)] == ["incident opened"]


@settings(max_examples=40)
@given(some.lists(some.tuples(some.integers(0, 10**6), some.integers(0, 255)), min_size=1, max_size=4), some.integers(0, 10**6))
def test_a_damaged_archive_is_altered_or_none_and_never_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, flips: list[tuple[int, int]], cut: int
) -> None:
    """Bytes changed and cut off anywhere, in the compression, the tar and the manifest."""
    path = tmp_path_factory.mktemp("damaged") / "a.tar.gz"
    for compressed in (True, False):
        whole = freeze.pack({"log.json": [{"kind": "x" * 400}], "law.json": []}, {"format": 1})
        content = bytearray(whole if compressed else gzip.decompress(whole))
        for at, value in flips:
            content[at % len(content)] = value
        shorter = bytes(content[: len(content) - cut % 64])
        path.write_bytes(shorter if compressed else gzip.compress(shorter))
        try:
            wrong = freeze.verify(path)
        except Failed as error:
            assert "not an evidence bundle" in str(error)
        else:
            assert all(line.endswith(("altered", "missing")) for line in wrong)


@pytest.mark.parametrize(
    "manifest", ["[]", '{"files": []}', '{"files": [1]}', '{"files": 3}', "[" * 100_000, "null", '{"files": null}']
)
def test_an_archive_with_another_manifest_is_none_or_altered(
    run: Callable[..., Any], log: store.Log, tmp_path: Path, manifest: str
) -> None:
    """Whatever JSON it is."""
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tar:
        for name, content in (("manifest.json", manifest.encode()), ("log.json", b"[]")):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    made = run("incident", "archive", "--verify", "a.tar.gz")
    assert made.code == 1
    assert "not an evidence bundle" in made.err or "log.json: altered" in made.err


@pytest.mark.parametrize(
    "words",
    [("law", "draft", "art73"), ("postmortem",), ("incident", "archive")],
)
def test_what_a_person_filled_in_is_not_written_over(
    run: Callable[..., Any], log: store.Log, tmp_path: Path, now: list[float], words: tuple[str, ...]
) -> None:
    """As it was written it may be written anew; changed, only with --force, and the log says nothing of what was refused."""
    out = tmp_path / ("a.tar.gz" if "archive" in words else "a.md")
    for _ in range(2):
        now[0] += 60
        made = run(*words, "--out", out.name)
        assert made.code == 0, made.err
    first, events = out.read_bytes(), len(store.events(log))
    out.write_bytes(first.replace(b"**to be filled**", b"grave", 1) + b"signed: ann\n")
    mine = out.read_bytes()
    refused = run(*words, "--out", out.name)
    assert (refused.code, "--force" in refused.err) == (2, True), refused.err
    assert (out.read_bytes(), len(store.events(log))) == (mine, events)
    assert run(*words, "--out", out.name, "--force").code == 0
    assert b"signed: ann" not in out.read_bytes()
    out.write_bytes(b"")
    assert run(*words, "--out", out.name).code == 0


_NUMBERS = some.floats(0, 1e9, allow_nan=False)


@given(
    some.sampled_from(["share", "count", "seconds"]), some.lists(some.tuples(some.integers(0, 7_200), _NUMBERS), min_size=1, max_size=30),
    some.none() | some.floats(0, 1), some.lists(some.tuples(some.text(max_size=20), some.integers(0, 7_200)), max_size=5), some.text(max_size=30),
)  # fmt: skip
def test_every_chart_is_a_drawing_within_its_frame(
    unit: str, points: list[tuple[int, float]], bound: float | None, marks: Any, says: str
) -> None:
    """Whatever is measured: well-formed, finite, inside, and texts are texts."""
    from xml.etree import ElementTree as ET

    figure = Figure("x", says.translate({c: None for c in range(32)}).replace("\ufffe", "").replace("\uffff", ""), unit, 1_000_000, 1_007_200, 60,
                    tuple((1_000_000.0 + t, v if unit != "share" else v / 1e9) for t, v in sorted(points)), bound)  # fmt: skip
    drawn = picture.svg(figure, [Mark("A", text, 1_000_000.0 + time) for text, time in marks])
    root = ET.fromstring(drawn)
    assert "nan" not in drawn.split("<line", 1)[1] and "inf" not in drawn.split("<line", 1)[1]
    for one in root.iter():
        for name in ("x1", "x2", "cx"):
            assert -1 <= float(one.get(name, "0")) <= picture.WIDTH + 1
        for name in ("y", "y1", "y2", "cy"):
            assert -1 <= float(one.get(name, "0")) <= picture.HEIGHT + 1


@given(some.lists(some.sampled_from(["action item", "action item done", "note"]), max_size=12))
def test_the_share_that_is_done_is_a_share(kinds: list[str]) -> None:
    """Each item counts once, whatever is said to be done twice, or of nothing."""
    events = [
        Event(n, 1, float(n), "review", kind, "x", {"action": n - 1} if "done" in kind else {}, "", "")
        for n, kind in enumerate(kinds, 1)
    ]
    items = actions(events)
    assert len(items) == kinds.count("action item")
    share = completion(items)
    assert share is None if not items else share is not None and 0 <= share <= 1


def test_markdown_of_any_text_is_one_cell() -> None:
    """The filter that every text goes through."""
    shown = render.markdown(HOSTILE + "\n# x\n- y")
    assert "\n" not in shown and "<" not in shown and "\\|" in shown


@given(some.text(some.sampled_from("/:@w.W-_ ahtps&;<"), max_size=40) | some.text())
@example(
    "https://evil.example/x www.evil.example //evil.example ///x @team ann@acme.example (@team) -@team _www.evil.example &commat;team &#64;team &lt;b>"
)
def test_markdown_of_any_text_has_no_bare_address_and_mentions_nobody(text: str) -> None:
    """What GitHub looks for: two slashes, `www.`, and an at sign that begins a word; read without the escapes nothing is lost."""
    shown = render.markdown(text)
    assert "//" not in shown and not re.search(r"(?i)(?<![a-z0-9])www\.", shown)
    assert not re.search(r"(?a:(?<!\w))@[A-Za-z0-9]", shown)
    assert render.markdown("ann@acme.example") == "ann@acme.example"
    read = re.sub(r"\\([^A-Za-z0-9\s])|&lt;", lambda found: found[1] or "<", shown).replace("\u2060", "")
    assert read == clean(text, 4_000)
