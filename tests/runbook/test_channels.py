"""What an incident tells by itself, against servers that hold to the vendors' contracts."""

from __future__ import annotations

import hashlib
import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from channel_servers import GITHUB_TOKEN, JIRA_EMAIL, JIRA_TOKEN, TOKEN, GitHub, Hook, Jira, Slack, serving
from hypothesis import given
from hypothesis import strategies as st

from truegreen.core.config import load, parse_text
from truegreen.runbook import log as store
from truegreen.runbook.channels import calls, deliveries, outbox, plan, words
from truegreen.runbook.channels.model import BEGUN, Item
from truegreen.runbook.commands.common import Desk
from truegreen.runbook.model import Event, Incident, Target

BOT = Target("support-agent", "production", "grounding")
AT = 1_767_322_800.0
HOSTILE = "<!channel> <script>alert(1)</script> @acme/all ``` `` \u202etxt & <https://evil.example|x>"


class World:
    """A workspace, a site, a repository and a webhook; a store; `told(now)` is one pass."""

    def __init__(self, folder: Path, urls: dict[str, str], slack: Slack, jira: Jira, github: GitHub, hook: Hook) -> None:
        self.folder, self.slack, self.jira, self.github, self.hook = folder, slack, jira, github, hook
        for name, text in (
            ("slack", TOKEN),
            ("jira", JIRA_TOKEN),
            ("github", GITHUB_TOKEN),
            ("hook", f"{urls['hook']}/hooks/T0/s3cret?key=k3y"),
        ):
            (folder / name).write_text(f"{text}\n")
        self.given: dict[str, Any] = {
            "store": f"sqlite:///{folder}/incidents.db",
            "serve": {"url": "https://inc.example"},
            "slack": {"token_file": "slack", "invite": ["U1", "U2"], "url": f"{urls['slack']}/api"},
            "tickets": {
                "incident": {"type": "jira", "secret_file": "jira", "url": urls["jira"], "email": JIRA_EMAIL, "project": "OPS", "labels": ["llm"]},
                "compliance": {"type": "github", "secret_file": "github", "url": urls["github"], "repository": "acme/shop", "labels": ["law"]},
            },
            "contacts": {
                "legal": {"name": "Lee", "channel": "U0LEGAL"}, "compliance": {"name": "Cleo", "secret_file": "hook"},
                "boss": {"name": "Bo", "url": f"{urls['hook']}/boss"},
            },
            "escalation": ["boss"],
        }  # fmt: skip
        self.write()
        self.log = store.open_log(self.given["store"])

    def write(self) -> None:
        (self.folder / "truegreen.yaml").write_text(yaml.safe_dump({"incidents": self.given}))

    def desk(self, now: float = AT) -> Desk:
        return Desk(load(self.folder / "truegreen.yaml", {}), False, None, clock=lambda: now)

    def open(self, sev: str = "1", text: str = "grounding burns", **data: Any) -> Incident:
        return store.open_incident(self.log, BOT, sev, AT, text, {"labels": {"alertname": "TruegreenBudgetBurn"}, **data})

    def told(self, now: float = AT) -> list[Any]:
        return outbox.deliver(self.desk(now), self.log)

    def kinds(self) -> list[str]:
        return [e.kind for e in store.events(self.log)]

    def said(self, kind: str) -> list[str]:
        return [e.text for e in store.events(self.log) if e.kind == kind]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    slack, jira, github, hook = Slack(), Jira(), GitHub(), Hook()
    with serving(slack) as s, serving(jira) as j, serving(github) as g, serving(hook) as h:
        yield World(tmp_path, {"slack": s, "jira": j, "github": g, "hook": h}, slack, jira, github, hook)


