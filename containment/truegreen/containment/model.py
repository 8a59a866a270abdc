"""The flags that an application obeys."""

from __future__ import annotations

from typing import Final

PINNED_MODEL: Final = "pinned_model"
"""The model to use in place of the configured one; empty is off."""
FLAGS: Final = {PINNED_MODEL: "the model to use in place of the configured one; empty is off"}
"""Every flag with its meaning; all are strings, and empty is off."""
