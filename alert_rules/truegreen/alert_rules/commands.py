"""`truegreen slo explain`: parse, call, print."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from truegreen.alert_rules import budgets, checks, explain, statement, verdicts
from truegreen.alert_rules.files import calibrations
from truegreen.core.config import load
from truegreen.core.options import config_option, json_option


@click.command("explain")
@click.argument("name")
@click.option("--prometheus-url", metavar="URL", help="Ask this Prometheus for the volume of each service.")
@config_option
@json_option
def slo_explain(name: str, prometheus_url: str | None, config_path: Path | None, as_json: bool) -> None:
    """Say what an SLO counts, when it tells somebody, and what it can promise at the volume there is."""
    config = load(config_path, os.environ)
    slo = explain.chosen(config, name)
    checks.check(config)
    what = statement.weighed(budgets.judged(slo, calibrations(config.calibration_folder())), config)
    if prometheus_url:
        from truegreen.alert_rules import volume
        from truegreen.core.clients import prometheus

        volumes = volume.per_hour(prometheus.connect(prometheus_url, hint=volume.HINT), what)
    else:
        volumes = statement.stated(what, config)
    facts = explain.facts(config, what, verdicts.verdicts(what, volumes), prometheus_url is not None)
    click.echo(json.dumps(facts) if as_json else "\n".join(explain.shown(facts)))
