"""What Grafana is provisioned with: data sources, where exemplars lead, the folder of the boards; as files and as ConfigMaps."""

from __future__ import annotations

import json

import pytest
import yaml

from truegreen.core.errors import BadInput
from truegreen.core.words import boards as uids
from truegreen.dashboards import configmaps

SOURCES = "provisioning/datasources/truegreen.yaml"
LANGFUSE = "routes: {trace_url: 'https://cloud.langfuse.com/project/p$1/traces/{trace_id}'}\n"


def _sources(generated):
    return {each["type"]: each for each in yaml.safe_load(generated.files[SOURCES])["datasources"]}


def test_exemplars_lead_to_the_tempo_and_to_the_configured_address(plain, made):
    """Without a target in the data source, exemplars are dots that lead nowhere; `$$` keeps Grafana from filling in its environment."""
    tempo = {"name": "trace_id", "datasourceUid": "truegreen-traces"}
    found = _sources(plain)
    assert found["prometheus"]["jsonData"]["exemplarTraceIdDestinations"] == [tempo]
    assert found["tempo"]["uid"] == "truegreen-traces"
    both = _sources(made(LANGFUSE))["prometheus"]["jsonData"]["exemplarTraceIdDestinations"]
    address = "https://cloud.langfuse.com/project/p$$1/traces/$${__value.raw}"
    assert both == [{"name": "trace_id", "url": address, "urlDisplayLabel": "Langfuse"}, tempo]


SECRET = """\
incidents:
  prometheus_url: 'http://us%40r:ge$heim@prom:9090/$tenant/'
  alertmanager_url: 'http://am:not-told@am:9093'
"""


def test_no_password_of_an_address_is_in_any_file(made):
    """Grafana takes it from its own environment; the user and the bare address are kept, and no other dollar sign is filled in."""
    generated = made(SECRET)
    assert not [name for name, text in generated.files.items() if "ge$heim" in text or "ge$$heim" in text or "not-told" in text]
    found = _sources(generated)
    assert {key: found["prometheus"][key] for key in ("url", "basicAuth", "basicAuthUser", "secureJsonData")} == {
        "url": "http://prom:9090/$$tenant",
        "basicAuth": True,
        "basicAuthUser": "us@r",
        "secureJsonData": {"basicAuthPassword": "$TRUEGREEN_PROMETHEUS_PASSWORD"},
    }
    assert found["alertmanager"]["secureJsonData"] == {"basicAuthPassword": "$TRUEGREEN_ALERTMANAGER_PASSWORD"}
    assert "TRUEGREEN_PROMETHEUS_PASSWORD and TRUEGREEN_ALERTMANAGER_PASSWORD" in generated.files[SOURCES].splitlines()[0]
    assert sum("passwords are not written" in line for line in generated.statement) == 2


def test_a_dollar_sign_that_grafana_would_fill_in_is_refused_by_its_key(made):
    """Once, and not for each panel that has the address."""
    with pytest.raises(BadInput, match=r"^routes\.trace_url: Grafana reads \$proj as a variable.*%24[^\n]*$"):
        made("routes: {trace_url: 'https://traces.example/$proj/{trace_id}'}\n")


def test_alerts_of_the_rules_are_seen_in_grafana(made):
    """Its Alertmanager is Prometheus' own, which is read only through that implementation."""
    found = _sources(made("incidents: {alertmanager_url: 'http://am:9093'}\n"))
    assert found["alertmanager"]["url"] == "http://am:9093"
    assert found["alertmanager"]["jsonData"]["implementation"] == "prometheus"
    assert found["prometheus"]["jsonData"]["alertmanagerUid"] == found["alertmanager"]["uid"]


def test_provisioned_and_pushed_boards_come_into_one_folder(plain):
    """By its uid: a title alone makes a second folder."""
    (provider,) = yaml.safe_load(plain.files["provisioning/dashboards/truegreen.yaml"])["providers"]
    assert (provider["folder"], provider["folderUid"]) == ("truegreen", uids.FOLDER_UID)


@pytest.fixture
def maps(plain):
    """The ConfigMaps, by name."""
    return {each["metadata"]["name"]: each for each in yaml.safe_load_all(plain.files["kubernetes/boards.yaml"])}


def test_each_board_is_a_config_map_that_the_sidecar_takes(plain, boards, maps):
    """The JSON inside is the file's, and each is small enough for `kubectl apply`."""
    inside = {key: json.loads(text) for each in maps.values() for key, text in each["data"].items() if key.endswith(".json")}
    assert inside == boards
    for name, each in maps.items():
        assert len(json.dumps(each)) < configmaps.LARGEST
        if name != "truegreen-datasources":
            assert each["metadata"]["labels"]["grafana_dashboard"] == "1"
            assert each["metadata"]["annotations"] == {"grafana_folder": "truegreen"}
    (text,) = maps["truegreen-datasources"]["data"].values()
    assert text == plain.files[SOURCES]
    assert maps["truegreen-datasources"]["metadata"]["labels"]["grafana_datasource"] == "1"


def test_kubernetes_takes_the_config_maps(maps):
    """By the schemas of Kubernetes."""
    validate = pytest.importorskip("kubernetes_validate").validate
    for each in maps.values():
        validate(each, "1.31", strict=True)
