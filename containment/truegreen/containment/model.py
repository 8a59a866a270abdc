"""The flags that an application obeys."""

from __future__ import annotations

from typing import Final, NamedTuple

PINNED_MODEL: Final = "pinned_model"
FALLBACK_MODEL: Final = "fallback_model"
REDUCED_CONTEXT: Final = "reduced_context"
CACHED_RESPONSE: Final = "cached_response"
STRICT_GUARDRAIL: Final = "strict_guardrail"
FEATURE_DISABLED: Final = "feature_disabled"
DEGRADED_MODE: Final = "degraded_mode"
RETRIEVAL_INDEX: Final = "retrieval_index"
PROMPTS_MOVED: Final = "prompts_moved"
ROLLOUT: Final = "rollout"
EVALUATION_BOOST: Final = "evaluation_boost"
PROVIDERS: Final = ("openai", "anthropic", "google")
"""The providers that a flag may name before a colon."""
EVERY: Final = "*"
"""As the value of `feature_disabled`: every feature."""
FLAGS: Final = {
    PINNED_MODEL: "the model to use in place of the configured one, such as gpt-5-2026-01-15",
    FALLBACK_MODEL: "a model to use in place of the configured one, or PROVIDER:MODEL (openai, anthropic, google) to leave its provider",
    REDUCED_CONTEXT: "how many passages a prompt may have at most, a whole number",
    CACHED_RESPONSE: "answer from the cache, with nothing that was cached at or after this moment (unix seconds)",
    STRICT_GUARDRAIL: "on: guardrails take their strict setting",
    FEATURE_DISABLED: "the features that are off, with commas between them, or * for all",
    DEGRADED_MODE: "call no model, and tell the user this",
    RETRIEVAL_INDEX: "the index, collection or namespace to search in place of the configured one",
    PROMPTS_MOVED: "a prompt was moved back at this moment (unix seconds): what a prompt cache holds from before is let go",
    ROLLOUT: 'a staged rollout as JSON: {"component": "model|prompt|guardrail", "to": VERSION, "percent": 0..100, "shadow": 0..100}',
    EVALUATION_BOOST: "the share of answers to evaluate, beyond the fixed sample and outside of SLOs, such as 100%; read by `truegreen.instrumentation.boost`",
}
"""Every flag with what its value says; all are strings, and empty is off."""
NATURAL: Final = {
    REDUCED_CONTEXT: (int, float),
    CACHED_RESPONSE: (int, float),
    PROMPTS_MOVED: (int, float),
    STRICT_GUARDRAIL: (bool,),
    ROLLOUT: (dict,),
}
"""What a hand writes where JSON has a type for it: as good as the string. For any other flag only `false` is, as off."""


class Target(NamedTuple):
    """A model and whose it is; the provider is empty where nobody said."""

    provider: str
    model: str


class Choice(NamedTuple):
    """What one call uses while a staged rollout runs.

    Args:
        version: the version that answers the user.
        shadow: mirror this call to `candidate`, for its score alone.
        candidate: the version that the rollout brings in; empty while there is none.
    """

    version: str
    shadow: bool = False
    candidate: str = ""
