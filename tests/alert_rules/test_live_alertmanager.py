"""A real Alertmanager with every kind of target, against servers that hold it to each vendor's contract."""

from __future__ import annotations

import json
import re
import urllib.request
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
import yaml
from receiver_servers import HOOK_SECRET, INCIDENTIO, ROOTLY, SLACK_SECRET, listening

from truegreen.core.clients import engines
from truegreen.core.words import triage

NAME = "bot <!channel> & co"
OLD = {"pagerduty", "opsgenie", "incidentio", "rootly", "slack", "webhook"}
KEYED = ("pagerduty", "opsgenie", "incidentio", "rootly", "webhook")
SLOS = [{"name": "grounding", "mode": "live"}, {"name": "tool_success", "mode": "live"}]
BOARDS, RUNBOOKS, TRACES = "https://grafana.example", "https://runbooks.example", "https://traces.example"
SAID = (
    "hallucination",
    triage.first_hypotheses("hallucination", "none")[0].says,
    *(f"{TRACES}/a{number}" for number in (1, 2, 3)),
    f"{BOARDS}/d/",
    f"{RUNBOOKS}/truegreenbudgetburn",
    "truegreen triage --service bot___channel____co --environment production --slo grounding",
    "tool_success",
)
"""What somebody must read at 3 AM: failure mode, first hypothesis, three traces, board, page, next command, and what else burns."""


def _targets(url, folder, version):
    def secret(name, text, end="\n"):
        (folder / name).write_text(text + end, "utf-8")
        return str(folder / name)

    old = version == "0.25"
    page = [
        {"type": "pagerduty", "secret_file": secret("pagerduty", "key-1"), "url": f"{url}/v2/enqueue"},
        # Before 0.28 the line end would be sent along.
        {"type": "opsgenie", "secret_file": secret("opsgenie", "key-1", "" if old else "\n"), "url": url},
        {"type": "incidentio", "secret_file": secret("incidentio", "key-1"), "url": url + INCIDENTIO},
        {"type": "rootly", "secret_file": secret("rootly", "key-1"), "url": url + ROOTLY},
        {"type": "slack", "secret_file": secret("slack", url + SLACK_SECRET)},
        {"type": "webhook", "secret_file": secret("webhook", "key-1"), "url": f"{url}/hook"},
    ]
    if not old:
        page += [
            {"type": "slack", "secret_file": secret("bot", "key-1"), "url": f"{url}/api/chat.postMessage", "channel": "#alerts"},
            {"type": "webhook", "secret_file": secret("hook", url + HOOK_SECRET)},
        ]
    return {"1": page, "watchdog": [{"type": "webhook", "url": f"{url}/alive"}]}


def _alert(rule, service=NAME, **more):
    # As Prometheus sends it: the generated rule's labels and annotations, filled in. Its queries alone are answered here.
    labels = {"alertname": rule["alert"], **rule["labels"], "service": service, "environment": "production"}
    answers = {
        "description": "Answers that are supported. Budget 5%. 15m: 30 of 60 bad (50%, burn 10x, lower bound 33%).",
        "trace_links": "".join(f"{TRACES}/a{number} " for number in (1, 2, 3)),
        "dashboard_url": f"{BOARDS}/d/truegreen-incident?var-service={quote(service)}&from=1790000000000&to=now",
    }
    said = {key: answers.get(key, text) for key, text in rule["annotations"].items()}
    for key, text in said.items():
        filled = re.sub(r"\{\{ \$labels\.(\w+)( \| urlquery)? }}", lambda at: (quote if at[2] else str)(labels[at[1]]), text)
        said[key] = re.sub(
            r'\{\{ reReplaceAll "(.+?)" "_" \$labels\.(\w+) }}', lambda at: re.sub(at[1], "_", labels[at[2]]), filled
        )
        assert "{{" not in said[key], key
    # Alertmanager says when it began: an older one would be told at once, before the others of its group have come.
    return {"labels": labels, "annotations": said, **more}


