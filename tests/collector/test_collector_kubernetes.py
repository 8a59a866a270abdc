"""The ServiceMonitor against the Prometheus operator's own schema, which the module proxy of Go serves."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

MODULE = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
CRD = "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml"

pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
def schema() -> Mapping[str, Any]:
    """The schema of a ServiceMonitor; a field that it does not name is refused, where the API server would drop it in silence."""
    go = shutil.which("go")
    done = go and subprocess.run(
        [go, "mod", "download", "-json", MODULE], capture_output=True, text=True, timeout=300, check=False
    )
    if not done or done.returncode:
        why = "go was not found" if not done else f"{MODULE} cannot be downloaded"
        pytest.fail(why) if os.environ.get("TRUEGREEN_REQUIRE") == "1" else pytest.skip(why)
    definition = yaml.safe_load((Path(json.loads(done.stdout)["Dir"]) / CRD).read_text())
    (version,) = (one for one in definition["spec"]["versions"] if one["name"] == "v1")
    return strict(version["schema"]["openAPIV3Schema"])


def strict(node: Any) -> Any:
    """The same schema, with no other properties than those that it names."""
    if isinstance(node, list):
        return [strict(one) for one in node]
    if not isinstance(node, dict):
        return node
    made = {key: strict(value) for key, value in node.items()}
    if isinstance(node.get("properties"), dict) and node.get("type") == "object":
        made.setdefault("additionalProperties", False)
    return made


def monitor(repo: Path) -> dict[str, Any]:
    """The generated one."""
    objects = yaml.safe_load_all((repo / "collector" / "generated" / "kubernetes.yaml").read_text())
    found: dict[str, Any] = next(one for one in objects if one["kind"] == "ServiceMonitor")
    return found


def problems(schema: Mapping[str, Any], one: Mapping[str, Any]) -> list[str]:
    """What is wrong with an object; its metadata are Kubernetes' own."""
    return [error.message for error in Draft202012Validator(schema).iter_errors({**one, "metadata": {}})]


def test_the_service_monitor_is_one_that_the_operator_takes(schema: Mapping[str, Any], repo: Path) -> None:
    """As it is committed."""
    assert not problems(schema, monitor(repo))


def test_a_misspelt_field_is_found(schema: Mapping[str, Any], repo: Path) -> None:
    """The schema is strict enough to see what would be dropped."""
    wrong = monitor(repo)
    wrong["spec"]["endpoints"][0]["honorLabel"] = wrong["spec"]["endpoints"][0].pop("honorLabels")
    assert problems(schema, wrong)
