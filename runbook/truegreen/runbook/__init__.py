"""Detect, triage, contain, mitigate, validate, review: as commands with a log."""
