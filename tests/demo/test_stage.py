"""Commands and boards of the stage, as processes."""

import os
from contextlib import ExitStack

import httpx
import pytest

from truegreen.core.clients import engines
from truegreen.core.errors import BadInput
from truegreen.core.words.boards import INCIDENT
from truegreen.demo import files
from truegreen.demo.pager import Pager
from truegreen.demo.processes import Supervisor
from truegreen.demo.stage import Stage, environment, show_boards, truegreen
from truegreen.demo.tap import Tap


@pytest.fixture
def on(tmp_path):
    """A stage with nothing on it yet but its configuration."""
    slos = [{"name": "grounding", "mode": "live", "objective": "40%"}]
    addresses = {"boards": files.free_address()}
    config = files.configuration(
        tmp_path, slos=slos, services=("s",), pager_url="http://127.0.0.1:9", urls={}, smoke=[], serve="127.0.0.1:9",
        routes={"dashboard_url": f"http://{addresses['boards']}"}, more={},
    )  # fmt: skip
    with ExitStack() as stack:
        supervisor = stack.enter_context(Supervisor(tmp_path, environment(os.environ)))
        yield Stage(
            tmp_path, 60, supervisor, Pager(), Tap(), config, "", "", files.free_address(), "", stack, addresses=addresses
        )


def test_bad_usage_of_a_command_is_bad_usage_of_the_demo(on):
    """An objective of 40 % is refused by the generator with exit code 2, and so is the demo."""
    with pytest.raises(BadInput, match=r"refused it: .*40% allows more bad events than good ones"):
        truegreen(on, "generate", "rules", "--out", str(on.folder / "rules"))


def test_the_boards_of_the_stage_ask_its_prometheus(on, engine):
    """The address that alerts link to shows the incident board, with the data of the stage's own Prometheus."""
    engine("prometheus")
    settings = on.folder / "prometheus.yml"
    settings.write_text("global: {scrape_interval: 1s}\n")
    text = on.config.read_text("utf-8")
    on.config.write_text(text.replace("40%", "95%"), "utf-8")
    on.stack.enter_context(engines.prometheus(settings, on.folder / "data", port=int(on.prometheus_address.rpartition(":")[2])))
    url = show_boards(on)
    assert f"dashboard_url: {url}\n" in text
    assert httpx.get(f"{url}/d/{INCIDENT}?var-service=s", trust_env=False).status_code == 200
    answer = httpx.get(f"{url}/api/v1/query", params={"query": "vector(7)"}, trust_env=False).json()
    assert answer["data"]["result"][0]["value"][1] == "7"
