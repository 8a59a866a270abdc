"""An SLO that no metric can serve is refused, with file, line, key, what was found and what to write."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from truegreen.alert_rules.checks import check
from truegreen.alert_rules.generate import files
from truegreen.core.config.documentation import forms
from truegreen.core.errors import BadInput
from truegreen.core.generate import generate

OWN = "slos:\n  - name: mine\n    objective: 99%\n    layer: quality\n    failure_mode: latency\n    sli: {sli}\n"
WRONG = [
    ("{metric: truegreen_llm_duration_seconds, threshold: 7}", "sli.threshold", "7 is no bucket boundary", "0.1, 0.25"),
    (
        "{metric: truegreen_llm_time_seconds, threshold: 5}",
        "sli.metric",
        "no metric is named truegreen_llm_time_seconds",
        "docs/metrics.md",
    ),
    ("{metric: truegreen_llm_requests_total, threshold: 5}", "sli.metric", "is a counter", "a histogram"),
    ("{metric: truegreen_llm_requests_total, label: result, bad: [error]}", "sli.label", "has no label result", "outcome"),
    (
        "{metric: truegreen_llm_requests_total, label: outcome, bad: [failed]}",
        "sli.bad",
        "is never failed",
        "ok, error, throttled, timeout",
    ),
    (
        "{metric: truegreen_llm_requests_total, label: outcome, bad: [error], among: [ok]}",
        "sli.among",
        "error is bad but",
        "among with",
    ),
    (
        "{metric: truegreen_llm_requests, total: truegreen_agent_runs_total}",
        "sli.metric",
        "no metric is named",
        "truegreen_llm_requests_total",
    ),
    (
        "{metric: truegreen_collector_accepted_spans_total, total: truegreen_agent_runs_total}",
        "sli.metric",
        "of the collector itself",
        "service and",
    ),
    ("{metric: truegreen_drift_zscore, younger_than: 24h}", "sli.metric", "is not a timestamp", "_timestamp_seconds"),
    ("{evaluation: tone}", "sli.evaluation", "no evaluation is named tone", "groundedness"),
    ("{evaluation: groundedness, floor: 0.77}", "sli.floor", "0.77 is no bucket boundary", "0.85"),
    (
        "{metric: truegreen_llm_requests_total, total: truegreen_llm_requests_total}",
        "sli.total",
        "would be bad ones",
        "the counter of all",
    ),
    (
        "{metric: truegreen_llm_requests_total, label: outcome, bad: [ok, error, throttled, timeout]}",
        "sli.bad",
        "every value of outcome that counts is bad",
        "only the values that are bad",
    ),
    (
        "{metric: truegreen_llm_requests_total, label: outcome, bad: [error], among: [error]}",
        "sli.bad",
        "every value of outcome that counts is bad",
        "only the values that are bad",
    ),
    (
        "{metric: truegreen_llm_requests_total, label: outcome, bad: [error], where: {outcome: ok}}",
        "sli.where.outcome",
        "outcome tells good from bad",
        "among: [ok, …]",
    ),
    (
        "{metric: truegreen_llm_requests_total, label: outcome, bad: [error], where: {place: eu}}",
        "sli.where",
        "has no label place",
        "one of",
    ),
    (
        "{metric: truegreen_agent_loops_total, total: truegreen_agent_runs_total, where: {place: eu}}",
        "sli.where",
        "truegreen_agent_runs_total has no label place",
        "one of",
    ),
    (
        "{metric: truegreen_llm_requests_total, label: outcome, bad: [error], where: {service: shop}}",
        "sli.where",
        "service is what every rule is made by",
        "services: [shop] for the SLO",
    ),
    (
        "{metric: truegreen_llm_duration_seconds, threshold: 10, where: {environment: eu}}",
        "sli.where",
        "environment is what every rule is made by",
        "environments: [eu] for the SLO",
    ),
    (
        "{metric: truegreen_llm_requests_total, label: service, bad: [shop]}",
        "sli.label",
        "service is what every rule is made by",
        "services: [shop] for the SLO",
    ),
    ("{metric: truegreen_llm_requests_total, label: outcome, bad: ['']}", "sli.bad", "is never an empty text", "ok, error"),
    ("{metric: truegreen_llm_requests_total, at_most: 3}", "sli.metric", "is a counter", "a gauge"),
    (
        "{metric: truegreen_drift_zscore, at_least: 3, at_most: 3}",
        "sli.at_most",
        "nothing lies between 3 and 3",
        "at_least under",
    ),
    ("{metric: truegreen_drift_zscore, at_most: 3, where: {signal: pulse}}", "sli.where", "is never pulse", "style, embedding"),
]
JUDGE = "evaluations: {groundedness: {scale: calibrated}}\n"
TWINS = [
    ("{name: grounding, objective: 49.9%}", "objective: 50%", "slos[0].objective (grounding): 49.9% allows more bad events than good ones"),
    ("{name: grounding, objective: 99.991%}", "objective: 99.99%", "allows less than one bad event in 10000"),
    ("{name: grounding, objectives: {bot: 20%}}", "objectives: {bot: 80%}", "slos[0].objectives.bot (grounding): 20% allows more bad"),
    (
        "{name: grounding, services: [a], objectives: {bot: 80%}}",
        "services: [bot], objectives: {bot: 80%}",
        "slos[0].objectives.bot (grounding): bot is not among services; write a service that the SLO is for",
    ),
    (
        '{name: grounding, services: {match: "a.+"}, objectives: {bot: 80%}}',
        'services: {match: "b.+"}, objectives: {bot: 80%}',
        "bot is not among the pattern a.+",
    ),
    ("{name: grounding, services: [truegreen-canary]}", "services: [truegreen-canary, bot]", "truegreen's own probe"),
    ("{name: grounding, labels: {severity: x}}", "labels: {team: x}", "slos[0].labels.severity (grounding): it is the label of routes.severity_label"),
    ("{name: grounding, cohorts: true, sli: {evaluation: groundedness, floor: 0.85}}", "cohorts: true", "slos[0].cohorts (grounding): only verdicts"),
    ("{name: grounding_absolute, objective: baseline}", "objective: 95%", "slos[0].objective (grounding_absolute): a baseline counts what is under its own floor"),
    (
        "{name: groundedness, objective: 99%, layer: quality, failure_mode: latency, sli: {metric: truegreen_llm_requests_total, label: outcome, bad: [error]}}",
        "objective: 99%, layer: quality, failure_mode: latency, sli: {evaluation: groundedness}",
        "slos[0].name (groundedness): it is the name of an evaluation, whose baselines the SLO would take",
    ),
    ("{name: grounding_absolute, mode: live}", "mode: shadow", "nothing says that the scores of groundedness are calibrated: the SLO would be silent"),
]  # fmt: skip


@pytest.mark.parametrize("form", forms(), ids=lambda form: form["x-example"])
def test_every_form_of_an_sli_that_the_page_shows_is_taken(config, form):
    """The examples of docs/configuration.md."""
    check(config(OWN.replace("{sli}", form["x-example"])))


@pytest.mark.parametrize(("written", "right", "said"), TWINS)
def test_an_slo_that_could_never_alert_is_refused_and_its_twin_is_taken(config, written, right, said):
    """With its line and key; one word less and it is taken."""
    with pytest.raises(BadInput) as raised:
        check(config(f"slos:\n  - {written}"))
    (line,) = str(raised.value).splitlines()
    assert said in line
    assert "truegreen.yaml:2: slos[0]." in line
    assert "; write " in line
    name = written[1:].partition(",")[0]
    check(config(f"slos:\n  - {{{name}, {right}}}"))


def test_all_that_is_wrong_with_all_slos_is_said_at_once(config, calibrate, tmp_path):
    """In the order of the file, and then of the calibration files."""
    calibrate("bot", "production", "tone_of_voice", 0.03, 600)
    (tmp_path / "calibration" / "broken.json").write_text("{", "utf-8")
    slis = [sli for sli, *_ in WRONG[:3]]
    own = "".join(OWN.removeprefix("slos:\n").replace("mine", f"mine{at}").replace("{sli}", sli) for at, sli in enumerate(slis))
    with pytest.raises(BadInput) as raised:
        check(config(f"slos:\n{own}  - {{name: grounding, objective: 20%}}"))
    lines = str(raised.value).splitlines()
    assert [line.split(":")[1] for line in lines[:4]] == ["6", "11", "16", "17"]
    assert len(lines) == 6
    assert "broken.json:1: not JSON" in lines[5]
    assert "signal: found 'tone_of_voice', which is no evaluation and no SLO" in lines[4]


def test_a_level_on_a_relative_scale_is_refused_with_the_file_that_says_so(config, calibrate):
    """Its scores are quantiles of a baseline: 0.85 of them would call 85 of 100 healthy answers bad. For other services it is taken."""
    calibrate("bot", "production", "groundedness", 0.03, 600)
    for mode in ("live", "shadow"):
        with pytest.raises(
            BadInput,
            match=r"slos\[0\]\.sli\.floor .*bot in production are relative to a baseline .*bot__production__groundedness\.json",
        ):
            check(config(f"{JUDGE}slos: [{{name: grounding_absolute, mode: {mode}}}]"))
    check(config(f"{JUDGE}slos: [{{name: grounding_absolute, mode: live, services: [shop]}}]"))
    check(config("slos: [{name: grounding, mode: live}]"))


def test_a_baseline_of_something_else_is_refused_with_its_file(config, calibrate):
    """The ready-made SLO's name with another counter: its baseline would be that of the ready-made one's."""
    calibrate("bot", "production", "availability", 0.03, 600)
    other = "sli: {metric: truegreen_tool_calls_total, label: outcome, bad: [timeout]}"
    with pytest.raises(
        BadInput,
        match=r"slos\[0\]\.sli\.metric \(availability\): .* was taken of truegreen_llm_requests_total \(.*availability\.json\)",
    ):
        check(config(f"slos: [{{name: availability, {other}}}]"))
    check(config(f"slos: [{{name: availability, services: [shop], {other}}}]"))
    check(config("slos: [{name: availability}]"))


@pytest.mark.parametrize(("ratio", "answers", "said", "taken"), [(0.45, 600, "43.75% allows more bad events than good ones", 0.39), (0.0, 40_000, "99.9925% allows less than one bad event in 10000", 0.0001)])  # fmt: skip
def test_a_baseline_is_held_to_the_bounds_of_a_written_objective(config, calibrate, ratio, answers, said, taken):
    """A budget over half, or under one in ten thousand, that a file brings; an objective for the service takes its place."""
    calibrate("bot", "production", "groundedness", ratio, answers)
    with pytest.raises(BadInput) as raised:
        check(config("slos: [{name: grounding, objective: baseline}]"))
    assert f"slos[0].objective (grounding): as bot in production was frozen, {said}" in str(raised.value)
    assert "; write under objectives, for bot, at " in str(raised.value)
    check(config("slos: [{name: grounding, objective: baseline, objectives: {bot: 99%}}]"))
    calibrate("bot", "production", "groundedness", taken, answers)
    check(config("slos: [{name: grounding, objective: baseline}]"))


def test_a_floor_of_its_own_has_no_use_for_the_ratio_under_the_files_floor(config, calibrate, written, part):
    """Neither a budget nor drift is made of what was bad under another floor; how much answers repeat each other is still known."""
    calibrate("bot", "production", "groundedness", 0.3, 600, 2.5, scale="calibrated")
    folder = written(config("slos: [{name: grounding_absolute, mode: live, unit: session}]"))
    rules = (folder / "truegreen.rules.yml").read_text("utf-8")
    assert "truegreen:slo_baseline:bad_ratio" not in rules
    assert "alert: TruegreenDrift" not in rules
    its = r"truegreen:slo_(events:increase6h|error_budget:ratio|design_effect:ratio)"
    seen = part(folder, "truegreen.rules.edges.test.yml", its, r'slo_(baseline:bad|error_budget:|design_effect:).*"bot"')
    assert any("bad_ratio" in each for each in seen)
    assert any("design_effect" in each and "/ 2500 " in each for each in seen)


def test_a_baseline_that_no_slo_reads_is_said_and_taken(config, calibrate):
    """Its service is of no SLO; a ready-made one may be switched on later."""
    calibrate("bot", "production", "relevance", 0.03, 600)
    calibrate("bot", "production", "groundedness", 0.03, 600)
    said = files(config("slos: [{name: grounding, services: [shop]}]"), 1).statement
    assert [line for line in said if "is read by no SLO" in line] == [
        f"The baseline of {signal} of bot in production is read by no SLO of this file."
        for signal in ("groundedness", "relevance")
    ]


def test_cohorts_that_no_attribute_names_are_said(config):
    """The application may still name them in its code."""
    for text, said in (("", 1), ("cohorts: {attribute: app.plan}\n", 0)):
        lines = files(config(f"{text}slos: [{{name: grounding, cohorts: true}}]"), 1).statement
        found = [
            line for line in lines if "slos[0].cohorts: a cohort of grounding is judged where the application says it" in line
        ]
        assert len(found) == said


@pytest.mark.parametrize(("key", "value", "said"), [("taken", "yesterday", "taken: found 'yesterday', expected an ISO 8601 time"), ("bad_ratio", 2, "bad_ratio: found 2"), ("scale", "absolute", "scale: found 'absolute'")])  # fmt: skip
def test_a_calibration_with_a_wrong_value_is_refused_with_its_line(config, calibrate, tmp_path, key, value, said):
    """File, line, key, what was found."""
    calibrate("bot", "production", "groundedness", 0.03, 600)
    (path,) = (tmp_path / "calibration").iterdir()
    text = json.dumps({**json.loads(path.read_text("utf-8")), key: value}, indent=1)
    path.write_text(text, "utf-8")
    line = next(at for at, each in enumerate(text.splitlines(), 1) if f'"{key}"' in each)
    with pytest.raises(BadInput) as raised:
        check(config())
    assert f"{path}:{line}: {said}" in str(raised.value)


def test_nothing_is_written_unless_all_of_it_is_valid(tmp_path):
    """Two good SLOs and a bad one: exit 2, and the files of last time stay as they are."""
    out, path = tmp_path / "out", tmp_path / "truegreen.yaml"
    out.mkdir()
    (out / "truegreen.rules.yml").write_text("of last time", "utf-8")
    good = "  - name: grounding\n  - name: latency\n"
    path.write_text("slos:\n" + good + OWN.removeprefix("slos:\n").replace("{sli}", WRONG[0][0]), "utf-8")
    done = CliRunner().invoke(generate, ["rules", "--out", str(out), "--config", str(path)])
    assert isinstance(done.exception, BadInput)
    assert "truegreen.yaml:8: slos[2].sli.threshold" in str(done.exception)
    assert {each.name: each.read_text("utf-8") for each in out.iterdir()} == {"truegreen.rules.yml": "of last time"}


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("slos: [{name: grounding, labels: {__x: y}}]", 'labels.__x: found "__x"; write a lower-case label'),
        ("slos: [{name: grounding, labels: {alertname: y}}]", "labels.alertname"),
        ("slos: [{name: grounding, labels: {service: y}}]", "labels.service"),
        ("slos: [{name: grounding, severities: {ticket: 1}}]", "write 2 or 3"),
        ("slos: [{name: grounding, detectors: [mix, mix]}]", 'slos[0].detectors: found "mix" more than once; write each once'),
        (
            "routes: {mute: [{name: a, sev: [4], weekdays: [sunday]}]}",
            "routes.mute[0].sev[0]: found 4; write 2 or 3",
        ),
        *(
            (f"slos: [{{name: grounding, sli: {sli}}}]", f"slos[0].sli{said}")
            for sli, said in (
                ("{metric: x, treshold: 10}", ".treshold: unknown key; did you mean threshold?"),
                ("{metric: x, lable: y, bad: [z]}", ".lable: unknown key; did you mean label?"),
                ("{metric: x, threshold: '10'}", '.threshold: found "10"; write a value of type number'),
                ("{metric: x, label: y, bad: z}", '.bad: found "z"; write a value of type array'),
                ("{metric: x, label: y}", ": bad is missing; add it"),
                ("{metric: x, younger_than: 1w}", '.younger_than: found "1w"; write a whole number and a unit'),
                ("{evaluation: groundedness, floor: 85}", ".floor: found 85; write baseline, or a number over 0 and under 1"),
                ("{evaluation: groundedness, metric: x, at_most: 4}", ".evaluation: unknown key; known are metric, at_least"),
                ("{metric: x}", ': found {"metric": "x"}; write {evaluation: groundedness}, {metric'),
                ("{}", ": found {}; write {evaluation: groundedness}, {metric"),
            )
        ),
        ("slos: [{name: grounding, services: {mach: a}}]", "slos[0].services.mach: unknown key; did you mean match?"),
        ("slos: [{name: grounding, window: 14d}]", "write"),
        ("cohorts: {attribute: plan, values: ['a\"b']}", "write a name without quotes, backslashes and line breaks"),
        ("cohorts: {attribute: plan, boost: ['a\\b']}", "write a name without quotes, backslashes and line breaks"),
        (
            'slos: [{name: grounding, services: {match: "a(?=b)"}}]',
            "slos[0].services.match: found \"a(?=b)\": '(' at character 2 is not taken",
        ),
        ("slos: [{name: m, objective: 99%, layer: quality, failure_mode: drift, sli: {metric: x}}]", "slos[0].sli"),
    ],
)
def test_what_the_file_may_not_say_is_refused_with_what_to_write(config, written, said):
    """In one line each."""
    with pytest.raises(BadInput) as raised:
        config(written)
    assert said in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize(("sli", "key", "found", "instead"), WRONG)
def test_an_sli_that_matches_nothing_is_refused(config, sli, key, found, instead):
    """A rule on it would be silent for ever."""
    with pytest.raises(BadInput) as raised:
        check(config(OWN.replace("{sli}", sli)))
    message = str(raised.value)
    assert f"truegreen.yaml:6: slos[0].{key} (mine): " in message
    assert found in message
    assert instead in message.split("; write ")[1]


def test_a_calibration_that_was_edited_is_refused(config, calibrate, tmp_path):
    """Its digest no longer fits."""
    calibrate("bot", "production", "groundedness", 0.03, 600)
    (path,) = (tmp_path / "calibration").iterdir()
    path.write_text(path.read_text("utf-8").replace('"answers": 600', '"answers": 6000'), "utf-8")
    with pytest.raises(BadInput, match="digest"):
        files(config(), 1)


def test_two_calibrations_of_one_signal_are_refused(config, calibrate, tmp_path):
    """Which one is expected could not be said."""
    calibrate("bot", "production", "groundedness", 0.03, 600)
    (path,) = (tmp_path / "calibration").iterdir()
    (path.parent / "copy.json").write_text(path.read_text("utf-8"), "utf-8")
    with pytest.raises(BadInput, match="remove one"):
        files(config(), 1)
