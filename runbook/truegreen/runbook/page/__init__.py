"""The page of an incident: what broke, the clocks, what to do next; for a phone at night and for somebody without truegreen."""

from truegreen.runbook.page.routes import router

__all__ = ["router"]
