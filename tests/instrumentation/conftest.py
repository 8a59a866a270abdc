"""Fixtures: a chat server, the real OpenAI SDK with the real instrumentation on a captured provider, a fake evaluator."""

from __future__ import annotations

import logging
import threading

import openai
import pytest
from judging import WAIT, judged_by, verdict
from openai_server import chat_server

try:
    from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
except ImportError:  # the oldest SDKs: there it is OpenInference, which shows the text on the span and has no completion hook
    from openinference.instrumentation.openai import OpenAIInstrumentor

from truegreen.instrumentation import TruegreenInstrumentor, evaluate, failures
from truegreen.instrumentation.settings import Settings
from truegreen.instrumentation.testing import FakeEvaluator, captured


@pytest.fixture(scope="session")
def server():
    """The chat server."""
    with chat_server() as running:
        yield running


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    """Each test begins without failures, variables of ours and log levels of others."""
    failures.reset()
    for name in (
        "TRUEGREEN_CONFIG",
        "TRUEGREEN_SAMPLING",
        "TRUEGREEN_CALIBRATION",
        "TRUEGREEN_FLAGS",
        "OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK",
    ):
        monkeypatch.delenv(name, raising=False)
    logging.getLogger("truegreen").setLevel(logging.NOTSET)


@pytest.fixture
def fake(monkeypatch):
    """An evaluator that remembers what it was shown."""
    evaluator = FakeEvaluator()
    monkeypatch.setattr(evaluate, "find", evaluator.find)
    return evaluator


@pytest.fixture
def app(server):
    """`app(settings=..., limits=...)` is a capture and a client of the real SDK, instrumented as a user would."""
    closers = []

    def start(**options):
        capture = captured(**options)
        seen = capture.__enter__()
        instrumentor = OpenAIInstrumentor()
        instrumentor.instrument(tracer_provider=seen.provider)
        closers.extend((lambda: capture.__exit__(None, None, None), instrumentor.uninstrument))
        client = openai.OpenAI(base_url=server.url, api_key="k", max_retries=0)
        closers.append(client.close)
        return seen, client

    yield start
    server.served.clear()
    server.failing.clear()
    for close in reversed(closers):
        close()


@pytest.fixture
def ask():
    """`ask(client, model)` asks one question and gives the SDK's answer."""

    def asked(client, model="support-large", question="Can I return opened items? ZEBRA-QUESTION", **more):
        messages = [
            {"role": "system", "content": "Answer from the documents. ZEBRA-SYSTEM"},
            {"role": "user", "content": question},
        ]
        return client.chat.completions.create(model=model, messages=messages, **more)

    return asked


@pytest.fixture
def hung(monkeypatch):
    """A judge that hangs until the end of the test."""
    go, began = threading.Event(), threading.Event()
    judged_by(monkeypatch, lambda sample: began.set() or go.wait(WAIT) and verdict())
    yield began
    go.set()


@pytest.fixture
def instrumented():
    """Installed for the process, and taken away."""
    made = TruegreenInstrumentor()
    made.instrument(settings=Settings())
    yield made
    if made.is_instrumented_by_opentelemetry:
        made.uninstrument()
