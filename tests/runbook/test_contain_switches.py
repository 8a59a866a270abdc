"""Every switch of `truegreen contain`: its value in the flag file, its evidence and log, its end."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from runbook_shop import App, Impatient

from truegreen.core.clients import prometheus
from truegreen.runbook import argv, flags, seen, switches
from truegreen.runbook import log as store
from truegreen.runbook.commands import common

QUICK = ("--verify-count", "0")


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the commands' clock says."""
    moment = [1_800_000_000.0]
    monkeypatch.setattr(common, "Desk", functools.partial(Impatient, clock=lambda: moment[0]))
    return moment


@pytest.fixture
def incident(run: Callable[..., Any], now: list[float]) -> Callable[..., Any]:
    """An open incident of a service whose name is hostile; gives back `run`."""
    assert run("incident", "open", "--service", "s; touch pwned $(id)", "--environment", "-e", "--slo", "grounding").code == 0
    return run


def _value(folder: Path, flag: str) -> str:
    return flags.state(flags.load(folder / "flags.json"), flag).value


@pytest.mark.parametrize(
    ("words", "flag", "value"),
    [
        (("pin-model", "m-1"), "pinned_model", "m-1"),
        (("fallback", "anthropic:claude-x"), "fallback_model", "anthropic:claude-x"),
        (("fallback",), "fallback_model", "openai:spare"),
        (("reduce-context", "3"), "reduced_context", "3"),
        (("cached", "--before", "2027-01-15T07:00:00Z"), "cached_response", "1799996400.000"),
        (("strict-guardrail",), "strict_guardrail", "on"),
        (("feature-off", "refunds"), "feature_disabled", "refunds"),
        (("degraded",), "degraded_mode", "Back soon."),
        (("degraded", "--message", "Nobody is here."), "degraded_mode", "Nobody is here."),
        (("boost",), "evaluation_boost", "100%"),
        (("boost", "25%"), "evaluation_boost", "25%"),
    ],
)
def test_each_switch_sets_its_flag_with_evidence_and_goes_off_again(
    incident: Callable[..., Any], tmp_path: Path, words: tuple[str, ...], flag: str, value: str
) -> None:
    """One table, one way."""
    (tmp_path / "truegreen.yaml").write_text(
        "containment: {fallback: 'openai:spare', degraded_message: Back soon., expires: 20m}\n"
    )
    made = incident("contain", *words, *QUICK, "--json").facts
    assert _value(tmp_path, flag) == value
    assert Path(made["evidence"]["path"]).exists()
    shown = incident("contain", "list", "--json").facts["switches"]
    assert [(s["flag"], s["value"], s["expires"] - s["applied"]) for s in shown] == [(flag, value, 1_200)]
    assert incident("contain", "undo", str(made["event"])).code == 0
    assert _value(tmp_path, flag) == ""
    kinds = [e["kind"] for e in incident("incident", "log", "--json").facts["events"]]
    assert kinds[1:] == ["evidence frozen", "contain begun", "contain applied", "evidence frozen", "undo begun", "contain undone"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("fallback",), "containment.fallback"),
        (("reduce-context", "-1"), ""),
        (("reduce-context", "0"), "such as 3"),
        (("reduce-context", "many"), "such as 3"),
        (("cached",), "names no true start"),
        (("cached", "--before", "yesterday"), "2026-01-31T03:04:05Z"),
        (("cached", "--before", "2026-01-31T03:04:05"), "with its zone"),
        (("cached", "--before", "2099-01-31T03:04:05Z"), "lies ahead"),
        (("feature-off", "a,b"), "one feature"),
        (("degraded", "--message", "a\x1b[31mb"), "--message"),
        (("boost", "0%"), "PERCENT"),
        (("boost", "0.5"), "PERCENT"),
        (("run", "nothing"), "known: none"),
        (("renew", "1"), "no switch that is on"),
        (("undo", "99"), "no event 99"),
    ],
)
def test_a_word_that_is_none_changes_nothing(
    incident: Callable[..., Any], tmp_path: Path, words: tuple[str, ...], says: str
) -> None:
    """Exit 2, before any evidence is needed."""
    ended = incident("contain", *words)
    assert (ended.code, says in ended.err) == (2, True), ended.err
    assert not (tmp_path / "flags.json").exists()
    assert not (tmp_path / "evidence").exists()


