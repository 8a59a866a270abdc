"""The same rules as the Prometheus operator, Mimir, Thanos and vmalert load them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from truegreen.alert_rules.formats import MIMIR, MOST_BYTES, PROMETHEUSRULE, THANOS, VMALERT
from truegreen.alert_rules.generate import RULES, files
from truegreen.alert_rules.windows import parse
from truegreen.core.words import records

ALL = "alerting: {formats: [vmalert, thanos, mimir, prometheusrule]}\n"
OPERATOR = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
CRD = "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml"
LIVE = ("grounding", "relevance", "index_freshness", "latency", "availability", "loops", "tool_success", "task_completion")
SOME = ALL + "slos: [" + ", ".join(f"{{name: {name}, mode: live}}" for name in LIVE) + "]"


def _read(text):
    # The parser of the tests that wait for it: the file is long.
    return list(yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


def test_a_format_is_written_where_it_is_asked_for_and_nothing_else_changes(config):
    """Without the key there is no further file; with it the others stay as they were, byte by byte."""
    plain, more = files(config(), 1).files, files(config(ALL), 1).files
    assert set(more) - set(plain) == {PROMETHEUSRULE, MIMIR, THANOS, VMALERT}
    assert {name: more[name] for name in plain} == dict(plain)
    assert set(files(config("alerting: {formats: [thanos]}"), 1).files) - set(plain) == {THANOS}


def test_every_format_holds_the_same_rules_in_the_same_order(config):
    """Expressions, labels, annotations and waits are those of the file for Prometheus."""
    made = files(config(SOME), 1).files
    wanted = _read(made[RULES])[0]["groups"]
    assert _read(made[MIMIR])[0] == {"namespace": "truegreen", "groups": wanted}
    assert _read(made[THANOS])[0]["groups"] == [{**group, "partial_response_strategy": "warn"} for group in wanted]
    objects = _read(made[PROMETHEUSRULE])
    assert [group for each in objects for group in each["spec"]["groups"]] == wanted
    split: dict[str, list[object]] = {}
    for group in _read(made[VMALERT])[0]["groups"]:
        split.setdefault(group["name"].rpartition(":")[0], []).extend(group["rules"])
    assert {name: sorted(map(repr, rules)) for name, rules in split.items()} == {
        group["name"]: sorted(map(repr, group["rules"])) for group in wanted
    }


def test_objects_of_the_operator_fit_what_kubectl_keeps_of_them(config):
    """Many SLOs become several objects with names of their own, none larger than an annotation may be."""
    objects = files(config(SOME), 1).files[PROMETHEUSRULE].split("\n---\n")
    assert len(objects) > 1
    assert max(len(json.dumps(_read(each)[0])) for each in objects) < 262_144
    assert max(len(each) for each in objects) < 1.05 * MOST_BYTES
    assert len({_read(each)[0]["metadata"]["name"] for each in objects}) == len(objects)


def test_mimir_is_told_the_limits_that_this_file_needs(config):
    """The numbers in the head are those of the file; what is more than a tenant has unless told otherwise is named."""
    few, many = files(config(ALL), 1).files[MIMIR], files(config(SOME), 1).files[MIMIR]
    for text in (few, many):
        groups = _read(text)[0]["groups"]
        rules = max(len(group["rules"]) for group in groups)
        assert (
            f"# It refuses more than it was told to take: this file has {len(groups)} groups, the largest of {rules} rules."
            in text
        )
        assert f"ruler_max_rules_per_rule_group: {rules} " in text
        assert re.search(r"ruler_max_rules_per_rule_group: \d+ .*which is too few", text)
    assert not re.search(r"ruler_max_rule_groups_per_tenant: \d+ .*which is too few", few)


@pytest.mark.parametrize("scale", [1, 60])
def test_no_rule_for_vmalert_reads_what_its_own_round_has_not_recorded_yet(config, scale):
    """A record that is read is recorded by an earlier group, at a smaller offset; none waits as long as a round."""
    groups = _read(files(config(SOME), scale).files[VMALERT])[0]["groups"]
    offsets = [int(group["eval_offset"].removesuffix("ms")) for group in groups]
    assert len({group["name"] for group in groups}) == len(groups)
    assert max(offsets) < min(parse(group["interval"]) * 1_000 for group in groups)
    recorded: dict[str, int] = {}
    for group, offset in zip(groups, offsets, strict=True):
        for rule in group["rules"]:
            if "record" in rule:
                recorded[rule["record"]] = max(recorded.get(rule["record"], 0), offset)
    read = 0
    for group, offset in zip(groups, offsets, strict=True):
        for rule in group["rules"]:
            for name in set(re.findall(r"[a-zA-Z_:]+[a-zA-Z0-9_:]*", rule["expr"])) & set(recorded) - {rule.get("record")}:
                assert recorded[name] < offset, (rule.get("record") or rule["alert"], name)
                read += 1
    assert read > 100
    burns, states = (
        [offset for group, offset in zip(groups, offsets, strict=True) if any(name in rule.values() for rule in group["rules"])]
        for name in (records.BUDGET_BURN, records.STATE)
    )
    assert max(burns) < min(states)  # it reads whether they fire


@pytest.mark.full
def test_the_operator_takes_the_objects(config):
    """By the schema of PrometheusRule that it installs, in which a field without a name is refused."""
    go = shutil.which("go")
    command = [go, "mod", "download", "-json", OPERATOR]
    done = go and subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if not done or done.returncode:
        why = "go was not found" if not done else f"{OPERATOR} cannot be downloaded"
        pytest.fail(why) if os.environ.get("TRUEGREEN_REQUIRE") == "1" else pytest.skip(why)
    definition = yaml.safe_load((Path(json.loads(done.stdout)["Dir"]) / CRD).read_text("utf-8"))
    (version,) = (one for one in definition["spec"]["versions"] if one["name"] == "v1")
    schema = Draft202012Validator(_strict(version["schema"]["openAPIV3Schema"]))
    objects = _read(files(config(SOME), 1).files[PROMETHEUSRULE])
    assert objects
    for each in objects:
        assert [error.message for error in schema.iter_errors({**each, "metadata": {}})] == []
        names = [group["name"] for group in each["spec"]["groups"]]
        assert len(set(names)) == len(names)
    wrong = objects[0]
    wrong["spec"]["groups"][0]["rules"][0]["keep_firing"] = "5m"
    assert list(schema.iter_errors({**wrong, "metadata": {}}))


def _strict(node):
    if isinstance(node, list):
        return [_strict(one) for one in node]
    if not isinstance(node, dict):
        return node
    made = {key: _strict(value) for key, value in node.items()}
    if isinstance(node.get("properties"), dict) and node.get("type") == "object":
        made.setdefault("additionalProperties", False)
    return made
