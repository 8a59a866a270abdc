"""The generated files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from truegreen.collector.generate import files
from truegreen.collector.generate_metrics import mark
from truegreen.collector.generate_otelcol import metrics
from truegreen.core.config import parse_text
from truegreen.core.words import catalogue


def made(text: str = "", time_scale: int = 1) -> Mapping[str, str]:
    return files(parse_text(text, "t", {}, None), time_scale).files


def test_committed_files_are_what_the_generator_writes(repo: Path) -> None:
    """With the default configuration, unscaled."""
    found = made()
    folder = repo / "collector" / "generated"
    assert {path.name for path in folder.iterdir()} == set(found)
    for name, text in found.items():
        assert (folder / name).read_text() == text


def test_the_tee_sends_to_the_configured_address_and_a_wildcard_is_reached_locally() -> None:
    """The stanza is YAML with one exporter for traces and logs."""
    found = made("collector: {http_endpoint: '0.0.0.0:14318', metrics_endpoint: 'green.internal:9000'}", 60)
    assert yaml.safe_load(found["tee.yaml"])["exporters"]["otlp_http/truegreen"]["endpoint"] == "http://127.0.0.1:14318"
    job = yaml.safe_load(found["scrape.yml"])["scrape_configs"][0]
    assert (job["honor_labels"], job["scrape_interval"], job["static_configs"][0]["targets"]) == (
        True,
        "1s",
        ["green.internal:9000"],
    )


def test_the_catalogues_marks_are_what_the_compiler_can_do() -> None:
    """`stock` and its reason, of every metric."""
    assert {m.name: (m.stock, m.stock_why) for m in catalogue.ALL} == {m.name: mark(m) for m in catalogue.ALL}


def test_every_metric_that_is_not_marked_none_is_derived_with_all_its_labels() -> None:
    """What the connector defines has, after the renaming, the labels of the catalogue and no other."""
    found = metrics(["groundedness"], 30.0)
    definitions = found["connectors"]["signal_to_metrics"]["spans"]
    assert {d["name"] for d in definitions} == {m.name for m in catalogue.ALL if m.stock != "none"}
    statements = [s for group in found["processors"]["transform/series"]["metric_statements"] for s in group["statements"]]
    renamed = dict(
        re.fullmatch(r'set\(datapoint\.attributes\["([^"]+)"\], datapoint\.attributes\["([^"]+)"\]\) where .* != nil', s).group(
            2, 1
        )  # type: ignore[union-attr]
        for s in statements
        if s.startswith("set(datapoint.attributes") and "], datapoint.attributes[" in s
    )
    for definition in definitions:
        keys = [attribute["key"] for attribute in definition["attributes"]]
        metric = next(m for m in catalogue.ALL if m.name == definition["name"])
        assert [renamed[key] for key in keys if not key.startswith("is/")] == [label.name for label in metric.label_set]


def test_a_users_own_metrics_and_evaluations_are_derived_too() -> None:
    """Those of `truegreen.yaml` as far as they can be."""
    own = """
evaluations: {tone: {}}
metrics:
  labels: {tier: {attribute: shop.tier, default: none, limit: 5}}
  entries:
    - {name: shop.carts, unit: "{cart}", kind: counter, description: Carts that a call spoke of., source: span, span: llm, labels: [tier]}
