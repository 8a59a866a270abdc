"""LangChain and LangGraph: a middleware that applies the switches to an agent's calls of its model, and a callback for `with_fallbacks`.

`create_agent(model, tools, middleware=[Switches(), ModelFallbackMiddleware(spare)])`: listed before the fallback it sees which model served.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from uuid import UUID

from langchain.agents.middleware import AgentMiddleware, ExtendedModelResponse, ModelRequest, ModelResponse
from langchain.chat_models import init_chat_model
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tracers.context import register_configure_hook
from langgraph.types import Command

from truegreen.containment import applied, switches
from truegreen.containment.model import PROVIDERS, REDUCED_CONTEXT, Target
from truegreen.instrumentation import failures, notices

Make = Callable[[str, str], Any]
MODELS = 16
"""So many models that flags named are kept."""
RUNS = 1_000
_CALLED = {"openai": "openai", "anthropic": "anthropic", "google": "google_genai"}
_AZURE = "azure_openai"
"""Our providers in `init_chat_model`'s words."""


def chat_model(provider: str, model: str) -> Any:
    """`init_chat_model` with LangChain's package of the provider, whose key is where that package looks for it."""
    return init_chat_model(model, model_provider=_CALLED.get(provider, provider))


class Switches(AgentMiddleware[Any, Any, Any]):
    """Degraded mode, a feature that is off, the pinned or fallback model and a reduced context, applied to each call of an agent's model.

    While degraded or off the model is not called: its answer is the message. A reduced context keeps the first documents of each tool message that
    has documents as its artifact, as retriever tools have; other tools' texts stay.

    Args:
        feature: the agent's name in flag `feature_disabled`; empty looks at degraded mode alone.
        off: the message while the feature is off.
        make: `make(provider, model)` gives the chat model for another provider.
        separator: between the documents of a tool message.
    """

    def __init__(
        self,
        feature: str = "",
        *,
        off: str = "This feature is not available at the moment.",
        make: Make = chat_model,
        separator: str = "\n\n",
    ) -> None:
        super().__init__()
        self._feature = feature
        self._off = off
        self._make = make
        self._separator = separator
        self._made: dict[Target, Any] = {}

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any] | ExtendedModelResponse[Any]:
        """LangChain's hook."""
        message = self._instead()
        if message:
            return _ended(message)
        asked, by = self._asked(request)
        with applied.inside(by), _watched():
            return handler(asked)

    async def awrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]
    ) -> ModelResponse[Any] | ExtendedModelResponse[Any]:
        """LangChain's hook."""
        message = self._instead()
        if message:
            return _ended(message)
        asked, by = self._asked(request)
        with applied.inside(by), _watched():
            return await handler(asked)

    def _instead(self) -> str:
        return switches.degraded() or ("" if not self._feature or switches.feature(self._feature) else self._off)

    def _asked(self, request: ModelRequest[Any]) -> tuple[ModelRequest[Any], str]:
        """The request as the flags want it, and the switch that chose its model."""
        by = ""
        try:
            own = Target(_provider(request.model), _name(request.model))
            wanted, by = switches.asked(own, tuple(dict.fromkeys((*PROVIDERS, own.provider))))
            if by:
                request = request.override(model=self._model(request.model, own, wanted))
        except Exception as error:
            failures.count("langchain model", error)
            notices.once(
                "langchain model",
                f"a flag's model cannot be made ({type(error).__name__}); the agent keeps its own. Give Switches(make=...)",
            )
            by = ""
        try:
            kept = [self._shortened(message) for message in request.messages]
            if any(new is not old for new, old in zip(kept, request.messages, strict=True)):
                request = request.override(messages=kept)
        except Exception as error:
            failures.count("langchain context", error)
        return request, by

    def _model(self, now: Any, own: Target, wanted: Target) -> Any:
        if wanted.provider == own.provider and not getattr(
            now, "deployment_name", None
        ):  # a deployment is in the client's address
            return now.model_copy(update={_field(now): wanted.model})
        if wanted not in self._made:
            if len(self._made) >= MODELS:
                self._made.clear()
            self._made[wanted] = self._make(wanted.provider, wanted.model)
        return self._made[wanted]

    def _shortened(self, message: Any) -> Any:
        found = message.artifact if isinstance(message, ToolMessage) else None
        if not isinstance(found, list) or not found or not all(isinstance(one, Document) for one in found):
            return message
        if switches.number(REDUCED_CONTEXT, switches.MOST_PASSAGES) is None:
            return message
        kept = switches.context(found)
        return message.model_copy(update={"content": self._separator.join(one.page_content for one in kept), "artifact": kept})


class Fallbacks(BaseCallbackHandler):
    """Says which model served where `with_fallbacks` went to another one: `chain.invoke(asked, {"callbacks": [Fallbacks()]})`, a new one per call.

    LangChain names no common parent of the two attempts, so that one handler is one invocation.
    """

    run_inline = True
    """In the caller's context, so that the application's span is the current one."""

    def __init__(self) -> None:
        self._models: dict[UUID, str] = {}
        self._failed = ""

    def on_chat_model_start(self, serialized: Any, messages: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """An attempt begins."""
        metadata: Mapping[str, Any] = kwargs.get("metadata") or {}
        if len(self._models) < RUNS:
            self._models[run_id] = str(metadata.get("ls_model_name") or "unknown")

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """An attempt failed."""
        self._failed = self._failed or self._models.pop(run_id, "unknown")

    def on_llm_end(self, response: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """An attempt answered; another model's than the one that failed before is a fallback's."""
        asked, self._failed = self._failed, ""
        served = self._models.pop(run_id, "unknown")
        if asked and served != asked:
            self.say(asked, served)

    def say(self, asked: str, served: str) -> None:
        """Count it."""
        applied.fell_back(asked, served)


class _Attempts(Fallbacks):
    """What `Fallbacks` sees, kept to be said on the application's span, when the call is over."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []

    def say(self, asked: str, served: str) -> None:
        """Keep it."""
        self.found.append((asked, served))


_attempts: ContextVar[_Attempts | None] = ContextVar("truegreen_attempts", default=None)
register_configure_hook(
    _attempts, inheritable=True, handle_class=Fallbacks
)  # where the application has given one, that one says it


def _ended(message: str) -> ExtendedModelResponse[Any]:
    """The message as the agent's answer, and the end of its loop: it would ask again and again for a structured answer that never comes."""
    return ExtendedModelResponse(ModelResponse(result=[AIMessage(content=message)]), Command(update={"jump_to": "end"}))


@contextmanager
def _watched() -> Iterator[None]:
    """Says which model served, where LangChain asked another one in the block after the first had failed.

    By the names that were asked for: an answer's own name may differ without a fallback, as `claude-sonnet-4-0` has a date.
    """
    attempts = _Attempts()
    token = _attempts.set(attempts)
    try:
        yield
    finally:
        _attempts.reset(token)
    for asked, served in attempts.found:
        applied.fell_back(asked, served)


def _field(model: Any) -> str:
    return "model_name" if "model_name" in type(model).model_fields else "model"


def _name(model: Any) -> str:
    return str(getattr(model, _field(model), "") or "")


def _provider(model: Any) -> str:
    """Our name of the provider, by the package that the model's class is of; Azure's has a name of its own, for its models are deployments."""
    if str(getattr(model, "_llm_type", "")).startswith("azure"):
        return _AZURE
    package = type(model).__module__.partition(".")[0].removeprefix("langchain_")
    return {called: ours for ours, called in _CALLED.items()}.get(package, package)
