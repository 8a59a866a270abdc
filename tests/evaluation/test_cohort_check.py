"""Cohorts against the rest, and types of questions: by a key of labelled files, by the clock, by what is asked."""

import json
import math
import random
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from truegreen.core.errors import BadInput
from truegreen.evaluation.baselines.commands import baseline_take
from truegreen.evaluation.cohorts import checking, kmeans, sorting, types
from truegreen.evaluation.cohorts.commands import cohort_check, cohort_types

TOPICS = {
    "refund": "refund money back card payment charge bank",
    "delivery": "parcel delivery courier late tracking address door",
    "warranty": "broken screen repair warranty replace damaged cracked",
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """No configuration file of the repository is read."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRUEGREEN_CONFIG", raising=False)


def run(command, *arguments):
    """Call a command; its output, as JSON where that was asked for."""
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.output) if "--json" in arguments else done.output


def record(path, count=300, ill="warranty"):
    """Labelled calls on three topics, one of which goes wrong often."""
    dice = random.Random(4)
    with path.open("w") as stream:
        for place in range(count):
            topic = list(TOPICS)[place % 3]
            query = " ".join(dice.choices(TOPICS[topic].split(), k=9)) + "?"
            wrong = int(dice.random() < (0.4 if topic == ill else 0.04))
            call = {
                "query": query,
                "context": [],
                "answer": "yes.",
                "model": f"m{place % 2}",
                "plan": topic,
                "template": f"{topic}@1",
                "y": wrong,
            }
            stream.write(json.dumps(call) + "\n")
        stream.write(json.dumps({"query": "unlabelled", "context": [], "answer": "", "model": "m0"}) + "\nbroken\n")
    return str(path)


def test_the_bound_is_the_one_of_the_rules():
    """20 cohorts of 600 events, of which one has 120 bad ones and the others 24: z 3.872, chi-square 319.3, bound 0.13688."""
    found = {f"c{place:02}": (600.0, 24.0) for place in range(19)} | {"ill": (600.0, 120.0)}
    made = checking.check(found)
    assert made.z == pytest.approx(3.872, abs=0.001)
    assert made.differ < 1e-50
    assert (made.cohorts[0].name, made.cohorts[0].worse) == ("ill", True)
    assert made.cohorts[0].low == pytest.approx(0.13688, abs=1e-5)
    assert [one.name for one in made.cohorts if one.worse] == ["ill"]


@pytest.mark.parametrize("cohorts", [5, 30])
def test_of_cohorts_that_are_alike_one_search_in_twenty_names_any(cohorts):
    """However many there are."""
    rng = np.random.default_rng(cohorts)
    named = sum(
        any(
            one.worse
            for one in checking.check(
                {str(c): (400.0, float(bad)) for c, bad in enumerate(rng.binomial(400, 0.03, cohorts))}
            ).cohorts
        )
        for _ in range(60)
    )
    assert named <= 8  # 99.9 % of 60 at 5 %


def test_an_incident_does_not_excuse_itself_by_the_spread_that_it_makes():
    """Two bad hours of 24 leave the design effect of the others; hours that all differ show it."""
    rng = np.random.default_rng(2)
    calm = [(400.0, float(bad)) for bad in rng.binomial(400, 0.05, 200)]
    assert checking.typical_effect(calm) == pytest.approx(1.0, abs=0.4)
    assert checking.typical_effect([*calm[:22], (400.0, 200.0), (400.0, 180.0)]) < 3
    bursts = [(400.0, 10.0 * bad) for bad in rng.binomial(40, 0.05, 200)]
    assert checking.typical_effect(bursts) == pytest.approx(10, rel=0.5)
    assert checking.typical_effect(calm[:5]) == checking.typical_effect([(9.0, 0.0)] * 30) == 1.0
    alike = {"a": (1_000.0, 60.0), "b": (1_000.0, 30.0)}
    assert checking.check(alike).cohorts[0].worse
    assert not checking.check(alike, 10.0).cohorts[0].worse


def test_one_cohort_or_none_bad_is_nothing_to_compare():
    """And no division by nothing."""
    assert checking.check({}).cohorts == ()
    assert [one.worse for one in checking.check({"a": (9.0, 3.0)}).cohorts] == [False]
    assert checking.check({"a": (9.0, 0.0), "b": (9.0, 0.0), "c": (0.0, 0.0)}).differ == 1.0


def test_hours_are_sorted_by_when_they_began():
    """An hour that ends at midnight on Monday belongs to Sunday."""
    monday = 1_699_833_600.0  # 2023-11-13 00:00 UTC
    hours = [(monday, 10.0, 1.0), (monday + 3_600, 20.0, 2.0), (monday + 7 * 86_400, 5.0, 0.0)]
    assert sorting.by_clock(hours, "weekday") == {"Sunday": (15.0, 1.0), "Monday": (20.0, 2.0)}
    assert sorting.by_clock(hours, "hour") == {"23:00": (15.0, 1.0), "00:00": (20.0, 2.0)}


def test_labelled_answers_are_compared_by_a_key_of_theirs(tmp_path):
    """What has no label or no such key is left out, and said."""
    found = run(cohort_check, record(tmp_path / "calls.jsonl"), "--by", "plan", "--json")
    assert [row["name"] for row in found["cohorts"] if row["worse"]] == ["warranty"]
    assert len(found["cohorts"]) == 3
    assert any("calls.jsonl:302" in note for note in found["notes"])
    assert "1 lines without a label left out" in found["notes"]
    assert {row["name"] for row in run(cohort_check, "calls.jsonl", "--by", "model", "--json")["cohorts"]} == {"m0", "m1"}
    assert "! warranty" in run(cohort_check, "calls.jsonl", "--by", "plan")
    with pytest.raises(BadInput, match="no labelled line .* has the key 'colour'"):
        run(cohort_check, "calls.jsonl", "--by", "colour")
    with pytest.raises(BadInput, match="write all three, or name labelled replay files"):
        run(cohort_check)


def test_questions_are_clustered_into_types_and_the_bad_type_is_found(tmp_path):
    """Each topic is one type; the file holds numbers and no word of a question; a renamed type keeps its new name."""
    file = record(tmp_path / "calls.jsonl")
    said = run(cohort_types, file, "--clusters", "3", "--out", "types.json", "--json")
    topics = [max(row["templates"], key=row["templates"].get) for row in said["types"]]
    assert {topic.removesuffix("@1") for topic in topics} == set(TOPICS)
    assert [sum(row["templates"].values()) for row in said["types"]] >= [95, 95, 95]
    text = (tmp_path / "types.json").read_text("utf-8")
    assert not any(word in text for words in TOPICS.values() for word in words.split())
    ill = f"type-{1 + topics.index('warranty@1')}"
    (tmp_path / "types.json").write_text(text.replace(f'"{ill}"', '"repairs"'), "utf-8")
    found = run(cohort_check, file, "--types", "types.json", "--by", "type", "--json")
    assert [row["name"] for row in found["cohorts"] if row["worse"]] == ["repairs"]


def test_the_questions_of_a_baseline_are_clustered_by_template(tmp_path):
    """The sketch is enough: no text is needed."""
    file = record(tmp_path / "calls.jsonl")
    asked = ("--daily", "--service", "bot", "--environment", "production", "--from", file, "--out", "out", "--json")
    name = run(baseline_take, *asked)["name"]
    said = run(cohort_types, f"out/{name}", "--clusters", "3", "--out", "types.json")
    assert all(f"{topic}@1" in said for topic in TOPICS)
    with pytest.raises(BadInput, match="write one kind"):
        run(cohort_types, f"out/{name}", file, "--out", "types.json")


def test_an_application_names_a_question_with_the_standard_library_alone(tmp_path):
    """The function never raises, whatever it is given; numpy is not imported."""
    run(cohort_types, record(tmp_path / "calls.jsonl"), "--clusters", "3", "--out", "types.json")
    name = types.namer("types.json")
    known = {topic: name(words) for topic, words in TOPICS.items()}
    assert len(set(known.values())) == 3
    assert name("my parcel is late") == known["delivery"]
    assert [name(odd) for odd in ("", "?!", None, 7)] == ["unknown"] * 4
    code = "import sys; from truegreen.evaluation.cohorts.types import namer; namer('types.json')('card'); print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no file of question types"),
        ('{"types": []}', "is no file of question types"),
        (
            '{"version": 2, "embedder": "lexical-64@1", "seed": 1, "types": [{"name": "a", "questions": 1, "centre": [1]}]}',
            "of this version",
        ),
        (
            '{"version": 1, "embedder": "lexical-64@1", "seed": 1, "types": [{"name": "", "questions": 1, "centre": [1]}]}',
            "is no file of",
        ),
        (
            '{"version": 1, "embedder": "minilm", "seed": 1, "types": [{"name": "a", "questions": 1, "centre": [1]}]}',
            "write --embedder lexical",
        ),
    ],
)
def test_a_broken_file_of_types_is_said_when_it_is_loaded(tmp_path, text, said):
    """Not with the first question."""
    (tmp_path / "types.json").write_text(text, "utf-8")
    with pytest.raises(BadInput, match=said):
        types.namer(tmp_path / "types.json")
    with pytest.raises(BadInput, match="nothing.json: cannot be read"):
        types.read(tmp_path / "nothing.json")


def test_too_few_questions_for_the_types_are_refused(tmp_path):
    """With both numbers."""
    record(tmp_path / "calls.jsonl", 3)
    with pytest.raises(BadInput, match="found 8 for 4 questions"):
        run(cohort_types, "calls.jsonl", "--out", "types.json")


def test_k_means_finds_what_scikit_learn_finds():
    """The same within-cluster squares to a thousandth; the largest first; the same seed, the same clusters; equal rows are one cluster."""
    from sklearn.cluster import KMeans

    rng = np.random.default_rng(1)
    rows = np.concatenate([rng.normal(centre, 0.3, (size, 5)) for centre, size in ((0, 60), (3, 40), (-3, 20), (1.2, 30))])
    centres, labels = kmeans.fit(rows.tolist(), 4, 7)
    squares = sum(math.dist(row, centres[label]) ** 2 for row, label in zip(rows, labels, strict=True))
    assert squares <= KMeans(4, n_init=10, random_state=0).fit(rows).inertia_ * 1.001
    assert np.bincount(labels).tolist() == sorted(np.bincount(labels).tolist(), reverse=True)
    assert (kmeans.fit(rows.tolist(), 4, 7)[1] == labels).all()
    assert len(kmeans.fit([[1.0, 2.0]] * 9, 3, 1)[0]) == 1
