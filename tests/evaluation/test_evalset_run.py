"""`truegreen evalset run` by its command, against a local endpoint of the OpenAI contract, a plain one, and recorded answers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from evalset_server import completion, serving

from truegreen.core.cli import root
from truegreen.core.errors import BadInput, Failed
from truegreen.evaluation.evalsets import keeping
from truegreen.instrumentation import snapshot

SECRET = "a secret phrase of an answer"
CASES = [
    {"id": "returns", "query": "How long may I return an item?", "context": ["Within 30 days {of} delivery."], "expected": "30 days"},
    {"id": "capital", "query": "What is the capital of France?", "checks": {"contains": "paris", "not_contains": ["berlin", "rome"]}},
    {"id": "order", "query": "Give the order as JSON.", "checks": {
        "json_schema": {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}}, "max_words": 5}},
    {"query": "Name a number.", "checks": {"regex": ["[0-9]", "^It"], "min_words": 3}},
]  # fmt: skip
RIGHT = {
    "return": "You may return it within thirty days.", "capital": "It is PARIS.", "JSON": '{"id": 7}', "number": "It is 7.",
}  # fmt: skip


def written(path: Path, cases: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(case) + "\n" for case in cases))
    return path


def right(_: str, body: Any) -> tuple[int, Any]:
    """Answers all of them well."""
    asked = body["messages"][-1]["content"]
    return 200, completion(next(text for word, text in RIGHT.items() if word in asked))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)
    for name in ("TRUEGREEN_CONFIG", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    return lambda *words: CliRunner().invoke(root, ["evalset", "run", *map(str, words)])


def facts(result: Result) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return loaded


def test_a_set_that_passes_ends_with_0_and_its_version_is_the_applications(run, tmp_path, monkeypatch) -> None:
    """The run names the set by the version that `snapshot.eval_dataset` puts on spans; key, model and passages reach the endpoint."""
    file = written(tmp_path / "support.jsonl", CASES)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    with serving(right) as endpoint:
        done = run(file, "--endpoint", endpoint.url, "--model", "support-large", "--json", "--parallel", "2")
    assert done.exit_code == 0, done.output
    made = facts(done)
    assert (made["pass"], made["cases"], made["ratio"], made["passed"], made["complete"]) == (4, 4, 1.0, True, True)
    assert 0.5 < made["low"] < 0.52 and made["high"] == 1.0, "Wilson: 4 of 4 shows no more than 51 %"
    assert made["evalset"] == snapshot.eval_dataset(file)
    assert made["served"] == ["support-large-0613"] and made["tokens"] == 80
    assert {one["model"] for one in endpoint.asked} == {"support-large"} and {one["temperature"] for one in endpoint.asked} == {0}
    assert all(one["Authorization"] == "Bearer sk-test" for one in endpoint.headers)
    assert any("[1] Within 30 days {of} delivery." in one for one in endpoint.questions())
    kept = json.loads(Path(made["path"]).read_text())
    assert kept["digest"] == made["digest"] and list(tmp_path.glob("evalset-runs/*.partial.jsonl")) == []


WRONG = {
    "an empty answer": ("", {"expected": "x"}, ["empty"]),
    "another number": (
        "Items are returned unused, in the original box, within 14 days of delivery.",
        {"expected": "Items are returned unused, in the original box, within 30 days of delivery."},
        ["expected"],
    ),
    "too few of the words": ("Only blue ones.", {"expected": "red and green and yellow parrots"}, ["expected"]),
    "more is wanted": ("red parrots", {"expected": "red green parrots", "checks": {"expected_recall": 1}}, ["expected"]),
    "what it must not say": ("Rome, not Paris", {"checks": {"contains": ["Paris", "Lyon"], "not_contains": "ROME,  NOT"}}, ["contains[1]", "not_contains"]),
    "a pattern": ("none", {"checks": {"regex": ["[0-9]", "n"]}}, ["regex[0]"]),
    "no JSON": ("id: 7", {"checks": {"json_schema": {}}}, ["json_schema"]),
    "other JSON": ("[7]", {"checks": {"json_schema": {"type": "object"}}}, ["json_schema"]),
    "a long one": ("one two three", {"checks": {"max_words": 2}}, ["max_words"]),
    "a short one": ("one two", {"checks": {"min_words": 3}}, ["min_words"]),
    "without support": ("Zambezi mules weigh cathedral bells.", {"context": ["Return within 30 days."], "checks": {"floors": {"groundedness": 0.5}}}, ["floors.groundedness"]),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named_by_its_check(run, tmp_path, name) -> None:
    answer, more, failed = WRONG[name]
    written(tmp_path / "recorded.jsonl", [{"query": "q", "context": [], "answer": answer, "model": "m"}])
    file = written(tmp_path / "one.jsonl", [{"id": "one", "query": "q", **more}])
    done = run(file, "--recorded", "recorded.jsonl", "--json")
    made = facts(done)
    assert done.exit_code == 1 and made["passed"] is False
    assert made["verdicts"][0]["verdict"] == "fail" and made["verdicts"][0]["failed"] == failed


def test_no_answer_reaches_the_disk_or_the_screen_unless_asked(run, tmp_path) -> None:
    """Neither do an endpoint's own words about what it was asked."""
    file = written(
        tmp_path / "s.jsonl",
        [{"id": "a", "query": "q one", "checks": {"contains": "x"}}, {"id": "b", "query": "q two", "expected": "x"}],
    )

    def answer(_: str, body: Any) -> tuple[int, Any]:
        two = "two" in body["messages"][-1]["content"]
        return (400, {"error": {"message": SECRET}}) if two else (200, completion(SECRET))

    with serving(answer) as endpoint:
        words = (file, "--endpoint", endpoint.url, "--model", "m")
        done = run(*words)
        assert done.exit_code == 1 and "1 error" in done.output and SECRET not in done.output
        assert "error   b: the endpoint answered 400" in done.output
        assert not [path for path in tmp_path.rglob("*") if path.is_file() and SECRET in path.read_text()]
        kept = facts(run(*words, "--keep-answers", "--json"))
    assert kept["verdicts"][0]["answer"] == SECRET and SECRET in Path(kept["path"]).read_text()


