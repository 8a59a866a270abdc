"""The one thing that the process shares: passages by trace."""

from __future__ import annotations

from truegreen.instrumentation.passages import Store

store = Store()
