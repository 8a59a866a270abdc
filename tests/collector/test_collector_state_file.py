"""The file in which gauges survive a restart: what it holds, what becomes of a bad one, and that no write loses what was good."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from collector_process import Running, until
from hypothesis import given
from hypothesis import strategies as st
from otlp_requests import HOLD, INTERVAL, Clock, judged, shown, span, traces

from truegreen.collector import state_file
from truegreen.collector.processor import Processor
from truegreen.core.errors import Failed
from truegreen.core.words import catalogue

SNAPSHOT = judged("fail", truegreen__snapshot__id="a1", truegreen__version__prompt="p@4", user__id="alice") | {
    "gen_ai.output.messages": "SECRET ANSWER"
}
RETRIEVAL = {"gen_ai.operation.name": "retrieval", "gen_ai.data_source.id": "kb", "truegreen.retrieval.index.rebuilt": 1.7e9}


def filled(clock: Clock) -> Processor:
    made = Processor(clock, INTERVAL)
    made.traces(traces([span(SNAPSHOT), span(RETRIEVAL)]))
    return made


def restarted(path: Path, clock: Clock) -> tuple[Processor, list[str]]:
    """A new process with this file, and what it said."""
    made, said = Processor(clock, INTERVAL), list[str]()
    state_file.restore(path, made.store, said.append)
    return made, said


def test_gauges_come_back_and_counters_begin_at_0(clock: Clock, tmp_path: Path) -> None:
    """Since when a snapshot is there, its versions, the age of an index; a span after the restart moves none of them."""
    path = tmp_path / "state.json"
    began = clock.now
    state_file.write(path, state_file.text(filled(clock).store))
    clock.advance(60)
    after, said = restarted(path, clock)
    assert said == [f"state: 4 gauges of {path} taken up, 60 s old"]
    assert shown(after, catalogue.LLM_REQUESTS) == {}
    assert shown(after, catalogue.RETRIEVAL_INDEX_REBUILT_TIMESTAMP)["kb",][0] == 1.7e9
    after.traces(traces([span(SNAPSHOT)]))
    assert shown(after, catalogue.SNAPSHOT_SINCE_TIMESTAMP)["a1",][0] == began
    assert ("a1", "", "p@4", "", "", "", "", "") in shown(after, catalogue.SNAPSHOT_INFO)


def test_without_a_file_the_snapshot_comes_up_anew(clock: Clock) -> None:
    """What the file is for: the same restart without it."""
    filled(clock)
    clock.advance(60)
    after = Processor(clock, INTERVAL)
    after.traces(traces([span(SNAPSHOT)]))
    assert shown(after, catalogue.SNAPSHOT_SINCE_TIMESTAMP)["a1",][0] == clock.now


def test_a_snapshot_that_was_away_longer_than_the_gap_comes_up_anew(clock: Clock, tmp_path: Path) -> None:
    """An old file says nothing of now."""
    path = tmp_path / "state.json"
    state_file.write(path, state_file.text(filled(clock).store))
    clock.advance(20 * INTERVAL + 1)
    after, _ = restarted(path, clock)
    after.traces(traces([span(SNAPSHOT)]))
    assert shown(after, catalogue.SNAPSHOT_SINCE_TIMESTAMP)["a1",][0] == clock.now


def test_it_holds_label_values_and_numbers_alone(clock: Clock, tmp_path: Path) -> None:
    """No text that people wrote, no id of a user, no trace."""
    path = tmp_path / "state.json"
    state_file.write(path, state_file.text(filled(clock).store))
    held = path.read_text()
    assert "SECRET" not in held and "alice" not in held and "trace" not in held
    assert set(json.loads(held)["gauges"]) == {
        "truegreen_snapshot_info",
        "truegreen_snapshot_since_timestamp_seconds",
        "truegreen_calibration_info",
        "truegreen_retrieval_index_rebuilt_timestamp_seconds",
    }
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("content", "word", "kept"),
    [
        ("", "broken", "broken"),
        ('{"truegreen_coll', "broken", "broken"),
        ("[]", "broken", "broken"),
        ('{"truegreen_collector_state":1,"written":1}', "broken", "broken"),
        (
            '{"truegreen_collector_state":1,"written":1,"gauges":{"truegreen_snapshot_info":{"labels":["service"]}}}',
            "taken up",
            None,
        ),
        ('{"truegreen_collector_state":2,"other":1}', "is of version 2 and this collector reads 1", "version-2"),
        ("[" * 100_000, "broken", "broken"),
        ("\udcff", "broken", "broken"),
    ],
)
def test_a_file_that_is_not_understood_is_kept_beside_and_said(
    clock: Clock, tmp_path: Path, content: str, word: str, kept: str | None
) -> None:
    """Broken or newer: one line, a new beginning, and the file as it was under another name."""
    path = tmp_path / "state.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    after, said = restarted(path, clock)
    assert len(said) == 1 and word in said[0] and str(path) in said[0]
    assert shown(after, catalogue.SNAPSHOT_INFO) == {}
    beside = path.with_name(f"state.json.{kept}")
    if kept:
        assert beside.read_bytes() == content.encode("utf-8", "surrogateescape") and str(beside) in said[0]
    assert json.loads(path.read_text())["truegreen_collector_state"] == 1


@pytest.mark.full
def test_half_of_a_good_file_takes_up_nothing(clock: Clock, tmp_path: Path) -> None:
    """Cut at any place it is broken as a whole."""
    whole = state_file.text(filled(clock).store)
    for cut in range(0, len(whole) - 2, 7):
        path = tmp_path / f"{cut}.json"
        path.write_text(whole[:cut])
        after, said = restarted(path, clock)
        assert "broken" in said[0] and shown(after, catalogue.SNAPSHOT_INFO) == {}


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=3), lambda x: st.lists(x, max_size=4), max_leaves=12
)


@given(series=JSON)
def test_any_content_is_taken_up_or_said_to_be_broken(series: object, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No file ends the collector."""
    path = tmp_path_factory.mktemp("s") / "state.json"
    name, labels = "truegreen_snapshot_since_timestamp_seconds", ["service", "environment", "snapshot"]
    data = {"truegreen_collector_state": 1, "written": 1.0, "gauges": {name: {"labels": labels, "series": series}}}
    path.write_text(json.dumps(data))
    after, said = restarted(path, Clock())
    assert len(said) == 1
    after.copy()