def test_an_evaluator_that_cannot_judge_leaves_the_case_unknown_and_the_run_red(run, tmp_path) -> None:
    file = written(tmp_path / "s.jsonl", [{"id": "a", "query": "q", "checks": {"floors": {"groundedness": 0.1}}}])
    written(tmp_path / "r.jsonl", [{"query": "q", "context": [], "answer": "An answer without passages.", "model": "m"}])
    done = run(file, "--recorded", "r.jsonl")
    assert done.exit_code == 1
    assert "unknown a: floors.groundedness: skipped no_context" in done.output


def test_a_budget_ends_a_run_and_the_next_one_asks_the_rest(run, tmp_path) -> None:
    """Twice two calls of four: nothing is asked twice, and only the whole run passes."""
    file = written(tmp_path / "support.jsonl", CASES)
    with serving(right) as endpoint:
        words = (file, "--endpoint", endpoint.url, "--model", "m", "--budget", "calls=2", "--json")
        first = run(*words)
        assert first.exit_code == 1 and facts(first)["asked"] == 2 and facts(first)["stopped"] == "calls"
        second = run(*words)
        assert second.exit_code == 0, second.output
        assert facts(second)["asked"] == 4 and facts(second)["started"] == facts(first)["started"]
        assert len(endpoint.questions()) == len(set(endpoint.questions())) == 4
        assert facts(run(*words, "--fresh"))["asked"] == 2
        tokens = facts(
            run(file, "--endpoint", endpoint.url, "--model", "n", "--budget", "tokens=45", "--parallel", "1", "--json")
        )
    assert tokens["asked"] == 2 and tokens["tokens"] <= 45 and tokens["stopped"] == "tokens"


