"""`truegreen.yaml`: defaults, precedence, and errors that a person can act on."""

import json
import re
from decimal import Decimal
from pathlib import Path
from unittest import mock

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from truegreen.core.config import load, parse_text, source
from truegreen.core.config.check import schema, variables
from truegreen.core.errors import BadInput


def text(content: str, environ: dict[str, str] | None = None):
    return parse_text(content, "truegreen.yaml", environ or {}, None)


def test_no_file_means_three_slos_in_shadow_for_all_services(tmp_path, monkeypatch):
    """No file at all is a valid configuration."""
    monkeypatch.chdir(tmp_path)
    config = load(None, {})
    assert [slo.name for slo in config.slos] == ["grounding", "latency", "availability"]
    assert {slo.mode for slo in config.slos} == {"shadow"}
    assert {slo.services for slo in config.slos} == {"all"}
    assert config.sampling == {"groundedness": 1.0}


def test_the_environment_wins_over_the_file_and_the_file_over_the_default():
    """Precedence: TRUEGREEN_* > file > default."""
    assert text("").sampling == {"groundedness": 1.0}
    assert text("sampling: 20%").sampling == {"groundedness": 0.2}
    assert text("sampling: 20%", {"TRUEGREEN_SAMPLING": "5%"}).sampling == {"groundedness": 0.05}


