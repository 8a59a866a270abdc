"""LiteLLM's router says when a fallback has served: `nox -s litellm` runs this file with the real package, which is not among the locked ones."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it asks the network for prices when it is imported
litellm = pytest.importorskip("litellm", reason="nox -s litellm")

from providers import providers  # noqa: E402 - not without the package

from truegreen.containment.litellm import Fallbacks  # noqa: E402
from truegreen.instrumentation import failures  # noqa: E402
from truegreen.instrumentation.testing import captured  # noqa: E402

WAIT = 20


def _router(server, first):
    def named(group, model, url):
        return {
            "model_name": group,
            "litellm_params": {"model": f"openai/{model}", "api_base": url, "api_key": "k", "max_retries": 0},
        }

    served = f"{server.url}/openai/v1"
    groups = [named("main", "m", served if first else "http://127.0.0.1:9/v1"), named("backup", "b", served)]
    return litellm.Router(model_list=groups, fallbacks=[{"main": ["backup"]}], num_retries=0)


class _Told(Fallbacks):
    """Ours, and how often LiteLLM has called it: that comes after the answer, in a thread or task of its own."""

    def __init__(self):
        super().__init__()
        self.calls = threading.Semaphore(0)

    def log_success_event(self, kwargs, response_obj, start_time, end_time):
        """The call, then the word."""
        super().log_success_event(kwargs, response_obj, start_time, end_time)
        self.calls.release()

    async def async_log_success_event(self, kwargs, response_obj, start_time, end_time):
        """The call, then the word."""
        await super().async_log_success_event(kwargs, response_obj, start_time, end_time)
        self.calls.release()


TOLD = _Told()
"""The one of this process: LiteLLM takes a second one of the same class for the first."""


@pytest.mark.parametrize("asynchronous", [False, True])
def test_an_answer_of_a_fallback_is_counted_with_the_group_that_was_asked(monkeypatch, asynchronous):
    """And one of the first model is not."""
    failures.reset()
    told = TOLD
    monkeypatch.setattr(litellm, "callbacks", [told])
    asked = {"model": "main", "messages": [{"role": "user", "content": "ZEBRA question"}]}

    async def ask(router):
        made = await router.acompletion(**asked)
        assert await asyncio.to_thread(told.calls.acquire, timeout=WAIT)
        return made

    def answered(router):
        if asynchronous:
            return asyncio.run(ask(router)).choices[0].message.content
        made = router.completion(**asked)
        assert told.calls.acquire(timeout=WAIT)
        return made.choices[0].message.content

    with providers() as server, captured() as seen:
        assert answered(_router(server, first=True)) == "openai m"
        assert seen.spans == ()
        assert answered(_router(server, first=False)) == "openai b"
        (span,) = seen.spans
    assert (span.name, span.attributes["truegreen.containment"]) == ("contained fallback_model", "fallback_model")
    assert (span.attributes["gen_ai.request.model"], span.attributes["gen_ai.response.model"]) == ("main", "backup")
    assert "ZEBRA" not in span.to_json()
    assert failures.counted() == {}


@pytest.mark.parametrize(
    "odd",
    [
        None,
        {},
        {"litellm_params": None},
        {"litellm_params": {"metadata": {"attempted_fallbacks": "x"}}},
        {"litellm_params": {"metadata": 3}},
    ],
)
def test_another_shape_of_its_arguments_raises_nothing(odd):
    """LiteLLM changes often."""
    with captured() as seen:
        Fallbacks().log_success_event(kwargs=odd, response_obj=None, start_time=None, end_time=None)
    assert seen.spans == ()
