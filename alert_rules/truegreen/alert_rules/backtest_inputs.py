"""Where the past comes from: recorded calls, a dump of samples (OpenMetrics), or a Prometheus that was there."""

from __future__ import annotations

import csv
import gzip
import math
import shutil
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

from truegreen.alert_rules import backtest_replay as replay
from truegreen.alert_rules import backtest_samples as text
from truegreen.alert_rules.backtest_engine import GRID, Past
from truegreen.alert_rules.backtest_plan import Planned, selectors
from truegreen.alert_rules.files import calibrations
from truegreen.alert_rules.oracle import byar
from truegreen.core.clients import prometheus
from truegreen.core.clients.http import Server
from truegreen.core.config import Config
from truegreen.core.errors import BadInput
from truegreen.core.words.slo import EvaluationSli, Slo

BEFORE: Final = 3 * 86_400 + 3_600
"""Seconds before the start that are asked of a Prometheus: the longest window of an alert, and an hour for `for` and `keep_firing_for`."""
LABELLED_Z: Final = 2
"""Standard errors by which the human labels of an hour must exceed the budget."""
LONGEST_SCRAPE: Final = 60
SHOWN: Final = 5
_GZIP: Final = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Input:
    """A past, the names of its series, what to say of it, and its calls where it was made of calls."""

    past: Past
    names: frozenset[str]
    notes: tuple[str, ...] = ()
    calls: replay.Counted | None = None
    who: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Incident:
    """When something was truly wrong, unix seconds; of one service, or of all where it is empty."""

    start: int
    end: int
    service: str = ""


def from_prometheus(server: Server, needed: Sequence[Planned], start: float, end: float, folder: Path) -> Input:
    """The raw samples of exactly the series that the rules read, from three days before `start` on.

    Raises:
        BadInput: Prometheus has none of them.
        Failed: it does not answer.
    """
    path = folder / "past.om"
    asked = sorted({each.text for one in needed for each in selectors(one.rule.expr) if each.name in one.sources})
    done: set[str] = set()
    with path.open("w", encoding="utf-8") as out:
        for selector in asked:
            # What an earlier selector gave is there already, whole.
            mine: set[str] = set()
            for series in prometheus.raw(server, selector, start - BEFORE, end):
                new = [(text.series(one), one) for one in series]
                out.writelines(text.lines(one for named, one in new if named not in done))
                mine |= {named for named, _ in new}
            done |= mine
        out.write(text.END)
    if path.stat().st_size == len(text.END):
        raise BadInput(
            f"{server.url} has no sample of the SLOs' series between {_said(start)} and {_said(end)}; they are: {', '.join(asked[:5])}"
        )
    found = text.extent(path)
    known = max(start, found.begin)
    notes = () if known - start < GRID else (f"The first sample is of {_said(found.begin)}: the time before is not judged.",)
    return Input(Past(path, found.begin, known, min(end, found.end)), frozenset(found.names), notes)


