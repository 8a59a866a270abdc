"""LiteLLM's router: a callback that says when a fallback has served. `litellm.callbacks = [Fallbacks()]`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litellm.integrations.custom_logger import CustomLogger  # type: ignore[import-not-found, unused-ignore]

from truegreen.containment import applied
from truegreen.instrumentation import failures


class Fallbacks(CustomLogger):  # type: ignore[misc, unused-ignore]
    """Counts each answer of a fallback as `fallback_model`, with the group that was asked and the model that served. It reads no text."""

    def log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """LiteLLM's hook for `completion`; its arguments come by these names."""
        _look(kwargs)

    async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """LiteLLM's hook for `acompletion`."""
        _look(kwargs)


def _look(kwargs: Any) -> None:
    try:
        found: Mapping[str, Any] = (kwargs.get("litellm_params") or {}).get("metadata") or {}
        if int(found.get("attempted_fallbacks") or 0) > 0:
            served = str(found.get("model_group") or kwargs.get("model") or "")
            applied.fell_back(str(found.get("original_model_group") or ""), served)
    except Exception as error:
        failures.count("litellm", error)
