"""Replay files in, calibration files out."""

import gzip
import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from truegreen.core.errors import BadInput, Failed
from truegreen.core.words import calibration
from truegreen.evaluation import files
from truegreen.evaluation.baselines.baseline import freeze
from truegreen.evaluation.files import Broken, read_replay, write_calibration

CALL = {"query": "q", "context": ["p"], "answer": "the answer", "model": "m"}
FROZEN = freeze(
    [i / 999 for i in range(1000)],
    service="a/b",
    environment="prod",
    signal="groundedness",
    evaluator="context-support",
    taken="2026-01-01",
)


def read(path, *lines: str | bytes):
    """Write lines and read them back: the records and what is broken."""
    path.write_bytes(b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines))
    broken = Broken()
    return list(read_replay(path, broken)), broken


def with_(**more) -> str:
    """One line with some keys changed."""
    return json.dumps({**CALL, **more})


def test_a_record_keeps_its_optional_and_other_keys(tmp_path):
    """id, time and y have places of their own; the rest is kept as it is."""
    (record,), broken = read(tmp_path / "f", with_(id=7, time=1.5, y=1, session="s", spans=[1]))
    assert (record.id, record.time, record.wrong, record.extra) == ("7", 1.5, True, {"session": "s", "spans": [1]})
    assert (record.context, broken.count) == (("p",), 0)


def test_gzip_is_told_by_its_bytes_and_not_by_its_name(tmp_path):
    """A packed file without .gz, and a plain one with it."""
    packed, plain = tmp_path / "packed.jsonl", tmp_path / "plain.jsonl.gz"
    packed.write_bytes(gzip.compress(with_().encode()))
    plain.write_text(with_())
    assert list(read_replay(packed, Broken())) == list(read_replay(plain, Broken()))


@pytest.mark.parametrize(
    ("line", "key", "found"),
    [
        (json.dumps({"query": "q", "context": [], "answer": "a"}), "model", "nothing"),
        (with_(model=""), "model", "a text of 0 characters"),
        (with_(context="one passage"), "context", "a text of 11 characters"),
        (with_(context=["p", 3]), "context[1]", "the number 3"),
        (with_(answer=None), "answer", "null"),
        (with_(y=2), "y", "the number 2"),
        (with_(time="noon"), "time", "a text of 4 characters"),
        ("[1]", "", "a list"),
        ("{", "", "no JSON"),
        ('{"time": NaN}', "", "no JSON"),
        ("[" * 100_000, "", "no JSON"),
        (b"\xff\xfe", "", "not UTF-8"),
        ('{"query": "\\ud800", "context": [], "answer": "a", "model": "m"}', "", "not UTF-8"),
    ],
)
def test_a_broken_line_is_named_and_the_rest_is_used(tmp_path, line, key, found):
    """File, line number, key, what was found and what to write; the lines around it are read."""
    path = tmp_path / "calls.jsonl"
    records, broken = read(path, with_(id="before"), line, "", with_(id="after"))
    assert [record.id for record in records] == ["before", "after"]
    assert broken.count == 1
    said = str(broken.first[0])
    assert said.startswith(f"{path}:2:{f' {key}:' if key else ''} found ") and found in said and "; write " in said


def test_a_broken_line_never_repeats_the_text_of_an_answer(tmp_path):
    """What was found is described, not quoted."""
    _, broken = read(tmp_path / "f", with_(), with_(context="the secret passage"), '{"answer": "the secret answer"')
    assert broken.count == 2
    assert "secret" not in "".join(map(str, broken.first))


def test_all_broken_lines_are_counted_and_five_are_kept(tmp_path):
    """Memory does not grow with a file's faults."""
    _, broken = read(tmp_path / "f", with_(), *["{"] * 100)
    assert (broken.count, len(broken.first)) == (100, 5)


def test_a_line_over_the_limit_is_broken_and_never_held_whole(tmp_path, monkeypatch):
    """The next line is read as a line of its own."""
    monkeypatch.setattr(files, "LINE_BYTES", 1024 * 1024)
    records, broken = read(tmp_path / "f", with_(answer="x" * 3_000_000), with_(id="next"))
    assert [record.id for record in records] == ["next"]
    assert "a line over 1 MiB" in str(broken.first[0])


@pytest.mark.parametrize("lines", [[""], ["{"], ["", " ", "[]"]])
def test_a_file_without_a_usable_line_is_bad_input(tmp_path, lines):
    """It says so, with the first fault."""
    with pytest.raises(BadInput, match="no usable line"):
        read(tmp_path / "f", *lines)


def test_damaged_gzip_is_one_clear_error(tmp_path):
    """Cut off, or garbage inside."""
    packed = gzip.compress("\n".join([with_(answer=os.urandom(50).hex()) for _ in range(500)]).encode())
    for name, content in (("cut", packed[: len(packed) // 2]), ("garbage", packed[:200] + b"\0" * 300 + packed[500:])):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(BadInput, match="gzip data is damaged after line"):
            list(read_replay(path, Broken()))


def test_a_missing_file_and_a_folder_are_bad_input(tmp_path):
    """The path and the reason."""
    for path in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(BadInput, match="cannot be read"):
            list(read_replay(path, Broken()))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=80) | st.sampled_from([with_().encode(), with_(context=[[]]).encode()]), max_size=5))
def test_any_bytes_give_records_or_bad_input(tmp_path_factory, lines):
    """Nothing else escapes."""
    path = tmp_path_factory.mktemp("any") / "f"
    try:
        records, broken = read(path, *lines)
    except BadInput:
        return
    assert records and all(record.model for record in records) and broken.count >= 0


def test_records_come_one_at_a_time(tmp_path):
    """The first is there before a fault at the file's end is met."""
    path = tmp_path / "f"
    path.write_bytes(gzip.compress(("\n".join([with_(answer=os.urandom(99).hex())] * 1000)).encode())[:-9])
    assert next(read_replay(path, Broken())).model == "m"


def test_a_calibration_is_written_whole_under_its_own_name(tmp_path):
    """The folder is made, the text reads back, nothing else stays behind."""
    path = write_calibration(tmp_path / "new" / "folder", FROZEN)
    assert path.name == calibration.file_name("a/b", "prod", "groundedness")
    assert calibration.from_text(path.read_text(), "f") == FROZEN
    assert os.listdir(path.parent) == [path.name]


def test_a_full_disk_is_one_line_and_leaves_the_old_file(tmp_path, monkeypatch):
    """The write fails; what was there stays, no half file lies about."""
    path = write_calibration(tmp_path, FROZEN)
    before = path.read_text()

    def full(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("truegreen.core.whole.os.fsync", full)
    with pytest.raises(Failed, match="cannot be written: No space left on device"):
        write_calibration(tmp_path, FROZEN)
    assert path.read_text() == before and os.listdir(tmp_path) == [path.name]


def test_a_folder_that_is_a_file_is_one_line(tmp_path):
    """As above, for a path that cannot be a folder."""
    (tmp_path / "file").write_text("")
    with pytest.raises(Failed, match="cannot be written"):
        write_calibration(tmp_path / "file", FROZEN)
