"""What a push would change: boards of ours against those that a Grafana keeps. No I/O."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Final

from truegreen.core.clients.grafana import Kept
from truegreen.dashboards.model import Json

NEW, CHANGED, MOVED, SAME, REFUSED = "new", "changed", "moved", "same", "refused"
SHOWN: Final = 40
"""Lines of a board's difference that are printed."""
_GRAFANAS_OWN: Final = ("id", "version", "meta", "pluginVersion", "cachedPluginOptions")
_NUMBERED: Final = frozenset({*_GRAFANAS_OWN, "refId"})
_DEFAULTS: Final[Mapping[str, Any]] = {
    "annotations": {"list": []}, "defaults": {}, "editable": True, "fieldConfig": {"defaults": {}, "overrides": []}, "fiscalYearStartMonth": 0,
    "graphTooltip": 0, "gridPos": {"x": 0, "y": 0, "h": 3, "w": 6}, "links": [], "list": [], "liveNow": False, "options": {}, "overrides": [],
    "repeatDirection": "h", "schemaVersion": 0, "tags": [], "targets": [{"refId": "A"}], "templating": {"list": []},
    "time": {"from": "now-6h", "to": "now"}, "timepicker": {}, "timezone": "", "title": "", "transformations": [], "transparent": False, "weekStart": "",
}  # fmt: skip
"""What Grafana puts where a board says nothing, and may leave out where it says the same: the constructors of its dashboard and panel models
(`frontend_defaults.go` of its migrations)."""
_IDENTITY: Final = ("id", "refId", "name", "title")
_WIDTH: Final = 60
_MISSING: Final = object()


@dataclass(frozen=True, slots=True)
class Step:
    """One board of a push.

    Args:
        state: `new`, `changed` (moved to our folder with it, where it lay elsewhere), `moved`, `same` or `refused`.
        diff: a line for each place that differs, theirs before ours.
        reason: why it is refused.
        ours: what would be written.
        theirs: what Grafana keeps; None for a new one.
    """

    uid: str
    title: str
    state: str
    ours: Json
    theirs: Kept | None
    diff: tuple[str, ...] = ()
    reason: str = ""

    @property
    def writes(self) -> bool:
        """Whether it changes something."""
        return self.state in (NEW, CHANGED, MOVED)


def plan(ours: Sequence[Json], found: Mapping[str, Kept | None], folder: str) -> list[Step]:
    """What each board of ours needs.

    Args:
        ours: the boards, each with a uid and a title.
        found: uid to what Grafana keeps of it.
        folder: the uid of the folder that they belong into.
    """
    return [_step(board, found.get(board["uid"]), folder) for board in ours]


def _step(ours: Json, theirs: Kept | None, folder: str) -> Step:
    uid, title = ours["uid"], ours["title"]
    if theirs is None:
        return Step(uid, title, NEW, ours, None)
    if reason := _refused(theirs):
        return Step(uid, title, REFUSED, ours, theirs, reason=reason)
    diff = tuple(differences(theirs.model, ours))
    moved = (f"folder: - {_said(theirs.folder or 'the root')} + {_said(folder)}",) if theirs.folder != folder else ()
    return Step(uid, title, CHANGED if diff else MOVED if moved else SAME, ours, theirs, (*moved, *diff))


def _refused(theirs: Kept) -> str:
    if theirs.is_folder:
        return "the uid is a folder's; rename that folder's uid, or push under another"
    if theirs.provisioned:
        return f"Grafana reads it from {theirs.provisioned} of its provisioning and would undo the push; change it there, or take it out there first"
    if not theirs.may_save:
        return (
            "these credentials may read it and not save it; give the service account the role Editor, or the right to this folder"
        )
    return ""


def differences(theirs: Mapping[str, Any], ours: Json) -> Iterator[str]:
    """Where a board of Grafana's does not have what ours says, as `panels[7].title: - "theirs" + "ours"`.

    What Grafana adds of its own, its defaults and its built-in annotation, is no difference: else no push would ever find its own boards again.
    Whatever else is there and not in ours was put there by somebody.
    """
    yield from _differing(_plain(theirs), _plain(ours), "", whole=True)


