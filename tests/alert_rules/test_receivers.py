"""Targets, mutes and secrets of truegreen.yaml, as receivers that the real amtool takes, and what is refused with its fix."""

from __future__ import annotations

import json
import subprocess

import pytest
import yaml

from truegreen.alert_rules.generate import files
from truegreen.core.config.check import schema
from truegreen.core.errors import BadInput

URL = "https://alerts.example/v2/x"
SECRET = "/etc/alertmanager/secrets/key"
TARGETS = {
    "pagerduty": {"secret_file": SECRET},
    "opsgenie": {"secret_file": SECRET, "url": "https://api.eu.opsgenie.com"},
    "incidentio": {"secret_file": SECRET, "url": URL},
    "rootly": {"secret_file": SECRET},
    "slack": {"secret_file": SECRET},
    "webhook": {"secret_file": SECRET, "url": URL},
}
NEWER = {"slack": {"secret_file": SECRET, "channel": "#alerts {{x}}"}, "webhook": {"secret_file": SECRET}}
MUTES = [
    {"name": "weekends", "sev": [3], "weekdays": ["saturday", "sunday"], "location": "Europe/Berlin"},
    {"name": "nights", "sev": [2, "3"], "weekdays": ["monday:friday"], "times": ["20:00-24:00", "00:00-07:30"]},
]


def _text(targets, version="0.25", **routes):
    return json.dumps({"slos": [], "routes": {"alertmanager": version, "targets": targets, **routes}})


def _every(version):
    # All types for sev 1; each alone would say no more: a receiver's configurations do not know of each other.
    kinds = [{"type": kind, **keys} for kind, keys in TARGETS.items()]
    more = [{"type": kind, **keys} for kind, keys in NEWER.items()] if version != "0.25" else []
    return _text({"1": kinds + more, "2": kinds[4:5], "watchdog": [{"type": "webhook", "url": URL}]}, version, mute=MUTES)


def _receivers(folder, name="alertmanager.yml"):
    return {each["name"]: each for each in yaml.safe_load((folder / name).read_text("utf-8"))["receivers"]}


@pytest.mark.parametrize("scale", [1, 60])
def test_a_configuration_with_every_type_is_one_for_the_oldest_alertmanager(config, written, amtool, scale):
    """The whole file, and the fragment with its receivers below a team's own root."""
    folder = written(config(_every("0.25")), scale)
    pasted, given = (yaml.safe_load((folder / name).read_text("utf-8")) for name in ("routes.yml", "receivers.yml"))
    own = {"receiver": "yours", "routes": pasted["routes"]}
    names = {each["name"] for each in given["receivers"]}
    missing = [{"name": name} for name in ("yours", "truegreen-ticket") if name not in names]
    whole = {**given, "route": own, "inhibit_rules": pasted["inhibit_rules"], "time_intervals": pasted["time_intervals"]}
    whole["receivers"] = [*missing, *given["receivers"]]
    whole["templates"] = ["own*.tmpl", *given["templates"]]
    (folder / "own.tmpl").write_text('{{ define "own.title" }}{{ end }}', "utf-8")
    (folder / "pasted.yml").write_text(yaml.safe_dump(whole), "utf-8")
    for name in ("alertmanager.yml", "pasted.yml"):
        checked = amtool("check-config", folder / name)
        assert checked.returncode == 0, checked.stdout + checked.stderr
        assert f"{1 + (name == 'pasted.yml')} templates" in checked.stdout, checked.stdout


def test_the_example_of_the_manual_is_taken(config, written, repo):
    """docs/alertmanager.md shows a configuration."""
    example = (repo / "docs" / "alertmanager.md").read_text("utf-8").partition("```yaml\n")[2].partition("```")[0]
    made = _receivers(written(config(f"slos: []\n{example}")))
    assert set(made) == {"null", "truegreen-page", "truegreen-notify", "truegreen-ticket", "truegreen-watchdog"}


