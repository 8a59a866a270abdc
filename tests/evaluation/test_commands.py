"""`truegreen baseline take`, as a user calls it."""

import json
import random
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner

from truegreen.core.errors import BadInput, Failed
from truegreen.core.words import calibration
from truegreen.evaluation.baselines.commands import baseline_take

WORDS = "return refund parcel card bank days items delivery address invoice warranty stock colour size shop order agent label box tax".split()
WHO = ["--service", "support", "--environment", "production"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """No configuration file of the repository is read."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRUEGREEN_CONFIG", raising=False)


def take(*arguments: str):
    """Call the command; what it raises is raised here."""
    return CliRunner().invoke(baseline_take, [*WHO, *arguments], catch_exceptions=False)


def record(path, count: int, labelled: bool = False, model: str = "m", seed: int = 1):
    """A replay file: about one answer in ten is invented."""
    dice = random.Random(seed)
    with path.open("w") as stream:
        for i in range(count):
            passage = " ".join(dice.choices(WORDS, k=40))
            wrong = i % 10 == 0
            answer = (
                " ".join(dice.choices(WORDS, k=3) + [f"unheard{i}x{k}" for k in range(8)]) if wrong else passage[: 60 + i % 50]
            )
            call = {
                "query": "what?",
                "context": [passage],
                "answer": answer,
                "model": model,
                **({"y": int(wrong)} if labelled else {}),
            }
            stream.write(json.dumps(call) + "\n")
    return path


@contextmanager
def collector(answer, status: int = 200):
    """A server that answers `/scores` and remembers what it was asked."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(urlsplit(self.path))
            body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def scores(count: int = 600, **more):
    """What a collector answers."""
    dice = random.Random(2)
    return {
        "scores": [dice.random() for _ in range(count)],
        "sessions": [],
        "evaluator": "context-support",
        "snapshot": "abc",
        "seen": 9000,
    } | more


def test_a_replay_file_becomes_a_calibration_that_says_what_it_is(tmp_path):
    """Digest, N, floor, bad ratio, scale; without labels the absolute level is unknown."""
    done = take("--from", str(record(tmp_path / "calls.jsonl", 600)), "--out", str(tmp_path / "out"))
    path = tmp_path / "out" / calibration.file_name("support", "production", "groundedness")
    made = calibration.from_text(path.read_text(), str(path))
    assert done.exit_code == 0 and made.answers == 600 and made.scale == "relative"
    assert f"N=600 digest {made.digest}" in done.output and str(path) in done.output
    assert "absolute level unknown" in done.output and "about 50 labelled" in done.output


def test_labels_in_the_file_give_the_measured_error_rates(tmp_path):
    """One in ten is wrong and the floor is the tenth percentile: nearly every label is met."""
    source = record(tmp_path / "calls.jsonl", 600, labelled=True)
    done = take("--from", str(source), "--out", str(tmp_path), "--floor-quantile", "10", "--json")
    said = json.loads(done.output)
    assert said["absolute_level"] == "measured"
    assert said["error_rates"]["labelled"] == 600 and said["error_rates"]["wrong"] == 60
    assert said["error_rates"]["false_positive_rate"] < 0.02 and said["error_rates"]["false_negative_rate"] < 0.1


def test_too_few_answers_are_refused_and_nothing_is_written(tmp_path):
    """It says how many there are and how to draw more."""
    source = record(tmp_path / "calls.jsonl", 120)
    with pytest.raises(BadInput, match=r"at least 500 judged answers, there are 120.*--answers"):
        take("--from", str(source), "--out", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_answers_are_drawn_with_replacement_by_a_printed_seed(tmp_path):
    """The same seed gives the same floor, another seed another; the note says from how many."""
    source = str(record(tmp_path / "calls.jsonl", 120))
    floors = []
    for seed in ("5", "5", "6"):
        done = take("--from", source, "--out", str(tmp_path), "--answers", "700", "--seed", seed, "--json")
        said = json.loads(done.output)
        assert said["answers"] == 700 and said["seed"] == int(seed)
        assert f"700 answers drawn with replacement from 120 recorded ones, seed {seed}" in said["notes"]
        floors.append((said["floor"], said["bad_ratio"]))
    assert floors[0] == floors[1] != floors[2]


def test_only_the_named_models_answers_count(tmp_path):
    """Another model's are left out; a model that is not there is named."""
    one, two = record(tmp_path / "one", 550, model="one"), record(tmp_path / "two", 50, model="two", seed=9)
    done = take("--from", str(one), "--from", str(two), "--model", "one", "--out", str(tmp_path), "--json")
    assert json.loads(done.output)["answers"] == 550
    with pytest.raises(BadInput, match="there are: one, two"):
        take("--from", str(one), "--from", str(two), "--model", "three", "--out", str(tmp_path))


def test_broken_lines_and_skipped_answers_are_said(tmp_path):
    """A broken line is named, answers without passages are counted by reason, the rest is used."""
    source = record(tmp_path / "calls.jsonl", 600)
    with source.open("a") as stream:
        stream.write('{"query": "q"}\n{"query": "q", "context": [], "answer": "a", "model": "m"}\n')
    notes = "\n".join(json.loads(take("--from", str(source), "--out", str(tmp_path), "--json").output)["notes"])
    assert f"{source}:601: context: found nothing" in notes and "skipped: 1 no_context" in notes


@pytest.mark.parametrize("tail", ["", "/", "/scores"])
def test_a_collectors_scores_become_a_calibration(tmp_path, tail):
    """It is asked for service, environment and evaluation; its snapshot is kept, its sessions give the design effect."""
    sessions = [f"s{i // 3}" for i in range(600)]
    with collector(scores(sessions=sessions)) as (url, asked):
        done = take("--from", url + tail, "--out", str(tmp_path), "--json")
    said = json.loads(done.output)
    assert asked[0].path == "/scores"
    assert parse_qs(asked[0].query) == {"service": ["support"], "environment": ["production"], "evaluation": ["groundedness"]}
    assert (said["answers"], said["snapshot"], said["bad_ratio"]) == (600, "abc", 0.03)
    assert said["design_effect"] >= 1 and said["absolute_level"] == "unknown"


def test_two_collectors_are_pooled_and_two_snapshots_are_none(tmp_path):
    """300 and 300 make 600."""
    with collector(scores(300)) as (one, _), collector(scores(300, snapshot="other")) as (two, _):
        said = json.loads(take("--from", one, "--from", two, "--out", str(tmp_path), "--json").output)
    assert (said["answers"], said["snapshot"]) == (600, "")


def test_scores_of_different_evaluators_are_refused(tmp_path):
    """They are not on one scale."""
    with (
        collector(scores(600)) as (one, _),
        collector(scores(600, evaluator="judge")) as (two, _),
        pytest.raises(BadInput, match="judge"),
    ):
        take("--from", one, "--from", two, "--out", str(tmp_path))


@pytest.mark.parametrize(
    ("answer", "status", "says"),
    [
        (b"<html>", 200, "not JSON"),
        ({"scores": ["high"]}, 200, "finite numbers"),
        ({"scores": [0.1, 0.2], "sessions": ["a"]}, 200, "sessions"),
        ([], 200, "finite numbers"),
        ({}, 404, "answers 404"),
    ],
)
def test_a_server_that_is_no_collector_is_one_clear_line(tmp_path, answer, status, says):
    """Exit code 1: what was asked for is not there."""
    with collector(answer, status) as (url, _), pytest.raises(Failed, match=says):
        take("--from", url, "--out", str(tmp_path))


def test_a_collector_that_is_not_there_is_one_clear_line(tmp_path):
    """The address and what to check."""
    with collector({}) as (url, _):
        pass
    with pytest.raises(Failed, match="is `truegreen collect` running"):
        take("--from", url, "--out", str(tmp_path))


@pytest.mark.parametrize("more", [["--from", "calls.jsonl"], ["--model", "m"], ["--answers", "600"]])
def test_options_that_do_not_go_together_are_refused(tmp_path, more):
    """Files beside addresses, and a choice of models where the collector has none."""
    with pytest.raises(BadInput):
        take("--from", "http://127.0.0.1:9", "--out", str(tmp_path), *more)


def test_an_address_that_is_none_is_bad_input(tmp_path):
    """It shows how one looks."""
    with pytest.raises(BadInput, match="write an address such as"):
        take("--from", "http://[", "--out", str(tmp_path))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("truegreen.yaml", "evaluations:\n  groundedness: {words: 1}\n"),
        ("app.json", '{"version": 1, "cohorts": null, "evaluations": {"groundedness": {"words": 1}}}'),
    ],
)
def test_answers_are_judged_by_the_settings_of_the_application(tmp_path, monkeypatch, name, text):
    """From truegreen.yaml, and from the JSON that `generate app` writes: with a limit of five words all are too large."""
    (tmp_path / name).write_text(text)
    monkeypatch.setenv("TRUEGREEN_CONFIG", name)
    source = record(tmp_path / "calls.jsonl", 600)
    with pytest.raises(BadInput, match="there are 0 .skipped: 600 too_large"):
        take("--from", str(source), "--out", str(tmp_path))


