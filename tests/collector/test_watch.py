"""`truegreen watch` as a user runs it: a process that takes OTLP from real SDKs, compares with a frozen baseline, and is scraped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager
from datetime import UTC, datetime
from socket import socket

import grpc as grpc_
import numpy as np
import pytest
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

from truegreen.evaluation.baselines import store
from truegreen.evaluation.embedding import LEXICAL, lexical
from truegreen.evaluation.evaluators import embedding
from truegreen.evaluation.model import FrozenBaseline, Profile
from truegreen.instrumentation import answer, evaluate, snapshot
from truegreen.instrumentation.settings import Settings
from truegreen.instrumentation.style import style
from truegreen.instrumentation.testing import captured

SERVICE, ENVIRONMENT, TEMPLATE = "bot", "production", "support@3"
WORDS = "parcel ships within two days from the warehouse and the refund follows when the item came back unused".split()
TOPICS = "where is my parcel order refund item return delivery date".split()


def question(rng):
    return " ".join(rng.choice(TOPICS, 6))


def reply(rng):
    return ". ".join(" ".join(rng.choice(WORDS, 9)).capitalize() for _ in range(rng.integers(2, 5))) + "."


def terse(rng):
    return "[No]"


def frozen(template=TEMPLATE, seed=1):
    rng = np.random.default_rng(seed)
    pairs = [(question(rng), reply(rng)) for _ in range(256)]
    profile = Profile(
        template,
        256,
        tuple(style(a) for _, a in pairs),
        tuple(lexical(a) for _, a in pairs),
        tuple(lexical(q) for q, _ in pairs),
        LEXICAL,
    )
    return FrozenBaseline(SERVICE, ENVIRONMENT, "2026-11-01T00:00:00+00:00", profiles=(profile,))


def conversation(monkeypatch, many, given=reply, asked=question, seed=7, template=TEMPLATE, service=SERVICE):
    """The OTLP bodies, spans and events, of so many answers that the real instrumentation judged."""
    made = embedding.make({}, None)

    def make(settings, calibration):
        return made

    make.background = True
    monkeypatch.setattr(evaluate, "find", lambda name: make)
    rng = np.random.default_rng(seed)
    settings = Settings(evaluations={"embedding": {}}, rate=1.0)
    about = {"service.name": service, "deployment.environment.name": ENVIRONMENT}
    with captured(settings, resource=about) as seen, snapshot.use(prompt=template):
        tracer = seen.provider.get_tracer("app")
        for _ in range(many):
            with tracer.start_as_current_span("chat", attributes={"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}):
                answer(query=asked(rng), answer=given(rng))
        assert len(seen.events) == many
        logs = encode_logs(seen.log_exporter.get_finished_logs()).SerializeToString()
        return encode_spans(seen.spans).SerializeToString(), logs


def free():
    with socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextmanager
def watching(baselines, *more):
    """The process, with what asks it and what sends to it."""
    grpc, http, metrics = free(), free(), free()
    command = [sys.executable, "-m", "truegreen.core", "watch", "--baselines", str(baselines), "--otlp", f"127.0.0.1:{grpc}/{http}",
               "--metrics", f"127.0.0.1:{metrics}", "--interval", "100ms", *more]  # fmt: skip
    environ = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ)
    log = []
    for line in process.stderr:
        log.append(line)
        if "OTLP by HTTP" in line:
            break
    assert process.poll() is None, log

    def get(path):
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{metrics}{path}", timeout=10).read().decode()
        except urllib.error.HTTPError as error:
            return error.read().decode()

    def send(bodies, by_grpc=False):
        if by_grpc:
            with grpc_.insecure_channel(f"127.0.0.1:{grpc}") as channel:
                for path, body in zip(("trace.v1.TraceService", "logs.v1.LogsService"), bodies, strict=True):
                    channel.unary_unary(f"/opentelemetry.proto.collector.{path}/Export")(body, timeout=10)
            return
        for path, body in zip(("/v1/traces", "/v1/logs"), bodies, strict=True):
            request = urllib.request.Request(f"http://127.0.0.1:{http}{path}", body, {"Content-Type": "application/x-protobuf"})
            assert urllib.request.urlopen(request, timeout=10).status == 200

    try:
        yield get, send, log
    finally:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
        log.append(err)
        assert process.returncode == 0, (out, err)
        assert "Traceback" not in err


def until(get, wanted, path="/metrics"):
    """The page, once it has what is wanted; a look takes as long as it takes."""
    deadline = datetime.now(UTC).timestamp() + 60
    while datetime.now(UTC).timestamp() < deadline:
        if all(one in (page := get(path)) for one in wanted):
            return page
    raise AssertionError((wanted, page))


def series(page, name):
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in page.splitlines() if line.startswith(name + "{")}


def test_another_writer_is_told_and_other_questions_are_told_apart(monkeypatch, tmp_path):
    """One process, three services: one as ever, one whose answers became terse, one that is asked of something else."""
    for service in ("bot", "terse", "asked"):
        one = frozen()
        store.save(str(tmp_path / "baselines"), FrozenBaseline(service, one.environment, one.taken, profiles=one.profiles))
    other = lambda rng: " ".join(rng.choice("explain the history of quantum gravity for a physics exam".split(), 8))  # noqa: E731
    with watching(tmp_path / "baselines") as (get, send, log):
        send(conversation(monkeypatch, 60))
        send(conversation(monkeypatch, 30, given=terse, service="terse"), by_grpc=True)
        send(conversation(monkeypatch, 60, asked=other, service="asked"))
        page = until(get, [f'service="{name}",environment="production",change="both"' for name in ("bot", "terse", "asked")])
        changed = {(name, what): series(page, "truegreen_drift_changed")[
            f'truegreen_drift_changed{{service="{name}",environment="production",change="{what}",template="{TEMPLATE}"}}'
        ] for name in ("bot", "terse", "asked") for what in ("input", "output", "both", "either")}  # fmt: skip
        assert {key for key, value in changed.items() if value} == {("terse", "output"), ("asked", "input")}
        said = json.loads(get("/verdicts?service=terse&environment=production"))["templates"][0]
        assert said["changed"] == "output"
        assert all(one["seed"] == 1 and one["trials"] == 1999 for one in said["signals"])
        profiles = json.loads(get("/profiles?service=terse&environment=production"))["profiles"]
        assert [(one["template"], len(one["style"])) for one in profiles] == [(TEMPLATE, 30)]
        whole = json.loads(get("/profiles?service=bot&environment=production"))["profiles"][0]
        assert len(whole["style"]) == len(whole["answer_vectors"]) == len(whole["query_vectors"]) == 60
        assert whole["embedder"] == LEXICAL
        assert "write /profiles?service=" in get("/profiles?service=terse")
        assert "truegreen_collector_accepted_spans_total 150" in page
        for text in ("parcel", "quantum", "[No]"):
            assert not any(text in shown for shown in (page, json.dumps(said), json.dumps(whole)))
    assert "the output changed for the same input" in "".join(log)
    assert not any(word in "".join(log) for word in ("parcel", "quantum"))


@pytest.mark.parametrize(("arguments", "says"), [
    (("--shard", "6/5"), "--shard: found '6/5'; write NUMBER/OF, such as 2/5"),
    (("--otlp", "4327"), "--otlp: found '4327'; write HOST:GRPC/HTTP"),
    (("--vectors", "qdrant://x"), "vectors: found qdrant://"),
    (("--interval", "soon"), "--interval: found 'soon'"),
    (("--baselines", "nowhere://x"), "nowhere"),
])  # fmt: skip
def test_what_cannot_be_is_refused_in_one_line(tmp_path, capsys, arguments, says):
    from truegreen.core.cli import main

    with pytest.raises(SystemExit) as left:
        main(["watch", "--baselines", str(tmp_path), *arguments])
    assert left.value.code == 2
    assert says in capsys.readouterr().err
