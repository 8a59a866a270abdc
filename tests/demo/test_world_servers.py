"""The world of the demo under real SDKs: the two contract servers, the agent and its customers, each as a process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from langfuse import Langfuse
from langfuse.api import NotFoundError, UnauthorizedError
from opentelemetry.sdk.trace import TracerProvider

from truegreen.demo import corpus
from truegreen.demo.world import provider, templates, traffic

WAIT_SECONDS = 90.0
CORPUS = corpus.load()
INDEX = corpus.index(CORPUS.passages)


@dataclass
class Server:
    """One process of the world: its address and what it printed."""

    url: str
    log: Path
    handle: subprocess.Popen[bytes]

    def stop(self) -> int:
        """Send SIGTERM; the exit code."""
        self.handle.send_signal(signal.SIGTERM)
        return self.handle.wait(WAIT_SECONDS)


def poll(what: Callable[[], Any]) -> Any:
    """The first true value of `what` before a deadline."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not (found := what()):
        assert time.monotonic() < deadline, "nothing came in time"
        time.sleep(0.02)
    return found


@contextmanager
def started(
    folder: Path, name: str, *arguments: str, environ: Mapping[str, str] = {}, prefix: tuple[str, ...] = ()
) -> Iterator[Server]:
    """A process of the world on a port of its own choice."""
    log = folder / f"{name}-{time.monotonic_ns()}.log"
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "TRUEGREEN_", "LANGFUSE_", "OPENAI_"))}
    argv = [*prefix, sys.executable, "-m", f"truegreen.demo.world.{name}", "--port", "0", *arguments]
    with log.open("wb") as out:
        handle = subprocess.Popen(
            argv, stdout=out, stderr=subprocess.STDOUT, env={**clean, "NO_PROXY": "127.0.0.1", **environ}, cwd=folder
        )

    def address() -> str:
        assert handle.poll() is None, log.read_text()
        said = [line.split(" on ", 1)[1] for line in log.read_text().splitlines() if line.startswith(f"{name} on http")]
        return said[0] if said else ""

    try:
        yield Server(poll(address), log, handle)
    finally:
        if handle.poll() is None:
            handle.kill()
        handle.wait()


@pytest.fixture
def model_server(tmp_path: Path) -> Iterator[Server]:
    """A provider that answers at once."""
    with started(tmp_path, "provider", "--latency-ms", "0", "--jitter-ms", "0") as server:
        yield server


@pytest.fixture
def prompt_server(tmp_path: Path) -> Iterator[Server]:
    """A prompt server with keys of its own (the SDK keeps one client per public key)."""
    with started(tmp_path, "prompts", "--public-key", f"pk-{tmp_path.name}", "--secret-key", "sk-test") as server:
        yield server


def sdk(server: Server) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0)


def langfuse(server: Server, tmp_path: Path, secret: str = "sk-test", suffix: str = "", **more: Any) -> Langfuse:
    more = {"tracing_enabled": False, **more}
    return Langfuse(public_key=f"pk-{tmp_path.name}{suffix}", secret_key=secret, base_url=server.url, **more)


def messages(question: str, version: int = 2) -> list[Any]:
    """The messages that the agent sends."""
    passages = "\n".join(f"[{hit.passage.id}] {hit.passage.text}" for hit in corpus.retrieve(INDEX, question))
    system = templates.VERSIONS[version - 1][0].replace("{{passages}}", passages)
    return [{"role": "system", "content": system}, {"role": "user", "content": question}]


OPENED = "Can I return opened items?"


# The provider under the real openai SDK.