def test_an_endpoint_that_is_gone_ends_the_run_early_and_keeps_what_was_good(run, tmp_path, monkeypatch) -> None:
    """500s are no verdict on answers: the next run asks them again. A 503 is tried again at once."""
    cases = [{"id": f"c{n}", "query": f"question {n}", "checks": {"contains": "fine"}} for n in range(60)]
    file = written(tmp_path / "many.jsonl", cases)
    broken, hiccups = threading.Event(), iter([503])
    broken.set()

    def answer(_: str, body: Any) -> tuple[int, Any]:
        if "question 0" in body["messages"][-1]["content"] and next(hiccups, 200) == 503:
            return 503, {"error": "busy"}
        gone = broken.is_set() and int(body["messages"][-1]["content"].split()[-1]) >= 10
        return (500, {"error": "down"}) if gone else (200, completion("fine"))

    with serving(answer) as endpoint:
        words = (file, "--endpoint", endpoint.url, "--model", "m", "--parallel", "1", "--json")
        first = facts(run(*words))
        assert (first["pass"], first["error"], first["stopped"]) == (10, 20, "errors")
        assert "answered 500: down" in first["notes"][0]
        broken.clear()
        second = run(*words)
    assert second.exit_code == 0 and facts(second)["pass"] == 60
    assert sum(one.endswith("question 3") for one in endpoint.questions()) == 1


@pytest.mark.full
def test_ctrl_c_keeps_what_was_answered(tmp_path) -> None:
    """The real command, interrupted while the endpoint lets it wait; the second run asks the rest alone."""
    file = written(tmp_path / "support.jsonl", CASES)
    held, release = threading.Event(), threading.Event()
    waits = [True]

    def answer(path: str, body: Any) -> tuple[int, Any]:
        if waits[0] and "capital" in body["messages"][-1]["content"]:
            held.set()
            release.wait(30)
        return right(path, body)

    with serving(answer) as endpoint:
        command = [
            sys.executable,
            "-m",
            "truegreen.core",
            "evalset",
            "run",
            str(file),
            "--endpoint",
            endpoint.url,
            "--model",
            "m",
            "--parallel",
            "1",
        ]
        environ = {key: value for key, value in os.environ.items() if key != "TRUEGREEN_CONFIG"}
        running = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ)
        assert held.wait(30)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=20)
        assert running.returncode == 1 and "interrupted after 1 of 4 cases; the same command goes on from there" in said, said
        assert "Traceback" not in said
        waits[0] = False
        release.set()
        again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, env=environ)
    assert again.returncode == 0, again.stderr
    assert "passed 4/4" in again.stdout.splitlines()[-1]
    assert sum("return an item" in one for one in endpoint.questions()) == 1


def test_a_plain_endpoint_is_asked_by_a_template(run, tmp_path, monkeypatch) -> None:
    """Its own passages are what the answer is judged by."""
    (tmp_path / "template.json").write_text(json.dumps({
        "path": "/ask", "body": {"q": "Please: {query}", "docs": "{context}", "k": [3]}, "answer": "/out/0/text", "passages": "/sources",
        "model": "/by", "tokens": "/used"}))  # fmt: skip
    file = written(tmp_path / "s.jsonl", [
        {"id": "a", "query": "how {model} long?", "context": ["p1"], "checks": {"contains": "thirty", "floors": {"groundedness": 0.3}}}])  # fmt: skip
    monkeypatch.setenv("TRUEGREEN_ENDPOINT_TOKEN", "t0")
    text = "An item may be returned within thirty days of delivery."
    with serving(
        lambda path, _: (200, {"out": [{"text": text}], "sources": [{"text": text}], "by": "own-1", "used": 9})
    ) as endpoint:
        done = run(file, "--endpoint", endpoint.url + "/api", "--request", "template.json", "--json")
        assert done.exit_code == 0, done.output
        assert endpoint.asked == [{"q": "Please: how {model} long?", "docs": ["p1"], "k": [3]}]
        assert endpoint.headers[0]["Authorization"] == "Bearer t0"
        assert facts(done)["served"] == ["own-1"] and facts(done)["tokens"] == 9
    with serving(lambda *_: (200, {"out": []})) as endpoint:
        other = run(file, "--endpoint", endpoint.url, "--request", "template.json")
    assert other.exit_code == 1 and "JSON, but not the endpoint's" in other.output


