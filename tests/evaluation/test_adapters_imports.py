"""Judgements that were made elsewhere: scores of a Langfuse project and reviews of people, as a user takes them."""

from __future__ import annotations

import csv
import gzip
import json
import os
import sys
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from truegreen.collector.processor import Processor
from truegreen.core.errors import BadInput, Failed
from truegreen.core.words import calibration, catalogue
from truegreen.core.words.calibration import Calibration
from truegreen.evaluation.evaluators.adapters import commands, imported
from truegreen.evaluation.evaluators.adapters.commands import review_import, score_import
from truegreen.evaluation.files import Broken, read_replay

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "core"))
from local_server import Reply, local  # noqa: E402

WHO = ["--evaluation", "helpfulness", "--service", "support", "--environment", "production"]
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SECRET = "the parcel is at 12 Elm Street"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """No configuration of the repository is read, and Langfuse's keys are there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRUEGREEN_CONFIG", raising=False)
    monkeypatch.setenv("LANGFUSE_PUBLIC_KEY", "pk-lf-1")
    monkeypatch.setenv("LANGFUSE_SECRET_KEY", "sk-lf-1")


@contextmanager
def receiver(status=200):
    """Where OTLP arrives: its address, the bodies, and a collector that counted them."""
    with local(lambda _call: Reply(text="", status=status)) as (url, calls):
        now = [1_000.0]
        processor = Processor(lambda: now[0], 30.0)

        def counted(metric=catalogue.EVALUATIONS, *labels):
            for call in calls:
                processor.logs(call.raw)
            calls_were = len(calls)
            del calls[:calls_were]
            now[0] += 120
            found = next(one for one in processor.copy() if one.metric is metric)
            at = [found.metric.labels.index(name) for name in labels or ("evaluation", "evaluator", "result", "reason")]
            return {tuple(key[i] for i in at): numbers[0] for key, numbers in found.series.items() if numbers[0]}

        yield url, calls, counted


def run(command, *arguments, endpoint=None):
    """Call a command; what it raises is raised here."""
    given = [*arguments, *WHO, *(["--endpoint", endpoint] if endpoint else [])]
    return CliRunner().invoke(command, given, catch_exceptions=False)


# --- Langfuse ---


def score(at, value=0.9, kind="NUMERIC", ident="s1", subject=None, **more):
    """One score as `GET /api/public/v3/scores` gives it."""
    moment = datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
    return {
        "id": ident, "projectId": "p1", "name": "helpfulness", "value": value, "dataType": kind, "source": "EVAL", "timestamp": moment,
        "environment": "production", "createdAt": moment, "updatedAt": moment, "comment": SECRET, "configId": None, "metadata": {},
        "subject": {"kind": "observation", "id": SPAN, "traceId": TRACE} if subject is None else subject, **more,
    }  # fmt: skip


class Langfuse:
    """A project with scores: pages by cursor, filters as the contract says."""

    def __init__(self, *scores, page=100):
        self.scores, self.page, self.refuses = list(scores), page, None

    def __call__(self, call):
        if self.refuses:
            return Reply({"message": "no", "error": "Refused"}, self.refuses)
        assert call.path == "/api/public/v3/scores"
        assert call.headers["Authorization"].startswith("Basic ")
        asked = {key: values[0] for key, values in call.params.items()}
        since, until = (datetime.fromisoformat(asked[key]) for key in ("fromTimestamp", "toTimestamp"))
        sources = asked.get("source", "").upper().split(",")
        found = [
            one
            for one in self.scores
            if since <= datetime.fromisoformat(one["timestamp"]) < until
            and one["name"] == asked["name"]
            and one["source"] in sources
        ]
        start = int(asked.get("cursor", "0"))
        size = min(self.page, int(asked["limit"]))
        meta = {"limit": size, **({"cursor": str(start + size)} if start + size < len(found) else {})}
        return Reply({"data": found[start : start + size], "meta": meta})


@contextmanager
def project(monkeypatch, *scores, page=100):
    served = Langfuse(*scores, page=page)
    with local(served) as (url, calls):
        monkeypatch.setenv("LANGFUSE_BASE_URL", url)
        yield served, calls


def ago(**time):
    return (datetime.now(UTC) - timedelta(**time)).timestamp()


@pytest.mark.full
def test_what_the_server_here_answers_is_what_the_langfuse_sdk_reads(monkeypatch):
    """The contract of the tests below is the SDK's."""
    langfuse = pytest.importorskip("langfuse.api")
    with project(monkeypatch, score(ago(hours=1)), score(ago(hours=2), True, "BOOLEAN", "s2")) as (_, calls):
        client = langfuse.LangfuseAPI(base_url=os.environ["LANGFUSE_BASE_URL"], username="pk-lf-1", password="sk-lf-1")
        now = datetime.now(UTC)
        page = client.scores.get_many(
            name="helpfulness",
            source="EVAL",
            fields="subject,details",
            limit=100,
            from_timestamp=now - timedelta(days=1),
            to_timestamp=now,
        )
        assert [(one.value, one.subject.trace_id) for one in page.data] == [(0.9, TRACE), (True, TRACE)]
        with receiver() as (endpoint, _, _):
            run(score_import, endpoint=endpoint)
    theirs, ours = calls
    assert set(ours.params) == set(theirs.params)
    assert ours.path == theirs.path