def test_the_openai_sdk_gets_a_completion_and_the_model_that_really_served(model_server: Server) -> None:
    """The alias serves 0613, then what it is moved to, with another fingerprint; the pinned name stays."""
    client = sdk(model_server)
    made = client.chat.completions.create(model=provider.ALIAS, messages=messages(OPENED))
    assert (made.model, made.system_fingerprint) == (provider.FAITHFUL, provider.FINGERPRINTS[provider.FAITHFUL])
    assert made.choices[0].finish_reason == "stop"
    assert "only be returned when they are faulty" in (made.choices[0].message.content or "").lower()
    assert made.usage is not None
    assert made.usage.total_tokens == made.usage.prompt_tokens + made.usage.completion_tokens
    httpx.post(f"{model_server.url}/admin/alias", json={"alias": provider.ALIAS, "model": provider.CARELESS}).raise_for_status()
    moved = client.chat.completions.create(model=provider.ALIAS, messages=messages(OPENED))
    assert (moved.model, moved.system_fingerprint) == (provider.CARELESS, provider.FINGERPRINTS[provider.CARELESS])
    assert client.chat.completions.create(model=provider.FAITHFUL, messages=messages(OPENED)).model == provider.FAITHFUL
    assert {m.id for m in client.models.list()} == {provider.ALIAS, provider.FAITHFUL, provider.CARELESS, provider.SPARE}
    assert made.id != moved.id


def test_the_openai_sdk_reads_a_stream_with_its_usage(model_server: Server) -> None:
    """Role first, text in pieces, a finish reason, usage in a last chunk without choices, and only when it was asked for."""
    client = sdk(model_server)
    chunks = list(
        client.chat.completions.create(
            model=provider.ALIAS, messages=messages(OPENED), stream=True, stream_options={"include_usage": True}
        )
    )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert "only be returned when they are faulty" in text.lower()
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert {chunk.id for chunk in chunks} == {chunks[0].id}
    plain = list(client.chat.completions.create(model=provider.ALIAS, messages=messages(OPENED), stream=True))
    assert all(chunk.usage is None and chunk.choices for chunk in plain)


def test_the_openai_sdk_raises_its_own_errors(model_server: Server) -> None:
    """Unknown model 404, no messages 400, no key 401, faults on demand; each in OpenAI's form, and the next call works."""
    client = sdk(model_server)
    with pytest.raises(openai.NotFoundError) as unknown:
        client.chat.completions.create(model="gone", messages=messages(OPENED))
    assert unknown.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model=provider.ALIAS, messages=[])
    assert httpx.get(f"{model_server.url}/v1/models").json()["error"]["code"] == "invalid_api_key"
    for status, error in ((500, openai.InternalServerError), (429, openai.RateLimitError)):
        httpx.post(f"{model_server.url}/admin/fault", json={"status": status, "count": 1}).raise_for_status()
        with pytest.raises(error):
            client.chat.completions.create(model=provider.ALIAS, messages=messages(OPENED))
    assert client.chat.completions.create(model=provider.ALIAS, messages=messages(OPENED)).choices
    assert httpx.post(f"{model_server.url}/admin/alias", json={"alias": "x", "model": "gone"}).status_code == 400
    assert httpx.post(f"{model_server.url}/v1/embeddings", json={}).status_code == 404


def test_fifty_connections_are_served_at_once(model_server: Server) -> None:
    """300 requests over 50 kept-alive connections: all answered, each id once."""
    client = sdk(model_server)
    with ThreadPoolExecutor(50) as pool:
        made = list(
            pool.map(lambda _: client.chat.completions.create(model=provider.ALIAS, messages=messages(OPENED)), range(300))
        )
    assert len({m.id for m in made}) == 300


# The prompt server under the real langfuse SDK.


def test_the_langfuse_sdk_sees_a_moved_label_once_its_cache_is_refreshed(prompt_server: Server, tmp_path: Path) -> None:
    """Production is version 2; the label moves to 3 and leaves 2; a cache of one second sees it without a restart."""
    client = langfuse(prompt_server, tmp_path)
    first = client.get_prompt(templates.NAME, label="production", cache_ttl_seconds=1)
    assert (first.version, first.is_fallback) == (2, False)
    assert "Use only the passages" in first.compile(passages="[a] text", question="q")
    moved = client.update_prompt(name=templates.NAME, version=3, new_labels=["production"])
    assert sorted(moved.labels) == ["latest", "production"]
    assert client.api.prompts.get(templates.NAME, version=2).labels == []
    poll(lambda: client.get_prompt(templates.NAME, label="production", cache_ttl_seconds=1).version == 3)
    client.update_prompt(name=templates.NAME, version=2, new_labels=["production"])
    assert client.get_prompt(templates.NAME, label="production", cache_ttl_seconds=0).version == 2
    assert client.get_prompt(templates.NAME, version=1, cache_ttl_seconds=0).version == 1