def test_every_variable_of_the_schema_reaches_the_model():
    """A variable that is named in the schema and changes nothing would be a lie."""
    values = {"TRUEGREEN_SAMPLING": "7%", "TRUEGREEN_SCRAPE_INTERVAL": "11s"}
    for name, _ in variables(schema()):
        assert repr(text("", {name: values.get(name, "other-value")})) != repr(text("")), name


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "slos:\n- name: grounding\n  objective: 0.95\n",
            "truegreen.yaml:3: slos[0].objective: 0.95 is not a percentage; write 95%",
        ),
        (
            "slos:\n- name: grounding\n  objective: 100%\n",
            "truegreen.yaml:3: slos[0].objective: 100% leaves no error budget; write 99%",
        ),
        (
            "slos:\n- name: grounding\n  objective: high\n",
            "truegreen.yaml:3: slos[0].objective: high is not a percentage; write 95%",
        ),
        ("services:\n  a: {custmer_facing: true}\n", "services.a.custmer_facing: unknown key; did you mean customer_facing?"),
        ("slos:\n- name: grounding\n- name: grounding\n", "truegreen.yaml:3: slos[1].name: grounding is there twice"),
        (
            "slos:\n- {name: grounding, objectives: {a: baseline}}\n",
            "truegreen.yaml:2: slos[0].objectives.a: found baseline, which is for the whole SLO; write 95%, or objective: baseline",
        ),
        (
            "slos:\n- {name: m, layer: quality, failure_mode: drift, objective: 99%, sli: {metric: x, younger_than: 3651d}}\n",
            "truegreen.yaml:2: slos[0].sli.younger_than: found 3651d, which nothing ever reaches; write at most 3650d",
        ),
        ("alerting: {drill_every: 99999999h}\n", "truegreen.yaml:1: alerting.drill_every: found 99999999h"),
        ("alerting: {baseline_age: 3651d}\n", "truegreen.yaml:1: alerting.baseline_age: found 3651d"),
        ("slos:\n- name: mine\n", "truegreen.yaml:2: slos[0]: mine is not a ready-made SLO, so it needs sli and objective"),
        ("slos:\n- {name: grounding, mode: lve}\n", 'truegreen.yaml:2: slos[0].mode: found "lve"; write live'),
        ("slos:\n- {mode: live}\n", "truegreen.yaml:2: slos[0]: name is missing; add it"),
        ("sampling: 100%\nsampling: 5%\n", "truegreen.yaml:2: sampling is written twice; the first is in line 1"),
        ("scrape_interval: 30\n", "truegreen.yaml:1: scrape_interval: found 30; write a whole number and a unit"),
        ("snapshot: {prompt: 3}\n", "truegreen.yaml:1: snapshot.prompt: found 3; write a text; put quotes around a number"),
        ("a: [1, 2\n", "truegreen.yaml:2: not YAML"),
        ("- 1\n", "truegreen.yaml:1: found [1]; write a value of type object"),
        ("cohorts: {attribute: plan, values: ['a\"b']}\n", "cohorts.values[0]"),
        (
            "routes:\n  severity_label: sev\n",
            'truegreen.yaml:2: routes.severity_label: found "sev"; write a label that truegreen does not set itself',
        ),
        ("routes: {severity_label: __name__}\n", "such as severity or priority"),
        (
            "routes: {webhooks: {'1': 'ftp://x/'}}\n",
            "routes.webhooks.1: found what is not shown here, for it may be a secret; write an address that begins with http://",
        ),
        ("routes: {webhooks: {'1': 'http://x/%zz'}}\n", "routes.webhooks.1: found"),
        ("routes: {webhooks: {'1': 'http://x:port/'}}\n", "routes.webhooks.1: found"),
        ("routes: {receivers: {'2': ''}}\n", 'routes.receivers.2: found ""; write the name of a receiver'),
        ("routes: {receivers: {'2': 'null'}}\n", "not null"),
        (
            "evaluations:\n  groundedness: {}\n  'tone {{ x }}': {}\n",
            'truegreen.yaml:3: evaluations.tone {{ x }}: found "tone {{ x }}"; write a lower-case name',
        ),
        ('evaluations: {"tone\\n": {}}\n', "write a lower-case name"),
        (
            "slos:\n- {name: grounding, objective: .nan}\n",
            "truegreen.yaml:2: slos[0].objective: .nan is not a percentage; write 95%",
        ),
        (
            "slos:\n- {name: grounding, objective: nan}\n",
            "truegreen.yaml:2: slos[0].objective: nan is not a percentage; write 95%",
        ),
        ("slos:\n- {name: grounding, objective: 1e-99999999%}\n", "1e-99999999% is not a percentage; write 95%"),
        (
            (
                "evaluations: {confident_wording: {}}\nslos:\n"
                "- {name: m, layer: quality, failure_mode: drift, objective: 99%, sli: {evaluation: confident_wording}}\n"
            ),
            "truegreen.yaml:3: slos[0].sli: found confident_wording, which is shown and never judged",
        ),
        (
            (
                "evaluations: {tone: {evaluator: confident_wording}}\nslos:\n"
                "- {name: m, layer: quality, failure_mode: drift, objective: 99%, sli: {evaluation: tone}}\n"
            ),
            "truegreen.yaml:3: slos[0].sli: found tone, which is shown and never judged",
        ),
        (
            (
                "slos:\n- {name: m, layer: quality, failure_mode: drift, objective: 99%, "
                "sli: {metric: truegreen_answer_markers_total, label: marker, bad: [overconfident]}}\n"
            ),
            "truegreen.yaml:2: slos[0].sli: found overconfident, which is shown and never judged",
        ),
        (
            (
                "slos:\n- {name: m, layer: quality, failure_mode: drift, objective: 99%, "
                "sli: {metric: truegreen_evaluation_score, threshold: 0.5, where: {evaluation: confident_wording}}}\n"
            ),
            "truegreen.yaml:2: slos[0].sli: found confident_wording, which is shown and never judged",
        ),
        ("sampling: nan\n", "truegreen.yaml:1: sampling: nan is not a percentage; write 95%"),
        ("sampling: {groundedness: .inf}\n", "sampling.groundedness: .inf is not a percentage; write 95%"),
        ("calibration: !!int ''\n", "truegreen.yaml:1: calibration: not YAML: '' is no tag:yaml.org,2002:int"),
        ('calibration: "\\ud800"\n', "truegreen.yaml:1: calibration: half a character"),
        ('services: {"\\ud800": {}}\n', "truegreen.yaml:1: services: half a character"),
        ("services: {}\nslos:\n- &a {name: grounding}\n- *a\n", "truegreen.yaml:4: not YAML: found the alias *a; write out what"),
    ],
)
def test_an_error_says_file_line_key_found_and_what_to_write(content, message):
    """Each mistake that people make is answered in one line."""
    with pytest.raises(BadInput) as error:
        text(content)
    assert message in str(error.value)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("label", ["service", "environment", "slo", "layer", "failure_mode", "pillar", "burn_tier", "mode", "alertname",
                                   "evaluation", "reason"])  # fmt: skip
def test_the_second_severity_label_is_none_that_an_alert_already_has(label):
    """It would overwrite whom the alert speaks of, and routes and inhibitions would fail in silence."""
    with pytest.raises(BadInput, match=r"routes\.severity_label"):
        text(f"routes: {{severity_label: {label}}}\n")


