"""Kubernetes manifests: truegreen collectors, the tier in front of them, and who may talk to whom."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any, Final

from truegreen.collector import generate_mounted, generate_otelcol, generate_scrape, generate_secured
from truegreen.collector.generate_otelcol import comment, text, yaml_of
from truegreen.core.config import Config
from truegreen.core.config.model import Collector
from truegreen.core.config.receiver import Receiver

NAME: Final = "truegreen-collector"
HEADLESS: Final = "truegreen-collector-headless"
BALANCER: Final = "truegreen-balancer"
GRPC, HTTP, METRICS, HEALTH = 4317, 4318, 9465, 13133
OTELCOL_IMAGE: Final = "otel/opentelemetry-collector-contrib:0.155.0"
USER: Final = 10001
SECRET: Final = "truegreen-collector-files"
STORAGE: Final = "1Gi"
"""The state is at most some 40 MB, and written beside the old one; few kinds of volumes are smaller than this."""
STOP_SECONDS: Final = 20
"""What a stop may take besides the flush of what is to be forwarded: the end of requests and the state."""
BUSY: Final = 448 << 20
"""Bytes of memory besides the requests and queues that truegreen.yaml allows."""
HEAD: Final = """truegreen in Kubernetes: {replicas} collectors behind an OpenTelemetry Collector that gives each service's spans to one of them.
Applications send OTLP to {balancer}.{namespace}:4317 (gRPC) or :4318 (HTTP). Apply with `kubectl apply -n {namespace} -f kubernetes.yaml`.
The image is yours to build: FROM python:3.12-slim; RUN pip install 'truegreen[collector]'; ENTRYPOINT ["truegreen"].
ServiceMonitor needs the Prometheus operator; its labels must be those that your Prometheus selects. honorLabels keeps the labels service and environment
as the applications said them: without it every rule would match nothing.
Each collector keeps its gauges on a volume of the default storage class. A collector that restarts begins its counters anew, as Prometheus expects. When their
number changes, some services move to another collector.{secret}"""
SECRET_HEAD: Final = """
truegreen.yaml names files; make the Secret that holds them first, beside truegreen.yaml (none of it is in this file):
  {command}"""
CERTIFICATE: Final = """
AUTHORITY.crt is who issued the collectors' certificate, which must name {service} (collectors) and {balancer}.{namespace} (what applications send to){clients}."""
OPEN: Final = """
Whoever reaches the balancer may send: NetworkPolicies hold only where the cluster's network enforces them. collector.token_file of truegreen.yaml asks for tokens."""
CLIENTS: Final = ", and be one that client_ca lets in: the balancer shows it to the collectors"
TOKEN: Final = """
Applications send one of the tokens; the balancer asks for them, and sends the first of them on to the collectors. It reads that one when it starts."""