def test_scores_become_verdicts_of_their_spans_by_a_stated_floor_and_no_comment_goes_along(monkeypatch, tmp_path):
    """Numbers, booleans and a category; and what is left out is said."""
    (tmp_path / "truegreen.yaml").write_text("evaluations: {helpfulness: {scale: calibrated, floor: 0.5}}\n")
    scores = [
        score(ago(hours=1), 0.9, ident="a"),
        score(ago(hours=2), 0.2, ident="b", subject={"kind": "trace", "id": TRACE}),
        score(ago(hours=3), True, "BOOLEAN", "c", subject={"kind": "session", "id": "s"}),
        score(ago(hours=4), "good", "CATEGORICAL", "d"),
        score(ago(hours=5), "odd", "CATEGORICAL", "e"),
        score(ago(hours=6), 0.1, ident="f", source="API"),
        score(ago(hours=7), 0.1, ident="g", metadata={"evaluator": "judge/m@1", "sampled": "base", "scale": "raw"}),
        score(ago(hours=30), 0.1, ident="h"),
        score(ago(hours=1), 0.1, ident="i", name="other"),
    ]
    with project(monkeypatch, *scores, page=2), receiver() as (endpoint, calls, counted):
        done = run(score_import, "--category", "good=1", "--json", endpoint=endpoint)
        sent = b"".join(call.raw for call in calls)
        assert calls[0].path == "/v1/logs"
        assert SECRET.encode() not in sent and bytes.fromhex(TRACE) in sent and bytes.fromhex(SPAN) in sent
        assert counted() == {
            ("helpfulness", "langfuse/helpfulness", "pass", ""): 3,
            ("helpfulness", "langfuse/helpfulness", "fail", ""): 1,
        }
    said = json.loads(done.output)
    assert (said["new"], said["sent"], said["own"], said["no_number"], said["no_trace"]) == (6, 4, 1, 1, 1)
    assert said["outcomes"] == {"fail": 1, "pass": 3}


def test_a_calibration_file_wins_and_without_one_the_raw_number_waits_for_a_baseline(monkeypatch, tmp_path):
    """What `baseline take` wrote from the collector's scores is read here as in the application; lower may be better."""
    (tmp_path / "truegreen.yaml").write_text("evaluations: {helpfulness: {higher_is_better: false}}\n")
    with project(monkeypatch, score(ago(hours=1), 0.9), score(ago(hours=2), 0.1, ident="s2")):
        with receiver() as (endpoint, _, counted):
            run(score_import, endpoint=endpoint)
            assert counted() == {("helpfulness", "langfuse/helpfulness", "skipped", "no_baseline"): 2}
        frozen = Calibration(
            "support", "production", "helpfulness", "langfuse/helpfulness", "relative", -0.5, tuple(i / 100 - 1 for i in range(101)), 0.03,
            1.0, 600, "2026-11-01T12:00:00+00:00",
        )  # fmt: skip
        (tmp_path / "calibration").mkdir()
        (tmp_path / "calibration" / calibration.file_name("support", "production", "helpfulness")).write_text(
            calibration.to_text(frozen)
        )
        with receiver() as (endpoint, _, counted):
            run(score_import, endpoint=endpoint)
            assert counted() == {
                ("helpfulness", "langfuse/helpfulness", "pass", ""): 1,
                ("helpfulness", "langfuse/helpfulness", "fail", ""): 1,
            }


def test_with_a_state_nothing_is_sent_twice_and_what_arrives_late_is_not_lost(monkeypatch, tmp_path):
    """The second run asks for the last quarter of an hour again, and skips what it sent."""
    first, late, fresh = score(ago(minutes=5)), score(ago(minutes=10), ident="late"), score(ago(seconds=1), ident="fresh")
    state = str(tmp_path / "mark.json")
    with project(monkeypatch, first) as (served, _), receiver() as (endpoint, _, counted):
        run(score_import, "--state", state, endpoint=endpoint)
        served.scores = [first, late, fresh]
        done = run(score_import, "--state", state, "--json", endpoint=endpoint)
        assert json.loads(done.output)["sent"] == 2
        again = run(score_import, "--state", state, endpoint=endpoint)
        assert "sent 0: none" in again.output
        assert sum(counted().values()) == 3
    assert SECRET not in Path(state).read_text()


