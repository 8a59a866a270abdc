"""The generated files."""

from __future__ import annotations

from pathlib import Path

import yaml

from truegreen.collector.generate import files
from truegreen.core.config import parse_text


def test_committed_files_are_what_the_generator_writes(repo: Path) -> None:
    """With the default configuration, unscaled."""
    made = files(parse_text("", "defaults", {}, None), 1).files
    folder = repo / "collector" / "generated"
    assert {path.name for path in folder.iterdir()} == set(made)
    for name, text in made.items():
        assert (folder / name).read_text() == text


def test_the_tee_sends_to_the_configured_address_and_a_wildcard_is_reached_locally() -> None:
    """The stanza is YAML with one exporter for traces and logs."""
    config = parse_text("collector: {http_endpoint: '0.0.0.0:14318', metrics_endpoint: 'green.internal:9000'}", "t", {}, None)
    made = files(config, 60)
    assert yaml.safe_load(made.files["tee.yaml"])["exporters"]["otlp_http/truegreen"]["endpoint"] == "http://127.0.0.1:14318"
    job = yaml.safe_load(made.files["scrape.yml"])["scrape_configs"][0]
    assert (job["honor_labels"], job["scrape_interval"], job["static_configs"][0]["targets"]) == (
        True,
        "1s",
        ["green.internal:9000"],
    )
