"""Verdicts as a Langfuse score and as LangSmith feedback: the real SDKs against local servers that speak their contracts."""

from __future__ import annotations

import base64
import json
import sys
import warnings
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider

from truegreen.core.words.shapes import Result
from truegreen.instrumentation import answer, evaluate, failures, forward
from truegreen.instrumentation.background import background
from truegreen.instrumentation.settings import Settings
from truegreen.instrumentation.testing import captured

sys.path.append(str(Path(__file__).parents[1] / "core"))
from local_server import Reply, local  # noqa: E402

langfuse = pytest.importorskip("langfuse")
langsmith = pytest.importorskip("langsmith")

WAIT = 10.0
RUN = "11111111-1111-4111-8111-111111111111"
PROJECT = "22222222-2222-4222-8222-222222222222"
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}


def _judges(monkeypatch, **more):
    given = {"raw": 0.4, "score": 0.25, "label": "fail", "scale": "calibrated", **more}
    monkeypatch.setattr(evaluate, "find", lambda name: lambda s, c: lambda sample: Result(name, "j", **given))


def _settings(*targets, slow):
    return Settings(evaluations={"groundedness": {"background": slow, "forward": list(targets)}}, rate=1.0)


def _ask(seen, **attributes):
    with seen.provider.get_tracer("app").start_as_current_span("chat", attributes={**CHAT, **attributes}):
        answer(query="ZEBRA-QUESTION", answer="ZEBRA-ANSWER")
    return seen.spans[-1].context


@pytest.fixture
def scores():
    """A Langfuse server, and the application's client; gives the scores that the server got."""
    langfuse._client.resource_manager.LangfuseResourceManager.reset()  # what other tests of the process have made
    with local(lambda _: Reply({"message": "Accepted"}, 202)) as (url, got):
        client = langfuse.Langfuse(public_key="pk", secret_key="sk", base_url=url, tracer_provider=TracerProvider())

        def sent():
            client.flush()
            return [(call.headers, json.loads(call.body)) for call in got if call.path == "/api/public/scores"]

        sent.got = got
        yield sent
        client.shutdown()
        langfuse._client.resource_manager.LangfuseResourceManager.reset()


@pytest.mark.parametrize("slow", [False, True])
def test_a_verdict_becomes_a_langfuse_score_of_its_span(monkeypatch, scores, slow):
    """By the application's own client; nothing of the text goes along."""
    _judges(monkeypatch)
    with captured(_settings("langfuse", slow=slow)) as seen:
        context = _ask(seen)
        assert background.flush(WAIT)
    ((headers, (score,)),) = scores()
    assert headers["Authorization"] == "Basic " + base64.b64encode(b"pk:sk").decode()
    assert {k: score[k] for k in ("traceId", "observationId", "name", "value", "dataType")} == {
        "traceId": f"{context.trace_id:032x}", "observationId": f"{context.span_id:016x}", "name": "groundedness", "value": 0.25,
        "dataType": "NUMERIC",
    }  # fmt: skip
    assert score["metadata"] == {"label": "fail", "evaluator": "j", "scale": "calibrated", "sampled": "base"}
    assert all(b"ZEBRA" not in call.raw for call in scores.got)


def test_without_a_baseline_the_evaluators_own_number_is_the_score_and_without_a_number_there_is_none(monkeypatch, scores):
    """`scale` says which it is."""
    _judges(monkeypatch, score=None, label="", scale="", skipped="no_baseline")
    with captured(_settings("langfuse", slow=False)) as seen:
        _ask(seen)
    _judges(monkeypatch, raw=None, score=None, label="", scale="", skipped="no_context")
    with captured(_settings("langfuse", slow=False)) as seen:
        _ask(seen)
    ((_, (score,)),) = scores()
    assert (score["value"], score["metadata"]["scale"]) == (0.4, "raw")


@pytest.mark.parametrize("named", [False, True])
def test_of_several_clients_the_one_that_the_variable_names_gets_the_score(monkeypatch, scores, caplog, named):
    """The SDK's own choice would be a client that sends nothing."""
    _judges(monkeypatch)
    langfuse.Langfuse(public_key="other", secret_key="sk", base_url="http://127.0.0.1:9", tracer_provider=TracerProvider())
    monkeypatch.setenv("LANGFUSE_PUBLIC_KEY", "pk" if named else "another")
    with captured(_settings("langfuse", slow=False)) as seen:
        _ask(seen)
        assert background.flush(WAIT)
    assert len(scores()) == named
    assert failures.counted() == ({} if named else {"forward langfuse": 1})
    assert ("name one of them by LANGFUSE_PUBLIC_KEY" in caplog.text) is not named


def test_nothing_is_forwarded_that_was_not_asked_for(monkeypatch, scores):
    """Off by default."""
    _judges(monkeypatch)
    with captured() as seen:
        _ask(seen)
        background.flush(WAIT)
    assert scores() == []


def test_without_a_client_of_the_application_no_client_is_made(monkeypatch, caplog):
    """One that we made would export the application's spans, texts and all."""
    langfuse._client.resource_manager.LangfuseResourceManager.reset()
    _judges(monkeypatch)
    made = []
    monkeypatch.setattr(langfuse.Langfuse, "__init__", lambda self, *a, **k: made.append(1))
    with captured(_settings("langfuse", slow=False)) as seen:
        _ask(seen)
        background.flush(WAIT)
    assert made == []
    assert "langfuse.get_client()" in caplog.text
    assert failures.counted() == {"forward langfuse": 1}


