"""Who is evaluated: a fixed salted rate by service and evaluation, and a boost that adds without touching the base sample."""

from __future__ import annotations

import json
import random
from importlib.metadata import entry_points

import pytest

from truegreen.containment import flags
from truegreen.containment.document import document
from truegreen.containment.model import EVALUATION_BOOST
from truegreen.core.config import parse_text
from truegreen.core.errors import BadInput
from truegreen.core.words.sampling import proposed
from truegreen.core.words.shapes import Result
from truegreen.instrumentation import answer, boost, evaluate, failures, generate, traffic
from truegreen.instrumentation.background import background
from truegreen.instrumentation.boost import Boost
from truegreen.instrumentation.rates import percentage
from truegreen.instrumentation.sampling import chosen, sampled
from truegreen.instrumentation.settings import Settings, load
from truegreen.instrumentation.testing import captured

_random = random.Random(7)
TRACES = [_random.getrandbits(128) for _ in range(20_000)]
SAMPLED = "truegreen.evaluation.groundedness.sampled"


@pytest.fixture
def judged(monkeypatch):
    """An evaluator that always passes."""
    monkeypatch.setattr(
        evaluate, "find", lambda name: lambda s, c: lambda sample: Result(name, "j", 0.9, 0.9, "pass", "calibrated")
    )


def _ask(seen, **attributes):
    with seen.provider.get_tracer("app").start_as_current_span(
        "chat", attributes={"gen_ai.operation.name": "chat", **attributes}
    ):
        answer(query="q", answer="a")
    return seen.spans[-1]


@pytest.mark.parametrize("rate", [0.0, 0.05, 0.5, 1.0])
@pytest.mark.parametrize("share", [0.0, 0.2, 1.0])
def test_the_base_sample_is_the_same_with_and_without_a_boost(rate, share):
    """Membership, not only the number: what an SLO counts does not know of the boost."""
    plain = [sampled(trace, "judge", rate, boost=0.0) for trace in TRACES]
    boosted = [sampled(trace, "judge", rate, boost=share) for trace in TRACES]
    assert [one == "base" for one in plain] == [one == "base" for one in boosted]
    assert set(plain) <= {"base", "none"}
    evaluated = sum(one != "none" for one in boosted) / len(TRACES)
    assert evaluated == pytest.approx(max(rate, share), abs=0.015)  # four standard errors


def test_behind_a_head_sampler_that_looks_at_the_same_bits_the_rate_holds():
    """TraceIdRatioBased keeps low trace ids; the salted hash takes its share of what is kept."""
    kept = [trace for trace in TRACES if trace & (1 << 64) - 1 < 0.1 * (1 << 64)]
    share = sum(chosen(trace, "judge", 0.05) for trace in kept) / len(kept)
    assert share == pytest.approx(0.05, abs=0.02)


def test_two_evaluations_draw_apart():
    """One salt each: 5 % of both is 0.25 % in common, not 5 %."""
    both = sum(chosen(trace, "a", 0.05) and chosen(trace, "b", 0.05) for trace in TRACES) / len(TRACES)
    assert both < 0.006


def test_a_cohort_that_is_boosted_is_evaluated_in_full_and_marked(judged):
    """Others are as ever."""
    settings = Settings(rate=0.05, boosted=frozenset({"vip"}))
    with captured(settings) as seen:
        with traffic(cohort="vip"):
            vip = [_ask(seen) for _ in range(200)]
        with traffic(cohort="free"):
            free = [_ask(seen) for _ in range(200)]
    for spans, beyond in ((vip, "boost"), (free, None)):
        for span in spans:
            base = chosen(span.context.trace_id, "groundedness", 0.05)
            assert span.attributes.get(SAMPLED) == ("base" if base else beyond)


def test_a_service_has_its_own_rate(judged):
    """The service is that of the span."""
    settings = Settings(rate=0.0, services={"busy": {"groundedness": 1.0}})
    with captured(settings, resource={"service.name": "busy"}) as seen:
        assert _ask(seen).attributes[SAMPLED] == "base"
    with captured(settings, resource={"service.name": "other"}) as seen:
        assert SAMPLED not in _ask(seen).attributes


