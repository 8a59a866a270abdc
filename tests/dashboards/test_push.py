"""Pushing boards to a Grafana: the difference first, all of it, or what was written is put back and said."""

from __future__ import annotations

import copy
import io
import json
import os
import signal
import threading

import pytest
from grafana_server import CHANGED, GONE, TAKEN, TOKEN, Grafana, grafana

from truegreen.core.cli import main

UIDS = ("a", "b", "c", "d", "e", "f")
HELD = 20.0


def small(uid, title="One"):
    """A board of one panel."""
    return {
        "uid": uid,
        "title": f"{title} {uid}",
        "panels": [{"id": 1, "title": title, "targets": [{"refId": "A", "expr": f"up{{x={uid!r}}}"}]}],
    }


@pytest.fixture
def folder(tmp_path):
    """Six small boards as files."""
    where = tmp_path / "boards"
    where.mkdir()
    for uid in UIDS:
        (where / f"{uid}.json").write_text(json.dumps(small(uid)), "utf-8")
    return where


@pytest.fixture
def kept():
    """A Grafana with our folder and an older version of each board but the last, in its root."""
    made = Grafana(folders={"truegreen": "truegreen"})
    for uid in UIDS[:-1]:
        made.put(small(uid, "Old"), folder="")
    with grafana(made):
        yield made


@pytest.fixture
def push(monkeypatch, capsys, folder, tmp_path):
    """`push(grafana, *arguments)` is the exit code and what was said."""
    monkeypatch.setenv("TRUEGREEN_GRAFANA_TOKEN", TOKEN)
    monkeypatch.chdir(tmp_path)

    def run(at, *arguments, boards=folder):
        given = ["dashboard", "push", "--grafana-url", at.url, *(["--boards", str(boards)] if boards else []), *arguments]
        with pytest.raises(SystemExit) as end:
            main(given)
        out, err = capsys.readouterr()
        assert TOKEN not in out + err
        return end.value.code, out + err

    return run


def _nth(number, answer, *, uid=""):
    """Answers the nth save in another way."""
    seen = []

    def behave(method, path, body):
        if path == "/api/dashboards/db":
            seen.append(body["dashboard"]["uid"])
            return answer(body) if len(seen) == number and uid in ("", seen[-1]) else None
        return None

    return behave


def _became(said, word):
    return [line.removeprefix(word).split(":")[0].strip() for line in said.splitlines() if line.startswith(word)]


def test_the_generated_boards_are_pushed_once_and_then_found_again(push, plain, tmp_path):
    """A first push makes the folder and all boards; the second one writes nothing, whatever defaults a newer Grafana has added or left out."""
    for name, text in plain.files.items():
        if name.endswith(".json"):
            (tmp_path / name).write_text(text, "utf-8")
    with grafana(Grafana()) as at:
        code, said = push(at, "--yes", boards=None)
        assert code == 0, said
        saved = [body for method, path, body in at.calls if path == "/api/dashboards/db"]
        assert len(saved) == len(at.boards) == len(_became(said, "written"))
        assert "truegreen-overview" in at.boards
        assert at.folders == {"truegreen": "truegreen"}
        assert {body["folderUid"] for body in saved} == {"truegreen"}
        assert all(
            "folderId" not in body and body["overwrite"] is False and body["message"].startswith("truegreen ") for body in saved
        )
        at.calls.clear()
        at.defaults = {"repeatDirection": "h", "cachedPluginOptions": {}}
        for each in at.boards.values():
            for panel in each["dashboard"]["panels"]:
                for name in ("transparent", "links", "transformations"):
                    if not panel.get(name):
                        panel.pop(name, None)
            each["dashboard"]["annotations"]["list"].insert(0, {"builtIn": 1, "name": "Annotations & Alerts"})
        code, said = push(at, boards=tmp_path)
        assert (code, at.written()) == (0, [])
        assert len(_became(said, "same")) == len(saved)


def test_a_changed_panel_is_shown_and_written_over(push, kept):
    """The difference says where, what is there and what will be; `--check` writes nothing and exits 1."""
    code, said = push(kept, "--check")
    assert code == 1
    assert 'folder: - "the root" + "truegreen"' in said
    assert 'panels[0].title: - "Old" + "One"' in said
    assert _became(said, "new") == ["f"]
    assert "6 of 6 boards differ" in said
    assert kept.written() == []
    code, said = push(kept, "--yes")
    assert code == 0
    assert _became(said, "written") == list(UIDS)
    assert {uid: each["dashboard"]["version"] for uid, each in kept.boards.items()} == {**dict.fromkeys(UIDS[:-1], 2), "f": 1}
    assert {each["meta"]["folderUid"] for each in kept.boards.values()} == {"truegreen"}


