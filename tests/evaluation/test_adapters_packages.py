"""The real metrics of DeepEval, Ragas and Evidently that need no model: `nox -s evaluators` runs this file with them.

They are not among the locked packages, and their pins contradict ours.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys

import pytest

from truegreen.core.errors import BadInput
from truegreen.core.words.shapes import Sample
from truegreen.instrumentation import evaluate

SECRET = "the parcel is at 12 Elm Street"
RIGHT = Sample("Where is it?", SECRET, (f"We say that {SECRET}.",), "m", expected=SECRET)
WRONG = Sample("Where is it?", "I do not know.", ("A passage.",), "m", expected=SECRET)


def judge(package: str, metric: str, **settings):
    """The judge that an installed package makes of a metric."""
    pytest.importorskip(package)
    factory = evaluate.find(package)
    return factory({"metric": metric, **settings}, None)


CASES = [
    ("deepeval", "deepeval.metrics:ExactMatchMetric", {}, 1.0, 0.0),
    ("deepeval", "deepeval.metrics:PatternMatchMetric", {"arguments": {"pattern": r".*\d+ \w+ Street"}}, 1.0, 0.0),
    ("ragas", "ragas.metrics.collections:ExactMatch", {}, 1.0, 0.0),
    ("ragas", "ragas.metrics.collections:StringPresence", {}, 1.0, 0.0),
    ("ragas", "ragas.metrics.collections:NonLLMStringSimilarity", {}, 1.0, pytest.approx(0.133, abs=0.001)),
    ("ragas", "ragas.metrics.collections:RougeScore", {"arguments": {"rouge_type": "rougeL"}}, 1.0, 0.0),
    ("ragas", "ragas.metrics.collections:BleuScore", {}, pytest.approx(1.0), pytest.approx(0.0, abs=0.05)),
    ("ragas", "ragas.metrics.collections:CHRFScore", {}, pytest.approx(1.0), pytest.approx(0.1, abs=0.1)),
    ("ragas", "ragas.metrics.collections:QuotedSpansAlignment", {}, 1.0, 1.0),
    ("evidently", "evidently.descriptors:TextLength", {"arguments": {"column_name": "answer"}}, 30.0, 14.0),
    ("evidently", "evidently.descriptors:WordCount", {"arguments": {"column_name": "answer"}}, 6.0, 4.0),
    (
        "evidently",
        "evidently.descriptors:RegExp",
        {"arguments": {"column_name": "answer", "reg_exp": "(?i).*street.*"}},
        1.0,
        0.0,
    ),
    ("evidently", "evidently.descriptors:ExactMatch", {"arguments": {"columns": ["answer", "expected"]}}, 1.0, 0.0),
    ("evidently", "evidently.descriptors:IsValidJSON", {"arguments": {"column_name": "answer"}}, 0.0, 0.0),
]


@pytest.mark.parametrize(
    ("package", "metric", "settings", "right", "wrong"), CASES, ids=[case[1].partition(":")[2] for case in CASES]
)
def test_a_metric_gives_its_number_for_a_right_and_a_wrong_answer(package, metric, settings, right, wrong):
    """Its own number, named with its version; no verdict without a baseline."""
    asked = judge(package, metric, **settings)
    first, second = asked(RIGHT), asked(WRONG)
    assert (first.raw, second.raw) == (right, wrong)
    assert first.evaluator == f"{package}/{metric.partition(':')[2]}@{importlib.metadata.version(package)}"
    assert {first.skipped, second.skipped} == {"no_baseline"}


@pytest.mark.parametrize(
    ("package", "metric", "settings", "sample", "reason"),
    [
        ("deepeval", "deepeval.metrics:ExactMatchMetric", {}, Sample("q", "a"), "no_expected"),
        ("ragas", "ragas.metrics.collections:RougeScore", {}, Sample("q", "a"), "no_expected"),
        ("ragas", "ragas.metrics.collections:QuotedSpansAlignment", {}, Sample("q", "a"), "no_context"),
        (
            "evidently",
            "evidently.descriptors:ExactMatch",
            {"arguments": {"columns": ["answer", "expected"]}},
            Sample("q", "a"),
            "no_expected",
        ),
    ],
)
def test_what_a_metric_needs_and_is_not_there_is_said(package, metric, settings, sample, reason):
    assert judge(package, metric, **settings)(sample).skipped == reason


@pytest.mark.parametrize("package", ["deepeval", "ragas", "evidently"])
def test_an_empty_answer_and_a_long_one_raise_nothing(package):
    metric, settings = {
        "deepeval": ("deepeval.metrics:PatternMatchMetric", {"arguments": {"pattern": "x*"}}),
        "ragas": ("ragas.metrics.collections:ExactMatch", {}),
        "evidently": ("evidently.descriptors:TextLength", {"arguments": {"column_name": "answer"}}),
    }[package]
    asked = judge(package, metric, **settings)
    for sample in (
        Sample("q", "", (), "", "e"),
        Sample("q", "x" * 1_000_000, ("p",), "", "e"),
        Sample("¿?", "答え", ("文",), "", "e"),
    ):
        assert asked(sample).skipped in ("no_baseline", "error")


def test_deepevals_check_of_json_is_an_object_that_a_module_makes(tmp_path, monkeypatch):
    """It wants a class of pydantic, which no configuration can hold."""
    pytest.importorskip("deepeval")
    (tmp_path / "our_metrics.py").write_text(
        "from deepeval.metrics import JsonCorrectnessMetric\n"
        "from deepeval.models import DeepEvalBaseLLM\n"
        "from pydantic import BaseModel\n\n"
        "class Place(BaseModel):\n    street: str\n\n"
        "class Nobody(DeepEvalBaseLLM):\n"
        "    def load_model(self): return self\n"
        "    def generate(self, *a, **k): raise RuntimeError\n"
        "    async def a_generate(self, *a, **k): raise RuntimeError\n"
        "    def get_model_name(self): return 'nobody'\n\n"
        "def place():\n"
        "    return JsonCorrectnessMetric(expected_schema=Place, model=Nobody(), include_reason=False, async_mode=False)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    asked = judge("deepeval", "our_metrics:place")
    assert asked(Sample("q", json.dumps({"street": "Elm"}))).raw == 1.0
    assert asked(Sample("q", json.dumps({"road": "Elm"}))).raw == 0.0
    assert asked(Sample("q", "no json")).raw == 0.0


def test_a_metric_that_wants_a_model_says_so_when_it_is_made(monkeypatch):
    """One line, and no answer is judged for nothing."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(BadInput, match="metric: ragas.metrics.collections:Faithfulness cannot be made with"):
        judge("ragas", "ragas.metrics.collections:Faithfulness")


