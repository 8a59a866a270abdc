"""The boards that are generated: what they say, how they follow the configuration, what is committed."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path

import pytest
import yaml

from truegreen.core.config import parse_text
from truegreen.core.words import boards as uids
from truegreen.core.words import catalogue, records
from truegreen.core.words.terms import FAILURE_MODES
from truegreen.dashboards import boards as package
from truegreen.dashboards import check, frame, promql
from truegreen.dashboards.model import View


@functools.cache
def _whole(text, time_scale):
    view = View(parse_text(text, "truegreen.yaml", {}, None))
    clock = frame.clock(view.config.scrape_interval_seconds, time_scale)
    return {f"{name}.json": frame.whole(board, clock) for name, board in package.every(view).items()}


@pytest.fixture
def make():
    """`make(text, time_scale)` is the boards of a configuration, looked at and not checked."""
    return lambda text="", time_scale=1: _whole(text, time_scale)


def _panel(board, title):
    return next(panel for panel in check.panels(board) if panel["title"] == title)


def _drawn(board):
    return [panel for panel in check.panels(board) if panel["type"] not in ("row", "text")]


def test_the_committed_files_are_what_the_generator_writes(plain, repo: Path):
    """A user who takes the JSON without running Python gets the same boards."""
    folder = repo / "dashboards" / "generated"
    found = {str(path.relative_to(folder)): path.read_text("utf-8") for path in folder.rglob("*") if path.is_file()}
    assert found == dict(plain.files), "run: truegreen generate dashboards --out dashboards/generated"


def test_the_generated_boards_break_no_rule(boards):
    """The profile schema and every other rule hold for what is shipped."""
    known = {board["uid"] for board in boards.values()}
    assert {name: check.problems(board, known) for name, board in boards.items()} == dict.fromkeys(boards, ())


def test_every_alert_that_names_a_shipped_board_finds_it(boards):
    """Uids are those of the shared words, so that `dashboard_url` of an alert opens something."""
    assert set(uids.ALL) == {board["uid"] for board in boards.values()}
    assert boards["overview.json"]["uid"] == uids.OVERVIEW
    assert boards["hallucination.json"]["uid"] == uids.BOARDS["hallucination"]


def test_every_panel_says_its_unit_why_it_is_there_and_what_no_data_reads(boards):
    """Absence must never read as 0 or green."""
    for board in boards.values():
        for panel in _drawn(board):
            defaults = panel["fieldConfig"]["defaults"]
            assert defaults["noValue"] == "no data"
            assert defaults.get("unit") or panel["options"]["yAxis"]["unit"]
            assert len(panel["description"]) >= 20


def test_the_overview_shows_the_three_layers_side_by_side(boards):
    """Each layer has its third of the grid, and they begin at one height."""
    board = boards["overview.json"]
    first = {0: "Calls too slow", 8: "Ungrounded answers, 1 h", 16: "Tasks not completed"}
    places = {x: _panel(board, title)["gridPos"] for x, title in first.items()}
    assert {x: at["x"] for x, at in places.items()} == {0: 0, 8: 8, 16: 16}
    assert len({at["y"] for at in places.values()}) == 1


@pytest.mark.parametrize("name", ["hallucination", "incident"])
def test_the_rows_follow_the_order_of_a_night_shift(boards, name):
    """Symptom first, evidence before the runbook."""
    rows = [panel["title"] for panel in boards[f"{name}.json"]["panels"] if panel["type"] == "row"]
    assert rows == ["Symptom", "Budget and burn", "Where", "What changed", "Distribution", "Evidence", "Runbook"]


def test_the_pages_of_cohorts_find_them_on_the_board_that_they_open(boards):
    """The whole may be within its budget while one cohort burns."""
    board = boards["incident.json"]
    assert all("cohort" in expr for expr in _asked(_panel(board, "Ungrounded by cohort")))
    content = _panel(board, "What to do")["options"]["content"]
    assert "/truegreenbudgetburn" in content
    assert "/truegreencohortburn" in content


def test_a_service_that_only_records_know_can_be_chosen(boards):
    """Its SLO reads a metric of its own, and its alert opens the board at its name."""
    for board in boards.values():
        asked = {each["name"]: json.dumps(each["query"]) for each in board["templating"]["list"] if each["type"] == "query"}
        assert all(f"truegreen_llm_requests_total|{records.events('6h')}" in asked[name] for name in ("service", "environment"))


def test_the_budgets_board_ends_with_evidence_and_runbook(boards):
    """As every board does."""
    rows = [panel["title"] for panel in boards["budgets.json"]["panels"] if panel["type"] == "row"]
    assert rows == ["Left", "Burn", "Business and shadow", "Evidence", "Runbook"]


def test_a_ratio_has_its_sample_size_beside_it(boards):
    """1 of 3 is not 33 %: whatever board, a number of events stands in the same line."""
    found = 0
    for board in boards.values():
        stats = [panel for panel in _drawn(board) if panel["type"] == "stat"]
        for panel in stats:
            if panel["fieldConfig"]["defaults"]["unit"] == "percentunit":
                line = [one for one in stats if one["gridPos"]["y"] == panel["gridPos"]["y"]]
                counts = [one for one in line if one["description"].startswith("The sample size")]
                assert counts, (board["uid"], panel["title"])
                found += 1
    assert found > 5


def test_a_ratio_of_judged_answers_says_on_which_scale(boards):
    """A relative scale shows change only."""
    for name, title in (("hallucination.json", "Judged answers, 15 min"), ("overview.json", "Judged answers, 1 h")):
        panel = _panel(boards[name], title)
        assert panel["targets"][0]["legendFormat"] == "judged {{scale}}"
        assert panel["options"]["textMode"] == "value_and_name"


def test_at_most_fourteen_panels_are_visible(boards):
    """The rest is behind a row that one opens when the first have spoken."""
    for name, board in boards.items():
        visible = [panel["title"] for panel in board["panels"] if panel["type"] not in ("row", "text")]
        assert len(visible) <= 14, (name, visible)


TOOLS = "slos: [{name: grounding}, {name: tool_success}]\n"


def test_failing_tools_are_no_ungrounded_answers(make):
    """Other SLOs share the failure mode: they have their own line, and colour nothing that bears the name of another."""
    boards = make(TOOLS)
    for name, part in (("hallucination.json", "15 min"), ("overview.json", "1 h")):
        for title in (
            f"Ungrounded, {part}",
            f"Ungrounded answers, {part}",
            f"Judged answers, {part}",
            "Ungrounded answers by service",
        ):
            for panel in _drawn(boards[name]):
                if panel["title"] == title:
                    assert all('slo=~"grounding"' in expr for expr in _asked(panel) if "truegreen:slo" in expr), title
    every = _panel(boards["hallucination.json"], "Every SLO of this failure mode")
    assert all("slo=" not in expr for expr in _asked(every))


def test_the_band_of_a_failure_mode_opens_the_board_of_that_mode(boards):
    """Whichever row is clicked: each mode has its board."""
    (link,) = _panel(boards["overview.json"], "State of each failure mode")["fieldConfig"]["defaults"]["links"]
    assert link["url"].startswith("/d/truegreen-${__field.labels.failure_mode}?")
    assert {f"truegreen-{mode}" for mode in FAILURE_MODES} <= {board["uid"] for board in boards.values()}


def test_every_legend_tells_its_lines_apart(boards):
    """Two environments of a service are two names."""
    for board in boards.values():
        for panel in _drawn(board):
            for target in panel["targets"]:
                grouped = re.match(r"(?:max|min|sum) by \(([^)]*)\) \(truegreen:", target["expr"])
                if grouped and panel["type"] != "table":
                    assert all(f"{{{{{label}}}}}" in target["legendFormat"] for label in grouped[1].split(", ")), panel["title"]


def test_every_catalogue_metric_is_on_some_board(boards):
    """What is measured and never shown is measured for nobody."""
    read = {name for board in boards.values() for _, expr in check.expressions(board) for name in promql.names(expr)}
    assert [metric.prometheus for metric in catalogue.ALL if not read & set(_parts(metric))] == []
    assert [each.prometheus for each in catalogue.EXTERNAL if each.prometheus not in read] == []


def _parts(metric):
    return (metric.bucket, metric.sum, metric.count) if metric.kind == "histogram" else (metric.prometheus,)


def test_thresholds_are_the_budget_of_the_configured_slo(make):
    """What the alert reads and what the board colours cannot differ."""
    text = "slos:\n  - name: grounding\n    objective: 98%\n"
    for config, budget in (("", 0.05), (text, 0.02)):
        steps = _panel(make(config)["hallucination.json"], "Ungrounded, 15 min")["fieldConfig"]["defaults"]["thresholds"]["steps"]
        assert steps == [{"color": "green", "value": None}, {"color": "red", "value": budget}]


def test_no_static_line_is_drawn_where_services_have_different_budgets(make):
    """One line would be wrong for one of them; the budget records are right for each."""
    text = "slos:\n  - name: grounding\n    objective: 95%\n    objectives: {checkout-bot: 99%}\n"
    board = make(text)["hallucination.json"]
    assert "thresholds" not in _panel(board, "Ungrounded, 15 min")["fieldConfig"]["defaults"]
    drawn = [target["expr"] for target in _panel(board, "Ungrounded answers by service")["targets"]]
    assert any(records.ERROR_BUDGET in expr for expr in drawn)


OWN = "slos: [{name: answers_ok, sli: {evaluation: groundedness}, objective: 90%, layer: quality, failure_mode: hallucination}]\n"


@pytest.mark.parametrize("name", ['a"b', "a.b", "a|b", "a\\\\b", "Ton süß"])
def test_an_evaluation_of_any_name_is_asked_for_by_that_name(make, name):
    """A name is no regular expression, and its quotes do not end the query."""
    text = "slos: [{name: tone, sli: {evaluation: %s}, objective: 90%%, layer: quality, failure_mode: hallucination}]\n"
    board = make(text % json.dumps(name))["hallucination.json"]
    (expr,) = _asked(_panel(board, "Scores"))
    (wanted,) = {value for label, _, value in promql.read(expr).selectors[0].matchers if label == "evaluation"}
    assert re.fullmatch(wanted, name)
    assert not re.fullmatch(wanted, name.replace(".", "x").replace("|", "") + "x")


@pytest.mark.parametrize("text", [OWN, "slos: [{name: grounding_absolute}]\n"])
def test_both_boards_show_whichever_slo_speaks_of_hallucination(make, text):
    """The link of its alert must not open an empty board."""
    read = [
        (panel["title"], expr)
        for panel in _drawn(make(text)["hallucination.json"])
        for expr in _asked(panel)
        if "truegreen:slo_" in expr
    ]
    assert len(read) >= 7
    overview = make(text)["overview.json"]
    for title in ("Ungrounded answers, 1 h", "Judged answers, 1 h", "Ungrounded answers by service"):
        read += [(title, expr) for expr in _asked(_panel(overview, title))]
    for title, expr in read:
        assert 'failure_mode="hallucination"' in expr, title
        assert not re.search(r'\bslo="', expr), title


def _asked(panel):
    return [target["expr"] for target in panel.get("targets", [])]


def test_thresholds_of_the_hallucination_board_are_those_of_the_slo_that_is_there(make):
    """One of one's own colours its own budget; two that differ colour none."""
    panel = _panel(make(OWN)["hallucination.json"], "Ungrounded, 15 min")
    assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"][1] == {"color": "red", "value": 0.1}
    two = OWN.replace("slos: [", "slos: [{name: grounding}, ")
    assert "thresholds" not in _panel(make(two)["hallucination.json"], "Ungrounded, 15 min")["fieldConfig"]["defaults"]