# --- the flag of an incident ---


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_a_flag_boosts_while_it_is_set_and_is_looked_up_once_a_second_in_the_background():
    """The caller never waits for a flag: it gets what was known."""
    clock, looks, value = Clock(), [], ["20%"]
    made = Boost(lambda flag: looks.append(flag) or value[0], clock)
    assert made.share() == 0.0
    background.stop()
    assert [made.share() for _ in range(100)] == [0.2] * 100
    assert looks == ["evaluation_boost"]
    value[0], clock.now = "", boost.SECONDS
    made.share()
    background.stop()
    assert made.share() == 0.0
    assert len(looks) == 2


@pytest.mark.parametrize("value", ["yes", "0.2", "200%", object()])
def test_a_broken_flag_boosts_nothing_and_is_counted(value, caplog):
    """Also when it worked before."""
    clock, values = Clock(), ["100%", value]
    made = Boost(lambda flag: values.pop(0), clock)
    made.share()
    background.stop()
    assert made.share() == 1.0
    clock.now = 5.0
    made.share()
    background.stop()
    assert made.share() == 0.0
    assert failures.counted() == {"boost": 1}


def test_a_reader_that_raises_boosts_nothing_and_is_counted():
    """It is another plugin's code."""

    def read(flag):
        raise OSError("ZEBRA")

    made = Boost(read, Clock())
    made.share()
    background.stop()
    assert (made.share(), failures.counted()) == (0.0, {"boost": 1})


def test_an_application_without_flags_starts_no_thread(monkeypatch):
    """Neither a flag file nor OpenFeature: there is nothing to ask."""
    monkeypatch.setattr(boost.sys, "modules", {})
    assert Boost().share() == 0.0
    assert background._thread is None


def test_the_flag_file_of_an_incident_boosts_the_answers_of_a_running_application(judged, monkeypatch, tmp_path):
    """The real flagd provider, found by entry point, and the flag's name as containment has it."""
    assert EVALUATION_BOOST == boost.FLAG
    assert [one.value for one in entry_points(group=boost.GROUP)] == ["truegreen.containment.flags:string"]
    path, clock = tmp_path / "flags.json", Clock()
    path.write_text(json.dumps(document({EVALUATION_BOOST: "100%"})))
    monkeypatch.setenv(flags.VARIABLE, str(path))
    monkeypatch.setattr(Boost.__init__, "__defaults__", (None, clock))
    try:
        with captured(Settings(rate=0.0)) as seen:
            assert SAMPLED not in _ask(seen).attributes
            background.stop()
            span = _ask(seen)
    finally:
        flags.close()
    assert (span.attributes[SAMPLED], span.attributes["truegreen.evaluation.sampled"]) == ("boost", "boost")
    assert failures.counted() == {}


# --- what is written in truegreen.yaml ---


@pytest.mark.parametrize(
    ("volume", "rate"), [(500, 1.0), (2_000, 1.0), (4_000, 0.5), (20_000, 0.1), (40_000, 0.05), (1_000_000, 0.05)]
)
def test_a_volume_gives_about_2000_evaluated_answers_an_hour(volume, rate):
    """Between 5 and 100 %."""
    assert proposed(volume) == rate


YAML = """
services:
  busy: {answers_per_hour: 40000}
  quiet: {answers_per_hour: 300}
  told: {answers_per_hour: 40000, sampling: 30%}
  plain: {}
evaluations:
  groundedness: {}
  judge: {background: true}
"""


def _everywhere(tmp_path, text):
    """The configuration, and the settings in an application that reads the JSON made from it or the YAML itself."""
    config = parse_text(text, "truegreen.yaml", {}, None)
    made = generate.files(config, 1)
    (tmp_path / "truegreen.json").write_text(made.files[generate.FILE])
    (tmp_path / "truegreen.yaml").write_text(text)
    settings = [load({"TRUEGREEN_CONFIG": str(tmp_path / name)}) for name in ("truegreen.json", "truegreen.yaml")]
    assert [one.problems for one in settings] == [(), ()]
    return config, made, settings