def test_recorded_answers_are_found_by_id_then_by_question(run, tmp_path) -> None:
    written(tmp_path / "r.jsonl", [
        {"id": "a", "query": "other", "context": [], "answer": "alpha", "model": "m1"}, {"query": "qb", "context": [], "answer": "beta", "model": "m2"}])  # fmt: skip
    file = written(
        tmp_path / "s.jsonl",
        [{"id": n, "query": f"q{n}", "checks": {"contains": t}} for n, t in (("a", "alpha"), ("b", "beta"), ("c", "x"))],
    )
    done = facts(run(file, "--recorded", "r.jsonl", "--json", "--require", "60%"))
    assert [one["verdict"] for one in done["verdicts"]] == ["pass", "pass", "error"] and done["live"] is False
    assert done["passed"] is False, "a case without an answer leaves a run that is not whole"


def test_a_case_that_nothing_can_pass_is_named_before_anything_is_paid(run, tmp_path) -> None:
    """A floor of an evaluator that skips the case itself; an endpoint that tells its own passages may still answer it."""
    floor = {"checks": {"floors": {"groundedness": 0.5}}}
    file = written(tmp_path / "s.jsonl", [{"query": "q one", "expected": "x"}, {"query": "q two", **floor}])
    (tmp_path / "t.json").write_text(json.dumps({"body": "{query}", "answer": "/text", "passages": "/sources"}))
    with serving(lambda *_: (200, {"text": "x", "sources": ["x"]})) as endpoint:
        done = run(file, "--endpoint", endpoint.url, "--model", "m")
        assert isinstance(done.exception, BadInput) and endpoint.asked == []
        assert "s.jsonl:2: checks.floors: groundedness skips this case whatever is answered (no_context)" in str(done.exception)
        assert facts(run(file, "--endpoint", endpoint.url, "--request", "t.json", "--json"))["asked"] == 2


def test_an_expected_answer_in_another_language_is_marked_and_not_guessed(run, tmp_path) -> None:
    """Words tell nothing there; word for word it tells."""
    expected = "يمكن إرجاع المنتج خلال ثلاثين يوما"
    written(tmp_path / "r.jsonl", [
        {"id": "a", "query": "q", "context": [], "answer": f"نعم، {expected}.", "model": "m"},
        {"id": "b", "query": "q", "context": [], "answer": "ثلاثون يوما للإرجاع", "model": "m"}])  # fmt: skip
    file = written(tmp_path / "s.jsonl", [{"id": name, "query": "q", "expected": expected} for name in "ab"])
    first, second = facts(run(file, "--recorded", "r.jsonl", "--json"))["verdicts"]
    assert first["verdict"] == "pass"
    assert (second["verdict"], second["why"]) == ("unknown", "expected: skipped unsupported_language")


def test_what_failed_is_said_before_what_could_not_be_judged(run, tmp_path) -> None:
    written(tmp_path / "r.jsonl", [{"query": "q", "context": [], "answer": "no", "model": "m"}])
    checks = {"contains": ["no", "yes"], "floors": {"groundedness": 0.5}}
    file = written(tmp_path / "s.jsonl", [{"id": "a", "query": "q", "checks": checks}])
    assert "fail    a: contains[1]; floors.groundedness: skipped no_context" in run(file, "--recorded", "r.jsonl").output


def test_an_endpoint_without_bounds_costs_one_case(run, tmp_path) -> None:
    """An answer over 1 MB is none, tokens below nothing give nothing back, a name brings no control characters to the terminal."""
    file = written(tmp_path / "s.jsonl", [{"id": name, "query": name, "checks": {"contains": "x"}} for name in "abc"])
    name = "gpt\x1b[31m\n\nfake line" + "x" * 500

    def answer(_: str, body: Any) -> tuple[int, Any]:
        return 200, completion("x" * (2_000_000 if body["messages"][-1]["content"] == "a" else 1), name, -1000)

    with serving(answer) as endpoint:
        words = (file, "--endpoint", endpoint.url, "--model", "m")
        done = run(*words, "--budget", "tokens=5", "--json")
        told = facts(done)
        shown = run(*words, "--fresh").output
    assert (told["verdicts"][0]["verdict"], told["verdicts"][0]["why"], told["tokens"]) == ("error", "its answer is too long", 0)
    (served,) = told["served"]
    assert len(served) == 128 and served.startswith("gpt?[31m??fake line")
    assert "\x1b" not in shown and "\nfake" not in shown