def test_latency_is_drawn_against_the_threshold_of_its_slo(boards):
    """The dashed line is the SLO's bound."""
    panel = _panel(boards["overview.json"], "Call duration")["fieldConfig"]["defaults"]
    assert panel["thresholds"]["steps"][1]["value"] == 10
    assert panel["custom"]["thresholdsStyle"]["mode"] == "dashed"


def test_a_link_to_another_board_keeps_the_time_and_every_variable(boards):
    """Who drills down must not choose the service anew."""
    board = boards["overview.json"]
    url = _panel(board, "Ungrounded answers, 1 h")["fieldConfig"]["defaults"]["links"][0]["url"]
    assert url.startswith("/d/truegreen-hallucination?${__url_time_range}&")
    assert set(re.findall(r"\$\{(\w+):queryparam\}", url)) == {variable["name"] for variable in board["templating"]["list"]}


def test_every_board_has_the_same_variables_and_lines(boards):
    """A link carries them all. The moment of a version is the value of its gauge, not the moment of a scrape."""
    for board in boards.values():
        assert [variable["name"] for variable in board["templating"]["list"]][:4] == [
            "datasource",
            "traces",
            "service",
            "environment",
        ]
        versions, announced, alerts = board["annotations"]["list"]
        for moments in (versions, announced):
            assert moments["useValueForTime"] is True
            assert moments["expr"].endswith("* 1000")
        assert "truegreen_provider_change_timestamp_seconds" in announced["expr"]
        assert 'alertstate="firing"' in alerts["expr"]
        assert 'sev=~"1|2|3"' in alerts["expr"], "the watchdog fires always: it would shade every graph from end to end"