@pytest.fixture
def feedback(monkeypatch):
    """A LangSmith server, and the client that the SDK keeps for the application; gives the feedback that the server got."""
    import langsmith.run_trees as trees

    def answer(call):
        """What LangSmith says: of a project, its id, once its first run has arrived."""
        if call.path != "/sessions":
            return Reply({})
        if call.params["name"] != ["support"]:
            return Reply([])
        made = {"id": PROJECT, "tenant_id": PROJECT, "start_time": "2026-01-01T00:00:00Z", "reference_dataset_id": None}
        return Reply([{"name": "support", **made}])

    with local(answer) as (url, got):
        client = langsmith.Client(api_url=url, api_key="k", auto_batch_tracing=False, info={})
        monkeypatch.setattr(trees, "_CLIENT", client)
        monkeypatch.setattr(forward, "_projects", {})

        def sent():
            return [json.loads(call.body) for call in got if call.path.endswith("/feedback")]

        sent.got = got
        yield sent


@pytest.mark.parametrize("slow", [False, True])
def test_a_verdict_becomes_langsmith_feedback_on_the_run_that_the_metadata_names(monkeypatch, feedback, slow):
    """Neither span id nor trace id is the run's id."""
    _judges(monkeypatch)
    with captured(_settings("langsmith", slow=slow)) as seen:
        _ask(seen, **{"langsmith.metadata.truegreen_run_id": RUN})
        assert background.flush(WAIT)
    (got,) = feedback()
    assert (got["run_id"], got["key"], got["score"], got["value"]) == (RUN, "groundedness", 0.25, "fail")
    assert got["feedback_source"]["metadata"]["evaluator"] == "j"
    assert all(b"ZEBRA" not in call.raw for call in feedback.got)


def test_inside_a_traceable_function_the_run_is_known_by_itself(monkeypatch, feedback):
    """Where LangSmith traces in its own way beside OpenTelemetry."""
    _judges(monkeypatch)
    ids = []
    with captured(_settings("langsmith", slow=True)) as seen:

        @langsmith.traceable(client=langsmith.run_trees.get_cached_client())
        def work():
            ids.append(str(langsmith.get_current_run_tree().id))
            _ask(seen)

        with langsmith.tracing_context(enabled=True):  # the SDK keeps what its variable said when it was first asked
            work()
        background.flush(WAIT)
    assert [got["run_id"] for got in feedback()] == ids


def test_feedback_names_the_project_of_the_run_where_it_is_known(monkeypatch, feedback):
    """LangSmith is about to refuse feedback without it; it is asked once which id a name has."""
    _judges(monkeypatch)
    with captured(_settings("langsmith", slow=True)) as seen, warnings.catch_warnings():
        warnings.simplefilter("error", langsmith.utils.LangSmithWarning)
        told = {"langsmith.metadata.truegreen_run_id": RUN, "langsmith.trace.session_name": "support"}
        _ask(seen, **told)
        _ask(seen, **told)

        @langsmith.traceable(client=langsmith.run_trees.get_cached_client(), project_name="support")
        def work():
            _ask(seen)

        with langsmith.tracing_context(enabled=True):
            work()
        assert background.flush(WAIT)
    assert [got["session_id"] for got in feedback()] == [PROJECT] * 3
    assert failures.counted() == {}
    assert len([call for call in feedback.got if call.path == "/sessions"]) == 1


def test_feedback_goes_without_a_project_that_langsmith_does_not_know(monkeypatch, feedback):
    """Its runs may not have arrived."""
    _judges(monkeypatch)
    with captured(_settings("langsmith", slow=True)) as seen, pytest.warns(langsmith.utils.LangSmithWarning, match="session_id"):
        _ask(seen, **{"langsmith.metadata.truegreen_run_id": RUN, "langsmith.trace.session_name": "two words"})
        assert background.flush(WAIT)
    (got,) = feedback()
    assert (got["run_id"], "session_id" in got) == (RUN, False)
    assert failures.counted() == {}


def test_feedback_goes_without_a_project_that_cannot_be_asked_for_and_that_is_counted(monkeypatch, feedback):
    """The key may not be allowed to read projects."""
    _judges(monkeypatch)

    def refused(*_, **__):
        raise langsmith.utils.LangSmithAuthError("ZEBRA")

    monkeypatch.setattr(langsmith.Client, "read_project", refused)
    with captured(_settings("langsmith", slow=True)) as seen, pytest.warns(langsmith.utils.LangSmithWarning, match="session_id"):
        _ask(seen, **{"langsmith.metadata.truegreen_run_id": RUN, "langsmith.trace.session_name": "support"})
        assert background.flush(WAIT)
    (got,) = feedback()
    assert "session_id" not in got
    assert failures.counted() == {"langsmith project": 1}


def test_a_run_that_is_not_known_is_said_and_counted(monkeypatch, feedback, caplog):
    """There is nothing to hang the feedback on."""
    _judges(monkeypatch)
    with captured(_settings("langsmith", slow=False)) as seen:
        _ask(seen)
        background.flush(WAIT)
    assert "truegreen_run_id" in caplog.text
    assert (feedback(), failures.counted()) == ([], {"forward langsmith": 1})


def test_a_server_that_refuses_costs_no_verdict(monkeypatch, caplog):
    """It is counted, and the span has what it had."""
    import langsmith.run_trees as trees

    _judges(monkeypatch)
    with local(lambda _: Reply({"detail": "no"}, 403)) as (url, _):
        monkeypatch.setattr(trees, "_CLIENT", langsmith.Client(api_url=url, api_key="k", auto_batch_tracing=False, info={}))
        with captured(_settings("langsmith", slow=False)) as seen:
            _ask(seen, **{"langsmith.metadata.truegreen_run_id": RUN})
            assert background.flush(WAIT)
            assert seen.spans[-1].attributes["truegreen.evaluation.groundedness.label"] == "fail"
    assert failures.counted() == {"forward langsmith": 1}