"""
    definitions = yaml.safe_load(made(own)["otelcol_metrics.yaml"])["connectors"]["signal_to_metrics"]["spans"]
    (carts,) = (d for d in definitions if d["name"] == "shop.carts")
    assert {"key": "shop.tier", "default_value": "none"} in carts["attributes"]
    judged = {a.get("default_value") for d in definitions if d["name"] == "truegreen.evaluations" for a in d["attributes"]}
    assert {"tone", "groundedness"} <= judged


def test_several_collectors_are_named_for_the_balancer_and_for_prometheus() -> None:
    """By address where they are given, else by the name that Kubernetes resolves."""
    found = made("collector: {backends: ['a.internal:4317', 'b.internal:4317']}")
    exporters = yaml.safe_load(found["balancer.yaml"])["exporters"]
    assert exporters["loadbalancing/spans"]["resolver"] == {"static": {"hostnames": ["a.internal:4317", "b.internal:4317"]}}
    assert exporters["loadbalancing/spans"]["routing_key"] == "service"
    targets = yaml.safe_load(found["scrape.yml"])["scrape_configs"][0]["static_configs"][0]["targets"]
    assert targets == ["a.internal:9465", "b.internal:9465"]
    tee, tier = (yaml.safe_load(found[name]) for name in ("tee.yaml", "balancer.yaml"))
    door = tier["receivers"]["otlp"]["protocols"]["http"]["endpoint"]
    assert tee["exporters"]["otlp_http/truegreen"]["endpoint"] == f"http://{door}"
    queued = yaml.safe_load(made("collector: {kubernetes: {namespace: llm}}")["balancer_queue.yaml"])
    exporter = queued["exporters"]["loadbalancing/spans"]
    assert exporter["resolver"]["dns"]["hostname"] == "truegreen-collector-headless.llm.svc.cluster.local"
    assert exporter["sending_queue"]["storage"] in queued["service"]["extensions"]


def objects(**kubernetes: Any) -> list[Mapping[str, Any]]:
    return list(yaml.safe_load_all(made(yaml.safe_dump({"collector": {"kubernetes": kubernetes}}))["kubernetes.yaml"]))


def test_kubernetes_manifests_are_valid() -> None:
    """By the schemas of Kubernetes; those of the operator are read in the slow tests."""
    validate = pytest.importorskip("kubernetes_validate").validate
    for one in objects(replicas=3):
        if one["kind"] != "ServiceMonitor":
            validate(one, "1.31", strict=True)


def test_kubernetes_manifests_hold_together() -> None:
    """Selectors meet labels, ports meet names, the labels of applications survive the scrape, and only the named may connect."""
    found = {
        (one["kind"], one["metadata"]["name"]): one["spec"] if "spec" in one else one["data"]
        for one in objects(replicas=3, namespace="llm", prometheus_namespace="prom")
    }
    workload = found["StatefulSet", "truegreen-collector"]
    labels = workload["template"]["metadata"]["labels"]
    assert (workload["replicas"], workload["serviceName"]) == (3, "truegreen-collector-headless")
    service = found["Service", "truegreen-collector-headless"]
    assert (service["clusterIP"], service["selector"]) == ("None", labels)
    named = {port["name"]: port["containerPort"] for port in workload["template"]["spec"]["containers"][0]["ports"]}
    assert {port["targetPort"]: port["port"] for port in service["ports"]} == named
    (endpoint,) = found["ServiceMonitor", "truegreen-collector"]["endpoints"]
    assert (endpoint["honorLabels"], endpoint["port"]) == (True, "metrics")
    policy = found["NetworkPolicy", "truegreen-collector"]
    spans, scrapes = policy["ingress"]
    assert spans["from"] == [
        {"podSelector": {"matchLabels": found["Deployment", "truegreen-balancer"]["template"]["metadata"]["labels"]}}
    ]
    assert [scrapes["from"][0]["namespaceSelector"]["matchLabels"], scrapes["ports"][0]["port"]] == [
        {"kubernetes.io/metadata.name": "prom"},
        named["metrics"],
    ]
    balancer = yaml.safe_load(found["ConfigMap", "truegreen-balancer"]["balancer.yaml"])
    assert balancer["exporters"]["loadbalancing/spans"]["resolver"]["dns"]["hostname"].startswith(
        "truegreen-collector-headless.llm."
    )
    assert balancer["receivers"]["otlp"]["protocols"]["grpc"]["endpoint"] == "${env:POD_IP}:4317"


def test_the_collectors_arguments_in_kubernetes_are_ones_that_it_takes() -> None:
    """The command line of the manifest, by the command itself."""
    from truegreen.collector.commands import collect

    arguments = next(one for one in objects() if one["kind"] == "StatefulSet")["spec"]["template"]["spec"]["containers"][0][
        "args"
    ]
    assert arguments[0] == "collect"
    collect.make_context("collect", arguments[1:])
