"""What the generated files carry of `truegreen.yaml`: TLS, tokens, forwarding, state, limits and a user's own metrics."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from truegreen.collector import generate_kubernetes
from truegreen.collector.commands import collect
from truegreen.collector.generate import files
from truegreen.collector.generate_mounted import FILES
from truegreen.collector.generate_scrape import created
from truegreen.core.config import Config, check, parse_text
from truegreen.core.words import catalogue

ENTRY = {
    "name": "shop.many",
    "unit": "{cart}",
    "kind": "counter",
    "description": "Carts that a call spoke of.",
    "span": "llm",
    "labels": ["model"],
}
FORWARD = [
    {
        "name": "tempo", "endpoint": "https://tempo:4318", "queue": "32MiB", "tls": {"ca": "tempo.pem"},
        "headers": {"Authorization": {"file": "tempo token"}, "X-Scope": "team"},
    }
]  # fmt: skip
SECURED = {"tls": {"cert": "c.pem", "key": "k.pem", "client_ca": "ca.pem"}, "token_file": "tokens"}
CARRIED: Mapping[str, Any] = {
    "tls": SECURED["tls"], "token_file": "tokens", "limits": {"request": "30MiB"}, "forward": FORWARD, "flush": "90s",
}  # fmt: skip
OURS = {"http_endpoint", "grpc_endpoint", "metrics_endpoint", "backends", "kubernetes", "state", "canary_endpoint"}
"""What the manifests answer themselves: the ports of pods, how many there are, a volume; and where the canary, which runs elsewhere, is scraped."""


def read(**collector: Any) -> Config:
    own = {"metrics": {"entries": [ENTRY]}} if collector.pop("metrics", False) else {}
    return parse_text(json.dumps({"collector": collector} | own), "t", {}, None)


def made(**collector: Any) -> Mapping[str, str]:
    return files(read(**collector), 1).files


def manifests(**collector: Any) -> Mapping[tuple[str, str], Any]:
    found = yaml.safe_load_all(generate_kubernetes.file(read(**collector), "30s"))
    return {(one["kind"], one["metadata"]["name"]): one for one in found}


def pod(found: Mapping[tuple[str, str], Any], kind: str, name: str) -> Any:
    return found[kind, name]["spec"]["template"]["spec"]


def mounted(spec: Any) -> Mapping[str, Any]:
    """What is where in the first container: folder to volume."""
    volumes = {one["name"]: one for one in spec["volumes"]}
    return {one["mountPath"]: volumes.get(one["name"]) for one in spec["containers"][0]["volumeMounts"]}


@pytest.mark.parametrize("key", CARRIED)
def test_kubernetes_says_what_the_configuration_says(key: str) -> None:
    """Each key of `collector` is in the pods' own configuration, or is one that the manifests answer; a new one is not forgotten."""
    assert {*CARRIED, *OURS} == set(check.schema()["properties"]["collector"]["properties"])
    plain, said = (found["ConfigMap", "truegreen-collector"]["data"]["truegreen.yaml"] for found in (
        manifests(), manifests(**{key: CARRIED[key]}),
    ))  # fmt: skip
    assert key not in yaml.safe_load(plain)["collector"]
    assert key in yaml.safe_load(said)["collector"]