def test_cached_answers_end_where_triage_saw_the_incident_begin(incident: Callable[..., Any], tmp_path: Path) -> None:
    """The low end of the true start: nothing that may be bad is served again."""
    log = store.open_log(f"sqlite:///{tmp_path / 'incidents.db'}")
    store.append(log, 1, 1_800_000_000.0, "triage", "triaged", "x", {"start": {"low": 1_799_999_000.0, "time": 1_799_999_100.0}})
    shown = incident("contain", "cached", *QUICK)
    assert _value(tmp_path, "cached_response") == "1799999000.000"
    assert "nothing younger than 2027-01-15T07:43:20Z" in shown.out


def test_features_that_are_off_stay_off_when_another_follows(incident: Callable[..., Any], tmp_path: Path) -> None:
    """And come back in the order that they left."""
    first = incident("contain", "feature-off", "b", *QUICK, "--json").facts["event"]
    second = incident("contain", "feature-off", "a", *QUICK, "--json").facts["event"]
    assert _value(tmp_path, "feature_disabled") == "a,b"
    refused = incident("contain", "undo", str(first))
    assert (refused.code, f"truegreen contain undo {second}" in refused.err) == (2, True)
    assert incident("contain", "undo", str(second)).code == 0
    assert _value(tmp_path, "feature_disabled") == "b"


@pytest.mark.parametrize("ends", [("60m", "10m"), ("10m", "60m")])
def test_a_second_feature_ends_neither_of_the_two_early(
    incident: Callable[..., Any], tmp_path: Path, now: list[float], ends: tuple[str, str]
) -> None:
    """They share one flag, which has one end."""
    incident("contain", "feature-off", "refunds", "--expires", ends[0], *QUICK)
    said = incident("contain", "feature-off", "search", "--expires", ends[1], *QUICK, "--json").facts
    flag = flags.state(flags.load(tmp_path / "flags.json"), "feature_disabled")
    assert flag == flags.Switch("refunds,search", now[0] + 3_600)
    assert "the later end of both" in said["text"]
    assert incident("contain", "undo", str(said["event"])).code == 0
    first = flags.state(flags.load(tmp_path / "flags.json"), "feature_disabled")
    assert first == flags.Switch("refunds", now[0] + (3_600 if ends[0] == "60m" else 600))


def test_a_switch_of_the_team_that_nobody_ended_is_not_listed_as_off(
    incident: Callable[..., Any], tmp_path: Path, now: list[float]
) -> None:
    """Where no `incident serve` runs nothing takes it away."""
    (tmp_path / "truegreen.yaml").write_text(
        json.dumps({"containment": {"commands": {"x": {"apply": ["true"], "undo": ["true"]}}}})
    )
    assert incident("contain", "run", "x", "--expires", "5m").code == 0
    now[0] += 301
    assert "MAY STILL BE ON" in incident("contain", "list").out


def test_the_flag_file_keeps_its_mode_and_its_link(incident: Callable[..., Any], tmp_path: Path) -> None:
    """The application is another user, and may read it by a link."""
    real = tmp_path / "shared" / "flags.json"
    real.parent.mkdir()
    real.write_text('{"flags": {}}')
    if os.geteuid() == 0:
        os.chown(real, 1_234, 1_235)
    real.chmod(0o664)
    before = real.stat()
    (tmp_path / "flags.json").symlink_to(real)
    old = os.umask(0o077)
    try:
        assert incident("contain", "strict-guardrail", *QUICK).code == 0
    finally:
        os.umask(old)
    assert (tmp_path / "flags.json").is_symlink()
    after = real.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert flags.state(flags.load(real), "strict_guardrail").value == "on"


