"""The answers of each prompt template in a baseline: from replay files, expected answers, a worker of `truegreen watch`."""

import json
import random
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from truegreen.core.errors import BadInput, Failed
from truegreen.evaluation.baselines import serial, store
from truegreen.evaluation.baselines.commands import baseline_choose, baseline_diff, baseline_take
from truegreen.evaluation.evalsets import files as sets
from truegreen.evaluation.evalsets import keeping, result
from truegreen.evaluation.evalsets.model import FAILED, PASSED, Verdict
from truegreen.evaluation.model import Profile

sys.path.append(str(Path(__file__).parents[1] / "core"))
from local_server import Reply, local  # noqa: E402

WHO = ("--service", "bot", "--environment", "production")
WORDS = "return refund parcel card bank days items delivery address invoice warranty stock colour size shop order agent label box tax".split()


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


def record(path, count, *, seed=1, short=False, topic="", templates=("greet@1", "sum@2")):
    """A replay file of two templates; short answers, or another topic of questions, where told."""
    dice = random.Random(seed)
    lines = []
    for place in range(count):
        answer = " ".join(dice.choices(WORDS, k=4 if short else dice.randint(20, 60))) + "."
        query = f"{topic} " * 4 + " ".join(dice.choices(WORDS, k=8)) + "?"
        call = {"query": query, "context": [], "answer": answer, "model": "m", "template": templates[place % len(templates)]}
        lines.append(json.dumps(call))
    path.write_text("\n".join([*lines, "broken", ""]), "utf-8")
    return str(path)


def worker(answer):
    """A server that answers at `/profiles` and knows no other path."""
    return local(lambda call: Reply(answer) if call.path == "/profiles" else Reply({}, status=404))


def take(out, *more):
    """A baseline of a day from files; its name."""
    return run(baseline_take, "--daily", *WHO, "--out", str(out), "--json", *more)["name"]


def test_each_template_keeps_at_most_512_answers_as_numbers_and_no_text(tmp_path):
    """By the seed; the template of lines that name none is given; a broken line is named and the rest is kept."""
    file = record(tmp_path / "calls.jsonl", 530, templates=("long",))
    said = run(baseline_take, "--daily", *WHO, "--out", "out", "--from", file, "--json")
    assert said["profiles"] == [{"template": "long", "source": "live", "answers": 530, "kept": 512, "embedder": "lexical-64@1"}]
    assert "calls.jsonl:531" in said["notes"][0]
    frozen = store.load("out", said["name"])
    profile = frozen.profiles[0]
    assert (len(profile.style), len(profile.answer_vectors), len(profile.query_vectors)) == (512, 512, 512)
    kept = b"".join(path.read_bytes() for path in (tmp_path / "out").iterdir())
    assert not any(word.encode() in kept for word in ("refund", "invoice", "warranty"))
    other = run(baseline_take, "--daily", *WHO, "--out", "other", "--from", file, "--seed", "2", "--json")
    assert store.load("other", other["name"]).profiles[0].style != profile.style


def test_another_writer_and_other_questions_are_told_apart_per_template(tmp_path):
    """Shorter answers to one template; another topic of questions for all, answered as before."""
    before = take("out", "--from", record(tmp_path / "a.jsonl", 120))
    same = take("same", "--from", record(tmp_path / "b.jsonl", 120, seed=2))
    written = take("written", "--from", record(tmp_path / "c.jsonl", 120, seed=3, short=True))
    asked = take("asked", "--from", record(tmp_path / "d.jsonl", 120, seed=4, topic="insurance"))
    assert "moved     0 of" in run(baseline_diff, f"out/{before}", f"same/{same}")
    told = run(baseline_diff, f"out/{before}", f"written/{written}")
    assert "template  greet@1: the answers are others; no change of the questions was found" in told
    assert "greet@1: words: 4" in told
    told = run(baseline_diff, f"out/{before}", f"asked/{asked}")
    assert "template  sum@2: other questions come in; the answers are as before" in told


def test_expected_answers_are_a_profile_beside_the_live_one(tmp_path):
    """Of an evaluation set; a case without an expected answer has none, and a set without any is refused."""
    cases = [{"id": str(place), "query": "where is it?", "expected": " ".join(WORDS[place:])} for place in range(3)]
    cases.append({"id": "c", "query": "is it there?", "checks": {"contains": "yes"}})
    (tmp_path / "set.jsonl").write_text("\n".join(map(json.dumps, cases)), "utf-8")
    file = record(tmp_path / "calls.jsonl", 10, templates=("greet@1",))
    frozen = store.load("out", take("out", "--from", file, "--evalset", "set.jsonl", "--template", "greet@1"))
    assert [(one.template, one.source, one.answers) for one in frozen.profiles] == [
        ("greet@1", "expected", 3),
        ("greet@1", "live", 10),
    ]
    assert len(frozen.profiles[0].answer_vectors) == 3
    (tmp_path / "none.jsonl").write_text(json.dumps(cases[-1]), "utf-8")
    with pytest.raises(BadInput, match="no case has an expected answer"):
        take("out", "--evalset", "none.jsonl")


