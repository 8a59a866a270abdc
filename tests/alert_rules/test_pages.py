"""The runbook pages: every alert has one, and what it says to paste can be pasted."""

from __future__ import annotations

import re
import shlex
from pathlib import PurePosixPath

import click
import promql_parser
import pytest
import yaml

from truegreen.alert_rules.generate import files
from truegreen.alert_rules.page_words import BY_ALERT
from truegreen.alert_rules.pages import every_alert, pages
from truegreen.core.words import catalogue, records, terms
from truegreen.core.words.boards import DEFAULT_RUNBOOK_URL, runbook_page

PAGES = pages()
SECTIONS = ["Meaning", "Impact", "Diagnosis", "Containment", "Mitigation", "Validation"]
OF_ALERTS = sorted(set(PAGES) - {"docs/runbooks/README.md"})


def _queries(page):
    return re.findall(r"```promql\n(.*?)\n```", page, re.DOTALL)


def test_every_alert_has_a_page_and_every_page_an_alert():
    """Also the alerts that only a frozen baseline brings."""
    names = {alert.alert for alert in every_alert()}
    assert {"TruegreenDrift", "TruegreenCalibrationMismatch"} <= names
    pillars = {f"docs/runbooks/pillar_{name}.md" for name in terms.PILLARS}
    assert set(OF_ALERTS) == {f"docs/runbooks/{name.lower()}.md" for name in names} | pillars
    assert all(f"({PurePosixPath(page).name})" in PAGES["docs/runbooks/README.md"] for page in pillars)
    assert all(f"({PurePosixPath(page).name})" in PAGES["docs/runbooks/truegreenbudgetburn.md"] for page in pillars)
    assert set(BY_ALERT) == names
    assert all(f"[{name}]({name.lower()}.md)" in PAGES["docs/runbooks/README.md"] for name in names)


def test_no_configuration_gives_an_alert_without_a_page(config, calibrate):
    """Shadow and live, with a calibration file and without."""
    calibrate("bot", "production", "groundedness", 0.03, 600)
    for text in ("", "slos: [{name: grounding, mode: live}, {name: relevance}]"):
        rules = yaml.safe_load(files(config(text), 1).files["truegreen.rules.yml"])
        for alert in (rule for group in rules["groups"] for rule in group["rules"] if "alert" in rule):
            page = PurePosixPath(alert["annotations"]["runbook_url"]).name
            assert f"docs/runbooks/{page}.md" in PAGES, alert["alert"]


def test_the_default_address_of_pages_is_one(config):
    """The configuration's default and the word that boards use; its pages end in the name of a file."""
    assert config().routes.runbook_url == DEFAULT_RUNBOOK_URL
    for alert in every_alert():
        assert alert.annotations["runbook_url"] == runbook_page(DEFAULT_RUNBOOK_URL, alert.alert)


def test_the_committed_pages_are_what_the_code_says(repo):
    """Nothing is missing, and none is left of an alert that is no more."""
    assert {f"docs/runbooks/{path.name}": path.read_text("utf-8") for path in (repo / "docs" / "runbooks").iterdir()} == PAGES


@pytest.mark.parametrize("path", OF_ALERTS)
def test_a_page_has_its_sections_and_something_in_each(path):
    """Six of them, in the order in which they are needed."""
    parts = re.split(r"^## (.*)$", PAGES[path], flags=re.MULTILINE)[1:]
    assert parts[::2] == SECTIONS
    assert all(text.strip() for text in parts[1::2])
    assert 'curl -sG "$PROMETHEUS/api/v1/query"' in PAGES[path]
    assert "truegreen validate" in PAGES[path]
    assert re.search(r"^\| .* \| .*[.] \|$", parts[SECTIONS.index("Mitigation") * 2 + 1], re.MULTILINE)