TURNED = {
    "another time": ({"timeFrom": "30d", "timeShift": "7d"}, ('panels[0].timeFrom: - "30d" + nothing', 'panels[0].timeShift: - "7d" + nothing')),
    "another resolution": ({"maxDataPoints": 3, "interval": "1h"}, ("panels[0].maxDataPoints: - 3 + nothing", 'panels[0].interval: - "1h" + nothing')),
    "another scale": ({"fieldConfig": {"defaults": {"max": 0, "mappings": [{"type": "value"}]}}}, ("panels[0].fieldConfig: - ",)),
    "a panel that is kept elsewhere": ({"libraryPanel": {"uid": "x", "name": "Shared"}}, ('panels[0].libraryPanel: - "(Shared)" + nothing',)),
    "copies of it": ({"repeat": "service"}, ('panels[0].repeat: - "service" + nothing',)),
}  # fmt: skip


@pytest.mark.parametrize("how", TURNED)
def test_what_somebody_added_is_shown_and_taken_away(push, kept, how):
    """A board of which every panel shows last week has all that ours says, and something else besides."""
    added, says = TURNED[how]
    board = small("a")
    board["panels"][0].update(added)
    kept.put(board)
    code, said = push(kept, "--check", "--only", "a")
    assert code == 1
    assert all(each in said for each in says), said
    assert push(kept, "--yes", "--only", "a")[0] == 0
    code, said = push(kept, "--check", "--only", "a")
    assert (code, _became(said, "same")) == (0, ["a"])


BUILT_IN = {"list": [{"builtIn": 1, "name": "Annotations & Alerts", "type": "dashboard"}]}


def test_an_export_is_pushed_once_and_then_found_again(push, kept, folder):
    """With the annotation that every export has."""
    (folder / "a.json").write_text(json.dumps({**small("a"), "annotations": BUILT_IN, "id": 5, "version": 9}), "utf-8")
    assert push(kept, "--yes", "--only", "a")[0] == 0
    code, said = push(kept, "--check", "--only", "a")
    assert (code, _became(said, "same")) == (0, ["a"]), said


def test_a_board_saved_in_a_browser_is_put_back_after_an_error_too(push, kept):
    """It has the annotation of every Grafana, and is its own old content all the same."""
    kept.boards["a"]["dashboard"]["annotations"] = BUILT_IN
    kept.before = _nth(2, lambda _: (403, {"message": "Access denied"}))
    kept.after = _nth(2, lambda _: (502, "<html>"), uid="a")
    code, said = push(kept, "--yes")
    assert code == 1
    assert _became(said, "put back") == ["a"], said
    assert kept.boards["a"]["dashboard"]["title"] == "Old a"


def test_an_export_for_sharing_is_refused_before_grafana_is_asked(push, kept, folder):
    """Its data sources are names that no Grafana has."""
    (folder / "b.json").write_text(json.dumps({"__inputs": [{"name": "DS_PROMETHEUS"}], **small("b")}), "utf-8")
    code, said = push(kept, "--yes")
    assert (code, "is an export for sharing" in said, kept.calls) == (2, True, [])


def test_mistakes_of_boards_from_files_are_counted_before_they_are_written(push, kept, folder):
    """`dashboard lint` of the folder says them."""
    _, said = push(kept, "--check", "--only", "a")
    assert f"lint finds 2 errors in these boards: truegreen dashboard lint {folder}" in said, said


def test_a_board_that_comes_late_is_not_called_untouched(push, kept):
    """Grafana saves it after nobody waits any more: seen while it is looked for, else said to be possible."""
    free = threading.Event()
    looks = []

    def slow(_):
        free.wait(HELD)

    def behave(method, path, body):
        if method == "GET" and path.endswith("uid/b") and "POST /api/dashboards/db" in kept.written()[1:]:
            looks.append(path)
            if len(looks) == 2:
                kept.put(small("b"))
        return _save(method, path, body)

    _save = _nth(2, lambda body: slow(body) or GONE)
    kept.before = behave
    code, said = push(kept, "--yes", "--timeout", "1")
    free.set()
    assert code == 1
    assert _became(said, "put back") == ["a", "b"], said
    assert {each["dashboard"]["title"] for each in kept.boards.values()} == {f"Old {uid}" for uid in UIDS[:-1]}