def test_the_pods_configuration_is_the_users_with_the_files_of_a_secret() -> None:
    """Read as the collector reads it, all is as in the user's own but the places of files, and every file is a key of the Secret."""
    wanted, found = read(**CARRIED, metrics=True), manifests(**CARRIED, metrics=True)
    given = parse_text(found["ConfigMap", "truegreen-collector"]["data"]["truegreen.yaml"], "pod", {}, None)
    assert given.metrics.own == wanted.metrics.own
    assert given.collector.flush == 90.0
    assert given.collector.receiver.limits == wanted.collector.receiver.limits
    (tempo,), (asked,) = given.collector.forward, wanted.collector.forward
    assert (tempo.endpoint, tempo.headers, tempo.queue) == (asked.endpoint, asked.headers, asked.queue)
    tls, token, ca = given.collector.receiver.tls, given.collector.receiver.token_file, tempo.ca
    assert tls
    assert token
    assert ca
    places = [tls.cert, tls.key, tls.client_ca, token, ca, *tempo.header_files.values()]
    command = made(**CARRIED)["kubernetes.yaml"].partition("---\n")[0]
    for place, path in zip(places, ("c.pem", "k.pem", "ca.pem", "tokens", "tempo.pem", "tempo token"), strict=True):
        assert place is not None
        assert place.parent == Path(FILES)
        assert re.fullmatch(r"[-._a-zA-Z0-9]+", place.name)
        assert f"--from-file={place.name}={path}" in command
    collector = pod(found, "StatefulSet", "truegreen-collector")
    folders = mounted(collector)
    assert folders[FILES]["secret"]["secretName"] in command
    arguments = collector["containers"][0]["args"]
    config = Path(collect.make_context("collect", arguments[1:]).params["config_path"])
    assert folders[str(config.parent)]["configMap"]["name"] == "truegreen-collector"


def test_no_secret_is_asked_for_where_the_configuration_names_no_file() -> None:
    """With the defaults there is none, and pods start."""
    text = made()["kubernetes.yaml"]
    assert "secret" not in text.lower()
    assert "Whoever reaches the balancer may send" in text
    assert "Whoever" not in made(**SECURED)["kubernetes.yaml"]


def test_the_balancer_in_kubernetes_asks_for_what_the_collectors_ask_for() -> None:
    """By files of the Secret and the first token; collectors are found by address, so their certificate is asked for a name."""
    found = manifests(**SECURED)
    said = found["ConfigMap", "truegreen-balancer"]["data"]["balancer.yaml"]
    spec = pod(found, "Deployment", "truegreen-balancer")
    (volume,) = (one["secret"] for one in spec["volumes"] if "secret" in one)
    assert set(re.findall(rf"{FILES}/(\S+)", said)) == {one["path"] for one in volume["items"]}
    assert set(re.findall(r"\$\{env:(\w+)\}", said)) == {one["name"] for one in spec["containers"][0]["env"]}
    configuration = yaml.safe_load(said)
    for exporter in configuration["exporters"].values():
        settings, resolver = exporter["protocol"]["otlp"]["tls"], exporter["resolver"]["dns"]
        assert settings["server_name_override"] == resolver["hostname"]
    for protocol in configuration["receivers"]["otlp"]["protocols"].values():
        assert {"tls", "auth"} <= set(protocol)


def test_pods_keep_their_state_and_have_the_time_and_the_memory_that_the_configuration_allows() -> None:
    """A volume for each; a stop may flush; queues and requests fit."""
    for found, seconds, memory in (manifests(), 30, 512), (manifests(flush="90s", forward=FORWARD), 110, 544):
        workload = found["StatefulSet", "truegreen-collector"]
        state = Path(yaml.safe_load(found["ConfigMap", "truegreen-collector"]["data"]["truegreen.yaml"])["collector"]["state"])
        (claim,) = workload["spec"]["volumeClaimTemplates"]
        spec = pod(found, "StatefulSet", "truegreen-collector")
        (mount,) = (one for one in spec["containers"][0]["volumeMounts"] if one["mountPath"] == str(state.parent))
        assert mount["name"] == claim["metadata"]["name"]
        assert not mount.get("readOnly")
        assert spec["terminationGracePeriodSeconds"] == seconds
        assert spec["containers"][0]["resources"]["limits"]["memory"] == f"{memory}Mi"


def test_another_configuration_replaces_the_pods() -> None:
    """What they read at their start is in an annotation."""
    before, after = (
        found["StatefulSet", "truegreen-collector"]["spec"]["template"]["metadata"]["annotations"]
        for found in (manifests(), manifests(limits={"requests": 100}))
    )
    assert before != after


