"""Frozen baselines in a folder and behind fsspec: whole, dated, named by their content, never written twice; a broken one named and kept."""

import json
import random
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from truegreen.core.errors import BadInput, Failed
from truegreen.evaluation.baselines import store
from truegreen.evaluation.baselines.distributions import of_values
from truegreen.evaluation.model import FrozenBaseline, Profile, Ratio

DICE = random.Random(1)


def rows(count, width):
    """Some numbers."""
    return tuple(tuple(round(DICE.uniform(-1, 1), 6) for _ in range(width)) for _ in range(count))


SMALL = FrozenBaseline(
    "bot", "production", "2026-11-01T12:00:00+00:00", "abc", {"latency": of_values([1.0, 2.0])}, {"escalation": Ratio(1, 20, 2.5)},
    (Profile("greet@1", 900, rows(3, 10), rows(3, 64), rows(3, 64), "lexical-64@1"), Profile("é:✓/..", 1, rows(1, 10), source="expected")), 1,
)  # fmt: skip
RETRIEVED = replace(SMALL, profiles=(*SMALL.profiles, Profile("orders", 0, (), retrievals=((0, 3), (2, 5)))))
LARGE = replace(SMALL, profiles=(Profile("greet@1", 900, rows(140, 10), rows(140, 384), (), "minilm"),))


@pytest.fixture(params=["folder", "memory"])
def place(request, tmp_path):
    """A local folder, and an address that only fsspec knows."""
    return str(tmp_path / "deep" / "er") if request.param == "folder" else f"memory://{tmp_path.name}/baselines"


@pytest.mark.parametrize(
    "frozen", [RETRIEVED, replace(LARGE, profiles=LARGE.profiles + RETRIEVED.profiles[-1:])], ids=["json", "parquet"]
)
def test_what_is_kept_comes_back_whole_and_a_second_time_is_the_same_file(place, frozen):
    """Large sketches lie in a Parquet file beside the JSON; the name holds service, environment, date and digest."""
    name = store.save(place, frozen)
    assert name.startswith("bot__production__20261101T120000Z__")
    assert store.load(place, name) == frozen
    assert store.save(place, frozen) == name
    assert store.names(place) == [name]


def test_a_change_of_any_part_is_another_name(place):
    """The digest is over everything, sketches included."""
    changed = [
        RETRIEVED,
        replace(SMALL, profiles=(*SMALL.profiles, replace(RETRIEVED.profiles[-1], retrievals=((0, 3), (3, 5))))),
        replace(SMALL, ratios={"escalation": Ratio(2, 20, 2.5)}),
        replace(SMALL, seed=2),
        replace(SMALL, profiles=(replace(SMALL.profiles[0], style=rows(3, 10)), SMALL.profiles[1])),
        replace(SMALL, profiles=SMALL.profiles[:1]),
    ]
    assert len({store.save(place, one) for one in (SMALL, *changed)}) == 7


def test_baselines_are_listed_of_one_service_by_their_dates(place):
    """Whatever their digests, and whatever else lies there."""
    later = [replace(SMALL, taken=f"2026-11-{day:02}T02:00:00+02:00") for day in (9, 3, 20)]
    for one in (*later, replace(SMALL, service="bot2"), replace(SMALL, environment="staging")):
        store.save(place, one)
    assert [name.split("__")[2] for name in store.names(place, "bot", "production")] == [
        "20261103T000000Z", "20261109T000000Z", "20261120T000000Z",
    ]  # fmt: skip
    assert len(store.names(place)) == 5
    assert store.names(place, "other", "production") == []


def test_the_baseline_to_compare_with_is_the_oldest_until_one_is_chosen(place):
    """Never the newest of itself: it would absorb the drift. Choices stay beside each other; the last one counts."""
    assert store.chosen(place, "bot", "production") is None
    first, second = store.save(place, SMALL), store.save(place, replace(SMALL, taken="2026-11-02T12:00:00+00:00"))
    assert store.chosen(place, "bot", "production") == first
    store.choose(place, second, datetime(2026, 11, 3, tzinfo=UTC))
    assert store.chosen(place, "bot", "production") == second
    store.choose(place, first, datetime(2026, 11, 4, tzinfo=UTC))
    assert store.chosen(place, "bot", "production") == first
    with pytest.raises(BadInput, match="another baseline was chosen in this second"):
        store.choose(place, second, datetime(2026, 11, 4, tzinfo=UTC))
    with pytest.raises(BadInput, match="there is no such file"):
        store.choose(place, "no.baseline.json", datetime(2026, 11, 5, tzinfo=UTC))


def edited(change):
    """A way to break a baseline: its JSON, changed."""
    return lambda text: json.dumps(change(json.loads(text)) or {})


def without(*path):
    """Leave a key out."""

    def change(data):
        inner = data
        for key in path[:-1]:
            inner = inner[key]
        del inner[path[-1]]
        return data

    return edited(change)


