"""`truegreen guardrail measure`, as a user calls it, and the rates under it."""

import json
import random
import subprocess
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import parse_qs

import promql_parser
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from test_commands import collector as server

from truegreen.core.clients import engines
from truegreen.core.errors import BadInput, Failed
from truegreen.evaluation.guardrails import rates
from truegreen.evaluation.guardrails.commands import guardrail_measure
from truegreen.evaluation.guardrails.detect import Z99, excess, risen, stream
from truegreen.evaluation.guardrails.model import Decision, Review, Share
from truegreen.evaluation.measure.statistics import wilson

WORDS = {
    (True, False): "true_positive",
    (True, True): "false_positive",
    (False, False): "true_negative",
    (False, True): "false_negative",
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """No configuration file of the repository is read."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRUEGREEN_CONFIG", raising=False)


def measure(*arguments: object):
    """Call the command; what it raises is raised here."""
    return CliRunner().invoke(guardrail_measure, [str(argument) for argument in arguments], catch_exceptions=False)


def said(*arguments: object) -> dict:
    """The one guardrail that it tells machines of."""
    done = measure(*arguments, "--json")
    assert done.exit_code == 0
    found = json.loads(done.output)
    return {**found["guardrails"][0], "notes": found["notes"]}


def record(path, counts, reviewers=("ann",), **more):
    """A file of reviews: `counts` is how many decisions were blocked and wrong, ((True, True), 3) for example."""
    lines = [
        {"guardrail": "pii", "verdict": WORDS[kind], "sample_id": f"{kind}{i}", "reviewer": reviewer, **more}
        for kind, count in counts
        for i in range(count)
        for reviewer in reviewers
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


COUNTS = [((True, False), 45), ((True, True), 5), ((False, False), 98), ((False, True), 2)]


def test_shares_of_wrong_blocks_and_passes_have_intervals(tmp_path):
    """Without totals nothing is said of all inputs, and how to have it is."""
    source = record(tmp_path / "reviews.jsonl", COUNTS)
    found = said(source)
    assert found["blocks"]["wrong_share"] == pytest.approx(
        dict(zip(("value", "low", "high"), (0.1, *wilson(5, 50)), strict=True))
    )
    assert found["passes"]["wrong_share"]["value"] == 0.02 and found["passes"]["reviewed"] == 100
    assert found["over_triggering"] is None
    text = measure(source).output
    assert "50 reviewed, 5 wrong: 0.100 [0.043, 0.214] of the blocks are wrong" in text
    assert "write --blocks and --passes" in text and "no decision was reviewed twice" in text


def test_blocks_and_passes_sampled_at_different_rates_are_weighted(tmp_path):
    """Half of 100 blocks and one in a hundred of 10,000 passes: the harmless inputs are mostly passes, so few of them are blocked."""
    source = record(tmp_path / "reviews.jsonl", COUNTS)
    found = said(source, "--blocks", 100, "--passes", 10_000)
    assert found["over_triggering"]["value"] == pytest.approx(10 / (10 + 9800))
    assert found["under_triggering"]["value"] == pytest.approx(200 / (200 + 90))
    assert found["wrong_decisions"]["value"] == pytest.approx(210 / 10_100)
    for name in ("over_triggering", "under_triggering", "wrong_decisions"):
        assert 0 < found[name]["low"] < found[name]["value"] < found[name]["high"] < 1
    lines = [json.loads(line) for line in source.read_text().splitlines()]
    rated = [{**line, "rate": 0.5 if "positive" in line["verdict"] else 0.01} for line in lines]
    source.write_text("".join(json.dumps(line) + "\n" for line in rated))
    reckoned = said(source)
    for name in ("over_triggering", "under_triggering", "wrong_decisions"):
        assert reckoned[name]["value"] == pytest.approx(found[name]["value"])
        assert reckoned[name]["low"] < found[name]["low"] and found[name]["high"] < reckoned[name]["high"], (
            "totals are reckoned, too"
        )


def test_what_the_slos_promise_is_held_missed_or_not_known(tmp_path):
    """By the whole interval; the configuration's objectives, and its exception for a service, are those that count."""
    source = record(tmp_path / "reviews.jsonl", COUNTS)
    assert {name: one["verdict"] for name, one in said(source)["objectives"].items()} == dict.fromkeys(
        ("guardrail_over", "guardrail_under"), "not known from so few"
    )
    (tmp_path / "truegreen.yaml").write_text(
        "slos: [{name: guardrail_over, objective: 75%, objectives: {bot: 99%}}, {name: guardrail_under, objective: 99.9%}]\n"
    )
    assert said(source)["objectives"]["guardrail_over"] == {"objective": 0.75, "verdict": "held"}
    assert said(source, "--service", "bot")["objectives"]["guardrail_over"] == {"objective": 0.99, "verdict": "missed"}
    assert "slo       guardrail_under 99.9%: missed" in measure(source).output


def test_reviewers_who_disagree_widen_the_interval_to_both_readings(tmp_path):
    """A disputed decision counts half, and the interval holds it right and wrong; kappa is said; one reviewer is as disputable as two."""
    both = ("ann", "ben")
    agreed = record(tmp_path / "agreed.jsonl", COUNTS, both)
    calm = said(agreed)
    assert calm["agreement"] == {"pairs": 150, "observed": 1.0, "kappa": 1.0, "kappa_low": 1.0, "kappa_high": 1.0}
    assert calm["blocks"]["wrong_share"]["value"] == 0.1 and calm["blocks"]["reviewed"] == 50
    lines = agreed.read_text().splitlines()
    flipped = [
        line.replace("true_positive", "false_positive")
        if "ben" in line and "(True, False)" in line and "1" in line.split("sample_id")[1]
        else line
        for line in lines
    ]
    changed = sum(a != b for a, b in zip(lines, flipped, strict=True))
    (tmp_path / "disputed.jsonl").write_text("\n".join(flipped))
    found = said(tmp_path / "disputed.jsonl")
    share = found["blocks"]["wrong_share"]
    assert found["blocks"]["disputed"] == changed > 5 and 0 < found["agreement"]["kappa"] < 1
    assert share["value"] == pytest.approx((5 + changed / 2) / 50)
    assert (share["low"], share["high"]) == pytest.approx((wilson(5, 50)[0], wilson(5 + changed, 50)[1]))
    alone = record(tmp_path / "alone.jsonl", [((True, False), 40), ((True, True), 10)], ("cem",))
    text = alone.read_text().replace('"sample_id": "', '"sample_id": "x')
    (tmp_path / "mixed.jsonl").write_text("\n".join(flipped) + "\n" + text)
    wider = said(tmp_path / "mixed.jsonl")["blocks"]["wrong_share"]
    assert wider["low"] < wilson(15, 100)[0] - 0.01, "of ten that one reviewer calls wrong, some would be disputed"
    assert wider["high"] > wilson(15 + changed, 100)[1] + 0.01, "and of forty that one calls right"


def test_a_third_word_settles_it():
    """Two of three say wrong; the last word of a reviewer counts; decisions without a name stand alone."""
    base = Review("pii", "d1", blocked=True, wrong=True, reviewer="ann")
    words = [
        base,
        replace(base, reviewer="ben", wrong=False),
        replace(base, reviewer="cem"),
        replace(base, reviewer="cem", wrong=False),
    ]
    assert rates.decisions(words[:2])["pii"][0].wrong is None
    assert rates.decisions(words[:3])["pii"][0].wrong is True
    assert rates.decisions(words)["pii"][0].wrong is False
    assert len(rates.decisions([replace(base, decision="")] * 3)["pii"]) == 3


def test_sessions_and_unequal_weights_widen_the_interval():
    """Five decisions of a session that are all wrong or all right are worth one."""

    def width(session, rate):
        found = rates.decisions([Review("g", str(i), True, i % 50 < 10, "", session(i), rate(i)) for i in range(200)])["g"]
        share = rates.side(found, None).share
        return share.high - share.low

    plain = width(lambda i: "", lambda i: None)
    assert width(lambda i: str(i // 5), lambda i: None) == pytest.approx(plain * 5**0.5, rel=0.1)
    assert width(lambda i: "", lambda i: 0.1 if i % 2 else 1.0) > 1.2 * plain


@pytest.mark.parametrize("seed", [1, 2])
def test_intervals_of_both_sides_hold_the_truth(seed):
    """Of 300 drawn streams, at least 93 in 100 intervals hold the rate that the stream was made with, also for rare errors."""
    dice, held = random.Random(seed), [0, 0, 0]
    for _ in range(300):
        b, p = (sum(dice.random() < rate for _ in range(n)) for rate, n in ((0.15, 80), (0.02, 150)))
        its = rates.measured("g", rates.counted(b, 80, 800), rates.counted(p, 150, 15_000))
        over, under = 800 * 0.15 / (800 * 0.15 + 15_000 * 0.98), 15_000 * 0.02 / (15_000 * 0.02 + 800 * 0.85)
        decided = (800 * 0.15 + 15_000 * 0.02) / 15_800
        held = [
            h + (s.low <= truth <= s.high)
            for h, s, truth in zip(held, (its.over, its.under, its.decisions), (over, under, decided), strict=True)
        ]
    assert min(held) >= 0.93 * 300


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30), st.integers(0, 30), st.floats(0, 1e6), st.floats(0, 1e6))
def test_no_count_breaks_a_rate(a, b, c, d, blocks, passes):
    """Nothing reviewed, nothing wrong, nothing at all: a value lies in its interval, and that in 0 to 1."""
    its = rates.measured("g", rates.counted(a, a + b, blocks), rates.counted(c, c + d, passes))
    for share in (its.over, its.under, its.decisions, its.blocks.share):
        if share is not None:
            assert 0 <= share.low <= (share.low if share.value is None else share.value) + 1e-12
            assert (share.high if share.value is None else share.value) <= share.high + 1e-12 <= 1 + 2e-12


def test_a_switch_is_found_and_health_is_not():
    """From one wrong block in ten to one in two: within some twenty reviews; false alarms within 200 are at most 1 %."""
    dice = random.Random(5)
    risen = [excess([dice.random() < 0.5 for _ in range(200)], 20, 200).at for _ in range(100)]
    assert None not in risen and sorted(risen)[50] < 40
    quiet = [excess([dice.random() < 0.1 for _ in range(200)], 20, 200).at for _ in range(300)]
    assert sum(at is not None for at in quiet) <= 3


def test_the_bound_of_false_alarms_holds_at_the_healthy_rate_itself():
    """Where the rate is exactly the one held against, crossing within 200 is as rare as it says: the baseline is large."""
    dice = random.Random(6)
    crossed = sum(excess([dice.random() < 0.1 for _ in range(200)], 0.1 * 1e9, 1e9, alpha=0.1).at is not None for _ in range(500))
    assert 0 < crossed <= 0.1 * 500


def test_the_command_says_at_which_review_errors_became_more(tmp_path):
    """In the order of time, whatever the order of the file."""
    healthy = record(tmp_path / "healthy.jsonl", [((True, False), 180), ((True, True), 20)])
    now = [
        {"guardrail": "pii", "verdict": "false_positive" if i > 50 else "true_positive", "sample_id": str(i), "time": i}
        for i in range(120)
    ]
    random.Random(1).shuffle(now)
    (tmp_path / "now.jsonl").write_text("".join(json.dumps(line) + "\n" for line in now))
    at = said(tmp_path / "now.jsonl", "--against", healthy)["risen"]["wrong blocks"]["at"]
    assert 52 < at < 80
    most = wilson(20, 200, z=Z99)[1]
    said_so = f"risen     wrong blocks: the baseline's rate is at most {most:.3f}; above it, seen at review {at} of these"
    assert said_so in measure(tmp_path / "now.jsonl", "--against", healthy).output
    mixed = healthy.read_text().splitlines()
    random.Random(2).shuffle(mixed)
    (tmp_path / "same.jsonl").write_text("\n".join(mixed))
    assert said(tmp_path / "same.jsonl", "--against", healthy)["risen"]["wrong blocks"]["at"] is None


def test_blocks_of_what_is_harmless_are_a_stream_of_their_own(tmp_path):
    """A system that refuses half of what is harmless, and as much that is harmful: wrong blocks among blocks say less, or nothing."""
    healthy = record(
        tmp_path / "healthy.jsonl", [((True, False), 90), ((True, True), 10), ((False, False), 98), ((False, True), 2)]
    )
    kinds = ["false_positive", "true_negative", "true_positive", "true_positive", "true_positive", "true_positive"]
    lines = [{"guardrail": "pii", "verdict": kinds[i % 6], "sample_id": f"n{i}", "time": i} for i in range(200)]
    now = tmp_path / "now.jsonl"
    now.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = said(now, "--against", healthy)
    assert found["risen"]["over-triggering"]["at"] < 40 and found["risen"]["wrong blocks"]["at"] is None
    assert found["risen"]["under-triggering"]["at"] is None and found["notes"] == []
    assert "risen     over-triggering: the baseline's rate is at most 0." in measure(now, "--against", healthy).output
    rated = [{**line, "rate": 0.5 if "positive" in line["verdict"] else 1.0} for line in lines]
    now.write_text("".join(json.dumps(line) + "\n" for line in rated))
    redrawn = said(now, "--against", healthy)
    assert set(redrawn["risen"]) == {"wrong blocks", "wrong passes"}, "more blocks were drawn, or are more blocks: not known"
    assert any("pii: over-triggering is not compared" in note and "one `rate`" in note for note in redrawn["notes"])


def test_what_is_disputed_is_neither_harmless_nor_harmful():
    """It is in the stream of blocks, as no error; over-triggering is compared where blocks and passes were reviewed then and now."""
    block = Review("g", "d", blocked=True, wrong=True, reviewer="ann")
    passed = replace(block, decision="p", blocked=False, wrong=False)
    disputed = rates.decisions([block, replace(block, reviewer="ben", wrong=False), passed])["g"]
    healthy = rates.decisions([block, passed])["g"]
    assert [flag for _, flag in stream("over-triggering", disputed)] == [False]
    assert [flag for _, flag in stream("wrong blocks", disputed)] == [False]
    assert set(risen(disputed, healthy)) == {"wrong blocks", "wrong passes", "over-triggering"}
    assert set(risen(disputed[:1], healthy)) == {"wrong blocks"}


def test_a_guardrail_that_no_healthy_review_is_about_is_said(tmp_path):
    """Nothing is compared, and nobody reads that as health."""
    now = record(tmp_path / "now.jsonl", COUNTS)
    other = record(tmp_path / "healthy.jsonl", COUNTS)
    other.write_text(other.read_text().replace("pii", "toxicity"))
    found = said(now, "--against", other)
    assert found["risen"] == {} and found["notes"] == ["pii: no review of it is in the healthy file, so that nothing is compared"]


def test_a_name_with_line_ends_and_escapes_is_one_line_on_a_terminal(tmp_path):
    """In the lines, in the notes, and in the error that lists the names."""
    source = record(tmp_path / "reviews.jsonl", COUNTS)
    source.write_text(source.read_text().replace('"pii"', json.dumps("pii\n\x1b[2Jall is well")))
    assert "guardrail pii??[2Jall is well\n" in measure(source).output
    with pytest.raises(BadInput, match=r"there are reviews of: pii\?\?\[2Jall is well$"):
        measure(source, "--guardrail", "x")


def test_intervals_across_both_sides_hold_the_truth_though_reviewers_slip():
    """Two reviewers who contradict the truth 3 % of the time: a dispute is a bound and no noise, and 93 in 100 intervals hold the rate."""
    dice, held = random.Random(1), [0, 0, 0]
    slips = {0: 0.97**2, 1: 0.97 * 0.03 * 2, 2: 0.03**2}

    def side(blocked, count, rate, total):
        drawn = zip(
            dice.choices((True, False), (rate, 1 - rate), k=count),
            dice.choices(*zip(*slips.items(), strict=True), k=count),
            strict=True,
        )
        words = Counter(None if slipped == 1 else wrong != (slipped == 2) for wrong, slipped in drawn)
        return rates.side([one for word, n in words.items() for one in [Decision(blocked, word, 2, "", 1.0, None)] * n], total)

    for _ in range(100):
        its = rates.measured("g", side(True, 300, 0.3, 1_000), side(False, 600, 0.004, 20_000))
        wrong, passed = 1_000 * 0.3, 20_000 * 0.004
        truths = wrong / (wrong + 20_000 - passed), passed / (passed + 1_000 - wrong), (wrong + passed) / 21_000
        held = [
            h + (share.low <= truth <= share.high)
            for h, share, truth in zip(held, (its.over, its.under, its.decisions), truths, strict=True)
        ]
    assert min(held) >= 93, held


def test_counters_of_a_prometheus_are_read(tmp_path):
    """Reviews by verdict and decisions by action, of one service; two reviews of a decision are worth one."""
    names = {"tp": "true_positive", "fp": "false_positive", "tn": "true_negative", "fn": "false_negative"}
    reviews = [
        ({"guardrail": "pii", "verdict": names[key]}, value) for key, value in (("tp", 90), ("fp", 10), ("tn", 196), ("fn", 4))
    ]
    decisions = [
        ({"guardrail": "pii", "action": action}, value) for action, value in (("block", 200), ("allow", 9000), ("redact", 1000))
    ]
    who = ["--service", "bot", "--environment", "production"]
    vector = [{"metric": labels, "value": [0, str(value)]} for labels, value in reviews + decisions]
    with server({"status": "success", "data": {"resultType": "vector", "result": vector}}) as (url, asked):
        found = said("--prometheus-url", url, *who, "--days", 7)
        twice = said("--prometheus-url", url, *who, "--reviewers", 2)
    queries = [parse_qs(one.query)["query"][0] for one in asked[:2]]
    for query, metric in zip(queries, ("truegreen_guardrail_reviews_total", "truegreen_guardrail_decisions_total"), strict=True):
        promql_parser.parse(query)
        assert f'{metric}{{service="bot",environment="production"}}[7d]' in query
    assert found["blocks"]["total"] == 200 and found["passes"]["total"] == 10_000
    assert found["over_triggering"]["value"] == pytest.approx(20 / (20 + 9800))
    assert twice["blocks"]["reviewed"] == 50
    assert twice["blocks"]["wrong_share"]["high"] == pytest.approx(wilson(5, 50)[1])
    with pytest.raises(Failed, match="--prometheus-url"):
        measure("--prometheus-url", "http://127.0.0.1:9", *who)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no usable review"),
        ("nonsense\n", r":1: found no JSON; write one JSON object a line"),
        ('{"verdict": "true_positive"}', r"guardrail: found nothing; write a text"),
        ('{"guardrail": "g", "verdict": "secret words"}', r"verdict: found a text of 12 characters; write one of true_positive"),
        ('{"guardrail": "g", "verdict": "true_positive", "rate": 0}', r"rate: found 0; write a number from 1e-09 to 1"),
        ('{"guardrail": "g", "verdict": "true_positive", "rate": 1e-320}', r"rate: found 1e-320; write a number from 1e-09 to 1"),
        ('{"guardrail": "g", "verdict": "true_positive", "time": "noon"}', r"time: found a text"),
        ('{"guardrail": "g", "verdict": "true_positive", "session": []}', r"session: found something else"),
        ("[" * 50_000, "no JSON"),
        ("x" * 200_000, "no JSON"),
    ],
)
def test_a_review_that_cannot_be_used_is_named_by_line_and_never_quoted(tmp_path, text, message):
    """Alone in its file it is the error; beside good ones it costs a note."""
    path = tmp_path / "reviews.jsonl"
    path.write_text(text)
    with pytest.raises(BadInput, match=message) as raised:
        measure(path)
    assert "secret" not in str(raised.value) and len(str(raised.value)) < 400
    if text:
        record(path, COUNTS)
        path.write_text(path.read_text() + text + "\n")
        found = said(path)
        assert found["blocks"]["reviewed"] == 50 and len(found["notes"]) == 1 and f"{path}:151:" in found["notes"][0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "write the file's name or --prometheus-url"),
        (["reviews.jsonl", "--blocks", "3"], "--blocks and --passes belong together"),
        (
            ["reviews.jsonl", "--guardrail", "toxicity"],
            "no review of the guardrail 'toxicity' is there; there are reviews of: pii",
        ),
        (
            ["reviews.jsonl", "--blocks", "nan", "--passes", "300"],
            "--blocks: found nan, and 50 of them are reviewed; write how many",
        ),
        (
            ["reviews.jsonl", "--blocks", "60", "--passes", "99"],
            "--passes: found 99, and 100 of them are reviewed; write how many",
        ),
        (["--prometheus-url", "http://127.0.0.1:9"], "write both"),
        (["nowhere.jsonl"], "cannot be read"),
        (["contrary.jsonl"], "is a block in one review and a pass in another"),
        (["reviews.jsonl", "--against", "contrary.jsonl"], "is a block in one review and a pass in another"),
    ],
)
def test_usage_that_cannot_work_is_refused(tmp_path, arguments, message):
    """One line says what to write."""
    record(tmp_path / "reviews.jsonl", COUNTS)
    two = [
        {"guardrail": "pii", "verdict": verdict, "sample_id": "d", "reviewer": verdict}
        for verdict in ("true_positive", "true_negative")
    ]
    (tmp_path / "contrary.jsonl").write_text("\n".join(map(json.dumps, two)))
    with pytest.raises(BadInput, match=message):
        measure(*arguments)