def test_half_a_surrogate_in_a_flag_of_the_team_stays_as_it_is(incident: Callable[..., Any], tmp_path: Path) -> None:
    """JSON can hold it, UTF-8 cannot."""
    theirs = {"state": "ENABLED", "variants": {"on": "\ud83d"}, "defaultVariant": "on"}
    (tmp_path / "flags.json").write_text(json.dumps({"flags": {"theirs": theirs, "degraded_mode": theirs}}))
    made = incident("contain", "degraded", *QUICK, "--json")
    assert made.code == 0, made.err
    assert incident("contain", "undo", str(made.facts["event"])).code == 0
    assert json.loads((tmp_path / "flags.json").read_text())["flags"]["theirs"] == theirs


@pytest.mark.parametrize("name", ["pin-model", "fallback"])
@pytest.mark.parametrize(("value", "model"), [("openai:m-1", "m-1"), ("m-1", "m-1"), ("ft:m-1:shop", "ft:m-1:shop")])
def test_a_model_with_its_provider_is_seen_by_the_name_that_serves(name: str, value: str, model: str) -> None:
    """The application takes the provider off, and spans name the model alone."""
    classify = seen.classifier(switches.BY_NAME[name], value, ("old",))
    assert classify(("served", "asked", model)) == seen.kinds(switches.BY_NAME[name])[0]
    assert classify(("served", "old", "old")) == "other"


def test_of_a_command_that_prints_without_end_the_tail_is_kept() -> None:
    """A command that is verbose for two minutes may not take the machine's memory."""
    script = "import sys; [sys.stdout.write('x' * 99 + chr(10)) for _ in range(400_000)]; print('the last line')"
    tracemalloc.start()
    try:
        ended = argv.run([sys.executable, "-c", script])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert ended == argv.Ended(0, "the last line")
    assert peak < 1_000_000
    assert argv.run(["yes"], 0.2).late


def test_a_switch_is_renewed_and_one_that_expired_is_turned_on_anew(
    incident: Callable[..., Any], tmp_path: Path, now: list[float]
) -> None:
    """Nobody has to remember what it was."""
    made = incident("contain", "pin-model", "m-1", "--expires", "10m", *QUICK, "--json").facts["event"]
    now[0] += 500
    assert incident("contain", "renew", str(made), "--expires", "10m").code == 0
    assert flags.state(flags.load(tmp_path / "flags.json"), "pinned_model").expires == now[0] + 600
    now[0] += 601
    shown = incident("contain", "list")
    assert "EXPIRED" in shown.out
    assert f"renew: truegreen contain renew {made}" in shown.out
    again = incident("contain", "renew", str(made), "--expires", "10m", "--json").facts["event"]
    listed = incident("contain", "list", "--json").facts["switches"]
    assert [(s["number"], s["expired"], s["previous"]) for s in listed] == [(again, False, "")]
    assert incident("contain", "undo", str(again)).code == 0
    assert (_value(tmp_path, "pinned_model"), incident("contain", "list", "--json").facts["switches"]) == ("", [])


def test_a_switch_of_the_team_runs_without_a_shell_and_each_word_stays_one(incident: Callable[..., Any], tmp_path: Path) -> None:
    """The service's name has shell characters; what the command prints is made harmless."""
    script = "import sys, pathlib; pathlib.Path('ran').write_text(repr(sys.argv[1:])); print('\\x1b[31mdone')"
    body = {"containment": {"commands": {"drain": {"apply": [sys.executable, "-c", script, "{service}", "--env={environment}", "{other}"],
                                                   "undo": [sys.executable, "-c", script, "back"]}}}}  # fmt: skip
    (tmp_path / "truegreen.yaml").write_text(json.dumps(body))
    ended = incident("contain", "run", "drain", "--json")
    assert (tmp_path / "ran").read_text() == "['s; touch pwned $(id)', '--env=-e', '{other}']"
    assert not (tmp_path / "pwned").exists()
    number = ended.facts["event"]
    assert [s["flag"] for s in incident("contain", "list", "--json").facts["switches"]] == ["run:drain"]
    assert incident("contain", "undo", str(number)).code == 0
    assert (tmp_path / "ran").read_text() == "['back']"
    assert incident("contain", "list", "--json").facts["switches"] == []