EVALUATOR = """
from truegreen.core.words.shapes import Result

def make(settings, calibration):
    if settings.get("broken"):
        raise ValueError("no such voice")
    def judge(sample):
        if "unheard3x" in sample.answer:
            raise RuntimeError(sample.answer)
        return Result("tone", "tone-judge", raw=len(sample.answer) / 100)
    return judge
"""


@pytest.fixture
def tone(tmp_path, monkeypatch):
    """An installed package that offers the evaluator `tone`."""
    site = tmp_path / "site"
    (site / "tone_judge-1.0.dist-info").mkdir(parents=True)
    (site / "tone_judge-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: tone-judge\nVersion: 1.0\n")
    (site / "tone_judge-1.0.dist-info" / "entry_points.txt").write_text("[truegreen_evaluator]\ntone = tone_judge:make\n")
    (site / "tone_judge.py").write_text(EVALUATOR)
    monkeypatch.syspath_prepend(str(site))


def test_a_replay_file_is_judged_by_the_installed_evaluator_of_the_signal(tmp_path, tone):
    """The baseline is of that signal and names who judged.."""
    done = take("--signal", "tone", "--from", str(record(tmp_path / "calls.jsonl", 600)), "--out", str(tmp_path), "--json")
    said = json.loads(done.output)
    assert (said["signal"], said["evaluator"], said["answers"]) == ("tone", "tone-judge", 600)
    assert said["file"].endswith(calibration.file_name("support", "production", "tone"))