def test_secured_manifests_are_valid() -> None:
    """By the schemas of Kubernetes."""
    validate = pytest.importorskip("kubernetes_validate").validate
    for (kind, _), one in manifests(**CARRIED, metrics=True).items():
        if kind != "ServiceMonitor":
            validate(one, "1.31", strict=True)


@pytest.mark.parametrize("name", ["tee.yaml", "balancer.yaml", "balancer_queue.yaml"])
def test_what_sends_to_a_secured_collector_has_a_certificate_and_a_token_of_the_environment(name: str) -> None:
    """Each exporter; without TLS and tokens it has neither, and the file's head says what is read."""
    for secured in ({}, SECURED):
        text = made(backends=["a.internal:4317"], **secured)[name]
        read_ = set(re.findall(r"\$\{env:(\w+)\}", text))
        assert read_ == (
            {"TRUEGREEN_TOKEN", "TRUEGREEN_CA_FILE", "TRUEGREEN_CERT_FILE", "TRUEGREEN_KEY_FILE"} if secured else set()
        )
        assert all(one in "".join(re.findall("^#.*", text, re.MULTILINE)) for one in read_)
        for exporter in yaml.safe_load(text)["exporters"].values():
            settings = exporter["protocol"]["otlp"] if "protocol" in exporter else exporter
            assert settings["tls"].get("insecure", False) is not bool(secured)
            assert ("headers" in settings) is bool(secured)
    if name == "tee.yaml":
        assert yaml.safe_load(text)["exporters"]["otlp_http/truegreen"]["endpoint"].startswith("https://")


def test_what_a_file_does_not_carry_is_said_in_it_and_on_the_command_line() -> None:
    """A balancer on one machine listens without TLS; the OpenTelemetry Collector instead of ours forwards nothing."""
    found = files(read(**SECURED, forward=FORWARD, state="state.json"), 1)
    said = "\n".join(found.statement)
    for name, keys in (
        ("balancer.yaml", ("tls", "token_file")),
        ("otelcol_metrics.yaml", ("tls", "token_file", "forward", "state")),
    ):
        for key in keys:
            assert f"collector.{key}" in found.files[name].partition("extensions:")[0]
        assert f"{name}: Not in it" in said
    assert "Not in it" not in "".join(made().values())


def test_when_a_series_began_is_not_kept_as_one_more_series() -> None:
    """Of ours and of a user's own, in both scrape configurations; no metric that somebody asks for is dropped."""
    config, found = read(metrics=True), manifests(metrics=True)
    pattern = re.compile(created(config.metrics))
    assert not any(pattern.fullmatch(one.prometheus) for one in catalogue.ALL)
    assert all(map(pattern.fullmatch, ("truegreen_llm_requests_created", "shop_many_created")))
    assert not pattern.fullmatch("http_requests_created")
    (rule,) = yaml.safe_load(made(metrics=True)["scrape.yml"])["scrape_configs"][0]["metric_relabel_configs"]
    (other,) = found["ServiceMonitor", "truegreen-collector"]["spec"]["endpoints"][0]["metricRelabelings"]
    assert rule == {"source_labels": ["__name__"], "regex": pattern.pattern, "action": "drop"}
    assert other == {"sourceLabels": ["__name__"], "regex": pattern.pattern, "action": "drop"}


def test_the_tee_gives_to_a_pipeline_of_its_own() -> None:
    """What a team adds to its pipelines takes at once; the exporter, which may say that its queue is full, stands behind a batch."""
    tee = yaml.safe_load(made()["tee.yaml"])
    for pipeline in tee["service"]["pipelines"].values():
        assert pipeline["receivers"] == list(tee["connectors"])
        assert pipeline["processors"] == list(tee["processors"])
        assert pipeline["exporters"] == list(tee["exporters"])
