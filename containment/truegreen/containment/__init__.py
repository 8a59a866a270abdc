"""Switches that the application obeys while an incident runs."""