@pytest.mark.full
def test_a_newer_alertmanager_takes_what_is_written_for_it(config, written, engine):
    """Of each version that changes what is written."""
    for version in ("0.25", "0.26", "0.28", "0.29", "0.34"):
        path = written(config(_every(version))) / "alertmanager.yml"
        checked = subprocess.run(
            [engine("amtool34"), "check-config", path], capture_output=True, text=True, timeout=60, check=False
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_secret_is_a_file_and_every_receiver_says_what_is_over(config, written):
    """What Alertmanager reads holds names of files; a watchdog that came back is no news."""
    made = _receivers(written(config(_every("0.29"))))
    page = made["truegreen-page"]
    assert set(page) == {"name", *(f"{kind}_configs" for kind in ("pagerduty", "opsgenie", "incidentio", "slack", "webhook"))}
    assert all(each["send_resolved"] for kind, configs in page.items() if kind != "name" for each in configs)
    assert page["pagerduty_configs"][0]["routing_key_file"] == SECRET
    assert page["opsgenie_configs"][0]["api_key_file"] == SECRET
    assert page["slack_configs"][0]["api_url_file"] == SECRET
    bearers = [page["incidentio_configs"][0], page["slack_configs"][1], page["webhook_configs"][0], page["webhook_configs"][1]]
    assert [each["http_config"]["authorization"] for each in bearers] == [{"credentials_file": SECRET}] * 4
    assert page["webhook_configs"][2]["url_file"] == SECRET
    assert page["slack_configs"][1]["channel"] == '#alerts {{ "{{" }}x}}'
    assert made["truegreen-watchdog"]["webhook_configs"] == [{"url": URL, "max_alerts": 100, "send_resolved": False}]


def test_before_an_alertmanager_knows_incident_io_a_webhook_posts_the_same(config, written):
    """The section came with 0.29; the body and the token are the same."""
    target = {"1": [{"type": "incidentio", **TARGETS["incidentio"]}]}
    native, posted = (_receivers(written(config(_text(target, v))))["truegreen-page"] for v in ("0.29", "0.28"))
    (one,), (other,) = native["incidentio_configs"], posted["webhook_configs"]
    assert (one["url"], one["http_config"]) == (other["url"], other["http_config"])


def test_sevs_that_share_a_name_tell_each_target_once(config, written):
    """A page and a ticket of one receiver are not sent twice."""
    target = {"type": "pagerduty", "secret_file": SECRET}
    text = _text({"1": [target], "2": [target]}, receivers={"1": "all", "2": "all"}, webhooks={"1": URL, "2": URL})
    assert {kind: len(each) for kind, each in _receivers(written(config(text)))["all"].items() if kind != "name"} == {
        "webhook_configs": 1,
        "pagerduty_configs": 1,
    }


def test_a_mute_is_on_the_routes_of_its_sevs_alone(config, written):
    """Sev 1 and the watchdog are told always."""
    for name in ("routes.yml", "alertmanager.yml"):
        made = yaml.safe_load((written(config(_text({}, mute=MUTES))) / name).read_text("utf-8"))
        (tree,) = made["routes"] if name == "routes.yml" else made["route"]["routes"]
        muted = {route["matchers"][0]: route.get("mute_time_intervals") for route in tree["routes"]}
        assert muted == {
            'alertname="TruegreenWatchdog"': None,
            'sev="1"': None,
            'sev="2"': ["truegreen-nights"],
            'sev="3"': ["truegreen-weekends", "truegreen-nights"],
        }
        assert [each["name"] for each in made["time_intervals"]] == ["truegreen-weekends", "truegreen-nights"]
        assert made["time_intervals"][1]["time_intervals"] == [
            {
                "weekdays": ["monday:friday"],
                "times": [{"start_time": "20:00", "end_time": "24:00"}, {"start_time": "00:00", "end_time": "07:30"}],
                "location": "UTC",
            }
        ]


def test_the_command_says_which_sevs_nobody_hears_of(config):
    """Where somebody named targets; who has a configuration of his own is not asked."""
    target = {"1": [{"type": "pagerduty", "secret_file": SECRET}]}
    for text, said in (({}, []), (target, ["No target for sev 2, 3: alertmanager.yml tells nobody of it."])):
        assert [line for line in files(config(_text(text)), 1).statement if "No target" in line] == said


def test_opsgenie_says_when_it_ends_and_that_an_old_alertmanager_sends_the_line_end_along(config, written):
    """Nobody would look for either."""
    target = {"1": [{"type": "opsgenie", **TARGETS["opsgenie"]}]}
    old, new = ((written(config(_text(target, v))) / "alertmanager.yml").read_text("utf-8") for v in ("0.25", "0.28"))
    assert "5 April 2027" in old
    assert "5 April 2027" in new
    assert "must not end in a new line" in old
    assert "must not end in a new line" not in new


PAGER = "{type: pagerduty, secret_file: /k}"


@pytest.mark.parametrize(
    ("routes", "refused", "accepted"),
    [
        ("webhooks: {'1': 'https://u:hunter2@h/x'}", "webhooks.1: found a user or a secret before the @", "webhooks: {'1': 'https://h/x@y'}"),
        ("webhooks: {'1': 'https://h/x?api_key=hunter2'}", 'webhooks.1: found "api_key" in the address', "webhooks: {'1': 'https://h/x?keyboard=hunter2'}"),
        ("webhooks: {'2': 'https://hooks.slack.com/services/hunter2'}", "write a target {type: slack, secret_file: FILE}", ""),
        ("webhooks: {'2': 'https://h/x?integrationKey=hunter2'}", 'found "integrationKey" in the address', "webhooks: {'2': 'https://h/x?page=2#top'}"),
        ("webhooks: {'2': 'https://h/x#token=hunter2'}", 'found "token" in the address', ""),
        ("webhooks: {'2': 'https://discord.com/api/webhooks/1/hunter2'}", "found an address of Discord, which is a secret; write it into a receiver of your own (discord_configs)", ""),
        ("webhooks: {'2': 'https://shop.webhook.office.com/webhookb2/hunter2'}", "found an address of Teams", "webhooks: {'2': 'https://office.example/x'}"),
        ("webhooks: {'2': 'hunter2'}", "webhooks.2: found what is not shown here", ""),
        ("webhooks: 'https://h/hunter2'", "routes.webhooks: found what is not shown here", ""),
        ("targets: {'2': ['https://h/hunter2']}", "routes.targets.2[0]: found what is not shown here", ""),
        ("targets: {'1': [{type: pagerduty, secret_file: hunter2hunter2/hunter2hunter2}]}", "secret_file: is no whole path; write one", ""),
        ("runbook_url: 'https://u:hunter2@h/'", "routes.runbook_url: found a user or a secret before the @; leave it out", "runbook_url: 'https://h/'"),
        ("dashboard_url: 'https://h/?auth_token=hunter2'", 'routes.dashboard_url: found "auth_token" in the address', "dashboard_url: 'https://h/?orgId=2'"),
        ("trace_url: 'https://h/{trace_id}?key=hunter2'", 'routes.trace_url: found "key" in the address', "trace_url: 'https://h/{trace_id}?org=2'"),
        ("trace_url: 'https://h/traces'", "routes.trace_url: has no {trace_id}, so that every link would be the same; write the address of a trace", "trace_url: ''"),
        ("trace_url: 'h/{trace_id}?key=hunter2'", "routes.trace_url: is no address that begins with http:// or https://; write the address of a trace, such as https://", ""),
        ("dashboard_url: ''", "routes.dashboard_url: is no address that begins with http:// or https://; write the address of Grafana, such as http://", ""),
        ("runbook_url: 'hunter2'", "routes.runbook_url: is no address that begins with http:// or https://; write where the runbook pages", ""),
        ("receivers: {'1': pager, '3': pager, watchdog: pager}", 'routes.receivers.watchdog: found "pager", which is told of sev 1, 3 too', "receivers: {'1': pager, '3': pager, watchdog: dog}"),
        ("mute: [{name: a, sev: [3], times: ['12:00-24:00', '00:00-12:00']}]", "mute[0]: would mute always; leave some of the weekdays or times out", "mute: [{name: a, sev: [3], times: ['12:01-24:00', '00:00-12:00']}]"),
        ("mute: [{name: a, sev: [3], weekdays: ['sunday:saturday'], times: ['00:00-24:00']}]", "mute[0]: would mute always", "mute: [{name: a, sev: [3], weekdays: ['sunday:friday'], times: ['00:00-24:00']}]"),
        ("targets: {'1': [{type: webhook, url: 'https://u:hunter2@h/'}]}", "targets.1[0].url: found a user", "targets: {'1': [{type: webhook, url: 'https://h/'}]}"),
        ("targets: {'1': [{type: pagerduty}]}", "targets.1[0]: pagerduty needs secret_file; add it", f"targets: {{'1': [{PAGER}]}}"),
        ("targets: {'1': [{type: rootly, secret_file: /k, channel: x}]}", "targets.1[0].channel: rootly has no channel; leave it out", ""),
        ("targets: {'1': [{type: incidentio, secret_file: /k}]}", "incidentio needs url; add it", ""),
        ("targets: {'1': [{type: pagerduty, secret_file: k}]}", "secret_file: is no whole path; write one, as Alertmanager sees it", ""),
        ("targets: {'1': [{type: webhook}]}", "webhook needs url, or secret_file with the address", ""),
        ("targets: {'1': [{type: webhook, secret_file: /k}]}", "Alertmanager 0.25 takes no address from a file", "alertmanager: '0.26'\n  targets: {'1': [{type: webhook, secret_file: /k}]}"),
        ("targets: {'1': [{type: slack, secret_file: /k, channel: x}]}", "takes a refusal of Slack's API for a success", "alertmanager: '0.26'\n  targets: {'1': [{type: slack, secret_file: /k, channel: x}]}"),
        ("targets: {'1': [{type: slack, secret_file: /k, url: 'https://h/'}]}", "or add channel for a bot token", ""),
        ("targets: {'1': [{type: slack, secret_file: /k, channel: ''}]}", 'targets.1[0].channel: found ""; write a channel, such as', ""),
        (f"targets: {{'2': [{PAGER}, {PAGER}]}}", "targets.2[1]: is there twice", ""),
        ("targets: {watchdog: [{type: slack, secret_file: /k}]}", "targets.watchdog[0].type: found slack; write webhook", ""),
        ("alertmanager: '0.24'", 'alertmanager: found 0.24; write "0.25" or a newer one', ""),
        ("mute: [{name: a, sev: [3]}]", "mute[0]: would mute always; add weekdays or times", "mute: [{name: a, sev: [3], weekdays: [sunday]}]"),
        ("mute: [{name: a, sev: [1], weekdays: [sunday]}]", "mute[0].sev[0]: found 1; write ", ""),
        ("mute: [{name: a, sev: [3], times: ['18:00-06:00']}]", "write two for a night: 18:00-24:00 and 00:00-06:00", ""),
        ("mute: [{name: a, sev: [3], weekdays: ['friday:sunday']}]", "write friday:saturday and sunday", "mute: [{name: a, sev: [3], weekdays: ['friday:saturday', sunday]}]"),
        ("mute: [{name: a, sev: [3], weekdays: [sunday], location: Berlin}]", 'location: found "Berlin"; write a time zone such as Europe/Berlin', ""),
        ("mute: [{name: a, sev: [3], weekdays: [sunday]}, {name: a, sev: [2], weekdays: [sunday]}]", "mute[1].name: a is there twice", ""),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_with_its_fix_and_without_the_secret(config, routes, refused, accepted):
    """File, line, key; the twin beside it is accepted."""
    with pytest.raises(BadInput) as error:
        config(f"routes:\n  {routes}\n")
    said = str(error.value)
    assert refused in said, said
    assert "truegreen.yaml:" in said
    assert "hunter2" not in said
    if accepted:
        config(f"routes:\n  {accepted}\n")


def test_all_mistakes_are_said_at_once(config):
    """One line for each."""
    with pytest.raises(BadInput) as error:
        config("routes:\n  targets: {'1': [{type: pagerduty}, {type: slack}]}\n  mute: [{name: a, sev: [3]}]\n")
    assert len(str(error.value).splitlines()) == 3


def test_each_type_of_the_schema_is_tried_here():
    """A new one is not forgotten."""
    assert set(TARGETS) == set(schema()["$defs"]["targets"]["items"]["properties"]["type"]["enum"])