FOLDERS = {
    "refused": (lambda: (403, {"message": "Access denied"}), "the role Editor", "there was no folder truegreen"),
    "a title that is taken": (
        lambda: (409, {"message": "a folder with the same name already exists"}),
        "give that uid, which is in the folder's address",
        "there was no folder truegreen",
    ),
    "412 for it": (lambda: TAKEN, "--folder", "there was no folder truegreen"),
    "no answer": (lambda: GONE, "broke", "there was no folder truegreen"),
}


@pytest.mark.parametrize("what", FOLDERS)
def test_a_folder_that_cannot_be_made_leaves_a_list_too(push, kept, what):
    """Every board is named as not touched, with what to do about the folder."""
    kept.folders.clear()
    answer, *says = FOLDERS[what]
    kept.before = lambda method, path, _: answer() if (method, path) == ("POST", "/api/folders") else None
    code, said = push(kept, "--yes")
    assert code == 1
    assert _became(said, "not touched") == list(UIDS)
    assert all(each in said for each in says), said
    assert "another board of that folder" not in said
    _, said = push(kept, "--yes", "--json")
    assert [each["became"] for each in json.loads(said)["results"]] == ["not touched"] * 6


def test_a_folder_that_was_made_without_an_answer_is_said(push, kept):
    """It is there, and empty."""
    kept.folders.clear()
    kept.after = lambda method, path, _: GONE if (method, path) == ("POST", "/api/folders") else None
    code, said = push(kept, "--yes")
    assert (code, "folder truegreen was made and is empty" in said) == (1, True), said


def test_a_board_that_lies_elsewhere_is_moved(push, kept):
    """Where only the folder differs, the board is moved and the difference says so."""
    kept.put(small("a"), folder="")
    code, said = push(kept, "--yes", "--only", "a")
    assert code == 0
    assert _became(said, "moved") == ["a"]
    assert kept.boards["a"]["meta"]["folderUid"] == "truegreen"
    assert len([call for call in kept.written() if "dashboards" in call]) == 1


def test_a_panel_more_makes_one_difference_and_not_many(push, kept):
    """Panels are paired by id, so what stands after a new one is not different."""
    board = small("a")
    board["panels"].insert(0, {"id": 9, "title": "By hand", "targets": []})
    kept.put(board)
    _, said = push(kept, "--check", "--only", "a")
    assert [line.strip() for line in said.splitlines() if "panels" in line] == ['panels[1]: - "(By hand)" + nothing']


REFUSALS = {
    "no token that it knows": (lambda *_: (401, {"message": "Unauthorized"}), "set TRUEGREEN_GRAFANA_TOKEN"),
    "no right": (lambda *_: (403, {"message": "Access denied"}), "the role Editor"),
    "a login page": (lambda *_: (302, ""), "name the address of Grafana itself"),
    "a page": (lambda *_: (200, "<html>"), "is it the address of Grafana?"),
    "another program": (lambda *_: (200, {"status": "success"}), "is it the address of Grafana?"),
    "an error of its own": (lambda *_: (500, {"message": "boom"}), "look at its log"),
}


@pytest.mark.parametrize("what", REFUSALS)
@pytest.mark.parametrize("path", ["/api/health", "/api/folders/truegreen", "/api/dashboards/uid/c"])
def test_what_cannot_be_read_stops_the_push_before_it_begins(push, kept, what, path):
    """Nothing is written, and the message says what to do."""
    answer, says = REFUSALS[what]
    kept.before = lambda _, asked, __: answer() if asked == path else None
    code, said = push(kept, "--yes")
    assert code == 1
    assert says in said
    assert "nothing was written" in said
    assert kept.written() == []


@pytest.mark.parametrize(
    ("meta", "says"),
    [
        ({"provisioned": True, "provisionedExternalId": "truegreen/c.json"}, "Grafana reads it from truegreen/c.json"),
        ({"canSave": False}, "may read it and not save it"),
        ({"isFolder": True}, "the uid is a folder's"),
    ],
)
def test_a_board_that_must_not_be_saved_stops_the_push_before_it_begins(push, kept, meta, says):
    """All reasons are said at once, and nothing is written."""
    kept.put(small("b"), **meta)
    kept.put(small("c"), **meta)
    code, said = push(kept, "--yes")
    assert code == 1
    assert said.count(says) == 2
    assert "nothing was written: b, c cannot be pushed" in said
    assert kept.written() == []


