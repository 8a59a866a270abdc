"""Temporal's activities obey degraded mode: through the interceptor with Temporal's own environment, and on its test server."""

from __future__ import annotations

import asyncio
import subprocess
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from truegreen.core.clients.engines import free_port
from truegreen.instrumentation.testing import captured

pytest.importorskip("temporalio")
from temporalio import activity, workflow
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Worker

from truegreen.containment.temporal import Switches

EXECUTED = []


@activity.defn
def answer(question: str) -> str:
    """What a user waits for."""
    EXECUTED.append(question)
    return f"answer to {question}"


@activity.defn
async def store(text: str) -> str:
    """No model is called."""
    return f"stored {text}"


@workflow.defn(sandboxed=False)
class Support:
    """Answers, then stores."""

    @workflow.run
    async def run(self, question: str) -> str:
        """One question."""
        seconds = timedelta(seconds=20)
        text = await workflow.execute_activity(answer, question, start_to_close_timeout=seconds)
        return await workflow.execute_activity(store, text, start_to_close_timeout=seconds)


class _Last(ActivityInboundInterceptor):
    """The end of the chain: executes the activity, as a worker's own does."""

    def __init__(self):
        """It delegates to nobody."""

    async def execute_activity(self, input):  # noqa: A002 - Temporal's name
        """The call."""
        return input.fn(*input.args)


def _executed(switches, name="answer"):
    """What the activity gives through the interceptor, in Temporal's environment of an activity."""
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, activity_type=name)
    chain = switches.intercept_activity(_Last())

    async def run():
        return await chain.execute_activity(ExecuteActivityInput(answer, ["q"], None, {}))

    return asyncio.run(environment.run(run))


def test_an_activity_is_executed_while_nothing_is_on_and_if_it_is_not_named(flagged):
    """Degraded mode is for what calls a model."""
    assert _executed(Switches({"answer": "support"})) == "answer to q"
    flagged(degraded_mode="Please call us.", feature_disabled="*")
    assert _executed(Switches({"other": ""})) == "answer to q"


def test_a_degraded_activity_fails_for_good_or_gives_the_message(flagged):
    """As its worker chose; stamped."""
    EXECUTED.clear()
    flagged(degraded_mode="Please call us.")
    with captured() as seen:
        with pytest.raises(ApplicationError) as raised:
            _executed(Switches({"answer": ""}))
        assert (raised.value.message, raised.value.type, raised.value.non_retryable) == ("Please call us.", "DegradedMode", True)
        assert _executed(Switches({"answer": ""}, says=lambda text: {"text": text})) == {"text": "Please call us."}
    assert [span.attributes["truegreen.containment"] for span in seen.spans] == ["degraded_mode"] * 2
    assert EXECUTED == []


def test_a_feature_that_is_off_fails_its_activities_alone(flagged):
    """By its own type of error."""
    flagged(feature_disabled="support")
    with pytest.raises(ApplicationError) as raised:
        _executed(Switches({"answer": "support"}, off="not now"))
    assert (raised.value.message, raised.value.type) == ("not now", "FeatureDisabled")
    assert _executed(Switches({"answer": ""})) == "answer to q"


@contextmanager
def _server(program, log):
    port = free_port()
    with log.open("wb") as out:
        process = subprocess.Popen([str(program), str(port)], stdout=out, stderr=out)
    try:
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


async def _connected(address):
    for _ in range(200):
        try:
            return await Client.connect(address)
        except RuntimeError:
            await asyncio.sleep(0.1)
    return await Client.connect(address)


@pytest.mark.full
def test_a_worker_on_temporals_server_obeys_the_flag_at_once_and_does_not_try_again(engine, flagged, tmp_path):
    """A workflow before, while and after; the failed activity has been tried once."""
    EXECUTED.clear()

    async def run(address):
        client = await _connected(address)
        with ThreadPoolExecutor(2) as pool:
            worker = Worker(
                client, task_queue="q", workflows=[Support], activities=[answer, store], activity_executor=pool,
                interceptors=[Switches({"answer": "support"})],
            )  # fmt: skip
            async with worker:

                async def asked():
                    return await client.execute_workflow(Support.run, "q", id=str(uuid.uuid4()), task_queue="q")

                assert await asked() == "stored answer to q"
                flagged(degraded_mode="Please call us.")
                with pytest.raises(WorkflowFailureError) as raised:
                    await asked()
                flagged()
                assert await asked() == "stored answer to q"
        failed = raised.value.cause
        assert isinstance(failed, ActivityError)
        assert (failed.cause.message, failed.cause.type) == ("Please call us.", "DegradedMode")
        assert failed.retry_state.name == "NON_RETRYABLE_FAILURE"

    with _server(engine("temporal-test-server"), tmp_path / "temporal.log") as address:
        asyncio.run(run(address))
    assert EXECUTED == ["q", "q"]