def test_what_was_not_taken_is_sent_the_next_time(monkeypatch, tmp_path):
    state = str(tmp_path / "mark.json")
    with project(monkeypatch, score(ago(hours=1))):
        with receiver(status=400) as (endpoint, _, _), pytest.raises(Failed, match=r"did not take all verdicts \(0 were taken\)"):
            run(score_import, "--state", state, endpoint=endpoint)
        with receiver() as (endpoint, _, counted):
            run(score_import, "--state", state, endpoint=endpoint)
            assert sum(counted().values()) == 1


def test_again_and_again_until_it_is_interrupted(monkeypatch):
    """A Langfuse that is away for a round is said; what arrives late is taken, and what was there before is not."""
    pauses, before = [], score(ago(minutes=2), ident="before")
    with project(monkeypatch, before) as (served, _), receiver() as (endpoint, _, counted):

        def pause(seconds):
            pauses.append(seconds)
            served.refuses = 403 if len(pauses) == 1 else None
            moment = datetime.now(UTC).timestamp() - 0.001
            served.scores.append(score(moment, ident=f"new{len(pauses)}"))
            if len(pauses) == 3:  # of the time of the first round: it was not there when that was looked at
                served.scores.append({**served.scores[1], "id": "late"})
            if len(pauses) == 5:
                raise KeyboardInterrupt

        monkeypatch.setattr(commands.time, "sleep", pause)
        done = run(score_import, "--every", "1m", endpoint=endpoint)
        assert sum(counted().values()) == 5
    assert (done.exit_code, pauses) == (0, [60] * 5)
    assert "trying again in 1m" in done.stderr


@pytest.mark.parametrize(
    ("status", "says"),
    [(401, "does not know the keys"), (404, "since Langfuse 3.179"), (500, "answered 500")],
)
def test_a_langfuse_that_refuses_is_one_clear_line(monkeypatch, status, says):
    with project(monkeypatch) as (served, _), pytest.raises(Failed, match=says):
        served.refuses = status
        run(score_import)


@pytest.mark.parametrize("answer", [[], {"data": [{"id": 1}], "meta": {}}, {"data": "x", "meta": {}}, {"data": []}])
def test_what_is_no_langfuse_is_one_clear_line(monkeypatch, answer):
    with local(lambda _call: Reply(answer)) as (url, _), pytest.raises(Failed, match="but not Langfuse's"):
        monkeypatch.setenv("LANGFUSE_BASE_URL", url)
        run(score_import)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--since", "yesterday"], "--since: found 'yesterday'"),
        (["--every", "often"], "--every: found 'often'"),
        (["--category", "good"], "--category: found 'good'"),
        (["--state", "notes.txt"], "--state: notes.txt is not a mark"),
    ],
)
def test_a_wrong_option_is_named_with_what_to_write(monkeypatch, arguments, says):
    Path("notes.txt").write_text("my notes")
    with project(monkeypatch), pytest.raises(BadInput, match=says):
        run(score_import, *arguments)
    assert Path("notes.txt").read_text() == "my notes"


# --- people ---


def rows(*given):
    return [dict(zip(("id", "reviewer", "y", "comment"), (*one, SECRET), strict=True)) for one in given]


REVIEWS = rows(
    ("1", "ann", 0), ("1", "bob", 0), ("2", "ann", 1), ("2", "bob", 0), ("3", "ann", 1), ("3", "bob", 1), ("4", "ann", 0)
)


def write(path, reviews):
    with path.open("w", newline="") as stream:
        if path.suffix == ".csv":
            writer = csv.DictWriter(stream, reviews[0].keys())
            writer.writeheader()
            writer.writerows(reviews)
        else:
            stream.writelines(json.dumps(one) + "\n" for one in reviews)
    return str(path)


@pytest.mark.parametrize("name", ["reviews.csv", "reviews.jsonl"])
def test_reviews_become_verdicts_and_how_far_reviewers_agree_is_said(tmp_path, name):
    """An answer on which they are even has no verdict; a comment goes nowhere."""
    with receiver() as (endpoint, calls, counted):
        done = run(review_import, write(tmp_path / name, REVIEWS), endpoint=endpoint)
        assert SECRET.encode() not in b"".join(call.raw for call in calls)
        assert counted() == {("helpfulness", "human-review", "pass", ""): 2, ("helpfulness", "human-review", "fail", ""): 1}
    assert "reviews   7 of 4 answers: 2 pass, 1 fail, 1 without a majority" in done.output
    assert "agreement ann and bob: 67% of 3 answers, kappa 0.40" in done.output
    assert "under 30 answers" in done.output and SECRET not in done.output