FAILURES = {
    "changed by somebody": (lambda _: CHANGED, "somebody saved it since it was read"),
    "a title that is taken": (lambda _: TAKEN, "another board of that folder has its title"),
    "a conflict of unified storage": (
        lambda _: (409, {"message": "the object has been modified"}),
        "the object has been modified",
    ),
    "a bad gateway": (lambda _: (502, "<html>"), "502"),
    "no answer": (lambda _: GONE, "broke"),
    "a token that ran out": (lambda _: (401, {"message": "Expired"}), "401"),
}


@pytest.mark.parametrize("what", FAILURES)
def test_what_was_written_is_put_back_when_a_board_fails(push, kept, what):
    """The boards before it have their old content and folder again, those after it are not touched, and all of it is said."""
    before = copy.deepcopy(kept.boards)
    answer, says = FAILURES[what]
    kept.before = _nth(4, answer)
    code, said = push(kept, "--yes")
    assert code == 1
    assert says in said
    assert _became(said, "put back") == ["a", "b", "c"]
    assert _became(said, "not touched") == ["d", "e", "f"]
    assert "Grafana has the boards that it had before" in said
    assert _contents(kept.boards) == _contents(before)
    assert [kept.boards[uid]["dashboard"]["version"] for uid in UIDS[:-1]] == [3, 3, 3, 1, 1]


def _contents(boards):
    return {uid: ({**each["dashboard"], "version": 0}, each["meta"]["folderUid"]) for uid, each in boards.items()}


def test_a_new_board_that_was_written_is_deleted_again(push):
    """Put back means that it is not there."""
    with grafana(Grafana()) as at:
        at.before = _nth(3, lambda _: CHANGED)
        code, said = push(at, "--yes")
    assert code == 1
    assert at.boards == {}
    assert "and the new folder, empty" in said
    assert _became(said, "put back") == ["a", "b"]


@pytest.mark.parametrize("how", ["closed", "held"])
@pytest.mark.parametrize("saved", [True, False])
def test_without_an_answer_the_board_says_whether_it_was_written(push, kept, how, saved):
    """What was saved without a word is put back too; what was not is not touched."""
    before = copy.deepcopy(kept.boards)
    free = threading.Event()

    def silent(_):
        if how == "held":
            free.wait(HELD)
        return GONE

    setattr(kept, "after" if saved else "before", _nth(2, silent))
    code, said = push(kept, "--yes", *(["--timeout", "1"] if how == "held" else []))
    free.set()
    assert code == 1
    assert _became(said, "put back") == (["a", "b"] if saved else ["a"])
    assert _contents(kept.boards) == _contents(before)
    assert ("did not answer within 1 s" if how == "held" else "broke") in said
    late = how == "held" and not saved
    assert _became(said, "unknown") == ["b"] * late
    assert ("look at b in Grafana" in said, "Grafana has the boards that it had before" in said) == (late, not late)


def test_a_grafana_that_is_gone_leaves_a_list_of_what_is_unknown(push, kept):
    """What cannot be put back, and what nobody knows of, is named."""
    gone = threading.Event()

    def behave(method, path, body):
        if path == "/api/dashboards/db" and body["dashboard"]["uid"] == "c":
            gone.set()
        return GONE if gone.is_set() else None

    kept.before = behave
    code, said = push(kept, "--yes")
    assert code == 1
    assert _became(said, "could not be put back") == ["a", "b"]
    assert _became(said, "unknown") == ["c"]
    assert _became(said, "not touched") == ["d", "e", "f"]
    assert "look at a, b, c in Grafana" in said


def test_what_somebody_changed_in_between_is_left_to_them(push, kept):
    """Neither their board nor their change of ours is written over."""

    def meanwhile(_):
        kept.put(small("a", "Theirs"))
        return CHANGED

    kept.before = _nth(2, meanwhile)
    code, said = push(kept, "--yes")
    assert code == 1
    assert "somebody changed it since" in said
    assert kept.boards["a"]["dashboard"]["title"] == "Theirs a"


def test_a_version_that_grew_is_seen_even_where_grafana_compares_none(push, kept):
    """Grafana 12.0.0 takes any version; so it is read once more before each save."""

    def lax(method, path, body):
        if method == "GET" and path.endswith("uid/b") and len([1 for call in kept.calls if call[1] == path]) == 2:
            kept.put(small("b", "Theirs"))
        if path == "/api/dashboards/db":
            body["overwrite"] = True

    kept.before = lax
    code, said = push(kept, "--yes")
    assert code == 1
    assert "has version 2, which was 1" in said
    assert kept.boards["b"]["dashboard"]["title"] == "Theirs b"
    assert _became(said, "put back") == ["a"]


