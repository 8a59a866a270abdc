"""Rollbacks and containment that are killed half way, at each step and by each way, and two people who do the same at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from runbook_shop import Langfuse, serving

from truegreen.evaluation.evalsets import pinning
from truegreen.runbook import flags

STAND = ("--override", "ann", "--reason", "it served in May", "--verify-count", "0")
KILLED = """
import os, sys
from dataclasses import replace
from truegreen.runbook import contain, log
from truegreen.runbook.rollback.ways import KINDS

def die():
    os.kill(os.getpid(), 9)

def dying(real, before):
    def call(*words):
        if before:
            die()
        real(*words)
        die()
    return call

point = sys.argv[1]
if point.startswith("log: "):
    append = log.append
    def stop(*words):
        made = append(*words)
        if words[4] == point[5:]:
            die()
        return made
    log.append = stop
else:
    before = point == "before the change"
    for name, kind in KINDS.items():
        KINDS[name] = replace(kind, move=dying(kind.move, before))
    contain._set = dying(contain._set, before)
from truegreen.core.cli import main
main(sys.argv[2:])
"""


@dataclass(frozen=True)
class Way:
    """One way back: what configures it, and what is set now."""

    component: str
    facts: dict[str, Any]
    old: str
    to: str
    now: Callable[[], str]
    more: dict[str, Any]


def _way(name: str, folder: Path, stack: ExitStack) -> Way:
    made: tuple[str, dict[str, Any], str, str, Callable[[], str]]
    more: dict[str, Any] = {}
    if name == "folder":
        (folder / "prompts").mkdir()
        for version in ("v1", "v2", "live"):
            (folder / "prompts" / version).write_text(f"text of {'v2' if version == 'live' else version}")
        made = "prompt", {"path": "prompts", "file": "live"}, "v2", "v1", lambda: (folder / "prompts" / "live").read_text()[8:]
    elif name == "lock":
        pin = {
            "provider": "openai",
            "model": "m",
            "pinned": "2026-11-01T00:00:00Z",
            "evalset": "e",
            "require": 1.0,
            "evidence": None,
        }
        gone = {**pin, "version": "m-1", "until": "2026-11-20T00:00:00Z", "let_go_by": "r"}
        pinning.save(folder / "truegreen.lock", [{**pin, "version": "m-2"}], [gone])
        made = "model", {"path": "truegreen.lock", "name": "m"}, "m-2", "m-1", lambda: pinning.load(folder / "truegreen.lock")[0][0]["version"]  # fmt: skip
    elif name == "git":
        for number in ("v1", "v2"):
            _git(folder, "init", "-q")
            (folder / "tools.json").write_text(number)
            for words in (("add", "tools.json"), ("commit", "-q", "-m", number), ("tag", number)):
                _git(folder, *words)
        made = "tools", {"path": ".", "file": "tools.json"}, "v2", "v1", lambda: (folder / "tools.json").read_text()
    elif name.startswith("flag"):
        flags.save(
            folder / "flags.json", flags.turned(flags.load(folder / "flags.json"), "retrieval_index", flags.Switch("kb-2", None))
        )
        made = "index", {"name": "retrieval_index"}, "kb-2", "kb-1", lambda: flags.state(flags.load(folder / "flags.json"), "retrieval_index").value  # fmt: skip
        if name == "flag elsewhere":
            (folder / "set").write_text("kb-2")
            put = "import sys, pathlib; pathlib.Path('set').write_text(sys.argv[1].removeprefix('--value='))"
            more = {"containment": {"command": [sys.executable, "-c", put, "--value={value}"]}}
            made = (*made[:4], lambda: (folder / "set").read_text())
    elif name == "command":
        (folder / "kept").write_text("g2")
        put = "import sys, pathlib; pathlib.Path('kept').write_text(sys.argv[1])"
        ways = {"current": ["cat", "kept"], "dry_run": ["true"], "apply": [sys.executable, "-c", put, "{to}"]}
        made = "guardrail", ways, "g2", "g1", (folder / "kept").read_text
    else:
        kept = {"at": "Kb_v2"}
        url = stack.enter_context(serving({"weaviate": _weaviate, "qdrant": _qdrant}[name](kept)))
        made = "index", {"url": url, "name": "Kb"}, "Kb_v2", "Kb_v1", lambda: kept["at"]
    component, facts, old, to, now = made
    return Way(component, {"type": name.split(maxsplit=1)[0], **facts}, old, to, now, more)


def _git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=ann", "-c", "user.email=ann@example.org")
    subprocess.run(["git", "-C", folder, *who, *words], check=True, capture_output=True)


def _weaviate(kept: dict[str, str]) -> Callable[..., tuple[int, Any]]:
    def answer(method: str, path: str, body: Any, _: str) -> tuple[int, Any]:
        if path == "/v1/schema":
            return 200, {"classes": [{"class": "Kb_v1"}, {"class": "Kb_v2"}]}
        if method == "PUT":
            kept["at"] = body["class"]
        return 200, {"alias": "Kb", "class": kept["at"]}

    return answer


def _qdrant(kept: dict[str, str]) -> Callable[..., tuple[int, Any]]:
    def answer(method: str, path: str, body: Any, _: str) -> tuple[int, Any]:
        if path == "/collections":
            return 200, {"result": {"collections": [{"name": "Kb_v1"}, {"name": "Kb_v2"}]}}
        if method == "POST":
            kept["at"] = body["actions"][1]["create_alias"]["collection_name"]
            return 200, {"result": True}
        return 200, {"result": {"aliases": [{"alias_name": "Kb", "collection_name": kept["at"]}]}}

    return answer


@pytest.fixture
def way(run: Callable[..., Any], tmp_path: Path) -> Any:
    """`way(name)` sets one way up and opens an incident."""
    with ExitStack() as stack:

        def made(name: str) -> Way:
            found = _way(name, tmp_path, stack)
            (tmp_path / "truegreen.yaml").write_text(
                json.dumps({"incidents": {"rollback": {found.component: found.facts}}, **found.more})
            )
            assert run("incident", "open", "--service", "s", "--environment", "e", "--slo", "grounding").code == 0
            return found

        yield made


def _killed(point: str, *words: str) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, point, *words], env=dict(os.environ), capture_output=True, check=False)
    assert done.returncode == -9, done.stderr.decode() + done.stdout.decode()


def _kinds(run: Callable[..., Any]) -> list[str]:
    return [e["kind"] for e in run("incident", "log", "--json").facts["events"]]


WAYS = ("folder", "lock", "git", "flag", "flag elsewhere", "command", "weaviate", "qdrant")
POINTS = ("log: evidence frozen", "log: rollback begun", "before the change", "after the change", "log: rollback applied")


@pytest.mark.full
@pytest.mark.parametrize(
    ("name", "point"),
    [pytest.param(w, p, id=f"{w}, {p}") for w in WAYS for p in POINTS],
)
def test_a_rollback_that_was_killed_is_finished_by_the_same_words(
    run: Callable[..., Any], way: Callable[[str], Way], name: str, point: str
) -> None:
    """On whichever side of the change it died; its undo leads to what was there before both."""
    where = way(name)
    words = ("rollback", where.component, "--to", where.to, *STAND)
    _killed(point, *words)
    done = point in ("after the change", "log: rollback applied")
    assert where.now() == (where.to if done else where.old)
    again = run(*words, "--json")
    assert (again.code, where.now()) == (0, where.to), again.err
    assert run("incident", "log", "--verify").code == 0
    assert _kinds(run).count("rollback applied") == 1
    undone = run("rollback", "undo", str(again.facts["event"]), "--verify-count", "0")
    assert (undone.code, where.now()) == (0, where.old), undone.err
    assert "to undo: none" in run("rollback", "undo", str(again.facts["event"])).err


@pytest.mark.full
@pytest.mark.parametrize("point", POINTS[2:4])
def test_an_undo_that_was_killed_is_finished_by_a_second_one(
    run: Callable[..., Any], way: Callable[[str], Way], point: str
) -> None:
    """By a command that sets a flag elsewhere, which cannot be asked where it stands."""
    where = way("flag elsewhere")
    number = str(run("rollback", where.component, "--to", where.to, *STAND, "--json").facts["event"])
    _killed(point, "rollback", "undo", number, "--verify-count", "0")
    assert run("rollback", "undo", number, "--verify-count", "0").code == 0
    assert where.now() == where.old


def test_a_command_of_a_flag_that_gives_no_answer_may_have_moved_it(
    run: Callable[..., Any], way: Callable[[str], Way], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It moved and hung: the log does not say that it failed, and the undo sets the flag back there."""
    where = way("flag elsewhere")
    config = json.loads((tmp_path / "truegreen.yaml").read_text())
    command = config["containment"]["command"]
    hangs = [*command[:2], command[2] + "; import time; time.sleep(60)", *command[3:]]
    (tmp_path / "truegreen.yaml").write_text(json.dumps({**config, "containment": {"command": hangs}}))
    with monkeypatch.context() as patch:
        patch.setattr("truegreen.runbook.argv.SECONDS", 2.0)
        ended = run("rollback", where.component, "--to", where.to, *STAND)
    assert (ended.code, "is not known" in ended.err, where.now()) == (1, True, where.to), ended.err
    last = run("incident", "log", "--json").facts["events"][-1]
    assert last["kind"] == "rollback unanswered"
    (tmp_path / "truegreen.yaml").write_text(json.dumps(config))
    assert run("rollback", "undo", str(last["seq"] - 1), "--verify-count", "0").code == 0
    assert where.now() == where.old


