"""`truegreen evaluator measure`, as a user calls it, and the statistics under it."""

import itertools
import json
import random
import time
from dataclasses import replace

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from truegreen.core.errors import BadInput
from truegreen.core.words import calibration
from truegreen.core.words.calibration import QUANTILES, Calibration
from truegreen.core.words.ready_made import BY_NAME as READY_MADE
from truegreen.core.words.shapes import ReplayRecord, Result
from truegreen.evaluation.measure import commands, judging, measurement, statistics
from truegreen.evaluation.measure.commands import evaluator_measure
from truegreen.evaluation.measure.judging import Judged, judged, sample_of
from truegreen.evaluation.measure.report import LEVEL

WORDS = "return refund parcel card bank days items delivery address invoice warranty stock colour size shop order agent label box tax".split()
WHO = ["--service", "bot", "--environment", "production"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """No configuration file of the repository is read."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRUEGREEN_CONFIG", raising=False)
    monkeypatch.delenv("TRUEGREEN_CALIBRATION", raising=False)


def measure(*arguments: object):
    """Call the command; what it raises is raised here."""
    return CliRunner().invoke(evaluator_measure, [str(argument) for argument in arguments], catch_exceptions=False)


def said(*arguments: object) -> dict:
    """What it prints for machines."""
    done = measure(*arguments, "--json")
    assert done.exit_code == 0
    return json.loads(done.output)


def record(path, count: int, every: int = 5, flipped: int = 20, **more):
    """A replay file: each `every`-th answer is invented and labelled wrong; the label of each `flipped`-th is the other one."""
    dice = random.Random(1)
    with path.open("w") as stream:
        for i in range(count):
            passage = " ".join(dice.choices(WORDS, k=40))
            wrong = i % every == 0
            answer = (
                " ".join(dice.choices(WORDS, k=i % 9) + [f"unheard{i}x{k}" for k in range(4)])
                if wrong
                else passage[: 60 + i % 50]
            )
            label = wrong != (i % flipped == 1)
            stream.write(
                json.dumps(
                    {"query": "what?", "context": [passage], "answer": answer, "model": f"m{i % 2}", "y": int(label), **more}
                )
                + "\n"
            )
    return path


def test_a_labelled_file_is_measured(tmp_path):
    """One object for machines: the AUROC with its interval, the rates at the floor with theirs, and the seed that names the draws."""
    found = said(record(tmp_path / "calls.jsonl", 200), "--seed", 7)
    assert {"auroc", "auroc_low", "auroc_high", "answers", "milliseconds_per_answer"} < set(found)
    assert found["answers"] == 200 and found["wrong"] == 50 and found["seed"] == 7
    assert 0.5 < found["auroc_low"] < found["auroc"] < found["auroc_high"] < 1
    for rate in ("precision", "recall", "false_positive_rate", "false_negative_rate"):
        assert found[f"{rate}_low"] < found[rate] < found[f"{rate}_high"], rate
    assert found["floor_from"].startswith("break-even") and found["precision"] == pytest.approx(found["recall"], abs=0.1)
    assert 0 < found["milliseconds_per_answer"] < 100
    assert found["file"] is None


def test_an_inline_evaluator_is_timed_by_its_own_processor_time(tmp_path, monkeypatch):
    """A machine that is busy with others makes it no slower; one in the background may wait, and its time is that of the wall."""
    source = record(tmp_path / "calls.jsonl", 30)
    ticks, seconds = itertools.count(0, 0.25), itertools.count(0, 2)
    monkeypatch.setattr(commands, "CLOCKS", {"cpu": lambda: next(ticks), "wall": lambda: next(seconds)})
    inline = said(source)
    assert (inline["clock"], inline["milliseconds_per_answer"]) == ("cpu", 250)
    assert "250.00 ms an answer of processor time" in measure(source).output
    (tmp_path / "truegreen.yaml").write_text("evaluations: {groundedness: {background: true}}\n")
    waiting = said(source)
    assert (waiting["clock"], waiting["milliseconds_per_answer"]) == ("wall", 2000)
    assert judging.CLOCKS == {"cpu": time.thread_time, "wall": time.perf_counter}


@pytest.mark.parametrize("seed", ["-1", "x"])
def test_a_seed_that_is_none_is_refused(tmp_path, seed):
    """Exit code 2 and one line."""
    done = measure(record(tmp_path / "calls.jsonl", 30), "--seed", seed)
    assert done.exit_code == 2 and "Invalid value for '--seed'" in done.output


def test_an_evaluation_without_a_score_is_said_to_have_none(tmp_path):
    """A sketch is nothing that could be right or wrong; its answers were not skipped by an error."""
    with pytest.raises(BadInput, match="--signal: this evaluation gives no score"):
        measure(record(tmp_path / "calls.jsonl", 30), "--signal", "embedding")


def test_the_terminal_says_the_same_and_what_it_means(tmp_path):
    """A person reads rates with intervals, and what such rates show of a service that is nearly right."""
    done = measure(record(tmp_path / "calls.jsonl", 120, flipped=24))
    for part in ("measured  groundedness by context-support: 120 labelled answers, 27 wrong", "AUROC     0.", "within one model 0.", "seed 1",
                 "precision 0.", "wrong ones that pass 0.", "ms an answer", "a service with 1% wrong answers shows"):  # fmt: skip
        assert part in done.output, done.output


def test_it_writes_a_calibration_whose_scores_are_probabilities(tmp_path):
    """Half of the answers with a score of one half are right; the error rates lie in the file with the labels behind them."""
    found = said(record(tmp_path / "calls.jsonl", 200), *WHO, "--out", tmp_path / "out")
    made = calibration.from_text(open(found["file"]).read(), found["file"])
    assert (made.scale, made.digest, made.answers, made.enough) == ("calibrated", found["digest"], 200, True)
    assert (made.error_rates.labelled, made.error_rates.wrong, made.error_rates.auroc) == (200, 50, found["auroc"])
    assert (made.error_rates.false_positive_rate, made.floor) == (found["false_positive_rate"], found["floor"])
    assert made.curve[0][1] < 0.2 and made.curve[-1][1] > 0.8
    assert any("no frozen baseline of traffic" in note for note in found["notes"])


def test_a_floor_is_a_probability_and_labels_as_an_slo_with_that_floor_counts(tmp_path):
    """At `--floor 0.85` an answer fails exactly when its score is at most 0.85."""
    found = said(record(tmp_path / "calls.jsonl", 200), *WHO, "--out", tmp_path, "--floor", "0.85")
    made = calibration.from_text(open(found["file"]).read(), "f")
    around = [made.floor * (1 + step / 1e6) for step in range(-50, 50) if step]
    assert {made.label(raw) for raw in around} == {"pass", "fail"}
    for raw in around:
        assert (made.label(raw) == "fail") == (made.score(raw) <= 0.85)
    with pytest.raises(
        BadInput, match=r"--floor: found 0\.9999, and on these labels the probability that an answer is right goes from"
    ):
        measure(tmp_path / "calls.jsonl", "--floor", "0.9999")


def frozen(**more) -> Calibration:
    """A baseline of traffic."""
    return replace(
        Calibration("bot", "production", "groundedness", "context-support", "relative", 0.3, QUANTILES, 0.3, 2.0, 900,
                    "2026-01-02T03:04:05+00:00", "abc"), **more)  # fmt: skip


def test_a_baseline_of_traffic_keeps_its_floor_and_gains_the_scale(tmp_path):
    """What it says of healthy traffic stays; its scores become probabilities; a second measurement keeps it too."""
    folder = tmp_path / "calibration"
    folder.mkdir()
    path = folder / calibration.file_name("bot", "production", "groundedness")
    path.write_text(calibration.to_text(frozen()))
    source = record(tmp_path / "calls.jsonl", 200)
    assert said(source, *WHO)["floor_from"] == f"of the calibration {frozen().digest}"
    for _ in range(2):
        found = said(source, *WHO, "--out", folder)
        made = calibration.from_text(path.read_text(), "f")
        assert replace(made, scale="relative", curve=(), error_rates=None) == frozen()
        assert found["floor"] == 0.3 and made.curve and made.error_rates.labelled == 200
    moved = said(source, *WHO, "--out", folder, "--floor", "0.7")
    made = calibration.from_text(path.read_text(), "f")
    assert made.floor == moved["floor"] and made.bad_ratio == pytest.approx(made.floor, abs=0.01), (
        "the share of QUANTILES under it"
    )


def test_a_calibration_of_another_evaluator_or_a_broken_one_gives_nothing(tmp_path):
    """The first is said; the second is named and left as it is."""
    path = tmp_path / calibration.file_name("bot", "production", "groundedness")
    path.write_text(calibration.to_text(frozen(evaluator="judge")))
    source = record(tmp_path / "calls.jsonl", 200)
    found = said(source, *WHO, "--out", tmp_path)
    assert found["floor"] != 0.3 and any("is by judge, and context-support judged here" in note for note in found["notes"])
    path.write_text("{broken")
    with pytest.raises(BadInput, match=r"groundedness\.json:1: not JSON .*it is not overwritten"):
        measure(source, *WHO, "--out", tmp_path)
    assert path.read_text() == "{broken"


@pytest.mark.parametrize(
    ("calls", "message"),
    [
        ({"y": None}, r"none of the 60 judged answers is labelled; write `y`"),
        ({"y": 0}, r"all 60 labelled answers are right, .* label some wrong ones too"),
        ({"y": 1}, r"all 60 labelled answers are wrong, .* label some right ones too"),
        ({"context": []}, r"the evaluator skipped all 60 answers \(60 no_context\)"),
    ],
)
def test_a_file_that_measures_nothing_is_refused(tmp_path, calls, message):
    """It says what lacks and what to write."""
    with pytest.raises(BadInput, match=message):
        measure(record(tmp_path / "calls.jsonl", 60, **calls), *WHO, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("count", [49, 20])
def test_too_few_labels_are_measured_and_make_no_calibration(tmp_path, count):
    """The interval says how little is known; nothing is written."""
    source = record(tmp_path / "calls.jsonl", count)
    assert said(source)["answers"] == count
    with pytest.raises(BadInput, match=rf"at least 50 labelled answers, 5 of them wrong and 5 right; there are {count}"):
        measure(source, *WHO, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_broken_lines_and_skipped_answers_cost_a_note(tmp_path):
    """The rest is measured."""
    source = record(tmp_path / "calls.jsonl", 100)
    with source.open("a") as stream:
        stream.write('{"query": "q"}\n{"query": "q", "context": [], "answer": "a", "model": "m", "y": 1}\nnonsense\n')
    found = said(source)
    assert (found["answers"], found["broken_lines"], found["skipped"]) == (100, 2, {"no_context": 1})
    assert any(note.startswith(f"{source}:101: context: found nothing") for note in found["notes"])


def test_a_scale_that_never_gets_over_the_level_of_an_slo_is_said(tmp_path):
    """With every third label turned round the best answers are right two times of three: under 0.85, where every answer would be bad."""
    found = said(record(tmp_path / "calls.jsonl", 90, flipped=3), *WHO, "--out", tmp_path)
    assert any("an SLO with a floor of 0.85 calls every answer bad" in note for note in found["notes"])
    assert LEVEL == float(READY_MADE["grounding_absolute"].sli.floor)


def test_few_groups_are_said(tmp_path):
    """All answers of one group: the draws are always the same, and a note says what that is worth."""
    found = said(record(tmp_path / "calls.jsonl", 80, group="one"))
    assert found["clusters"] == 1 and "only 1 groups: the intervals are narrower than the truth" in found["notes"]


def test_an_evaluator_that_says_the_same_of_all_is_measured_and_not_calibrated(tmp_path):
    """Ties count one half: an AUROC of one half, and no scale."""
    path = tmp_path / "calls.jsonl"
    rows = [
        {"query": "q", "context": ["a passage of words"], "answer": "", "model": "m", "y": int(i % 3 == 0)} for i in range(90)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert said(path)["auroc"] == 0.5
    with pytest.raises(BadInput, match="no better than chance"):
        measure(path, *WHO, "--out", tmp_path / "out")


@pytest.mark.parametrize("arguments", [["--service", "bot"], ["--environment", "production"], ["--out", "x"]])
def test_a_calibration_needs_its_service_and_environment(tmp_path, arguments):
    """One line says which option lacks."""
    with pytest.raises(BadInput, match="^--(service|environment): a calibration is of one service in one environment"):
        measure(record(tmp_path / "calls.jsonl", 60), *arguments)


def test_a_sample_has_what_the_file_knows_of_it_and_its_time_is_that_of_the_judge():
    """Expected answer, finish reasons, session before group; the clock is read around the judge alone."""
    ticks = iter([1.0, 1.5, 7.0, 7.25])
    records = [
        ReplayRecord("q", ("c",), "a", "m", wrong=True, extra={"expected": "e", "finish": ["stop"], "session": "s", "group": 3}),
        ReplayRecord("q", ("c",), "a", "m", extra={"finish": "length", "group": 3}),
    ]
    assert (sample_of(records[0]).expected, sample_of(records[0]).finish, sample_of(records[1]).finish) == (
        "e",
        ("stop",),
        ("length",),
    )
    calls = list(judged(records, lambda _: Result("x", "e", skipped="error"), lambda: next(ticks)))
    assert [(call.seconds, call.cluster, call.skipped) for call in calls] == [
        (0.5, "session s", "error"),
        (0.25, "group 3", "error"),
    ]


def test_answers_of_one_group_widen_the_interval():
    """Each answer written down four times is no evidence: with its group known the interval is that of the single ones."""
    dice = random.Random(3)
    base = [(dice.random() + 0.5 * (i % 3 > 0), i % 3 == 0) for i in range(90)]
    raws, wrong = [raw for raw, _ in base for _ in range(4)], [flag for _, flag in base for _ in range(4)]

    def width(clusters):
        low, high = statistics.auroc_interval(raws, wrong, clusters, 1)
        return high - low

    alone = statistics.auroc_interval([raw for raw, _ in base], [flag for _, flag in base], range(90), 1)
    assert width([i // 4 for i in range(360)]) == pytest.approx(alone[1] - alone[0], rel=1e-9)
    assert width(range(360)) < 0.6 * width([i // 4 for i in range(360)])


def test_answers_of_one_session_widen_the_interval_of_every_rate():
    """Each answer written down four times: with its session known the intervals are those of the single ones, else half as wide."""
    dice = random.Random(4)
    base = [(dice.random() + 0.5 * (i % 3 > 0), i % 3 == 0) for i in range(150)]

    def intervals(times, session):
        calls = [
            Judged("m", raw, "", wrong, session(place), "e", 0.0) for place, (raw, wrong) in enumerate(base) for _ in range(times)
        ]
        its = measurement.rates(measurement.columns(calls), 0.6)
        return its.precision_interval, its.recall_interval, its.false_positive_interval, its.false_negative_interval

    alone, known, unknown = intervals(1, lambda _: ""), intervals(4, lambda i: f"session {i}"), intervals(4, lambda _: "")
    for (low, high), (low_known, high_known), (low_unknown, high_unknown) in zip(alone, known, unknown, strict=True):
        assert (low_known, high_known) == pytest.approx((low, high), abs=0.005)
        assert high_unknown - low_unknown < 0.6 * (high_known - low_known)


def test_the_interval_holds_the_truth_as_often_as_it_says():
    """Of 200 files of 100 answers, about 95 in 100 have the true AUROC of two shifted normals in their interval."""
    truth, inside = 0.7601, 0  # Phi(1 / sqrt(2))
    for seed in range(200):
        dice = random.Random(seed)
        wrong = [i % 3 == 0 for i in range(100)]
        raws = [dice.gauss(0.0 if flag else 1.0, 1.0) for flag in wrong]
        low, high = statistics.auroc_interval(raws, wrong, range(100), seed, 300)
        inside += low <= truth <= high
    assert 182 <= inside <= 198


@settings(max_examples=15)
@given(st.lists(st.tuples(st.integers(-20, 20).map(lambda step: step / 8), st.booleans()), min_size=4, max_size=60))
def test_auroc_and_isotonic_regression_are_those_of_scikit_learn(rows):
    """With ties of every size."""
    from sklearn.isotonic import IsotonicRegression
    from sklearn.metrics import roc_auc_score

    rows = [*rows, (0.3, True), (0.31, False)]
    raws, wrong = [raw for raw, _ in rows], [flag for _, flag in rows]
    assert statistics.auroc(raws, wrong) == pytest.approx(roc_auc_score([not flag for flag in wrong], raws))
    curve = statistics.isotonic(raws, wrong)
    fitted = IsotonicRegression(out_of_bounds="clip").fit(raws, [not flag for flag in wrong])
    made = replace(frozen(), scale="calibrated", curve=curve)
    asked = [*raws, *(raw + 0.01 for raw in raws), -9.0, 9.0]
    assert [made.score(raw) for raw in asked] == pytest.approx(list(fitted.predict(asked)), abs=1e-6)


def test_wilsons_interval_is_that_of_scipy():
    """At the ends too; a design effect of two is half the events."""
    from scipy.stats import binomtest

    for bad, events in ((0, 20), (1, 20), (10, 20), (20, 20), (3, 1000)):
        expected = binomtest(bad, events).proportion_ci(method="wilson")
        assert statistics.wilson(bad, events) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert statistics.wilson(20, 200, 2.0) == statistics.wilson(10, 100)
    assert statistics.wilson(0, 0) == (0.0, 1.0)


def test_the_floor_breaks_even_also_among_ties():
    """As many fail as are wrong; where half of all answers share one value, the nearer number does."""

    def found(raws, wrong):
        return measurement.columns([Judged("m", raw, "", flag, "", "e", 0.0) for raw, flag in zip(raws, wrong, strict=True)])

    raws = [i / 10 for i in range(10)]
    assert measurement.break_even(found(raws, [True] * 3 + [False] * 7)) == pytest.approx(0.3)
    tied = found([0.0] * 6 + [1.0] * 4, [True] * 4 + [False] * 6)
    assert measurement.break_even(tied) == 1.0
    none = found([0.0] * 9 + [1.0], [True] + [False] * 9)
    assert measurement.break_even(none) == 0.0
    assert measurement.rates(none, 0.0).precision is None