@pytest.mark.parametrize(("apply", "code", "says"), [
    (["false"], 1, "ended with exit code 1"), (["no-such-command-here"], 1, "could not be started"),
    (["echo", "{environment}"], 2, "takes for an option"),
])  # fmt: skip
def test_a_switch_of_the_team_that_fails_is_not_on(
    incident: Callable[..., Any], tmp_path: Path, apply: list[str], code: int, says: str
) -> None:
    """A name that would become an option never gets to the command."""
    (tmp_path / "truegreen.yaml").write_text(json.dumps({"containment": {"commands": {"x": {"apply": apply}}}}))
    ended = incident("contain", "run", "x")
    assert (ended.code, says in ended.err) == (code, True), ended.err
    assert incident("contain", "list", "--json").facts["switches"] == []


def test_what_knows_no_undo_is_taken_back_by_hand(incident: Callable[..., Any], tmp_path: Path) -> None:
    """The log believes a person, and nobody else."""
    (tmp_path / "truegreen.yaml").write_text(json.dumps({"containment": {"commands": {"x": {"apply": ["true"]}}}}))
    number = incident("contain", "run", "x", "--json").facts["event"]
    refused = incident("contain", "undo", str(number))
    assert (refused.code, "--by-hand" in refused.err) == (2, True)
    assert "done by hand" in incident("contain", "undo", str(number), "--by-hand").out


