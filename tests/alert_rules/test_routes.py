"""Routes and inhibitions in the real amtool and a real Alertmanager."""

from __future__ import annotations

import json
import time
import urllib.request

import pytest
import yaml

from truegreen.core.clients import engines

HOOKS = (
    "routes: {webhooks: {'1': 'http://127.0.0.1:9/page', '2': 'http://127.0.0.1:9/notify', '3': 'http://127.0.0.1:9/ticket'}}\n"
)
LIVE = "slos: [{name: grounding, mode: live}, {name: availability, mode: live}, {name: retrieval_success, mode: live}]\n"


@pytest.mark.parametrize("text", ["", HOOKS, "routes: {webhooks: {'1': 'http://127.0.0.1:9/page'}}"])
@pytest.mark.parametrize("scale", [1, 60])
def test_the_whole_configuration_is_one(config, written, amtool, text, scale):
    """With webhooks, with some, with none."""
    checked = amtool("check-config", written(config(text), scale) / "alertmanager.yml")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def _pasted(folder):
    # As the comment in the fragment says: below the team's own root, with the team's own receivers.
    fragment = yaml.safe_load((folder / "routes.yml").read_text("utf-8"))
    names = ("yours", "team-a", "truegreen-page", "truegreen-notify", "truegreen-ticket", "truegreen-watchdog")
    own = {"receiver": "team-a", "matchers": ['team="a"']}
    whole = {
        "route": {"receiver": "yours", "routes": [own, *fragment["routes"]]},
        "inhibit_rules": fragment["inhibit_rules"],
        "receivers": [{"name": name} for name in names],
    }
    path = folder / "pasted.yml"
    path.write_text(yaml.safe_dump(whole), "utf-8")
    return path


ROUTED = [
    (("alertname=TruegreenBudgetBurn", "sev=1", "service=bot"), "truegreen-page"),
    (("alertname=TruegreenBudgetBurn", "sev=2", "service=bot"), "truegreen-notify"),
    (("alertname=TruegreenBudgetBurn", "sev=3", "service=bot"), "truegreen-ticket"),
    (("alertname=TruegreenWatchdog", "sev=none"), "truegreen-watchdog"),
    (("alertname=NodeDown", "sev=1"), "yours"),
    (("alertname=NodeDown", "team=a"), "team-a"),
]


def test_the_fragment_below_a_root_takes_its_own_alerts_alone(config, written, amtool):
    """The team's own alerts go where they went."""
    path = _pasted(written(config(LIVE)))
    assert amtool("check-config", path).returncode == 0
    for labels, receiver in ROUTED:
        routed = amtool("config", "routes", "test", f"--config.file={path}", f"--verify.receivers={receiver}", *labels)
        assert routed.returncode == 0, routed.stdout + routed.stderr


def test_no_inhibition_silences_a_sev_1_or_spreads_to_alerts_without_a_service(config, written):
    """A missing label in `equal` counts as equal: an alert without a service would silence all others without one."""
    for name in ("routes.yml", "alertmanager.yml"):
        rules = yaml.safe_load((written(config(LIVE)) / name).read_text("utf-8"))["inhibit_rules"]
        assert rules
        for rule in rules:
            assert 'sev=~"2|3"' in rule["target_matchers"]
            assert 'service!=""' in rule["source_matchers"]
            assert 'service!=""' in rule["target_matchers"]
            assert {"service", "environment"} <= set(rule["equal"])


def test_a_webhook_that_is_not_there_sends_nothing(config, written, amtool):
    """A sev without a webhook, and what is not ours, goes to the receiver "null"."""
    path = written(config("routes: {webhooks: {'1': 'http://127.0.0.1:9/page'}}")) / "alertmanager.yml"
    for labels, receiver in (("sev=1", "truegreen-page"), ("sev=2", "null"), ("sev=3", "null")):
        routed = amtool(
            "config",
            "routes",
            "test",
            f"--config.file={path}",
            f"--verify.receivers={receiver}",
            "alertname=TruegreenBudgetBurn",
            labels,
        )
        assert routed.returncode == 0, routed.stdout + routed.stderr


def _alert(name, service, environment="production", slo="grounding", **labels):
    return {
        "labels": {
            "alertname": name,
            "service": service,
            "environment": environment,
            "slo": slo,
            "failure_mode": "none",
            **labels,
        }
    }


def test_in_a_real_alertmanager_a_page_silences_its_own_tiers_and_nothing_else(config, written, engine, tmp_path):
    """Fast silences slow and ticket of the same SLO, and so does a slow one that a business signal raised to a page; retrieval's sev 1 silences the grounding sev 2 of its service; no sev 1, no other service."""
    engine("alertmanager")
    burn = "TruegreenBudgetBurn"
    quality = {"layer": "quality"}
    alerts = {
        "page": _alert(burn, "bot", sev="1", burn_tier="fast", **quality),
        "slow": _alert(burn, "bot", sev="2", burn_tier="slow", **quality),
        "ticket": _alert(burn, "bot", sev="3", burn_tier="ticket", **quality),
        "raised": _alert(burn, "desk", sev="1", burn_tier="slow", **quality),
        "raised from": _alert(burn, "desk", sev="2", burn_tier="slow", **quality),
        "raised at once": _alert(burn, "till", sev="1", burn_tier="fast", **quality),
        "raised at once from": _alert(burn, "till", sev="2", burn_tier="fast", **quality),
        "ticket of it": _alert(burn, "desk", sev="3", burn_tier="ticket", **quality),
        "its cohort": _alert("TruegreenCohortBurn", "desk", sev="2", cohort="free", burn_tier="cohort", **quality),
        "a cohort elsewhere": _alert("TruegreenCohortBurn", "calm", sev="3", cohort="free", burn_tier="cohort", **quality),
        "other environment": _alert(burn, "bot", "staging", sev="2", burn_tier="slow", **quality),
        "other service": _alert(burn, "other", sev="2", burn_tier="slow", **quality),
        "retrieval": _alert(
            burn, "shop", slo="retrieval_success", sev="1", burn_tier="fast", layer="infrastructure", failure_mode="retrieval"
        ),
        "its grounding": _alert(burn, "shop", sev="2", burn_tier="slow", **quality),
        "its grounding page": _alert(burn, "shop", sev="1", burn_tier="fast", **quality),
    }
    path = written(config(LIVE.replace("mode: live", "mode: live, cohorts: true", 1) + HOOKS), 60) / "alertmanager.yml"
    with engines.alertmanager(path, tmp_path / "data") as server:
        body = json.dumps(list(alerts.values())).encode()
        posted = urllib.request.Request(f"{server.url}/api/v2/alerts", body, {"Content-Type": "application/json"})
        urllib.request.urlopen(posted, timeout=10).close()
        wanted = {"slow", "ticket", "its grounding", "raised from", "raised at once from", "ticket of it", "its cohort"}
        deadline, silent = time.monotonic() + 30, set()
        while time.monotonic() < deadline and silent != wanted:
            with urllib.request.urlopen(f"{server.url}/api/v2/alerts?inhibited=true", timeout=10) as answer:
                seen = [(alert["labels"], alert["status"]["state"]) for alert in json.load(answer)]
            # Every alert must have been through the pipeline, else "not silenced" would say nothing.
            if len(seen) == len(alerts) and all(state != "unprocessed" for _, state in seen):
                silent = {
                    name
                    for name, alert in alerts.items()
                    for labels, state in seen
                    if labels == alert["labels"] and state == "suppressed"
                }
            time.sleep(0.1)
    assert silent == wanted