class Gate:
    """A Prometheus that answers nobody before it is opened: whoever asks for evidence stands still, with the component in hand."""

    def __init__(self) -> None:
        self.open, self.asked = threading.Event(), threading.Event()

    def answer(self, *_: Any) -> tuple[int, Any]:
        """Wait, then say that nothing is known."""
        self.asked.set()
        self.open.wait(60)
        return 500, {}


@pytest.mark.full
@pytest.mark.parametrize("name", ["folder", "lock", "flag", "git"])
def test_of_two_who_roll_back_at_once_one_moves_and_the_other_is_told(
    run: Callable[..., Any], way: Callable[[str], Way], name: str
) -> None:
    """Both begin together; the second changes nothing and writes nothing into the log."""
    where = way(name)
    _contended(run, where.component, where.to)
    assert where.now() == where.to


@pytest.mark.full
def test_of_two_who_move_a_label_at_once_one_moves_it(run: Callable[..., Any], langfuse: Langfuse) -> None:
    """Langfuse has no lock: ours is held."""
    assert run("incident", "open", "--service", "s", "--environment", "e", "--slo", "grounding").code == 0
    _contended(run, "prompt", "4", "--name", "support")
    assert langfuse.production() == 4
    assert [m for m, _ in langfuse.calls].count("PATCH") == 1