def manifests(config: Config, scrape_interval: str) -> Sequence[Mapping[str, Any]]:
    """All objects, in the order in which they are applied.

    Args:
        config: what truegreen.yaml says; its own endpoints do not matter, pods listen on all addresses.
        scrape_interval: as Prometheus writes it, such as `30s`.
    """
    own, receiver = config.collector, config.collector.receiver
    kubernetes = own.kubernetes
    namespace = kubernetes.namespace
    written, files = generate_mounted.settings(config)
    balanced = text(_balancing(receiver, namespace), "Written by `truegreen generate collector`.")
    secured = _secured(receiver)
    return [
        _object("v1", "ConfigMap", NAME, namespace, data={"truegreen.yaml": written}),
        _object("v1", "ConfigMap", BALANCER, namespace, data={"balancer.yaml": balanced}),
        _workload(
            "StatefulSet", NAME, namespace, kubernetes.replicas, written, _collector(own, scrape_interval, bool(files)),
            serviceName=HEADLESS, podManagementPolicy="Parallel",
            volumeClaimTemplates=[{
                "metadata": {"name": "state"},
                "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": STORAGE}}},
            }],
        ),
        _workload("Deployment", BALANCER, namespace, 2, balanced, _balancer(secured, bool(receiver.token_file))),
        _service(HEADLESS, NAME, namespace, {"otlp-grpc": GRPC, "otlp-http": HTTP, "metrics": METRICS}, clusterIP="None"),
        _service(BALANCER, BALANCER, namespace, {"otlp-grpc": GRPC, "otlp-http": HTTP}),
        _object(
            "monitoring.coreos.com/v1", "ServiceMonitor", NAME, namespace,
            spec={
                "selector": {"matchLabels": _labels(NAME)},
                "endpoints": [{
                    "port": "metrics", "path": "/metrics", "interval": scrape_interval, "honorLabels": True,
                    "metricRelabelings": [
                        {"sourceLabels": ["__name__"], "regex": generate_scrape.created(config.metrics), "action": "drop"},
                    ],
                }],
            },
        ),
        _policy(NAME, namespace, [
            _allowed([{"podSelector": {"matchLabels": _labels(BALANCER)}}], [GRPC]),
            _allowed([{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": kubernetes.prometheus_namespace}}}], [METRICS]),
        ]),
        _policy(BALANCER, namespace, [_allowed([{"namespaceSelector": {}}], [GRPC, HTTP])]),
    ]  # fmt: skip


def file(config: Config, scrape_interval: str) -> str:
    """The text of `kubernetes.yaml`; arguments as for `manifests`."""
    kubernetes, receiver = config.collector.kubernetes, config.collector.receiver
    names = {"namespace": kubernetes.namespace, "balancer": BALANCER, "service": service_name(kubernetes.namespace)}
    files = generate_mounted.settings(config)[1]
    said = ""
    if files:
        said = SECRET_HEAD.format(command=generate_mounted.secret(SECRET, kubernetes.namespace, files))
    if receiver.tls:
        said += CERTIFICATE.format(**names, clients=CLIENTS if receiver.tls.client_ca else "")
    if receiver.token_file:
        said += TOKEN
    elif not (receiver.tls and receiver.tls.client_ca):
        said += OPEN
    head = comment(HEAD.format(**names, replicas=kubernetes.replicas, secret=said))
    return head + "".join("---\n" + yaml_of(one) for one in manifests(config, scrape_interval))


def service_name(namespace: str) -> str:
    """The DNS name that resolves to all collectors."""
    return f"{HEADLESS}.{namespace}.svc.cluster.local"


def _balancing(asked: Receiver, namespace: str) -> Mapping[str, Any]:
    """The balancer's configuration: reached on its pod's address, and asking for what the collectors ask for."""
    files = {name: f"{generate_mounted.FILES}/{name}" for name in generate_secured.NAMES}
    made = dict(generate_otelcol.balancer((), service_name(namespace), queue=False, asked=asked, files=files))
    listening = generate_otelcol.receiver(f"${{env:POD_IP}}:{GRPC}", f"${{env:POD_IP}}:{HTTP}", asked.limits.request)
    extensions, protocols = generate_secured.server(asked, listening, files)
    made["extensions"] = {"health_check": {"endpoint": f"${{env:POD_IP}}:{HEALTH}"}, **extensions}
    made["receivers"] = {"otlp": {"protocols": protocols}}
    made["service"] = {**made["service"], "extensions": list(made["extensions"])}
    return made


def _secured(asked: Receiver) -> Sequence[str]:
    """The files of the Secret that the balancer reads."""
    tls = ([generate_secured.AUTHORITY, generate_secured.CERT, generate_secured.KEY] if asked.tls else []) + (
        [generate_secured.CLIENTS] if asked.tls and asked.tls.client_ca else []
    )
    return [*tls, *([generate_secured.TOKENS] if asked.token_file else [])]


def _labels(name: str) -> Mapping[str, str]:
    return {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "truegreen"}


def _object(api: str, kind: str, name: str, namespace: str, **rest: Any) -> Mapping[str, Any]:
    return {
        "apiVersion": api,
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace, "labels": dict(_labels(name))},
        **rest,
    }


def _workload(
    kind: str, name: str, namespace: str, replicas: int, read: str, pod: Mapping[str, Any], **rest: Any
) -> Mapping[str, Any]:
    spread = {
        "maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": _labels(name)},
    }  # fmt: skip
    security = {
        "runAsNonRoot": True,
        "runAsUser": USER,
        "runAsGroup": USER,
        "fsGroup": USER,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    # Pods are replaced when what they read at their start is another.
    digest = hashlib.sha256(read.encode()).hexdigest()
    template = {
        "metadata": {"labels": _labels(name), "annotations": {"truegreen/configuration": digest}},
        "spec": {
            "automountServiceAccountToken": False,
            "securityContext": security,
            "topologySpreadConstraints": [spread],
            **pod,
        },
    }
    spec = {**rest, "replicas": replicas, "selector": {"matchLabels": _labels(name)}, "template": template}
    return _object("apps/v1", kind, name, namespace, spec=spec)


def _collector(own: Collector, scrape_interval: str, files: bool) -> Mapping[str, Any]:
    arguments = ["collect", "--config", f"{generate_mounted.FOLDER}/truegreen.yaml", "--scrape-interval", scrape_interval]
    for option, port in (("http", HTTP), ("grpc", GRPC), ("metrics", METRICS)):
        arguments += [f"--{option}-endpoint", f"0.0.0.0:{port}"]
    memory = BUSY + own.receiver.limits.in_flight + sum(destination.queue for destination in own.forward)
    mounts = [
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108  # of its own
        {"name": "configuration", "mountPath": generate_mounted.FOLDER, "readOnly": True},
        {"name": "state", "mountPath": generate_mounted.STATE},
    ]
    volumes: list[Mapping[str, Any]] = [{"name": "tmp", "emptyDir": {}}, {"name": "configuration", "configMap": {"name": NAME}}]
    if files:
        mounts.append({"name": "files", "mountPath": generate_mounted.FILES, "readOnly": True})
        volumes.append({"name": "files", "secret": {"secretName": SECRET}})
    return {
        "terminationGracePeriodSeconds": ceil(own.flush) + STOP_SECONDS,
        "containers": [{
            "name": "collector", "image": own.kubernetes.image, "args": arguments,
            "ports": _ports({"otlp-grpc": GRPC, "otlp-http": HTTP, "metrics": METRICS}),
            "readinessProbe": {"httpGet": {"path": "/readyz", "port": "metrics"}, "periodSeconds": 5},
            "livenessProbe": {"httpGet": {"path": "/healthz", "port": "metrics"}, "periodSeconds": 10, "failureThreshold": 6},
            "resources": {"requests": {"cpu": "250m", "memory": "160Mi"}, "limits": {"memory": f"{-(-memory // (1 << 20))}Mi"}},
            "securityContext": _confined(),
            "volumeMounts": mounts,
        }],
        "volumes": volumes,
    }  # fmt: skip


def _balancer(secured: Sequence[str], token: bool) -> Mapping[str, Any]:
    environment = [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]
    mounts = [{"name": "configuration", "mountPath": "/etc/otelcol", "readOnly": True}]
    volumes: list[Mapping[str, Any]] = [{"name": "configuration", "configMap": {"name": BALANCER}}]
    if token:
        key = {"name": SECRET, "key": generate_mounted.TOKEN_KEY}
        environment.append({"name": generate_secured.TOKEN, "valueFrom": {"secretKeyRef": key}})
    if secured:
        mounts.append({"name": "files", "mountPath": generate_mounted.FILES, "readOnly": True})
        items = [{"key": name, "path": name} for name in secured]
        volumes.append({"name": "files", "secret": {"secretName": SECRET, "items": items}})
    return {
        "containers": [{
            "name": "balancer", "image": OTELCOL_IMAGE, "args": ["--config=/etc/otelcol/balancer.yaml"], "env": environment,
            "ports": _ports({"otlp-grpc": GRPC, "otlp-http": HTTP, "health": HEALTH}),
            "readinessProbe": {"httpGet": {"path": "/", "port": "health"}, "periodSeconds": 5},
            "livenessProbe": {"httpGet": {"path": "/", "port": "health"}, "periodSeconds": 10, "failureThreshold": 6},
            "resources": {"requests": {"cpu": "250m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
            "securityContext": _confined(),
            "volumeMounts": mounts,
        }],
        "volumes": volumes,
    }  # fmt: skip


def _confined() -> Mapping[str, Any]:
    return {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


def _ports(named: Mapping[str, int]) -> list[Mapping[str, Any]]:
    return [{"name": name, "containerPort": port} for name, port in named.items()]


def _service(name: str, of: str, namespace: str, ports: Mapping[str, int], **rest: Any) -> Mapping[str, Any]:
    # gRPC on a port of that protocol is named for meshes and proxies that look at it.
    protocols = {"otlp-grpc": "grpc", "otlp-http": "http", "metrics": "http"}
    listed = [{"name": key, "port": port, "targetPort": key, "appProtocol": protocols[key]} for key, port in ports.items()]
    made = dict(_object("v1", "Service", name, namespace, spec={**rest, "selector": dict(_labels(of)), "ports": listed}))
    made["metadata"] = {**made["metadata"], "labels": dict(_labels(of))}
    return made


def _policy(name: str, namespace: str, ingress: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    spec = {"podSelector": {"matchLabels": _labels(name)}, "policyTypes": ["Ingress"], "ingress": list(ingress)}
    return _object("networking.k8s.io/v1", "NetworkPolicy", name, namespace, spec=spec)


def _allowed(sources: Sequence[Mapping[str, Any]], ports: Sequence[int]) -> Mapping[str, Any]:
    return {"from": list(sources), "ports": [{"protocol": "TCP", "port": port} for port in ports]}
