"""What the process shares: passages by trace, and the provider of our own spans."""

from __future__ import annotations

from dataclasses import dataclass, field

from opentelemetry.trace import TracerProvider

from truegreen.instrumentation.passages import Store


@dataclass(slots=True)
class Shared:
    """The one state of the process; `provider` is None for the global one."""

    store: Store = field(default_factory=Store)
    provider: TracerProvider | None = None


shared = Shared()
