"""What serves right now: the versions of the seven components, one id over the five that serve, and the record of what has served."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self

from truegreen.core.words import attributes as names
from truegreen.core.words.calibration import canonical
from truegreen.core.words.terms import SERVING_COMPONENTS, SNAPSHOT_COMPONENTS
from truegreen.instrumentation import context, dataset, failures, indexes, later, notices, served
from truegreen.instrumentation.blocks import F, Within, carried, decorated
from truegreen.instrumentation.indexes import PERIOD, IndexReader, Watched
from truegreen.instrumentation.locks import Lock
from truegreen.instrumentation.schemas import Hashes, tool_schema
from truegreen.instrumentation.shared import undo
from truegreen.instrumentation.text import NAME, short, template

__all__ = ["carried", "default", "eval_dataset", "index", "record", "tool_schema", "use"]

KEPT = 1_000
NAME_CHARACTERS, NAME_WORDS = 128, 8
"""What is longer than this is a prompt's text and not its name."""
_hashes = Hashes()
_open: ContextVar[tuple[tuple[int, AbstractContextManager[None]], ...]] = ContextVar("truegreen-use", default=())


class use:  # noqa: N801
    """Say which versions serve inside the block; what is not given stays as the configuration or an outer block says.

    Also a decorator, of functions, coroutines and generators: `@snapshot.use(prompt="support@3")`. The OpenTelemetry context carries it: tasks of
    asyncio get it by themselves, threads as `carried` says.

    Args:
        prompt: `name@version`, or an object with `name` and `version` such as a Langfuse prompt or one of `prompts.load`; never the prompt's text.
        model: a version of the model; by default the model that the provider says it served.
        retrieval_index: a version, or what `snapshot.index` gives.
        tool_schema: a version, or the tools themselves as `snapshot.tool_schema` takes them; by default those that the span shows.
        eval_dataset: a version, such as `snapshot.eval_dataset(path)`.
        guardrail: a version of the guardrails' configuration.
        provider_changelog: the newest entry of the provider's changelog that the team has read.
    """

    def __init__(
        self,
        *,
        prompt: Any = None,
        model: str | None = None,
        retrieval_index: Any = None,
        tool_schema: Any = None,
        eval_dataset: str | None = None,
        guardrail: str | None = None,
        provider_changelog: str | None = None,
    ) -> None:
        self._given = {
            "prompt": prompt, "model": model, "retrieval_index": retrieval_index, "tool_schema": tool_schema,
            "eval_dataset": eval_dataset, "guardrail": guardrail, "provider_changelog": provider_changelog,
        }  # fmt: skip

    def __enter__(self) -> Self:
        block = context.carry(versions_=_versions(self._given))
        block.__enter__()
        _open.set((*_open.get(), (id(self), block)))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        entered = _open.get()
        for place in range(len(entered) - 1, -1, -1):  # one object may be open in several tasks: each leaves its own block
            if entered[place][0] == id(self):
                _open.set(entered[:place] + entered[place + 1 :])
                entered[place][1].__exit__(None, None, None)
                return

    def __call__(self, function: F) -> F:
        """The function with every call inside the block."""
        return decorated(function, lambda *_: Within(lambda: use(**self._given)))


def default(**versions: Any) -> None:
    """Say which versions serve in this process wherever no `use` block says otherwise; a component given as None is forgotten.

    Args:
        versions: components as `use` takes them; what `snapshot.index` gives is looked at with each span.
    """
    try:
        unknown = [name for name in versions if name not in SNAPSHOT_COMPONENTS]
        if unknown:
            notices.once(
                f"default:{unknown}",
                f"snapshot.default: {unknown[0]} is not a component; write one of {', '.join(SNAPSHOT_COMPONENTS)}",
            )
        for component in SNAPSHOT_COMPONENTS:
            if component in versions:
                _live.watched.pop(component, None)
                _live.fixed = {name: version for name, version in _live.fixed.items() if name != component}
                if isinstance(versions[component], Watched):
                    _live.watched[component] = versions[component]
                else:
                    _live.fixed |= _versions({component: versions[component]})
    except Exception as error:
        failures.count("snapshot.default", error)


def defaults() -> Mapping[str, str]:
    """The versions that `default` gave, as they are now."""
    return {**_live.fixed, **_versions(_live.watched)} if _live.watched else _live.fixed


def index(reader: IndexReader, *, period: float = PERIOD) -> Watched:
    """A retrieval index whose store is asked every `period` seconds while it is used, in the background; made once, for the life of the process.

    Args:
        reader: one of `stores`, or any object whose `read()` gives an `indexes.Index`.
        period: seconds, at least 1.
    """
    return Watched(reader, period=max(1.0, period))


def eval_dataset(path: str | Path) -> str:
    """`<stem>@<12 hex>` for an evaluation set: the order of lines does not count, see `dataset.lines_digest`; empty, with a notice, when it cannot be read."""
    try:
        return dataset.version_of_file(path)
    except OSError as error:
        notices.once(
            f"eval_dataset:{path}", f"snapshot.eval_dataset: {path} cannot be read ({error.strerror}); write the path of a file"
        )
        return ""