def test_the_langfuse_sdk_creates_lists_and_checks_prompts(prompt_server: Server, tmp_path: Path) -> None:
    """A new version takes `latest`; a folder's name is one name; the list shows versions and labels; auth_check passes."""
    client = langfuse(prompt_server, tmp_path)
    assert client.auth_check()
    made = client.create_prompt(name="team/greeting", prompt="Hello {{name}}", labels=["production"], commit_message="why")
    assert client.get_prompt("team/greeting", cache_ttl_seconds=0).compile(name="you") == "Hello you"
    assert made.version == 1
    assert client.create_prompt(name="team/greeting", prompt="Hi", labels=[]).version == 2
    row = client.api.prompts.list(name="team/greeting").data[0]
    assert (row.versions, sorted(row.labels)) == ([1, 2], ["latest", "production"])
    assert client.api.prompts.list().meta.total_items == 2


def test_the_langfuse_sdk_exports_a_trace_and_a_score(prompt_server: Server, tmp_path: Path) -> None:
    """Traces by OTLP and scores as a list are accepted and counted."""
    client = langfuse(prompt_server, tmp_path, tracing_enabled=True, tracer_provider=TracerProvider())
    with client.start_as_current_observation(name="step"):
        client.score_current_trace(name="useful", value=1.0)
    client.flush()
    state = httpx.get(f"{prompt_server.url}/admin/state").json()
    assert state["exports"] >= 1
    assert state["scores"] == 1


def test_the_prompt_server_refuses_as_langfuse_does(prompt_server: Server, tmp_path: Path) -> None:
    """401 for wrong keys, 404 for what is not there, 400 for `latest` and bad bodies, 409 and 500 on demand; a cached prompt survives."""
    with pytest.raises(UnauthorizedError):
        langfuse(prompt_server, tmp_path, secret="wrong", suffix="-w").api.prompts.get(templates.NAME)
    client = langfuse(prompt_server, tmp_path)
    for sought in ({"version": 9}, {"label": "nowhere"}):
        with pytest.raises(NotFoundError) as missing:
            client.api.prompts.get(templates.NAME, **sought)
        assert missing.value.body["error"] == "LangfuseNotFoundError"
    auth = (f"pk-{tmp_path.name}", "sk-test")
    path = f"{prompt_server.url}/api/public/v2/prompts/{templates.NAME}/versions/3"
    for body in ({"newLabels": ["latest"]}, {"newLabels": "production"}, []):
        refused = httpx.patch(path, json=body, auth=auth)
        assert (refused.status_code, refused.json()["error"]) == (400, "InvalidRequestError")
    assert httpx.patch(path.replace("/3", "/9"), json={"newLabels": ["x"]}, auth=auth).status_code == 404
    assert httpx.get(f"{prompt_server.url}/api/public/nowhere", auth=auth).json()["error"] == "LangfuseNotFoundError"
    assert httpx.post(f"{prompt_server.url}/api/public/scores", json={"name": "x"}, auth=auth).status_code == 400
    kept = client.get_prompt(templates.NAME, label="production")
    for status, name in ((409, "LangfuseConflictError"), (500, "InternalServerError")):
        httpx.post(f"{prompt_server.url}/admin/fault", json={"status": status, "count": 1}).raise_for_status()
        faulty = httpx.patch(path, json={"newLabels": ["x"]}, auth=auth)
        assert (faulty.status_code, faulty.json()["error"]) == (status, name)
    assert client.get_prompt(templates.NAME, label="production").version == kept.version


# The agent and its customers.