def test_a_template_that_names_no_model_asks_for_none(run, tmp_path) -> None:
    """So its run is evidence for no name; where one is given, it is said."""
    file = written(tmp_path / "s.jsonl", [{"query": "q", "expected": "x"}])
    for name, body in {"without": "{query}", "with": {"q": "{query}", "m": "{model}"}}.items():
        (tmp_path / f"{name}.json").write_text(json.dumps({"body": body, "answer": "/text"}))
    with serving(lambda *_: (200, {"text": "x"})) as endpoint:
        done = run(file, "--endpoint", endpoint.url, "--request", "without.json", "--model", "gpt-4o")
        assert isinstance(done.exception, BadInput) and "--model: found 'gpt-4o', and no {model} in the body" in str(
            done.exception
        )
        made = facts(run(file, "--endpoint", endpoint.url, "--request", "with.json", "--model", "gpt-4o", "--json"))
    assert made["model"] == "gpt-4o" and endpoint.asked == [{"q": "q", "m": "gpt-4o"}]


def test_two_runs_of_one_set_at_once_ask_nothing_twice(run, tmp_path) -> None:
    """The second ends at once and says why."""
    file = written(tmp_path / "support.jsonl", CASES)
    second: list[Result] = []
    begun = threading.Lock()

    def answer(path: str, body: Any) -> tuple[int, Any]:
        if begun.acquire(blocking=False):
            second.append(run(*words))
        return right(path, body)

    with serving(answer) as endpoint:
        words = (file, "--endpoint", endpoint.url, "--model", "m", "--parallel", "1", "--json")
        first = run(*words)
    assert first.exit_code == 0, first.output
    assert "another run of this set against this endpoint is under way" in str(second[0].exception)
    assert len(endpoint.asked) == 4


