"""Probes of a provider: the permutation test, and the command against a server that speaks the contract."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from truegreen.core.errors import BadInput, Failed
from truegreen.evaluation.provider import compare, probes
from truegreen.evaluation.provider.commands import probe

WORDS = "return refund parcel card bank days items delivery address invoice warranty stock colour size shop order agent label box tax".split()


def wavering(rng: random.Random, questions: int, now: int, *, then: int = 3) -> list[tuple[list[str], list[str]]]:
    """A provider at a temperature: each answer is one of three that the question has."""
    made = []
    for _ in range(questions):
        answers = [" ".join(rng.choices(WORDS, k=rng.randint(3, 30))) for _ in range(3)]
        made.append((rng.choices(answers, k=then), rng.choices(answers, k=now)))
    return made


@pytest.mark.parametrize(
    ("rounds", "most"), [(20, 5), pytest.param(400, 32, marks=pytest.mark.full)]
)  # 1 and 20 expected; more than these once in 300
def test_a_provider_that_wavers_is_not_said_to_have_changed(rounds: int, most: int) -> None:
    """Rounds of eight wavering questions, at a level of 5 %: the level holds."""
    rng = random.Random(3)
    said = [compare.compare(wavering(rng, 8, 1), seed, 0.05)[0] for seed in range(rounds)]
    assert said.count("changed") <= most
    assert "too few" not in said


def test_each_measure_finds_what_is_its_own() -> None:
    """The same words in another form are another style; a repetition of the same text is none of them."""
    rng = random.Random(4)
    steady = [" ".join(rng.choices(WORDS, k=20)) for _ in range(12)]
    same, _ = compare.compare([([t] * 3, [t]) for t in steady], 1)
    assert same == "same"
    listed = [([t, t + ".", t + "!"], ["\n".join(f"- {w}" for w in t.split())]) for t in steady]
    verdict, found = compare.compare(listed, 1)
    p = {one.by: one.p for one in found}
    assert verdict == "changed"
    assert p["style"] < 0.001 < 0.2 < p["embedding"]
    assert p["exact match"] > 0.2, "the references differ from each other too"


def test_too_few_questions_are_said_to_be_too_few() -> None:
    """Where no result could have been significant."""
    assert compare.compare([(["a", "a", "a"], ["b"])] * 4, 1) == ("too few", ())
    assert compare.compare([(["a", "a", "a"], ["b"])] * 6, 1)[0] == "changed"
    assert compare.compare([], 1) == ("too few", ())
    assert compare.compare([(["a"], []), ([], ["b"])], 1) == ("too few", ())


def test_the_seed_decides() -> None:
    """The same numbers each time."""
    questions = wavering(random.Random(5), 10, 1)
    assert compare.compare(questions, 7) == compare.compare(questions, 7)


@contextmanager
def model(answer: Callable[[Any], tuple[int, Any]]) -> Iterator[tuple[str, list[Any]]]:
    """A server of the contract, and the bodies that it was sent."""
    sent: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            sent.append(body)
            status, said = answer(body) if self.path == "/v1/chat/completions" else (404, {"error": "no"})
            content = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", sent
    finally:
        server.shutdown()
        server.server_close()


def said(text: str, served: str = "m-0613", mark: str = "fp_1") -> tuple[int, Any]:
    """An answer of the contract."""
    return 200, {
        "model": served,
        "system_fingerprint": mark,
        "choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
    }


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ten questions in an empty folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("TRUEGREEN_CONFIG", "TRUEGREEN_PROVIDER", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("time.sleep", lambda _: None)
    file = tmp_path / "probes.jsonl"
    file.write_text("".join(json.dumps({"id": f"q{i}", "prompt": f"Is {i} prime? SECRET"}) + "\n" for i in range(10)))
    return file


def run(url: str, *more: str) -> Any:
    """The command; what it raises is raised here."""
    return CliRunner().invoke(probe, ["probes.jsonl", "--endpoint", url, "--model", "m", "--json", *more], catch_exceptions=False)


def last(result: Any) -> Any:
    """The JSON that a command printed."""
    return json.loads(result.stdout.strip().splitlines()[-1])


def test_another_writer_behind_the_same_name_is_found_and_no_answer_is_kept(asked: Path) -> None:
    """Record, probe, swap the model, probe: recorded, same, changed; the history has numbers only."""
    behind = {"answer": "Yes, it is."}
    with model(lambda body: said(behind["answer"] + body["messages"][0]["content"][3:4])) as (url, sent):
        assert last(run(url, "--record", "3"))["calls"] == 30
        assert last(run(url))["verdict"] == "same"
        behind["answer"] = "Step by step: first I divide. No! "
        found = last(run(url))
    assert found["verdict"] == "changed"
    assert (found["served"], found["fingerprints"], found["calls"], found["seed"]) == (["m-0613"], ["fp_1"], 10, 1)
    assert all(body["temperature"] == 0 and body["max_tokens"] for body in sent)
    rounds, broken = probes.history(asked.parent / "provider" / "probes.jsonl")
    assert ([one.verdict for one in rounds], broken) == (["recorded", "same", "changed"], 0)
    kept = (asked.parent / "provider" / "probes.jsonl").read_text()
    assert "SECRET" not in kept and "Yes" not in kept


def test_the_budget_of_the_day_holds_over_runs(asked: Path) -> None:
    """What is left is said, and nothing is sent."""
    with model(lambda _: said("Yes.")) as (url, sent):
        run(url, "--record", "3", "--calls-a-day", "39")
        with pytest.raises(Failed, match="10 calls are needed and 9 of 39"):
            run(url, "--calls-a-day", "39")
        assert len(sent) == 30


def test_calls_that_fail_are_counted_and_a_model_that_is_gone_is_no_change(asked: Path) -> None:
    """Throttled once: tried again. Broken always: no answer, exit code 1, and the calls are in the history."""
    often = iter([(429, {"error": "slow down"})])
    with model(lambda _: next(often, said("Yes."))) as (url, _):
        assert last(run(url, "--record", "2"))["calls"] == 21
    with model(lambda _: (500, {"error": "SECRET"})) as (url, sent), pytest.raises(Failed, match="answered 500"):
        run(url)
    assert len(sent) == 30
    rounds, _ = probes.history(asked.parent / "provider" / "probes.jsonl")
    assert (rounds[-1].verdict, rounds[-1].failed, rounds[-1].calls) == ("too few", 10, 30)


def test_a_newer_contract_names_the_limit_otherwise(asked: Path) -> None:
    """Models that refuse max_tokens are asked with max_completion_tokens."""

    def answer(body: Any) -> tuple[int, Any]:
        if "max_tokens" in body:
            return 400, {
                "error": {"message": "Unsupported parameter: use 'max_completion_tokens'", "code": "unsupported_parameter"}
            }
        return said("Yes.")

    with model(answer) as (url, _):
        assert last(run(url, "--record", "2"))["probes"] == 10


@pytest.mark.parametrize(
    ("lines", "says"),
    [("{", "probes.jsonl:1: no JSON"), ("[]", "found list"), ('{"id": "a"}', "prompt: found nothing"), ("", "found 0 probes"),
     ('{"id": "a", "prompt": "x"}\n{"id": "a", "prompt": "y"}', "probes.jsonl:2: id"), ('{"id": 1, "prompt": "x"}', "id: found int")],
)  # fmt: skip
def test_a_broken_file_of_probes_is_named_by_line_and_key(asked: Path, lines: str, says: str) -> None:
    """Before anything is asked."""
    asked.write_text(lines)
    with pytest.raises(BadInput, match=says):
        run("http://127.0.0.1:9/v1")


def test_references_are_needed_and_are_of_one_model(asked: Path) -> None:
    """Without them: what to write. Of another model: which."""
    with pytest.raises(BadInput, match="--record 3"):
        run("http://127.0.0.1:9/v1")
    asked.with_suffix(".references.jsonl").write_text('{"id": "q1", "model": "other", "answers": ["x"]}\n')
    with pytest.raises(BadInput, match="recorded from 'other'"):
        run("http://127.0.0.1:9/v1")


def test_a_history_with_broken_lines_loses_only_those(asked: Path) -> None:
    """They are counted and kept."""
    with model(lambda _: said("Yes.")) as (url, _):
        run(url, "--record", "2")
        path = asked.parent / "provider" / "probes.jsonl"
        path.write_text(path.read_text() + '{"time": 1}\nnonsense')
        run(url)
    rounds, broken = probes.history(path)
    assert ([one.verdict for one in rounds], broken) == (["recorded", "same"], 2)
