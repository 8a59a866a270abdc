"""The flags that an application obeys."""

from __future__ import annotations

from typing import Final

PINNED_MODEL: Final = "pinned_model"
"""The model to use in place of the configured one; empty is off."""
EVALUATION_BOOST: Final = "evaluation_boost"
"""The share of answers to evaluate while an incident runs, such as `100%`; empty is off. Read by `truegreen.instrumentation.boost`."""
FLAGS: Final = {
    PINNED_MODEL: "the model to use in place of the configured one; empty is off",
    EVALUATION_BOOST: "the share of answers to evaluate, beyond the fixed sample and outside of SLOs, such as 100%; empty is off",
}
"""Every flag with its meaning; all are strings, and empty is off."""
