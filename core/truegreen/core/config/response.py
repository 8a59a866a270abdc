"""How an incident is answered, as `containment` and `incidents` of `truegreen.yaml` say it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path as File
from typing import Any, Final

from truegreen.core.config.source import Path, Source
from truegreen.core.config.units import seconds
from truegreen.core.errors import BadInput


@dataclass(frozen=True, slots=True)
class OwnSwitch:
    """A switch of the team's own: arguments of commands, never through a shell; `undo` may be empty."""

    apply: tuple[str, ...]
    undo: tuple[str, ...] = ()
    says: str = ""


@dataclass(frozen=True, slots=True)
class Containment:
    """The switches that the application obeys.

    Args:
        flags: the flagd file.
        command: sets a flag elsewhere in place of the file, empty where the file is used.
        expires: seconds after which a switch goes off unless it is renewed.
        fallback: a model, or `PROVIDER:MODEL`.
    """

    flags: str
    command: tuple[str, ...] = ()
    expires: float = 3_600.0
    fallback: str = ""
    degraded_message: str = "This assistant is not available at the moment. Please try again later."
    degraded_on_sev1: bool = False
    commands: Mapping[str, OwnSwitch] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody who is told; `secret_file` holds the secret address of a webhook, `url` is one without a secret."""

    name: str
    channel: str = ""
    secret_file: File | None = None
    url: str = ""


@dataclass(frozen=True, slots=True)
class Serve:
    """Where `truegreen incident serve` listens (`HOST:PORT`, empty where nobody says), whom it lets in, and its address for links."""

    endpoint: str = ""
    url: str = ""
    token_file: File | None = None

    @property
    def listens(self) -> str:
        """`HOST:PORT`, its own where nobody says."""
        return self.endpoint or "127.0.0.1:9470"


@dataclass(frozen=True, slots=True)
class Slack:
    """The channel of an incident; no Slack without a token file."""

    token_file: File | None = None
    channel: str = ""
    prefix: str = "inc-"
    invite: tuple[str, ...] = ()
    url: str = "https://slack.com/api"


@dataclass(frozen=True, slots=True)
class Tracker:
    """Where tickets go: `type` is jira or github, and the keys of the other are empty."""

    type: str
    secret_file: File
    url: str = ""
    email: str = ""
    project: str = ""
    issue_type: str = "Task"
    repository: str = ""
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Way:
    """The way back of one component; which keys a type needs is in `NEEDED`."""

    type: str
    name: str = ""
    path: File | None = None
    file: str = ""
    url: str = ""
    secret_file: File | None = None
    apply: tuple[str, ...] = ()
    current: tuple[str, ...] = ()
    dry_run: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Law:
    """What decides which clocks of the law are shown."""

    role: str = "unknown"
    risk_tier: str = "unknown"
    jurisdictions: tuple[str, ...] = ()
    sec_registrant: bool = False
    system: str = ""
    organisation: str = ""
    database_registration: str = ""


@dataclass(frozen=True, slots=True)
class Incidents:
    """Where incidents are kept and what the runbook talks to.

    Args:
        store: an SQLAlchemy address, such as `sqlite:///incidents.db`.
        evidence, drills: the folders of evidence bundles and of the records of drills.
        prometheus_url, alertmanager_url, collector_url: the servers to ask.
        smoke: a command (list of arguments, never a shell) that exits 0 when the smoke suite passes.
        prompt: the Langfuse prompt that `rollback prompt` moves.
        evalset: the evaluation set that gets a case from each incident.
        escalation: names of `contacts`, in order.
        tickets: `incident`, `compliance`, `action` to where they go.
        rollback: component (`prompt`, `model`, `index`, `guardrail`, `tools`) to its way back.
        refresh: the command that rebuilds a stale index.
    """

    store: str
    evidence: str
    prometheus_url: str
    alertmanager_url: str
    collector_url: str
    smoke: tuple[str, ...]
    prompt: str
    evalset: str = ""
    drills: str = "drills"
    escalation: tuple[str, ...] = ()
    contacts: Mapping[str, Contact] = field(default_factory=dict)
    serve: Serve = field(default_factory=Serve)
    slack: Slack = field(default_factory=Slack)
    tickets: Mapping[str, Tracker] = field(default_factory=dict)
    rollback: Mapping[str, Way] = field(default_factory=dict)
    refresh: tuple[str, ...] = ()
    law: Law = field(default_factory=Law)

    @property
    def langfuse(self) -> tuple[str, str]:
        """The name of the prompt in Langfuse and the address of its server; each is empty where nobody says it."""
        way = self.rollback.get("prompt")
        way = way if way is not None and way.type == "langfuse" else Way("langfuse")
        return way.name or self.prompt, way.url


NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "langfuse": ("name",), "folder": ("path", "file"), "lock": ("path", "name"), "weaviate": ("url", "name"), "qdrant": ("url", "name"),
    "flag": ("name",), "git": ("path", "file"), "command": ("apply", "current", "dry_run"),
}  # fmt: skip
"""Of each type of rollback, the keys that it needs."""
_TRACKERS: Final[Mapping[str, tuple[str, ...]]] = {"jira": ("url", "email", "project"), "github": ("repository",)}


def containment(source: Source) -> Containment:
    """The switches of a checked source."""
    given = source.data["containment"]
    own = {name: OwnSwitch(tuple(each["apply"]), tuple(each["undo"]), each["says"]) for name, each in given["commands"].items()}
    return Containment(**{
        **given, "command": tuple(given["command"]), "expires": float(seconds(given["expires"])), "commands": own
    })  # fmt: skip


def incidents(source: Source, file: File | None) -> Incidents:
    """The response of a checked source; relative paths of secrets, locks and folders lie beside `file`.

    Raises:
        BadInput: a way back or a tracker lacks what its type needs, or an escalation names nobody; one line for each.
    """
    given = source.data["incidents"]
    problems = [
        *_lacking(given["rollback"], NEEDED, ("incidents", "rollback")),
        *_lacking(given["tickets"], _TRACKERS, ("incidents", "tickets")),
        *(
            (("incidents", "escalation", index), f"found {name!r}, which is not in incidents.contacts; add it there")
            for index, name in enumerate(given["escalation"]) if name not in given["contacts"]
        ),
    ]  # fmt: skip
    if problems:
        raise BadInput("\n".join(f"{source.at(path)}: {said}" for path, said in problems))
    folder = file.parent if file else File()

    def beside(part: Mapping[str, Any], *keys: str) -> dict[str, Any]:
        lists = {key: tuple(value) for key, value in part.items() if isinstance(value, list)}
        return {**part, **lists, **{key: folder / part[key] if part.get(key) else None for key in keys}}

    made = {
        **beside(given),
        "contacts": {name: Contact(**beside(each, "secret_file")) for name, each in given["contacts"].items()},
        "serve": Serve(**beside(given["serve"], "token_file")),
        "slack": Slack(**beside(given["slack"], "token_file")),
        "tickets": {name: Tracker(**beside(each, "secret_file")) for name, each in given["tickets"].items()},
        "rollback": {name: Way(**beside(each, "path", "secret_file")) for name, each in given["rollback"].items()},
        "law": Law(**beside(given["law"])),
    }
    return Incidents(**made)


def _lacking(given: Mapping[str, Any], needed: Mapping[str, tuple[str, ...]], where: Path) -> list[tuple[Path, str]]:
    return [
        ((*where, name), f"{each['type']} needs {key}; add it")
        for name, each in given.items() for key in needed[each["type"]] if not each.get(key)
    ]  # fmt: skip