def test_rates_follow_from_volume_and_kind_alike_in_rules_json_and_yaml(tmp_path):
    """What is written wins over what follows; a judge is 5 % where nothing is written."""
    config, made, settings = _everywhere(tmp_path, YAML)
    for one in settings:
        assert [one.rate_of("groundedness", s) for s in ("busy", "quiet", "told", "plain", "unnamed")] == [
            0.05,
            1.0,
            0.3,
            1.0,
            1.0,
        ]
        assert [one.rate_of("judge", s) for s in ("busy", "quiet", "told", "plain", "unnamed")] == [0.05, 0.05, 0.3, 0.05, 0.05]
    assert (config.sampling, config.least_share("groundedness")) == ({"groundedness": 1.0, "judge": 0.05}, 0.05)
    said = "\n".join(made.statement)
    assert "busy: 5% of 40,000 answers an hour are 2,000 evaluated by groundedness" in said
    assert "told: 30% of 40,000 answers an hour are 12,000 evaluated by groundedness; 5% would be the 2,000" in said
    for service, numbers in {
        "quiet": "5% of 300 answers an hour are 15",
        "told": "30% of 40,000 answers an hour are 12,000",
    }.items():
        (line,) = [line for line in made.statement if line.startswith(f"{service}: ") and " by judge" in line]
        assert line == (
            f"{service}: {numbers} evaluated by judge in the background: a judge costs money and time, "
            f"so its share is 5% where neither sampling nor services.{service}.sampling says another"
        )


def test_a_rate_for_all_wins_over_a_volume_and_that_of_a_service_over_it(tmp_path):
    """In the file; the variable wins over everything in the process that has it."""
    text = "sampling: 50%\nservices: {a: {answers_per_hour: 40000}, b: {sampling: {groundedness: 20%}}}\ncohorts: {attribute: x, boost: [vip]}\n"
    _, _, settings = _everywhere(tmp_path, text)
    for one in settings:
        assert [one.rate_of("groundedness", s) for s in ("a", "b", "c")] == [0.5, 0.2, 0.5]
        assert one.boosted == {"vip"}
    told = load({"TRUEGREEN_CONFIG": str(tmp_path / "truegreen.yaml"), "TRUEGREEN_SAMPLING": "7%"})
    assert [told.rate_of("groundedness", s) for s in ("a", "b", "c")] == [0.07] * 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("services: {a: {answers_per_hour: 0}}", "truegreen.yaml:1: services.a.answers_per_hour: found 0"),
        ("services: {a: {sampling: 0.05}}", "truegreen.yaml:1: services.a.sampling: 0.05 is not a percentage; write 5%"),
        ("evaluations: {judge: {forward: [slack]}}", 'truegreen.yaml:1: evaluations.judge.forward[0]: found "slack"'),
        ("evaluations: {judge: {background: 1}}", "truegreen.yaml:1: evaluations.judge.background: found 1"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_file_is_said_with_its_line(text, said):
    """By every command."""
    with pytest.raises(BadInput) as error:
        parse_text(text, "truegreen.yaml", {}, None)
    assert str(error.value).startswith(said)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"services": []}, "services: found list"),
        ({"services": {"a": {"answers_per_hour": "many"}}}, "services.a.answers_per_hour: found 'many'"),
        ({"services": {"a": {"sampling": 5}}}, "services.a.sampling.: found 5"),
        ({"cohorts": {"boost": "vip"}}, "cohorts.boost: found 'vip'"),
        ({"evaluations": {"j": {"background": "yes"}}}, "evaluations.j.background: found 'yes'"),
        ({"evaluations": {"j": {"forward": "langfuse"}}}, "evaluations.j.forward: found 'langfuse'"),
    ],
)
def test_what_is_wrong_inside_an_application_is_a_problem_and_the_default_is_used(tmp_path, data, said):
    """It never raises."""
    path = tmp_path / "truegreen.json"
    path.write_text(json.dumps({"version": 1, **data}))
    settings = load({"TRUEGREEN_CONFIG": str(path)})
    assert len(settings.problems) == 1
    assert settings.problems[0].startswith(said)
    assert settings.rate_of("groundedness", "a") == 1.0


def test_percentages_are_never_guessed():
    """0.05 may be 5 % or a twentieth of a percent."""
    assert [percentage(v) for v in ("5%", "5", 5, "0.5%", "0", 0.05, "x", True, "101%")] == [
        0.05,
        0.05,
        0.05,
        0.005,
        0.0,
        None,
        None,
        None,
        None,
    ]