@pytest.mark.parametrize("path", OF_ALERTS)
def test_the_promql_of_a_page_parses_and_asks_for_metrics_that_exist(path):
    """Nothing that could only be found out by pasting it."""
    found = _queries(PAGES[path])
    assert len(found) >= 3
    for query in found:
        promql_parser.parse(query)
        names = {re.sub(r"_(bucket|count|sum)$", "", name) for name in re.findall(r"\btruegreen_\w+", query)}
        assert names <= set(catalogue.BY_NAME), query


@pytest.mark.parametrize("path", OF_ALERTS)
def test_links_inside_a_page_lead_to_a_heading_of_it(path):
    """A hypothesis without its query would be a dead end."""
    headings = set(re.findall(r"^### (\S+)$", PAGES[path], re.MULTILINE))
    assert set(re.findall(r"\]\(#(\w+)\)", PAGES[path])) <= headings


def test_the_ratios_from_counters_are_shares(promtool, tmp_path):
    """One of four answers bad, one of four calls slow, no retrieval failed: in the real engine, as pasted."""
    page = PAGES[f"docs/runbooks/{records.BUDGET_BURN.lower()}.md"]
    asked = {
        name: re.search(rf"^### {name}\n.*?```promql\n(.*?)\n```", page.partition("## Validation")[2], re.MULTILINE | re.DOTALL)[
            1
        ]
        for name in ("grounding", "latency", "retrieval_success")
    }
    at, call = 'service="SERVICE",environment="e"', 'service="SERVICE",environment="e",operation="chat"'
    series = {
        f'truegreen_evaluated_answers_total{{{at},evaluation="groundedness",result="pass"}}': "0+3x30",
        f'truegreen_evaluated_answers_total{{{at},evaluation="groundedness",result="fail"}}': "0+1x30",
        f"truegreen_llm_duration_seconds_count{{{call}}}": "0+4x30",
        f'truegreen_llm_duration_seconds_bucket{{{call},le="10"}}': "0+3x30",
        f'truegreen_retrievals_total{{{at},outcome="ok"}}': "0+4x30",
    }
    expected = {"grounding": 0.25, "latency": 0.25, "retrieval_success": 0}
    cases = [
        {"expr": asked[name], "eval_time": "30m", "exp_samples": [{"labels": f"{{{at}}}", "value": value}]}
        for name, value in expected.items()
    ]
    (tmp_path / "rules.yml").write_text("groups: []\n")
    test = {"interval": "1m", "input_series": [{"series": k, "values": v} for k, v in series.items()], "promql_expr_test": cases}
    (tmp_path / "test.yml").write_text(yaml.safe_dump({"rule_files": ["rules.yml"], "tests": [test]}))
    tried = promtool("test", "rules", tmp_path / "test.yml")
    assert tried.returncode == 0, tried.stdout + tried.stderr


def test_every_command_of_a_page_is_one_that_the_tool_takes():
    """Options and arguments too: a page that names what is not there is worse than none at night."""
    from truegreen.core.cli import root

    shell = {
        line
        for text in PAGES.values()
        for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
        for line in block.splitlines()
        if line.startswith("truegreen ")
    }
    quoted = {found for text in PAGES.values() for found in re.findall(r"`(truegreen [^`]+)`", text)}
    assert len(shell | quoted) > 10
    for line in sorted(shell | quoted):
        words = shlex.split(line.partition("   #")[0])[1:]
        command, context = root, click.Context(root)
        while isinstance(command, click.Group) and words:
            found = command.get_command(context, words[0])
            assert found is not None, f"{line}: there is no {words[0]!r}"
            command, words = found, words[1:]
        values = [
            {"MODEL": "m", "VERSION": "3", "N": "3", "ID": "1", "NUMBER": "3"}.get(word, word)
            for word in words
            if word not in ("|", "…", "...")
        ]
        mentioned = line in quoted - shell and not any(word.startswith("-") for word in words)
        if not isinstance(command, click.Group) and not mentioned:
            command.make_context(line, values, resilient_parsing=False).close()