def test_the_last_word_of_a_reviewer_counts_and_each_who_is_not_named_is_another(tmp_path):
    """Ann changed her mind; two unnamed ones outvote her."""
    changed = rows(("1", "ann", 1), ("1", "ann", 0), ("2", "ann", 0), ("2", "", 1), ("2", "", 1))
    with receiver() as (endpoint, _, _):
        said = json.loads(run(review_import, write(tmp_path / "r.csv", changed), "--json", endpoint=endpoint).output)
    assert (said["pass"], said["fail"], said["even"]) == (1, 1, 0)


def test_a_verdict_belongs_to_the_trace_that_the_review_names(tmp_path):
    file = tmp_path / "r.jsonl"
    file.write_text(json.dumps({"trace_id": TRACE, "span_id": SPAN, "label": "fail"}) + "\n")
    with receiver() as (endpoint, calls, _):
        said = json.loads(run(review_import, str(file), "--json", endpoint=endpoint).output)
        assert bytes.fromhex(TRACE) in calls[0].raw and bytes.fromhex(SPAN) in calls[0].raw
    assert (said["sent"], said["no_trace"], said["agreement"]) == (1, 0, [])


def test_an_evaluation_that_the_configuration_does_not_know_is_said(tmp_path, monkeypatch):
    """It would be counted under a name that nothing reads."""
    (tmp_path / "truegreen.yaml").write_text("evaluations: {helpfullness: {}}\n")
    with receiver() as (endpoint, _, _), project(monkeypatch):
        for done in (
            run(review_import, write(tmp_path / "r.csv", REVIEWS), endpoint=endpoint),
            run(score_import, endpoint=endpoint),
        ):
            assert "note      evaluations of truegreen.yaml has no helpfulness" in done.output


def test_a_broken_review_is_named_without_its_text_and_the_good_ones_count(tmp_path):
    file = tmp_path / "r.jsonl"
    good, bad = {"id": "1", "y": 0}, [{"id": "2", "y": SECRET}, {"y": 1}, {"id": "3"}, [SECRET], {"trace_id": "xyz", "y": 1}]
    file.write_text("\n".join([*map(json.dumps, [good, *bad]), "{broken " + SECRET]))
    with receiver() as (endpoint, _, counted):
        done = run(review_import, str(file), endpoint=endpoint)
        assert sum(counted().values()) == 1
    assert f"broken    {file}:2: y: found no verdict" in done.output and "broken    6 broken lines in all" in done.output
    assert SECRET not in done.output
    with pytest.raises(BadInput, match="no usable review"):
        run(review_import, write(tmp_path / "none.jsonl", [{"id": "1"}]))
    with pytest.raises(BadInput, match="cannot be read: No such file"):
        run(review_import, str(tmp_path / "nowhere.jsonl"))


def test_reviews_label_the_calls_that_were_reviewed_for_a_measurement(tmp_path):
    """What `evaluator measure` reads; a label that was there stays where nobody reviewed, and nothing is sent."""
    calls = tmp_path / "calls.jsonl"
    lines = [{"query": "q", "context": ["p"], "answer": f"a{i}", "model": "m", "id": str(i), "session": "s"} for i in range(1, 7)]
    lines[5]["y"] = 1
    calls.write_text("\n".join(map(json.dumps, lines)) + "\nno call\n")
    out = tmp_path / "labelled.jsonl.gz"
    done = run(review_import, write(tmp_path / "r.csv", REVIEWS), "--calls", str(calls), "--out", str(out))
    read = list(read_replay(out, Broken()))
    assert [(one.id, one.wrong, one.extra) for one in read] == [
        ("1", False, {"session": "s"}), ("2", None, {"session": "s"}), ("3", True, {"session": "s"}), ("4", False, {"session": "s"}),
        ("5", None, {"session": "s"}), ("6", True, {"session": "s"}),
    ]  # fmt: skip
    assert f"written   {out}: 6 calls, 3 of them labelled by these reviews" in done.output and "no JSON" in done.output
    with gzip.open(out, "rt") as stream:
        assert "y" not in json.loads(stream.readlines()[1])
    with pytest.raises(Failed, match="is the file of the calls itself|name another"):
        run(review_import, str(tmp_path / "r.csv"), "--calls", str(calls), "--out", str(calls))
    with pytest.raises(BadInput, match="go together"):
        run(review_import, str(tmp_path / "r.csv"), "--out", str(out))
    assert len(calls.read_text().splitlines()) == 7


def test_a_collector_that_is_not_there_is_one_clear_line(tmp_path, monkeypatch):
    """The exporter would try for five seconds."""
    monkeypatch.setattr(imported, "SECONDS", 0.1)
    with receiver() as (endpoint, _, _):
        pass
    with pytest.raises(Failed, match=r"took 0 of 3 verdicts; is the collector running there"):
        run(review_import, write(tmp_path / "r.csv", REVIEWS), endpoint=endpoint)
