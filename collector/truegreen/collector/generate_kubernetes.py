"""Kubernetes manifests: truegreen collectors, the tier in front of them, and who may talk to whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from truegreen.collector import generate_otelcol
from truegreen.collector.generate_otelcol import comment, text, yaml_of

NAME: Final = "truegreen-collector"
HEADLESS: Final = "truegreen-collector-headless"
BALANCER: Final = "truegreen-balancer"
GRPC, HTTP, METRICS, HEALTH = 4317, 4318, 9465, 13133
OTELCOL_IMAGE: Final = "otel/opentelemetry-collector-contrib:0.155.0"
USER: Final = 10001
HEAD: Final = """truegreen in Kubernetes: {replicas} collectors behind an OpenTelemetry Collector that gives each service's spans to one of them.
Applications send OTLP to {balancer}.{namespace}:4317 (gRPC) or :4318 (HTTP). Apply with `kubectl apply -n {namespace} -f kubernetes.yaml`.
The image is yours to build: FROM python:3.12-slim; RUN pip install 'truegreen[collector]'; ENTRYPOINT ["truegreen"].
ServiceMonitor needs the Prometheus operator; its labels must be those that your Prometheus selects. honorLabels keeps the labels service and environment
as the applications said them: without it every rule would match nothing.
A collector that restarts begins its counters anew, as Prometheus expects. When their number changes, some services move to another collector."""


def manifests(
    namespace: str, replicas: int, image: str, prometheus_namespace: str, scrape_interval: str
) -> Sequence[Mapping[str, Any]]:
    """All objects, in the order in which they are applied.

    Args:
        prometheus_namespace: the namespace from which metrics are scraped.
        scrape_interval: as Prometheus writes it, such as `30s`.
    """
    dns = f"{HEADLESS}.{namespace}.svc.cluster.local"
    configuration = dict(generate_otelcol.balancer((), dns, queue=False))
    configuration["extensions"] = {"health_check": {"endpoint": f"${{env:POD_IP}}:{HEALTH}"}}
    configuration["receivers"] = {
        "otlp": {"protocols": generate_otelcol.receiver(f"${{env:POD_IP}}:{GRPC}", f"${{env:POD_IP}}:{HTTP}")}
    }
    balanced = text(configuration, "Written by `truegreen generate collector`.").replace("$${env:", "${env:")
    return [
        _object("v1", "ConfigMap", BALANCER, namespace, data={"balancer.yaml": balanced}),
        _workload("StatefulSet", NAME, namespace, replicas, _collector(image, scrape_interval), serviceName=HEADLESS,
                  podManagementPolicy="Parallel"),
        _workload("Deployment", BALANCER, namespace, 2, _balancer()),
        _service(HEADLESS, NAME, namespace, {"otlp-grpc": GRPC, "otlp-http": HTTP, "metrics": METRICS}, clusterIP="None"),
        _service(BALANCER, BALANCER, namespace, {"otlp-grpc": GRPC, "otlp-http": HTTP}),
        _object(
            "monitoring.coreos.com/v1", "ServiceMonitor", NAME, namespace,
            spec={
                "selector": {"matchLabels": _labels(NAME)},
                "endpoints": [{"port": "metrics", "path": "/metrics", "interval": scrape_interval, "honorLabels": True}],
            },
        ),
        _policy(NAME, namespace, [
            _allowed([{"podSelector": {"matchLabels": _labels(BALANCER)}}], [GRPC]),
            _allowed([{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": prometheus_namespace}}}], [METRICS]),
        ]),
        _policy(BALANCER, namespace, [_allowed([{"namespaceSelector": {}}], [GRPC, HTTP])]),
    ]  # fmt: skip


def file(namespace: str, replicas: int, image: str, prometheus_namespace: str, scrape_interval: str) -> str:
    """The text of `kubernetes.yaml`; arguments as for `manifests`."""
    made = manifests(namespace, replicas, image, prometheus_namespace, scrape_interval)
    head = comment(HEAD.format(replicas=replicas, namespace=namespace, balancer=BALANCER))
    return head + "".join("---\n" + yaml_of(one) for one in made)


def _labels(name: str) -> Mapping[str, str]:
    return {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "truegreen"}


def _object(api: str, kind: str, name: str, namespace: str, **rest: Any) -> Mapping[str, Any]:
    return {
        "apiVersion": api,
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace, "labels": dict(_labels(name))},
        **rest,
    }


def _workload(kind: str, name: str, namespace: str, replicas: int, pod: Mapping[str, Any], **rest: Any) -> Mapping[str, Any]:
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
    template = {
        "metadata": {"labels": _labels(name)},
        "spec": {
            "automountServiceAccountToken": False,
            "securityContext": security,
            "topologySpreadConstraints": [spread],
            **pod,
        },
    }
    spec = {**rest, "replicas": replicas, "selector": {"matchLabels": _labels(name)}, "template": template}
    return _object("apps/v1", kind, name, namespace, spec=spec)


def _collector(image: str, scrape_interval: str) -> Mapping[str, Any]:
    arguments = ["collect", "--scrape-interval", scrape_interval]
    for option, port in (("http", HTTP), ("grpc", GRPC), ("metrics", METRICS)):
        arguments += [f"--{option}-endpoint", f"0.0.0.0:{port}"]
    return {
        "terminationGracePeriodSeconds": 30,
        "containers": [{
            "name": "collector", "image": image, "args": arguments,
            "ports": _ports({"otlp-grpc": GRPC, "otlp-http": HTTP, "metrics": METRICS}),
            "readinessProbe": {"httpGet": {"path": "/readyz", "port": "metrics"}, "periodSeconds": 5},
            "livenessProbe": {"httpGet": {"path": "/healthz", "port": "metrics"}, "periodSeconds": 10, "failureThreshold": 6},
            "resources": {"requests": {"cpu": "250m", "memory": "160Mi"}, "limits": {"memory": "512Mi"}},
            "securityContext": _confined(),
            "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108  # of its own
        }],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    }  # fmt: skip


def _balancer() -> Mapping[str, Any]:
    address = {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
    return {
        "containers": [{
            "name": "balancer", "image": OTELCOL_IMAGE, "args": ["--config=/etc/otelcol/balancer.yaml"], "env": [address],
            "ports": _ports({"otlp-grpc": GRPC, "otlp-http": HTTP, "health": HEALTH}),
            "readinessProbe": {"httpGet": {"path": "/", "port": "health"}, "periodSeconds": 5},
            "livenessProbe": {"httpGet": {"path": "/", "port": "health"}, "periodSeconds": 10, "failureThreshold": 6},
            "resources": {"requests": {"cpu": "250m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
            "securityContext": _confined(),
            "volumeMounts": [{"name": "configuration", "mountPath": "/etc/otelcol", "readOnly": True}],
        }],
        "volumes": [{"name": "configuration", "configMap": {"name": BALANCER}}],
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