def record(seconds: float = 3_600) -> Mapping[str, Any]:
    """What has served in this process lately, ready for JSON: all seven components, each version with first and last call (unix s) and number of calls.

    Models with the one asked for, the one that served and the provider's fingerprint. Calls are counted when they end; up to 10,000 combinations are kept.

    Args:
        seconds: how far to look back, by whole minutes.
    """
    try:
        later.settle_all()
        now, seen = _live.served.within(seconds)
        watched = _live.watched.get("retrieval_index")
        described = indexes.current(watched)
        stated = {**_live.configured.versions, **defaults()}
        return served.record(now, seconds, seen, stated, {str(described): indexes.described(described)} if described else {})
    except Exception as error:
        failures.count("snapshot.record", error)
        return {}


class _Configured(Protocol):
    """What the configuration states."""

    versions: Mapping[str, str]


class _Nothing:
    versions: Mapping[str, str] = {}


class _Live:
    """The one state of the process."""

    def __init__(self) -> None:
        self.served = served.Served()
        self.configured: _Configured = _Nothing()
        self.fixed: Mapping[str, str] = {}
        self.watched: dict[str, Watched] = {}


_live = _Live()


def begin(configured: _Configured) -> None:
    """Start a record anew, for what the configuration states."""
    _live.configured = configured
    _live.served.clear()
    undo(_end)


def _end() -> None:
    later.settle_all()  # they are of this record, and not of the next one
    _live.configured = _Nothing()
    _live.served.clear()


def note(ran: served.Ran, at: int) -> None:
    """Count a call that ended at this time, in unix ns."""
    _live.served.note(ran, at / 1e9)


def _versions(given: Mapping[str, Any]) -> dict[str, str]:
    """Components as text; what cannot be read is left out."""
    found: dict[str, str] = {}
    for component, value in given.items():
        if value is None:
            continue
        try:
            if component == "prompt":
                version = version_of(value)
            elif component == "retrieval_index":
                version = str(indexes.current(value) or "")
            elif component == "tool_schema" and not isinstance(value, str):
                version = _hashes.of(value if isinstance(value, list | tuple) else [value])
            else:
                version = str(value)
            if version:
                found[component] = version
        except Exception as error:
            failures.count("snapshot.use", error)
    return found


def version_of(prompt: Any) -> str:
    """`name@version` of a prompt: a string as it is, an object by its `name` and `version`, empty for None.

    A Langfuse prompt that is the application's own fallback is `name@fallback:` and 12 hex digits of its text. What is no name but the prompt's own
    text (a line break, over 128 characters or over 8 words) is hashed, with a notice.
    """
    if prompt is None or isinstance(prompt, str):
        said = prompt or ""
    else:
        name, version = getattr(prompt, "name", None), getattr(prompt, "version", None)
        if getattr(prompt, "is_fallback", False) is True:
            version = "fallback:" + hashlib.sha256(str(getattr(prompt, "prompt", "")).encode("utf-8", "replace")).hexdigest()[:12]
        said = f"{name}@{version}" if name and version is not None else str(name or "")
    if len(said) <= NAME_CHARACTERS and len(said.split()) <= NAME_WORDS and len(said.splitlines()) < 2:
        return said
    notices.once("prompt text", "snapshot.use(prompt=...) was given a prompt's text and keeps its hash only: give `name@version`")
    return template(said)


def digest(versions: Mapping[str, str]) -> str:
    """12 hex digits of SHA-256 over the canonical JSON of the five serving components, absent ones as empty text."""
    serving = {component: versions.get(component, "") for component in SERVING_COMPONENTS}
    return hashlib.sha256(canonical(serving).encode()).hexdigest()[:12]


class Snapshot(NamedTuple):
    """What serves a span.

    Args:
        identity: the id over the five serving components; empty without a model, for a span that calls no model serves no snapshot.
        versions: component and version, sorted.
        attributes: all of it, as a span has it.
    """

    identity: str
    versions: tuple[tuple[str, str], ...]
    attributes: Mapping[str, str | int]


class Snapshots:
    """The snapshots that this process has served, with the time at which it first did."""

    def __init__(self) -> None:
        self._made: OrderedDict[tuple[tuple[str, str], ...], Snapshot] = OrderedDict()
        self.models: OrderedDict[str, str] = OrderedDict()
        self._since: OrderedDict[str, int] = OrderedDict()
        self._lock = Lock()

    def served(self, asked: str, served: str = "") -> str:
        """The model that answers for `asked`: the one named now, else the last one that was, else `asked` itself."""
        known = self.models.get(asked)
        if known is not None and served in ("", known):
            return known
        asked, served = short(asked), short(served)
        with self._lock:
            if served and asked:
                self.models[asked] = served
                _bound(self.models)
            return served or self.models.get(asked, asked)

    def of(self, versions: Mapping[str, str], at: int) -> Snapshot:
        """The snapshot of these versions.

        Args:
            at: when it served, in unix ns.
        """
        key = tuple(versions.items())
        made = self._made.get(key)
        if made is not None:
            return made
        kept = tuple((component, short(version)) for component, version in sorted(versions.items()))
        key = key if all(len(version) <= NAME for version in versions.values()) else kept
        found: dict[str, str | int] = {names.version_of(component): version for component, version in kept}
        identity = digest(dict(kept)) if versions.get("model") else ""
        with self._lock:
            if identity:
                found[names.SNAPSHOT_ID] = identity
                found[names.SNAPSHOT_SINCE] = self._since.setdefault(identity, at // 1_000_000_000)
                _bound(self._since)
            self._made[key] = made = Snapshot(identity, kept, found)
            _bound(self._made)
        return made


def _bound(kept: OrderedDict[Any, Any]) -> None:
    while len(kept) > KEPT:
        kept.popitem(last=False)