def test_an_answer_at_which_an_evaluator_fails_is_counted_as_an_error(tmp_path, tone):
    """One call makes it raise; its text is not shown."""
    source = record(tmp_path / "calls.jsonl", 600)
    call = {"query": "q", "context": ["p"], "answer": "unheard3x", "model": "m"}
    with source.open("a") as stream:
        stream.write(json.dumps(call) + "\n")
    done = take("--signal", "tone", "--from", str(source), "--out", str(tmp_path))
    assert "skipped: 1 error" in done.output and "unheard" not in done.output


def test_a_signal_without_an_installed_evaluator_is_bad_input_that_names_those_there_are(tmp_path, tone):
    """For a replay file somebody must judge."""
    with pytest.raises(BadInput, match=r"found 'colour'.*write one of .*groundedness.*tone"):
        take("--signal", "colour", "--from", str(record(tmp_path / "calls.jsonl", 600)), "--out", str(tmp_path))


def test_an_evaluator_that_cannot_be_made_is_one_clear_line(tmp_path, tone):
    """It says why and where its settings stand."""
    (tmp_path / "truegreen.yaml").write_text("evaluations: {tone: {broken: true}}\n")
    with pytest.raises(BadInput, match=r"ValueError: no such voice.*evaluations\.tone"):
        take("--signal", "tone", "--from", str(record(tmp_path / "calls.jsonl", 600)), "--out", str(tmp_path))


def test_a_collector_is_asked_for_any_signal_as_it_is_named(tmp_path):
    """Whoever judged it elsewhere: no evaluator of it needs to be installed here."""
    with collector(scores(evaluator="colour-judge")) as (url, asked):
        said = json.loads(take("--signal", "colour", "--from", url, "--out", str(tmp_path), "--json").output)
    assert parse_qs(asked[0].query)["evaluation"] == ["colour"]
    assert (said["signal"], said["evaluator"]) == ("colour", "colour-judge")


def test_a_collector_without_an_answer_of_that_name_says_to_check_the_environment(tmp_path):
    """The usual reason is an application that does not say its environment."""
    with (
        collector(scores(0)) as (url, _),
        pytest.raises(BadInput, match=r"there are 0.*'production'.*deployment\.environment\.name, `unknown` when unset"),
    ):
        take("--from", url, "--out", str(tmp_path))