CONTENDING = """
import sys
from truegreen.runbook import bundle, in_time, seen
bundle.PATIENCE = in_time.EACH = seen.IMPATIENT = 100.0
from truegreen.core.cli import main
main(sys.argv[1:])
"""


def _contended(run: Callable[..., Any], component: str, to: str, *more: str) -> None:
    gate = Gate()
    with serving(gate.answer) as url:
        words = ("rollback", component, "--to", to, *STAND, *more, "--prometheus-url", url)
        both = [
            subprocess.Popen([sys.executable, "-c", CONTENDING, *words], env=dict(os.environ), stderr=subprocess.PIPE)
            for _ in range(2)
        ]
        told: dict[int, tuple[int, str]] = {}

        def waited(n: int) -> None:
            _, err = both[n].communicate(timeout=100)
            told[n] = (both[n].returncode, err.decode())
            gate.open.set()

        waiting = [threading.Thread(target=waited, args=(n,)) for n in range(2)]
        for one in waiting:
            one.start()
        for one in waiting:
            one.join()
    codes = sorted(code for code, _ in told.values())
    assert codes == [0, 1], told
    refused = next(err for code, err in told.values() if code == 1)
    assert "somebody else moves" in refused, refused
    assert run("incident", "log", "--verify").code == 0
    kinds = _kinds(run)
    assert kinds == ["incident opened", "evidence frozen", "rollback begun", "rollback applied"]