ALONE = """
import json, socket, sys
asked, real = [], socket.getaddrinfo
socket.getaddrinfo = lambda host, *rest, **more: asked.append(str(host)) or real(host, *rest, **more)
import atexit
atexit.register(lambda: open(sys.argv[1], "w").write(json.dumps(asked)))  # the first registered, so it runs last
from truegreen.core.words.shapes import Sample
from truegreen.instrumentation import evaluate
package, settings, answer = sys.argv[2], json.loads(sys.argv[3]), sys.argv[4]
asked_of = evaluate.find(package)(settings, None)
print(asked_of(Sample("q", answer, (answer,), "m", expected=answer)).raw is not None)
"""


@pytest.mark.parametrize("package", ["deepeval", "ragas", "evidently"])
def test_nobody_is_told_what_is_measured_and_no_text_is_written(package, tmp_path):
    """In a process of its own, whole from its start to its end: which hosts were looked for, and which files are there afterwards."""
    pytest.importorskip(package)
    settings = {
        "deepeval": {"metric": "deepeval.metrics:ExactMatchMetric"},
        "ragas": {"metric": "ragas.metrics.collections:RougeScore"},
        "evidently": {"metric": "evidently.descriptors:TextLength", "arguments": {"column_name": "answer"}},
    }[package]
    home = tmp_path / "home"
    home.mkdir()
    (home / ".env").write_text("TRUEGREEN_FOUND_IN_DOTENV=1\n")
    asked = tmp_path / "asked.json"
    environ = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(asked), package, json.dumps(settings), SECRET],
        cwd=home, env=environ, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "True"
    assert json.loads(asked.read_text()) == []
    assert [
        str(path.relative_to(home))
        for path in home.rglob("*")
        if SECRET.encode() in (path.is_file() and path.read_bytes() or b"")
    ] == []
    assert SECRET not in done.stdout + done.stderr
    if package == "deepeval":
        assert not (home / ".deepeval").exists()


def test_they_are_imported_when_a_judge_is_made_and_not_before():
    """The look-up of a factory is in the calling thread of the application."""
    code = (
        "import sys; from truegreen.instrumentation import evaluate\n"
        "print([evaluate.find(name).background for name in ('deepeval', 'ragas', 'evidently')],"
        " sorted({'deepeval', 'ragas', 'evidently', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[True, True, True] []"
