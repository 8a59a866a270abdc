"""Calls for `route` over the OpenAI, Anthropic and Google SDKs: chat messages in, text out, the same for all three.

They carry text: messages `{"role": "system" | "user" | "assistant", "content": TEXT}` and the options of `OPTIONS`. They do not carry tools,
images, audio, structured output or streams; those are refused on the first day, whichever provider serves, and not in the incident. For them
write a call of your own. What one provider alone understands is given where its call is made: `openai_call(client, temperature=0.2)`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

Messages = Sequence[Mapping[str, Any]]
OPTIONS: Final = ("max_tokens", "stop")
"""`stop` is a list of texts. There is no temperature: Anthropic's SDK 2 has none."""
ROLES: Final = ("system", "user", "assistant")
MAX_TOKENS: Final = 4_096
"""Anthropic's API wants a limit; this one where none is given."""


def openai_call(client: Any, **fixed: Any) -> Callable[..., Any]:
    """Chat completions of an `openai.OpenAI` or `AsyncOpenAI` client, also an Azure one; `fixed` goes along as it is."""
    names = {"max_tokens": "max_completion_tokens"}

    def asked(model: str, messages: Messages, options: Mapping[str, Any]) -> dict[str, Any]:
        given = _checked(messages, options)
        return {
            "model": model,
            "messages": [dict(one) for one in given],
            **fixed,
            **{names.get(k, k): v for k, v in options.items()},
        }

    return _made(client, lambda: client.chat.completions.create, asked, lambda made: made.choices[0].message.content or "")


def anthropic_call(client: Any, **fixed: Any) -> Callable[..., Any]:
    """Messages of an `anthropic.Anthropic` or `AsyncAnthropic` client; `fixed` goes along as it is."""
    names = {"stop": "stop_sequences"}

    def asked(model: str, messages: Messages, options: Mapping[str, Any]) -> dict[str, Any]:
        system, others = _apart(_checked(messages, options))
        found = {"max_tokens": MAX_TOKENS, **fixed, **{names.get(k, k): v for k, v in options.items()}}
        return {"model": model, "messages": [dict(one) for one in others], **({"system": system} if system else {}), **found}

    def text(made: Any) -> str:
        return "".join(part.text for part in made.content if part.type == "text")

    return _made(client, lambda: client.messages.create, asked, text)


def google_call(client: Any, **fixed: Any) -> Callable[..., Any]:
    """`generate_content` of a `google.genai.Client`, or of its `client.aio`; `fixed` goes into its config."""
    names = {"max_tokens": "max_output_tokens", "stop": "stop_sequences"}

    def asked(model: str, messages: Messages, options: Mapping[str, Any]) -> dict[str, Any]:
        system, others = _apart(_checked(messages, options))
        contents = [{"role": "model" if m["role"] == "assistant" else "user", "parts": [{"text": m["content"]}]} for m in others]
        config = {
            **({"system_instruction": system} if system else {}),
            **fixed,
            **{names.get(k, k): v for k, v in options.items()},
        }
        return {"model": model, "contents": contents, "config": config}

    return _made(client, lambda: client.models.generate_content, asked, lambda made: made.text or "")


def _made(
    client: Any,
    method: Callable[[], Callable[..., Any]],
    asked: Callable[[str, Messages, Mapping[str, Any]], dict[str, Any]],
    text: Callable[[Any], str],
) -> Callable[..., Any]:
    if type(client).__name__.startswith("Async"):

        async def asynchronous(model: str, messages: Messages, **options: Any) -> str:
            return text(await method()(**asked(model, messages, options)))

        return asynchronous

    def plain(model: str, messages: Messages, **options: Any) -> str:
        return text(method()(**asked(model, messages, options)))

    return plain


def _checked(messages: Messages, options: Mapping[str, Any]) -> Messages:
    """The messages.

    Raises:
        ValueError: there is something that not all three can carry.
    """
    for at, one in enumerate(messages):
        if one.get("role") not in ROLES or not isinstance(one.get("content"), str) or set(one) - {"role", "content"}:
            raise ValueError(
                f"messages[{at}]: found role {one.get('role')!r} with {', '.join(sorted(map(str, one)))}; write a role of {', '.join(ROLES)} "
                f"and a text as content: tools and images are not carried to another provider"
            )
    unknown = sorted(set(options) - set(OPTIONS))
    if unknown:
        raise ValueError(
            f"options: found {', '.join(unknown)}; write {', '.join(OPTIONS)}: nothing else is carried to another provider"
        )
    return messages


def _apart(messages: Messages) -> tuple[str, Messages]:
    system = "\n\n".join(one["content"] for one in messages if one["role"] == "system")
    return system, [one for one in messages if one["role"] != "system"]