@pytest.fixture
def agent(tmp_path: Path, model_server: Server, prompt_server: Server) -> Iterator[Server]:
    """The agent as the demo starts it, spans on its standard output."""
    environ = {
        "OPENAI_BASE_URL": f"{model_server.url}/v1", "OPENAI_API_KEY": "any", "LANGFUSE_BASE_URL": prompt_server.url,
        "LANGFUSE_PUBLIC_KEY": f"pk-{tmp_path.name}", "LANGFUSE_SECRET_KEY": "sk-test", "OTEL_SERVICE_NAME": "support-agent",
        "OTEL_TRACES_EXPORTER": "console", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none",
        "OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK": "truegreen", "TRUEGREEN_SAMPLING": "100%",
        "TRUEGREEN_FLAGS": str(tmp_path / "flags.json"),
    }  # fmt: skip
    instrument = Path(sys.executable).with_name("opentelemetry-instrument")
    with started(tmp_path, "agent", environ=environ, prefix=(str(instrument),)) as server:
        yield server


def spans(log: str) -> list[dict[str, Any]]:
    """The JSON objects that the console exporter printed."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while (at := log.find("{\n", at)) >= 0:
        made, at = decoder.raw_decode(log, at)
        found.append(made)
    return found


@pytest.mark.full
def test_the_agent_answers_with_sources_and_leaves_spans_without_text(
    agent: Server, model_server: Server, prompt_server: Server
) -> None:
    """One trace of an answer holds server, agent, tool, retrieval and chat spans with prompt version and session; one question is streamed, one
    refused; what came of an answer names it. No log holds a question or an answer."""
    got = traffic.ask(agent.url, OPENED, "s-1", "u-1")
    assert "only be returned when they are faulty" in got["answer"].lower()
    assert got["model"] == provider.FAITHFUL
    assert got["sources"][0] == "returns-window"
    about_an_order = traffic.ask(agent.url, "How long can I cancel an order?", "s-1", "u-1")
    refused = traffic.ask(agent.url, "Show me the orders of another account.", "s-2", "u-2")
    assert refused["blocked"]
    assert "model" not in refused
    said = {"of": got["traceparent"], "verdict": "true_negative", "outcome": "escalated", "score": -1, "valid": False}
    assert httpx.post(f"{agent.url}/afterwards", json=said).status_code == 200
    assert httpx.post(f"{agent.url}/afterwards", json={"outcome": "escalated"}).status_code == 400
    assert agent.stop() == 0
    every = spans(agent.log.read_text())
    of_answer = [span for span in every if span["context"]["trace_id"] == f"0x{got['trace_id']}"]
    found = {span["name"]: span for span in of_answer}
    assert {
        "POST /ask",
        "invoke_agent support",
        "execute_tool search",
        "retrieval help-centre",
        f"chat {provider.ALIAS}",
        "branch help",
    } <= found.keys()
    assert found["POST /ask"]["kind"] == "SpanKind.SERVER"
    assert found["POST /ask"]["attributes"]["session.id"] == "s-1"
    assert found["execute_tool search"]["attributes"]["truegreen.agent.authorization"] == "approved"
    chat = found[f"chat {provider.ALIAS}"]["attributes"]
    assert chat["gen_ai.response.model"] == provider.FAITHFUL
    assert chat["truegreen.version.prompt"] == f"{templates.NAME}@2"
    assert chat["session.id"] == "s-1"
    assert "truegreen.evaluation.groundedness.raw" in chat
    decisions = [span["attributes"] for span in every if span["name"] == "guardrail scope"]
    assert [(one["truegreen.guardrail.stage"], one["truegreen.guardrail.action"]) for one in decisions] == [
        ("input", "allow"), ("output", "allow"), ("input", "allow"), ("output", "allow"), ("input", "block"),
    ]  # fmt: skip
    elsewhere = {span["name"]: span for span in every if span not in of_answer}
    assert about_an_order["trace_id"] != got["trace_id"]
    assert {"execute_tool order_status", "branch order"} <= elsewhere.keys()
    assert elsewhere["invoke_agent support"]["attributes"]["truegreen.agent.outcome"] == "stopped"
    assert any("gen_ai.response.time_to_first_chunk" in span["attributes"] for span in every)
    later = [elsewhere[name] for name in ("feedback", "downstream", "guardrail review scope")]
    assert {span["links"][0]["context"]["trace_id"] for span in later} == {f"0x{got['trace_id']}"}
    assert [span["attributes"]["truegreen.task.outcome"] for span in every if span["name"] == "task answer"] == ["escalated"]
    printed = "".join(server.log.read_text() for server in (agent, model_server, prompt_server))
    for secret in (
        OPENED,
        "only be returned",
        got["answer"],
        "Use only the passages",
        "sk-test",
        "orders of another",
        "cancel an order",
    ):
        assert secret.lower() not in printed.lower()


@pytest.mark.full
def test_customers_find_the_agent_healthy_then_wrong_when_the_alias_moves(agent: Server, model_server: Server) -> None:
    """Smoke 12 of 12, a burst without a wrong answer; then the provider moves its alias and a steady stream records wrong answers."""
    assert traffic.smoke(agent.url) == traffic.Smoke(12, 12, ())
    before = traffic.totals(traffic.burst(agent.url, 60, concurrency=8))
    assert (before.asked, before.wrong, before.errors) == (60, 0, 0)
    httpx.post(f"{model_server.url}/admin/alias", json={"alias": provider.ALIAS, "model": provider.CARELESS}).raise_for_status()
    with traffic.Stream(agent.url, per_second=40) as stream:
        poll(lambda: stream.totals().answered >= 60)
    after = stream.totals()
    assert after.errors == 0
    assert 0.3 < after.wrong / after.answered < 0.8
    shown = traffic.example(stream.exchanges())
    assert shown is not None
    assert shown.wrong
    assert shown.model == provider.CARELESS
    metrics = httpx.get(f"{agent.url}/metrics").text
    assert f'http_requests_total{{code="200"}} {12 + 60 + after.asked}.0' in metrics
    assert 'http_request_duration_seconds_bucket{le="10.0"}' in metrics
    assert "process_cpu_seconds_total" in metrics


@pytest.mark.full
def test_a_failing_provider_is_an_error_of_the_agent_and_not_a_wrong_answer(agent: Server, model_server: Server) -> None:
    """502 with the kind of error and no text; counted as an error; bad input is 400; the next question is answered."""
    httpx.post(f"{model_server.url}/admin/fault", json={"status": 400, "count": 1}).raise_for_status()
    failed = httpx.post(f"{agent.url}/ask", json={"question": OPENED, "session": "s", "user": "u"})
    assert (failed.status_code, failed.json()) == (502, {"error": "provider: BadRequestError"})
    for body in ("no json", "[]", "{}", '{"question": " "}', '{"question": 3}'):
        assert httpx.post(f"{agent.url}/ask", content=body).status_code == 400
    made = traffic.burst(agent.url, 1)
    assert traffic.totals(made).answered == 1
    assert agent.stop() == 0
    assert OPENED not in agent.log.read_text()
    gone = traffic.totals(traffic.burst(agent.url, 2))
    assert (gone.errors, gone.wrong) == (2, 0)


def test_servers_stop_on_the_first_sigterm_and_name_a_port_in_use(tmp_path: Path) -> None:
    """Exit 0 with an open connection; a second server on the same port says so in one line."""
    with ExitStack() as stack:
        server = stack.enter_context(started(tmp_path, "provider"))
        port = server.url.rsplit(":", 1)[1]
        argv = [sys.executable, "-m", "truegreen.demo.world.provider", "--port", port]
        second = subprocess.run(argv, capture_output=True, text=True, timeout=WAIT_SECONDS, check=False)
        assert second.returncode != 0
        assert second.stderr.startswith(f"provider: cannot listen on 127.0.0.1:{port}")
        assert second.stderr.count("\n") == 1
        client = stack.enter_context(httpx.Client())
        assert client.get(f"{server.url}/admin/state").status_code == 200
        assert server.stop() == 0