def _post(server, alerts):
    body = json.dumps(alerts).encode()
    asked = urllib.request.Request(f"{server.url}/api/v2/alerts", body, {"Content-Type": "application/json"})
    urllib.request.urlopen(asked, timeout=10).close()


@pytest.mark.parametrize(
    ("name", "version"), [("alertmanager", "0.25"), pytest.param("alertmanager34", "0.34", marks=pytest.mark.full)]
)
def test_one_page_for_each_vendor_and_its_end(config, written, engine, tmp_path, name, version):
    """Two SLOs of one service are one page, told again to a server that was down; what it inhibits is not told; its end has its key, and a new secret.

    What came after sev 2 was muted is not told.
    """
    engine(name)
    with listening() as vendors:
        routes = {
            "alertmanager": version,
            "targets": _targets(vendors.url, tmp_path, version),
            "webhooks": {"2": f"{vendors.url}/notify"},
            "trace_url": f"{TRACES}/{{trace_id}}",
            "dashboard_url": BOARDS,
            "runbook_url": RUNBOOKS,
        }
        everybody = OLD if version == "0.25" else OLD | {"slack bot", "secret webhook"}

        def generated(**more):
            return written(config(json.dumps({"slos": SLOS, "routes": {**routes, **more}})), 60)

        folder = generated()
        rules = yaml.safe_load((folder / "truegreen.rules.yml").read_text("utf-8"))
        alerts = [rule for group in rules["groups"] for rule in group["rules"] if "alert" in rule]
        burns = {(one["labels"]["slo"], one["labels"]["burn_tier"]): one for one in alerts if one["labels"].get("mode") == "live"}
        page, slow = [burns[slo["name"], "fast"] for slo in SLOS], burns["grounding", "slow"]
        (watchdog,) = [one for one in alerts if one["alert"] == "TruegreenWatchdog"]
        firing = [*map(_alert, page), _alert(slow), _alert(slow, "other"), _alert(watchdog)]
        vendors.first_fails |= everybody
        with engines.alertmanager(folder / "alertmanager.yml", tmp_path / "data", name=name) as server:
            _post(server, firing)
            vendors.wait(
                lambda: vendors.problems or all(vendors.of(vendor, "firing") for vendor in (*everybody, "notify", "watchdog"))
            )
            assert vendors.problems == []
            assert sorted(vendors.failed) == sorted(everybody)
            for vendor in everybody:
                (sent,) = vendors.of(vendor, "firing")
                assert [said for said in SAID if said not in sent.text] == [], vendor
            assert [alert["labels"]["service"] for each in vendors.of("notify", "firing") for alert in each.body["alerts"]] == [
                "other"
            ]
            for kept in KEYED:
                (tmp_path / kept).write_text("key-2" if kept == "opsgenie" else "key-2\n", "utf-8")
            days = [f"{datetime.now(UTC) + timedelta(days=ahead):%A}".lower() for ahead in (0, 1)]
            generated(mute=[{"name": "now", "sev": [2], "weekdays": days}])
            server.reload()
            ends = datetime.now(UTC).isoformat()
            # It began long ago, so its group waits for nothing.
            _post(server, [_alert(slow, "late", startsAt="2026-01-01T00:00:00Z")])
            _post(server, [_alert(rule, endsAt=ends) for rule in page])
            vendors.wait(lambda: vendors.problems or all(vendors.of(vendor, "resolved") for vendor in everybody))
        assert vendors.problems == []
    assert "late" not in "".join(each.text for each in vendors.of("notify", "firing"))
    for vendor in everybody:
        (began,), (ended,) = vendors.of(vendor, "firing"), vendors.of(vendor, "resolved")
        assert began.key == ended.key
        if vendor in KEYED:
            assert (began.credential, ended.credential) == ("key-1", "key-2")
    for vendor in ("pagerduty", "slack"):
        assert re.search(
            r"RESOLVED\] TruegreenBudgetBurn: grounding of .* in production, after [1-9][0-9]*s",
            vendors.of(vendor, "resolved")[0].text,
        )
    assert vendors.of("watchdog", "resolved") == []