def test_aliases_that_stand_for_billions_of_nodes_are_refused_at_the_first():
    """Nothing is built from them."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10))]
    with pytest.raises(BadInput, match=r"^truegreen\.yaml:2: not YAML: found the alias \*a0"):
        text("\n".join(lines))


@pytest.mark.parametrize("written", ["2020-01-01", "2020-13-41", "2020-01-01T00:00:00Z", "!!binary aGk=", ".nan", "-.inf"])
def test_settings_of_an_evaluator_hold_only_what_json_can_hold(written):
    """A date stays the text that was written: what is handed on must be JSON."""
    kept = text(f"evaluations: {{groundedness: {{since: {written}}}}}\n").evaluations["groundedness"]["since"]
    assert kept == written.rpartition(" ")[2]


def test_all_errors_of_a_file_come_at_once():
    """One run shows every mistake, in the order of the file."""
    with pytest.raises(BadInput) as error:
        text("servces: {}\nscrape_interval: 5\nslos:\n- {name: grounding, mode: on}\n")
    assert [line.split(":")[1] for line in str(error.value).splitlines()] == ["1", "2", "4"]


def test_what_the_schema_cannot_judge_comes_at_once_too():
    """Percentages, objectives, names and missing keys, in the order of the file."""
    with pytest.raises(BadInput) as error:
        text(
            "sampling: 0.5\nslos:\n- {name: grounding, objective: 0.95, objectives: {bot: 100%}}\n- name: mine\n- name: latency\n- name: latency\n"
            "services:\n  bot: {sampling: high}\n"
        )
    lines = str(error.value).splitlines()
    assert [line.split(":")[1] for line in lines] == ["1", "3", "3", "4", "6", "8"]
    assert "slos[0].objectives.bot: 100% leaves no error budget" in lines[2]
    assert "latency is there twice, the first is at truegreen.yaml:5: slos[2].name" in lines[4]


def test_objectives_are_exact_decimals():
    """95, 95% and 95.0 % are the same; floats never come near a budget."""
    for written in ("95", "95%", "'95.0 %'"):
        slo = text(f"slos:\n- {{name: grounding, objective: {written}, objectives: {{bot: 99.9%}}}}\n").slos[0]
        assert slo.objective == Decimal("0.95")
        assert slo.objectives["bot"] == Decimal("0.999")


def test_an_unreadable_file_is_named(tmp_path):
    """A missing file and a file that is not text are both one line."""
    with pytest.raises(BadInput, match="cannot be read"):
        load(tmp_path / "absent.yaml", {})
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match="not UTF-8"):
        load(binary, {})


def test_relative_calibration_folders_lie_beside_the_file(tmp_path):
    """A configuration can be used from any working directory."""
    file = tmp_path / "truegreen.yaml"
    file.write_text("calibration: frozen\n")
    assert load(file, {}).calibration_folder() == Path(tmp_path / "frozen")


@settings(max_examples=150, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda c: (
            st.lists(c, max_size=3)
            | st.dictionaries(st.sampled_from(["slos", "name", "sampling", "routes", "x", "services"]), c, max_size=4)
        ),
        max_leaves=12,
    )
)
def test_any_document_is_read_or_refused_in_words(document):
    """No YAML makes the loader fail in another way than BadInput."""
    try:
        text(yaml.safe_dump(document, allow_unicode=True))
    except BadInput as error:
        assert str(error).startswith("truegreen.yaml")


@settings(max_examples=150, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec="utf-8"), max_size=8),
        lambda c: st.lists(c, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=4), c, max_size=4),
        max_leaves=12,
    ),
    st.booleans(),
)
def test_both_scanners_read_the_same_data_and_lines(document, flow):
    """libyaml's is there for speed alone; which one reads must not be seen."""
    written = yaml.safe_dump(document, allow_unicode=True, default_flow_style=flow, width=30)
    with mock.patch.object(source, "_PAIR", re.compile("")):
        slow = source.parse(written, "x")
    fast = source.parse(written, "x")
    assert repr(fast.data) == repr(slow.data)
    assert fast.lines == slow.lines


def test_an_escaped_pair_is_the_character_that_json_means_by_it():
    """JSON is YAML here too."""
    assert text(json.dumps({"services": {"bot \U0001f600": {}}})).services.keys() == {"bot \U0001f600"}