BAD = {
    "a blank text": ('{"query": "q", "checks": {"contains": ["x", " "]}}', "s.jsonl:1: checks.contains[1]: found a text of 1 characters; write a text that is not blank"),
    "blank expectations": ('{"query": "q", "expected": "  "}', "s.jsonl:1: expected: found a text of 2 characters; write a text that is not blank"),
    "no case": ("", "found no case"),
    "nothing to check": ('{"query": "q"}', "s.jsonl:1: found neither expected nor checks"),
    "a key misspelt": ('{"query": "q", "expeted": "x", "checks": {"contains": "y"}}', "s.jsonl:1: found the unknown expeted"),
    "a check misspelt": ('{"query": "q", "checks": {"contain": "y"}}', "s.jsonl:1: checks: found the unknown contain"),
    "one id twice": ('{"id": "a", "query": "q", "expected": "x"}\n\n{"id": "a", "query": "r", "expected": "x"}', "s.jsonl:3: id: found the id of line 1"),
    "the same line twice": ('{"query": "q", "expected": "x"}\n{"expected": "x", "query": "q"}', "s.jsonl:2: id: found the id of line 1"),
    "a broken pattern": ('{"query": "q", "checks": {"regex": "("}}', "s.jsonl:1: checks.regex: found a pattern that is none"),
    "no schema": ('{"query": "q", "checks": {"json_schema": {"type": "no"}}}', "s.jsonl:1: checks.json_schema: found no JSON Schema"),
    "a schema elsewhere": ('{"query": "q", "checks": {"json_schema": {"$ref": "http://127.0.0.1:1/x"}}}', "found a $ref to elsewhere"),
    "no JSON": ('{"query": "q", "expected": "x"}\n{', "s.jsonl:2: found no JSON"),
    "half a character": ('{"query": "\\ud800", "expected": "x"}', "s.jsonl:1: found bytes or characters that are not UTF-8"),
    "deep": ('{"query": ' + "[" * 100_000, "s.jsonl:1: found no JSON"),
    "an unknown evaluator": ('{"query": "q", "checks": {"floors": {"nobodys": 1}}}', "s.jsonl:1: checks.floors: found 'nobodys'; write one of"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_set_is_taken_whole_or_not_at_all(run, tmp_path, name) -> None:
    text, said = BAD[name]
    (tmp_path / "s.jsonl").write_text(text)
    done = run("s.jsonl", "--recorded", "r.jsonl")
    assert isinstance(done.exception, BadInput), done.output
    assert said in str(done.exception)


def test_what_else_is_wrong_is_said_in_one_line(run, tmp_path) -> None:
    written(tmp_path / "s.jsonl", CASES)
    (tmp_path / "t.json").write_text('{"body": {}, "answer": "/a"}')
    (tmp_path / "s.txt").write_text("x")
    for words, said in {
        ("s.jsonl",): "found neither of --endpoint URL and --recorded FILE",
        ("s.jsonl", "--endpoint", "http://127.0.0.1:9"): "--model: found nothing",
        ("s.jsonl", "--endpoint", "nowhere", "--model", "m"): "the address of the endpoint is",
        ("s.jsonl", "--endpoint", "http://127.0.0.1:9", "--request", "t.json"): "t.json: body: found no {query}",
        ("s.jsonl", "--recorded", "none.jsonl"): "none.jsonl: cannot be read",
        ("none.jsonl", "--recorded", "s.jsonl"): "none.jsonl: cannot be read",
        ("s.txt", "--recorded", "s.jsonl"): "an evaluation set is JSON lines; name it s.jsonl",
        ("s.jsonl", "--endpoint", "http://127.0.0.1:9", "--model", "m", "--budget", "euros=3"): "--budget: found 'euros=3'",
        ("s.jsonl", "--endpoint", "http://127.0.0.1:9", "--model", "m", "--parameter", "model=1"): "--parameter: found 'model=1'",
    }.items():
        done = run(*words)
        assert isinstance(done.exception, BadInput | Failed) and said in str(done.exception), (words, done.exception, done.output)


def test_a_partial_of_yesterday_or_a_torn_one_is_asked_anew(run, tmp_path) -> None:
    """A name may stand for another model by now; what a crash tore is left out."""
    file = written(tmp_path / "support.jsonl", CASES)
    with serving(right) as endpoint:
        words = (file, "--endpoint", endpoint.url, "--model", "m", "--json")
        run(*words, "--budget", "calls=2")
        (partial,) = tmp_path.glob("evalset-runs/*.partial.jsonl")
        text = partial.read_text()
        partial.write_text(keeping.line({"started": 1000000000.0}) + text.partition("\n")[2])
        assert facts(run(*words, "--budget", "calls=3"))["asked"] == 3
        partial.write_text("\n".join([*text.splitlines()[:2], text.splitlines()[2][:40]]))
        done = facts(run(*words))
    assert done["asked"] == 4 and done["passed"]


def test_a_partial_that_was_edited_is_asked_anew(run, tmp_path) -> None:
    """A verdict that somebody turned, and one of a case that the set does not have."""
    file = written(tmp_path / "support.jsonl", CASES)
    with serving(lambda *_: (200, completion("no"))) as endpoint:
        words = (file, "--endpoint", endpoint.url, "--model", "m", "--json")
        run(*words, "--budget", "calls=2")
        (partial,) = tmp_path.glob("evalset-runs/*.partial.jsonl")
        head, first, second = partial.read_text().splitlines()
        foreign = json.loads(second) | {"id": "foreign"}
        partial.write_text("\n".join([head, first.replace('"fail"', '"pass"'), keeping.line(foreign)]))
        done = facts(run(*words))
    assert (done["asked"], done["pass"]) == (4, 0)
