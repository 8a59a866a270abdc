"""Any function of a sample as an evaluation, and the adapters of other packages' metrics where those are not installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from truegreen.core.config import parse_text
from truegreen.core.errors import BadInput
from truegreen.core.words.shapes import Sample
from truegreen.evaluation.evaluators.adapters import metric
from truegreen.evaluation.installed import judge_of

REPO = Path(__file__).parents[2]
SAMPLE = Sample("q", "four words in it", ("p",))


@pytest.fixture(autouse=True)
def ours(tmp_path, monkeypatch):
    """A module of the user's own."""
    (tmp_path / "own_metrics.py").write_text(
        "def words(sample): return len(sample.answer.split())\n"
        "def short(sample): return len(sample.answer) < 9\n"
        "def unsure(sample): return None\n"
        "def broken(sample): raise ValueError(sample.answer)\n"
        "def endless(sample): return float('inf')\n"
        "class Over:\n"
        "    def __init__(self, limit): self.limit = limit\n"
        "    def __call__(self, sample): return len(sample.answer) > self.limit\n"
        "class Picky:\n"
        "    def __init__(self): raise ValueError('the key is sk-secret')\n"
    )
    (tmp_path / "own_broken.py").write_text("raise RuntimeError('the key is sk-secret')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("own_metrics", None)


@pytest.mark.parametrize(
    ("settings", "raw", "label", "skipped"),
    [
        ({"metric": "own_metrics:words"}, 4.0, "", "no_baseline"),
        ({"metric": "own_metrics:words", "higher_is_better": False}, -4.0, "", "no_baseline"),
        ({"metric": "own_metrics:short", "scale": "calibrated", "floor": 0.5}, 0.0, "fail", ""),
        ({"metric": "own_metrics:Over", "arguments": {"limit": 5}, "scale": "calibrated", "floor": 0.5}, 1.0, "pass", ""),
        ({"metric": "own_metrics:words", "needs": ["expected"]}, None, "", "no_expected"),
        ({"metric": "own_metrics:unsure"}, None, "", "error"),
        ({"metric": "own_metrics:broken"}, None, "", "error"),
        ({"metric": "own_metrics:endless"}, None, "", "error"),
    ],
)
def test_a_function_of_ones_own_is_an_evaluation_under_a_name_of_ones_own(settings, raw, label, skipped, caplog):
    """The number is the function's; a level makes a verdict of it; what it raises holds the text and is not said."""
    result = judge_of("brevity", {"evaluator": "metric", **settings})(SAMPLE)
    assert (result.raw, result.label, result.skipped) == (raw, label, skipped)
    assert result.evaluator == settings["metric"]
    assert SAMPLE.answer not in caplog.text


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "metric: found None"),
        ({"metric": "own_metrics"}, "write package.module:name"),
        ({"metric": "own_metrics:nothing"}, "the module own_metrics has no nothing"),
        ({"metric": "no_such_package_at_all:x"}, "pip install no_such_package_at_all"),
        ({"metric": "json.nothing:x"}, "there is no module json.nothing; look at the version of json"),
        ({"metric": "own_metrics:Over"}, "own_metrics:Over cannot be made with arguments nothing: TypeError"),
        ({"metric": "own_metrics:words", "needs": ["context"]}, "needs: found"),
        ({"metric": "own_metrics:Over", "arguments": 5}, "arguments: found 5, write a mapping"),
    ],
)
def test_a_target_that_is_not_there_is_named(settings, says):
    with pytest.raises(BadInput, match=says):
        metric.make(settings, None)


@pytest.mark.parametrize(
    ("target", "says"),
    [("own_metrics:Picky", "ValueError"), ("own_broken:x", "the module own_broken cannot be imported: RuntimeError")],
)
def test_what_a_module_of_others_says_is_not_quoted(target, says):
    """The application's log shows what is wrong with an evaluator; another's message may hold anything."""
    with pytest.raises(BadInput, match=says) as error:
        metric.make({"metric": target}, None)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("package", "target"),
    [
        ("ragas", "ragas.metrics.collections:RougeScore"),
        ("deepeval", "deepeval.metrics:ExactMatchMetric"),
        ("evidently", "evidently.descriptors:TextLength"),
    ],
)
def test_without_its_package_an_adapter_says_what_to_install(package, target, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(BadInput, match=f"needs the package {package}; run: pip install {package}"):
        judge_of(package, {"metric": target})


@pytest.mark.full
@pytest.mark.timeout(1_800)
def test_the_adapters_judge_with_the_real_packages():
    """DeepEval, Ragas and Evidently in an environment of their own."""
    done = subprocess.run(
        [sys.executable, "-m", "nox", "-s", "evaluators"], cwd=REPO, capture_output=True, text=True, timeout=1_700
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-5_000:]


def test_the_example_of_the_page_is_a_configuration_and_its_judge_can_be_made(tmp_path, monkeypatch):
    text = (REPO / "docs" / "judges.md").read_text(encoding="utf-8").partition("```yaml\n")[2].partition("```")[0]
    settings = parse_text(text, "judges.md", {}, None).evaluations
    assert {name: one["evaluator"] for name, one in settings.items()} == {
        "helpfulness": "judge",
        "brevity": "metric",
        "overlap": "ragas",
    }
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    assert callable(judge_of("helpfulness", settings["helpfulness"]))