def from_file(path: Path, folder: Path, config: Config, slos: Sequence[Slo], every: float | None, who: tuple[str, str]) -> Input:
    """A replay file (JSONL) or samples (OpenMetrics text), told by the first character; gzip allowed.

    Raises:
        BadInput: it is neither, or cannot be read, or lacks what is needed (see `_from_replay`).
    """
    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == _GZIP
        with gzip.open(path, "rb") if zipped else path.open("rb") as stream:
            first = stream.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
        if first == b"{":
            return _from_replay(path, folder, config, slos, every, who)
        if zipped:
            with gzip.open(path, "rb") as packed, (folder / "dump.om").open("wb") as out:
                shutil.copyfileobj(packed, out)
            path = folder / "dump.om"
        only_recorded(*who, every)
    except (OSError, EOFError) as error:
        raise BadInput(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    found = text.extent(path)
    return Input(Past(path, found.begin, found.begin, found.end), frozenset(found.names))


def _from_replay(
    path: Path, folder: Path, config: Config, slos: Sequence[Slo], every: float | None, who: tuple[str, str]
) -> Input:
    from truegreen.evaluation import files
    from truegreen.evaluation.installed import judge_of

    wanted = replay.evaluations(slos)
    if not wanted:
        raise BadInput(
            f"{path}: recorded calls can be judged, but no SLO here reads an evaluation; backtest from a Prometheus or a dump of samples"
        )
    known = calibrations(config.calibration_folder())
    found = [c for c in known if c.signal in wanted and who[0] in ("", c.service) and who[1] in ("", c.environment)]
    places = sorted({(c.service, c.environment) for c in found})
    if not places and any(c.signal in wanted for c in known):
        there = ", ".join(sorted({f"{c.service} in {c.environment}" for c in known if c.signal in wanted}))
        raise BadInput(
            f"{path}: {config.calibration_folder()} has no baseline of {' in '.join(name for name in who if name)}; there are: {there}; "
            "name one with --service and --environment, or take one: truegreen baseline take"
        )
    if len(places) != 1:
        there = "; there are: " + ", ".join(f"{s} in {e}" for s, e in places) if places else ""
        raise BadInput(
            f"{path}: recorded calls are judged by the frozen baseline of one service, and {config.calibration_folder()} has {len(places)} that fit"
            f"{there}; {'name one with --service and --environment' if places else 'take one: truegreen baseline take'}"
        )
    judges = [
        replay.Evaluator(c.signal, judge_of(c.signal, config.evaluations.get(c.signal, {})), c, wanted[c.signal]) for c in found
    ]
    labels = {"service": places[0][0], "environment": places[0][1]}
    broken = files.Broken()
    made = replay.counted(replay.timed(files.read_replay(path, broken), every, str(path)), judges, labels)
    scrape = int(max(1, min(LONGEST_SCRAPE, config.scrape_interval_seconds)))
    written = folder / "past.om"
    with written.open("w", encoding="utf-8") as out:
        out.writelines(replay.lines(made, scrape))
        out.write(text.END)
    said = [f"{made.calls} calls: " + ", ".join(f"{count} {name}" for name, count in sorted(made.results.items()))]
    said += [f"broken line: {line}" for line in broken.first]
    past = text.extent(written)
    return Input(Past(written, past.begin, past.begin, past.end), frozenset(past.names), tuple(said), made, places[0])


def cut(source: Input, start: float | None, end: float | None) -> Input:
    """The same samples; alerts count from `start` to `end` (None: as they are).

    Raises:
        BadInput: nothing of the past lies between them.
    """
    past = source.past
    begun, ended = max(past.start, start or past.start), min(past.end, end or past.end)
    if past.start >= past.end:
        raise BadInput(f"--from: all samples are of one moment, {_said(past.start)}; a backtest needs hours of them")
    if begun >= ended:
        raise BadInput(f"--start and --end: leave nothing; the samples are of {_said(past.start)} to {_said(past.end)}")
    return replace(source, past=replace(past, start=begun, end=ended))


def only_recorded(service: str, environment: str, every: float | None) -> None:
    """Refuse what is asked of recorded calls only, where the past is another.

    Raises:
        BadInput: one of them is there.
    """
    given = [f"--{name}" for name, value in (("service", service), ("environment", environment), ("every", every)) if value]
    if given:
        raise BadInput(
            f"{' and '.join(given)}: only for a replay file of recorded calls; leave it out: every service of the samples is judged"
        )


def labelled(source: Input, slo: Slo, budget: Decimal) -> list[Incident] | None:
    """Incidents by the human labels `y` of recorded calls: hours whose bad ratio exceeds the budget by more than chance.

    None without labels, and for an SLO that judges no answers: of that they say nothing.
    """
    if source.calls is None or source.who is None or not source.calls.labelled or not isinstance(slo.sli, EvaluationSli):
        return None
    spans = replay.incidents(source.calls, budget, lambda wrong: byar(wrong, LABELLED_Z))
    return [Incident(start, end, source.who[0]) for start, end in spans]


def unmatched(
    path: Path | None, known: Sequence[Incident], span: tuple[float, float], services: AbstractSet[str] | None = None
) -> list[str]:
    """A note for each incident that scores nothing.

    Args:
        span: the past, unix seconds.
        services: that were judged; None where it is not known yet.

    Raises:
        BadInput: none of the incidents scores anything.
    """
    notes = []
    for one in known:
        told = f"incident {_said(one.start)} to {_said(one.end)}{f' of {plain(one.service)}' if one.service else ''}"
        if one.end <= span[0] or one.start >= span[1]:
            notes.append(f"{told}: outside the past, which is {_said(span[0])} to {_said(span[1])} (UTC)")
        elif services is not None and one.service and one.service not in services:
            there = ", ".join(sorted(plain(name) for name in services)) or "none"
            notes.append(f"{told}: no such service was judged; there are: {there}")
    if notes and len(notes) == len(known):
        raise BadInput(
            f"{path}: none of its incidents can be compared: {'; '.join(notes[:SHOWN])}{'; …' if len(notes) > SHOWN else ''}"
        )
    return notes


def incidents(path: Path) -> list[Incident]:
    """A file of `start,end[,service]`, a line each; times as ISO 8601 or unix seconds; a first line of words is a header.

    Raises:
        BadInput: a line that is not that (with its number), or the file cannot be read.
    """
    try:
        rows = list(csv.reader(path.read_text("utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{path}: cannot be read: {error}") from None
    found: list[Incident] = []
    for place, row in enumerate(rows, start=1):
        cells = [cell.strip() for cell in row]
        if not any(cells) or cells[0].startswith("#") or (place == 1 and cells[0].lower() in ("start", "from", "begin")):
            continue
        if len(cells) < 2:
            raise BadInput(f"{path}:{place}: found {len(cells)} column; write start,end or start,end,service")
        start, end = moment(cells[0], f"{path}:{place}: start"), moment(cells[1], f"{path}:{place}: end")
        if end <= start:
            raise BadInput(f"{path}:{place}: the end ({cells[1]}) is not after the start ({cells[0]})")
        found.append(Incident(int(start), int(end), cells[2] if len(cells) > 2 else ""))
    return sorted(found, key=lambda one: (one.start, one.end, one.service))


def moment(written: str, where: str) -> float:
    """Unix seconds of an ISO 8601 time (UTC where it names no zone) or of a number.

    Raises:
        BadInput: neither.
    """
    try:
        found = float(written)
    except ValueError:
        try:
            read = datetime.fromisoformat(written)
        except ValueError:
            raise BadInput(f"{where}: found {written!r}; write a time such as 2026-11-01T08:00:00Z or unix seconds") from None
        found = (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
    if not math.isfinite(found) or not 0 <= found < 1e11:
        raise BadInput(f"{where}: found {written!r}; write unix seconds, not milliseconds")
    return found


def plain(name: str) -> str:
    """A name that came from spans, without what would steer a terminal."""
    return "".join(c if c.isprintable() else "�" for c in name)


def _said(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M")