def put(value, *path):
    """Set a key."""

    def change(data):
        inner = data
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value
        return data

    return edited(change)


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (lambda text: text[: len(text) // 2], "not JSON"),
        (lambda _: "", "not JSON"),
        (lambda _: "[]", "found list, expected a JSON object"),
        (lambda _: "[" * 100_000, "not JSON"),
        (put(9, "version"), "version: found 9, expected 1"),
        (put("", "service"), "service: found '', expected a text that is not empty"),
        (put("yesterday", "taken"), "taken: found 'yesterday'"),
        (without("seed"), "seed: found nothing"),
        (without("digest"), "the file was edited"),
        (put("bot2", "service"), "the file was edited"),
        (put(-1.0, "days"), "days: found -1.0, expected a finite number of at least 0"),
        (put(3, "ratios", "escalation", "bad"), "the file was edited"),
        (put(30, "ratios", "escalation", "bad"), "found 30 of 20 events"),
        (put(0.5, "ratios", "escalation", "design_effect"), "at least 1"),
        (put(True, "numbers", "latency", "mean"), "mean: found True"),
        (put([2.0, 1.0], "numbers", "latency", "quantiles"), "found numbers that fall"),
        (put([1.0], "numbers", "latency", "bounds"), "counts: found 0"),
        (put("x", "profiles", 0, "source"), "expected live or expected"),
        (put([[1.0] * 9], "profiles", 0, "style"), r"style\[0\]: expected 10"),
        (put([[1.0, 2.0], [1.0]], "profiles", 0, "answer_vectors"), r"answer_vectors\[1\]: expected 2"),
        (put([["1"]], "profiles", 0, "answer_vectors"), r"answer_vectors\[0\]"),
        (put([[4, 3]], "profiles", 0, "retrievals"), r"retrievals\[0\]: found 4 of 3"),
        (put([[0, 0]], "profiles", 0, "retrievals"), r"retrievals\[0\]: found 0 of 0"),
        (put([[1, 3], [1, 2, 3]], "profiles", 0, "retrievals"), r"retrievals\[1\]: expected 2"),
        (put({}, "profiles"), "profiles: found"),
        (put("other.parquet", "sketches"), "there is no such file"),
    ],
)
def test_a_broken_baseline_is_named_and_kept(tmp_path, broken, said):
    """With the key, what was found and what is expected; the file is as it was, also after another `save` of the same."""
    name = store.save(str(tmp_path), SMALL)
    (tmp_path / name).write_text(text := broken((tmp_path / name).read_text("utf-8")), "utf-8")
    for attempt in (lambda: store.load(str(tmp_path), name), lambda: store.save(str(tmp_path), SMALL)):
        with pytest.raises(BadInput, match=said) as error:
            attempt()
        assert "greet" not in str(error.value)
    assert (tmp_path / name).read_text("utf-8") == text
    assert store.names(str(tmp_path)) == [name]


@pytest.mark.parametrize("damage", [lambda raw: raw[:-20], lambda _: b"", lambda raw: raw.replace(b"PAR1", b"PAR2")])
def test_a_broken_sketch_is_named_and_kept(tmp_path, damage):
    """The Parquet file beside the JSON, cut off or of another kind."""
    name = store.save(str(tmp_path), LARGE)
    sketch = next(Path(tmp_path).glob("*.parquet"))
    sketch.write_bytes(left := damage(sketch.read_bytes()))
    for attempt in (lambda: store.load(str(tmp_path), name), lambda: store.save(str(tmp_path), LARGE)):
        with pytest.raises(BadInput, match=sketch.name):
            attempt()
    assert sketch.read_bytes() == left


def test_a_sketch_that_is_gone_says_whose_it_is_and_what_to_do(place):
    """The Parquet file alone would not say which baseline cannot be read without it."""
    name = store.save(place, LARGE)
    sketch = name.replace(".baseline.json", ".parquet")
    text = store.places.read(place, name)
    store.places.create(f"{place}/copied", name, text)
    with pytest.raises(
        BadInput, match=f"{sketch}: there is no such file, and {name} needs it; put it back beside that, or take a new baseline"
    ):
        store.load(f"{place}/copied", name)


def test_without_pyarrow_the_baseline_that_needs_it_is_named(tmp_path, monkeypatch):
    """With what to install; small ones are read all the same."""
    small, name = store.save(str(tmp_path), SMALL), store.save(str(tmp_path), LARGE)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert store.load(str(tmp_path), small) == SMALL
    with pytest.raises(
        BadInput, match=name.removesuffix(".baseline.json") + r"\.parquet: needs pyarrow; pip install 'truegreen\[evaluate\]'"
    ):
        store.load(str(tmp_path), name)


def test_a_sketch_of_another_baseline_is_noticed(tmp_path):
    """Its digest is in the JSON."""
    name = store.save(str(tmp_path), LARGE)
    store.save(str(tmp_path), replace(LARGE, seed=2, profiles=(replace(LARGE.profiles[0], style=rows(140, 10)),)))
    mine, other = sorted(tmp_path.glob("*.parquet"), key=lambda path: path.stem not in name)
    mine.write_bytes(other.read_bytes())
    with pytest.raises(BadInput, match="the file was edited"):
        store.load(str(tmp_path), name)


def test_a_place_that_cannot_be_used_says_so_and_no_password(tmp_path):
    """A file where a folder should be; a scheme that nobody has installed."""
    (tmp_path / "file").write_text("")
    with pytest.raises(Failed, match="is a file; name a folder"):
        store.save(str(tmp_path / "file"), SMALL)
    with pytest.raises(Failed, match="cannot be (read|written)"):
        store.save(str(tmp_path / "file" / "below"), SMALL)
    with pytest.raises(Failed, match="cannot be read"):
        store.names(str(tmp_path / "file"))
    with pytest.raises(BadInput, match="nonsense://host/x.*an address that fsspec knows") as error:
        store.save("nonsense://user:secret@host/x", SMALL)
    assert "secret" not in str(error.value)
    assert store.names(str(tmp_path / "nothing")) == []