def test_the_newest_run_of_a_set_is_a_ratio_that_diff_tests(tmp_path):
    """Of the set as it is now, asked in the baseline's days; without one a note says why. A day on which more cases fail has moved."""
    Path("s.jsonl").write_text(
        "".join(json.dumps({"id": str(n), "query": "q", "checks": {"contains": "x"}}) + "\n" for n in range(40))
    )
    evalset = sets.read(Path("s.jsonl"))
    name, asked = f"evalset {evalset.version}", ("--evalset", "s.jsonl", "--evalset-runs", "runs")
    source = record(tmp_path / "calls.jsonl", 10)

    def day(number, right):
        moment = f"2026-11-0{number}T02:47:00+00:00"
        verdicts = [Verdict(case.id, PASSED if at < right else FAILED) for at, case in enumerate(evalset.cases)]
        made = result.result(
            evalset, result.Target("http://127.0.0.1:9", "", "m", ""), verdicts, started=moment, ended=moment, require=0.01
        )
        keeping.keep(Path("runs"), made)
        until = f"2026-11-0{number}T03:17:00+00:00"
        return run(baseline_take, "--daily", *WHO, "--out", "out", *asked, "--until", until, "--json")

    first, second = day(1, 38), day(2, 20)
    assert [one["ratios"][name]["bad"] for one in (first, second)] == [2, 20]
    told = run(baseline_diff, first["name"], second["name"], "--in", "out", "--json")
    assert [one["name"] for one in told["findings"] if one["moved"]] == [name]
    late = run(baseline_take, "--daily", *WHO, "--out", "out", "--from", source, *asked, "--until", "2026-11-09T00:00:00+00:00")
    assert f"the evaluation set is not in it: runs: no run of {evalset.version} began after 2026-11-08T00:00:00+00:00" in late


def test_the_windows_of_a_worker_are_frozen_as_they_are(tmp_path):
    """Asked for one service and environment; beside a file with other templates, not beside one with the same."""
    watched = Profile("watched@1", 40, ((1.0,) * 10,) * 30, ((0.5, 0.25),) * 30, (), "lexical-64@1")
    with worker({"profiles": [serial.profile_data(watched)]}) as (url, calls):
        frozen = store.load("out", take("out", "--from", url, "--from", record(tmp_path / "a.jsonl", 9)))
        with pytest.raises(BadInput, match=r"two sources have answers of the template watched@1 \(live\)"):
            take("out", "--from", url, "--from", record(tmp_path / "b.jsonl", 9, templates=("watched@1",)))
    assert frozen.profiles[-1] == watched
    assert (calls[1].path, calls[1].params) == ("/profiles", {"service": ["bot"], "environment": ["production"]})


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        ({"profiles": []}, BadInput, "there is nothing of the service 'bot'"),
        ({"other": 1}, Failed, "expected a list of profiles"),
        ([{"template": "x"}], Failed, r"profiles\[0\]: embedder: found nothing"),
    ],
)
def test_a_worker_that_has_nothing_or_answers_otherwise_says_so(answer, error, said):
    """It may be new, or of another version."""
    with worker(answer) as (url, _), pytest.raises(error, match=said):
        take("out", "--from", url)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--daily", "--answers", "9"), "leave them out with --daily"),
        (("--evalset", "x.jsonl"), "add --daily"),
        ((), "--from: found nothing"),
        (("--daily", "--service", " "), "--service: found an empty text"),
        (("--daily",), "there is nothing of the service"),
        (("--daily", "--from", "no.jsonl"), "no.jsonl: cannot be read"),
    ],
)
def test_options_that_do_not_go_together_are_named(arguments, said):
    """And nothing is written."""
    with pytest.raises(BadInput, match=said):
        run(baseline_take, *WHO, "--out", "out", *arguments)
    assert not Path("out").exists()


@pytest.mark.parametrize("arguments", [(), ("a.baseline.json",), ("--in", "out"), ("--in", "out", *WHO)])
def test_a_comparison_needs_two(arguments):
    """Named, or a service's chosen and newest one."""
    with pytest.raises(BadInput, match=r"write two baselines|none is newer"):
        run(baseline_diff, *arguments)


def test_a_choice_whose_baselines_were_removed_is_no_pair(tmp_path):
    """One line, whatever the note says."""
    take("out", "--from", record(tmp_path / "a.jsonl", 100))
    (name,) = (path.name for path in Path("out").glob("*.baseline.json"))
    run(baseline_choose, name, "--in", "out")
    Path("out", name).unlink()
    with pytest.raises(BadInput, match="none is newer"):
        run(baseline_diff, "--in", "out", *WHO)


def test_vectors_of_two_embedders_are_not_compared(tmp_path):
    """And the reader is told."""
    file = record(tmp_path / "a.jsonl", 100)
    one, two = take("one", "--from", file), take("two", "--from", file, "--embedder", "none")
    told = run(baseline_diff, f"one/{one}", f"two/{two}")
    assert "note      template greet@1: vectors by lexical-64@1 and by none are not compared" in told
    assert "only a great change is seen" not in told