@pytest.mark.parametrize(
    ("scale", "step", "refresh", "start"), [(1, "30s", "1m", "now-3h"), (10, "3s", "5s", "now-5m"), (60, "1s", "5s", "now-5m")]
)
def test_a_demonstrations_boards_keep_its_time(make, scale, step, refresh, start):
    """The step of the queries, the refresh and the range follow the time scale."""
    own = {uids.BUDGETS: "now-7d", uids.VERSIONS: "now-24h"} if scale == 1 else {}
    for board in make("", scale).values():
        assert (board["refresh"], board["time"]["from"]) == (refresh, own.get(board["uid"], start))
        steps = {target["interval"] for panel in _drawn(board) for target in panel["targets"]}
        assert min(steps, key=lambda text: int(text[:-1])) == step


def test_the_scrape_interval_of_the_configuration_is_the_step_of_the_queries(make, made):
    """It is stated once, and written to the boards and the data source."""
    text = "scrape_interval: 15s\n"
    steps = {target["interval"] for panel in _drawn(make(text)["overview.json"]) for target in panel["targets"]}
    assert steps == {"15s", "60s"}
    source = yaml.safe_load(made(text).files["provisioning/datasources/truegreen.yaml"])
    assert source["datasources"][0]["jsonData"]["timeInterval"] == "15s"