def test_an_infinite_number_of_blocks_is_refused(tmp_path):
    """Its rates would be no numbers."""
    done = measure(record(tmp_path / "reviews.jsonl", COUNTS), "--blocks", "inf", "--passes", "300")
    assert done.exit_code == 2 and "inf is not in the range" in done.output


def test_a_share_knows_the_rest():
    """What is not wrong is right, with the interval turned round."""
    assert Share(0.25, 0.125, 0.5).other == Share(0.75, 0.5, 0.875)
    assert Share(None, 0.0, 1.0).other == Share(None, 0.0, 1.0)


@pytest.mark.full
def test_a_real_prometheus_says_the_same(tmp_path, engine):
    """A day of counters that grow by the minute: totals and rates are those that were written, another service's are left out."""
    start = 1_700_000_000 - 1_700_000_000 % 86_400
    grown = {
        "truegreen_guardrail_reviews": [("verdict", "true_positive", 90), ("verdict", "false_positive", 10), ("verdict", "true_negative", 196), ("verdict", "false_negative", 4)],
        "truegreen_guardrail_decisions": [("action", "block", 200), ("action", "allow", 9_000), ("action", "flag", 1_000)],
    }  # fmt: skip
    lines = []
    for metric, series in grown.items():
        lines.append(f"# TYPE {metric} counter")
        for service, times in (("bot", 1.0), ("other", 7.0)):
            for label, value, count in series:
                labels = f'service="{service}",environment="production",guardrail="pii",{label}="{value}"'
                lines += [
                    f"{metric}_total{{{labels}}} {times * count * step / 1440!r} {start + 60 * step}" for step in range(1441)
                ]
    (tmp_path / "data.om").write_text("\n".join([*lines, "# EOF", ""]))
    tsdb = tmp_path / "prometheus" / "tsdb"
    tsdb.mkdir(parents=True)
    command = [engine("promtool"), "tsdb", "create-blocks-from", "openmetrics", tmp_path / "data.om", tsdb]
    subprocess.run(command, check=True, capture_output=True)
    (tmp_path / "prometheus.yml").write_text("scrape_configs: []\n")
    engine("prometheus")
    keep = ("--storage.tsdb.retention.time=100y",)
    with engines.prometheus(tmp_path / "prometheus.yml", tmp_path / "prometheus", args=keep) as running:
        until = datetime.fromtimestamp(start + 86_400, UTC).isoformat()
        who = ["--service", "bot", "--environment", "production", "--days", 1, "--until", until]
        found = said("--prometheus-url", running.url, *who)
    assert (found["blocks"]["total"], found["passes"]["total"]) == (pytest.approx(200, rel=0.01), pytest.approx(10_000, rel=0.01))
    assert found["blocks"]["wrong_share"]["value"] == pytest.approx(0.1)
    assert found["over_triggering"]["value"] == pytest.approx(20 / 9820)
    assert found["under_triggering"]["value"] == pytest.approx(200 / (200 + 180))