def test_a_sev_1_opens_its_channel_and_tickets_and_tells_the_contacts_and_mirrors_every_line(world: World) -> None:
    one = world.open()
    assert all(o.ok for o in world.told())
    opened = store.events(world.log)[0]
    assert list(world.slack.channels.values()) == [f"inc-1-{opened.hash[:6]}"]
    assert world.slack.invited == ["U1", "U2"]
    (issue,) = world.jira.issues.values()
    assert issue["labels"] == [f"ALERT{{{opened.hash}}}", "llm"]
    assert "https://inc.example/incidents/1" in json.dumps(issue["description"])
    assert world.github.issues[0]["title"] == "Compliance: Incident 1, sev 1: support-agent/production grounding"
    assert world.hook.told[0][:2] == ("/hooks/T0/s3cret", {"key": "k3y"})
    assert world.slack.lines("U0LEGAL")[0].startswith("Incident 1, sev 1: support-agent/production grounding\ngrounding burns")
    # What was done stands in the log, and the log stands in the channel: this pass and the next one.
    assert sorted(world.kinds()) == [
        "channel opened",
        "contact told",
        "contact told",
        "incident opened",
        "ticket opened",
        "ticket opened",
    ]
    store.append(world.log, one.id, AT, "contain", "contain applied", "pinned_model = m", {})
    store.close_incident(world.log, one.id, AT + 60, "closed 1 min after it was opened", {})
    world.told(AT + 61)
    assert [line.partition("UTC ")[2].partition(":")[0] for line in world.slack.lines("C00000001")] == world.kinds()
    assert world.told(AT + 120) == []
    assert store.verify(world.log) == ""


def test_a_sev_2_has_a_ticket_alone_until_it_becomes_a_sev_1(world: World) -> None:
    one = world.open("2")
    world.told()
    assert (len(world.jira.issues), world.github.issues, world.slack.channels, world.hook.told) == (1, [], {}, [])
    store.append(world.log, one.id, AT + 1, "triage", "sev changed", "sev 2 -> 1", {"sev": "1", "was": "2"})
    world.told(AT + 1)
    assert (len(world.jira.issues), len(world.github.issues), len(world.slack.channels), len(world.hook.told)) == (1, 1, 1, 1)
    assert "incident opened" in world.slack.lines("C00000001")[0]


def test_a_drill_tells_nobody_and_an_incident_that_was_over_before_is_not_told_of(world: World) -> None:
    world.open(drill="drift")
    old = world.open()
    store.close_incident(world.log, old.id, AT, "closed", {})
    assert world.told(AT + 5) == []
    assert [world.slack.calls, world.jira.calls, world.github.calls, world.hook.calls] == [[], [], [], []]


def test_the_key_of_a_ticket_is_alertmanagers_and_an_issue_of_its_receiver_is_used(world: World) -> None:
    """sha256 of the group key, as its Jira receiver writes it into the label."""
    key = '{}:{alertname="TruegreenBudgetBurn"}'
    label = f"ALERT{{{hashlib.sha256(key.encode()).hexdigest()}}}"
    fields = {"project": {"key": "OPS"}, "labels": [label]}
    world.jira.issues.update({"OPS-1": dict(fields), "OPS-2": dict(fields)})
    world.jira.done.add("OPS-1")
    world.open(group_key=key)
    world.told()
    assert list(world.jira.issues) == ["OPS-1", "OPS-2"]
    assert any("OPS-2" in text and "it was there" in text for text in world.said("ticket opened"))


@pytest.mark.parametrize("vendor", ["jira", "github"])
def test_an_answer_that_is_lost_makes_no_second_ticket(world: World, vendor: str) -> None:
    """The request arrived, the process (or the line) died before the answer: the next attempt finds it."""
    server = getattr(world, vendor)
    server.faults = [None, "cut"]
    world.open()
    (bad,) = [o for o in world.told() if not o.ok]
    assert "broke" in bad.said
    assert all(o.ok for o in world.told(AT + 5))
    assert len(server.issues) == 1
    assert any("it was there" in text for text in world.said("ticket opened"))


