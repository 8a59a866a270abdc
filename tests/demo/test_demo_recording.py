"""The recording of a run: what is kept of a series, and what is not."""

import gzip
import json
import math

from truegreen.core.clients.prometheus import Rule, Series
from truegreen.demo import recording

TRACE = "0123456789abcdef0123456789abcdef"


def made(**given):
    """A recording of two series with one exemplar that says too much."""
    series = [
        Series({"__name__": "up", "job": "b"}, ((100.0, 1.0), (101.0, 1.0), (104.0, 0.0))),
        Series({"__name__": "up", "job": "a"}, ((102.0, 1234567.25), (103.0, math.nan), (104.0, 1e9))),
        Series({"__name__": "gone"}, ()),
    ]
    told = {"labels": {"trace_id": TRACE, "text": "opened items can be returned"}, "value": "0.25", "timestamp": 103.5}
    wild = {"labels": {"trace_id": "a sentence of five whole words"}, "value": "1", "timestamp": 103.6}
    rule = Rule("g", "f", "up:ratio", "recording", "sum(up)", {}, {"summary": "text"}, "ok", "", "", 0.0)
    exemplars = [{"seriesLabels": {"__name__": "up"}, "exemplars": [told, wild]}, {"seriesLabels": {}, "exemplars": [wild]}]
    return recording.content(series, 100, 104, time_scale=60, scrape=1.0, moments=[], exemplars=exemplars, rules=[rule], **given)


def test_a_series_keeps_its_gaps_whole_numbers_and_six_digits():
    """From its first value to its last, sorted by labels; what is absent or no number is null, and an empty series is none."""
    assert made()["series"] == [
        {"labels": {"__name__": "up", "job": "a"}, "start": 102, "values": [1234567.25, None, 1000000000]},
        {"labels": {"__name__": "up", "job": "b"}, "start": 100, "values": [1, 1, None, None, 0]},
    ]


def test_of_an_exemplar_only_the_trace_id_is_kept_and_of_a_rule_only_its_name():
    """Whatever else an application puts on an exemplar stays out, and so do annotations."""
    found = made()
    assert found["exemplars"] == [{"labels": {"__name__": "up"}, "exemplars": [{"at": 103.5, "value": 0.25, "trace_id": TRACE}]}]
    assert found["rules"] == {"up:ratio": {"kind": "recording", "group": "g"}}


def test_the_file_is_the_same_for_the_same_content(tmp_path):
    """No time of writing is in it, and it reads back."""
    first, second = tmp_path / "a" / "one.json.gz", tmp_path / "two.json.gz"
    recording.write(first, made())
    recording.write(second, made())
    assert first.read_bytes() == second.read_bytes()
    assert json.loads(gzip.decompress(first.read_bytes()))["format"] == "truegreen-recording/1"


def test_the_moments_of_the_story_are_marks_in_unix_time():
    """Steps that are no moment of the incident, such as the example with its text, are not."""
    steps = [
        {"step": "example", "seconds": 40.0, "text": 'Q "x"'},
        {"step": "INCIDENT", "seconds": 41.5, "text": "the provider"},
        {"step": "rollback", "seconds": 60.0, "text": "$ truegreen rollback"},
    ]
    assert recording.marks(steps, 1_000.0) == [
        {"at": 1041.5, "name": "onset", "text": "the provider"},
        {"at": 1060.0, "name": "rollback", "text": "$ truegreen rollback"},
    ]
