"""The postmortem of an incident: what the log and Prometheus know, in Markdown or HTML."""

from __future__ import annotations

from truegreen.runbook.postmortem.context import context

__all__ = ["context"]
