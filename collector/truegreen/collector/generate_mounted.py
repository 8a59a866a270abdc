"""What a pod of truegreen's collector finds in its folders: the configuration, with what the user's own says, and the files of a Secret that it names."""

from __future__ import annotations

import copy
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any, Final

from truegreen.collector.generate_otelcol import yaml_of
from truegreen.collector.generate_secured import AUTHORITY, CERT, CLIENTS, KEY, TOKENS
from truegreen.core.config import Config, parse_text

FOLDER: Final = "/etc/truegreen"
FILES: Final = "/etc/truegreen-files"
"""Not below `FOLDER`, in which nothing can be mounted: it is read-only."""
STATE: Final = "/var/lib/truegreen"
TOKEN_KEY: Final = "token"
_ELSEWHERE: Final = ("http_endpoint", "grpc_endpoint", "metrics_endpoint", "backends", "kubernetes")
"""Keys that the manifests themselves answer."""


def settings(config: Config) -> tuple[str, Mapping[str, str]]:
    """The `truegreen.yaml` of a pod, and the Secret's keys with the user's path of each file; only what is no default is written."""
    given: dict[str, Any] = copy.deepcopy(dict(config.written.get("collector", {})))
    defaults = parse_text("", "defaults", {}, None).written["collector"]
    files = {}
    for holder, key, name in _named(given):
        files[name] = holder[key]
        holder[key] = f"{FILES}/{name}"
    said = {key: value for key, value in given.items() if key not in _ELSEWHERE and value != defaults[key]}
    said["state"] = f"{STATE}/state.json"
    made: dict[str, Any] = {"collector": said}
    if "metrics" in config.written:
        made["metrics"] = config.written["metrics"]
    return yaml_of(made), files


def secret(name: str, namespace: str, files: Mapping[str, str]) -> str:
    """The command that makes the Secret of these files; it also has what the balancer sends with."""
    parts = [f"--from-file={key}={path}" for key, path in files.items()]
    if CERT in files:
        parts.append(f"--from-file={AUTHORITY}=AUTHORITY.crt")
    parts = [shlex.quote(part) for part in parts]
    if TOKENS in files:
        parts.append(f'--from-literal={TOKEN_KEY}="$(head -n 1 {shlex.quote(files[TOKENS])})"')
    return " \\\n    ".join([f"kubectl create secret generic {name} -n {namespace}", *parts])


def _named(given: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str, str]]:
    """Each place where a file is named: what holds it, the key there, and the Secret's key."""
    for key, name in (("cert", CERT), ("key", KEY), ("client_ca", CLIENTS)):
        if key in given.get("tls", {}):
            yield given["tls"], key, name
    if given.get("token_file"):
        yield given, "token_file", TOKENS
    for place, destination in enumerate(given.get("forward", ())):
        beginning = f"forward-{place}-{destination['name']}"
        for key in destination["tls"]:
            yield destination["tls"], key, f"{beginning}-tls-{key}"
        headers = [(header, value) for header, value in destination["headers"].items() if isinstance(value, dict)]
        for header, value in headers:
            yield value, "file", f"{beginning}-{re.sub(r'[^A-Za-z0-9_.-]', '-', header)}"
