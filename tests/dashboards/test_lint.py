"""`truegreen dashboard lint`: where a board of somebody's cannot work, and what to write instead."""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from truegreen.core.cli import main
from truegreen.dashboards import lint
from truegreen.dashboards.lint_board import World

sys.path.insert(0, str(Path(__file__).parent.parent / "core"))
from local_server import Reply, local  # noqa: E402

WHO = 'service=~"$service"'
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
GOOD = {
    "uid": "mine",
    "title": "Mine",
    "editable": False,
    "schemaVersion": 39,
    "panels": [
        {"id": 1, "type": "row", "title": "Where", "collapsed": False, "gridPos": {"x": 0, "y": 0, "w": 24, "h": 1}, "panels": []},
        {
            "id": 7, "type": "timeseries", "title": "Calls", "description": "How much is asked.", "gridPos": {"x": 0, "y": 1, "w": 12, "h": 8},
            "datasource": SOURCE,
            "fieldConfig": {"defaults": {"unit": "reqps", "thresholds": {"steps": [{"color": "green", "value": None}, {"color": "red", "value": 80}]}}},
            "targets": [{"refId": "A", "datasource": SOURCE, "expr": f"sum by (model) (rate(truegreen_llm_requests_total{{{WHO}}}[$__rate_interval]))"}],
        },
        {"id": 8, "type": "text", "title": "", "gridPos": {"x": 12, "y": 1, "w": 12, "h": 8}, "options": {"content": "It costs `$5` for ${service}."}},
    ],
    "annotations": {"list": [{"name": "Alerts", "datasource": {"type": "grafana", "uid": "-- Grafana --"}}]},
    "templating": {
        "list": [
            {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Data source"},
            {"name": "service", "type": "query", "datasource": SOURCE, "refresh": 2,
             "query": {"query": "label_values(truegreen_llm_requests_total, service)", "refId": "A"}},
        ]
    },
}  # fmt: skip


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """`run(board or text, *arguments)` is the exit code and what was said."""
    monkeypatch.chdir(tmp_path)

    def lint_it(board, *arguments, indent=1):
        Path("mine.json").write_text(board if isinstance(board, str) else json.dumps(board, indent=indent), "utf-8")
        with pytest.raises(SystemExit) as end:
            main(["dashboard", "lint", "mine.json", *arguments])
        out, err = capsys.readouterr()
        return end.value.code, out + err

    return lint_it


def _graph(**changes):
    return lambda board: board["panels"][1].update(changes)


def _expr(text):
    return lambda board: board["panels"][1]["targets"][0].update(expr=text)


def _defaults(**changes):
    return lambda board: board["panels"][1]["fieldConfig"]["defaults"].update(changes)


def _variable(index, **changes):
    return lambda board: board["templating"]["list"][index].update(changes)


def _twice(board):
    board["panels"][2]["id"] = 7


MISTAKES = {
    "an unknown metric": ("metrics", _expr(f"sum(rate(truegreen_llm_request_total{{{WHO}}}[$__rate_interval]))"), "write truegreen_llm_requests_total"),
    "a counter without rate": ("counters", _expr(f"sum(truegreen_llm_requests_total{{{WHO}}})"), "rate(truegreen_llm_requests_total[$__rate_interval])"),
    "a foreign counter without rate": ("counters", _expr("sum(shop_orders_total)"), "shop_orders_total is a counter"),
    "a gauge under rate": ("counters", _expr(f"rate(truegreen_affected_users{{{WHO}}}[$__rate_interval])"), "is a gauge: rate is for counters"),
    "a rate of a sum": ("counters", _expr(f"rate(sum(truegreen_llm_requests_total{{{WHO}}})[$__rate_interval:])"), "write sum(rate(truegreen_llm_requests_total[$__rate_interval]))"),
    "a rate of a sum over a fixed range": ("rate-interval", _expr(f"rate(sum(truegreen_llm_requests_total{{{WHO}}})[5m:])"), "write [$__rate_interval]"),
    "a quantile without buckets": ("quantiles", _expr("histogram_quantile(0.9, sum by (service) (rate(truegreen_llm_duration_seconds_bucket{" + WHO + "}[$__rate_interval])))"), "write sum by (le, service)"),
    "a quantile in per cent": ("quantiles", _expr("histogram_quantile(95, sum by (le) (rate(truegreen_llm_duration_seconds_bucket{" + WHO + "}[$__rate_interval])))"), "always infinite; write 0.95"),
    "a pattern of names that fits none": ("metrics", _expr(f'{{__name__=~"truegreen_llm_request_.*",{WHO}}}'), "no name that is known fits"),
    "an input of an export for sharing": ("datasource", lambda b: (b.update(__inputs=[{"name": "DS_PROMETHEUS"}]), _graph(datasource={"type": "prometheus", "uid": "${DS_PROMETHEUS}"})(b)), "is an input of an export for sharing"),
    "an untouched query": ("targets", _expr(""), "asks nothing"),
    "an alert of ours of every service": ("narrowed", _expr('ALERTS{alertname="TruegreenBudgetBurn"}'), 'write service=~"$service"'),
    "a missing unit": ("unit", _defaults(unit=""), '"unit": "reqps"'),
    "a missing unit of a time": ("unit", lambda b: (_defaults(unit="")(b), _expr("histogram_quantile(0.9, sum by (le) (rate(truegreen_llm_duration_seconds_bucket{" + WHO + "}[$__rate_interval])))")(b)), '"unit": "s"'),
    "a missing unit of a share": ("unit", lambda b: (_defaults(unit="")(b), _expr("sum(rate(a_total[$__rate_interval])) / sum(rate(b_total[$__rate_interval]))")(b)), '"unit": "percentunit"'),
    "a missing unit of a mean": ("unit", lambda b: (_defaults(unit="")(b), _expr("sum(rate(a_seconds_sum[$__rate_interval])) / sum(rate(a_seconds_count[$__rate_interval]))")(b)), '"unit": "s"'),
    "a missing unit of what is scaled": ("unit", lambda b: (_defaults(unit="")(b), _expr("queue_bytes / 1024")(b)), '"unit": "bytes"'),
    "a fixed range": ("rate-interval", _expr(f"sum(rate(truegreen_llm_requests_total{{{WHO}}}[5m]))"), "write [$__rate_interval]"),
    "an unknown label": ("labels", _expr(f'sum(rate(truegreen_llm_requests_total{{{WHO},modle="x"}}[$__rate_interval]))'), "write model"),
    "a value that never occurs": ("labels", _expr(f'sum(rate(truegreen_llm_requests_total{{{WHO},outcome="bad"}}[$__rate_interval]))'), "one of ok"),
    "an unknown grouping": ("labels", _expr(f"sum by (modle) (rate(truegreen_llm_requests_total{{{WHO}}}[$__rate_interval]))"), "no series below has the label modle"),
    "every service at once": ("narrowed", _expr("sum(rate(truegreen_llm_requests_total[$__rate_interval]))"), 'write service=~"$service"'),
    "no PromQL": ("promql", _expr(f"sum(rate(truegreen_llm_requests_total{{{WHO}}}[$__rate_interval])"), "not PromQL"),
    "a fixed data source": ("datasource", _graph(datasource={"type": "prometheus", "uid": "P1"}, targets=[]), "fixed to 'P1'; write ${datasource}"),
    "no query": ("targets", _graph(targets=[]), "asks nothing"),
    "no reason": ("title-description", _graph(description=""), "has no description"),
    "no title": ("title-description", _graph(title=""), "has no title"),
    "a base of text": ("thresholds", _defaults(thresholds={"steps": [{"value": "null"}, {"value": 1}]}), "write null"),
    "falling thresholds": ("thresholds", _defaults(thresholds={"steps": [{"value": None}, {"value": 2}, {"value": 1}]}), "do not rise"),
    "an id twice": ("ids", _twice, "id 7 is used 2 times"),
    "panels that overlap": ("places", lambda b: b["panels"][2]["gridPos"].update(x=6), 'lies over panel 7 "Calls" (row "Where")'),
    "a panel past the edge": ("places", lambda b: b["panels"][2]["gridPos"].update(w=20), "ends in column 32"),
    "no variable for the source": ("datasource-variable", _variable(0, label="DS"), '"label": "Data source"'),
    "an unknown variable": ("variables", _graph(title="Calls of $cluster"), "variable cluster is used and not defined"),
    "a variable for nothing": ("variables", lambda b: b["templating"]["list"].append({"name": "idle", "type": "custom"}), "idle is defined and not used"),
    "a variable renewed on load": ("variable-query", _variable(1, refresh=1), "write 2"),
    "a variable of no label": ("labels", _variable(1, query="label_values(truegreen_llm_requests_total, sevice)"), "has the label sevice"),
    "a link to none of our boards": ("links", _defaults(links=[{"url": "/d/truegreen-halucination?x"}]), "/d/truegreen-halucination, which is no board"),
}  # fmt: skip


def test_a_good_board_has_nothing_against_it(run):
    """The rules do not forbid what works."""
    assert run(GOOD) == (0, "1 file: 0 errors, 0 warnings\n")


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_said_with_its_place_and_what_to_write(run, mistake):
    """Exit 1, the rule by its name, and the line of the file; with the rule skipped, nothing."""
    rule, plant, says = MISTAKES[mistake]
    board = copy.deepcopy(GOOD)
    plant(board)
    code, said = run(board)
    told = [line for line in said.splitlines() if line.endswith(f"({rule})")]
    assert code == 1, said
    assert any(says in line for line in told), said
    line = int(told[0].split(":")[1])
    assert Path("mine.json").read_text("utf-8").splitlines()[line - 1].strip()
    assert f"({rule})" not in run(board, "--skip", rule)[1]


SOUND = {
    "math of Grafana's server": lambda b: b["panels"][1]["targets"].append({"refId": "B", "datasource": {"type": "__expr__"}, "expression": "$A * 2"}),
    "a range of numbers": lambda b: _variable(1, query="query_result(max_over_time(up[${__range_s}s]))")(b),
    "a step in milliseconds": _expr("max_over_time(up[${__interval_ms}ms])"),
    "a range whose unit stands outside": lambda b: (b["templating"]["list"].append({"name": "n", "type": "custom"}), _expr("max_over_time(up[${n}m] offset ${n}m)")(b)),
    "a name that a variable makes": lambda b: (b["templating"]["list"].append({"name": "what", "type": "custom"}), _expr("truegreen_${what}_total + ${what}_total + {__name__='truegreen_${what}_total'}")(b)),
    "an alert of somebody else": _expr('count by (namespace) (ALERTS{alertname="NodeDown",namespace="x"})'),
    "dollars": lambda b: b["panels"][2]["options"].update(content="Costs in $USD"),
    "a canvas": lambda b: b["panels"].append({"id": 9, "type": "canvas", "title": "Plan", "description": "Where it stands.", "gridPos": {"x": 0, "y": 20, "w": 6, "h": 4}}),
    "an untouched query beside another": lambda b: b["panels"][1]["targets"].append({"refId": "B", "datasource": SOURCE, "expr": ""}),
    "the growth of a rate": _expr(f"max_over_time(sum(rate(truegreen_llm_requests_total{{{WHO}}}[$__rate_interval]))[1h:])"),
    "a quantile of a native histogram": _expr("histogram_quantile(0.9, sum by (job) (rate(shop_seconds[$__rate_interval])))"),
    "a quantile by what a variable says": lambda b: (b["templating"]["list"].append({"name": "by", "type": "custom"}), _expr("histogram_quantile(0.9, sum by ($by) (rate(shop_seconds_bucket[$__rate_interval])))")(b)),
}  # fmt: skip


@pytest.mark.parametrize("what", SOUND)
def test_what_works_in_grafana_is_no_mistake(what):
    """However unusual: no error, and no name that nobody wrote."""
    board = copy.deepcopy(GOOD)
    SOUND[what](board)
    found = list(lint.findings(lint.parsed(json.dumps(board), "mine.json"), World()))
    assert [each for each in found if each.level == "error" or "a_variable" in each.says] == []


def test_a_name_that_is_not_known_is_one_mistake(run):
    """And is not advised by another rule."""
    board = copy.deepcopy(GOOD)
    _expr(f"sum(truegreen_llm_request_total{{{WHO}}})")(board)
    assert "1 file: 1 error, 0 warnings" in run(board)[1]


def test_a_folder_is_all_of_its_boards(run, tmp_path):
    """Its JSON files, in the order of their names."""
    (tmp_path / "more").mkdir()
    assert run(GOOD, "more")[0] == 0
    assert run(GOOD, ".")[1] == "2 files: 0 errors, 0 warnings\n"
    (tmp_path / "more" / "b.json").write_text("[]", "utf-8")
    assert run(GOOD, "more")[0] == 2


def test_the_line_is_that_of_the_key(run):
    """Whatever the indentation, tabs included."""
    board = copy.deepcopy(GOOD)
    _expr("sum(rate(truegreen_llm_request_total[$__rate_interval]))")(board)
    for indent in (1, 4, "\t"):
        _, said = run(board, indent=indent)
        line = next(int(text.split(":")[1]) for text in said.splitlines() if "(metrics)" in text)
        assert "truegreen_llm_request_total" in Path("mine.json").read_text("utf-8").splitlines()[line - 1]
        assert 'panel 7 "Calls" (row "Where"), target A: ' in said


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@settings(max_examples=50)
@given(JSONS, st.sampled_from([None, 0, 2, "\t"]), st.booleans())
def test_every_place_of_any_json_has_its_line(data, indent, plain):
    """The line of a value holds that value."""
    text = json.dumps(data, indent=indent, ensure_ascii=plain)
    found, rows = lint.lines(text), text.split("\n")

    def walk(here, path):
        if isinstance(here, dict | list):
            for key, value in here.items() if isinstance(here, dict) else enumerate(here):
                walk(value, (*path, key))
        else:
            assert json.dumps(here, ensure_ascii=plain) in rows[found[path] - 1]

    walk(data, ())


PLACES = [(), ("panels",), ("panels", 1), ("panels", 1, "targets"), ("panels", 1, "targets", 0), ("panels", 1, "targets", 0, "expr"), ("panels", 1, "id"),
          ("panels", 1, "datasource"), ("panels", 1, "gridPos"), ("panels", 1, "gridPos", "x"), ("panels", 1, "fieldConfig"), ("panels", 0, "panels"),
          ("panels", 1, "fieldConfig", "defaults", "thresholds"), ("panels", 1, "fieldConfig", "defaults", "thresholds", "steps"), ("panels", 1, "title"),
          ("panels", 1, "fieldConfig", "defaults", "thresholds", "steps", 1, "value"), ("templating",), ("templating", "list"), ("templating", "list", 1),
          ("templating", "list", 1, "query"), ("templating", "list", 1, "name"), ("annotations",), ("annotations", "list", 0)]  # fmt: skip


@settings(max_examples=50)
@given(st.sampled_from(PLACES), JSONS)
def test_nothing_in_a_board_is_taken_for_granted(place, junk):
    """Whatever stands anywhere, it is looked at or passed over: no traceback."""
    board = copy.deepcopy(GOOD)
    here = board
    for part in place[:-1]:
        here = here[part]
    if place:
        here[place[-1]] = junk
    file = lint.BoardFile("mine.json", board if place else {"panels": [junk]}, (), {})
    for ours in (False, True):
        assert all(each.says and each.where for each in lint.findings(file, World(ours=ours)))


def test_other_exporters_names_are_warnings_until_a_prometheus_is_asked(run):
    """Nobody else can know them; `--allow` takes names as they are."""
    board = copy.deepcopy(GOOD)
    _expr("sum(rate(shop_orders_total[$__rate_interval])) / sum(rate(shop_order_total[$__rate_interval]))")(board)
    code, said = run(board)
    assert code == 0
    assert "2 names are not ours (shop_orders_total, shop_order_total)" in said
    names = {"status": "success", "data": ["shop_orders_total", "up"]}
    with local(lambda call: Reply(names if call.path == "/api/v1/label/__name__/values" else {}, 200)) as (url, _):
        code, said = run(board, "--prometheus-url", url)
        assert code == 1
        assert said.count("(metrics)") == 1
        assert (
            "shop_order_total is not known to the catalogue, the generated records and this Prometheus; write shop_orders_total"
            in said
        )
        assert run(board, "--prometheus-url", url, "--allow", "shop_.*")[0] == 0


def test_metrics_of_ones_own_configuration_are_known(run, tmp_path):
    """With the labels that they have."""
    (tmp_path / "truegreen.yaml").write_text(
        "metrics:\n"
        "  spans: {checkout: {attribute: shop.checkout.step}}\n"
        "  labels: {tier: {attribute: shop.tier, default: unknown, limit: 20}}\n"
        "  entries:\n"
        "    - {name: shop.checkouts, unit: '{checkout}', kind: counter, description: Checkouts by tier., span: checkout, labels: [tier]}\n",
        "utf-8",
    )
    board = copy.deepcopy(GOOD)
    _expr(f"sum by (teir) (rate(shop_checkouts_total{{{WHO}}}[$__rate_interval]))")(board)
    code, said = run(board)
    assert code == 1
    assert "no series below has the label teir; they have environment, service, tier" in said
    assert "(warning" not in said


def test_what_is_not_promql_is_passed_over_and_said(run):
    """A board of mixed sources."""
    board = copy.deepcopy(GOOD)
    loki = {"refId": "B", "datasource": {"type": "loki", "uid": "l"}, "expr": '{job="x"} |= "error"'}
    board["panels"][1]["targets"].append(loki)
    board["panels"].append(
        {"id": 9, "libraryPanel": {"uid": "x", "name": "Shared"}, "gridPos": {"x": 0, "y": 20, "w": 6, "h": 4}}
    )
    code, said = run(board)
    assert code == 0
    assert "asks loki: only PromQL is looked at" in said
    assert 'panel 9 (row "Where"): is a library panel' in said


VARIABLES = [
    f"topk($k, sum by ($group) (rate(truegreen_llm_requests_total{{{WHO}}}[$__rate_interval])))",
    f"sum(rate(truegreen_llm_requests_total{{{WHO}}}[${{__rate_interval}}])) * $__interval_ms",
    'max_over_time($metric{a="$b"}[$window])',
    'label_replace(up, "x", "$1", "y", "(.*)$")',
    f"sum(truegreen:slo_bad:ratio1h{{{WHO}}} > [[limit]])",
]


@pytest.mark.parametrize("expression", VARIABLES)
def test_variables_stand_wherever_grafana_takes_them(run, expression):
    """For a number, a label, a metric, a range."""
    board = copy.deepcopy(GOOD)
    _expr(expression)(board)
    board["templating"]["list"] += [{"name": name, "type": "custom"} for name in ("k", "group", "metric", "b", "window", "limit")]
    code, said = run(board, "--skip", "variables")
    assert code == 0, said


def test_an_answer_of_the_api_is_a_board_too(run):
    """As `curl` keeps it, in one line; a byte order mark is no reason to fail."""
    board = copy.deepcopy(GOOD)
    _defaults(unit="")(board)
    code, said = run("\ufeff" + json.dumps({"meta": {}, "dashboard": board}))
    assert code == 1
    assert said.startswith("mine.json:1: panel 7")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{\n'a': 1}", "mine.json:2: not JSON"),
        ("[]", "no board: it has no panels"),
        ('{"apiVersion": "dashboard.grafana.app/v2", "spec": {"elements": {}}}', "v2 schema"),
        ('{"rows": []}', "has rows instead of panels"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_a_file_that_is_no_board_exits_2(run, text, says):
    """With what to do instead."""
    code, said = run(text)
    assert (code, says in said) == (2, True), said


def test_bad_usage_exits_2(run):
    """An unknown rule, a wrong pattern, a file that is not there."""
    for arguments, says in (
        (("--skip", "x"), "there is no rule x"),
        (("--allow", "("), "no regular expression"),
        (("no.json",), "cannot be read"),
    ):
        code, said = run(GOOD, *arguments)
        assert (code, says in said) == (2, True), said


def test_machines_get_one_json(run):
    """With file, line, rule, place and words."""
    board = copy.deepcopy(GOOD)
    _defaults(unit="")(board)
    code, said = run(board, "--json")
    (problem,) = json.loads(said)["problems"]
    assert code == 1
    assert (problem["rule"], problem["level"], problem["line"] > 1) == ("unit", "error", True)


def test_our_own_boards_keep_what_we_ask_of_others(run, repo):
    """And what we ask of ourselves."""
    boards = sorted(str(path) for path in (repo / "dashboards" / "generated").glob("*.json"))
    assert run(GOOD, *boards)[0] == 0
    code, said = run(GOOD, "--ours")
    assert code == 1
    assert "(profile)" in said
