"""The examples run as their READMEs say, against a local server that speaks the OpenAI contract."""

import gzip
import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from truegreen.core.clients import processes

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / folder) for folder in ("collector", "instrumentation")]
from agent_world import calls, says, scripted  # noqa: E402
from collector_process import ended, running, until  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
QUESTION = "How many days may I work from home?"


@pytest.fixture
def exported():
    """A local OTLP receiver: its address and the requests that came in."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/v1/traces":
                bodies.append(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", bodies
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def provider(tmp_path):
    """The demo's provider, on a free port."""
    port = processes.free_port()
    log = (tmp_path / "provider.log").open("w+b")
    process = subprocess.Popen(
        [sys.executable, "-m", "truegreen.demo.world.provider", "--port", str(port)], stdout=subprocess.PIPE, stderr=log
    )
    assert b"provider on" in process.stdout.readline()
    yield f"http://127.0.0.1:{port}/v1"
    process.terminate()
    process.wait(10)
    process.stdout.close()
    log.close()


def spans(bodies):
    for body in bodies:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    yield span, {a.key: a.value for a in span.attributes}


def run(example, question, provider, exported, folder, said=""):
    """Run an example zero-code, as its README says."""
    return subprocess.run(
        [
            str(Path(sys.executable).with_name("opentelemetry-instrument")),
            sys.executable,
            str(ROOT / "examples" / example / "app.py"),
            question,
        ],
        input=said,
        capture_output=True,
        text=True,
        timeout=120,
        cwd=folder,
        env={
            **{k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "TRUEGREEN_"))},
            "OPENAI_API_KEY": "test",
            "OPENAI_BASE_URL": provider,
            "OTEL_SERVICE_NAME": "handbook",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
            "OTEL_EXPORTER_OTLP_ENDPOINT": exported,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        },
    )


@pytest.mark.parametrize("example", ["openai_app", "langchain_rag"])
def test_an_example_runs_zero_code_and_its_answer_is_judged_against_its_passages(example, provider, exported, tmp_path):
    """`opentelemetry-instrument python app.py`: an answer, one chat span with snapshot and raw score; no text exported."""
    endpoint, bodies = exported
    done = run(example, QUESTION, provider, endpoint, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "three days" in done.stdout
    chats = [
        a
        for _, a in spans(bodies)
        if a.get("gen_ai.operation.name") is not None and a["gen_ai.operation.name"].string_value == "chat"
    ]
    counted = [a for a in chats if not ("truegreen.duplicate" in a and a["truegreen.duplicate"].bool_value)]
    assert len(counted) == 1
    assert 0 < counted[0]["truegreen.evaluation.groundedness.raw"].double_value < 1
    assert counted[0]["truegreen.evaluation.groundedness.skipped"].string_value == "no_baseline"
    assert len(counted[0]["truegreen.snapshot.id"].string_value) == 12
    everything = b"".join(bodies)
    assert b"three days" not in everything and b"work from home" not in everything and b"second class" not in everything
    assert "truegreen" in done.stderr


@pytest.mark.parametrize("said", ["y", "n"])
def test_the_langgraph_agent_shows_its_pillars_in_a_running_collector(said, tmp_path):
    """From the model's turns to `/metrics`: steps, an approved and a refused action, the expected branch, the task."""
    collector = running(("--scrape-interval", "50ms"), tmp_path)
    try:
        with scripted() as server:
            server.script = [
                says("refund"),
                calls(("look_up", {"order": "42"}), ("pay_back", {"order": "42"})),
                says("It is done."),
            ]
            done = run(
                "langgraph_agent", "I want my money back for order 42", server.url, f"http://{collector.http}", tmp_path, said
            )
        assert done.returncode == 0, done.stderr
        assert "It is done." in done.stdout

        def counted(metric, **labels):
            inside = "".join(f'(?=[^}}]*{name}="{value}")' for name, value in labels.items())
            found = re.findall(rf"^{metric}\{{{inside}[^}}]*\}} (\S+)$", collector.get("/metrics")[1], re.MULTILINE)
            return sum(map(float, found))

        until(lambda: counted("truegreen_tasks_total", task="support", outcome="completed") == 1, "the task is counted")
        assert counted("truegreen_agent_runs_total", agent="refund", outcome="completed") == 1
        assert counted("truegreen_agent_runs_total", agent="support", outcome="completed") == 1
        assert counted("truegreen_agent_steps_sum", agent="refund") == 4
        assert counted("truegreen_tool_calls_total", outcome="ok") == 2
        assert counted("truegreen_agent_branches_total", agent="support", branch="expected") == 1
        assert counted("truegreen_agent_actions_total", authorization="approved") == (2 if said == "y" else 1)
        assert counted("truegreen_agent_actions_total", authorization="denied") == (0 if said == "y" else 1)
    finally:
        ended(collector)


@pytest.mark.parametrize("example", ["openai_app", "langgraph_agent"])
def test_the_diff_in_an_examples_readme_is_in_its_app(example):
    """Every added line of the README's diff stands in the app."""
    readme = (ROOT / "examples" / example / "README.md").read_text()
    app = [line.strip() for line in (ROOT / "examples" / example / "app.py").read_text().splitlines()]
    added = [line[1:].strip() for line in readme.partition("```diff")[2].partition("```")[0].splitlines() if line.startswith("+")]
    assert [line for line in added if line and line not in app] == []
    assert any("truegreen" in line for line in added)


def test_the_langchain_example_has_no_line_of_ours():
    """As its README says."""
    assert "truegreen" not in (ROOT / "examples" / "langchain_rag" / "app.py").read_text()