@pytest.mark.full
def test_of_two_who_pin_at_once_both_land_one_after_the_other(run: Callable[..., Any], tmp_path: Path) -> None:
    """The newer one serves, and its undo leads to the older one."""
    assert run("incident", "open", "--service", "s", "--environment", "e", "--slo", "grounding").code == 0
    words = ("contain", "pin-model", "--verify-count", "0")
    both = [
        subprocess.Popen([sys.executable, "-m", "truegreen.core", *words, model], env=dict(os.environ), stderr=subprocess.PIPE)
        for model in ("m-1", "m-2")
    ]
    for one in both:
        _, err = one.communicate(timeout=100)
        assert one.returncode == 0, err
    first, second = run("contain", "list", "--json").facts["switches"]
    assert {first["value"], second["value"]} == {"m-1", "m-2"}
    assert (_pinned(tmp_path), second["previous"]) == (second["value"], first["value"])
    assert run("contain", "undo", str(second["number"])).code == 0
    assert _pinned(tmp_path) == first["value"]
    assert run("incident", "log", "--verify").code == 0


def _pinned(folder: Path) -> str:
    return flags.state(flags.load(folder / "flags.json"), "pinned_model").value


SWITCHES = {"pin-model": ("contain", "pin-model", "m-1", "--verify-count", "0"), "run": ("contain", "run", "drain")}


@pytest.fixture
def draining(run: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """An open incident, and a switch of the team's own that counts how often it ran."""
    add = "import sys, pathlib; p = pathlib.Path(sys.argv[1]); p.write_text((p.read_text() if p.exists() else '') + 'x')"
    own = {part: [sys.executable, "-c", add, part] for part in ("apply", "undo")}
    (tmp_path / "truegreen.yaml").write_text(json.dumps({"containment": {"commands": {"drain": own}}}))
    assert run("incident", "open", "--service", "s", "--environment", "e", "--slo", "grounding").code == 0
    return run


@pytest.mark.full
@pytest.mark.parametrize("name", SWITCHES)
@pytest.mark.parametrize("point", ["log: evidence frozen", "log: contain begun", "before the change", "after the change"])
def test_a_switch_that_was_killed_is_finished_by_the_same_words(draining: Callable[..., Any], name: str, point: str) -> None:
    """And it is undone once."""
    _killed(point, *SWITCHES[name])
    number = draining(*SWITCHES[name], "--json").facts["event"]
    assert [(s["number"], s["finished"]) for s in draining("contain", "list", "--json").facts["switches"]] == [(number, True)]
    assert draining("contain", "undo", str(number)).code == 0
    assert draining("contain", "list", "--json").facts["switches"] == []
    assert draining("incident", "log", "--verify").code == 0


@pytest.mark.full
@pytest.mark.parametrize("point", ["before the change", "after the change", "log: contain renewed"])
def test_a_renewal_that_was_killed_is_given_again(draining: Callable[..., Any], tmp_path: Path, point: str) -> None:
    """The log and the file agree on the end afterwards, and the switch never went off."""
    number = draining(*SWITCHES["pin-model"], "--expires", "10m", "--json").facts["event"]
    words = ("contain", "renew", str(number), "--expires", "2h")
    _killed(point, *words)
    assert _pinned(tmp_path) == "m-1"
    assert draining(*words).code == 0
    (listed,) = draining("contain", "list", "--json").facts["switches"]
    assert listed["expires"] == flags.state(flags.load(tmp_path / "flags.json"), "pinned_model").expires
    assert listed["expires"] - listed["applied"] > 6_000


@pytest.mark.full
@pytest.mark.parametrize("point", ["log: evidence frozen", "before the change", "after the change", "log: contain undone"])
def test_after_a_lift_that_was_killed_every_switch_can_be_taken_away_once(
    draining: Callable[..., Any], tmp_path: Path, point: str
) -> None:
    """No switch is forgotten, none is undone twice, and the end is not taken for validated."""
    for words in SWITCHES.values():
        assert draining(*words).code == 0
    stand = ("--override", "ann", "--reason", "the fix is out", "--window", "1s")
    _killed(point, "contain", "lift", *stand)
    assert draining("contain", "lift").code == 1
    undone: list[int] = []
    while numbers := [s["number"] for s in draining("contain", "list", "--json").facts["switches"]]:
        ended = draining("contain", "undo", str(numbers[-1]))
        assert ended.code == 0, ended.err
        undone.append(numbers[-1])
    assert _pinned(tmp_path) == ""
    assert (tmp_path / "undo").read_text() == ("xx" if point == "after the change" else "x")
    events = draining("incident", "log", "--json").facts["events"]
    gone = [e["data"]["undone"] for e in events if e["kind"] == "contain undone"]
    assert len(gone) == len(set(gone)) == 2
    assert draining("incident", "log", "--verify").code == 0