def test_killed_between_the_message_and_its_record_it_is_not_sent_twice(world: World) -> None:
    """What was begun is looked for in the channel, by the hash in the message's metadata; also as a thread in a channel that was there."""
    world.given["slack"]["channel"] = "C0TEAM"
    world.slack.channels["C0TEAM"] = "team"
    world.write()
    one = world.open()
    world.told()
    event = store.append(world.log, one.id, AT, "triage", "triaged", "us: prompt", {})
    # The first message of this pass arrives, and its answer is lost.
    world.slack.faults = ["cut"]
    world.told(AT + 1)
    assert all(o.ok for o in world.told(AT + 10))
    sent = [m for m in world.slack.messages if m["channel"] == "C0TEAM"]
    hashes = [m["metadata"]["event_payload"]["hash"] for m in sent]
    assert len(hashes) == len(set(hashes))
    assert event.hash in hashes
    assert [m.get("thread_ts") for m in sent] == [None, *[sent[0]["ts"]] * (len(sent) - 1)]


@pytest.mark.full
@pytest.mark.parametrize("vendor", ["jira", "github"])
def test_kill_9_between_the_request_and_its_record_makes_no_second_ticket(
    world: World, until: Callable[..., None], vendor: str
) -> None:
    """A real process is killed while the vendor has the ticket and has not answered; another takes it up after the lease."""
    world.given["slack"], world.given["contacts"], world.given["escalation"] = {}, {}, []
    world.write()
    world.open()
    server = getattr(world, vendor)
    server.faults = [None, "late"]
    command = [
        sys.executable,
        "-m",
        "truegreen.core",
        "incident",
        "deliver",
        "--once",
        "--config",
        str(world.folder / "truegreen.yaml"),
    ]
    with subprocess.Popen(command, cwd=world.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        until(lambda: len(server.issues) == 1)
        process.send_signal(signal.SIGKILL)
    assert store.verify(world.log) == ""
    assert not [text for text in world.said("ticket opened") if text.startswith("incident" if vendor == "jira" else "compliance")]
    world.told(time.time() + deliveries.LEASE)
    assert (len(world.jira.issues), len(world.github.issues)) == (1, 1)
    assert world.kinds().count("ticket opened") == 2


def test_a_channel_whose_answer_was_lost_is_found_by_its_name_page_by_page(world: World) -> None:
    world.slack.channels.update({f"C{n}": f"other-{n}" for n in range(5)})
    world.slack.faults = [None, "cut"]  # the contact's message, then the channel
    world.open()
    world.told()
    world.told(AT + 5)
    assert len([name for name in world.slack.channels.values() if name.startswith("inc-")]) == 1
    assert "incident opened" in world.slack.lines()[1]


def test_what_a_process_left_begun_waits_for_its_lease_and_is_then_taken_up(world: World) -> None:
    """A kill -9 leaves `begun`: nobody sends beside it, and after a minute somebody looks and sends."""
    one = world.open()
    deliveries.prepare(world.log)
    key = next(
        i.key
        for i in plan.plan(store.events(world.log), world.desk().config.incidents)
        if i.name == "compliance" and i.what == "ticket"
    )
    assert deliveries.claim(world.log, one.id, key, AT).state == ""
    world.told(AT + 1)
    assert world.github.issues == []
    world.told(AT + deliveries.LEASE)
    assert len(world.github.issues) == 1


@pytest.mark.parametrize(
    ("vendor", "fault", "said"),
    [
        ("slack", (429, {"Retry-After": "120"}), "wants 120 s of rest"),
        ("slack", 500, "answers 500"),
        ("jira", 401, "Jira answers 401"),
        ("jira", 403, "let the user create issues"),
        ("github", 403, "GitHub answers 403"),
        ("github", (429, {"Retry-After": "120"}), "wants 120 s of rest"),
        ("hook", 500, "answers 500"),
        ("hook", 302, "answers 302"),
    ],
)
def test_a_target_that_fails_is_said_once_and_tried_again_and_holds_up_no_other(
    world: World, vendor: str, fault: Any, said: str
) -> None:
    server = getattr(world, vendor)
    server.faults = [fault]
    world.open()
    bad = [o for o in world.told() if not o.ok]
    assert [said in o.said for o in bad] == [True], [o.said for o in bad]
    assert len(world.said("delivery failed")) == 1
    rest, lane = 120 if isinstance(fault, tuple) else outbox.FIRST, bad[0].item.lane
    assert not [o for o in world.told(AT + rest - 1) if o.item.lane == lane]
    server.faults = [fault]
    assert [o.ok for o in world.told(AT + rest) if o.item.lane == lane] == [False]
    world.told(AT + 1_000)
    assert len([text for text in world.said("delivery failed") if text.startswith(lane)]) == 1
    assert not outbox.pending(world.desk(), world.log, store.incidents(world.log)[0], store.events(world.log)[:1])
    everything = json.dumps([e.text for e in store.events(world.log)])
    assert not [secret for secret in (TOKEN, JIRA_TOKEN, GITHUB_TOKEN, "s3cret", "k3y") if secret in everything]


def test_a_refusal_of_slack_names_the_scope_and_is_whole_again_when_it_is_there(world: World) -> None:
    world.slack.scopes = {"chat:write"}
    world.open()
    world.told()
    (said,) = world.said("delivery failed")
    assert "conversations.create: missing_scope (the token lacks channels:manage)" in said
    world.slack.scopes |= {"channels:manage"}
    world.told(AT + 5)
    assert "incident opened" in world.slack.lines()[1]


def test_without_the_scope_to_look_a_message_is_rather_told_twice_than_not(world: World) -> None:
    world.slack.scopes = {"chat:write", "channels:manage"}
    one = world.open()
    world.told()
    world.told(AT + 1)
    store.append(world.log, one.id, AT, "triage", "note", "look at the index", {})
    world.slack.faults = ["cut"]
    world.told(AT + 2)
    world.told(AT + 10)
    assert len([line for line in world.slack.lines() if "look at the index" in line]) == 2


def test_a_server_that_hangs_holds_up_no_command(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """`tick` gives it to the background and comes back; while it hangs nothing more is begun; then it goes on by itself."""
    monkeypatch.setattr(calls, "TIMEOUT", 0.3)
    world.jira.faults = ["hang"]
    one = world.open()
    events = store.events(world.log)
    for _ in range(3):
        outbox.tick(world.desk(), world.log, one, events, AT)
    deadline = time.monotonic() + 20
    while not world.said("delivery failed") or len(world.github.issues) < 1 or len(world.kinds()) < 6:
        assert time.monotonic() < deadline, world.kinds()
        time.sleep(0.02)
    assert "did not answer within 0.3 s" in world.said("delivery failed")[0]
    assert len(world.jira.calls) == 1


@pytest.mark.full
def test_a_tracker_that_hangs_keeps_neither_contacts_nor_slack_waiting(
    world: World, until: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of three incidents all but the hanging one's tickets is told while it hangs, also what comes later."""
    monkeypatch.setattr(calls, "TIMEOUT", 60.0)
    world.jira.faults = ["hang"]
    ones = [
        world.open(),
        *(store.open_incident(world.log, replace(BOT, slo=slo), "1", AT, slo, {}) for slo in ("cost", "latency")),
    ]

    def told(each: int) -> bool:
        outbox.tick(world.desk(), world.log, ones[0], (), AT)
        return (len(world.hook.told), len(world.github.issues), len(world.slack.lines("U0LEGAL"))) == (each, each, each)

    until(lambda: told(3))
    store.open_incident(world.log, replace(BOT, slo="safety"), "1", AT, "later", {})
    until(lambda: told(4))
    assert (len(world.jira.calls), world.jira.issues, world.said("delivery failed")) == (1, {}, [])


@pytest.mark.full
def test_ctrl_c_does_not_wait_for_a_tracker_that_hangs(world: World, until: Callable[..., None]) -> None:
    """It ends with what it is at, and does not go on to the other incidents' tickets."""
    world.jira.faults = ["hang"] * 6
    for number in range(6):
        store.open_incident(world.log, replace(BOT, slo=f"slo{number}"), "1", AT, "", {})
    command = [sys.executable, "-m", "truegreen.core", "incident", "deliver", "--config", str(world.folder / "truegreen.yaml")]
    with subprocess.Popen(command, cwd=world.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        until(lambda: len(world.jira.calls) == 1)
        process.send_signal(signal.SIGINT)
        said = process.communicate()[1].decode()
    assert 1 <= len(world.jira.calls) < 6
    assert "Traceback" not in said
    assert process.returncode not in (None, 0)


@pytest.mark.full
def test_the_lease_of_an_item_begins_when_it_is_taken(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not when the pass began: the ones before may have taken more than a minute."""
    one, moment, taken = world.open(), [AT], []
    key, answer = f"message {store.events(world.log)[0].hash}", world.slack.answer

    def slow(asked: Any) -> Any:
        if asked.path.endswith("conversations.create"):
            moment[0] = AT + 70
        if asked.path.endswith("chat.postMessage") and asked.body["channel"].startswith("C0"):
            taken.append(deliveries.claim(world.log, one.id, key, AT + 71))
        return answer(asked)

    monkeypatch.setattr(world.slack, "answer", slow)
    outbox.deliver(replace(world.desk(), clock=lambda: moment[0]), world.log)
    assert taken
    assert taken[0] is None


LATER = (403, {"Retry-After": "Fri, 02 Jan 2026 04:00:00 GMT"}, {"message": "You have exceeded a secondary rate limit"})


@pytest.mark.full
@pytest.mark.parametrize(
    ("vendor", "faults", "said"),
    [
        ("slack", [None, (200, {}, {"ok": True})], "without the id of the channel"),
        ("slack", [(200, {"Retry-After": "soon"}, {"ok": False, "error": "ratelimited"})], "asked too often"),
        ("slack", [(200, {}, {"ok": True, "channel": ["x"] * 3}), (200, {}, [])], "is not Slack's API"),
        ("github", [LATER], "secondary rate limit"),
        ("github", [(200, {}, [3])], "is not understood (TypeError)"),
        ("jira", [(200, {}, {"issues": [3]})], "without the key"),
        ("hook", [(429, {"Retry-After": "9" * 30})], "s of rest"),
    ],
)
def test_an_answer_that_nobody_foresaw_is_a_line_and_stops_no_other(
    world: World, vendor: str, faults: list[Any], said: str
) -> None:
    getattr(world, vendor).faults = faults
    world.open()
    bad = {o.item.lane: o.said for o in world.told() if not o.ok}
    assert [said in text for text in bad.values()] == [True], bad
    assert [text.partition(":")[0] for text in world.said("delivery failed")] == [lane.partition(":")[0] for lane in bad]
    # Whatever rest it asks for, within an hour it is tried again, and arrives.
    for later in (outbox.FIRST, outbox.PATIENT, outbox.PATIENT + 1):
        world.told(AT + later)
    assert not outbox.pending(world.desk(), world.log, store.incidents(world.log)[0], store.events(world.log)[:1])


@pytest.mark.parametrize(
    ("file", "text"), [("github", "ghp_tok\u00e9n"), ("hook", "https://[abc"), ("hook", "https://x:99999999/s3cret")]
)
def test_a_secret_that_no_request_takes_is_said_before_and_stops_no_other(
    run: Callable[..., Any], world: World, file: str, text: str
) -> None:
    (world.folder / file).write_text(text)
    world.open()
    bad = [o for o in world.told() if not o.ok]
    assert len(bad) == 1
    assert len(world.slack.lines("C00000001")) >= 1
    (line,) = world.said("delivery failed")
    assert text not in line
    looked = run("incident", "channels")
    assert (looked.code, "1 of 6 targets would not be reached" in looked.err) == (1, True), looked.out


@pytest.mark.full
def test_who_has_no_server_is_escalated_and_reminded_by_deliver(run: Callable[..., Any], world: World) -> None:
    """A cron job writes the clocks that ran out and the law's reminders, and tells them, each once."""
    world.open()
    for _ in range(2):
        assert run("incident", "deliver", "--once").code == 0
    assert [e.data["clock"] for e in store.events(world.log) if e.kind == "clock ran out"] == [
        "acknowledge",
        "classify",
        "resolve",
    ]
    assert world.kinds().count("law reminder") == len([t for t in world.slack.lines("U0LEGAL") if "law reminder" in t]) > 0
    assert len([body for path, _, body in world.hook.told if path == "/boss"]) == 3


def test_ten_at_once_deliver_each_thing_once(world: World) -> None:
    """Two responders' cron and the server: the table decides who sends."""
    world.open()
    desk, log = world.desk(), world.log
    threads = [threading.Thread(target=outbox.deliver, args=(desk, log)) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    world.told(AT + 1)
    assert (len(world.jira.issues), len(world.github.issues), len(world.hook.told)) == (1, 1, 1)
    hashes = [m["metadata"]["event_payload"]["hash"] for m in world.slack.messages]
    assert len(hashes) == len(set(hashes))
    assert store.verify(log) == ""


def test_hostile_text_is_no_mention_no_link_and_no_markup(world: World) -> None:
    world.open(text=HOSTILE)
    assert all(o.ok for o in world.told())
    body = world.github.issues[0]["body"]
    fence = body.partition("text\n")[0]
    assert len(fence) >= 4
    inside, _, after = body.removeprefix(f"{fence}text\n").partition(f"\n{fence}")
    assert "@acme/all" in inside
    assert "@" not in after
    assert all("<!channel>" not in line and "<https" not in line for line in world.slack.lines())
    opening = next(m for m in world.slack.messages if m.get("blocks"))
    assert {b["text"]["type"] for b in opening["blocks"] if "text" in b} == {"plain_text"}


def test_hostile_text_in_an_incoming_webhook_is_no_mention_and_no_named_link(world: World) -> None:
    """Of Slack, and of those that read Markdown: nothing but our own last line is an address behind words."""
    world.open(text=f"[the incident page](https://evil.example) @channel @all {HOSTILE}")
    store.open_incident(world.log, replace(BOT, slo="[page]: https://evil.example <users/all>"), "1", AT, "[page]", {})
    world.told()
    texts = [body["text"] for _, _, body in world.hook.told]
    assert len(texts) == 2
    for text in texts:
        assert not re.search(r"[<>]|@\w|\][(:\[]", text), text
        assert text.splitlines()[-1].startswith("https://inc.example/incidents/")
    assert "the incident page" in texts[0]


def test_a_clock_that_runs_out_tells_whom_it_names_and_a_reminder_of_the_law_its_people(world: World) -> None:
    one = world.open("2")
    store.append(
        world.log, one.id, AT, "triage", "clock ran out", "acknowledge: nobody within 5 min", {"tell": ["boss", "nobody"]}
    )
    store.append(world.log, one.id, AT, "review", "law reminder", "24 h of 15 days", {})
    world.told()
    boss = next(body for path, _, body in world.hook.told if path == "/boss")
    assert boss["text"].splitlines()[1] == "clock ran out: acknowledge: nobody within 5 min"
    assert (boss["incident"], boss["sev"], boss["url"]) == (1, "2", "https://inc.example/incidents/1")
    assert any("law reminder" in line for line in world.slack.lines("U0LEGAL"))


def test_the_commands_send_once_and_say_whom_they_would_tell(run: Callable[..., Any], world: World) -> None:
    """Exit 1 where a target does not take it or would not be reached; nothing is sent by looking."""
    world.open()
    world.given["contacts"]["ghost"] = {"name": "G", "secret_file": "nothere"}
    world.write()
    looked = run("incident", "channels")
    assert looked.code == 1
    assert "nothere cannot be read: No such file or directory" in looked.out
    assert "waiting: incident 1: ticket compliance: 1" in looked.out
    assert world.slack.calls == world.jira.calls == world.hook.calls == []
    world.given["contacts"].pop("ghost")
    world.write()
    assert run("incident", "channels").code == 0
    world.github.off = True
    sent = run("incident", "deliver", "--once", "--config", "truegreen.yaml")
    assert sent.code == 1
    assert (
        "NOT DELIVERED: GitHub answers 410: Issues are disabled for this repo (issues are switched off in the repository)"
        in sent.out
    )
    assert "OPS-1" in sent.out
    again = run("incident", "deliver", "--once", "--json")
    assert {row["what"] for row in again.facts["deliveries"]} == {"message"}
    assert run("incident", "deliver", "--once").out.strip() == "nothing is due"


@pytest.mark.parametrize("text", ["", "two words\n", "\xff\xfe"])
def test_a_secret_that_cannot_be_used_is_said_without_it(world: World, text: str) -> None:
    (world.folder / "jira").write_bytes(text.encode("latin-1"))
    world.open()
    world.told()
    (said,) = world.said("delivery failed")
    assert "jira" in said
    assert "words" not in said.replace("more than one word", "")


def test_an_address_in_a_file_that_is_none_is_not_told(world: World) -> None:
    (world.folder / "hook").write_text("hooks.example/s3cret")
    world.open()
    world.told()
    (said,) = world.said("delivery failed")
    assert "holds no address" in said
    assert "s3cret" not in said


ANY = st.text(max_size=400)


@given(text=ANY, slo=ANY, owner=ANY)
def test_whatever_the_text_is_the_words_keep_the_vendors_limits(text: str, slo: str, owner: str) -> None:
    """Titles on one line, blocks within their lengths, a fence that no text closes, no mention."""
    event = Event(1, 7, AT, "review", "action item", text * 10, {"owner": owner, "due": ""}, "0" * 64, "a" * 64)
    item = Item("k", "ticket action", "ticket", "action", event, "once")
    incident = Incident(7, replace(BOT, slo=slo), "1", AT)
    title = words.title(item, incident, "1")
    assert 0 < len(title) <= 255
    assert "\n" not in title
    rows = words.facts(item, incident, "1", event)
    body = words.github(item, rows, (), {"incident": "http://x/incidents/7"})
    fence = body.partition("text\n")[0]
    assert [line.strip() for line in body.splitlines()].count(fence) == 1
    assert body.endswith(words.marker("once"))
    assert len(body) < 65_536
    opening = replace(item, event=replace(event, kind="incident opened"))
    made = words.slack(opening, incident, "1", {"incident": "http://x"})
    assert "<" not in made["text"]
    assert len(made["blocks"][0]["text"]["text"]) <= 150
    assert 0 < len(made["blocks"][1]["text"]["text"]) <= 3_000


def test_what_was_begun_by_another_is_not_claimed_twice(world: World) -> None:
    deliveries.prepare(world.log)
    first = deliveries.claim(world.log, 1, "k", AT)
    assert first.state == ""
    assert deliveries.claim(world.log, 1, "k", AT + 1) is None
    assert deliveries.claim(world.log, 1, "k", AT + deliveries.LEASE).state == BEGUN


def test_the_example_of_the_page_is_a_configuration(repo: Path) -> None:
    """What docs/channels.md shows is read as it stands."""
    (block,) = re.findall(r"```yaml\n(.*?)```", (repo / "docs/channels.md").read_text(), re.DOTALL)
    config = parse_text(block, "truegreen.yaml", {}, None)
    opened = Event(1, 1, AT, "detect", "incident opened", "x", {"sev": "1"}, "", "a" * 64)
    lanes = plan.lanes(plan.plan((opened,), config.incidents))
    assert set(lanes) == {"ticket incident", "ticket compliance", "contact legal: Slack", "contact compliance: webhook", "Slack", "Slack invitations"}  # fmt: skip
