"""OpenLLMetry through traceloop-sdk: what its decorators, its prompt registry and its associations add to the spans of its instrumentation."""

import os
from collections.abc import Callable
from contextvars import copy_context

os.environ |= {"TRACELOOP_METRICS_ENABLED": "false", "TRACELOOP_LOGGING_ENABLED": "false"}

import openai_calls
import recorder
import scenario
from opentelemetry.sdk.trace import SpanProcessor
from servers import openai
from traceloop.sdk import Traceloop
from traceloop.sdk.associations import AssociationProperty, Associations
from traceloop.sdk.decorators import agent, conversation, tool, workflow
from traceloop.sdk.instruments import Instruments
from traceloop.sdk.prompts import get_prompt
from traceloop.sdk.prompts.client import PromptRegistryClient

DAY = "2026-01-01T00:00:00Z"


def prepare() -> None:
    """Let it put its attributes on the spans of the process's provider; nothing is sent."""
    Traceloop.init(app_name="support", processor=SpanProcessor(), instruments={Instruments.OPENAI})


def registry() -> dict[str, object]:
    """What Traceloop's server answers when it is asked for prompts."""
    config = {
        "mode": "chat",
        "model": scenario.MODEL_ASKED,
        "temperature": 0.5,
        "top_p": 1,
        "stop": [],
        "frequency_penalty": 0,
        "presence_penalty": 0,
    }
    said = [
        {"index": 0, "role": "system", "template": scenario.SYSTEM},
        {"index": 1, "role": "user", "template": "Where is order {{ order }}?", "variables": ["order"]},
    ]
    made = {
        "id": "v3",
        "hash": "h3",
        "version": scenario.PROMPT_VERSION,
        "name": "third",
        "created_at": DAY,
        "provider": "openai",
    }
    version = {**made, "templating_engine": "jinja2", "messages": said, "llm_config": config}
    target = {"id": "t1", "updated_at": DAY, "prompt_id": "p1", "version": "v3"}
    key = scenario.PROMPT_NAME
    return {"prompts": [{"id": "p1", "key": key, "versions": [version], "target": target, "created_at": DAY, "updated_at": DAY}]}


def cases(url: str) -> dict[str, Callable[[], object]]:
    played = openai_calls.cases(url)
    PromptRegistryClient()._registry.load(registry())

    @tool(name=scenario.TOOL)
    def lookup(order_id: str) -> str:
        return scenario.TOOL_RESULT

    @agent(name="support")
    def support(question: str) -> str:
        lookup(**scenario.TOOL_ARGUMENTS)
        played["chat"]()
        return scenario.ANSWER

    @workflow(name="support_flow")
    def flow(question: str) -> str:
        return support(question)

    def prompt() -> None:
        asked = get_prompt(scenario.PROMPT_NAME, variables={"order": "42"})
        openai_calls.client(openai_calls.openai.OpenAI, url + "/v1").chat.completions.create(**asked)

    def prompt_of_ones_own() -> None:
        Traceloop.set_prompt(scenario.SYSTEM, {"order": "42"}, scenario.PROMPT_VERSION)
        played["chat"]()

    def session() -> None:
        Associations.set([(AssociationProperty.SESSION_ID, scenario.SESSION), (AssociationProperty.USER_ID, scenario.USER)])
        played["chat"]()

    added = {
        "tool": lambda: lookup(**scenario.TOOL_ARGUMENTS),
        "agent": lambda: flow(scenario.QUESTION),
        "prompt": prompt,
        "prompt_of_ones_own": prompt_of_ones_own,
        "session": session,
        "conversation": conversation(scenario.SESSION)(played["chat"]),
    }

    def apart(play: Callable[[], object]) -> Callable[[], object]:
        """It leaves what it was told in the context."""
        return lambda: copy_context().run(play)

    return {"chat": played["chat"], **{name: apart(play) for name, play in added.items()}}


if __name__ == "__main__":
    recorder.main(
        "traceloop_sdk",
        ["traceloop-sdk", "opentelemetry-instrumentation-openai", "openai"],
        openai.serve,
        cases,
        prepare=prepare,
    )