def test_another_flag_system_is_set_by_its_command_and_an_answer_that_is_lost_is_listed(
    incident: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of it is in the file; a command that hangs may have changed something."""
    script = "import sys, pathlib; pathlib.Path('set').write_text('|'.join(sys.argv[1:]))"
    command = [sys.executable, "-c", script, "{flag}", "{value}", "{expires}"]
    (tmp_path / "truegreen.yaml").write_text(json.dumps({"containment": {"command": command}}))
    number = incident("contain", "degraded", "--expires", "1h", *QUICK, "--json").facts["event"]
    message = "This assistant is not available at the moment. Please try again later."
    assert (tmp_path / "set").read_text() == f"degraded_mode|{message}|2027-01-15T09:00:00Z"
    assert incident("contain", "undo", str(number)).code == 0
    assert (tmp_path / "set").read_text() == "degraded_mode||"
    assert not (tmp_path / "flags.json").exists()
    monkeypatch.setattr(argv, "SECONDS", 0.2)
    (tmp_path / "truegreen.yaml").write_text(json.dumps({"containment": {"command": ["sleep", "60"]}}))
    ended = incident("contain", "boost", *QUICK)
    assert (ended.code, "whether evaluation_boost changed is not known" in ended.err) == (1, True)
    assert "NOT FINISHED" in incident("contain", "list").out
    (tmp_path / "truegreen.yaml").write_text(json.dumps({"containment": {"command": ["true"]}}))
    assert incident("contain", "boost", *QUICK).code == 0
    assert [s["finished"] for s in incident("contain", "list", "--json").facts["switches"]] == [True]


BOTH = """
import sys, time
from pathlib import Path
from truegreen.core.clients.http import Server
from truegreen.runbook import contain, switches
from truegreen.runbook import log as store
from truegreen.runbook.bundle import Case
from truegreen.runbook.evidence import Sources
nobody = Server("nobody", "http://127.0.0.1:9", "", timeout=0.2, sleep=lambda _: None)
log = store.open_log("sqlite:///incidents.db")
case = Case(log, store.incidents(log)[0], Sources(nobody, nobody, nobody), Path("evidence"), Path("flags.json"), "", time.time)
switch = switches.BY_NAME["feature-off"]
for number in range(12):
    contain.turn(case, switch.flag, switches.joined(switch, f"{sys.argv[1]}{number}"), 3600.0, "x")
"""


def test_a_number_written_by_hand_is_what_an_undo_leads_back_to(run, tmp_path):
    """The application obeys it, so it is what was there before."""
    by_hand = {"state": "ENABLED", "variants": {"off": 0, "on": 5}, "defaultVariant": "on"}
    (tmp_path / "flags.json").write_text(json.dumps({"flags": {"reduced_context": by_hand}}))
    assert run("incident", "open", "--service", "s", "--environment", "e", "--slo", "grounding").code == 0
    number = run("contain", "reduce-context", "3", "--verify-count", "0", "--json").facts["event"]
    assert run("contain", "undo", str(number)).code == 0
    flag = json.loads((tmp_path / "flags.json").read_text())["flags"]["reduced_context"]
    assert flag["variants"][flag["defaultVariant"]] == "5"


@pytest.mark.full
def test_two_people_at_once_lose_nothing(incident: Callable[..., Any], tmp_path: Path) -> None:
    """Twelve changes each of one flag: all are in the file and in one unbroken log."""
    both = [subprocess.Popen([sys.executable, "-c", BOTH, name], stderr=subprocess.PIPE) for name in "ab"]
    for one in both:
        _, err = one.communicate(timeout=120)
        assert one.returncode == 0, err
    assert set(_value(tmp_path, "feature_disabled").split(",")) == {f"{name}{number}" for name in "ab" for number in range(12)}
    assert incident("incident", "log", "--verify").code == 0
    assert len(incident("contain", "list", "--json").facts["switches"]) == 24


def test_without_prometheus_the_change_is_made_and_said_not_to_be_verified(run: Callable[..., Any], tmp_path: Path) -> None:
    """Nobody waits for a server while users are harmed; and nobody is told that it works."""
    run("incident", "open", "--service", "s", "--environment", "e", "--slo", "grounding")
    ended = run("contain", "pin-model", "m-1")
    assert ended.code == 1
    assert "not verified by spans: no Prometheus answers" in ended.err
    assert "the change stands" in ended.err
    assert _value(tmp_path, "pinned_model") == "m-1"
    facts = json.loads(run("contain", "pin-model", "m-2", "--json").out)
    assert (facts["exit_code"], facts["verified"], facts["undo"]) == (1, None, f"truegreen contain undo {facts['event']}")
    assert Path(facts["evidence"]["path"]).name in {each.name for each in tmp_path.rglob("*.tar.gz")}
    assert [e["kind"] for e in run("incident", "log", "--json").facts["events"]][-1] == "not verified"


@pytest.mark.parametrize("words", [("reduce-context", "2"), ("degraded",), ("feature-off", "refunds")])
def test_a_switch_is_verified_by_its_stamp(run: Callable[..., Any], live: App, words: tuple[str, ...]) -> None:
    """Twenty calls under it, and none is asked of a model that it does not name."""
    ended = run("contain", *words, "--timeout", "20s")
    assert ended.code == 0, ended.err
    assert "verified by spans: 20 of 20 under" in ended.out


def test_what_is_expired_is_not_joined(incident: Callable[..., Any], tmp_path: Path, now: list[float]) -> None:
    """A feature whose switch ran out is not turned off again by the next one."""
    incident("contain", "feature-off", "old", "--expires", "5m", *QUICK)
    now[0] += 301
    incident("contain", "feature-off", "new", *QUICK)
    assert _value(tmp_path, "feature_disabled") == "new"


def test_a_slow_prometheus_is_given_two_seconds() -> None:
    """The counters before the change are not worth a longer wait."""
    from truegreen.runbook import seen
    from truegreen.runbook.model import Target

    asked: list[float] = []
    server = prometheus.connect("http://127.0.0.1:9")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prometheus, "query", lambda server, *_: asked.append(server.timeout) or [])
        assert seen.reader(server, Target("s", "e", "x"))() == {}
    assert max(asked) <= 2.0
