"""A recorded incident: from the series of a demo, through a real Prometheus, to what the preview reads."""

from __future__ import annotations

import copy
import gzip
import hashlib
import json

import pytest
import recorded
import tiny_recording as tiny

from truegreen.core.errors import BadInput
from truegreen.dashboards.preview import recording


@pytest.fixture(scope="module")
def made(engine, tmp_path_factory):
    """The tiny incident as it is asked by the tiny board."""
    engine("prometheus")
    engine("promtool")
    folder = tmp_path_factory.mktemp("tiny")
    path = folder / "incident.json.gz"
    path.write_bytes(tiny.packed())
    raw, digest = recorded.read(path)
    with recorded.prometheus(raw, folder) as client:
        yield recorded.taken(raw, digest, client, {"tiny": tiny.BOARD})


def _answer(made, expr, step, kind):
    return made.boards["tiny"]["queries"][f"{expr}|{step}|{kind}"]


def test_every_question_of_the_board_is_answered_over_time(made):
    """Targets of folded rows and annotations too, under the expression as it is written; what has no data is recorded as that."""
    board = made.boards["tiny"]
    assert set(board["queries"]) == {
        f"{tiny.BAD}|1s|range", f"{tiny.BAD}|1s|instant", f"{tiny.ALL}|4s|instant", f"{tiny.BUCKETS}|4s|range", f"{tiny.NONE}|1s|range",
        f"{tiny.FIRING}|2s|range",
    }  # fmt: skip
    assert _answer(made, tiny.NONE, "1s", "range")["series"] == []
    assert board["variables"] == {"service": ["agent"], "model": ["small"]}


def test_the_numbers_are_those_of_a_prometheus(made):
    """A rate reads four of the shortest steps: nothing fails before the onset, half of it afterwards; the instant one is right at any time."""
    for kind in ("range", "instant"):
        answer = _answer(made, tiny.BAD, "1s", kind)
        ((values),) = [one["values"] for one in answer["series"]]
        at = {answer["start"] + index * answer["step"]: value for index, value in enumerate(values)}
        assert at[tiny.START] is None, "one sample makes no rate"
        assert at[tiny.ONSET - 2] == 0
        assert at[tiny.ONSET + 8] == 0.5
    last = _answer(made, tiny.ALL, "4s", "instant")["series"][0]
    assert last["labels"] == {"model": "small"}
    assert last["values"][-1] == 400
    assert len(last["values"]) == tiny.END - tiny.START + 1, "what is read as of now is recorded for every second"
    assert _answer(made, tiny.BUCKETS, "4s", "range")["start"] % 4 == 0


def test_an_alert_that_has_ended_ends_in_the_recording(made):
    """Series from a file have no marks where they end; it must not fire to the end of the picture."""
    answer = _answer(made, tiny.FIRING, "2s", "range")
    times = [answer["start"] + 2 * index for index, value in enumerate(answer["series"][0]["values"]) if value is not None]
    assert tiny.ONSET <= times[0] <= tiny.ONSET + 2
    assert tiny.ENDED - 2 <= times[-1] <= tiny.ENDED + 2


def test_exemplars_go_to_the_questions_that_read_their_series(made):
    """By name and by the matchers, and to those alone that ask for exemplars."""
    (found,) = made.boards["tiny"]["exemplars"][tiny.BUCKETS]
    assert found["exemplars"] == [{"at": tiny.ONSET + 0.5, "value": 0.3, "trace_id": tiny.TRACE}]
    other = {**tiny.RAW["exemplars"][0], "labels": {**tiny.RAW["exemplars"][0]["labels"], "model": "tiny"}}
    query = next(query for query in recording.asked(tiny.BOARD) if query.exemplars)
    assert recorded._exemplars([other], query) == []


def test_what_the_demo_promised_is_recorded_with_it(made):
    """Thresholds follow from the SLOs of the recorded service, not from the reader's."""
    assert made.slos == (
        {"name": "grounding", "mode": "live", "objective": "98%"}, {"name": "latency", "mode": "shadow", "objective": "99%"},
    )  # fmt: skip
    assert made.of == hashlib.sha256(tiny.packed()).hexdigest()
    assert (made.start, made.end, made.time_scale) == (tiny.START, tiny.END, 60)
    assert made.marks[0]["name"] == "onset"


