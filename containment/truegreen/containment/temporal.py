"""Temporal: a worker's interceptor that lets activities obey degraded mode and features that are off.

`Worker(client, task_queue=..., interceptors=[Switches({"answer": "support", "summarise": ""})], ...)`
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from truegreen.containment import switches

DEGRADED: Final = "DegradedMode"
OFF: Final = "FeatureDisabled"
"""Types of the error by which an activity fails where it has no answer to give; neither is tried again."""


class Switches(Interceptor):
    """Activities by name, and the feature that each belongs to; others are left alone.

    Args:
        activities: activity name to its feature in flag `feature_disabled`; an empty one obeys degraded mode alone.
        says: makes an activity's result from the message; None fails it with an `ApplicationError` that is not tried again, of type `DegradedMode`
            or `FeatureDisabled`, for the workflow to handle.
        off: the message while the feature is off.
    """

    def __init__(
        self,
        activities: Mapping[str, str],
        *,
        says: Callable[[str], Any] | None = None,
        off: str = "This feature is not available at the moment.",
    ) -> None:
        self._activities = dict(activities)
        self._says = says
        self._off = off

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - Temporal's name
        """Temporal's hook."""
        return _Inbound(next, self)

    def instead(self, name: str) -> tuple[str, str] | None:
        """Why an activity is not executed, and the message; None where it is."""
        feature = self._activities.get(name)
        if feature is None:
            return None
        if message := switches.degraded():
            return DEGRADED, message
        return None if not feature or switches.feature(feature) else (OFF, self._off)

    def result(self, why: str, message: str) -> Any:
        """What the activity gives in place of its own result.

        Raises:
            ApplicationError: there is nothing that makes one.
        """
        if self._says is None:
            raise ApplicationError(message, type=why, non_retryable=True)
        return self._says(message)


class _Inbound(ActivityInboundInterceptor):
    def __init__(self, following: ActivityInboundInterceptor, of: Switches) -> None:
        super().__init__(following)
        self._of = of

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - Temporal's name
        """Execute it, or give what takes its place."""
        found = self._of.instead(activity.info().activity_type)
        return await super().execute_activity(input) if found is None else self._of.result(*found)