def test_a_failing_trace_opens_explore_or_the_configured_address(make):
    """Teams keep traces in different places."""
    text = "routes:\n  trace_url: https://langfuse.example/trace/{trace_id}\n"
    found = []
    for config in ("", text):
        board = make(config)["hallucination.json"]
        overrides = _panel(board, "Failing traces")["fieldConfig"]["overrides"]
        found.append(next(p["value"][0]["url"] for one in overrides for p in one["properties"] if p["id"] == "links"))
    assert found[0].startswith("/explore?")
    assert "${__value.raw}" in found[0]
    assert found[1] == "https://langfuse.example/trace/${__value.raw}"


def test_the_runbook_text_names_the_first_suspects_and_the_configured_page(make):
    """The board repeats the triage table; it has no words of its own."""
    content = _panel(make("routes: {runbook_url: 'https://runs.example'}\n")["hallucination.json"], "What to do")["options"][
        "content"
    ]
    assert "the provider serves another model behind the same name (them)" in content
    assert "truegreen contain pin-model" in content
    assert "https://runs.example/truegreenbudgetburn" in content


def test_a_file_in_the_package_is_a_board(made, monkeypatch, tmp_path):
    """Adding a board is adding one file."""
    (tmp_path / "traffic.py").write_text(
        "from truegreen.core.words import catalogue as c\n"
        "from truegreen.dashboards import expressions as e, kit\n"
        "from truegreen.dashboards.model import Board\n"
        "def board(view):\n"
        "    calls = kit.graph('Calls', ('{{service}}', e.rate(c.LLM_REQUESTS, ('service',))), unit='cpm', why='How much traffic there is.')\n"
        "    return Board('truegreen-traffic', 'Traffic', 'How much is asked, and of whom?', (kit.row('Traffic', calls),))\n",
        "utf-8",
    )
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    text = made().files["traffic.json"]
    assert json.loads(text)["uid"] == "truegreen-traffic"


def test_grafanas_own_models_lose_and_change_nothing(boards):
    """A second opinion: the Foundation SDK reads a board and writes it again."""
    sdk = pytest.importorskip(
        "grafana_foundation_sdk.models.dashboard", reason="grafana-foundation-sdk==0.0.21 is not installed: no second opinion"
    )
    encoder = pytest.importorskip("grafana_foundation_sdk.cog.encoder").JSONEncoder
    pytest.importorskip("grafana_foundation_sdk.cog.plugins").register_default_plugins()
    for board in boards.values():
        again = json.loads(json.dumps(sdk.Dashboard.from_json(board), cls=encoder))
        assert list(_lost(board, again)) == []


def _lost(ours, theirs, path=""):
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key, value in ours.items():
            yield from _lost(value, theirs[key], f"{path}.{key}") if key in theirs else [f"{path}.{key}"]
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for index, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from _lost(one, other, f"{path}[{index}]")
    elif ours != theirs:
        yield f"{path}: {ours!r} -> {theirs!r}"