def test_the_stage_is_not_part_of_the_incident():
    """What is shown begins shortly before the first mark and ends with the last; without marks all is shown."""
    marks = [{"at": 99.5, "name": "onset", "text": ""}, {"at": 140.25, "name": "closed", "text": ""}]
    assert recorded.window({"start": 10, "end": 200, "marks": marks}) == (72, 141)
    assert recorded.window({"start": 90, "end": 120, "marks": marks}) == (90, 120)
    assert recorded.window({"start": 10, "end": 200, "marks": []}) == (10, 200)


def test_it_is_read_as_it_was_written(made):
    """The same bytes each time, so that a difference in a commit is one in the numbers."""
    data = recording.dump(made)
    assert recording.load(data, "x") == made
    assert recording.load(gzip.decompress(data), "x") == made
    assert recording.dump(recording.load(data, "x")) == data
    assert b"NaN" not in gzip.decompress(data)


def test_a_difference_of_values_is_found_and_one_of_rounding_is_not(made):
    """What `make recorded` compares."""
    one = json.loads(gzip.decompress(recording.dump(made)))
    other = copy.deepcopy(one)
    answer = other["boards"]["tiny"]["queries"][f"{tiny.BAD}|1s|range"]["series"][0]["values"]
    answer[28] += 1e-9
    assert list(recorded.differences(one, other)) == []
    answer[28] = 0.501
    del other["boards"]["tiny"]["queries"][f"{tiny.NONE}|1s|range"]
    found = list(recorded.differences(one, other))
    assert sorted(text.rpartition(": ")[2] for text in found) == ["0.5 and 0.501", "in one only"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x1f\x8bno", "is no recording, neither JSON nor gzipped JSON"),
        (b"<html>", "is no recording, neither JSON nor gzipped JSON"),
        (b"[]", "its format is None, and 'truegreen-preview/1' is read"),
        (b'{"format": "truegreen-preview/9"}', "its format is 'truegreen-preview/9'"),
        (tiny.packed(), "holds the series of a demo; `make recorded` asks them"),
        (b'{"format": "truegreen-preview/1", "of": ""}', "'start' is missing; write one with `make recorded`"),
    ],
)
def test_what_is_no_recording_is_said(data, words):
    """And what to do instead."""
    with pytest.raises(BadInput, match="^bad.json: ") as told:
        recording.load(data, "bad.json")
    assert words in str(told.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"start": tiny.END}, "it ends at 1.76428e+09 and begins at"),
        ({"marks": [{"name": "onset"}]}, "'at' is missing"),
        (
            {"boards": {"tiny": {"queries": {"up|1s|range": {"step": 0, "series": []}}}}},
            "the answer of tiny to up|1s|range has the step 0",
        ),
        (
            {"boards": {"tiny": {"queries": {"up|1s|range": {"start": 1, "step": 1, "series": [{"values": []}]}}}}},
            "'labels' is missing",
        ),
        ({"boards": {"tiny": {"queries": []}}}, "'list' object has no attribute 'items'"),
    ],
)
def test_a_broken_recording_is_said(made, change, words):
    """The page would draw nothing, or something wrong."""
    broken = {**json.loads(gzip.decompress(recording.dump(made))), **change}
    with pytest.raises(BadInput) as told:
        recording.load(json.dumps(broken).encode(), "bad.json")
    assert words in str(told.value)


def test_only_the_series_of_a_demo_are_asked(tmp_path):
    """Another file is refused in words."""
    path = tmp_path / "other.json.gz"
    for data in (b"no gzip", gzip.compress(b"[]"), gzip.compress(b'{"format": "other"}')):
        path.write_bytes(data)
        with pytest.raises(BadInput, match="write it with `make incident`"):
            recorded.read(path)


def test_what_is_shipped_was_made_from_the_kept_incident():
    """A new incident needs new answers."""
    _, digest = recorded.read(recorded.INCIDENT)
    assert recording.load(recorded.SHIPPED.read_bytes(), "shipped").of == digest, "run: make recorded pictures"
