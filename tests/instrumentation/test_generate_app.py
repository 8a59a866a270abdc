"""What `truegreen.yaml` says of retrievals and agents reaches the application, as YAML and as the JSON that `generate app` writes."""

import pytest
from click.testing import CliRunner

from truegreen.core.cli import main, root
from truegreen.instrumentation.settings import load


@pytest.mark.parametrize(
    ("written", "approved"),
    [
        ("[search, lookup]", {"": frozenset({"search", "lookup"})}),
        ("{support: [search], billing: []}", {"support": frozenset({"search"}), "billing": frozenset()}),
    ],
)
def test_the_floor_and_the_approved_tools_are_the_same_in_both_files(tmp_path, written, approved):
    """One file for the team, one for a process without a YAML reader."""
    yaml = tmp_path / "truegreen.yaml"
    yaml.write_text(f"retrieval: {{floor: 0.3}}\nagents: {{approved_tools: {written}}}\n")
    done = CliRunner().invoke(root, ["generate", "app", "--config", str(yaml), "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    for file in (yaml, tmp_path / "truegreen.json"):
        settings = load({"TRUEGREEN_CONFIG": str(file)})
        assert (settings.retrieval_floor, settings.approved_tools, settings.problems) == (0.3, approved, ())


def test_no_list_judges_no_agent(tmp_path):
    """An empty list would: nothing is approved then."""
    (tmp_path / "truegreen.yaml").write_text("slos: [{name: grounding}]\n")
    CliRunner().invoke(root, ["generate", "app", "--config", str(tmp_path / "truegreen.yaml"), "--out", str(tmp_path)])
    settings = load({"TRUEGREEN_CONFIG": str(tmp_path / "truegreen.json")})
    assert (settings.retrieval_floor, settings.approved_tools, settings.problems) == (None, {}, ())


def test_a_tool_that_is_no_list_is_said_with_its_line(tmp_path, capsys):
    """What to write stands there."""
    yaml = tmp_path / "truegreen.yaml"
    yaml.write_text("agents:\n  approved_tools: search\n")
    with pytest.raises(SystemExit) as ended:
        main(["generate", "app", "--config", str(yaml), "--out", str(tmp_path)])
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert f"{yaml}:2: agents.approved_tools: found" in said and "such as [search, lookup]" in said
