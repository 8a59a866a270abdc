"""The committed files, and that the same configuration gives the same bytes."""

from __future__ import annotations

import re

from click.testing import CliRunner

from truegreen.alert_rules.documentation import slos_page
from truegreen.alert_rules.generate import files
from truegreen.core.errors import Failed
from truegreen.core.generate import generate, leftover, write
from truegreen.core.words import ready_made


def test_the_committed_rules_are_what_the_default_configuration_gives(config, repo):
    """A change of the generator shows in `alert_rules/generated`."""
    made = files(config(), 1).files
    folder = repo / "alert_rules" / "generated"
    assert {path.name: path.read_text("utf-8") for path in folder.iterdir()} == dict(made)


def test_the_page_of_slos_is_what_the_code_says(repo):
    """`docs/slos.md` is written, never edited."""
    assert (repo / "docs" / "slos.md").read_text("utf-8") == slos_page()


def test_generating_twice_gives_the_same_bytes(config, calibrate):
    """No clock, no order of a set, no float enters."""
    calibrate("bot", "production", "groundedness", 0.1 + 0.2, 777, 1.2345678)
    text = "slos: [{name: grounding, mode: live, objectives: {b: 99%, a: 98.5%}}, {name: relevance}]\nservices: {z: {customer_facing: false}}"
    first, second = files(config(text), 1), files(config(text), 1)
    assert first == second
    assert not re.search(r"\d\.\d{7,}|\d[eE]-?\d\d\b", "".join(first.files.values()))


def test_rules_do_not_grow_with_services(config, calibrate):
    """One set per SLO; a baseline adds only the constants that it states."""
    alone = files(config(), 1).figures
    text = "services: {" + ", ".join(f"s{i}: {{owner: team}}" for i in range(200)) + "}"
    many = files(config(text), 1).figures
    assert (alone["rules"], alone["series_per_service"]) == (many["rules"], many["series_per_service"])


def test_each_ready_made_slo_can_be_generated(config):
    """All of them at once, live, fit the catalogue."""
    text = "slos: [" + ", ".join(f"{{name: {slo.name}, mode: live}}" for slo in ready_made.READY_MADE) + "]"
    text += "\nevaluations: {groundedness: {scale: calibrated}}"
    made = files(config(text), 1)
    assert set(made.figures["slos"]) == set(ready_made.BY_NAME)


def test_the_statement_says_what_each_slo_needs(config):
    """The feasibility law, N >= 1.5 / (1 - objective), and the retention are stated before anything is loaded."""
    said = "\n".join(files(config(), 1).statement)
    assert "grounding (95%): a 10x burn pages within an hour (P 0.9) from 30 events an hour" in said
    assert "availability (99.5%): a 10x burn pages within an hour (P 0.9) from 300 events an hour" in said
    assert "30 days" in said
    assert "No SLO is live" in said


def test_a_file_that_is_not_generated_any_more_is_named(config, tmp_path):
    """Prometheus may still load it; a file of somebody else beside it is left alone."""
    made = files(config(), 1).files
    out = tmp_path / "rules"
    write(out, made)
    assert leftover(out, made) == []
    old = out / "truegreen.old.yml"
    old.write_text("# Written by `truegreen generate rules`; do not edit\ngroups: []\n", "utf-8")
    (out / "team.yml").write_text("# ours; see truegreen.rules.yml\ngroups: []\n", "utf-8")
    assert leftover(out, made) == [old]
    path = tmp_path / "truegreen.yaml"
    checked = CliRunner().invoke(generate, ["rules", "--out", str(out), "--check", "--config", str(path)])
    assert isinstance(checked.exception, Failed)
    assert f"not generated any more, remove: {old}" in str(checked.exception)
    assert old.exists()