@pytest.mark.usefixtures("heard")
def test_an_interrupt_puts_back_what_was_written(push, kept):
    """Ctrl-C between the save and its answer."""
    before = copy.deepcopy(kept.boards)
    free = threading.Event()

    def interrupted(_):
        os.kill(os.getpid(), signal.SIGINT)
        free.wait(HELD)
        return GONE

    kept.after = _nth(3, interrupted)
    code, said = push(kept, "--yes")
    free.set()
    assert code == 1
    assert "interrupted" in said
    assert _became(said, "put back") == ["a", "b", "c"]
    assert _contents(kept.boards) == _contents(before)


def test_nobody_is_asked_where_nobody_can_answer(push, kept):
    """Without a terminal, `--yes` says that it is meant."""
    code, said = push(kept)
    assert code == 2
    assert "add --yes" in said
    assert kept.written() == []


@pytest.mark.parametrize(("answer", "written"), [("n\n", False), ("y\n", True)])
def test_a_person_is_asked_and_no_means_no(push, kept, monkeypatch, answer, written):
    """At a terminal."""
    terminal = io.StringIO(answer)
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdin", terminal)
    code, said = push(kept, "--only", "f")
    assert (code, bool(kept.written())) == (int(not written), written)
    assert "Write 1 board?" in said
    assert ("nothing was written" in said) is not written


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--only", "z"), "there is no board z; write one of a, b"),
        (("--folder", "nowhere"), "Grafana has no folder nowhere"),
        (("--folder", "truegreen?x"), "write the uid of a folder"),
        (("--folder", ""), "write the uid of a folder"),
        (("--grafana-url", "localhost:3000"), "write it with its scheme"),
    ],
)
def test_bad_usage_is_said_and_exits_2(push, kept, arguments, says):
    """Before anything is written."""
    code, said = push(kept, "--yes", *arguments)
    assert code == 2
    assert says in said
    assert kept.written() == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "a.json:1: not JSON"),
        ('{"panels": [], "title": "x"}', "uid None: write 1 to 40"),
        ('{"panels": [], "uid": "b", "title": "x"}', "two files of"),
        ('{"panels": [],\n "uid": "a", "title": " "}', "a.json:2: has no title"),
    ],
)
def test_a_file_that_is_no_board_is_said_before_grafana_is_asked(push, kept, folder, text, says):
    """With file and line."""
    (folder / "a.json").write_text(text, "utf-8")
    code, said = push(kept, "--yes")
    assert code == 2
    assert says in said
    assert kept.calls == []


def test_a_path_before_the_api_and_a_title_of_any_language(push, folder, capsys):
    """Grafana behind a proxy's path; what it keeps is what was in the file."""
    (folder / "a.json").write_text(json.dumps(small("a", "Größe — 量")), "utf-8")
    with grafana(Grafana(prefix="/grafana")) as at:
        code, said = push(at, "--yes")
    assert code == 0, said
    assert at.boards["a"]["dashboard"]["title"] == "Größe — 量 a"


def test_an_address_that_is_not_grafanas_own_is_said(push, kept):
    """Its path is missing, or is that of a board."""
    kept.url += "/d/x/overview"
    code, said = push(kept, "--check")
    assert (code, "without that of a board" in said) == (1, True), said


def test_a_password_in_the_address_is_sent_and_never_said(push, kept, monkeypatch):
    """Neither in the report nor in an error."""
    monkeypatch.delenv("TRUEGREEN_GRAFANA_TOKEN")
    kept.url = kept.url.replace("://", "://admin:geheim@")
    code, said = push(kept, "--check")
    assert code == 1
    assert "401" in said
    assert "geheim" not in said


def test_machines_get_one_json(push, kept):
    """With what differs and what became of it."""
    kept.before = _nth(2, lambda _: CHANGED)
    code, said = push(kept, "--yes", "--json")
    told = json.loads(said)
    assert code == 1
    assert [each["state"] for each in told["boards"]] == ["changed"] * 5 + ["new"]
    assert [each["became"] for each in told["results"]] == ["put back", *["not touched"] * 5]
    assert "somebody saved it" in told["stopped"]
