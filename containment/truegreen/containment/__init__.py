"""Switches that the application obeys while an incident runs."""

from truegreen.containment.switches import model

__all__ = ["model"]