@pytest.mark.parametrize(
    "series", ['[["a","b","c"],' + "9" * 400 + ",1]", '[["a","b","\\ud800"],1,1]'], ids=["huge number", "half a character"]
)
def test_what_can_be_read_and_not_held_is_said_to_be_broken(series: str, tmp_path: Path) -> None:
    """A number that no float has, a label that no file can hold."""
    path = tmp_path / "state.json"
    path.write_text(
        '{"truegreen_collector_state":1,"written":1.0,"gauges":{"truegreen_snapshot_since_timestamp_seconds":'
        f'{{"labels":["service","environment","snapshot"],"series":[{series}]}}}}}}'
    )
    _, said = restarted(path, Clock())
    assert len(said) == 1 and "is broken" in said[0]


def test_a_write_that_fails_leaves_the_file_before_it(clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk or a crash in the middle: the old file is whole, and nothing half-written lies beside it."""
    path = tmp_path / "state.json"
    good = state_file.text(filled(clock).store)
    state_file.write(path, good)

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        state_file.write(path, "{}")
    assert path.read_text() == good and os.listdir(tmp_path) == ["state.json"]


def test_a_write_that_fails_while_running_is_said_once_and_the_last_one_is_tried(
    clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The collector goes on; when the disk has room again the file is written."""
    monkeypatch.setattr(state_file, "WRITE_SECONDS", 0.0)
    store = Processor(clock, 0.01).store
    folder = tmp_path / "later"
    said: list[str] = []

    async def play() -> None:
        task = asyncio.create_task(state_file.keep(folder / "state.json", store, said.append))
        for _ in range(1000):
            await asyncio.sleep(0.005)
            if said:
                break
        folder.mkdir()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(play())
    assert len(said) == 1 and "cannot be written: No such file" in said[0]
    assert json.loads((folder / "state.json").read_text())["gauges"] == {}


def test_a_place_that_cannot_be_written_ends_the_start(clock: Clock, tmp_path: Path) -> None:
    """Known at once, not at the first stop."""
    with pytest.raises(Failed, match="--state: .*: No such file or directory; write a file in a folder"):
        state_file.restore(tmp_path / "no" / "state.json", Processor(clock, INTERVAL).store, print)


def test_more_series_than_a_limit_allows_are_folded_as_spans_are(clock: Clock, tmp_path: Path) -> None:
    """A file of an edited or older catalogue does not lift a limit."""
    before = Processor(clock, INTERVAL)
    before.traces(traces([span(judged(truegreen__snapshot__id=f"s{i}")) for i in range(150)]))
    data = json.loads(state_file.text(before.store))
    series = data["gauges"]["truegreen_snapshot_since_timestamp_seconds"]["series"]
    series += [[["bot", "production", f"t{i}"], 1.0, clock.now] for i in range(500)]
    path = tmp_path / "state.json"
    path.write_text(json.dumps(data))
    after, _ = restarted(path, clock)
    clock.advance(HOLD)
    assert len(shown(after, catalogue.SNAPSHOT_SINCE_TIMESTAMP)) == catalogue.SNAPSHOT_INFO.label("snapshot").limit + 1


def test_the_real_process_takes_up_what_the_one_before_wrote_when_it_stopped(
    start: Callable[..., Running], tmp_path: Path
) -> None:
    """By `--state`, and by `collector.state` of truegreen.yaml, beside the file."""
    options = ("--scrape-interval", "30s", "--state", "kept.json")
    first = start(*options)
    first.post(traces([span(SNAPSHOT)]))
    since = next(line for line in first.get("/metrics")[1].splitlines() if line.startswith("truegreen_snapshot_since"))
    first.process.send_signal(signal.SIGTERM)
    first.process.communicate(timeout=20)
    assert json.loads((tmp_path / "kept.json").read_text())["gauges"]
    (tmp_path / "truegreen.yaml").write_text("collector: {state: kept.json}\n")
    second = start("--scrape-interval", "30s")
    assert since in second.get("/metrics")[1]
    second.post(traces([span(SNAPSHOT)]))
    until(lambda: "truegreen_collector_accepted_spans_total 1\n" in second.get("/metrics")[1], "the span is counted")
    assert since in second.get("/metrics")[1]