def contained(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> bool:
    """Whether a board of Grafana's has all that ours says; it may have more."""
    return next(_differing(_plain(theirs), _plain(ours), "", whole=False), None) is None


def _plain(board: Mapping[str, Any]) -> Mapping[str, Any]:
    # Without what counts saves, and without the annotation that every Grafana has.
    board = {key: value for key, value in board.items() if key not in _GRAFANAS_OWN}
    annotations = board.get("annotations")
    listed = annotations.get("list") if isinstance(annotations, Mapping) else None
    if isinstance(annotations, Mapping) and isinstance(listed, list):
        without = [each for each in listed if not (isinstance(each, Mapping) and each.get("builtIn"))]
        return {**board, "annotations": {**annotations, "list": without}}
    return board


def _differing(theirs: Any, ours: Any, path: str, *, whole: bool) -> Iterator[str]:
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        for key in dict.fromkeys((*ours, *(theirs if whole else ()))):
            their, our = (_MISSING if each.get(key) is None else each[key] for each in (theirs, ours))  # null and nothing are one
            added = our is _MISSING and (key in _NUMBERED or _default(key, their))
            if not added and not (their is _MISSING and _default(key, our)):
                yield from _differing(their, our, f"{path}.{key}".lstrip("."), whole=whole)
    elif isinstance(ours, list) and isinstance(theirs, list):
        for index, (their, our) in enumerate(zip_longest(*_paired(theirs, ours), fillvalue=_MISSING)):
            yield from _differing(their, our, f"{path}[{index}]", whole=whole)
    elif isinstance(ours, bool) is not isinstance(theirs, bool) or ours != theirs:
        yield f"{path}: - {_said(theirs, ours)} + {_said(ours, theirs)}"


def _default(key: str, value: Any) -> bool:
    # Whether Grafana may add it, and may leave it out.
    return value is _MISSING or (key in _DEFAULTS and bool(value == _DEFAULTS[key]))


def _paired(theirs: list[Any], ours: list[Any]) -> tuple[list[Any], list[Any]]:
    # Where one list is longer, elements are paired by what they are called, so that one panel more does not make all after it different.
    names = [name for name in _IDENTITY if all(isinstance(each, Mapping) and name in each for each in (*theirs, *ours))]
    if len(theirs) == len(ours) or not names:
        return theirs, ours
    rest = {json.dumps(each[names[0]]): each for each in theirs}
    first = [rest.pop(json.dumps(each[names[0]]), _MISSING) for each in ours]
    return [*first, *rest.values()], [*ours, *[_MISSING] * len(rest)]


def _said(value: Any, beside: Any = _MISSING) -> str:
    # A long text is cut to where it begins to differ from the other.
    if value is _MISSING:
        return "nothing"
    if isinstance(value, Mapping) and (
        named := next((str(value[key]) for key in ("title", "name", "refId") if value.get(key)), "")
    ):
        return json.dumps(f"({named})", ensure_ascii=False)
    text, other = (json.dumps(each, ensure_ascii=False) if each is not _MISSING else "" for each in (value, beside))
    if len(text) <= 2 * _WIDTH:
        return text
    same = next((at for at, (a, b) in enumerate(zip(text, other, strict=False)) if a != b), 0)
    start = max(0, min(same, len(text) - _WIDTH) - _WIDTH // 2)
    return f"{'…' if start else ''}{text[start : start + 2 * _WIDTH]}{'…' if start + 2 * _WIDTH < len(text) else ''}"


def lines(step: Step) -> Iterator[str]:
    """A step for people: its state, then at most `SHOWN` lines of the difference."""
    yield f"{step.state:<8} {step.uid}: {step.title}" + (f": {step.reason}" if step.reason else "")
    for line in step.diff[:SHOWN]:
        yield f"    {line}"
    if len(step.diff) > SHOWN:
        yield f"    … and {len(step.diff) - SHOWN} more places"
